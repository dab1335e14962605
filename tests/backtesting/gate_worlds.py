"""The gate among worlds whose truth is known: how much noise it lets through, how much skill.

    python -m tests.backtesting.gate_worlds --nulls 400 --seed 1 [--power] [--shared FOLDER]
    python -m tests.backtesting.gate_worlds --curve --seed 1

A run is a researcher: 12 ridge recipes learn in a walk-forward over 3,000 candles of 8 instruments,
long or flat; the best before the holdout is brought to the gate with a boring champion (who holds
what rose over 32 candles) and twins that make its own decisions at other times. In worlds that rise
another researcher enters at random, 12 times, and brings the best. What no statistics decide
(calibration, leaks, the account's fees, a person's limit on drawdown) is left open here. Each rule
is counted alone and together; bounds are Clopper and Pearson's, one-sided, 95 %. Costs are nothing
where nothing is said: the worst case for a gate.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, product
from math import comb, sqrt
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from rrr.backtesting import sharpe
from rrr.backtesting.gate import Case, Verdict, asked_of, judge, sees_through
from rrr.backtesting.gate_returns import Ledger, Record, matched
from rrr.backtesting.gate_rules import Calibration, Rules, Terms
from rrr.backtesting.growth import F64
from rrr.neural_network.panel import Mask

SHARED: Final = Path(__file__).parents[2].parent / "shared"
ABSENT: Final = "the shared market data is not here"

INSTRUMENTS: Final = 8
TIMES: Final = 3_000
TAUGHT: Final = 600  # candles before the first fold
FOLDS: Final = 4
LAGS: Final = (2, 8, 24)
PENALTIES: Final = (10.0, 3_000.0)
SHY: Final = (0.0, 0.5)  # long where the forecast is so many of its deviations above nothing
TWINS: Final = 20
RUNS: Final = 4_000  # of a cell of a curve: its error is below 0.008
PRIOR: Final = 21  # the owner's failures
MOVE: Final = 0.005  # the deviation of a candle's return
IN_A_YEAR: Final = 2_190.0  # candles of four hours
HELD: Final = 42  # candles of them in a week: how long who enters at random holds, on average
OPEN: Final = Rules(drawdown_ratio_max=1.0, draws=200)
CHEAP: Final = Terms(86_400_000, 0, 100, 100, 0, 0, 0, 0.03, 86_400_000)
CALIBRATED: Final = Calibration(0.01, 0.01, 1.0)
STATISTICS: Final = ("deflated Sharpe", "holdout")

World: TypeAlias = Callable[[np.random.Generator], tuple[F64, F64]]  # what is seen, is earned
Researcher: TypeAlias = Callable[[int], dict[str, bool]]  # what each rule says, by seed


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """What each recipe held, (recipes, instruments, times), and what that came from."""

    held: F64
    returns: F64  # (instruments, times): of the candle after each decision
    cost: float  # of one unit of turnover


def noise(random: np.random.Generator) -> tuple[F64, F64]:
    """A random walk; a fifth of each variance is common to all."""
    both = random.standard_normal((INSTRUMENTS + 1, TIMES))
    returns = MOVE * (sqrt(0.8) * both[1:] + sqrt(0.2) * both[0])
    return returns, returns


def garch(random: np.random.Generator, drift: float = 0.0) -> tuple[F64, F64]:
    """GARCH(.02, .08, .9) with t₅ luck; `drift` is the Sharpe ratio of an instrument a year."""
    both = random.standard_t(5, (TIMES, INSTRUMENTS + 1)) * sqrt(3 / 5)
    luck = sqrt(0.8) * both[:, 1:] + sqrt(0.2) * both[:, :1]
    returns, variance = np.empty_like(luck), np.ones(INSTRUMENTS)
    for now, drawn in enumerate(luck):
        returns[now] = np.sqrt(variance) * drawn
        variance = 0.02 + 0.08 * returns[now] ** 2 + 0.9 * variance
    made = np.ascontiguousarray(MOVE * (returns.T + drift / sqrt(IN_A_YEAR)))
    return made, made


def shifted(random: np.random.Generator) -> tuple[F64, F64]:
    """What is seen remembers, and what is earned is the same at quite another time."""
    seen, _ = remembering(0.1)(random)
    return seen, np.roll(seen, int(random.integers(300, TIMES - 300)), axis=1)


def drifting(random: np.random.Generator) -> tuple[F64, F64]:
    return garch(random, drift=1.0)


def bull(random: np.random.Generator) -> tuple[F64, F64]:
    """The market together has a ratio of 4 a year: in 16 months less is not taken for skill."""
    return garch(random, drift=2.25)


def remembering(memory: float) -> World:
    """Each return is `memory` of the one before, and luck."""

    def made(random: np.random.Generator) -> tuple[F64, F64]:
        returns = garch(random)[0]
        for now in range(1, TIMES):
            returns[:, now] += memory * returns[:, now - 1]
        return returns, returns

    return made


def rows_of(table: F64) -> World:
    """Days of real returns, (names, days), drawn again one by one: 8 names together."""

    def made(random: np.random.Generator) -> tuple[F64, F64]:
        names = random.permutation(len(table))[:INSTRUMENTS]
        returns = table[names][:, random.integers(table.shape[1], size=TIMES)]
        return returns, returns

    return made


def as_they_were(table: F64) -> World:
    """Real returns; only who enters, and when, is chance."""
    return lambda random: (table, table)


def real(shared: Path) -> dict[str, F64]:
    """Tables of returns, (names, times); none where the data is absent."""
    days = shared / "data/ml/sp500/sp500_200_daily_returns_pct.csv"
    hours = sorted((shared / "data/binanceusdm").glob("*-PERP/1h.parquet"))
    if not days.is_file() or not hours:
        return {}
    from pyarrow import parquet

    daily = np.genfromtxt(days, delimiter=",", skip_header=1)[:, 1:].T / 100
    closes = []
    for path in hours:
        close = parquet.read_table(path, columns=["close"])["close"].to_numpy()
        if len(close) > 30_000:
            closes.append(close[-30_000::4])
    perpetual = np.stack(closes)
    return {"days": daily, "perpetuals": perpetual[:, 1:] / perpetual[:, :-1] - 1}


def ridge(seen: F64, earned: F64, cost: float) -> Tried:
    """The recipes' decisions after `TAUGHT` candles; each fold learns from all before it."""
    deep = max(LAGS)
    windows = np.lib.stride_tricks.sliding_window_view(seen, deep, axis=1)[:, :-1, ::-1]
    x = windows / seen[:, :TAUGHT].std()  # (instruments, times, lags), the newest first
    y = earned[:, deep:] / earned[:, :TAUGHT].std()
    edges = np.linspace(TAUGHT - deep, x.shape[1], FOLDS + 1).astype(int)
    forecasts = []
    for lags, penalty in product(LAGS, PENALTIES):
        parts = []
        for begins, ends in pairwise(edges.tolist()):
            known = x[:, :begins, :lags].reshape(-1, lags)
            square = known.T @ known + penalty * np.eye(lags)
            weights = np.linalg.solve(square, known.T @ y[:, :begins].ravel())
            parts.append(x[:, begins:ends, :lags] @ weights / (known @ weights).std())
        forecasts.append(np.concatenate(parts, axis=1))
    told = np.stack(forecasts)
    held = np.concatenate([told > shy for shy in SHY]) / len(seen)
    return Tried(held, earned[:, TAUGHT:], cost)


def at_random(random: np.random.Generator, earned: F64, cost: float) -> Tried:
    """As many recipes that enter and leave by dice, and hold `HELD` candles on average."""
    recipes = len(LAGS) * len(PENALTIES) * len(SHY)
    turns = random.random((recipes, *earned.shape)) < 1 / HELD
    turns[:, :, 0] |= random.random(turns.shape[:2]) < 0.5
    long: Mask = np.cumsum(turns, axis=2) % 2 == 1
    return Tried(long / len(earned), earned, cost)


def brought(
    tried: Tried, random: np.random.Generator, prior: int = PRIOR, beyond_hold: bool = True
) -> Case:
    """The best recipe before the holdout, with its twins, as a case for the gate."""
    records = [record(held, tried, beyond_hold) for held in tried.held]
    times = tried.returns.shape[1]
    early = times - round(times * OPEN.held_out_ratio)
    ratios = [_ratio(one.excess[:early]) for one in records]
    best = int(np.argmax(ratios))
    apart = random.integers(times // 10, times - times // 10, TWINS)
    twins = [np.roll(tried.held[best], int(shift), axis=1) for shift in apart]
    path = np.concatenate([np.zeros((len(tried.returns), 33)), tried.returns], axis=1).cumsum(1)
    rose = (path[:, 32:-1] > path[:, :-33]) / len(tried.returns)  # known before each candle
    always = np.full_like(tried.returns, 1 / len(tried.returns))
    return Case(
        kind="ridge",
        record=records[best],
        random=[record(held, tried, beyond_hold) for held in twins],
        always_long=record(always, tried, beyond_hold),
        rivals={"champion": record(rose, tried, beyond_hold)},
        ledger=Ledger(len(ratios) + prior, prior, float(np.var(ratios, ddof=1)), 1),
        calibration=CALIBRATED,
        leaks={"left open": True},
        terms=CHEAP,
        candles_a_year=IN_A_YEAR,
    )


def record(held: F64, tried: Tried, beyond_hold: bool = True) -> Record:
    """What these exposures, (instruments, times), earned at once and twice the costs."""
    gross = (held * tried.returns).sum(axis=0)
    turned = np.abs(np.diff(held, axis=1, prepend=0.0)).sum(axis=0) * tried.cost
    hold = matched(held, tried.returns) if beyond_hold else np.zeros(len(gross))
    return Record(gross - turned, gross - 2 * turned, hold)


def outcome(case: Case, tried: Tried) -> dict[str, bool]:
    """What each rule says of one researcher's best."""
    few = replace(case, ledger=case.ledger._replace(tried=len(tried.held), prior=0))
    asked = asked_of(case.times, few.ledger, OPEN)
    early, late = np.split(case.record.excess, [asked.deflated.candles])
    passed = asked.deflated.probability(early) or 0.0, asked.held_out.probability(late) or 0.0
    whole = asked.deflated.probability(case.record.excess) or 0.0
    verdict = judge(case, OPEN)
    return {
        "PSR": (asked.deflated._replace(beyond=0.0).probability(early) or 0.0) > 0.95,
        "DSR": passed[0] >= 0.95,
        "DSR, holdout": passed[0] >= 0.95 and passed[1] >= 0.80,
        "DSR of all, holdout": whole >= 0.95 and passed[1] >= 0.80,
        "with 21 before": not refused(verdict, STATISTICS),
        "gate": verdict.passed,
    }


def refused(verdict: Verdict, names: Sequence[str]) -> bool:
    return any(check.name in names for check in verdict.refusals)


def researcher(world: World, seed: int, cost: float = 0.0) -> dict[str, bool]:
    """One who learns; `cost` in deviations of a candle's return, a side."""
    random = np.random.Generator(np.random.Philox(seed))
    seen, earned = world(random)
    tried = ridge(seen, earned, cost * float(earned.std()))
    return outcome(brought(tried, random), tried)


def gambler(world: World, seed: int, cost: float = 0.001) -> dict[str, bool]:
    """One who enters at random, 12 times: promoted without and with the matched hold."""
    random = np.random.Generator(np.random.Philox(seed))
    tried = at_random(random, world(random)[1], cost)
    told = {}
    for beyond_hold in (False, True):
        case = brought(tried, random, prior=0, beyond_hold=beyond_hold)
        asked = asked_of(case.times, case.ledger, OPEN)
        told["beyond hold" if beyond_hold else "alone"] = not sees_through(case.record, asked)
    return told | {"gate": judge(brought(tried, random), OPEN).passed}


def counted(runs: int, seed: int, run: Researcher) -> Counter[str]:
    total: Counter[str] = Counter()
    for number in range(runs):
        total.update({name: int(yes) for name, yes in run(seed * 1_000_003 + number).items()})
    return total


def upper(seen: int, of: int, confidence: float = 0.95) -> float:
    """Clopper and Pearson's bound: so often and more rarely is seen with what is left.

    >>> round(upper(4, 200), 3), round(upper(12, 400), 3)
    (0.045, 0.048)
    """
    low, high = seen / of, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(seen, of, middle) > 1 - confidence else (low, middle)
    return high


def promoted(yearly: float, years: float, alike: float, prior: int, runs: int, seed: int) -> float:
    """How often the best of 12 is promoted: one with such a ratio, or, alike, all of them.

    Days are normal; ratios are drawn from what they need: means and deviations.
    """
    random = np.random.Generator(np.random.Philox(seed))
    days, recipes = round(years * 365), 12
    asked = asked_of(days, Ledger(recipes + prior, prior, 0.0, 1), OPEN)
    true = np.full(recipes, yearly / sqrt(365))
    if alike == 0:
        true[1:] = 0.0
    shown = []
    for hurdle in asked:
        n = hurdle.candles
        common, own = random.standard_normal((runs, 1)), random.standard_normal((runs, recipes))
        mean = true + (sqrt(alike) * common + sqrt(1 - alike) * own) / sqrt(n)
        shown.append(mean / np.sqrt(random.chisquare(n - 1, (runs, recipes)) / (n - 1)))
    won = 0
    for early, late in zip(*shown, strict=True):
        best = int(early.argmax())
        ledger = Ledger(recipes + prior, prior, float(early.var(ddof=1)), 1)
        one, two = asked_of(days, ledger, OPEN)
        won += (
            _probable(one.candles, early[best], one.beyond) >= one.confidence
            and _probable(two.candles, late[best], two.beyond) >= two.confidence
        )
    return won / runs


NULLS: Final[Mapping[str, World]] = {
    "random walk": noise,
    "GARCH-t": garch,
    "shifted targets": shifted,
    "drifting": drifting,
    "bull": bull,
}
RISERS: Final[Mapping[str, Researcher]] = {
    "drifting": partial(gambler, drifting),
    "bull": partial(gambler, bull),
}
SKILLS: Final[Mapping[str, Researcher]] = {
    "φ=.05": partial(researcher, remembering(0.05)),
    "φ=.10 at .03σ": partial(researcher, remembering(0.1), cost=0.03),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.backtesting.gate_worlds")
    parser.add_argument("--nulls", type=int, default=400, help="runs of each world")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--power", action="store_true", help="also how much skill it sees")
    parser.add_argument("--curve", action="store_true", help="only the power, by Sharpe and years")
    parser.add_argument("--shared", type=Path, default=SHARED, help="where real returns lie")
    asked = parser.parse_args(arguments)
    told = _lines(asked.nulls, asked.seed, asked.power, asked.shared)
    for line in _curves(RUNS, asked.seed) if asked.curve else told:
        print(line, flush=True)  # noqa: T201
    return 0


def _lines(runs: int, seed: int, power: bool, shared: Path) -> Iterator[str]:
    tables = real(shared)
    yield f"seed {seed}, {runs} runs of each world" + ("" if tables else f"; {ABSENT}")
    nulls, risers = dict(NULLS), dict(RISERS)
    if tables:
        nulls["real rows"] = rows_of(tables["days"])
        risers["perpetuals"] = partial(gambler, as_they_were(tables["perpetuals"]))
    learners = {name: partial(researcher, world) for name, world in nulls.items()}
    yield from _table("Nulls", learners, runs, seed)
    yield from _table("Random entries", risers, runs, seed)
    if power:
        yield from _table("Skill", SKILLS, runs, seed)
        yield from _curves(runs, seed)


def _table(
    title: str, researchers: Mapping[str, Researcher], runs: int, seed: int
) -> Iterator[str]:
    """Promotions, and the most that they leave possible, of skill the least; seconds a run."""
    skill = researchers is SKILLS
    for number, (name, run) in enumerate(researchers.items()):
        begun = time.perf_counter()
        found = counted(runs, seed, run)
        spent = (time.perf_counter() - begun) / runs
        if not number:
            yield f"\n{title:<20}" + "".join(f"{head:>20}" for head in found) + "   s/run"
        wons = found.values()
        ends = [1 - upper(runs - won, runs) if skill else upper(won, runs) for won in wons]
        cells = [f"{won} ({end:.3f})" for won, end in zip(wons, ends, strict=True)]
        yield f"{name:<20}" + "".join(f"{cell:>20}" for cell in cells) + f"{spent:8.3f}"


def _curves(runs: int, seed: int) -> Iterator[str]:
    years = (1.0, 2.0, 3.4, 5.0, 8.0, 12.0)
    for alike, prior in ((0.0, 0), (0.9, 0), (0.0, PRIOR), (0.9, PRIOR)):
        yield ""
        yield f"Power, 12 recipes alike by {alike:g}, {prior} before, seed {seed}, years:"
        yield f"{'Sharpe a year':<16}" + "".join(f"{year:>8g}" for year in years)
        for yearly in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.4, 4.0):
            cells = [promoted(yearly, year, alike, prior, runs, seed) for year in years]
            yield f"{yearly:<16g}" + "".join(f"{cell:>8.3f}" for cell in cells)


def _probable(candles: int, ratio: float, beyond: float) -> float:
    return sharpe.probabilistic(sharpe.Moments(candles, ratio, 0.0, 3.0), beyond)


def _ratio(returns: F64) -> float:
    of = sharpe.moments(returns)
    return 0.0 if of is None else of.sharpe


def _at_most(seen: int, of: int, share: float) -> float:
    return sum(comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(seen + 1))


if __name__ == "__main__":
    sys.exit(main())
