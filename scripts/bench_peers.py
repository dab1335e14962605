"""The same trades by programs that know nothing of each other, to the tick and the cent.

    scripts/bench peers                     every peer, real candles and ours, two turnovers
    scripts/bench peers --peers vectorbt,nautilus --candles 50000

Long one coin while the fast average of closes stands above the slow one; market orders at the next
open; a fee of 0.1 %. Each peer is installed at its pinned version into an environment of its own,
in the user's cache, and computes its averages and its equity its own way. Whatever differs is
explained by what happened, or it is a failure: the exit code is 1.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from bench_agree import compare, ours
from bench_candles import Candles, made, recorded
from bench_figures import machine
from bench_guests import PEERS, Case, ask, invited
from bench_terms import one_coin

from rrr.backtesting.result import Result
from rrr.backtesting.runner import run
from rrr.core.market import QUANTA
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.averages import MovingAverageCross

YEAR: Final = 525_600  # minutes
TURNOVERS: Final = ((10, 50), (200, 1_000))
REAL: Final = (
    ("binanceusdm", "BTC-USDT-PERP", "1h"),
    ("binance", "BTC-USDT", "5m"),
    ("bitstamp", "BTC-USD", "1m"),
)
SHARED: Final = Path(__file__).resolve().parents[2] / "shared" / "data"


def main() -> None:
    words = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=words)
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--peers", default=",".join(PEERS), metavar="LIST", help="which of them")
    parser.add_argument("--candles", type=int, default=YEAR, help=f"of ours; default: {YEAR:,}")
    parser.add_argument("--data", type=Path, default=SHARED, help="a tree with the real candles")
    options = parser.parse_args()
    guests, absent = invited(options.peers.split(","))
    teller = Teller(options.json)
    teller.say(" · ".join(f"{name} {value}" for name, value in machine().items()))
    for name, why in absent.items():
        teller.say(f"{name} is left out: {why}")
    cases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench_peers_") as folder:
        for case in worth_trading(options.data, options.candles):
            result = traded(case)
            mine, equity = ours(result, case.candles), float(result.equity[-1]) / QUANTA
            teller.begin(case, len(mine.at), equity)
            verdicts = {}
            for guest in guests:
                began = time.perf_counter()
                verdict = compare(case, mine, equity, ask(guest, case, Path(folder)))
                verdicts[guest.name] = asdict(verdict)
                teller.tell(guest.name, verdicts[guest.name], time.perf_counter() - began)
            about = {"history": case.candles.name, "fast": case.fast, "slow": case.slow}
            told = {"fills": len(mine.at), "equity": equity, "digest": result.digest}
            cases.append(about | {"ours": told, "peers": verdicts})
    if options.json:
        print(json.dumps({"machine": machine(), "absent": absent, "cases": cases}))
    sys.exit(any(one["unexplained"] for case in cases for one in case["peers"].values()))


def worth_trading(data: Path, candles: int) -> Iterator[Case]:
    """Where the slow average is known long enough to trade on."""
    for history in histories(data, candles):
        for fast, slow in TURNOVERS:
            if slow * 10 < history.panel.times:
                yield Case(history, fast, slow)


def histories(data: Path, candles: int) -> Iterator[Candles]:
    for venue, symbol, timeframe in REAL:
        if (data / venue).is_dir():
            yield recorded(data / venue, symbol, timeframe)
    yield made(candles)


def traded(case: Case) -> Result:
    history = case.candles.history()
    strategy = MovingAverageCross(case.fast, case.slow)
    return run(history, asked(strategy, history.panel), one_coin(case.candles))


class Teller:
    """A person reads along; a program gets one object at the end."""

    def __init__(self, silent: bool) -> None:
        self.silent = silent

    def say(self, line: str) -> None:
        if not self.silent:
            print(line, flush=True)

    def begin(self, case: Case, fills: int, equity: float) -> None:
        candles = case.candles
        self.say(
            f"\n{candles.name}: {candles.panel.times:,} candles, {candles.away:.0%} of opens away"
            f" from the last close, averages of {case.fast} and {case.slow}"
        )
        self.say(f"  {'ours':14} {fills:7,} fills, equity {equity:,.2f}")

    def tell(self, name: str, verdict: dict[str, Any], seconds: float) -> None:
        same = ": each of ours, to the tick and the cent" if verdict["same"] else ""
        about = f"{verdict['fills']:7,} fills, equity {verdict['equity']:,.2f}{same}"
        self.say(f"  {name:14} {about}   ({seconds:.0f} s)")
        for line in verdict["explained"]:
            self.say(f"  {'':14}   {line}")
        for line in verdict["unexplained"]:
            self.say(f"  {'':14}   NOT EXPLAINED: {line}")


if __name__ == "__main__":
    main()
