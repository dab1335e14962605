"""A session is the same when it is made again; else the first difference is named."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rrr.backtesting import parity
from rrr.backtesting.parity import Stretch, Verdict
from rrr.core.errors import JournalBroken
from rrr.core.events import Close, Signal
from rrr.core.orders import Order, Report
from rrr.database import sessions
from rrr.database.journal import KINDS, NAMES, Pen, Row
from rrr.trading.engine import opening
from tests.builders import LAW
from tests.storm.lives import INSTRUMENTS, ask, lived, living, replayed, session_of, spoil, terms

pytestmark = pytest.mark.slow

JOURNAL = "SELECT number, kind, at_ms, core, run, arrived_at_ms, note, chain FROM journal"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Say that from now on this is another version of the core."""
    return lambda name: monkeypatch.setattr(opening, "core_hash", lambda: name)


async def test_a_session_is_identical_to_itself(path: Path) -> None:
    whole = await lived(path)
    rows = ask(path, "SELECT count(*) FROM journal")[0][0]
    assert replayed(path) == Verdict(True, rows, (), None, (), whole)


async def test_many_lives_are_one_history(path: Path) -> None:
    for until in (3, 50, 51, 130, 200):
        whole = await lived(path, until=until)
    verdict = replayed(path)
    assert verdict.identical
    assert verdict.state_hash == whole


async def test_changed_limits_and_fees_are_events_and_replay_identical(path: Path) -> None:
    await lived(path, until=60)
    strict = LAW._replace(exposure_max_bps=1_000)
    dearer = [one._replace(fee_taker_ppm=2_000) for one in INSTRUMENTS]
    await lived(path, until=120, wanted=terms(law=strict))
    whole = await lived(path, wanted=terms(law=strict, instruments=dearer))

    limits = ask(path, "SELECT exposure_max_bps FROM risk_limits ORDER BY number")
    assert limits == [(LAW.exposure_max_bps,), (1_000,)]
    listings = ask(path, "SELECT core FROM journal WHERE kind = 2 ORDER BY number")
    versions = [json.loads(core)[1][1] for (core,) in listings]
    assert versions == [1] * len(INSTRUMENTS) + [2] * len(INSTRUMENTS)
    fees = ask(path, "SELECT max(fee * 1000000 / notional) FROM fills WHERE fee_grains = 0")
    assert fees[0][0] >= 2_000
    verdict = replayed(path)
    assert (verdict.identical, verdict.state_hash) == (True, whole)


async def test_unchanged_terms_are_no_events(path: Path) -> None:
    await lived(path, until=60)
    rows = ask(path, "SELECT count(*) FROM journal")
    async with living(path):
        pass
    assert ask(path, "SELECT count(*) FROM journal") == rows


def rewrite(path: Path, kind: type, change: Callable[[list[Any]], None]) -> int:
    """Change a row in the middle, and chain all that follow anew: the perfect forgery."""
    pen = Pen(sessions.head_of(session_of(path)))
    rows = [Row(*row) for row in ask(path, JOURNAL)]
    chosen = [row.number for row in rows if row.kind == KINDS[kind]]
    number = chosen[len(chosen) // 2]
    with closing(sqlite3.connect(path)) as connection, connection:
        for row in rows:
            core = row.core
            if row.number == number:
                values = json.loads(core)
                change(values)
                core = json.dumps(values, separators=(",", ":"))
            pen.run = row.run
            made = pen._row(row.kind, row.at_ms, core.encode(), row.arrived_at_ms, row.note)
            connection.execute(
                "UPDATE journal SET core = ?, chain = ? WHERE number = ?",
                (core, made.chain, row.number),
            )
    return number


def cheaper(values: list[Any]) -> None:
    values[6] -= 1


async def test_a_changed_report_is_the_first_difference_field_by_field(path: Path) -> None:
    await lived(path)
    number = rewrite(path, Report, cheaper)
    (core,) = ask(path, "SELECT core FROM journal WHERE number = ?", number)[0]
    changed = Report(*json.loads(core))
    found = replayed(path).difference
    assert found is not None
    assert found == (number, "report", {"price": (changed.price, changed.price + 1)})


async def test_a_changed_decision_is_the_first_difference(path: Path) -> None:
    await lived(path)

    def more(values: list[Any]) -> None:
        values[4] += 1_000

    number = rewrite(path, Order, more)
    found = replayed(path).difference
    assert found is not None
    assert (found.number, found.kind, list(found.fields)) == (number, "order", ["quantity"])
    recorded, made = found.fields["quantity"]
    assert recorded == made + 1_000


async def test_a_changed_candle_shows_in_what_it_led_to(path: Path) -> None:
    await lived(path)

    def higher(values: list[Any]) -> None:
        values[2][0][4] += 100_000

    number = rewrite(path, Close, higher)
    found = replayed(path).difference
    assert found is not None
    assert found.number > number
    assert found.kind in NAMES.values()


async def test_a_changed_signal_shows_in_what_it_led_to(path: Path) -> None:
    await lived(path)

    def opposite(values: list[Any]) -> None:
        values[2] = 0 if values[2] else 10_000

    assert replayed(path).identical
    rewrite(path, Signal, opposite)
    assert not replayed(path).identical


async def test_a_changed_digest_is_found(path: Path) -> None:
    await lived(path)
    number = ask(path, "SELECT number FROM journal WHERE kind = 21 ORDER BY number")[2][0]
    (core,) = ask(path, "SELECT core FROM journal WHERE number = ?", number)[0]
    other = core.replace(core[20:24], "0000")
    assert other != core
    # Only the digest is changed: what is chained after it no longer holds either.
    spoil(path, f"UPDATE journal SET core = '{other}' WHERE number = {number}")
    with pytest.raises(JournalBroken, match=f"Row {number} "):
        replayed(path)


async def test_rows_of_another_core_are_named_and_only_checked_for_tampering(
    path: Path, core: Callable[[str], None]
) -> None:
    core("old")
    await lived(path, until=60)
    last = ask(path, "SELECT max(number) FROM journal")[0][0]
    core("new")
    whole = await lived(path)

    assert ask(path, "SELECT number, core_hash FROM snapshots") == [(last, "new")]
    end = ask(path, "SELECT max(number) FROM journal")[0][0]
    new = replayed(path, "new")
    assert new == Verdict(True, end - last, (Stretch("old", 1, last),), None, (), whole)
    assert f"rows 1 to {last:,} need core old" in parity.in_words(new)
    old = replayed(path, "old")
    assert (old.identical, old.rows) == (True, last)
    assert old.left_out == (Stretch("new", last + 1, end),)


async def test_cores_that_take_turns_each_replay_their_own(
    path: Path, core: Callable[[str], None]
) -> None:
    for number, until in enumerate((30, 60, 90, 120, 200)):
        core("even" if number % 2 == 0 else "odd")
        await lived(path, until=until)
    for name, stretches in (("even", 2), ("odd", 3)):
        verdict = replayed(path, name)
        assert verdict.difference is None
        assert verdict.faults == ()
        assert len(verdict.left_out) == stretches


async def test_rows_that_no_core_here_wrote_prove_nothing_of_the_books(path: Path) -> None:
    await lived(path, until=60)
    verdict = replayed(path, "a core that nobody has")
    assert verdict.rows == 0
    assert verdict.faults == ()


async def test_a_tampered_row_of_another_core_is_found(
    path: Path, core: Callable[[str], None]
) -> None:
    core("old")
    await lived(path, until=60)
    core("new")
    await lived(path)
    spoil(path, "UPDATE journal SET core = replace(core, '1', '2') WHERE number = 7")
    with pytest.raises(JournalBroken, match="Row 7 "):
        replayed(path, "new")


BOOKS = {
    "a lost transfer": ("DELETE FROM transfers WHERE number = {fill} AND part = 1", "cash"),
    "a lost fill": ("DELETE FROM fills WHERE number = {fill}", "fills of the journal"),
    "a fill without transfers": ("DELETE FROM transfers WHERE number = {fill}", "transfers"),
    "money from nowhere": (
        "UPDATE transfers SET amount = amount + 1 WHERE number = {fill} AND part = 1",
        "cash",
    ),
    "two wrongs that make a sum right": (
        "UPDATE transfers SET amount = amount + iif(number = {fill}, 1, -1)"
        " WHERE part = 1 AND number IN ({fill}, {next})",
        "row {fill}",
    ),
    "a lost order": (
        "DELETE FROM orders WHERE sequence = (SELECT max(sequence) FROM orders)",
        "orders",
    ),
    "a lost close": (
        "DELETE FROM equity WHERE at_ms = (SELECT max(at_ms) FROM equity)",
        "equity",
    ),
    "another last equity": (
        "UPDATE equity SET cash = cash - 1, worth = worth + 1"
        " WHERE at_ms = (SELECT max(at_ms) FROM equity)",
        "the last equity",
    ),
    "another peak": (
        "UPDATE equity SET peak = peak + 1 WHERE at_ms = (SELECT max(at_ms) FROM equity)",
        "the last equity",
    ),
    "another position": (
        "UPDATE positions SET quantity = quantity + 1 WHERE instrument = 2",
        "the position of instrument 2",
    ),
    "another mark": (
        "UPDATE positions SET mark = mark + 1 WHERE instrument = 1",
        "the position of instrument 1",
    ),
    "a lost position": ("DELETE FROM positions WHERE instrument = 3", "position of instrument 3"),
}


@pytest.mark.parametrize("mutant", BOOKS)
async def test_mutant_books_that_do_not_balance_are_named(path: Path, mutant: str) -> None:
    await lived(path)
    buys = ask(path, "SELECT number FROM fills WHERE side = 1 ORDER BY number")
    fill, following = buys[5][0], buys[6][0]
    sql, word = BOOKS[mutant]
    spoil(path, sql.format(fill=fill, next=following))
    verdict = replayed(path)
    assert verdict.difference is None
    assert not verdict.identical
    assert any(word.format(fill=fill) in fault for fault in verdict.faults), verdict.faults
    assert "do not balance" in parity.in_words(verdict)
