"""What reaches the wire, word by word, when unmodified ccxt is called as the table says."""

from random import Random
from typing import Any, Final

import pytest

from rrr.core.errors import UsageError
from rrr.core.market import Instrument
from rrr.core.orders import Kind, Order, Rejection, Side, TimeInForce
from rrr.trading.live.ids import client_id
from rrr.trading.live.spelling import (
    Refused,
    Request,
    Rules,
    amended,
    cancelled,
    decimal,
    speech,
    spelled,
)
from rrr.trading.live.wire import Wire
from tests.trading.live.wires import (
    AMOUNT,
    EXIT,
    LIMIT,
    PAIR,
    PRICE,
    RULES,
    STOP,
    STOP_LIMIT,
    TAG,
    TAKE,
    VENUES,
    Ether,
    Sent,
    instance,
    wire,
)

POST: Final = LIMIT._replace(post_only=1)
DATED: Final = POST._replace(time_in_force=int(TimeInForce.GTD), expires_ms=1_700_000_000_123)
FOK: Final = TAKE._replace(time_in_force=int(TimeInForce.FOK))
TRAILING: Final = STOP._replace(kind=int(Kind.TRAILING), trail=1_000_000)

ORDERS: Final = {
    "take": TAKE,
    "exit": EXIT,
    "fill or kill": FOK,
    "limit": LIMIT,
    "post-only": POST,
    "post-only till a date": DATED,
    "stop": STOP,
    "stop-limit": STOP_LIMIT,
    "trailing": TRAILING,
}


def of(venue: str) -> str:
    return client_id(venue, TAG, 7)


def kraken(side: str, ordertype: str, **more: str) -> Sent:
    said = {"pair": "BTC-USD", "type": side, "ordertype": ordertype, "volume": "0.0123"}
    said |= {"cl_ord_id": of("kraken"), "price": "97123.4", "oflags": "fciq"}
    return Sent("POST", "/0/private/AddOrder", said | more, True)


def coinbase(side: str, kind: str, **more: Any) -> Sent:
    prices = {"base_size": "0.0123", "limit_price": "97123.4"}
    said = {"client_order_id": of("coinbase"), "product_id": "BTC-USD", "side": side}
    return Sent(
        "POST",
        "/api/v3/brokerage/orders",
        said | {"order_configuration": {kind: prices | more}},
        True,
    )


def binance(side: str, kind: str, **more: str) -> Sent:
    said = {"symbol": "BTC-USD", "side": side, "type": kind, "quantity": "0.0123"}
    said |= {"newClientOrderId": of("binance"), "newOrderRespType": "FULL"}
    return Sent("POST", "/api/v3/order", said | more, True)


def bybit(side: str, kind: str, **more: Any) -> Sent:
    said = {"category": "spot", "symbol": "BTC-USD", "side": side, "orderType": kind}
    said |= {"qty": "0.0123", "orderLinkId": of("bybit")}
    return Sent("POST", "/v5/order/create", said | more, True)


def okx(side: str, kind: str, **more: str) -> Sent:
    said = {"instId": "BTC-USD", "side": side, "ordType": kind, "sz": "0.0123"}
    said |= {"tdMode": "cash", "clOrdId": of("okx")}
    plain = {"px": "97123.4", "tgtCcy": "base_ccy"}
    stops = {"algoClOrdId": of("okx"), "slTriggerPx": "97123.4", "slTriggerPxType": "last"}
    algo = kind == "conditional"
    path = "/api/v5/trade/order-algo" if algo else "/api/v5/trade/batch-orders"
    return Sent("POST", path, said | (stops if algo else plain) | more, True)


DOWN: Final = {"stop_price": "97123.4", "stop_direction": "STOP_DIRECTION_STOP_DOWN"}
TPSL: Final = {
    "orderFilter": "tpslOrder",
    "triggerPrice": "97123.4",
    "triggerDirection": 2,
    "reduceOnly": True,
}

WIRE: Final[dict[tuple[str, str], Sent]] = {
    ("kraken", "take"): kraken("buy", "limit", timeinforce="IOC"),
    ("kraken", "exit"): kraken("sell", "limit", timeinforce="IOC"),
    ("kraken", "limit"): kraken("buy", "limit", timeinforce="GTC"),
    ("kraken", "post-only"): kraken("buy", "limit", oflags="fciq,post"),
    ("kraken", "post-only till a date"): kraken(
        "buy", "limit", oflags="fciq,post", timeinforce="GTD", expiretm="1700000001"
    ),
    ("kraken", "stop"): kraken("sell", "stop-loss"),
    ("kraken", "stop-limit"): kraken("sell", "stop-loss-limit", price2="97023.4"),
    ("kraken", "trailing"): kraken("sell", "trailing-stop", price="+100", trigger="last"),
    ("coinbase", "take"): coinbase("BUY", "sor_limit_ioc"),
    ("coinbase", "exit"): coinbase("SELL", "sor_limit_ioc"),
    ("coinbase", "fill or kill"): coinbase("BUY", "limit_limit_fok"),
    ("coinbase", "limit"): coinbase("BUY", "limit_limit_gtc", post_only=False),
    ("coinbase", "post-only"): coinbase("BUY", "limit_limit_gtc", post_only=True),
    ("coinbase", "post-only till a date"): coinbase(
        "BUY", "limit_limit_gtd", post_only=True, end_time="2023-11-14T22:13:20.123Z"
    ),
    ("coinbase", "stop-limit"): coinbase(
        "SELL", "stop_limit_stop_limit_gtc", **DOWN | {"limit_price": "97023.4"}
    ),
    ("binance", "take"): binance("BUY", "LIMIT", price="97123.4", timeInForce="IOC"),
    ("binance", "exit"): binance("SELL", "LIMIT", price="97123.4", timeInForce="IOC"),
    ("binance", "fill or kill"): binance("BUY", "LIMIT", price="97123.4", timeInForce="FOK"),
    ("binance", "limit"): binance("BUY", "LIMIT", price="97123.4", timeInForce="GTC"),
    ("binance", "post-only"): binance("BUY", "LIMIT_MAKER", price="97123.4"),
    ("binance", "stop"): binance("SELL", "STOP_LOSS", stopPrice="97123.4"),
    ("binance", "stop-limit"): binance(
        "SELL", "STOP_LOSS_LIMIT", stopPrice="97123.4", price="97023.4", timeInForce="GTC"
    ),
    ("bybit", "take"): bybit("Buy", "Limit", price="97123.4", timeInForce="IOC"),
    ("bybit", "exit"): bybit("Sell", "Limit", price="97123.4", timeInForce="IOC"),
    ("bybit", "fill or kill"): bybit("Buy", "Limit", price="97123.4", timeInForce="FOK"),
    ("bybit", "limit"): bybit("Buy", "Limit", price="97123.4", timeInForce="GTC"),
    ("bybit", "post-only"): bybit("Buy", "Limit", price="97123.4", timeInForce="PostOnly"),
    ("bybit", "stop"): bybit("Sell", "Market", marketUnit="baseCoin", **TPSL),
    ("bybit", "stop-limit"): bybit("Sell", "Limit", price="97023.4", **TPSL),
    ("okx", "take"): okx("buy", "ioc"),
    ("okx", "exit"): okx("sell", "ioc"),
    ("okx", "fill or kill"): okx("buy", "fok"),
    ("okx", "limit"): okx("buy", "limit"),
    ("okx", "post-only"): okx("buy", "post_only"),
    ("okx", "stop"): okx("sell", "conditional", slOrdPx="-1"),
    ("okx", "stop-limit"): okx("sell", "conditional", slOrdPx="97023.4"),
}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("name", ORDERS)
async def test_an_order_reaches_the_wire_as_the_table_says_or_is_refused(
    venue: str, name: str
) -> None:
    said = spelled(venue, ORDERS[name], RULES, of(venue))
    if (venue, name) not in WIRE:
        assert isinstance(said, Refused), said
        assert said.rejection == Rejection.TERMS
        assert venue in said.words
        return
    assert await left(venue, said) == WIRE[venue, name]


# (venue, order, the venue's own id): method, path, and what is said.
CANCELS: Final[dict[tuple[str, str, str], tuple[str, dict[str, Any]]]] = {
    ("kraken", "limit", ""): ("CancelOrder", {"cl_ord_id": of("kraken")}),
    ("kraken", "stop", "V"): ("CancelOrder", {"txid": "V"}),
    ("coinbase", "limit", "V"): ("batch_cancel", {"order_ids": ["V"]}),
    ("binance", "limit", ""): (
        "order",
        {"symbol": "BTC-USD", "origClientOrderId": of("binance")},
    ),
    ("binance", "stop", "V"): ("order", {"symbol": "BTC-USD", "orderId": "V"}),
    ("bybit", "limit", ""): (
        "cancel",
        {
            "symbol": "BTC-USD",
            "category": "spot",
            "orderFilter": "Order",
            "orderLinkId": of("bybit"),
        },
    ),
    ("bybit", "stop", "V"): (
        "cancel",
        {"symbol": "BTC-USD", "category": "spot", "orderFilter": "tpslOrder", "orderId": "V"},
    ),
    ("okx", "limit", ""): ("cancel-order", {"instId": "BTC-USD", "clOrdId": of("okx")}),
    ("okx", "limit", "V"): ("cancel-order", {"instId": "BTC-USD", "ordId": "V"}),
    ("okx", "stop", ""): ("cancel-algos", {"instId": "BTC-USD", "algoClOrdId": of("okx")}),
    ("okx", "stop", "V"): ("cancel-algos", {"instId": "BTC-USD", "algoId": "V"}),
}


@pytest.mark.parametrize(("venue", "name", "venue_id"), CANCELS)
async def test_a_cancel_reaches_the_wire_by_the_venues_id_or_by_ours(
    venue: str, name: str, venue_id: str
) -> None:
    said = cancelled(venue, ORDERS[name], RULES, of(venue), venue_id)
    sent = await left(venue, said)
    assert (sent.path.rpartition("/")[2], sent.said) == CANCELS[venue, name, venue_id]
    assert sent.method == ("DELETE" if venue == "binance" else "POST")
    assert sent.signed


def test_coinbase_cancels_nothing_whose_own_id_is_not_known() -> None:
    said = cancelled("coinbase", LIMIT, RULES, of("coinbase"), "")
    assert isinstance(said, Refused)
    assert said.rejection == Rejection.UNKNOWN_ORDER


NEW: Final = {"order_qty": "0.0123", "cl_ord_id": of("kraken")}
AMENDS: Final[dict[tuple[str, str, str], tuple[str, dict[str, Any]]]] = {
    ("kraken", "limit", ""): ("AmendOrder", NEW | {"limit_price": "97123.4"}),
    ("kraken", "post-only", ""): (
        "AmendOrder",
        NEW | {"limit_price": "97123.4", "post_only": "true"},
    ),
    ("kraken", "stop", ""): ("AmendOrder", NEW | {"trigger_price": "97123.4"}),
    ("kraken", "stop-limit", ""): (
        "AmendOrder",
        NEW | {"trigger_price": "97123.4", "limit_price": "97023.4"},
    ),
    ("coinbase", "limit", "V"): ("edit", {"order_id": "V", "size": "0.0123", "price": "97123.4"}),
    ("bybit", "stop", "V"): (
        "amend",
        {
            "symbol": "BTC-USD",
            "category": "spot",
            "orderId": "V",
            "qty": "0.0123",
            "triggerPrice": "97123.4",
            "triggerBy": "LastPrice",
        },
    ),
    ("okx", "limit", "V"): (
        "amend-order",
        {"instId": "BTC-USD", "ordId": "V", "newSz": "0.0123", "newPx": "97123.4"},
    ),
}


@pytest.mark.parametrize(("venue", "name", "venue_id"), AMENDS)
async def test_an_amendment_reaches_the_wire_where_it_keeps_the_order(
    venue: str, name: str, venue_id: str
) -> None:
    said = amended(venue, ORDERS[name], RULES, of(venue), venue_id)
    sent = await left(venue, said)
    assert (sent.path.rpartition("/")[2], sent.said) == AMENDS[venue, name, venue_id]


@pytest.mark.parametrize(
    ("venue", "name", "venue_id"),
    [
        ("binance", "limit", "V"),
        ("binance", "stop", "V"),
        ("coinbase", "limit", ""),
        ("coinbase", "post-only till a date", "V"),
        ("coinbase", "stop-limit", "V"),
        ("okx", "stop", "V"),
        ("kraken", "trailing", "V"),
        ("kraken", "take", "V"),
    ],
)
def test_what_would_end_an_order_and_send_another_is_no_amendment(
    venue: str, name: str, venue_id: str
) -> None:
    said = amended(venue, ORDERS[name], RULES, of(venue), venue_id)
    assert isinstance(said, Refused)
    assert said.rejection == Rejection.TERMS


# (what is wrong, why it is refused), at every venue
REFUSED: Final[dict[str, tuple[Order, Rejection]]] = {
    "a naked market order": (EXIT._replace(kind=int(Kind.MARKET)), Rejection.TERMS),
    "a take that would rest": (TAKE._replace(time_in_force=0), Rejection.TERMS),
    "post-only at once": (POST._replace(time_in_force=1), Rejection.TERMS),
    "one leg of a pair": (LIMIT._replace(partner=6), Rejection.TERMS),
    "a stop that buys": (STOP_LIMIT._replace(side=int(Side.BUY)), Rejection.TERMS),
    "off the tick": (LIMIT._replace(price=PRICE + 1), Rejection.PRICE_GRID),
    "without a price": (LIMIT._replace(price=0), Rejection.PRICE_GRID),
    "below nothing": (LIMIT._replace(price=-PRICE), Rejection.PRICE_GRID),
    "a limit off the tick": (STOP_LIMIT._replace(limit=PRICE - 1), Rejection.PRICE_GRID),
    "off the lot": (LIMIT._replace(quantity=AMOUNT + 1), Rejection.QUANTITY_GRID),
    "worth too little": (LIMIT._replace(quantity=10_000, price=1_000), Rejection.BELOW_MINIMUM),
    "worth too much": (LIMIT._replace(quantity=10**18), Rejection.CAPACITY),
}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("wrong", REFUSED)
def test_what_is_illegal_gets_no_spelling(venue: str, wrong: str) -> None:
    order, rejection = REFUSED[wrong]
    said = spelled(venue, order, RULES, of(venue))
    assert isinstance(said, Refused), said
    assert said.rejection == rejection


def test_less_than_the_least_quantity_gets_no_spelling() -> None:
    rules = RULES._replace(instrument=RULES.instrument._replace(quantity_min=AMOUNT + 1))
    said = spelled("kraken", LIMIT, rules, of("kraken"))
    assert isinstance(said, Refused)
    assert said.rejection == Rejection.BELOW_MINIMUM


@pytest.mark.parametrize("quantity", [0, -AMOUNT])
def test_nobody_sends_nothing_or_less(quantity: int) -> None:
    with pytest.raises(AssertionError):
        spelled("kraken", EXIT._replace(quantity=quantity), RULES, of("kraken"))


def test_a_venue_that_is_not_in_the_table_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="mtgox"):
        spelled("mtgox", TAKE, RULES, "x")


def test_two_venues_are_marked_as_unproven() -> None:
    assert [venue for venue in VENUES if not speech(venue).proven] == ["bybit", "okx"]


@pytest.mark.parametrize("venue", VENUES)
def test_less_risk_goes_first(venue: str) -> None:
    order = STOP_LIMIT if venue == "coinbase" else STOP
    for said in (
        spelled(venue, EXIT, RULES, "x"),
        spelled(venue, order, RULES, "x"),
        cancelled(venue, LIMIT, RULES, "x", "V"),
    ):
        assert isinstance(said, Request)
        assert said.urgent
    bought = spelled(venue, TAKE, RULES, "x")
    assert isinstance(bought, Request)
    assert not bought.urgent


@pytest.mark.parametrize("venue", VENUES)
async def test_every_figure_reaches_the_wire_to_the_last_digit(venue: str) -> None:
    """Ticks and lots of every size, figures of up to seventeen digits: none is rounded."""
    chance, ether = Random(1), Ether()
    for _ in range(25):
        rules = some(chance)
        order = sized(chance, rules.instrument)
        said = spelled(venue, order, rules, of(venue))
        assert isinstance(said, Request), said
        wires = Wire(instance(venue, ether, rules), [PAIR])
        await wires.send(said)
        words = str(ether.sent[-1].said)
        for units, decimals in (
            (order.quantity, rules.grains),
            (order.price, rules.points),
            (order.limit, rules.points),
        ):
            assert f"'{decimal(units, decimals)}'" in words, (rules, order)


def some(chance: Random) -> Rules:
    points, grains = chance.randint(2, 10), chance.randint(4, 10)
    tick, lot = 10 ** chance.randint(0, points), 10 ** chance.randint(0, grains)
    scale = 10 ** max(points + grains - 8, 0)
    return Rules(PAIR, points, grains, Instrument(0, 1, scale, tick, lot, lot, 0, 0, 0, 0, 0, 0, 0))


def sized(chance: Random, instrument: Instrument) -> Order:
    room = min(10**17, 10**16 * instrument.scale)
    price = instrument.tick * chance.randint(2, max(10**8 // instrument.tick, 2))
    quantity = instrument.lot * chance.randint(1, max(room // price // instrument.lot, 1))
    return STOP_LIMIT._replace(quantity=quantity, price=price, limit=price - instrument.tick)


async def left(venue: str, said: Request | Refused) -> Sent:
    """The one request that leaves when this is sent."""
    assert isinstance(said, Request), said
    wires, ether = wire(venue)
    await wires.send(said) if said.method == "create_order" else await wires.cancel(said)
    (sent,) = ether.sent
    return sent
