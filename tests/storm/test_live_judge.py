"""Whoever judges the books is judged: each way in which they can be wrong is named, and alone."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.storm.live_judge import (
    LAWS,
    Balance,
    Booked,
    Books,
    Caps,
    Intended,
    Trade,
    judged,
    written,
)
from tests.venue.accounts import Order
from tests.venue.faults import Faults
from tests.venue.kraken_desk import RULES
from tests.venue.ledger import Entry, Ledger
from tests.venue.matching import Exchange, Wanted
from tests.venue.refusals import Refused
from tests.venue.tape import Tape
from tests.venue.venue_time import NOON_MS

TAPE: Final = Tape(1)
BTC: Final = "BTC/USD"
COIN: Final = 10**8
MONEY: Final = 100_000 * COIN
BUY: Final = Wanted("", BTC, "buy", "market", COIN // 100, by="trader")
CAPS: Final = Caps(2, 700 * COIN, 2_000 * COIN, 700 * COIN, 1)


class World(NamedTuple):
    """What a venue wrote, and what the books say of it."""

    entries: list[Entry]
    books: Books


@pytest.fixture
def world() -> World:
    """Two round trips within a minute, a purchase by hand, and a stop that rests."""
    there = Exchange(TAPE, RULES, Ledger(None), Faults((), NOON_MS))
    there.move("USD", MONEY, "deposit", NOON_MS)
    sent, clock = list[Order](), count(NOON_MS + 1_000, 10_000)
    for side in ("buy", "sell", "buy"):
        wanted = BUY._replace(side=side, client_id=f"ours-{len(sent) + 1}")
        sent.append(there.place(wanted, next(clock)))
    stop = BUY._replace(side="sell", kind="stop-loss", trigger=600_000, client_id="ours-4")
    sent.append(there.place(stop, next(clock)))
    there.place(BUY._replace(by="hand", client_id=""), next(clock))
    return World(there.ledger.entries, _books(there, sent))


def _books(there: Exchange, sent: list[Order]) -> Books:
    """Right in all."""
    orders, trades = [], []
    for sequence, order in enumerate(sent, 1):
        over = order.status != "open"
        state, stage = ("ended", "filled") if over else ("placed", "working")
        before_ms = order.at_ms - 5
        orders.append(Intended(order.client_id, sequence, state, stage, before_ms, before_ms))
        for fill in (there.account.fills[id] for id in order.trades):
            booked = Booked(sequence, fill.quantity, fill.cost, fill.fee, 0)
            trades.append(Trade(f"{BTC} {fill.side} {fill.id}", booked, 0))
    (theirs,) = [one for one in there.account.orders.values() if one.by == "hand"]
    spent = theirs.cost + theirs.worth
    usd, btc = there.account.balance("USD"), there.account.balance("BTC")
    balances = [
        Balance("USD", usd + spent, -spent, 0, COIN),
        Balance("BTC", btc - theirs.filled, theirs.filled, 0, 65_000 * COIN),
    ]
    return Books("kraken", orders, trades, [trade.booked for trade in trades], balances)


def test_books_that_are_right_have_no_faults(world: World) -> None:
    judgement = judged(world.entries, world.books, CAPS)
    assert [*judgement.faults] == []
    assert (judgement.equity_difference, judgement.orders) == (0, 4)
    assert judgement.fills == len(world.books.trades)


def forgotten_trade(world: World) -> World:
    return _with(world, trades=world.books.trades[1:], fills=world.books.fills[1:])


def trade_with_another_fee(world: World) -> World:
    return _booked(world, fee=world.books.fills[0].fee + 1)


def trade_with_another_cost(world: World) -> World:
    return _booked(world, notional=world.books.fills[0].notional - 1)


def trade_of_another_order(world: World) -> World:
    return _booked(world, sequence=3)


def fill_booked_twice(world: World) -> World:
    return _with(world, fills=[*world.books.fills, world.books.fills[0]])


def trade_that_is_no_fill(world: World) -> World:
    return _with(world, fills=world.books.fills[1:])


def trade_that_never_happened(world: World) -> World:
    booked = world.books.fills[0]
    trades = [*world.books.trades, Trade(f"{BTC} buy none", booked, 0)]
    return _with(world, trades=trades, fills=[*world.books.fills, booked])


def order_sent_twice(world: World) -> World:
    order = next(each for each in world.entries if each["what"] == "order")
    again = order | {"what": "refused", "why": "an open order has this client id"}
    return world._replace(entries=[*world.entries, again])


def second_session(world: World) -> World:
    return _with(world, sessions=2)


def open_order_that_ended_here(world: World) -> World:
    return _order(world, 3, state="ended", stage="cancelled")


def order_that_is_open_here_alone(world: World) -> World:
    return _order(world, 0, state="unknown", stage="unknown")


def order_that_the_book_holds_and_the_seam_not(world: World) -> World:
    return _order(world, 0, stage="working")


def taken_order_that_is_called_rejected(world: World) -> World:
    return _order(world, 1, state="rejected")


def taken_order_that_was_once_called_rejected(world: World) -> World:
    return _order(world, 1, denied=1)


def balance_that_is_short(world: World) -> World:
    return _balance(world, 1)


def balance_with_more_than_rounding_left(world: World) -> World:
    return _balance(world, -1)


def intent_after_the_order(world: World) -> World:
    return _order(world, 2, intent_at_ms=world.books.orders[2].intent_at_ms + 6)


def intent_journaled_after_the_order(world: World) -> World:
    return _order(world, 2, arrived_at_ms=world.books.orders[2].arrived_at_ms + 6)


BROKEN: Final[list[tuple[Callable[[World], World], str]]] = [
    (forgotten_trade, "lost"),
    (trade_with_another_fee, "lost"),
    (trade_with_another_cost, "lost"),
    (trade_of_another_order, "lost"),
    (fill_booked_twice, "doubled"),
    (trade_that_is_no_fill, "doubled"),
    (trade_that_never_happened, "doubled"),
    (order_sent_twice, "doubled"),
    (second_session, "doubled"),
    (open_order_that_ended_here, "orphaned"),
    (order_that_is_open_here_alone, "orphaned"),
    (order_that_the_book_holds_and_the_seam_not, "orphaned"),
    (taken_order_that_is_called_rejected, "denied"),
    (taken_order_that_was_once_called_rejected, "denied"),
    (balance_that_is_short, "unbalanced"),
    (balance_with_more_than_rounding_left, "unbalanced"),
    (intent_after_the_order, "early"),
    (intent_journaled_after_the_order, "early"),
]


@pytest.mark.parametrize(("broken", "law"), BROKEN, ids=lambda each: getattr(each, "__name__", ""))
def test_what_is_wrong_is_named(world: World, broken: Callable[[World], World], law: str) -> None:
    wrong = broken(world)
    judgement = judged(wrong.entries, wrong.books, CAPS)
    assert [each for each in LAWS if getattr(judgement, each)] == [law], [*judgement.faults]


def test_what_rounding_took_is_no_fault_if_it_was_noted_and_against_us(world: World) -> None:
    fill = world.books.fills[0]
    for wrong, right in (
        ({"fee": fill.fee + 1}, True),
        ({"notional": fill.notional + 1}, True),
        ({"notional": fill.notional - 1}, False),
        ({"fee": fill.fee + 2}, False),
    ):
        rounded = _booked(world, 1, **wrong)
        assert (judged(rounded.entries, rounded.books).lost == ()) == right


def test_an_order_that_no_book_knows_is_an_orphan_and_came_without_an_intent(world: World) -> None:
    wrong = _with(world, orders=world.books.orders[:3])
    judgement = judged(wrong.entries, wrong.books)
    assert len(judgement.orphaned) == len(judgement.early) == 1


def test_a_fill_of_an_order_that_no_book_knows_is_lost(world: World) -> None:
    trades = [trade for trade in world.books.trades if trade.booked.sequence > 1]
    fills = [trade.booked for trade in trades]
    wrong = _with(world, orders=world.books.orders[1:], trades=trades, fills=fills)
    judgement = judged(wrong.entries, wrong.books)
    assert judgement.lost
    assert judgement.early


@pytest.mark.parametrize(
    "caps",
    [
        CAPS._replace(orders_per_minute=1),
        CAPS._replace(order_notional=600 * COIN),
        CAPS._replace(ramp_notional=600 * COIN),
        CAPS._replace(ramp_round_trips=2, ramp_notional=600 * COIN),
        CAPS._replace(day_notional=1_200 * COIN),
    ],
)
def test_a_cap_that_did_not_hold_is_named(world: World, caps: Caps) -> None:
    assert judged(world.entries, world.books, caps).over


def test_a_ramp_ends_with_its_last_round_trip(world: World) -> None:
    small = CAPS._replace(ramp_notional=600 * COIN)
    assert len(judged(world.entries, world.books, small).over) == 1
    longer = small._replace(ramp_round_trips=2)
    assert len(judged(world.entries, world.books, longer).over) == 2


def test_who_was_long_on_the_way_came_no_sooner(world: World) -> None:
    """The two purchases are twenty seconds apart, by the venue's clock."""
    caps = CAPS._replace(orders_per_minute=1)
    assert judged(world.entries, world.books, caps._replace(way_ms=40_000)).over == ()


def test_a_difference_is_worth_what_the_coin_is(world: World) -> None:
    balances = [each._replace(ours=each.ours - COIN) for each in world.books.balances]
    judgement = judged(world.entries, _with(world, balances=balances).books)
    assert judgement.equity_difference == (1 + 65_000) * COIN


def test_a_ledger_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    there = Exchange(TAPE, RULES, Ledger(path), Faults((), NOON_MS))
    there.move("USD", MONEY, "deposit", NOON_MS)
    with pytest.raises(Refused):
        there.place(BUY._replace(quantity=1), NOON_MS)
    with path.open("ab") as file:
        file.write(b'{"n": 3, "what": "or')
    assert written(path) == there.ledger.entries


def _with(world: World, **changes: Any) -> World:
    return world._replace(books=world.books._replace(**changes))


def _booked(world: World, rounded: int = 0, **changes: int) -> World:
    """The first trade and its fill, alike."""
    trade = world.books.trades[0]
    wrong = trade.booked._replace(**changes)
    trades = [Trade(trade.id, wrong, rounded), *world.books.trades[1:]]
    return _with(world, trades=trades, fills=[wrong, *world.books.fills[1:]])


def _order(world: World, n: int, **changes: Any) -> World:
    orders = [*world.books.orders]
    orders[n] = orders[n]._replace(**changes)
    return _with(world, orders=orders)


def _balance(world: World, more: int) -> World:
    dollars, *others = world.books.balances
    return _with(world, balances=[dollars._replace(ours=dollars.ours + more), *others])
