"""Orders, fills and the ledger of an account in the words of Coinbase's REST."""

from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from tests.venue.accounts import STOPS, Booking, Fill, Order
from tests.venue.coinbase_socket import plain
from tests.venue.refusals import No
from tests.venue.tape import GRAINS
from tests.venue.wire import digits, stamp

# Recalled, but for that of the funds; each is said with PREVIEW_ before it, too.
REFUSALS: Final = {
    No.SYMBOL: "INVALID_PRODUCT_ID",
    No.CANCEL_ONLY: "ORDER_ENTRY_DISABLED",
    No.PRICE: "INVALID_LIMIT_PRICE",
    No.QUANTITY: "INVALID_SIZE_PRECISION",
    No.QUANTITY_MIN: "INVALID_BASE_SIZE_TOO_SMALL",
    No.NOTIONAL_MIN: "INVALID_QUOTE_SIZE_TOO_SMALL",
    No.FUNDS: "INSUFFICIENT_FUND",
    No.DUPLICATE: "DUPLICATE_CLIENT_ORDER_ID",
    No.TOO_MANY: "TOO_MANY_OPEN_ORDERS",
    No.POST_ONLY: "INVALID_LIMIT_PRICE_POST_ONLY",
    No.LATE: "STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
    No.TERMS: "UNSUPPORTED_ORDER_CONFIGURATION",
}

LONG_TIMES: Final = {
    "GTC": "GOOD_UNTIL_CANCELLED",
    "GTD": "GOOD_UNTIL_DATE_TIME",
    "IOC": "IMMEDIATE_OR_CANCEL",
    "FOK": "FILL_OR_KILL",
}
STATUS: Final = {
    "open": "OPEN",
    "closed": "FILLED",
    "canceled": "CANCELLED",
    "expired": "EXPIRED",
}


def name(letter: str, of: int | str) -> str:
    return str(UUID(bytes=blake2b(f"{letter}{of}".encode(), digest_size=16).digest()))


def failed(why: No) -> dict[str, Any]:
    name = REFUSALS[why]
    response = {
        "error": name,
        "message": why.value,
        "error_details": "",
        "preview_failure_reason": f"PREVIEW_{name}",
    }
    return {"success": False, "failure_reason": name, "order_id": "", "error_response": response}


def order_row(order: Order, decimals: int) -> dict[str, Any]:
    average = order.cost * 10**decimals // order.filled if order.filled else 0
    kind = "STOP_LIMIT" if order.kind in STOPS else order.kind.upper()
    triggered = "STOP_TRIGGERED" if order.triggered_ms else "STOP_PENDING"
    return {
        "order_id": order.id,
        "product_id": product_of(order.symbol),
        "order_configuration": configuration(order, decimals),
        "side": order.side.upper(),
        "client_order_id": order.client_id,
        "status": STATUS[order.status],
        "time_in_force": LONG_TIMES[order.time],
        "created_time": stamp(order.at_ms),
        "filled_size": plain(order.filled, GRAINS),
        "average_filled_price": plain(average, decimals),
        "number_of_fills": str(len(order.trades)),
        "filled_value": plain(order.cost, GRAINS),
        "size_in_quote": False,
        "total_fees": plain(order.worth, GRAINS),
        "trigger_status": triggered if order.kind in STOPS else "INVALID_ORDER_TYPE",
        "order_type": kind,
        "settled": order.status == "closed",
        "product_type": "SPOT",
        "cancel_message": order.reason,
        "outstanding_hold_amount": plain(order.hold, GRAINS),
    }


def configuration(order: Order, decimals: int) -> dict[str, Any]:
    terms: dict[str, Any] = {"base_size": plain(order.quantity, GRAINS)}
    time = order.time.lower()
    if order.kind == "market":
        return {"market_market_ioc": terms}
    terms |= {"limit_price": plain(order.price, decimals)}
    if order.time == "GTD":
        terms |= {"end_time": stamp(order.expires_ms)}
    if order.kind in STOPS:
        down = order.kind.startswith("stop") == (order.side == "sell")
        direction = f"STOP_DIRECTION_STOP_{'DOWN' if down else 'UP'}"
        stops = {"stop_price": plain(order.trigger, decimals), "stop_direction": direction}
        return {f"stop_limit_stop_limit_{time}": terms | stops}
    if order.time == "IOC":
        return {"sor_limit_ioc": terms}
    return {f"limit_limit_{time}": terms | {"post_only": order.post}}


def fill_row(fill: Fill, decimals: int) -> dict[str, Any]:
    return {
        "entry_id": name("E", fill.id),
        "trade_id": fill.id,
        "order_id": fill.order,
        "trade_time": stamp(fill.at_ms),
        "trade_type": "FILL",
        "price": plain(fill.price, decimals),
        "size": plain(fill.quantity, GRAINS),
        "commission": plain(fill.fee, GRAINS),
        "product_id": product_of(fill.symbol),
        "sequence_timestamp": stamp(fill.at_ms),
        "liquidity_indicator": "MAKER" if fill.maker else "TAKER",
        "size_in_quote": False,
        "side": fill.side.upper(),
    }


def transaction(number: int, booking: Booking) -> dict[str, Any]:
    amount = {
        "amount": digits(booking.amount - booking.fee, GRAINS),
        "currency": booking.coin,
    }
    return {
        "id": name("L", str(number)),
        "type": "advanced_trade_fill" if booking.kind == "trade" else "send",
        "status": "completed",
        "amount": amount,
        "created_at": stamp(booking.at_ms),
        "resource": "transaction",
    }


def money(parts: int, coin: str) -> dict[str, str]:
    return {"value": plain(parts, GRAINS), "currency": coin}


def product_of(symbol: str) -> str:
    return symbol.replace("/", "-")
