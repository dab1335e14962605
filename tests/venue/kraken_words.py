"""Orders, trades and the ledger of an account in the words of Kraken's REST."""

from hashlib import blake2b
from typing import Any, Final

from tests.venue.accounts import STOPS, Booking, Fill, Order
from tests.venue.kraken import Pair, asset
from tests.venue.refusals import No
from tests.venue.tape import GRAINS
from tests.venue.wire import decimal, digits

PARTS: Final = 8
COST: Final = 5  # decimals of what is paid

# Those of duplicates and of too small a cost are recalled, not recorded.
REFUSALS: Final = {
    No.SYMBOL: "EQuery:Unknown asset pair",
    No.CANCEL_ONLY: "EService:Market in cancel_only mode",
    No.PRICE: "EOrder:Invalid price",
    No.QUANTITY: "EGeneral:Invalid arguments:volume",
    No.QUANTITY_MIN: "EGeneral:Invalid arguments:volume minimum not met",
    No.NOTIONAL_MIN: "EOrder:Cost minimum not met",
    No.FUNDS: "EOrder:Insufficient funds",
    No.DUPLICATE: "EOrder:Duplicate order",
    No.TOO_MANY: "EOrder:Orders limit exceeded",
    No.POST_ONLY: "EOrder:Post only order",
    No.UNKNOWN: "EOrder:Unknown order",
    No.LATE: "EOrder:Invalid price",
    No.TERMS: "EGeneral:Invalid arguments",
}

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def name(letter: str, number: int) -> str:
    """
    >>> name("O", 1) == name("O", 1) != name("O", 2), len(name("T", 7))
    (True, 19)
    """
    chance = blake2b(f"{letter}{number}".encode(), digest_size=16).digest()
    word = letter + "".join(_LETTERS[byte % 32] for byte in chance)
    return f"{word[:6]}-{word[6:11]}-{word[11:17]}"


def money(parts: int) -> str:
    return digits(parts // 10 ** (PARTS - COST), COST)


def quantity(grains: int) -> str:
    return digits(grains, GRAINS)


def price(points: int, pair: Pair) -> str:
    return digits(points, pair.decimals)


def seconds(at_ms: int) -> Any:
    return decimal(at_ms, 3) if at_ms else 0


def order_row(order: Order, pair: Pair, with_trades: bool) -> dict[str, Any]:
    average = order.cost * 10**pair.decimals // order.filled if order.filled else 0
    ended = {"closetm": seconds(order.ended_ms), "reason": order.reason or None}
    flags = ["fcib" if order.fee_in_base else "fciq", *(["post"] if order.post else [])]
    return {
        "refid": None,
        "userref": order.userref,
        **({"cl_ord_id": order.client_id} if order.client_id else {}),
        "status": order.status,
        "opentm": seconds(order.at_ms),
        "starttm": 0,
        "expiretm": seconds(order.expires_ms),
        "descr": described(order, pair),
        "vol": quantity(order.quantity),
        "vol_exec": quantity(order.filled),
        "cost": money(order.cost),
        "fee": money(order.worth),
        "price": price(average, pair),
        "stopprice": price(order.stop_price if order.kind in STOPS else 0, pair),
        "limitprice": price(order.price if order.triggered_ms else 0, pair),
        "misc": "stopped" if order.triggered_ms else "",
        "oflags": ",".join(flags),
        "time_in_force": order.time,
        **({"trades": order.trades} if with_trades else {}),
        **(ended if order.ended_ms else {}),
    }


def described(order: Any, pair: Pair) -> dict[str, Any]:
    """Of an order, or of one that is only wanted."""
    kind, limit = order.kind, price(order.price, pair)
    trigger = ("+" if kind == "trailing-stop" else "") + price(order.trigger, pair)
    first = trigger if kind in STOPS else limit if order.price else "0"
    second = limit if kind in STOPS and order.price else "0"
    words = kind.removesuffix("-limit").replace("-", " ")
    words += f" {first}" if first != "0" else ""
    words += f" -> limit {second}" if second != "0" else ""
    return {
        "pair": pair.altname,
        "type": order.side,
        "ordertype": kind,
        "price": first,
        "price2": second,
        "leverage": "none",
        "order": f"{order.side} {quantity(order.quantity)} {pair.altname} @ {words}",
        "close": "",
    }


def trade_row(fill: Fill, pair: Pair) -> dict[str, Any]:
    """Its fee is told in the quote, whatever it was paid in: only the ledger says that."""
    return {
        "ordertxid": fill.order,
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": pair.id,
        "time": seconds(fill.at_ms),
        "type": fill.side,
        "ordertype": fill.kind,
        "price": price(fill.price, pair),
        "cost": money(fill.cost),
        "fee": money(fill.worth),
        "vol": quantity(fill.quantity),
        "margin": money(0),
        "misc": "",
        "trade_id": fill.number,
        "maker": fill.maker,
    }


def booking_row(booking: Booking) -> dict[str, Any]:
    return {
        "refid": booking.ref,
        "time": seconds(booking.at_ms),
        "type": booking.kind,
        "subtype": "",
        "aclass": "currency",
        "asset": asset(booking.coin),
        "amount": digits(booking.amount, PARTS, 2),
        "fee": digits(booking.fee, PARTS, 2),
        "balance": digits(booking.balance, PARTS, 2),
    }
