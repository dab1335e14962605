"""The third leg: what the live code path does at a venue is what paper said it would, row by row.

    python -m tests.parity.live --closes 300 --seed 1
    python -m tests.parity.live --strategy tests/market_hour/lively.py --strict

Orders, cancels, refusals and reports of each lane, the state at each close, each order as the
venue's ledger has it, and the last balances. What must differ is told with its reason and its
count; exit code 1 if anything else does.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rrr.core.orders import Kind, Order, Report, Side, Status, TimeInForce
from rrr.trading.live.ids import sequence_of
from tests.parity.live_journals import ALLOWED, Difference, Journal, Verdict, compared
from tests.parity.live_legs import STRICT, Given, Lived, Spoilt, given, lived, on_paper
from tests.venue.ledger import Entry

STRATEGY: Final = "moving-average-cross:fast=2,slow=6"
KINDS: Final = {Kind.TAKE: "limit", Kind.STOP: "stop-loss"}
SHOWN: Final = 20


async def legs(
    folder: Path, given: Given, spoilt: Spoilt = lambda place, live: None
) -> tuple[Verdict, Lived]:
    paper = await on_paper(folder / "paper", given)
    live = await lived(folder / "live", given, spoilt)
    return judged(paper, live, given.symbols), live


def judged(paper: Journal, live: Lived, symbols: list[str]) -> Verdict:
    verdict = compared(paper, live.journal, symbols)
    verdict.differences += at_the_venue(verdict, live)
    return verdict


def at_the_venue(verdict: Verdict, live: Lived) -> Iterator[Difference]:
    """What its own ledger says of our orders and fills, beside what the journal does."""
    named = {sequence_of("kraken", live.tag, e.get("client_id", "")): e for e in live.entries}
    orders = {order.sequence: order for order in live.journal.of(Order)}
    for sequence, order in orders.items():
        verdict.met["order at the venue"] += 1
        entry = named.pop(sequence, None)
        theirs = None if entry is None else written(entry)
        if (ours := spoken(order)) != theirs:
            yield Difference(order.at_ms, f"order {sequence}", "as the venue has it", ours, theirs)
    for entry in (e for s, e in named.items() if s is not None):
        yield Difference(entry["at_ms"], "the venue", "an order", None, entry["client_id"])
    fills = [r for r in live.journal.of(Report) if r.status == Status.FILLED]
    said = sorted((r.quantity, r.price, r.notional, r.fee) for r in fills)
    told = [e for e in live.entries if e["what"] == "fill"]
    if said != sorted((e["quantity"], e["price"], e["cost"], e["fee"]) for e in told):
        yield Difference(0, "the venue", "fills", len(said), len(told))
    for one in live.tied:
        if one.theirs != one.ours + one.aside:
            yield Difference(0, "the end", f"currency {one.currency}", one.ours, one.theirs)
    for words in (*(one.words for one in live.frozen), *live.waiting):
        yield Difference(0, "the end", "reconciled", "agreed", words)


def spoken(order: Order) -> tuple[Any, ...]:
    """As Kraken should have heard it."""
    takes = order.kind == Kind.TAKE
    prices = (order.price, 0) if takes else (0, order.price)
    side, time_ = Side(order.side).name.lower(), TimeInForce(order.time_in_force).name
    return KINDS[Kind(order.kind)], side, order.quantity, *prices, time_


def written(entry: Entry) -> tuple[Any, ...]:
    return tuple(entry[name] for name in ("kind", "side", "quantity", "price", "trigger", "time"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--venue", choices=("kraken",), default="kraken")
    parser.add_argument("--closes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategy", default=STRATEGY)
    parser.add_argument("--strict", action="store_true", help="limits that are met")
    asked = parser.parse_args()
    began_s = time.monotonic()
    with TemporaryDirectory(prefix="rrr-parity-live-") as folder:
        law = STRICT if asked.strict else {}
        both = given(asked.closes, asked.seed, asked.strategy, law)
        verdict, _ = asyncio.run(legs(Path(folder), both))
    told = (f"{name} {count:,}" for name, count in sorted(verdict.met.items()))
    print(f"compared: {', '.join(told)}")  # noqa: T201
    for name, count in sorted(verdict.allowed.items()):
        print(f"  differs {count:,} times: {name}: {ALLOWED[name]}")  # noqa: T201
    for one in verdict.differences[:SHOWN]:
        print(f"  DIFFERENT: {one}")  # noqa: T201
    took_s = time.monotonic() - began_s
    found = f"{len(verdict.differences):,} differences" if verdict.differences else "identical"
    print(f"seed {asked.seed}: {found}, {asked.closes:,} closes in {took_s:.1f} s")  # noqa: T201
    sys.exit(bool(verdict.differences))


if __name__ == "__main__":
    main()
