"""Whoever dies leaves the stops of what he holds at the venue, and no entry for long."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.storm.live_homes import Place, armed

FAR: Final = ("--set", "policy.stop_bps=2000", "--set", "policy.target_bps=5000")
PATIENT: Final = (
    *("--set", "policy.entry=maker", "--set", "policy.maker_offset_bps=500"),
    *("--set", "policy.patience_candles=3", "--set", "policy.chase=false"),
)
PATIENCE_S: Final = 4 * 60
WITHIN_S: Final = 60.0

Open = dict[str, dict[str, Any]]


def open_orders(place: Place) -> Open:
    """What the venue's own ledger has of orders that have not ended."""
    entries = asyncio.run(place.venue.ledger())["entries"]
    over = {each["order"] for each in entries if each["what"] == "ended"}
    return {e["id"]: e for e in entries if e["what"] == "order" and e["id"] not in over}


def of(orders: Open, side: str) -> set[str]:
    return {id for id, order in orders.items() if order["side"] == side}


def waited(place: Place, wanted: Callable[[Open], bool]) -> Open:
    until_s = time.monotonic() + WITHIN_S
    while not wanted(found := open_orders(place)):
        assert time.monotonic() < until_s, found
        asyncio.run(place.venue.wait(1))
    return found


@pytest.mark.slow
def test_entries_end_by_themselves_and_stops_stay(tmp_path: Path) -> None:
    with armed(tmp_path / "place", "kraken", seed=1, speed=60) as place:
        first = place.begin(more=FAR)
        waited(place, lambda found: bool(of(found, "sell")))
        first.kill()
        second = place.begin(more=(*FAR, *PATIENT))
        seen = waited(place, lambda found: bool(of(found, "sell") and of(found, "buy")))
        second.kill()
        asyncio.run(place.venue.wait(1))  # what was on its way has arrived
        found = open_orders(place)
        assert all(order["expires_ms"] for order in seen.values() if order["side"] == "buy")
        asyncio.run(place.venue.wait(PATIENCE_S))
        left = open_orders(place)
        assert of(left, "buy") == set()
        assert of(left, "sell") == of(found, "sell")
        assert {left[id]["kind"] for id in of(left, "sell")} == {"stop-loss"}
