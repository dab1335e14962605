"""What a person must know of real money is said, in one look and to the last digit."""

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.api import views, views_live
from rrr.database import live, live_fits
from rrr.database.live import Foreign, Outside, Progress, Tied
from tests.api.afar import KEY, RAMP, VENUE, Fate, ask, buys, lands, seen, traded, write
from tests.builders import QUANTA, START

PULSE: Final[dict[str, Any]] = {
    **{"pid": 7, "up_s": 4.2, "rows": 9, "at_ms": START, "training": ""},
    **{"ages_s": {"BTC-USD": 0.4}, "memory_mb": 70.4, "lag_p99_ms": 2.6},
}
TRADING: Final[dict[str, Any]] = {
    "reconciled_at_ms": START,
    "unknown": [],
    "frozen": [],
    "unprotected_s": 1.25,
    "unprotected_now": [],
    "unfilled_stops": 2,
    "orders_today_notional": "120.50 USD",
    "switch": "armed for 60 s",
    "hints": "by WebSocket",
}
DEPOSIT: Final = Foreign(
    Outside.MOVEMENT, "L1", 1, 0, QUANTA // 2, 0, START, "deposit of 0.5 BTC\x1b[2J"
)
BEFORE: Final = Foreign(Outside.BEGINNING, "0", 0, -1, 1_000 * QUANTA, 0, START, "before")
ORDER: Final = Foreign(Outside.ORDER, "1 O9", 0, 1, 0, 0, START, "sell 0.1 ETH")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def aside(*rows: Foreign) -> partial[None]:
    return partial(live.set_aside, key=KEY, foreign=rows, at_ms=START)


def tied(*rows: Tied, at_ms: int = START) -> partial[None]:
    return partial(live.tie_out, key=KEY, at_ms=at_ms, tied=rows)


def lines(found: dict[str, Any], name: str) -> list[str]:
    """What stands beside a name."""
    words = (line.strip().partition("  ") for line in views.in_words(found).splitlines())
    return [text.strip() for head, _, text in words if head == name]


async def test_a_session_without_a_fault_says_so_in_few_lines(path: Path) -> None:
    await traded(path)
    write(path, tied(Tied(0, 5 * QUANTA, 0, 5 * QUANTA + 3, 4), Tied(1, 0, 0, 0, 0)))
    found = seen(path)
    assert views.in_words(found).startswith(f"LIVE {VENUE}\nlive-1  died")
    assert lines(found, "tie-out") == ["tied out, 2027-01-15 08:00:00 UTC"]
    assert lines(found, "balance") == ["USD ours 5, aside 0, theirs 5.00000003"]
    resting = len(ask(path, "SELECT 1 FROM live_orders WHERE state = 'placed'"))
    assert resting > 0
    assert lines(found, "resting") == [f"{resting} orders at the venue"]
    for name in ("FROZEN", "UNKNOWN", "NO STOP", "on its way", "aside"):
        assert lines(found, name) == []


async def test_paper_says_nothing_of_a_venue(path: Path) -> None:
    await traded(path, closes=3)
    assert "LIVE" not in views.in_words(seen(path) | {"seam": None})


async def test_an_order_that_nobody_answered_is_there_with_its_names_and_since_when(
    path: Path,
) -> None:
    await traded(path, buys(20, Fate.SILENCE))
    found = seen(path)
    (one,) = found["seam"]["orders"]
    kept = "SELECT client_id, sending_at_ms, quantity FROM live_orders WHERE state = 'unknown'"
    client_id, since_ms, quantity = ask(path, kept)[0]
    assert (one["client_id"], one["venue_id"], one["since_ms"]) == (client_id, None, since_ms)
    assert float(one["quantity"]) == quantity / QUANTA
    (line,) = lines(found, "UNKNOWN")
    assert line.startswith(f"order {one['order']} since 20")
    assert f"ours {client_id}, no word of it yet; it is looked up, and never sent again" in line


@pytest.mark.parametrize(
    ("progress", "name"), [(Progress.NEW, "to send"), (Progress.SENDING, "on its way")]
)
async def test_what_is_on_its_way_is_told_too(path: Path, progress: Progress, name: str) -> None:
    await traded(path)
    state = progress.name.lower()
    change = f"UPDATE live_orders SET state = '{state}', venue_id = 'O\x1b[2J' WHERE sequence = 2"
    write(path, lambda connection: connection.execute(change))
    (line,) = lines(seen(path), name)
    assert line.startswith("order 2 since ")
    assert "the venue's O\\x1b[2J" in line
    assert "never sent again" not in line


async def test_what_is_not_ours_is_summed_named_and_freezes_what_it_touched(path: Path) -> None:
    await traded(path, closes=20)
    write(path, aside(DEPOSIT, BEFORE, ORDER))
    found = seen(path)
    expected = "1,000 USD, 0.5 BTC of the account not the book's, 1 movement, 1 order"
    assert lines(found, "aside") == [expected]
    assert [row["id"] for row in found["seam"]["quarantine"]] == ["0", "L1", "1 O9"]
    deposit, order = lines(found, "FROZEN")
    assert deposit.startswith("BTC-USD may only be reduced: somebody else's movement: deposit")
    assert "\\x1b[2J" in deposit
    assert order.endswith("sell 0.1 ETH; `rrr release ETH-USD` once you have looked")
    write(path, lambda connection: live.release(connection, KEY, 0, START + 1))
    found = seen(path)
    assert [one["instrument"] for one in found["seam"]["frozen"]] == ["ETH-USD"]
    assert found["seam"]["quarantine"][1]["released_at_ms"] == START + 1
    assert lines(found, "aside") == [expected], "What was released is still not the book's."


async def test_a_balance_that_differs_is_named_with_both_versions(path: Path) -> None:
    await traded(path, closes=20)
    write(path, tied(Tied(1, 0, QUANTA // 2, 4 * QUANTA // 10, 0), at_ms=START - 1))
    write(path, tied(Tied(0, 0, 0, 0, 0), Tied(1, QUANTA, QUANTA // 2, QUANTA, 0)))
    found = seen(path)
    assert found["seam"]["tie_out"]["balances"][1]["difference"] == "-0.5"
    assert lines(found, "tie-out") == ["DIFFERS in BTC, 2027-01-15 08:00:00 UTC"]
    assert lines(found, "balance") == ["BTC ours 1, aside 0.5, theirs 1: -0.5 apart"]
    (frozen,) = lines(found, "FROZEN")
    assert "(ours 1 BTC and 0.5 not the book's, theirs 1 BTC), until both agree" in frozen


async def test_money_that_differs_freezes_all(path: Path) -> None:
    await traded(path, closes=20)
    write(path, tied(Tied(0, 10, 0, 9, 5)))
    symbols = [one["instrument"] for one in seen(path)["seam"]["frozen"]]
    assert symbols == ["BTC-USD", "ETH-USD", "SHIB-USD", "PEPE-USD"]


async def test_the_ramp_counts_what_came_back_to_flat(path: Path) -> None:
    await traded(path, closes=30)
    (booked,) = ask(path, "SELECT count(*) FROM fills WHERE profit IS NOT NULL")[0]
    assert 0 < booked < RAMP
    found = seen(path)
    assert found["seam"]["ramp"] == {"round_trips": booked, "of": RAMP, "compared": False}
    assert lines(found, "ramp") == [f"{booked} of {RAMP} round trips booked: each order is small"]
    told = f"UPDATE settings SET value = '{booked}' WHERE name = 'live.ramp_round_trips'"
    write(path, lambda connection: connection.execute(told))
    assert lines(seen(path), "ramp")[0].endswith("until `rrr costs --fit` has compared them")
    write(path, lambda connection: live_fits.remember(connection, KEY, START, booked, {}))
    assert lines(seen(path), "ramp")[0].endswith(": it is over")


async def test_a_life_that_was_told_no_settings_forgets_none(path: Path) -> None:
    """A panic without a daemon is one."""
    await traded(path, closes=5)
    life = "INSERT INTO runs (session, pid, version, core_hash, started_at_ms) VALUES (1,1,'','',9)"
    write(path, lambda connection: connection.execute(life))
    assert seen(path)["seam"]["ramp"]["of"] == RAMP


async def test_the_living_daemon_knows_better_what_is_frozen_once_it_has_looked(
    path: Path,
) -> None:
    await traded(path, closes=20)
    write(path, aside(ORDER))
    said = {"instrument": "PEPE-USD", "why": "the venue's balance is another"}
    frozen = {**said, "ours": "1 PEPE", "theirs": "2 PEPE"}
    trading = {**TRADING, "frozen": [frozen], "unprotected_now": ["SHIB-USD"]}

    def told(**changes: object) -> dict[str, Any]:
        return seen(path, held=True, pulse={**PULSE, "trading": {**trading, **changes}})

    (line,) = lines(told(), "FROZEN")
    assert line.endswith("PEPE-USD may only be reduced: the venue's balance is another"
                         " (ours 1 PEPE, theirs 2 PEPE), until both agree")  # fmt: skip
    assert lines(told(), "NO STOP")[0].startswith("SHIB-USD is held, and nothing protects it")
    (looked, rest) = lines(told(), "venue")
    assert looked == "agreed with it at 2027-01-15 08:00:00 UTC"
    assert rest == (
        "1.25 s unprotected so far, 2 triggered stops that did not fill, orders of 24 hours"
        " 120.50 USD, dead-man's switch armed for 60 s, hints by WebSocket"
    )
    assert lines(told(reconciled_at_ms=0), "FROZEN")[0].startswith("ETH-USD ")
    assert lines(told(reconciled_at_ms=0), "venue")[0] == "not reconciled yet"


@pytest.mark.parametrize("pulse", [None, PULSE, {**PULSE, "trading": None}])
async def test_a_daemon_that_says_nothing_of_it_leaves_what_is_written(
    path: Path, pulse: dict[str, Any] | None
) -> None:
    await traded(path, closes=20)
    write(path, aside(ORDER))
    found = seen(path, held=True, pulse=pulse)
    assert lines(found, "FROZEN")[0].startswith("ETH-USD ")
    assert lines(found, "venue") == []


async def test_a_part_that_a_daemon_does_not_say_is_left_out(path: Path) -> None:
    await traded(path, closes=5)
    few = {**PULSE, "trading": {"reconciled_at_ms": START, "switch": "off"}}
    assert lines(seen(path, held=True, pulse=few), "venue")[1] == "dead-man's switch off"


async def test_the_test_network_of_a_venue_is_called_what_it_is(path: Path) -> None:
    await traded(path, closes=5)
    told = "UPDATE sessions SET key = json_set(key, '$.sandbox', json('true'))"
    write(path, lambda connection: connection.execute(told))
    assert views.in_words(seen(path)).startswith(f"LIVE {VENUE}, its test network\n")


async def test_the_banner_is_red_where_colours_are_wanted(path: Path) -> None:
    await traded(path, lands, closes=5)
    plain, red = views.in_words(seen(path)), views.in_words(seen(path), colour=True)
    assert red == plain.replace(f"LIVE {VENUE}", f"\x1b[1;31mLIVE {VENUE}\x1b[0m", 1)
    assert "\x1b" not in plain


@pytest.mark.parametrize("name", ["TIED", "ASIDE", "SUMS", "ORDERS", "SETTING"])
async def test_no_question_of_status_reads_a_table_from_end_to_end(path: Path, name: str) -> None:
    await traded(path, closes=2)
    sql = getattr(views_live, name)

    def explained(connection: sqlite3.Connection) -> None:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (0,) * sql.count("?")).fetchall()
        assert not [step for *_, step in plan if step.startswith("SCAN")], plan

    write(path, explained)
