"""How each order is spelled at each venue: one table, asserted on the wire; refused by name.

What enters are orders in whole points and grains; what leaves are calls of ccxt 4.5.90 with exact
decimals as text, so that no float and no rounding stands between a decision and the wire. What a
venue cannot, or says in a way that loses money, is a `Refused`. Nothing is ever sold by a naked
market order, no order asks for margin, no size below one lot or off the grid gets a spelling. A
resting stop is a market order once triggered, where the venue has such; Coinbase has stop-limits
only. We never say `reduceOnly`: on spot it means margin, and at Coinbase a market order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from rrr.core.errors import UsageError
from rrr.core.market import Instrument, fits, up, worth
from rrr.core.orders import Kind, Order, Rejection, Side, TimeInForce, is_stop

Path = tuple[str | int, ...]


class Verb(Enum):
    SEND = "send"
    CANCEL = "cancel"
    AMEND = "amend"
    FIND = "find"  # one order, by its name
    LIST = "list"


class Request(NamedTuple):
    """One call of ccxt's.

    `proof` is where a whole answer holds what was asked for: an id, or a list. Without it nothing
    was said.
    """

    verb: Verb
    method: str
    arguments: tuple[Any, ...]
    params: Mapping[str, Any]
    proof: Path
    client_id: str = ""
    urgent: bool = False  # less risk: it may spend the reserve


class Refused(NamedTuple):
    """We do not say it: nothing left, and nothing will."""

    rejection: Rejection
    words: str


class Rules(NamedTuple):
    """What the numbers of an instrument mean at its venue."""

    pair: str  # as ccxt writes it: BTC/USD
    points: int
    grains: int
    instrument: Instrument


@dataclass(frozen=True, slots=True)
class Speech:
    """What one venue can be told."""

    proven: bool
    id_param: str
    kinds: frozenset[Kind]
    times: frozenset[TimeInForce]
    amends: frozenset[Kind]
    sent: Path
    stop_sent: Path
    cancelled: Path
    amended: Path
    always: Mapping[str, Any] = field(default_factory=dict)
    cancels_by_client_id: bool = True
    fee_in_base: bool = False  # of what is bought
    deadline: str = ""  # a parameter that lets the venue refuse what comes late


def speech(venue: str) -> Speech:
    if venue not in SPEECHES:
        raise UsageError(
            f"Nobody has written down how orders are spelled at {venue!r}.",
            f"Trade live at {', '.join(SPEECHES)}.",
        )
    return SPEECHES[venue]


def amends(venue: str, kind: Kind) -> bool:
    """Whether a working order of this kind is changed there; a venue that nobody knows: no."""
    return venue in SPEECHES and kind in SPEECHES[venue].amends


def spelled(venue: str, order: Order, rules: Rules, client_id: str) -> Request | Refused:
    """The call that sends this order under this name.

    A sale that would take any price asks for the least that the venue takes an order for.
    """
    assert client_id, "No order leaves without its name."
    if order.kind == Kind.TAKE and order.side == Side.SELL and order.quantity > 0:
        order = order._replace(price=max(order.price, _least(rules.instrument, order.quantity)))
    spoken, kind = speech(venue), Kind(order.kind)
    refused = _illegal(venue, spoken, order, rules)
    if refused:
        return refused
    params = dict(spoken.always) | {spoken.id_param: client_id}
    type_ = "limit"
    price: str | None = decimal(order.price, rules.points)
    match kind:
        case Kind.TAKE | Kind.LIMIT:
            params |= _patience(venue, order)
        case Kind.STOP_LIMIT:
            params |= {"stopLossPrice": price}
            price = decimal(order.limit, rules.points)
        case Kind.STOP:
            params |= {"stopLossPrice": price}
            type_, price = "market", None
        case Kind.TRAILING:
            params |= {"trailingAmount": decimal(order.trail, rules.points)}
            type_, price = "market", None
    if is_stop(order.kind) and venue == "okx":
        params |= {"algoClOrdId": client_id}
    amount = decimal(order.quantity, rules.grains)
    return Request(
        Verb.SEND,
        "create_order",
        (rules.pair, type_, _side(order), amount, price),
        params,
        spoken.stop_sent if is_stop(order.kind) else spoken.sent,
        client_id,
        urgent=order.side == Side.SELL,
    )


def due(venue: str, request: Request, at_ms: int) -> Request:
    """The same, but refused by the venue itself if it comes there after `at_ms`, where it can."""
    name = speech(venue).deadline
    if not name or request.verb not in (Verb.SEND, Verb.AMEND):
        return request
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return request._replace(params={**request.params, name: f"{moment:%Y-%m-%dT%H:%M:%SZ}"})


def cancelled(
    venue: str, order: Order, rules: Rules, client_id: str, venue_id: str
) -> Request | Refused:
    """The call that cancels it: by the venue's own name where it is known, else by ours."""
    spoken = speech(venue)
    if not venue_id and not spoken.cancels_by_client_id:
        return Refused(
            Rejection.UNKNOWN_ORDER, f"{venue} cancels by its own ids only: look the order up first"
        )
    params: dict[str, Any] = {}
    if is_stop(order.kind) and venue == "okx":
        params = {"trigger": True}
    elif is_stop(order.kind) and venue == "bybit":
        params = {"orderFilter": "tpslOrder"}
    if not venue_id:
        params |= {_CANCEL_PARAMS[venue]: client_id}
    name = venue_id or (None if venue == "bybit" else "")
    proof = spoken.cancelled
    if is_stop(order.kind) and venue == "okx":
        proof = spoken.stop_sent
    return Request(
        Verb.CANCEL, "cancel_order", (name, rules.pair), params, proof, client_id, urgent=True
    )


def amended(
    venue: str, order: Order, rules: Rules, client_id: str, venue_id: str
) -> Request | Refused:
    """The call that gives a working order the quantity and prices of this one.

    An amendment keeps the order and its name. What ends one order and sends another (Binance's
    cancel-and-replace) is none, and is left to whoever can answer for the time between.
    """
    spoken, kind = speech(venue), Kind(order.kind)
    refused = _illegal(venue, spoken, order, rules)
    if refused:
        return refused
    if kind not in spoken.amends:
        return Refused(Rejection.TERMS, f"{venue} amends no {_named(kind)}: cancel and send anew")
    if venue == "coinbase" and (not venue_id or order.time_in_force != TimeInForce.GTC):
        return Refused(
            Rejection.TERMS, "coinbase amends by its own ids only, and what is good till cancelled"
        )
    price = decimal(order.price, rules.points)
    params: dict[str, Any] = {} if venue_id else {_CANCEL_PARAMS[venue]: client_id}
    if order.post_only and venue == "kraken":
        params |= {"postOnly": True}
    type_ = "limit"
    limit: str | None = price
    if is_stop(order.kind):
        params |= {"triggerPrice" if venue == "bybit" else "stopLossPrice": price}
        limit = decimal(order.limit, rules.points) if kind == Kind.STOP_LIMIT else None
        type_ = "limit" if limit else "market"
    arguments = (venue_id, rules.pair, type_, _side(order), decimal(order.quantity, rules.grains))
    return Request(
        Verb.AMEND,
        "edit_order",
        (*arguments, limit),
        params,
        spoken.amended,
        client_id,
        urgent=True,
    )


def decimal(units: int, decimals: int) -> str:
    """
    >>> decimal(4228350, 2), decimal(5, 8), decimal(1000, 2)
    ('42283.5', '0.00000005', '10')
    """
    digits = str(units).zfill(decimals + 1)
    cut = len(digits) - decimals
    whole, part = digits[:cut], digits[cut:].rstrip("0")
    return f"{whole}.{part}" if part else whole


def _illegal(venue: str, spoken: Speech, order: Order, rules: Rules) -> Refused | None:
    """The first thing about this order that must not, or cannot, be said to this venue."""
    kind, instrument = Kind(order.kind), rules.instrument
    assert order.quantity > 0, "Nobody sends nothing."
    prices = [order.price]
    if kind == Kind.STOP_LIMIT:
        prices.append(order.limit)
    elif kind == Kind.TRAILING:
        prices.append(order.trail)
    time, named = TimeInForce(order.time_in_force), _named(kind)
    if kind not in spoken.kinds:
        return Refused(Rejection.TERMS, f"{venue} is sent no {named}")
    if order.partner:
        return Refused(
            Rejection.TERMS, f"{venue} is sent no pair of orders: the stop holds the coins"
        )
    if is_stop(order.kind) and order.side != Side.SELL:
        return Refused(Rejection.TERMS, f"a {named} that buys protects nothing that is held")
    if not is_stop(order.kind) and time not in spoken.times:
        return Refused(Rejection.TERMS, f"{venue} has no {named} that is {time.name}")
    if kind == Kind.TAKE and time not in (TimeInForce.IOC, TimeInForce.FOK):
        return Refused(Rejection.TERMS, f"a take that is {time.name} would rest")
    if order.post_only and time not in (TimeInForce.GTC, TimeInForce.GTD):
        return Refused(Rejection.TERMS, f"what is {time.name} cannot rest")
    if any(price <= 0 or price % instrument.tick for price in prices):
        return Refused(Rejection.PRICE_GRID, f"{prices} points are off the tick {instrument.tick}")
    if order.quantity % instrument.lot:
        return Refused(
            Rejection.QUANTITY_GRID,
            f"{order.quantity} grains are off the lot {instrument.lot}",
        )
    worst = order.limit if kind == Kind.STOP_LIMIT else order.price
    if not fits(instrument, max(order.price, order.limit), order.quantity):
        return Refused(Rejection.CAPACITY, "its notional does not fit into 56 bits")
    short = order.quantity < instrument.quantity_min
    if short or worth(instrument, worst, order.quantity) < instrument.notional_min:
        return Refused(Rejection.BELOW_MINIMUM, f"{order.quantity} grains are below the minimum")
    return None


def _least(instrument: Instrument, quantity: int) -> int:
    """The lowest price, on its tick, at which so much is worth what the venue takes."""
    price = up(instrument.notional_min, instrument.scale, quantity)
    return price + -price % instrument.tick


def _patience(venue: str, order: Order) -> dict[str, Any]:
    """How long it may rest, in the venue's words."""
    time = TimeInForce(order.time_in_force)
    params: dict[str, Any] = {"timeInForce": time.name}
    if order.post_only:
        params = {"postOnly": True}
    if time == TimeInForce.GTD:
        params |= {"timeInForce": time.name} | _EXPIRES[venue](order.expires_ms)
    return params


def _in_seconds(at_ms: int) -> dict[str, Any]:
    return {"expiretm": str(-(-at_ms // 1000))}


def _as_date(at_ms: int) -> dict[str, Any]:
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return {"end_time": f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z"}


def _side(order: Order) -> str:
    return Side(order.side).name.lower()


def _named(kind: Kind) -> str:
    return f"{kind.name.lower().replace('_', '-')} order"


_TAKES = {Kind.TAKE, Kind.LIMIT}
_STOPS = {Kind.STOP, Kind.STOP_LIMIT}
_IMMEDIATE = {TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}

SPEECHES: Final[Mapping[str, Speech]] = MappingProxyType(
    {
        "kraken": Speech(
            proven=True,
            id_param="clientOrderId",
            kinds=frozenset(_TAKES | _STOPS | {Kind.TRAILING}),
            times=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.GTD}),
            amends=frozenset({Kind.LIMIT} | _STOPS),
            deadline="deadline",  # docs.kraken.com, Add and Amend Order: 2 to 60 seconds ahead
            sent=("result", "txid", 0),
            stop_sent=("result", "txid", 0),
            cancelled=("result", "count"),
            amended=("result", "amend_id"),
            # A fee in the base would shrink what is held, and a stop for all of it would oversell.
            always={"oflags": "fciq"},
        ),
        "coinbase": Speech(
            proven=True,
            id_param="client_order_id",  # ccxt drops `clientOrderId` and sends a random one
            kinds=frozenset(_TAKES | {Kind.STOP_LIMIT}),
            times=frozenset(TimeInForce),
            amends=frozenset({Kind.LIMIT}),
            sent=("success_response", "order_id"),
            stop_sent=("success_response", "order_id"),
            cancelled=("results", 0, "success"),
            amended=("success",),
            cancels_by_client_id=False,
        ),
        "binance": Speech(
            proven=True,
            id_param="newClientOrderId",
            kinds=frozenset(_TAKES | _STOPS),
            times=frozenset(_IMMEDIATE),
            amends=frozenset(),
            sent=("orderId",),
            stop_sent=("orderId",),
            cancelled=("orderId",),
            amended=(),
            fee_in_base=True,
        ),
        "bybit": Speech(
            proven=False,
            id_param="clientOrderId",
            kinds=frozenset(_TAKES | _STOPS),
            times=frozenset(_IMMEDIATE),
            amends=frozenset({Kind.LIMIT} | _STOPS),
            sent=("result", "orderId"),
            stop_sent=("result", "orderId"),
            cancelled=("result", "orderId"),
            amended=("result", "orderId"),
            fee_in_base=True,
        ),
        "okx": Speech(
            proven=False,
            id_param="clientOrderId",
            kinds=frozenset(_TAKES | _STOPS),
            times=frozenset(_IMMEDIATE),
            amends=frozenset({Kind.LIMIT}),
            sent=("data", 0, "ordId"),
            stop_sent=("data", 0, "algoId"),
            cancelled=("data", 0, "ordId"),
            amended=("data", 0, "ordId"),
            fee_in_base=True,
            always={"tdMode": "cash"},  # ccxt would sell a stop on margin
        ),
    }
)

_CANCEL_PARAMS: Final = {
    "kraken": "clientOrderId",
    "binance": "origClientOrderId",
    "bybit": "orderLinkId",
    "okx": "clOrdId",
}

_EXPIRES: Final[Mapping[str, Callable[[int], dict[str, Any]]]] = {
    "kraken": _in_seconds,
    "coinbase": _as_date,
}
