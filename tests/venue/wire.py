"""What a venue writes is JSON whose numbers keep their zeros and whose times have their zone."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

JSON: Final = "application/json"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Answer(NamedTuple):
    """To a request."""

    body: str
    status: int = 200
    headers: Mapping[str, str] = {}
    kind: str = JSON


class Asked(NamedTuple):
    """A request for what is somebody's own; without a body, its query counts as one."""

    method: str
    path: str
    said: Mapping[str, str]
    headers: Mapping[str, str]
    body: str


def decimal(units: int, decimals: int) -> Decimal:
    """
    >>> decimal(1_050, 2)
    Decimal('10.50')
    """
    return Decimal(units).scaleb(-decimals)


def digits(units: int, decimals: int, more: int = 0) -> str:
    """As text, with so many zeros more than it needs.

    >>> digits(1_050, 2), digits(1, 8), digits(1_050, 2, 3)
    ('10.50', '0.00000001', '10.50000')
    """
    return f"{Decimal(units).scaleb(-decimals):.{decimals + more}f}"


def units(written: str, decimals: int) -> int:
    """As text says it; raise ValueError where that is no number, or finer.

    >>> units("10.5", 2), units("1e-8", 8)
    (1050, 1)
    """
    try:
        number = Decimal(written).scaleb(decimals)
        whole = int(number)
    except (ArithmeticError, ValueError) as error:
        raise ValueError(f"{written!r} is no number") from error
    if number != whole:
        raise ValueError(f"{written!r} has more than {decimals} decimals")
    return whole


def text(message: Any) -> str:
    """
    >>> text({"qty": Decimal("0.10"), "symbol": "BTC/USD"})
    '{"qty":0.10,"symbol":"BTC/USD"}'
    """
    written = json.dumps(message, default=_marked, separators=(",", ":"))
    return written.replace('"\\u0000', "").replace('\\u0000"', "")


def stamp(at_ms: int, zeros: int = 3) -> str:
    """RFC 3339, with so many digits after the milliseconds.

    >>> stamp(1_704_110_400_007)
    '2024-01-01T12:00:00.007000Z'
    """
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1_000:03}{'0' * zeros}Z"


def http_date(at_ms: int) -> str:
    """
    >>> http_date(1_704_110_400_000)
    'Mon, 01 Jan 2024 12:00:00 GMT'
    """
    return f"{_EPOCH + timedelta(milliseconds=at_ms):%a, %d %b %Y %H:%M:%S} GMT"


def _marked(number: object) -> str:
    assert isinstance(number, Decimal), f"{number!r} cannot be written"
    return f"\0{number:f}\0"
