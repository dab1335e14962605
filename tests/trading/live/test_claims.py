"""A claim is what was said, in integers, or it is refused by name."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.core.errors import DataError
from rrr.core.orders import Side
from rrr.database.sessions import Unit
from rrr.trading.live import claims
from rrr.trading.live.claims import ELSEWHERE, Leg, Reading, Standing
from rrr.trading.live.figures import UNTOLD

FIXTURES: Final = Path(__file__).parents[3].parent / "shared/data/fixtures"
recorded = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the shared answers are not here")

READING: Final = Reading(
    tuple(Unit("v", f"{base}-USD", base, "USD", 2, 8, 0, "") for base in ("BTC", "BNB")),
    {"rrr-7": 7}.get,
)
TRADE: Final = {
    "id": "T1",
    "order": "O1",
    "timestamp": 5,
    "symbol": "BTC/USD",
    "side": "buy",
    "amount": 0.3,
    "price": "60000.01",
    "cost": 18000.003,
    "fee": {"cost": "1.000000001", "currency": "USD"},
    "takerOrMaker": "maker",
}
ORDER: Final = {
    "id": "O1",
    "clientOrderId": "rrr-7",
    "symbol": "BTC/USD",
    "side": "buy",
    "amount": 1,
    "price": 60_000,
    "filled": 0.25,
    "status": "open",
}
ENTRY: Final = {
    "id": "L1",
    "type": "transaction",
    "direction": "out",
    "currency": "USD",
    "amount": 100,
    "timestamp": 5,
    "status": "ok",
    "fee": {"cost": 0.5, "currency": "USD"},
}


def test_a_trade_is_its_own_figures_rounded_against_us() -> None:
    bought = claims.trade(TRADE, READING)
    assert (bought.quantity, bought.price) == (30_000_000, 6_000_001)
    assert bought.notional == 18_000_003 * 10**5
    assert bought.fee == 10**8 + 1
    assert bought.rounded == 1
    assert (bought.side, bought.maker, bought.instrument) == (Side.BUY, 1, 0)
    sold = claims.trade({**TRADE, "side": "sell", "cost": "18000.000000019"}, READING)
    assert (sold.notional, sold.rounded) == (18_000 * 10**8 + 1, 2)


def test_a_cost_that_nobody_said_is_what_was_exchanged_times_its_price() -> None:
    found = claims.trade({**TRADE, "cost": None}, READING)
    assert found.notional == 30_000_000 * 6_000_001 // 100


@pytest.mark.parametrize(
    ("coin", "fee", "grains", "third", "extra"),
    [
        ("USD", 2, 0, ("", 0), ()),
        ("BTC", 0, 2, ("", 0), ()),
        ("XYZ", 0, 0, ("XYZ", 2), ()),
        ("BNB", 0, 0, ("BNB", 2), (Leg(2, -2),)),
    ],
)
def test_a_fee_is_of_the_quote_of_the_base_or_of_a_third_coin(
    coin: str, fee: int, grains: int, third: tuple[str, int], extra: tuple[Leg, ...]
) -> None:
    found = claims.trade({**TRADE, "fee": {"cost": 1.1e-8, "currency": coin}}, READING)
    assert (found.fee, found.fee_grains) == (fee, grains)
    assert (found.fee_coin, found.fee_parts) == third
    assert found.extra == extra


def test_what_a_trade_moved_is_the_sum_of_each_coin_rounded_down() -> None:
    fee = {"cost": "0.000000011", "currency": "BTC"}
    found = claims.trade({**TRADE, "fee": fee}, READING)
    assert found.legs == (Leg(0, -18_000_003 * 10**5), Leg(1, 30_000_000 - 2))
    elsewhere = claims.trade({**TRADE, "symbol": "BTC/EUR"}, READING)
    assert (elsewhere.instrument, elsewhere.quantity) == (ELSEWHERE, 0)
    assert elsewhere.legs == (Leg(0, -(10**8) - 1), Leg(1, 30_000_000))


def test_ids_that_venues_count_by_symbol_or_by_side_do_not_meet() -> None:
    other = {**TRADE, "symbol": "BNB/USD"}
    against = {**TRADE, "side": "sell"}
    ids = {claims.trade(raw, READING).trade_id for raw in (TRADE, other, against)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": None}, "A trade comes without 'id'"),
        ({"order": ""}, "Trade T1 of BTC/USD comes without 'order'"),
        ({"side": None}, "the side None"),
        ({"amount": 0}, "says 0 for the amount of trade T1"),
        ({"amount": "0.123456789"}, "is of 0.123456789, finer than 8 decimals"),
        ({"price": float("nan")}, "says nan for the price"),
        ({"price": -1}, "says -1 for the price"),
        ({"price": True}, "says True for the price"),
        ({"cost": "1e17"}, "more than anybody can count here"),
        ({"cost": "1e400"}, "says '1e400' for the cost"),
        ({"timestamp": None}, "does not say when trade T1"),
        ({"fee": None}, "says no fee of trade T1"),
        ({"fee": {"cost": None, "currency": "USD"}}, "says no fee of trade T1"),
        ({"fee": {"cost": 1, "currency": None}}, "in which coin the fee of trade T1"),
        (
            {"fees": [{"cost": 1, "currency": "X"}, {"cost": 1, "currency": "Y"}]},
            r"charged in \['X', 'Y'\]",
        ),
    ],
)
def test_a_trade_that_says_too_little_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        claims.trade({**TRADE, **change}, READING)
    answer = claims.trades([TRADE, {**TRADE, **change}], READING)
    assert (len(answer.items), answer.whole, len(answer.troubles)) == (1, False, 1)


@pytest.mark.parametrize(
    ("status", "info", "standing"),
    [
        ("open", {}, Standing.OPEN),
        ("open", {"trigger_status": "STOP_PENDING"}, Standing.OPEN),
        ("open", {"trigger_status": "STOP_TRIGGERED"}, Standing.TRIGGERED),
        ("canceling", {}, Standing.OPEN),
        ("closed", {}, Standing.FILLED),
        ("canceled", {}, Standing.CANCELLED),
        ("expired", {}, Standing.EXPIRED),
        ("rejected", {}, Standing.REJECTED),
    ],
)
def test_an_order_stands_as_its_status_says(
    status: str, info: dict[str, str], standing: Standing
) -> None:
    found = claims.order({**ORDER, "status": status, "info": info}, READING)
    assert (found.standing, found.sequence, found.filled) == (standing, 7, 25_000_000)


@pytest.mark.parametrize("name", [None, "", "0", "x-rrr-7", 7])
def test_an_order_is_ours_by_its_own_id_only(name: object) -> None:
    assert claims.order({**ORDER, "clientOrderId": name}, READING).sequence == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": None}, "An order comes without 'id'"),
        ({"status": None}, "gives order O1 the state None"),
        ({"status": "PENDING_REPLACE"}, "gives order O1 the state 'PENDING_REPLACE'"),
        ({"filled": "x"}, "says 'x' for 'filled' of order O1"),
    ],
)
def test_an_order_in_no_known_state_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        claims.order({**ORDER, **change}, READING)


def test_what_is_filled_may_be_untold_and_somebody_elses_market_may_be_any() -> None:
    assert claims.order({**ORDER, "filled": None}, READING).filled == UNTOLD
    foreign = claims.order({**ORDER, "symbol": "X/Y", "clientOrderId": None}, READING)
    assert (foreign.instrument, foreign.sequence) == (ELSEWHERE, 0)


@pytest.mark.parametrize(
    ("change", "amount"),
    [
        ({}, -100_5000_0000),
        ({"direction": "in"}, 99_5000_0000),
        ({"direction": None, "type": "withdrawal"}, -100_5000_0000),
        ({"direction": None, "type": "deposit", "fee": None}, 100_0000_0000),
        ({"direction": "in", "amount": "0.000000009", "fee": {}}, 0),
        ({"type": "trade"}, None),
        ({"type": "advanced_trade_fill"}, None),
        ({"status": "pending"}, None),
        ({"status": "failed"}, None),
        ({"status": "8", "type": "deposit"}, None),
        ({"status": "waiting_for_clearing"}, None),
        ({"status": None}, -100_5000_0000),
        ({"currency": "EUR"}, None),
    ],
)
def test_a_movement_is_what_no_trade_says(change: dict[str, Any], amount: int | None) -> None:
    found = claims.movement({**ENTRY, **change}, READING)
    assert (None if found is None else found.amount) == amount


def test_a_movement_that_nobody_knows_is_refused() -> None:
    with pytest.raises(DataError, match="ledger entry L1 'margin'"):
        claims.movement({**ENTRY, "type": "margin"}, READING)
    assert not claims.movements([{**ENTRY, "type": "margin"}], READING).whole


def test_a_movement_whose_state_nobody_knows_is_refused() -> None:
    with pytest.raises(DataError, match="ledger entry L1 'transaction', 'dancing'"):
        claims.movement({**ENTRY, "status": "dancing"}, READING)


def test_balances_are_totals_and_a_coin_that_is_not_named_is_not_there() -> None:
    answer = claims.balances({"total": {"USD": 1.000000019, "BTC": "2"}}, READING)
    assert answer.items == (Leg(0, 10**8 + 1), Leg(1, 2 * 10**8), Leg(2, 0))
    assert answer.whole


@pytest.mark.parametrize(
    "raw", [{}, {"total": {}}, {"total": None}, {"total": {"USD": None}}, {"total": {"BTC": "?"}}]
)
def test_an_empty_or_broken_answer_is_no_empty_account(raw: dict[str, Any]) -> None:
    answer = claims.balances(raw, READING)
    assert (answer.whole, answer.items) == (False, ())
    assert len(answer.troubles) == 1


@given(st.decimals(allow_nan=True, allow_infinity=True), st.sampled_from(["amount", "price"]))
@settings(max_examples=300, deadline=None)
def test_any_number_is_an_integer_of_64_bits_or_refused(number: Decimal, field: str) -> None:
    try:
        found = claims.trade({**TRADE, "cost": None, field: number}, READING)
    except DataError:
        return
    assert all(0 < n < 1 << 63 for n in (found.quantity, found.price))
    assert 0 <= found.notional < 1 << 63


@recorded
@pytest.mark.parametrize("venue", ["kraken", "coinbase", "binance"])
def test_recorded_trades_are_read_to_the_last_decimal(venue: str) -> None:
    said = parsed(venue, "fetch_my_trades")
    symbols = sorted({one["symbol"] for one in said})
    pairs = [symbol.partition("/") for symbol in symbols]
    units = tuple(Unit(venue, base, base, quote, 8, 8, 0, "") for base, _, quote in pairs)
    reading = Reading(units, lambda text: None)
    answer = claims.trades(said, reading)
    assert answer.whole, answer.troubles
    for claim, raw in zip(answer.items, said, strict=True):
        assert claim.quantity == Decimal(str(raw["amount"])) * 10**8
        assert claim.price == Decimal(str(raw["price"])) * 10**8
        exact = Decimal(str(raw["cost"])) * 10**8
        assert abs(claim.notional - exact) < 1
        fee = claim.fee + claim.fee_grains + claim.fee_parts
        assert 0 <= fee - Decimal(str(raw["fee"]["cost"])) * 10**8 < 1


@recorded
@pytest.mark.parametrize(
    ("venue", "methods"),
    [
        ("kraken", ("fetch_open_orders", "fetch_closed_orders")),
        ("coinbase", ("fetch_orders",)),
        ("binance", ("fetch_open_orders", "fetch_orders")),
    ],
)
def test_recorded_orders_are_read_and_none_is_ours(venue: str, methods: tuple[str, ...]) -> None:
    for method in methods:
        answer = claims.orders(parsed(venue, method), READING)
        assert answer.whole, answer.troubles
        assert answer.items
        assert not any(one.sequence for one in answer.items)


@recorded
@pytest.mark.parametrize("venue", ["kraken", "coinbase"])
def test_a_recorded_balance_that_ccxt_does_not_read_is_no_empty_account(venue: str) -> None:
    """Kraken's totals come out as None, Coinbase's not at all; both accounts hold coins."""
    assert not claims.balances(parsed(venue, "fetch_balance"), READING).whole


def parsed(venue: str, method: str) -> Any:
    return json.loads((FIXTURES / venue / "ccxt_golden" / f"{method}.json").read_text())["parsed"]
