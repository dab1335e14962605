"""A seeded handful of deaths in live trading; `scripts/storm live-kills` has the many."""

from pathlib import Path

import pytest

from tests.storm.live_doomed import POINTS
from tests.storm.live_storms import Asked, kills


@pytest.mark.slow
def test_who_dies_while_it_trades_loses_and_doubles_nothing(tmp_path: Path) -> None:
    tally = kills(tmp_path / "place", Asked(count=3, points=3, seed=7, speed=30))
    assert tally.failures == [], tally.in_words()
    assert tally.tried >= 3
    assert tally.figures["equity difference"] == 0
    assert tally.figures["fills"] > 0


def test_every_step_on_the_way_of_an_order_is_a_point_to_die_at() -> None:
    calls = {(point.owner.rpartition(":")[2], point.name, point.when) for point in POINTS.values()}
    for call in (
        ("Engine", "decide", "after"),
        ("Agent", "carry", "before"),
        ("Wire", "send", "before"),
        ("Wire", "_leaves", "soon"),
        ("Wire", "_comes", "before"),
        ("Wire", "send", "after"),
        ("Wire", "cancel", "before"),
        ("Wire", "look_up", "before"),
        *(("Wire", name, "before") for name in ("open_orders", "closed_orders", "trades")),
        *(("Wire", name, "before") for name in ("ledger", "balances")),
    ):
        assert call in calls
