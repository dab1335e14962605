"""Orders against the tape, without a network: what is expected is read from the tape itself."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from tests.venue.accounts import Account, Order
from tests.venue.faults import Fault, Faults
from tests.venue.kraken_desk import RULES
from tests.venue.ledger import Ledger
from tests.venue.matching import Exchange, Wanted
from tests.venue.refusals import No, Refused
from tests.venue.tape import HOUR_MS, MINUTE_MS, Tape
from tests.venue.venue_time import NOON_MS

TAPE: Final = Tape(1)
BTC: Final = "BTC/USD"
COIN: Final = 10**8  # in grains, and a dollar in parts
CENT: Final = 10**6
TAKER: Final = 4_000
MAKER: Final = 2_500

BUY: Final = Wanted("", BTC, "buy", "market", COIN // 10)
SELL: Final = BUY._replace(side="sell")


def exchange(path: Path | None = None, *faults: Fault) -> Exchange:
    """With a million dollars and ten coins."""
    made = Exchange(TAPE, RULES, Ledger(path), Faults(faults, NOON_MS))
    if not made.ledger.entries:
        made.move("USD", 10**6 * COIN, "deposit", NOON_MS)
        made.move("BTC", 10 * COIN, "deposit", NOON_MS)
    return made


def limit(side: str, price: int, **more: Any) -> Wanted:
    return BUY._replace(side=side, kind="limit", price=price, **more)


def stop(trigger: int, kind: str = "stop-loss", price: int = 0) -> Wanted:
    return SELL._replace(kind=kind, trigger=trigger, price=price)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_taker_meets_the_depth_level_by_level(side: str) -> None:
    there = exchange()
    depth = TAPE.depth(BTC, NOON_MS)
    levels = depth.asks if side == "buy" else depth.bids
    quantity = sum(level.quantity for level in levels[:3]) - 1
    order = there.place(BUY._replace(side=side, quantity=quantity), NOON_MS)
    fills = [there.account.fills[id] for id in order.trades]
    met = [*levels[:2], levels[2]._replace(quantity=levels[2].quantity - 1)]
    assert [(fill.price, fill.quantity) for fill in fills] == met
    for fill in fills:
        cost = fill.price * fill.quantity // 10
        assert fill.cost == cost - cost % 1_000
        assert fill.fee == cost * TAKER // 10**6 // 1_000 * 1_000
    assert (order.status, there.account.held("USD")) == ("closed", 0)


def test_what_is_immediate_stops_at_its_limit_and_ends() -> None:
    there, asks = exchange(), TAPE.depth(BTC, NOON_MS).asks
    quantity = asks[0].quantity + asks[1].quantity + 1
    wanted = limit("buy", asks[1].price, quantity=quantity, time="IOC")
    order = there.place(wanted, NOON_MS)
    assert (order.status, order.left) == ("canceled", 1)
    assert there.account.held("USD") == 0


def test_a_maker_is_filled_by_what_goes_through_his_price_and_no_more() -> None:
    there, price = exchange(), TAPE.touch(BTC, NOON_MS).bid - 300
    order = there.place(limit("buy", price, quantity=2 * COIN), NOON_MS)
    assert order.hold == 2 * price * COIN // 10 * (10**6 + TAKER) // 10**6
    end = NOON_MS + 6 * HOUR_MS
    there.advance(end)
    through = [each for each in TAPE.prints(BTC, NOON_MS, end) if each.price < price]
    fills = list(there.account.fills.values())
    assert fills
    assert [(fill.at_ms, fill.quantity) for fill in fills[:-1]] == [
        (each.at_ms, each.quantity) for each in through[: len(fills) - 1]
    ]
    assert {(fill.price, fill.maker) for fill in fills} == {(price, True)}
    assert fills[0].fee == fills[0].cost * MAKER // 10**6 // 1_000 * 1_000
    assert order.filled == min(2 * COIN, sum(each.quantity for each in through))


def test_a_print_at_a_makers_own_price_leaves_him_waiting() -> None:
    there, end = exchange(), NOON_MS + HOUR_MS
    lowest = min(each.price for each in TAPE.prints(BTC, NOON_MS, end))
    waits = there.place(limit("buy", lowest, quantity=COIN), NOON_MS)
    filled = there.place(limit("buy", lowest + 1, quantity=COIN), NOON_MS)
    there.advance(end)
    assert (waits.filled, filled.filled > 0) == (0, True)


def test_a_print_that_has_filled_fills_no_more_after_a_death(tmp_path: Path) -> None:
    path, price = tmp_path / "ledger.jsonl", TAPE.touch(BTC, NOON_MS).bid - 100
    there = exchange(path)
    order = there.place(limit("buy", price, quantity=5 * COIN), NOON_MS)
    prints = TAPE.prints(BTC, NOON_MS, NOON_MS + 12 * HOUR_MS)
    first = next(each for each in prints if each.price < price)
    there.advance(first.at_ms + 1)
    again = exchange(path)
    again.advance(first.at_ms + 1)
    assert again.account.orders[order.id].filled == order.filled == first.quantity


def test_what_is_to_be_filled_whole_or_not_at_all_is() -> None:
    there, asks = exchange(), TAPE.depth(BTC, NOON_MS).asks
    wanted = limit("buy", asks[1].price, time="FOK")
    for more, status in ((1, "canceled"), (0, "closed")):
        quantity = asks[0].quantity + asks[1].quantity + more
        order = there.place(wanted._replace(quantity=quantity), NOON_MS)
        assert (order.status, order.filled) == (status, 0 if more else quantity)


def test_two_makers_share_a_print_the_older_one_first() -> None:
    there, price = exchange(), TAPE.touch(BTC, NOON_MS).bid - 100
    end = NOON_MS + 12 * HOUR_MS
    first = next(each for each in TAPE.prints(BTC, NOON_MS, end) if each.price < price)
    halves = (first.quantity - first.quantity // 3, first.quantity)
    older, younger = (there.place(limit("buy", price, quantity=q), NOON_MS) for q in halves)
    there.advance(first.at_ms + 1)
    assert (older.status, older.left) == ("closed", 0)
    assert younger.filled == first.quantity // 3


@pytest.mark.parametrize("kind", ["stop-loss", "stop-loss-limit", "take-profit", "trailing-stop"])
def test_a_stop_is_triggered_by_the_first_print_that_reaches_it(kind: str) -> None:
    there, touch, end = exchange(), TAPE.touch(BTC, NOON_MS), NOON_MS + 12 * HOUR_MS
    prints = TAPE.prints(BTC, NOON_MS, end)
    away, best = 200, TAPE.last_prints(BTC, 1, NOON_MS)[0].price
    wanted = stop(touch.bid - away, kind, touch.bid // 2 if kind.endswith("limit") else 0)
    if kind == "take-profit":
        wanted = stop(touch.bid + away, kind)
        first = next(each for each in prints if each.price >= touch.bid + away)
    elif kind == "trailing-stop":
        wanted = stop(away, kind)
        first = next(p for p in prints if (best := max(best, p.price)) - away >= p.price)
    else:
        first = next(each for each in prints if each.price <= touch.bid - away)
    order = there.place(wanted, NOON_MS)
    there.advance(first.at_ms)
    assert (order.status, order.waits, there.account.held("BTC")) == ("open", True, COIN // 10)
    there.advance(end)
    assert (order.status, order.triggered_ms, there.account.held("BTC")) == (
        "closed",
        first.at_ms,
        0,
    )
    fill = there.account.fills[order.trades[0]]
    assert fill.price == TAPE.touch(BTC, first.at_ms).bid


def test_a_stop_limit_that_is_jumped_over_rests_unfilled() -> None:
    there, last = exchange(), TAPE.last_prints(BTC, 1, NOON_MS)[0].price
    order = there.place(stop(last, "stop-loss-limit", last + 5_000), NOON_MS)
    assert (order.status, order.triggered_ms, order.filled) == ("open", NOON_MS, 0)


def test_what_is_good_till_a_date_expires_then() -> None:
    there, price = exchange(), TAPE.touch(BTC, NOON_MS).bid // 2
    wanted = limit("buy", price, time="GTD", expires_ms=NOON_MS + MINUTE_MS)
    order = there.place(wanted, NOON_MS)
    there.advance(NOON_MS + MINUTE_MS - 1)
    assert order.status == "open"
    there.advance(NOON_MS + HOUR_MS)
    assert (order.status, order.ended_ms) == ("expired", NOON_MS + MINUTE_MS)


def test_the_dead_mans_switch_takes_the_stops_along_and_disarms_itself() -> None:
    there, price = exchange(), TAPE.touch(BTC, NOON_MS).bid // 2
    orders = [there.place(each, NOON_MS) for each in (stop(price), limit("buy", price))]
    there.arm(NOON_MS + MINUTE_MS, NOON_MS)
    there.arm(NOON_MS + 2 * MINUTE_MS, NOON_MS + 1)
    there.advance(NOON_MS + MINUTE_MS)
    assert [order.status for order in orders] == ["open", "open"]
    there.advance(NOON_MS + HOUR_MS)
    assert {order.ended_ms for order in orders} == {NOON_MS + 2 * MINUTE_MS}
    assert there.account.deadline_ms == 0


def test_a_resting_stop_holds_the_coins_and_a_smaller_one_lets_them_go() -> None:
    there, price = exchange(), TAPE.touch(BTC, NOON_MS).bid // 2
    order = there.place(stop(price)._replace(quantity=10 * COIN), NOON_MS)
    with pytest.raises(Refused) as refused:
        there.place(SELL, NOON_MS)
    assert refused.value.why is No.FUNDS
    there.amend(order, 9 * COIN, 0, price - 5, False, NOON_MS)
    assert (order.trigger, there.account.free("BTC")) == (price - 5, COIN)
    assert there.place(SELL, NOON_MS).status == "closed"


def test_an_amended_limit_may_take_at_once() -> None:
    there, touch = exchange(), TAPE.touch(BTC, NOON_MS)
    order = there.place(limit("buy", touch.bid // 2, quantity=COIN // 100), NOON_MS)
    with pytest.raises(Refused) as refused:
        there.amend(order, order.quantity, touch.ask, 0, True, NOON_MS)
    assert refused.value.why is No.POST_ONLY
    there.amend(order, order.quantity, touch.ask, 0, False, NOON_MS)
    assert (order.status, there.account.fills[order.trades[0]].maker) == ("closed", False)


def test_a_fee_in_the_base_is_taken_from_the_coins() -> None:
    there = exchange()
    order = there.place(BUY._replace(fee_in_base=True), NOON_MS)
    (fill,) = there.account.fills.values()
    assert (fill.fee_coin, fill.fee) == ("BTC", order.quantity * TAKER // 10**6)
    assert there.account.balance("BTC") == 10 * COIN + order.quantity - fill.fee
    assert there.account.balance("USD") == 10**6 * COIN - fill.cost


def test_another_tier_of_fees_holds_from_now_on() -> None:
    there = exchange()
    there.place(BUY, NOON_MS)
    there.charge(2_000, 1_000, NOON_MS + 1)
    there.place(BUY, NOON_MS + 1)
    rates = [round(10**6 * each.fee / each.cost) for each in there.account.fills.values()]
    assert rates == [TAKER, 2_000]


ASK: Final = TAPE.touch(BTC, NOON_MS).ask

REFUSED: Final = [
    (No.SYMBOL, BUY._replace(symbol="NO/USD")),
    (No.CANCEL_ONLY, BUY._replace(symbol="ETH/USD")),
    (No.SYMBOL, BUY._replace(symbol="SOL/USD", quantity=COIN)),
    (No.PRICE, limit("buy", 0)),
    (No.PRICE, BUY._replace(price=ASK)),
    (No.PRICE, stop(0)),
    (No.QUANTITY_MIN, BUY._replace(quantity=4_999)),
    (No.NOTIONAL_MIN, limit("buy", 99_990, quantity=5_000)),
    (No.FUNDS, limit("buy", ASK, quantity=100 * COIN)),
    (No.FUNDS, SELL._replace(quantity=10 * COIN + 1)),
    (No.DUPLICATE, limit("buy", ASK // 2, client_id="resting")),
    (No.POST_ONLY, limit("buy", ASK, post=True)),
    (No.TERMS, limit("buy", ASK, time="GTD", expires_ms=NOON_MS)),
]


@pytest.mark.parametrize(("why", "wanted"), REFUSED, ids=[f"{row[0].name}" for row in REFUSED])
def test_an_order_is_refused_by_name_and_moves_nothing(why: No, wanted: Wanted) -> None:
    faults = [
        Fault(kind, NOON_MS, NOON_MS + 1, symbol)
        for kind, symbol in (("halted", "ETH/USD"), ("delisted", "SOL/USD"))
    ]
    there = exchange(None, *faults)
    there.place(limit("buy", ASK // 2, client_id="resting"), NOON_MS)
    before = _of(there.account)
    with pytest.raises(Refused) as refused:
        there.place(wanted, NOON_MS)
    assert refused.value.why is why
    assert there.ledger.entries[-1]["what"] == "refused"
    assert _of(there.account) == before


def test_a_client_id_is_free_again_when_its_order_has_ended() -> None:
    there = exchange()
    for _ in range(2):
        there.cancel(there.place(limit("buy", ASK // 2, client_id="same"), NOON_MS), NOON_MS)
    assert [each.client_id for each in there.account.orders.values()] == ["same", "same"]


def test_a_halted_instrument_fills_nothing_and_lets_its_orders_be_cancelled() -> None:
    halted = Fault("halted", NOON_MS + 1, NOON_MS + HOUR_MS, BTC)
    there = exchange(None, halted)
    order = there.place(limit("sell", TAPE.touch(BTC, NOON_MS).ask), NOON_MS)
    order.price = 1  # any print goes through it
    there.advance(NOON_MS + HOUR_MS)
    assert order.status == "open"
    there.cancel(order, NOON_MS + HOUR_MS - 1)
    assert order.status == "canceled"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_done_the_books_sum_to_zero_and_read_the_same_again(
    seed: int, tmp_path: Path
) -> None:
    dice, at_ms, path = Random(seed), NOON_MS, tmp_path / "ledger.jsonl"
    there = exchange(path)
    for _ in range(60):
        at_ms += dice.randrange(5 * MINUTE_MS)
        try:
            _something(there, dice, at_ms)
        except Refused:
            continue
        _hold_together(there.account)
    there.advance(at_ms)
    assert there.account.fills
    assert any(order.kind == "trailing-stop" for order in there.account.orders.values())
    again = exchange(path)
    assert _of(again.account) == _of(there.account)
    for one in (there, again):
        one.advance(at_ms + HOUR_MS)
    assert _of(again.account) == _of(there.account)


def test_a_line_that_was_torn_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    there = exchange(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n": 3, "what": "ord')
    again = exchange(path)
    assert path.read_bytes() == whole
    assert _of(again.account) == _of(there.account)


def test_the_past_is_what_was_written_until_then() -> None:
    there = exchange()
    there.place(BUY, NOON_MS + 1_000)
    assert there.then(NOON_MS + 999).balance("BTC") == 10 * COIN
    assert _of(there.then(NOON_MS + 1_000)) == _of(there.account)


def _something(there: Exchange, dice: Random, at_ms: int) -> None:
    touch, quantity = TAPE.touch(BTC, at_ms), dice.randrange(10_000, 3 * COIN)
    side, near = dice.choice(["buy", "sell"]), dice.randrange(-300, 300)
    there.advance(at_ms)
    working = there.account.open
    what = dice.choice(["take", "limit", "limit", "stop", "trail", "cancel", "amend", "move"])
    base = dice.random() < 0.3
    if what == "take":
        there.place(BUY._replace(side=side, quantity=quantity, fee_in_base=base), at_ms)
    elif what == "limit":
        wanted = limit(side, touch.bid + near, quantity=quantity, fee_in_base=base)
        there.place(wanted, at_ms)
    elif what == "stop":
        there.place(stop(touch.bid - abs(near) - 1)._replace(quantity=quantity), at_ms)
    elif what == "trail":
        there.place(stop(abs(near) + 1, "trailing-stop"), at_ms)
    elif what == "move":
        there.move(dice.choice(["BTC", "USD"]), dice.randrange(-COIN, COIN), "deposit", at_ms)
    elif working and what == "cancel":
        there.cancel(dice.choice(working), at_ms)
    elif working:
        order = dice.choice(working)
        price = order.price and order.price + near
        there.amend(order, order.filled + quantity, price, order.trigger, False, at_ms)


def _hold_together(account: Account) -> None:
    sums = dict.fromkeys(account.coins, 0)
    for (_, coin), parts in account.balances.items():
        sums[coin] += parts
    assert not any(sums.values())
    for coin in account.coins:
        assert 0 <= account.held(coin) <= account.balance(coin)
        booked = [each for each in account.bookings if each.coin == coin]
        assert sum(each.amount - each.fee for each in booked) == account.balance(coin)
    for order in account.orders.values():
        assert order.filled == sum(account.fills[id].quantity for id in order.trades)
        assert (order.status == "closed") == (order.left == 0)


def _of(account: Account) -> Any:
    orders: list[Order] = [replace(order, best=0) for order in account.orders.values()]
    return account.balances, orders, account.fills, account.bookings, account.deadline_ms
