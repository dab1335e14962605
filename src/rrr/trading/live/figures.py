"""What a venue writes becomes whole numbers, exactly; what is none is refused by its name."""

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, Final

from rrr.core.errors import DataError

Raw = Mapping[str, Any]

UNTOLD: Final = -1  # nobody said
ADVICE: Final = "Nothing was booked from it: look at it on the venue, and report it."
MOST: Final = 1 << 62  # beyond it no integer of the house counts


def told(raw: Raw, key: str, decimals: int, what: str) -> int:
    """UNTOLD where the venue says nothing of it."""
    return UNTOLD if raw.get(key) is None else floor(raw[key], decimals, f"{key!r} of {what}")


def text(raw: Raw, key: str, what: str) -> str:
    value = raw.get(key)
    if value is None or value == "":
        raise DataError(f"{what[0].upper()}{what[1:]} comes without {key!r}.", ADVICE)
    return str(value)


def stamp(raw: Raw, what: str) -> int:
    at_ms = raw.get("timestamp")
    if not isinstance(at_ms, int):
        raise DataError(f"The venue does not say when {what} was.", ADVICE)
    return at_ms


def exact(value: object, what: str) -> Decimal:
    """Exactly what is written: a float stands for its shortest text."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > MOST:
        raise DataError(f"The venue says {value!r} for {what}.", ADVICE)
    return number


def positive(value: object, what: str) -> Decimal:
    number = exact(value, what)
    if number <= 0:
        raise DataError(f"The venue says {value!r} for {what}.", ADVICE)
    return number


def floor(value: object, decimals: int, what: str) -> int:
    return whole(exact(value, what), decimals, ROUND_FLOOR)


def whole(number: Decimal, decimals: int, rounding: str) -> int:
    """
    >>> whole(Decimal("0.123456789"), 8, ROUND_FLOOR)
    12345678
    """
    whole = int(number.scaleb(decimals).to_integral_value(rounding))
    if abs(whole) > MOST:
        raise DataError(f"The venue says {number}: more than anybody can count here.", ADVICE)
    return whole
