"""A certificate says identical of the same journal only, and of any other which number differs."""

import json
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest

from rrr.backtesting import certificate
from rrr.backtesting.certificate import COMPILED, INTERPRETED, LIVE, PAPER, Certificate, certified
from rrr.backtesting.certificate_words import Difference
from rrr.backtesting.history import closes_of, touches
from rrr.backtesting.ledgers import Ledger
from rrr.core.events import Adopted, Assumed, Event, Flow, Limits, Listing, Signal
from rrr.core.orders import Report, Status
from rrr.core.shelf import Assumptions
from rrr.core.state import NO_ACCOUNT
from rrr.database.journal import DIGEST, KINDS, Pen, Row, beginning, decode, encode
from rrr.neural_network.strategies.strategy import SILENT
from rrr.trading.engine.paper import NO_WORLD, Record, advance
from tests.backtesting.madeup import Case, case
from tests.builders import CAPITAL, LAW, LISTED

pytestmark = pytest.mark.slow

ASSUMED: Final = Assumptions(250, 100_000, 300_000, 0)
BUSY: Final = LAW._replace(entry_maker=1, maker_offset_bps=10, target_rests=1, trail_bps=100)


def made(seed: int = 1, assumed: Assumptions = ASSUMED, instruments: int = 3) -> Case:
    """A seed that is not even has touches."""
    of = case(seed, 80, LISTED[:instruments], BUSY, assumed, CAPITAL)
    return replace(of, flows=(), history=replace(of.history, detail=None))


def journal(of: Case, model: int = 0) -> list[Row]:
    """What a session writes that meets these closes, obeying this model."""
    history, book = of.history, of.book
    pen, world, rows = Pen(beginning("a session"), run=7), NO_WORLD, list[Row]()
    moments = [beginning_of(of)]
    obeyed = 0
    for close, seen in zip(closes_of(history, 0), touches(history, 0), strict=True):
        column = (close.opened_at_ms - int(history.panel.opened_at_ms[0])) // (
            history.panel.timeframe_ms
        )
        events: list[Event] = [close, *seen]
        if column >= history.begins:
            if obeyed != model:
                events.append(Adopted(close.at_ms, model))
                obeyed = model
            for candle in close.candles:
                told = int(of.convictions[candle.instrument, column])
                if told != SILENT:
                    events.append(Signal(close.at_ms, candle.instrument, told, model))
        moments.append(events)
    assert len(book.instruments) == len(history.quoted)
    for events in moments:
        rows += pen.turn(events[0].at_ms, world.state, 5)
        record: Record = []
        for event in events:
            world = advance(world, event, record)
        rows += pen.write(record, 5, "a note")
    return [*rows, pen.seal(world.state, 5)]


def beginning_of(of: Case) -> list[Event]:
    at_ms = int(of.history.panel.opened_at_ms[of.history.panel.there.any(axis=0).argmax()])
    if of.history.synthetic:
        at_ms = int(of.history.panel.opened_at_ms[0])
    listed = [Listing(at_ms, one) for one in of.book.instruments]
    told: list[Event] = [Limits(at_ms, of.book.law), Assumed(at_ms, of.book.assumptions)]
    return [*told, *listed, Flow(at_ms, of.book.capital)]


def compared(rows: list[Row], of: Case, model: int = 0) -> Certificate:
    return certified(rows, of.history, of.convictions, of.book, model=model)


def changed(rows: list[Row], number: int, **fields: Any) -> list[Row]:
    item: Any = decode(rows[number])
    row = rows[number]._replace(core=encode(item._replace(**fields)).decode())
    return [*rows[:number], row, *rows[number + 1 :]]


def difference(found: Certificate) -> Difference:
    assert not found.identical
    assert found.difference is not None
    assert found.rows == found.difference.number - 1
    return found.difference


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("model", [0, 0x3F2A91C04B1D])
def test_the_same_journal_is_identical_in_all_legs(seed: int, model: int) -> None:
    of = made(seed, instruments=1 + seed % 4)
    rows = journal(of, model)
    found = compared(rows, of, model)
    assert found.identical, found.in_words()
    assert found.rows == len(rows)
    compiled, interpreted, paper, live = found.legs
    assert compiled.trace == interpreted.trace == paper.trace != ""
    assert (live.name, live.trace) == (LIVE, "")
    assert "no venue carries orders" in live.missing


def test_one_changed_candle_is_named_with_its_instrument_and_both_values() -> None:
    of = made()
    rows = journal(of)
    high = of.history.panel.high
    high[1, 40] += 7
    found = difference(compared(rows, of))
    assert found.legs == (PAPER, COMPILED)
    assert found.kind in ("close", "report")
    if found.kind == "close":
        values = int(high[1, 40]) - 7, int(high[1, 40])
        assert found.fields == {"candles.C1-USD.high": values}
        assert "candles.C1-USD.high" in found.in_words()


def test_a_missing_candle_moves_none_of_the_others() -> None:
    of = made()
    rows = journal(of)
    [column] = np.flatnonzero(of.history.panel.there.all(axis=0))[20:21]
    of.history.panel.there[0, column] = False
    found = difference(compared(rows, of))
    if found.kind == "close":
        names = {name.rpartition(".")[0] for name in found.fields}
        assert "candles.C0-USD" in names
        assert not names & {"candles.C1-USD", "candles.C2-USD"}


def test_another_opinion_is_named() -> None:
    of = made()
    rows = journal(of)
    number = next(
        n for n, row in enumerate(rows) if row.kind == KINDS[Signal] and row.at_ms > 40 * 3_600_000
    )
    told: Any = decode(rows[number])
    found = difference(compared(changed(rows, number, conviction_bps=77), of))
    assert (found.number, found.kind) == (number + 1, "signal")
    assert found.fields == {"conviction_bps": (77, told.conviction_bps)}


def test_another_fill_is_named() -> None:
    of = made()
    rows = journal(of)
    number = next(
        n
        for n, row in enumerate(rows)
        if row.kind == KINDS[Report] and decode(row)._asdict()["status"] == Status.FILLED
    )
    fee = decode(rows[number])._asdict()["fee"]
    found = difference(compared(changed(rows, number, fee=fee + 1), of))
    assert (found.number, found.kind) == (number + 1, "report")
    assert found.fields == {"fee": (fee + 1, fee)}


def test_a_row_that_is_missing_or_too_many_is_shown_whole() -> None:
    of = made()
    rows = journal(of)
    found = difference(compared(rows[:-1], of))
    assert (found.kind, found.fields["row"][0]) == ("digest", None)
    assert "paper nothing" in found.in_words()
    found = difference(compared([*rows, rows[-1]], of))
    assert found.number == rows[-1].number
    assert found.fields["row"][1] is None
    found = difference(compared([*rows[:50], *rows[51:]], of))
    assert found.number in (51, 52)


def test_another_digest_of_a_day_is_a_difference() -> None:
    of = made()
    rows = journal(of)
    number = next(n for n, row in enumerate(rows) if row.kind == DIGEST)
    core = rows[number].core.replace("a", "b")
    found = difference(
        compared([*rows[:number], rows[number]._replace(core=core), *rows[number + 1 :]], of)
    )
    assert (found.number, found.kind) == (number + 1, "digest")


def test_an_empty_journal_is_not_identical() -> None:
    found = difference(compared([], made()))
    assert found.number == 1


def test_two_cores_that_disagree_are_told_apart_from_paper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The compiled one forgets a cent of each fee."""
    of = made()
    rows = journal(of)
    truth = certificate._in_their_places

    def cheaper(record: Record, made: Any) -> Record:
        found = truth(record, made)
        return [
            one._replace(fee=one.fee - 1) if isinstance(one, Report) and one.fee else one
            for one in found
        ]

    monkeypatch.setattr(certificate, "_in_their_places", cheaper)
    found = difference(compared(rows, of))
    assert found.legs == (INTERPRETED, COMPILED)
    assert [*found.fields] == ["fee"]


def test_a_state_that_no_row_shows_is_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    of = made()
    rows = journal(of)
    truth = Ledger.compiled

    def eager(self: Ledger, *stretch: Any) -> None:
        truth(self, *stretch)
        assert self.desk is not None
        self.desk.book[0, NO_ACCOUNT._fields.index("peak")] += 1

    monkeypatch.setattr(Ledger, "compiled", eager)
    found = difference(compared(rows, of))
    assert found.kind == "state"
    assert found.fields == {"account.peak": (CAPITAL + 1, CAPITAL)}


def test_what_touches_fill_has_no_compiled_leg() -> None:
    of = made(assumed=ASSUMED._replace(by_touch=1))
    found = compared(journal(of), of)
    assert found.identical
    assert found.legs[0].missing
    assert found.legs[1].trace == found.legs[2].trace


def test_it_is_told_as_words_and_as_one_object() -> None:
    of = made()
    rows = journal(of)
    found = compared(rows, of)
    assert found.in_words().startswith(f"identical: {len(rows):,} rows of {found.closes:,} closing")
    told = json.loads(json.dumps(found.as_json()))
    assert told["identical"] is True
    assert told["rows"] == len(rows)
    assert [leg["name"] for leg in told["legs"]] == [COMPILED, INTERPRETED, PAPER, LIVE]
    assert told["first_difference"] is None
    number = next(n for n, row in enumerate(rows) if row.kind == KINDS[Signal])
    told = json.loads(json.dumps(compared(changed(rows, number, conviction_bps=7), of).as_json()))
    assert told["identical"] is False
    assert told["first_difference"]["row"] == number + 1
    assert told["first_difference"]["fields"]["conviction_bps"]["paper"] == 7
    assert [leg["trace"] for leg in told["legs"]] == [""] * 4
