"""State is the fold of the journal: what must follow from an event follows, or is named."""

from collections.abc import Iterator

import pytest

from rrr.core.errors import JournalBroken
from rrr.core.events import Close, Event, Flow, Limits, Listing, Signal
from rrr.core.orders import Cancel, Order, Report
from rrr.database.journal import DIGEST, KINDS, NAMES, Pen, Row, beginning, state_hash
from rrr.trading.engine import paper
from rrr.trading.engine.fold import Fold, fields
from rrr.trading.engine.paper import NO_WORLD, Record, World
from tests.builders import CAPITAL, HOUR, LAW, LISTED, START, history

KEY = beginning("a key")


def written(seed: int = 1, closes: int = 60) -> tuple[list[Row], World]:
    """The rows of a made market with a digest each day, and the world that they lead to."""
    pen, world = Pen(KEY, run=1), NO_WORLD
    rows: list[Row] = []
    events: list[Event] = [Limits(START, LAW), Flow(START, CAPITAL)]
    events += [Listing(START, one.instrument) for one in LISTED]
    for event in (*events, *history(seed, closes)):
        if not isinstance(event, Signal):
            rows += pen.turn(event.at_ms, world.state, 0)
        record: Record = []
        world = paper.advance(world, event, record)
        rows += pen.write(record, 0)
    return rows, world


def folded(rows: list[Row]) -> Fold:
    return Fold(paper.advance, NO_WORLD, KEY).walk(rows)


def rechained(rows: list[Row]) -> Iterator[Row]:
    """Rows as a forger would chain them, numbered from one."""
    pen = Pen(KEY, run=1)
    for row in rows:
        yield pen._row(row.kind, row.at_ms, row.core.encode(), row.arrived_at_ms, row.note)


def places(rows: list[Row], kind: int) -> list[int]:
    return [place for place, row in enumerate(rows) if row.kind == kind]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_journal_leads_to_the_world_that_wrote_it(seed: int) -> None:
    rows, world = written(seed)
    fold = folded(rows)
    assert fold.difference is None
    assert fold.world == world
    assert (fold.rows, fold.head.number) == (len(rows), len(rows))
    assert {row.kind for row in rows} >= {1, 2, 3, 4, 5, 6, 11, 12, 13, DIGEST}


def test_it_can_be_walked_in_two_goes() -> None:
    rows, world = written()
    close = places(rows, KINDS[Close])[30]
    whole = [row for row in rows if row.number < close]
    cut = max(place for place in places(whole, KINDS[Signal]) if rows[place + 1].kind in (4, 5))
    fold = Fold(paper.advance, NO_WORLD, KEY).walk(rows[: cut + 1])
    assert fold.difference is None
    assert fold.walk(rows[cut + 1 :]).world == world


@pytest.mark.parametrize("kind", [Report, Order, Cancel])
def test_what_followed_and_is_gone_is_the_first_difference(kind: type) -> None:
    rows, _ = written()
    place = places(rows, KINDS[kind])[-1]
    left = list(rechained(rows[:place] + rows[place + 1 :]))
    found = folded(left).difference
    assert found is not None
    assert found.number >= place + 1


@pytest.mark.parametrize("kind", [Report, Order, Cancel])
def test_what_nobody_caused_is_the_first_difference(kind: type) -> None:
    rows, _ = written()
    place = places(rows, KINDS[kind])[-1]
    doubled = list(rechained([*rows[: place + 1], rows[place], *rows[place + 1 :]]))
    found = folded(doubled).difference
    assert found is not None
    assert found.number in (place + 1, place + 2)


def test_a_journal_that_ends_before_all_was_said_is_different() -> None:
    rows, _ = written()
    place = places(rows, KINDS[Order])[-1]
    found = folded(rows[:place]).difference
    assert found is not None
    assert (found.number, found.kind) == (place + 1, "order")
    assert found.fields["row"] == (None, rows[place].core)


def test_reports_that_no_close_follows_are_different() -> None:
    rows, _ = written()
    caused = [p for p in places(rows[:-1], KINDS[Report]) if rows[p + 1].kind == KINDS[Close]][-1]
    found = folded(rows[: caused + 1]).difference
    assert found is not None
    assert found.kind == "report"


def test_mutant_a_doubled_close_is_a_broken_law() -> None:
    rows, _ = written()
    place = places(rows, KINDS[Close])[-1]
    with pytest.raises(AssertionError, match="A candle closes once"):
        folded(list(rechained([*rows[: place + 1], rows[place]])))


def test_a_digest_of_another_day_or_state_is_different() -> None:
    rows, _ = written()
    place = places(rows, DIGEST)[1]
    other = rows[place]._replace(core=rows[places(rows, DIGEST)[0]].core)
    found = folded(list(rechained([*rows[:place], other, *rows[place + 1 :]]))).difference
    assert found is not None
    assert (found.number, found.kind) == (place + 1, "digest")
    assert found.fields["row"] == (other.core, rows[place].core)


def test_a_sealed_journal_keeps_its_hash_and_an_open_one_tells_what_it_would_be() -> None:
    rows, world = written()
    fold = folded(rows)
    would_be = state_hash(fold.head.trace, world.state)
    assert fold.state_hash == would_be
    seal = Pen(fold.head, run=1).seal(world.state, 0)
    assert fold.walk([seal]).state_hash == would_be


def test_the_names_of_all_kinds_are_those_of_the_core() -> None:
    assert NAMES[KINDS[Order]] == "order"
    assert NAMES[DIGEST] == "digest"


def test_a_difference_is_told_by_the_names_of_the_core() -> None:
    assert fields(KINDS[Flow], "[1,2]", "[1,3]") == {"amount": (2, 3)}
    assert fields(KINDS[Flow], "[1,2]", None) == {"row": ("[1,2]", None)}


def test_rows_of_an_unknown_kind_are_refused() -> None:
    rows, _ = written(closes=2)
    with pytest.raises(JournalBroken, match="unknown kind"):
        folded([*rows[:3], rows[3]._replace(kind=99)])


def test_one_hour_is_one_step_of_the_made_market() -> None:
    closes = [event for event in history(1, 3) if isinstance(event, Close)]
    assert [close.at_ms - START for close in closes] == [HOUR, 2 * HOUR, 3 * HOUR]


def test_what_came_from_outside_may_have_been_written_with_a_field_less() -> None:
    """By a version whose law knew no amendments: what follows from it is compared all the same."""
    rows, _ = written()
    rows = rows[: places(rows, DIGEST)[0]]
    assert rows[0].kind == KINDS[Limits]
    first = rows[0]._replace(core=rows[0].core.removesuffix(",0]]") + "]]")
    assert first.core != rows[0].core
    assert folded(list(rechained([first, *rows[1:]]))).difference is None
