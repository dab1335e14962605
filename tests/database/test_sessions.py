"""What is unfinished goes on; what is finished, or asked anew, begins again."""

import sqlite3
from functools import partial
from pathlib import Path

import pytest

from rrr import secrecy
from rrr.core.errors import JournalBroken, NotFound
from rrr.core.events import Close
from rrr.database import sessions
from rrr.database.client import Client
from rrr.database.journal import Head
from rrr.database.opening import PAPER
from rrr.database.sessions import PRINCIPAL, Snapshot, key_of
from rrr.trading.engine.opening import opened
from rrr.trading.engine.venue import Paper
from tests.storm.homes import House
from tests.storm.lives import LIFE, ask, lived, living, moments, terms


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path, ())
    house.path.parent.mkdir()
    return house


async def test_the_same_terms_go_on_and_others_begin(house: House) -> None:
    for seed in (1, 2, 1):
        async with living(house.path, terms(seed)) as engine:
            await engine.take(moments(seed)[engine.state.account.closes :][:3])
    assert ask(house.path, "SELECT name FROM sessions") == [("paper-1",), ("paper-2",)]
    assert ask(house.path, "SELECT session, count(*) FROM equity GROUP BY 1") == [(1, 6), (2, 3)]


async def test_asked_anew_the_old_one_stays_as_it_is(house: House) -> None:
    await lived(house.path, until=5)
    async with Client.open(house.path, application_id=PAPER) as db:
        await opened(db, terms(), LIFE, Paper(), lambda: 7, new=True)
    ended = ask(house.path, "SELECT name, finished_at_ms, state_hash FROM sessions ORDER BY id")
    assert ended == [("paper-1", 7, None), ("paper-2", None, None)]
    async with living(house.path) as engine:
        assert engine.session.name == "paper-2"


async def test_who_begins_notes_that_every_other_life_is_over(house: House) -> None:
    for seed in (1, 2, 1):
        async with living(house.path, terms(seed)):
            pass
    lives = ask(house.path, "SELECT session, outcome FROM runs ORDER BY id")
    assert lives == [(1, "died"), (2, "died"), (1, None)]


async def test_a_finished_session_never_goes_on(house: House) -> None:
    async with living(house.path) as engine:
        await engine.db.write(lambda c: sessions.finish(c, engine.session.id, "hash", "{}", 9))
    async with living(house.path) as engine:
        assert engine.session.name == "paper-2"


def test_a_key_is_one_text_whatever_the_order() -> None:
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1}) == '{"a":1,"b":[2]}'


async def test_an_unknown_name_is_answered_with_those_there_are(house: House) -> None:
    await lived(house.path, until=1)
    with house.reading() as connection:
        assert sessions.named(connection, "paper-1") == sessions.named(connection, None)
        with pytest.raises(NotFound, match="The last ones are paper-1"):
            sessions.named(connection, "paper-7")


async def test_a_home_without_sessions_says_so(house: House) -> None:
    async with Client.open(house.path, application_id=PAPER):
        pass
    with house.reading() as connection, pytest.raises(NotFound, match="no session yet"):
        sessions.named(connection, None)


async def test_the_journal_is_read_in_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await lived(house.path, until=20)
    with house.reading() as connection:
        whole = list(sessions.journal(connection, 1, PRINCIPAL))
        assert [row.number for row in whole] == list(range(1, len(whole) + 1))
        for page in (1, 7, len(whole), len(whole) + 1):
            monkeypatch.setattr(sessions, "PAGE", page)
            assert list(sessions.journal(connection, 1, PRINCIPAL)) == whole
            assert list(sessions.journal(connection, 1, PRINCIPAL, 30)) == whole[30:]


async def test_the_units_of_a_session_are_by_its_own_numbers(house: House) -> None:
    await lived(house.path, until=1)
    with house.reading() as connection:
        assert sessions.units(connection, 1) == list(terms().units)


async def test_a_snapshot_comes_back_as_it_was_and_never_changed(house: House) -> None:
    await lived(house.path, until=5)
    number = ask(house.path, "SELECT max(number) FROM journal")[0][0]
    saved = Snapshot(Head(number, b"t" * 32, b"c" * 32, 7), "core", "[1]")
    async with Client.open(house.path, application_id=PAPER) as db:
        await db.write(lambda c: sessions.snap(c, 1, PRINCIPAL, saved))
        assert await db.write(lambda c: sessions.snapshots(c, 1, PRINCIPAL)) == [saved]

        def tamper(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE snapshots SET world = '[2]'")

        await db.write(tamper)
        with pytest.raises(JournalBroken, match=f"snapshot at row {number} was changed"):
            await db.write(lambda c: sessions.snapshots(c, 1, PRINCIPAL))


async def test_each_life_keeps_its_settings_and_what_it_noticed(house: House) -> None:
    for until in (1, 2):
        await lived(house.path, until=until)
    kept = ask(house.path, "SELECT run, name, value, origin FROM settings")
    assert kept == [(run, *setting) for run in (1, 2) for setting in LIFE.settings]
    noted = ask(house.path, "SELECT run, name, detail FROM system_events")
    assert noted == [(run, "data", '{"note": "made up"}') for run in (1, 2)]


async def test_what_is_noticed_holds_no_secret(house: House) -> None:
    await lived(house.path, until=1)
    secrecy.learn("c4n4ry-key-9f8e7d")
    detail = {"note": "GET /?key=c4n4ry-key-9f8e7d", "c4n4ry-key-9f8e7d": [1]}
    async with Client.open(house.path, application_id=PAPER) as db:
        await db.write(lambda c: sessions.note(c, 1, "data", detail, 1))
    noted = ask(house.path, "SELECT detail FROM system_events ORDER BY id DESC LIMIT 1")
    assert noted == [('{"note": "GET /?key=********", "********": [1]}',)]


async def test_a_gap_is_one_row_of_its_session_whoever_tells_it_again(house: House) -> None:
    gaps = [("BTC-USD", 1, "gap"), ("BTC-USD", 1, "no_trades"), ("ETH-USD", 1, "gap")]
    for seed in (1, 2, 1):
        async with living(house.path, terms(seed)) as engine:
            tell = partial(sessions.note_gaps, session=engine.session.id, run=engine.pen.run)
            await engine.db.write(partial(tell, gaps=[*gaps, *gaps], at_ms=7))
    kept = ask(house.path, "SELECT session, run, symbol, opened_at_ms, why, noted_at_ms FROM gaps")
    assert kept == [(life, life, *gap, 7) for life in (1, 2) for gap in gaps]


async def test_enough_closes_are_remembered_for_every_instrument(house: House) -> None:
    """Holes in the candles of one instrument: its last ones lie further back than the last."""
    await lived(house.path, until=60)
    met = [m.events[0] for m in moments()[:60]]
    with house.reading() as connection:
        closes = sessions.last_closes(connection, 1, PRINCIPAL, [12, 12, 12, 12])
    assert closes == met[-len(closes) :]
    for i in range(4):
        assert sum(c.instrument == i for close in closes for c in close.candles) >= 12
    first = closes[0]
    assert isinstance(first, Close)
    later = [c.instrument for close in closes[1:] for c in close.candles]
    assert any(later.count(i) == 11 for i in range(4)), "No more than is needed."
