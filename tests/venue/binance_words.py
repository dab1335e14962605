"""Refusals, deposits and withdrawals in the words of Binance's REST."""

from collections.abc import Mapping
from typing import Any, Final

from tests.venue.accounts import Booking
from tests.venue.keys import KEYS
from tests.venue.refusals import No
from tests.venue.tape import GRAINS
from tests.venue.wire import digits, stamp

AHEAD_MS: Final = 1_000

REFUSALS: Final = {
    No.SYMBOL: (-1121, "Invalid symbol."),
    No.CANCEL_ONLY: (-1013, "Market is closed."),
    No.PRICE: (-1013, "Filter failure: PRICE_FILTER"),
    No.QUANTITY: (-1013, "Filter failure: LOT_SIZE"),
    No.QUANTITY_MIN: (-1013, "Filter failure: LOT_SIZE"),
    No.NOTIONAL_MIN: (-1013, "Filter failure: NOTIONAL"),
    No.FUNDS: (-2010, "Account has insufficient balance for requested action."),
    No.DUPLICATE: (-2010, "Duplicate order sent."),
    No.TOO_MANY: (-1013, "Filter failure: MAX_NUM_ORDERS"),
    No.POST_ONLY: (-2010, "Order would immediately match and take."),
    No.LATE: (-2010, "Stop price would trigger immediately."),
    No.UNKNOWN: (-2011, "Unknown order sent."),
    No.TERMS: (-1106, "Parameter sent when not required."),
}


def refusal(
    name: str, signed: str, signature: str, said: Mapping[str, str], needs: str, now_ms: int
) -> dict[str, Any] | None:
    """Of whoever signs wrongly, at another time, or for what his key may not."""
    key, sent_ms = KEYS.get(name), int(said.get("timestamp", "0"))
    if key is None or needs not in key.may:
        words = "Invalid API-key, IP, or permissions for action."
        return {"code": -2015, "words": words, "status": 401}
    if signature != key.plain_signature(signed):
        words = "Signature for this request is not valid."
        return {"code": -1022, "words": words, "status": 400}
    if sent_ms > now_ms + AHEAD_MS:
        words = "Timestamp for this request was 1000ms ahead of the server's time."
        return {"code": -1021, "words": words, "status": 400}
    if sent_ms < now_ms - int(said.get("recvWindow", "5000")):
        words = "Timestamp for this request is outside of the recvWindow."
        return {"code": -1021, "words": words, "status": 400}
    return None


def deposit(booking: Booking) -> dict[str, Any]:
    return _moved(booking) | {
        "amount": digits(booking.amount, GRAINS),
        "status": 1,
        "addressTag": "",
        "insertTime": booking.at_ms,
        "confirmTimes": "1/1",
        "unlockConfirm": 0,
        "walletType": 0,
    }


def withdrawal(booking: Booking) -> dict[str, Any]:
    """Its fee is beside the amount; its time has no zone, and is of UTC."""
    return _moved(booking) | {
        "amount": digits(-booking.amount, GRAINS),
        "transactionFee": digits(booking.fee, GRAINS),
        "status": 6,
        "applyTime": stamp(booking.at_ms)[:19].replace("T", " "),
    }


def _moved(booking: Booking) -> dict[str, Any]:
    return {
        "id": booking.ref,
        "coin": booking.coin,
        "network": booking.coin,
        "address": "elsewhere",
        "txId": f"chain-{booking.ref}",
        "transferType": 0,
    }
