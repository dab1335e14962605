"""Candles a second of a backtest, beside a loop without an engine and beside other programs.

everything  the usual settings with stops and targets that minutes reach: sizing by volatility, all
            rules, fees, spread, slippage, latency, participation; rows, a digest a day
one coin    what every peer can: bare market orders, a fee; still with stops, rules and digests
same        the arithmetic of `everything` in a compiled loop: no order, no row; equities bit-equal
bare        the arithmetic of `one coin` in a compiled loop: the floor that the aims are shares of
signals     the averages and the opinions, which each rate of ours but `run` contains
peers       those that `scripts/bench peers` has installed, in turn, on `one coin`

The slow ones trade a part of the candles. --json tells all figures; ranges are of the rounds.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from bench_candles import Candles, made, write
from bench_figures import Aim, Figures, megabytes, report
from bench_figures import run as spent
from bench_floors import bare, same
from bench_guests import PEERS, Case, Guest, ask, installed
from bench_peers import YEAR
from bench_terms import CASH, FEE_PPM, everything, one_coin

from rrr.backtesting.runner import run
from rrr.backtesting.trades import fills_of
from rrr.core.market import PPM, QUANTA
from rrr.core.orders import Cause
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.averages import MovingAverageCross

CROSS: Final = MovingAverageCross(10, 50)
MANY: Final = 50
SHARE: Final = {"backtesting": 5, "nautilus": 10, "freqtrade": 10, "backtrader": 10}
WARM: Final = ("vectorbt", "vectorbt-rust", "hftbacktest")  # they compile at first
INTERPRETED: Final = 20_000  # candles
RECIPE: Final = ("BTC-USD", "ETH-USD", "SOL-USD")
HOUR_MS: Final = 3_600_000
FIVE_YEARS: Final = 43_824  # hours
FEW: Final = 2_000  # candles: what is left of a run is compiling
AIMS: Final = (
    Aim("ratio_bare_to_everything", 10),
    Aim("ratio_vectorbt_to_everything", 0.5),
    Aim("interpreted_us_a_candle", 20),
    Aim("many_s", 2),
    Aim("many_peak_mb", 1_500),
)

T = TypeVar("T")


def main() -> None:
    words = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=words)
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--candles", type=int, default=YEAR, help=f"default: {YEAR:,}")
    parser.add_argument("--instruments", type=int, default=MANY, help=f"default: {MANY}")
    parser.add_argument("--peers", default=",".join(PEERS), metavar="LIST", help="of the installed")
    parser.add_argument("--many", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.many:
        print(json.dumps(many(made(options.candles, options.instruments))))
        return
    guests = installed([name for name in options.peers.split(",") if name])
    with tempfile.TemporaryDirectory(prefix="bench_backtest_") as name:
        folder = Path(name)
        cache = folder / "compiled"
        figures = compiling(cache)
        candles = made(options.candles)
        rounds = [one(candles, guests, folder) for _ in range(options.rounds + 1)][1:]
        figures |= summed(rounds) | counted(candles)
        figures |= of_many(options, guests, folder, cache)
        figures |= recipe(folder)
    report(figures, [aim for aim in AIMS if aim.name in figures], options.json)


def one(candles: Candles, guests: Sequence[Guest], folder: Path) -> Figures:
    """One round: each contender once, on one instrument. Seconds a candle."""
    history, panel = candles.history(), candles.panel
    full, plain = everything(candles), one_coin(candles)
    signals_s, convictions = timed(lambda: asked(CROSS, panel))
    run_s, result = timed(lambda: run(history, convictions, full))
    same_s, equity = timed(lambda: same(history, convictions, full))
    assert (equity == result.equity).all(), "The same arithmetic has the same result."
    coin_s, traded = timed(lambda: run(history, convictions, plain))
    opens, closes = (column[0] / 10**candles.decimals for column in (panel.open, panel.close))
    averages = partial(bare, opens, closes, CROSS.fast, CROSS.slow)
    bare_s, floor = timed(lambda: averages(FEE_PPM / PPM, float(CASH)))
    assert abs(floor.equity[-1] - traded.equity[-1] / QUANTA) < 0.005, "To the cent."
    part = candles.cut(min(INTERPRETED, panel.times))
    slow = partial(run, part.history(), convictions[:, : part.panel.times], everything(part))
    interpreted_s, walked = timed(lambda: slow(compiled=False))
    assert (walked.equity == result.equity[: len(walked.equity)]).all(), "One core."
    spent_s = {
        "everything": (signals_s + run_s) / panel.times,
        "run": run_s / panel.times,
        "one_coin": (signals_s + coin_s) / panel.times,
        "signals": signals_s / panel.times,
        "same": same_s / panel.times,
        "bare": bare_s / panel.times,
        "interpreted": interpreted_s / part.panel.times,
    }
    for guest in guests:
        few = candles.cut(panel.times // SHARE.get(guest.name, 1))
        case = Case(few, CROSS.fast, CROSS.slow, rounds=2 if guest.name in WARM else 1)
        spent_s[guest.name] = ask(guest, case, folder).trade_s[-1] / few.panel.times
    return spent_s


def timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    made_of = work()
    return time.perf_counter() - began, made_of


def summed(rounds: Sequence[Figures]) -> Figures:
    """Rates are medians; ratios are of one round each, with their least and most."""
    figures: Figures = {}
    for name in rounds[0]:
        figures[f"{name}_candles_s"] = 1 / float(np.median([one[name] for one in rounds]))
    figures["interpreted_us_a_candle"] = 1e6 / figures["interpreted_candles_s"]
    others = [name for name in rounds[0] if name in PEERS]
    pairs = [("bare", "everything"), ("bare", "one_coin"), ("same", "run")]
    for name, ours in (*pairs, *((name, "everything") for name in others)):
        # How many of ours the other one takes, where 1 is as quick: below it we are ahead.
        ratios = [one[ours] / one[name] for one in rounds]
        figures[f"ratio_{name}_to_{ours}"] = float(np.median(ratios))
        figures[f"ratio_{name}_to_{ours}_least"] = min(ratios)
        figures[f"ratio_{name}_to_{ours}_most"] = max(ratios)
    return figures


def counted(candles: Candles) -> Figures:
    """How much happens in the measured run."""
    history = candles.history()
    result = run(history, asked(CROSS, history.panel), everything(candles))
    cause = fills_of(result).cause
    return {
        "rows": float(len(result.rows)),
        "fills": float(len(cause)),
        "fills_of_stops": float((cause == Cause.STOP).sum()),
        "fills_of_targets": float((cause == Cause.TARGET).sum()),
        "refusals": float(sum(result.refusals.values())),
    }


def many(candles: Candles) -> Figures:
    """Several instruments on one account, in this process: the first run, and a later one."""
    data_mb = peak_mb()
    history, book = candles.history(), everything(candles)
    signals_s, convictions = timed(lambda: asked(CROSS, history.panel))
    first_s = timed(lambda: run(history, convictions, book))[0]
    run_s, result = timed(lambda: run(history, convictions, book))
    return {
        "many_s": signals_s + run_s,
        "many_candles_s": candles.panel.there.size / (signals_s + run_s),
        "many_first_run_s": first_s,
        "many_rows": float(len(result.rows)),
        "many_data_mb": data_mb,
        "many_peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    """Of this process alone: on Linux the other figure begins with its parent's."""
    if sys.platform != "linux":
        return megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return megabytes(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")))


def of_many(
    options: argparse.Namespace, guests: Sequence[Guest], folder: Path, cache: Path
) -> Figures:
    """In processes of their own: the peak of one is not that of the other."""
    figures = elsewhere(options.candles, options.instruments, cache)
    candles = made(options.candles, options.instruments)
    for guest in guests:
        if guest.module == "vectorbt":
            answer = ask(guest, Case(candles, CROSS.fast, CROSS.slow, rounds=2), folder)
            rate = candles.panel.there.size / answer.trade_s[-1]
            figures[f"many_{guest.name}_candles_s"] = rate
            figures[f"many_{guest.name}_peak_mb"] = answer.peak_mb
            figures[f"ratio_many_{guest.name}_to_ours"] = rate / figures["many_candles_s"]
    return figures


def elsewhere(candles: int, instruments: int, cache: Path) -> Figures:
    words = [f"--candles={candles}", f"--instruments={instruments}", "--many"]
    done = subprocess.run(
        [sys.executable, __file__, *words],
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: Figures = json.loads(done.stdout)
    return found


def compiling(cache: Path) -> Figures:
    """The first run on a machine, and the first one of a process."""
    cold, again = (elsewhere(FEW, 1, cache)["many_first_run_s"] for _ in range(2))
    return {"cold_compiles_s": cold, "cold_from_cache_s": again}


def recipe(folder: Path) -> Figures:
    """What the owner waits for: a real command, from files of candles to a report."""
    write(made(FIVE_YEARS, len(RECIPE), HOUR_MS), folder / "market", RECIPE, "1h")
    cache, page = folder / "recipe", folder / "report.html"
    command = ["env", f"XDG_CACHE_HOME={cache}", sys.executable, "-m", "rrr", "backtest"]
    options = [f"--home={folder / 'home'}", f"--replay={folder / 'market'}", "--timeframe=1h"]
    options += ["--strategy=moving-average-cross:fast=10,slow=50", f"--report={page}"]
    first, second = (spent([*command, *options]) for _ in range(2))
    assert page.stat().st_size > 0, "There is a report."
    return {
        "recipe_first_s": first.seconds,
        "recipe_again_s": second.seconds,
        "recipe_peak_mb": second.peak_mb,
    }


if __name__ == "__main__":
    main()
