"""One pass makes book and venue agree, a second one changes nothing, and nothing is guessed.

Most of it is `divergences`, of which a sample is here; below are the single cases, one law each.
"""

from collections import Counter
from typing import Any, Final

import pytest

from rrr.core.events import Close, Flow, Limits, Listing, Signal
from rrr.core.kernel import step
from rrr.core.orders import Order, Rejection, Report, Side, Stage, Status
from rrr.core.state import EMPTY, State
from rrr.database.live import Foreign, Known, Notes, Outside, Progress
from rrr.trading.live.claims import (
    FAILED,
    Answer,
    Claims,
    Leg,
    Movement,
    OrderClaim,
    Standing,
    TradeClaim,
)
from rrr.trading.live.figures import UNTOLD
from rrr.trading.live.reconcile import reconciled
from rrr.trading.live.seen import Seen, Settled, Why, begun, working
from tests.builders import BTC, HOUR, LAW, PRICE, QUANTA, START, candle
from tests.trading.live.divergences import CAPITAL, played

NOW: Final = START + 2 * HOUR
NONE: Final[Answer[Any]] = Answer((), True)
ALL_FAILED: Final = Claims(NOW, FAILED, FAILED, FAILED, FAILED, FAILED)
SILENT: Final = Claims(NOW, NONE, NONE, NONE, NONE, FAILED)
CLAIM: Final = OrderClaim("O1", 1, 0, 0, Standing.OPEN, "buy")
NOTES: Final = Notes((), frozenset(), frozenset(), (0, 0), frozenset(), 0)


def test_a_sample_of_random_divergences_is_settled_in_one_pass() -> None:
    told: Counter[str] = Counter()
    for number in range(250):
        told += played(1, number).told
    assert told.keys() >= {
        *("never", "lost", "silent", "told", "refused", "cancelled unheard", "recalled", "waits"),
        *("foreign order", "foreign deposit", "foreign withdrawal", "foreign coins"),
        *("foreign dust", "filled, fee in BTC", "filled, fee in BNB", "Flow", "Report"),
        *(
            f"{fault} {query}"
            for fault in ("cut", "failed", "stale")
            for query in SILENT._fields[1:]
        ),
        *(f"froze {int(why)}" for why in (Why.BALANCE, Why.TAKEN, Why.FOREIGN)),
    }


def bought() -> State:
    """A book that has just decided to buy: order 1 is on its way."""
    state = EMPTY
    closing = Close(START + HOUR, START, (candle(PRICE),), ())
    signal = Signal(START + HOUR, 0, 10_000, 0)
    for event in (Limits(START, LAW), Listing(START, BTC), Flow(START, CAPITAL), closing, signal):
        state, _ = step(state, event)
    return state


def order_of(state: State) -> Order:
    return state.lanes[0].order


def known(**changes: Any) -> Known:
    order = order_of(bought())
    one = Known(1, 0, order.side, order.quantity, Progress.SENDING, "rrr-1", sending_at_ms=NOW)
    return one._replace(**changes)


def trade(quantity: int, **changes: Any) -> TradeClaim:
    notional = quantity * PRICE // BTC.scale
    made = TradeClaim(
        *(NOW, "T1", "O1", 0, 0, int(Side.BUY), quantity, PRICE, notional, QUANTA, 0, 0, "", 0, 0),
        (Leg(0, -notional - QUANTA), Leg(1, quantity)),
        (),
        "buy",
    )
    return made._replace(**changes)


def seen(*orders: Known, state: State | None = None, **changes: Any) -> Seen:
    kept = {name: changes.pop(name) for name in Notes._fields if name in changes}
    notes = NOTES._replace(orders=orders, **kept)
    book = Seen(state or bought(), notes, START, dedicated=True, starting=True)
    return book._replace(**changes)


def of(*items: Any) -> Answer[Any]:
    return Answer(items, True)


def after(book: Seen, settled: Settled) -> Seen:
    """The book once it was told and all of it is written."""
    state, notes = book.state, book.notes
    for event in (*settled.reports, *settled.flows):
        assert isinstance(event, Report | Flow)
        state, _ = step(state, event)
    orders = {one.sequence: one for one in (*notes.orders, *settled.orders)}
    aside = Counter(dict(enumerate(notes.aside)))
    for one in settled.foreign:
        aside[one.currency] += one.aside
    notes = notes._replace(
        orders=tuple(orders.values()),
        trades=notes.trades | {one.trade_id for one in settled.trades},
        foreign=notes.foreign | {(one.kind, one.id) for one in settled.foreign},
        aside=tuple(aside[currency] for currency in range(len(notes.aside))),
        touched=notes.touched | {one.instrument for one in settled.foreign if one.instrument >= 0},
    )
    return book._replace(state=state, notes=notes)


@pytest.mark.parametrize("progress", [*Progress])
@pytest.mark.parametrize("starting", [True, False])
def test_from_failed_queries_nobody_concludes_anything(progress: Progress, starting: bool) -> None:
    book = seen(known(progress=progress), starting=starting)
    settled = reconciled(book, ALL_FAILED)
    never_left = progress == Progress.NEW and starting
    ends = {one.status for one in settled.reports} - {Status.UNKNOWN}
    assert ends == ({Status.CANCELLED} if never_left else set())
    assert not (settled.flows or settled.frozen or settled.foreign or settled.tied)
    assert not settled.whole
    assert order_of(after(book, settled).state).kind or never_left


def test_an_order_that_nobody_speaks_of_is_unknown_until_a_look_up_says_that_it_is_gone() -> None:
    book = seen(known())
    settled = reconciled(book, SILENT)
    assert [one.status for one in settled.reports] == [Status.UNKNOWN]
    assert settled.unknown == (1,)
    book = after(book, settled)
    assert order_of(book.state).stage == Stage.UNKNOWN
    again = reconciled(book, SILENT)
    assert (again.nothing, again.unknown) == (True, (1,))
    gone = reconciled(book._replace(gone=frozenset({1})), SILENT)
    assert [(one.status, one.rejection) for one in gone.reports] == [
        (Status.CANCELLED, Rejection.NONE)
    ]
    assert gone.orders[0].progress == Progress.ENDED
    assert gone.orders[0].settled_at_ms == NOW


def test_what_is_on_its_way_is_left_alone_while_the_process_that_sent_it_lives() -> None:
    settled = reconciled(seen(known(), starting=False), SILENT)
    assert settled.nothing
    assert settled.unknown == ()


def test_an_order_that_was_called_gone_and_lands_is_called_back_and_its_fills_are_booked() -> None:
    book = seen(known(progress=Progress.UNKNOWN), gone=frozenset({1}))
    book = after(book, reconciled(book, SILENT))
    late = SILENT._replace(
        open=of(CLAIM._replace(filled=10**7)), trades=of(trade(10**7, at_ms=NOW + 90_000))
    )
    settled = reconciled(book, late)
    assert [one.status for one in settled.reports] == [Status.FILLED]
    assert settled.recall == (1,)
    book = after(book, settled)
    assert book.state.lanes[0].quantity == 10**7
    assert book.state.lanes[0].stop.quantity == 10**7, "What is held is protected."
    assert reconciled(book, late).nothing


def test_the_end_of_an_order_waits_for_the_last_of_its_trades() -> None:
    ended = CLAIM._replace(standing=Standing.CANCELLED, filled=3 * 10**6)
    book, told = seen(known()), SILENT._replace(closed=of(ended))
    settled = reconciled(book, told._replace(trades=of(trade(10**6))))
    assert [one.status for one in settled.reports] == [Status.FILLED]
    assert settled.waiting == (
        "order 1 ended with 3000000 grains filled, and the trades say 1000000",
    )
    book = after(book, settled)
    both = of(trade(2 * 10**6, trade_id="T0"), trade(10**6))
    settled = reconciled(book, told._replace(trades=both))
    assert [(one.status, one.fill) for one in settled.reports] == [
        (Status.FILLED, 2),
        (Status.CANCELLED, 0),
    ]
    assert settled.whole is SILENT.balances.whole
    assert order_of(after(book, settled).state).kind == 0


def test_an_end_that_says_nothing_of_fills_is_not_believed() -> None:
    """Unless the trades say that all of it was filled."""
    ended = SILENT._replace(closed=of(CLAIM._replace(standing=Standing.CANCELLED, filled=UNTOLD)))
    settled = reconciled(seen(known()), ended)
    assert (settled.reports, len(settled.waiting)) == ((), 1)
    whole = reconciled(seen(known()), ended._replace(trades=of(trade(known().quantity))))
    assert [one.progress for one in whole.orders] == [Progress.ENDED]


@pytest.mark.parametrize(
    ("standing", "status", "rejection"),
    [
        (Standing.CANCELLED, Status.CANCELLED, Rejection.NONE),
        (Standing.FILLED, Status.CANCELLED, Rejection.NONE),
        (Standing.EXPIRED, Status.CANCELLED, Rejection.EXPIRED),
        (Standing.REJECTED, Status.REJECTED, Rejection.NONE),
        (Standing.OPEN, Status.ACCEPTED, Rejection.NONE),
    ],
)
def test_the_book_hears_how_an_order_stands(
    standing: Standing, status: Status, rejection: Rejection
) -> None:
    venue = SILENT._replace(closed=of(CLAIM._replace(standing=standing)))
    settled = reconciled(seen(known()), venue)
    assert [(one.status, one.rejection) for one in settled.reports] == [(status, rejection)]
    assert settled.orders[0].venue_id == "O1"


def test_an_end_is_final_whatever_an_older_list_says() -> None:
    venue = SILENT._replace(open=of(CLAIM), closed=of(CLAIM._replace(standing=Standing.CANCELLED)))
    assert [one.status for one in reconciled(seen(known()), venue).reports] == [Status.CANCELLED]


def test_a_trade_may_be_ours_while_an_order_is_without_a_name() -> None:
    """Its order's record says whose it is: until then it is neither booked nor foreign."""
    book = seen(known(progress=Progress.UNKNOWN))
    venue = SILENT._replace(trades=of(trade(10**6)))
    waits = reconciled(book._replace(gone=frozenset({1})), venue)
    assert [one.status for one in waits.reports] == [Status.UNKNOWN]
    assert (waits.foreign, len(waits.waiting)) == ((), 1)
    assert not waits.whole
    ours = reconciled(book, venue._replace(open=of(CLAIM)))
    assert [one.status for one in ours.reports] == [Status.FILLED]
    theirs = reconciled(book, venue._replace(closed=of(CLAIM._replace(sequence=0, standing=4))))
    assert (theirs.trades, len(theirs.foreign), theirs.waiting) == ((), 2, ())


@pytest.mark.parametrize(
    ("quantity", "changes"),
    [
        (10**6, {"side": int(Side.SELL)}),
        (10**6, {"at_ms": NOW - 60_001}),
        (10**12, {}),
        (10**6, {"instrument": -1}),
    ],
)
def test_a_trade_that_cannot_be_ours_is_foreign_at_once(
    quantity: int, changes: dict[str, Any]
) -> None:
    book = seen(known(progress=Progress.UNKNOWN))
    settled = reconciled(
        book, SILENT._replace(trades=of(trade(quantity, legs=(Leg(0, 5),), **changes)))
    )
    assert settled.waiting == ()
    assert {one.kind for one in settled.foreign} == {Outside.TRADE}
    assert sum(one.amount for one in settled.flows) == sum(one.flow for one in settled.foreign)


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({}, True),
        ({"progress": Progress.NEW, "sending_at_ms": 0}, False),
        ({"progress": Progress.ENDED, "sending_at_ms": 0, "settled_at_ms": NOW}, False),
        ({"progress": Progress.REJECTED, "settled_at_ms": NOW}, False),
        ({"progress": Progress.ENDED, "settled_at_ms": NOW - 60_000}, True),
        ({"progress": Progress.ENDED, "settled_at_ms": NOW - 60_001}, False),
        ({"venue_id": "O2"}, False),
    ],
)
def test_only_an_order_that_may_have_landed_unheard_casts_a_doubt(
    changes: dict[str, Any], waits: bool
) -> None:
    settled = reconciled(seen(known(**changes)), SILENT._replace(trades=of(trade(10**6))))
    assert bool(settled.waiting) is waits
    assert bool(settled.foreign) is not waits


def test_a_trade_is_never_booked_twice_whatever_is_answered_twice() -> None:
    venue = SILENT._replace(open=of(CLAIM), trades=of(trade(10**6), trade(10**6)))
    book = seen(known())
    settled = reconciled(book, venue)
    assert len(settled.trades) == 1
    assert reconciled(after(book, settled), venue).nothing


def test_two_symbols_may_use_one_name_for_their_orders() -> None:
    """Binance counts the orders of each symbol by itself."""
    placed = known(progress=Progress.PLACED, venue_id="O1")
    venue = SILENT._replace(trades=of(trade(10**6, instrument=-1)))
    settled = reconciled(seen(placed), venue)
    assert settled.trades == ()
    assert {one.kind for one in settled.foreign} == {Outside.TRADE}


@pytest.mark.parametrize("whole", [True, False])
def test_a_fill_that_the_books_cannot_hold_is_shown_and_not_booked(whole: bool) -> None:
    placed = known(progress=Progress.PLACED, venue_id="O1")
    venue = SILENT._replace(trades=Answer((trade(placed.quantity + 1),), whole))
    settled = reconciled(seen(placed), venue)
    assert settled.trades == ()
    assert len(settled.waiting) == 1
    impossible = [one for one in settled.frozen if one.why == Why.IMPOSSIBLE]
    assert [(one.ours, one.theirs) for one in impossible] == (
        [(0, placed.quantity + 1)] if whole else []
    )


def test_a_sale_that_the_venue_stamped_before_its_purchase_is_booked_after_it() -> None:
    buys = known(progress=Progress.PLACED, venue_id="O1")
    sells = buys._replace(sequence=2, side=int(Side.SELL), venue_id="O2")
    sold = trade(10**6, trade_id="T2", venue_id="O2", side=int(Side.SELL), at_ms=NOW - 1)
    settled = reconciled(seen(buys, sells), SILENT._replace(trades=of(sold, trade(10**6))))
    assert [one.sequence for one in settled.reports if one.status == Status.FILLED] == [1, 2]
    assert settled.frozen == ()


def test_a_trade_that_was_somebody_elses_does_not_become_ours() -> None:
    book = seen(known(), foreign=frozenset({(Outside.TRADE, "T1")}))
    settled = reconciled(book, SILENT._replace(open=of(CLAIM), trades=of(trade(10**6))))
    assert settled.trades == ()
    assert {one.why for one in settled.frozen} == {Why.IMPOSSIBLE}


def test_a_triggered_stop_is_told_once() -> None:
    book = seen(known())
    filled = trade(order_of(book.state).quantity)
    venue = SILENT._replace(closed=of(CLAIM._replace(standing=3, filled=filled.quantity)))
    book = after(book, reconciled(book, venue._replace(trades=of(filled))))
    stop = next(iter(working(book.state)))
    placed = Known(2, 0, stop.side, stop.quantity, Progress.PLACED, "rrr-2", "O2")
    book = book._replace(notes=book.notes._replace(orders=(*book.notes.orders, placed)))
    rests = CLAIM._replace(venue_id="O2", sequence=stop.sequence)
    for standing, said in (
        (Standing.OPEN, [Status.ACCEPTED]),
        (Standing.OPEN, []),
        (Standing.TRIGGERED, [Status.TRIGGERED]),
        (Standing.TRIGGERED, []),
    ):
        settled = reconciled(book, SILENT._replace(open=of(rests._replace(standing=standing))))
        assert [one.status for one in settled.reports] == said
        book = after(book, settled)
    assert settled.recall == (2,), "The kernel called it back, and it is still there."


def test_an_order_that_the_venue_forgot_is_ended_once_all_of_its_trades_are_known() -> None:
    placed = known(progress=Progress.PLACED, venue_id="O1")
    settled = reconciled(seen(placed), SILENT._replace(trades=of(trade(placed.quantity))))
    assert [one.status for one in settled.reports] == [Status.FILLED]
    assert [one.progress for one in settled.orders] == [Progress.ENDED]
    assert settled.unknown == ()


def test_an_id_of_ours_on_another_instrument_is_no_order_of_ours() -> None:
    wrong = CLAIM._replace(instrument=1, standing=Standing.CANCELLED)
    settled = reconciled(seen(known()), SILENT._replace(closed=of(wrong)))
    assert [one.status for one in settled.reports] == [Status.UNKNOWN]
    assert settled.unknown == (1,)


def test_an_order_of_another_history_is_somebody_elses() -> None:
    """Ours by its id, and unknown to a book that was restored from before it."""
    book = seen()
    settled = reconciled(book, SILENT._replace(open=of(CLAIM, CLAIM)))
    assert [one.kind for one in settled.foreign] == [Outside.ORDER]
    assert [(one.instrument, one.why) for one in settled.frozen] == [(0, Why.FOREIGN)] * 2
    again = reconciled(after(book, settled), SILENT._replace(open=of(CLAIM)))
    assert (again.nothing, again.frozen) == (True, settled.frozen)


def test_what_was_foreign_freezes_until_a_person_releases_it() -> None:
    touched = seen(touched=frozenset({0}))
    assert [one.why for one in reconciled(touched, SILENT).frozen] == [Why.FOREIGN]
    assert reconciled(seen(), SILENT).frozen == ()


@pytest.mark.parametrize(
    ("dedicated", "aside", "moved", "flow", "left"),
    [
        (True, 0, 5, 5, 0),
        (True, 0, -5, -5, 0),
        (False, 0, 5, None, 5),
        (False, 7, -5, None, 2),
        (False, 3, -5, -2, 0),
        (False, 0, -5, -5, 0),
    ],
)
def test_money_is_a_flow_and_in_a_shared_account_only_what_the_others_cannot_pay(
    dedicated: bool, aside: int, moved: int, flow: int | None, left: int
) -> None:
    book = seen(dedicated=dedicated, aside=(aside, 0))
    venue = SILENT._replace(moved=of(Movement(NOW, "L1", 0, moved, "deposit")))
    settled = reconciled(book, venue)
    assert settled.flows == (() if flow is None else (Flow(NOW, flow),))
    book = after(book, settled)
    assert book.notes.aside[0] == left
    assert book.state.account.cash == CAPITAL + (flow or 0)
    assert reconciled(book, venue).nothing


def test_a_withdrawal_of_more_than_is_free_waits_and_freezes_with_both_figures() -> None:
    book = seen()
    account = book.state.account
    free = account.cash - account.held
    asked = Movement(NOW, "L1", 0, -free - 1, "withdrawal")
    settled = reconciled(book, SILENT._replace(moved=of(asked)))
    assert settled.nothing
    assert [(one.ours, one.theirs) for one in settled.frozen] == [(free, free + 1)]
    deposit = Movement(NOW + 1, "L2", 0, 1, "deposit")
    settled = reconciled(book, SILENT._replace(moved=of(asked, deposit)))
    assert [one.amount for one in settled.flows] == [1, -free - 1]


def test_the_figures_of_a_withdrawal_that_waits_are_those_that_the_others_left() -> None:
    """Seed 2, book 4,300: the others' money pays the small one, whichever came first."""
    book = seen(dedicated=False, aside=(10, 0))
    large, small = (Movement(NOW + n, f"L{n}", 0, -(CAPITAL, 3)[n], "withdrawal") for n in (0, 1))
    venue = SILENT._replace(moved=of(large, small))
    settled = reconciled(book, venue)
    assert [one.theirs for one in settled.frozen] == [CAPITAL - 7]
    again = reconciled(after(book, settled), venue)
    assert (again.nothing, again.frozen) == (True, settled.frozen)


def test_what_moved_before_the_book_began_is_no_flow() -> None:
    moved = Movement(START - 1, "L1", 0, 5, "deposit")
    assert reconciled(seen(), SILENT._replace(moved=of(moved))).nothing


@pytest.mark.parametrize(
    ("theirs", "frozen"),
    [((0, 0), []), ((2, 0), []), ((3, 0), [0]), ((-1, 0), [0]), ((0, 2), []), ((0, 3), [1])],
)
def test_a_balance_that_differs_by_more_than_rounding_freezes_with_both_figures(
    theirs: tuple[int, int], frozen: list[int]
) -> None:
    cash = CAPITAL + 7 + theirs[0]
    venue = SILENT._replace(balances=of(Leg(0, cash), Leg(1, 9 + theirs[1])))
    settled = reconciled(seen(aside=(7, 9), slack=2), venue)
    assert [one.currency for one in settled.frozen] == frozen
    for one in settled.frozen:
        assert one.theirs - one.ours == theirs[one.currency]
    assert [(one.ours, one.aside, one.theirs) for one in settled.tied] == [
        (CAPITAL, 7, cash),
        (0, 9, 9 + theirs[1]),
    ]
    assert settled.whole


def test_coins_of_the_book_that_somebody_took_freeze_it_without_any_balance() -> None:
    moved = Movement(NOW, "L1", 1, -5, "withdrawal")
    settled = reconciled(seen(), SILENT._replace(moved=of(moved)))
    assert settled.flows == ()
    assert [(one.why, one.theirs - one.ours) for one in settled.frozen] == [
        (Why.TAKEN, -5),
        (Why.FOREIGN, 0),
    ]


def test_what_is_in_the_account_before_the_book_is_set_aside() -> None:
    venue = SILENT._replace(balances=of(Leg(0, CAPITAL + 5), Leg(1, 3)))
    rows = begun(bought(), venue)
    assert [(one.kind, one.currency, one.aside) for one in rows] == [
        (Outside.BEGINNING, 0, 5),
        (Outside.BEGINNING, 1, 3),
    ]
    assert all(isinstance(one, Foreign) and one.instrument < 0 for one in rows)
    assert reconciled(seen(aside=(5, 3)), venue).frozen == ()
