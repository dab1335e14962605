"""What a stop has become is said once, by the venue, and no old answer takes it back.

Random amendments are in `sequences` and `divergences`; here is each branch by itself.
"""

from collections import Counter
from typing import Any, Final

import pytest

from rrr.core.events import Close, Decision, Event, Flow, Limits, Listing, Signal
from rrr.core.kernel import step
from rrr.core.market import purchase
from rrr.core.orders import (
    NO_ORDER,
    NO_REPORT,
    Amend,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Stage,
    Status,
    told,
)
from rrr.core.state import EMPTY, Law, Sizing, State
from rrr.database.live import Known, Notes, Progress
from rrr.trading.live import outcomes
from rrr.trading.live.amending import SILENCE_MS, Amendments, became
from rrr.trading.live.claims import FAILED, Answer, Claims, OrderClaim, Standing, TradeClaim
from rrr.trading.live.figures import UNTOLD
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.reconcile import reconciled
from rrr.trading.live.seen import CLOCKS_MS, Seen, Settled
from tests.builders import BTC, HOUR, LAW, PRICE, QUANTA, START, candle
from tests.trading.live.divergences import played

NOW: Final = START + 2 * HOUR
AMENDS: Final = LAW._replace(stop_amends=1, sizing=int(Sizing.EQUITY))
LIMITED: Final = AMENDS._replace(stop_limit_bps=50)
YES: Final = Outcome(outcomes.Kind.CONFIRMED)
NO: Final = Outcome(outcomes.Kind.REJECTED, Rejection.CAPACITY)
UNSAID: Final = Outcome(outcomes.Kind.UNKNOWN)
NOT_THERE: Final = Outcome(outcomes.Kind.REJECTED, Rejection.UNKNOWN_ORDER)
WANTED: Final = Amend(NOW, 0, 2, 5 * 10**7, PRICE)
LATER: Final = WANTED._replace(at_ms=NOW + 1, quantity=4 * 10**7)
OTHER: Final = WANTED._replace(sequence=7)
MORE: Final = WANTED._replace(quantity=2 * 10**8)
NONE: Final = Answer[OrderClaim]((), True)


def test_an_amendment_stands_until_it_is_answered_however_long_that_takes() -> None:
    amendments = Amendments()
    assert not amendments.standing(NOW)
    amendments.begun(WANTED)
    amendments.begun(OTHER)
    assert amendments.standing(NOW + 1_000 * HOUR) == {2: WANTED, 7: OTHER}


@pytest.mark.parametrize(
    ("outcome", "patience_ms"), [(YES, CLOCKS_MS), (UNSAID, SILENCE_MS), (NO, 0), (NOT_THERE, 0)]
)
def test_after_its_answer_it_stands_as_long_as_an_older_one_may_come(
    outcome: Outcome, patience_ms: int
) -> None:
    amendments = Amendments()
    amendments.begun(WANTED)
    amendments.begun(OTHER)
    amendments.answered(WANTED, outcome, NOW)
    assert amendments.standing(NOW + patience_ms - 1) == {2: WANTED, 7: OTHER}
    assert amendments.standing(NOW + patience_ms) == {7: OTHER}
    assert amendments.standing(NOW + patience_ms - 1) == {7: OTHER}, "What is over stays over."


def test_the_last_amendment_of_a_stop_is_the_one_that_counts() -> None:
    """The answer to an older one says nothing of it."""
    amendments = Amendments()
    amendments.begun(WANTED)
    amendments.begun(LATER)
    amendments.answered(WANTED, NO, NOW)
    assert amendments.standing(NOW + HOUR) == {2: LATER}
    amendments.answered(LATER, NO, NOW)
    assert not amendments.standing(NOW)


def test_an_answer_that_comes_after_a_later_one_was_refused_and_forgotten_says_nothing() -> None:
    """A look has told what the first became, the next was refused at once: then the first's."""
    amendments = Amendments()
    amendments.begun(WANTED)
    amendments.begun(LATER)
    amendments.answered(LATER, NO, NOW)
    assert not amendments.standing(NOW)
    amendments.answered(WANTED, YES, NOW)
    assert not amendments.standing(NOW)


STOP: Final = NO_ORDER._replace(
    sequence=2,
    kind=int(Kind.STOP_LIMIT),
    side=int(Side.SELL),
    quantity=10**8,
    price=PRICE - 10_000,
    limit=PRICE - 30_000,
    stage=int(Stage.AMENDING),
)


@pytest.mark.parametrize("stage", [Stage.AMENDING, Stage.CANCELLING])
def test_who_waits_for_an_answer_hears_what_the_stop_is_now(stage: Stage) -> None:
    stop = STOP._replace(stage=int(stage))
    after = told(stop, NO_REPORT._replace(status=int(Status.AMENDED), **became(stop, MORE, YES)))
    assert (after.quantity, after.price) == (MORE.quantity, MORE.price)
    assert after.price - after.limit == STOP.price - STOP.limit, "A limit keeps its distance."
    assert after.attempt == 0
    assert after.stage == (Stage.WORKING if stage == Stage.AMENDING else stage)


def test_that_a_stop_became_less_is_looked_at_before_coins_are_sold_by_it() -> None:
    """A venue that is asked for less than is filled says yes, and cancels the rest."""
    assert became(STOP, WANTED, YES) == {}


@pytest.mark.parametrize("stage", [Stage.AMENDING, Stage.CANCELLING])
@pytest.mark.parametrize(
    ("rejection", "said"),
    [(Rejection.CAPACITY, Rejection.CAPACITY), (Rejection.NONE, Rejection.TERMS)],
)
def test_a_no_says_that_it_still_is_what_it_was_and_why(
    stage: Stage, rejection: Rejection, said: Rejection
) -> None:
    stop = STOP._replace(stage=int(stage))
    figures = became(stop, WANTED, NO._replace(rejection=rejection))
    assert figures["rejection"] == said
    after = told(stop, NO_REPORT._replace(status=int(Status.AMENDED), **figures))
    assert after == stop._replace(attempt=1, stage=after.stage), "It is not asked again."


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        *(({"stage": int(stage)}, YES) for stage in Stage if stage.name[-3:] != "ING"),
        *(({"stage": int(stage)}, NO) for stage in (Stage.SENDING, Stage.WORKING)),
        ({"sequence": 3}, YES),
        ({"sequence": 0, "kind": 0}, YES),  # there is no stop
        ({}, UNSAID),
        ({}, NOT_THERE),
    ],
)
def test_nothing_is_said_to_who_does_not_wait_nor_where_nothing_was_heard(
    changes: dict[str, int], outcome: Outcome
) -> None:
    assert became(STOP._replace(**changes), WANTED, outcome) == {}


def met(state: State, *events: Event) -> tuple[State, list[Decision]]:
    decided: list[Decision] = []
    for event in events:
        state, new = step(state, event)
        decided += new
    return state, decided


def said(order: Order, status: Status, quantity: int = 0) -> Report:
    """A fill is at the market's price, without a fee."""
    report = NO_REPORT._replace(at_ms=NOW, sequence=order.sequence, side=order.side)
    report = report._replace(status=int(status), quantity=quantity)
    if status == Status.FILLED:
        notional = purchase(BTC, PRICE, quantity)
        report = report._replace(price=PRICE, notional=notional, fill=1)
    return report


def protected(law: Law = AMENDS, wish: int = 2_500) -> State:
    """A book that holds coins under stop 2, which works."""
    listed = (Limits(START, law), Listing(START, BTC), Flow(START, 100_000 * QUANTA))
    closed = Close(NOW, START, (candle(PRICE),), ())
    state, (order,) = met(EMPTY, *listed, closed, Signal(NOW, 0, wish, 0))
    assert isinstance(order, Order)
    filled = said(order, Status.FILLED, order.quantity)
    state, (stop,) = met(state, said(order, Status.ACCEPTED), filled)
    assert isinstance(stop, Order)
    state, _ = met(state, said(stop, Status.ACCEPTED))
    assert stop_of(state).stage == Stage.WORKING
    return state


def changing(law: Law = AMENDS, wish: int = 1_000) -> tuple[State, Amend]:
    """The same, when the stop is to be of another quantity."""
    state, (wanted,) = met(protected(law), Signal(NOW, 0, wish, 0))
    assert isinstance(wanted, Amend)
    return state, wanted


def growing(law: Law = AMENDS) -> tuple[State, Amend]:
    """What was bought since is not under it yet."""
    state, (order,) = met(protected(law, 1_000), Signal(NOW, 0, 3_500, 0))
    assert isinstance(order, Order)
    filled = said(order, Status.FILLED, order.quantity)
    state, (wanted,) = met(state, said(order, Status.ACCEPTED), filled)
    assert isinstance(wanted, Amend)
    return state, wanted


def stop_of(state: State) -> Order:
    return state.lanes[0].stop


def seen(state: State, quantity: int, *amends: Amend, filled: int = 0) -> Seen:
    """The book, with its stop as the seam remembers it."""
    name = Known(2, 0, int(Side.SELL), quantity, Progress.PLACED, "rrr-2")
    known = name._replace(venue_id="O2", filled=filled, intent_at_ms=NOW, sending_at_ms=NOW)
    notes = Notes((known,), frozenset(), frozenset(), (0, 0), frozenset(), 0)
    standing = {one.sequence: one for one in amends}
    return Seen(state, notes, START, False, False, amends=standing)


def asked(state: State, *amends: Amend) -> Seen:
    return seen(state, stop_of(state).quantity, *amends)


def claimed(quantity: int, trigger: int = UNTOLD, **changes: Any) -> OrderClaim:
    claim = OrderClaim("O2", 2, 0, 0, Standing.OPEN, "sell", quantity, trigger)
    return claim._replace(**changes)


def shown(claim: OrderClaim, *trades: TradeClaim) -> Claims:
    one = Answer((claim,), True)
    rests = claim.standing in (Standing.OPEN, Standing.TRIGGERED)
    orders = (one, NONE) if rests else (NONE, one)
    return Claims(NOW, *orders, Answer(trades, True), Answer((), True), FAILED)


def trade(quantity: int, name: str) -> TradeClaim:
    notional = purchase(BTC, PRICE, quantity)
    figures = (quantity, PRICE, notional, 0, 0, 0, "", 0, 0, (), (), "sell")
    return TradeClaim(NOW, name, "O2", 2, 0, int(Side.SELL), *figures)


def after(book: Seen, settled: Settled) -> Seen:
    """What is remembered once it was written; what is decided by it is begun."""
    state, decided = met(book.state, *settled.reports)
    begun = {one.sequence: one for one in decided if isinstance(one, Amend)}
    orders = {one.sequence: one for one in (*book.notes.orders, *settled.orders)}
    trades = book.notes.trades | {one.trade_id for one in settled.trades}
    notes = book.notes._replace(orders=tuple(orders.values()), trades=trades)
    return book._replace(state=state, notes=notes, amends={**book.amends, **begun})


def one_pass(book: Seen, venue: Claims) -> tuple[list[Report], Seen]:
    """And a second one, which does nothing."""
    settled = reconciled(book, venue)
    now = after(book, settled)
    assert reconciled(now, venue).nothing
    return [*settled.reports], now


@pytest.mark.parametrize("law", [AMENDS, LIMITED])
def test_an_amendment_that_nobody_waits_for_has_landed_if_it_is_shown(law: Law) -> None:
    state, wanted = changing(law)
    before = stop_of(state)
    (report,), book = one_pass(asked(state), shown(claimed(wanted.quantity, wanted.price + 100)))
    assert (report.status, report.rejection) == (Status.AMENDED, Rejection.NONE)
    assert (report.quantity, report.price) == (wanted.quantity, wanted.price + 100)
    stop = stop_of(book.state)
    assert (stop.stage, stop.quantity) == (Stage.WORKING, wanted.quantity)
    assert stop.limit == (before.limit + stop.price - before.price if law.stop_limit_bps else 0)
    assert book.notes.orders[0].quantity == wanted.quantity
    assert book.state.lanes[0].order.quantity == before.quantity - wanted.quantity, "It is sold."


def test_an_amendment_that_nobody_waits_for_is_lost_if_it_is_not_shown() -> None:
    state, _ = changing()
    before = stop_of(state)
    (report,), book = one_pass(asked(state), shown(claimed(before.quantity)))
    assert (report.status, report.rejection) == (Status.AMENDED, Rejection.EXPIRED)
    assert (report.quantity, report.price) == (before.quantity, before.price)
    assert stop_of(book.state).stage == Stage.CANCELLING, "It is cancelled, and sent anew."


def test_while_it_is_under_way_only_what_it_wished_is_its_word() -> None:
    state, wanted = changing()
    for quantity in (stop_of(state).quantity, wanted.quantity + BTC.lot, UNTOLD):
        assert reconciled(asked(state, wanted), shown(claimed(quantity, PRICE))).nothing
    landed = shown(claimed(wanted.quantity, wanted.price))
    (report,), book = one_pass(asked(state, wanted), landed)
    assert (report.quantity, report.price) == (wanted.quantity, wanted.price)
    assert stop_of(book.state).stage == Stage.WORKING


def test_an_old_answer_does_not_take_back_what_was_told() -> None:
    state, wanted = changing()
    _, book = one_pass(asked(state, wanted), shown(claimed(wanted.quantity)))
    assert reconciled(book, shown(claimed(stop_of(state).quantity))).nothing


def test_a_stop_that_was_changed_by_hand_or_late_is_what_it_is_shown_to_be() -> None:
    """And becomes again what protects all that is held."""
    state = protected()
    held = stop_of(state).quantity
    venue = shown(claimed(held - BTC.lot, PRICE - 50_000))
    (report,), book = one_pass(asked(state), venue)
    assert (report.status, report.rejection) == (Status.AMENDED, Rejection.NONE)
    assert (report.quantity, report.price) == (held - BTC.lot, PRICE - 50_000)
    assert stop_of(book.state).stage == Stage.AMENDING
    assert book.amends[2].quantity == held


def test_a_stop_that_is_as_it_was_or_of_which_nothing_is_said_is_no_news() -> None:
    state = protected()
    stop = stop_of(state)
    for quantity, trigger in (
        (stop.quantity, stop.price),
        (stop.quantity, UNTOLD),
        (UNTOLD, PRICE),
    ):
        assert reconciled(asked(state), shown(claimed(quantity, trigger))).nothing


def test_a_trigger_that_a_hand_moved_is_shown_and_stays() -> None:
    state = protected()
    moved = shown(claimed(stop_of(state).quantity, PRICE // 2))
    (report,), book = one_pass(asked(state), moved)
    assert (report.status, report.rejection) == (Status.AMENDED, Rejection.NONE)
    assert (stop_of(book.state).price, stop_of(book.state).stage) == (PRICE // 2, Stage.WORKING)


def test_a_trigger_that_is_not_told_is_the_one_that_we_know() -> None:
    state, wanted = changing()
    (report,), _ = one_pass(asked(state), shown(claimed(wanted.quantity)))
    assert report.price == stop_of(state).price


def test_only_stops_are_amended() -> None:
    """A take whose quantity is told otherwise is as it was sent."""
    state, _ = met(protected(wish=1_000), Signal(NOW, 0, 3_000, 0))
    order = state.lanes[0].order
    book = seen(state, order.quantity)
    (known,) = book.notes.orders
    known = known._replace(sequence=order.sequence, side=order.side)
    book = book._replace(notes=book.notes._replace(orders=(known,)))
    claim = claimed(order.quantity // 2)._replace(sequence=order.sequence)
    assert Status.AMENDED not in [one.status for one in reconciled(book, shown(claim)).reports]


def test_a_stop_that_was_amended_and_filled_is_booked_beyond_what_it_was_sent_for() -> None:
    state, wanted = growing()
    old = stop_of(state).quantity
    assert wanted.quantity > old + BTC.lot
    ended = claimed(wanted.quantity, standing=Standing.FILLED, filled=wanted.quantity)
    parts = (trade(old + BTC.lot, "T1"), trade(wanted.quantity - old - BTC.lot, "T2"))
    reports, book = one_pass(asked(state), shown(ended, *parts))
    assert [one.status for one in reports] == [Status.AMENDED, Status.FILLED, Status.FILLED]
    assert book.state.lanes[0].quantity < BTC.lot
    assert stop_of(book.state) == NO_ORDER
    assert book.notes.orders[0].progress == Progress.ENDED


def test_a_fill_beyond_what_is_known_waits_for_what_the_stop_has_become() -> None:
    state, wanted = growing()
    old = stop_of(state).quantity
    whole = trade(wanted.quantity, "T1")
    before = asked(state, wanted)
    waits = reconciled(before, shown(claimed(old), whole))
    assert (waits.reports, len(waits.waiting)) == ((), 1)
    ended = claimed(wanted.quantity, standing=Standing.FILLED, filled=wanted.quantity)
    reports, _ = one_pass(after(before, waits), shown(ended, whole))
    assert [one.status for one in reports] == [Status.AMENDED, Status.FILLED]


def test_a_fill_of_just_what_was_known_is_not_the_end_of_a_stop_that_may_have_grown() -> None:
    """Trades are asked for last: they may be newer than what the orders' list says of the stop."""
    state, wanted = growing()
    old = stop_of(state).quantity
    parts = (trade(old, "T1"), trade(wanted.quantity - old, "T2"))
    before = asked(state, wanted)
    book = after(before, reconciled(before, shown(claimed(old), *parts)))
    assert stop_of(book.state).sequence in (0, 2), "No second stop beside the first."
    ended = claimed(wanted.quantity, standing=Standing.FILLED, filled=wanted.quantity)
    _, book = one_pass(book, shown(ended, *parts))
    assert book.state.lanes[0].quantity < BTC.lot
    assert {"T1", "T2"} == book.notes.trades


def test_a_stop_that_is_told_to_be_less_once_all_of_that_is_filled_is_over() -> None:
    state, wanted = changing()
    old, whole = stop_of(state).quantity, trade(wanted.quantity, "T1")
    before = asked(state, wanted)
    book = after(before, reconciled(before, shown(claimed(old), whole)))
    ended = claimed(wanted.quantity, standing=Standing.FILLED, filled=wanted.quantity)
    book = after(book, reconciled(book, shown(ended, whole)))
    assert stop_of(book.state).sequence != 2
    lane = book.state.lanes[0]
    assert lane.stop.kind or lane.order.side == Side.SELL, "What is left is sold, or protected."


def test_the_core_forgets_a_stop_that_is_told_to_ask_for_no_more_than_it_has_filled() -> None:
    state, wanted = changing()
    words = [said(stop_of(state), one, wanted.quantity) for one in (Status.FILLED, Status.AMENDED)]
    state, _ = met(state, words[0], words[1]._replace(price=wanted.price))
    assert stop_of(state).sequence != 2


def test_a_stop_is_heard_also_under_terms_by_which_none_is_amended_any_more() -> None:
    """The terms changed while it was under way."""
    state, wanted = growing()
    state, _ = met(state, Limits(NOW, LAW))
    settled = reconciled(asked(state), shown(claimed(wanted.quantity, wanted.price)))
    assert [one.status for one in settled.reports] == [Status.AMENDED]


def test_random_amendments_are_settled_in_one_pass_whatever_had_become_of_them() -> None:
    told: Counter[str] = Counter()
    for number in range(200):
        told += played(2, number).told
    assert told.keys() >= {
        *("amended by hand", "an amended stop, as it was", "amended, silent", "amended, told"),
        *("unheard: amending, landed, open", "unheard: amending, as it was, open"),
        *("unheard: working, landed, open", "unheard: working, landed, closed"),
    }
