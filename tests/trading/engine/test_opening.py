"""What a person changed meanwhile enters as events; what would change history is a new session."""

from pathlib import Path

import pytest

from rrr import core
from rrr.core.events import Assumed, Event, Flow, Limits, Listing
from rrr.core.shelf import NO_ASSUMPTIONS
from rrr.trading.engine import opening
from rrr.trading.engine.engine import Engine
from rrr.trading.engine.opening import Terms, changes
from tests.builders import CAPITAL, LAW, START
from tests.storm.lives import INSTRUMENTS, lived, living, terms

STRICT = LAW._replace(gross_max_bps=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


async def test_a_fresh_book_is_told_its_law_its_instruments_and_its_money(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []

    def listening(engine: Engine, wanted: Terms) -> list[Event]:
        told.extend(changes(engine, wanted))
        return told

    monkeypatch.setattr(opening, "changes", listening)
    async with living(path):
        pass
    listed = [Listing(START, one) for one in INSTRUMENTS]
    assumed = Assumed(START, NO_ASSUMPTIONS)
    assert told == [Limits(START, LAW), assumed, *listed, Flow(START, CAPITAL)]


async def test_a_book_that_goes_on_is_told_what_is_not_as_it_was(path: Path) -> None:
    await lived(path, until=5)
    dearer = INSTRUMENTS[1]._replace(fee_taker_ppm=9_999)
    listed = (INSTRUMENTS[0], dearer, *INSTRUMENTS[2:])
    async with living(path) as engine:
        now = engine.head.at_ms
        assert changes(engine, terms()) == []
        assert changes(engine, terms(law=STRICT)) == [Limits(now, STRICT)]
        late = NO_ASSUMPTIONS._replace(latency_ms=1)
        assert changes(engine, terms(assumed=late)) == [Assumed(now, late)]
        new = Listing(now, dearer._replace(version=2))
        assert changes(engine, terms(instruments=listed)) == [new]


async def test_told_once_it_is_known_for_good(path: Path) -> None:
    await lived(path, until=5)
    dearer = [one._replace(lot=one.lot * 10) for one in INSTRUMENTS]
    for _ in range(2):
        async with living(path, terms(law=STRICT, instruments=dearer)) as engine:
            assert engine.state.law == STRICT
            assert [one.version for one in engine.state.instruments] == [2] * len(dearer)


def test_the_hash_of_the_core_changes_with_any_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = opening.core_hash()
    assert opening.core_hash() == whole
    (tmp_path / "kernel.py").write_text("a = 1")
    monkeypatch.setattr(core, "__path__", [str(tmp_path)])
    first = opening.core_hash()
    (tmp_path / "kernel.py").write_text("a = 2")
    assert len({whole, first, opening.core_hash()}) == 3
