"""What is planted in a market is found again, and what is not is not: figures beside their floors.

`python -m tests.neural_network.planted --markets 3 --seed 1` makes each world of SIGNALS §6A so
often: eight instruments of 6,000 candles, noise of Student's t with five degrees of freedom, GARCH
(.02, .08, .9). Ridge, boosting, one network and the mean of three learn from the first 60 % and are
judged by the last 20 %; the part between is left alone, since nobody chooses by it. Each speaks
through its graph. The oracle knows the planted mean; capture is the IC of a model over the
oracle's.
"""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from rrr.neural_network.asking import asked, served
from rrr.neural_network.challengers import boosting, ridge
from rrr.neural_network.evidence import correlation
from rrr.neural_network.features import F32, FEATURES, STEPS, WINDOW, features
from rrr.neural_network.labels import F64, Split, embargo, labels, usual
from rrr.neural_network.panel import Panel
from tests.builders import HOUR, START

MODELS: Final = ("ridge", "boosting", "GRU×1", "GRU×3")
INSTRUMENTS: Final = 8
TIMES: Final = 6_000
HORIZON: Final = 1
UNIT: Final = 0.005  # of a return, its usual size
TEACH: Final = 0.6  # of the rows, the first ones
JUDGE: Final = 0.2  # the last ones
LASTS: Final = 200  # candles that a regime lasts on average
SPAN: Final = 16  # candles of the planted average
NULL_IC: Final = 0.03
AS_GOOD: Final = 0.97  # of the better challenger
BEYOND: Final = 0.05  # of boosting, where it takes two features at once
EPOCHS: Final = 16  # of networks that nobody waits for; a first start has half as many
REGIMES: Final = tuple(
    name for name in FEATURES if "lag_" in name or name in ("variance_ratio", "market_turn")
)


class Known(NamedTuple):
    """What a planted mean may be made of, each (instruments, times)."""

    moves: F64  # returns in their own deviation; filled as time goes on
    volume: F64  # its logarithm, around 0
    regime: F64  # 1 or -1, the same for all


@dataclass(frozen=True, slots=True)
class World:
    mean: Callable[[Known, int], F64]  # of the next move, known at this time: (instruments,)
    floor: float | None = None  # of capture, by the mean of three networks
    blind: bool = False  # no feature tells of regimes


class Market(NamedTuple):
    panel: Panel
    oracle: F64  # (instruments, times), in units of the label


class Lessons(NamedTuple):
    x: F32
    y: F64
    oracle: F64
    parts: Split


@dataclass(frozen=True, slots=True)
class Found:
    """In one market."""

    oracle_ic: float
    ic: dict[str, float]  # by the name of the model
    seconds: dict[str, float]


def main(arguments: Sequence[str]) -> int:
    """1 if a floor is missed."""
    parser = ArgumentParser(prog="python -m tests.neural_network.planted")
    parser.add_argument("--markets", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--world", choices=WORLDS, action="append", help="all, unless named")
    asked_for = parser.parse_args(arguments)
    seeds = range(asked_for.seed, asked_for.seed + asked_for.markets)
    say(f"seeds {seeds[0]} to {seeds[-1]}, {asked_for.epochs} epochs; capture, null: IC")
    names = "".join(f"{name:>10}" for name in MODELS)
    say(f"{'world':14}{'oracle':>8}{names}{'floor':>8}")
    missed, best = [], {}
    for name in asked_for.world or WORLDS:
        found = [find(WORLDS[name], seed, asked_for.epochs) for seed in seeds]
        got = captured(found)
        best[name] = got["GRU×3"]
        say(f"{name:14}{_line(WORLDS[name], got, found)}")
        missed += [f"{name}: {fail}" for fail in _missed(WORLDS[name], got, found)]
    if best.get("regime blind", 0.0) > best.get("regime", 1.0):
        missed.append("regime: no better than without the features that tell of it")
    say("\n".join(["", *missed]) if missed else "\nevery floor is held")
    return 1 if missed else 0


def find(world: World, seed: int, epochs: int = EPOCHS) -> Found:
    from rrr.neural_network.graph import graph
    from rrr.neural_network.network import learn

    x, y, oracle, parts = lessons(world, market(world, seed))
    truth, judged = y[:, parts.validation], parts.validation
    found = Found(correlation(oracle[:, judged], truth), {}, {})

    def judge(name: str, network: bytes) -> None:
        found.ic[name] = correlation(asked(served(network), x, judged), truth)
        found.seconds[name] = time.monotonic() - begun

    begun = time.monotonic()
    judge("ridge", ridge(x, y, parts, HORIZON).network)
    begun = time.monotonic()
    judge("boosting", boosting(x, y, parts, seed).network)
    begun = time.monotonic()
    trained = learn(x, y, parts, seed, epochs, lambda *_: None, 3)
    judge("GRU×3", graph(trained.weights, *trained.scaling))
    begun = time.monotonic() - found.seconds["GRU×3"] / 3  # the same as if it had learned alone
    judge("GRU×1", graph(trained.weights[:1], *trained.scaling))
    return found


def captured(found: Sequence[Found]) -> dict[str, float]:
    """The mean over markets, by the name of the model; of a null the IC."""
    return {
        name: float(np.mean([each.ic[name] / (each.oracle_ic or 1) for each in found]))
        for name in MODELS
    }


def _line(world: World, got: dict[str, float], found: Sequence[Found]) -> str:
    oracle = np.mean([each.oracle_ic for each in found])
    floor = f"{world.floor:8.2f}" if world.floor else " " * 8
    took = " ".join(f"{np.mean([each.seconds[name] for each in found]):.1f}" for name in MODELS)
    return f"{oracle:8.3f}{''.join(f'{got[name]:10.2f}' for name in MODELS)}{floor}   {took} s"


def _missed(world: World, got: dict[str, float], found: Sequence[Found]) -> list[str]:
    if world.mean is no_mean:
        loud = max(abs(ic) for each in found for ic in each.ic.values())
        return [f"an IC of {loud:.3f} where nothing is"] if loud > NULL_IC else []
    best, rivals = got["GRU×3"], max(got["ridge"], got["boosting"])
    missed = []
    if world.floor and best < world.floor:
        missed.append(f"{best:.2f} of the oracle, {world.floor} is the floor")
    if world.floor and best < AS_GOOD * rivals:
        missed.append(f"{best:.2f}, a challenger {rivals:.2f}")
    if world.mean is volume and best < got["boosting"] + BEYOND:
        missed.append(f"{best:.2f}, boosting {got['boosting']:.2f}: not {BEYOND} more")
    return missed


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def no_mean(known: Known, at: int) -> F64:
    return np.zeros(len(known.moves))


def memory(known: Known, at: int) -> F64:
    remembered: F64 = 0.10 * known.moves[:, at]
    return remembered


def momentum(known: Known, at: int) -> F64:
    """Of an exponential average, in the deviation that it would have of noise."""
    alpha = 2 / (SPAN + 1)
    past = known.moves[:, max(at - 8 * SPAN, 0) : at + 1]
    weights = alpha * (1 - alpha) ** np.arange(past.shape[1])[::-1]
    average: F64 = past @ weights / float(np.sqrt(alpha / (2 - alpha)))
    return 0.10 * average


def leader(known: Known, at: int) -> F64:
    """All follow the first, two candles later; nobody leads it."""
    followed: F64 = known.moves[0, at - 1] * (np.arange(len(known.moves)) > 0)
    return 0.15 * followed


def volume(known: Known, at: int) -> F64:
    turned: F64 = known.moves[:, at] * np.sign(known.volume[:, at])
    return 0.15 * turned


def regime(known: Known, at: int) -> F64:
    turned: F64 = known.moves[:, at] * known.regime[:, at]
    return 0.20 * turned


WORLDS: Final = {
    "memory": World(memory, 0.90),
    "momentum": World(momentum, 0.92),
    "leader": World(leader, 0.82),
    "volume": World(volume, 0.65),
    "regime blind": World(regime, blind=True),
    "regime": World(regime, 0.75),
    "null": World(no_mean),
}


def market(world: World, seed: int, times: int = TIMES, instruments: int = INSTRUMENTS) -> Market:
    dice = np.random.default_rng(seed)
    shape = instruments, times
    luck = dice.standard_t(5, shape) / np.sqrt(5 / 3)
    lasts = dice.integers(LASTS // 2, LASTS * 3 // 2, times)
    turns = np.repeat((-1.0) ** np.arange(times), lasts)[:times]
    known = Known(np.zeros(shape), dice.normal(size=shape), np.broadcast_to(turns, shape))
    spread, mean = np.ones(shape), np.zeros(shape)
    known.moves[:, :2] = luck[:, :2]
    for at in range(1, times - 1):
        mean[:, at + 1] = world.mean(known, at)
        known.moves[:, at + 1] = mean[:, at + 1] + luck[:, at + 1]
        shock = (spread[:, at] * known.moves[:, at]) ** 2
        spread[:, at + 1] = np.sqrt(0.02 + 0.08 * shock + 0.9 * spread[:, at] ** 2)
    returns = UNIT * spread * known.moves
    panel = _panel(returns, known.volume, dice)
    oracle = np.full(shape, np.nan)
    oracle[:, :-1] = (UNIT * spread * mean)[:, 1:] / usual(panel)[:, :-1]
    return Market(panel, oracle)


def lessons(world: World, made: Market) -> Lessons:
    x, y = features(made.panel), labels(made.panel, HORIZON)[:, WINDOW - 1 :]
    if world.blind:
        x[:, :, [FEATURES.index(name) for name in REGIMES]] = 0
    rows = range(STEPS - 1, x.shape[1] - HORIZON)
    end, first = int(TEACH * len(rows)), int((1 - JUDGE) * len(rows))
    parts = Split(rows[: end - embargo(HORIZON)], rows[first:])
    return Lessons(x, y, made.oracle[:, WINDOW - 1 :], parts)


def _panel(returns: F64, volume: F64, dice: np.random.Generator) -> Panel:
    """Candles that open where the one before closed."""
    close = np.rint(10**8 * np.exp(np.cumsum(returns, axis=1))).astype(np.int64)
    first = np.concatenate([np.full((len(close), 1), 10**8), close[:, :-1]], axis=1)
    reach = 1 + np.abs(dice.normal(0, UNIT / 2, (2, *close.shape)))
    high = np.rint(np.maximum(first, close) * reach[0]).astype(np.int64)
    low = np.rint(np.minimum(first, close) / reach[1]).astype(np.int64)
    traded = np.rint(np.exp(15 + volume)).astype(np.int64)
    opened = START + np.arange(close.shape[1]) * HOUR
    there = np.ones(close.shape, np.bool_)
    return Panel(first, high, low, close, traded, there, opened, HOUR)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
