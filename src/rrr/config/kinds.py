"""What a kind of setting is: its unit, what is allowed, and how text becomes a value.

Every source speaks text; each mistake here is told with the words of `setting`.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from rrr.core.market import INSTRUMENTS_MAX

MONEY_MAX: Final = 100_000_000  # of the quote: in the core's 2⁵⁶ quanta it can still grow
SPEED_MAX: Final = 1_000_000
CANDLES_MAX: Final = 1_000_000_000
MOMENT: Final = "a date or moment such as 2024-01-31 or 2024-01-31T12:00:00Z, from 1971 on"

Timeframe = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]


def setting(
    default: object, unit: str, allowed: str, meaning: str, *, alias: str | None = None
) -> Any:
    words: dict[str, Any] = {"unit": unit, "allowed": allowed}
    return Field(default, description=meaning, json_schema_extra=words, alias=alias)


def whole(default: int, unit: str, least: int, most: int, meaning: str) -> Any:
    words: dict[str, Any] = {"unit": unit, "allowed": f"a whole number from {least} to {most}"}
    return Field(default, ge=least, le=most, description=meaning, json_schema_extra=words)


def yes_or_no(default: bool, meaning: str) -> Any:
    return setting(default, "", "true or false", meaning)


def money(default: str, meaning: str) -> Any:
    allowed = f"an amount from 1 to {MONEY_MAX} with at most 8 decimals"
    return setting(Decimal(default), "quote", allowed, meaning)


def cap(meaning: str) -> Any:
    allowed = f"an amount from 1 to {MONEY_MAX} with at most 8 decimals"
    return setting(None, "quote", allowed, meaning)


def coins(default: str, meaning: str) -> Any:
    allowed = f"an amount above 0, at most {MONEY_MAX}, with at most 8 decimals"
    return setting(Decimal(default), "base", allowed, meaning)


def _instruments(given: object) -> object:
    """
    >>> _instruments("btc/usd, ETH-USD")
    ('BTC-USD', 'ETH-USD')
    """
    if given is None:
        return ()
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, Iterable) or isinstance(parts, Mapping):
        raise ValueError("not a list")
    names = tuple(str(part).strip().upper().replace("/", "-") for part in parts)
    if len(set(names)) < len(names):
        raise ValueError("named twice")
    return names


def _moment(given: object) -> object:
    """A moment without a zone is UTC.

    >>> str(_moment("2024-01-01"))
    '2024-01-01 00:00:00+00:00'
    """
    if given is None:
        return None
    moment = datetime.fromisoformat(str(given))
    # Years at either end of the calendar leave it on the way to UTC.
    if not 1970 < moment.year < 9999:
        raise ValueError("before the first candle or after the last")
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _findable(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("no file has such a name")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("nobody's home") from error


def _plain(amount: Decimal) -> Decimal:
    """
    >>> _plain(Decimal("1E+5")), _plain(Decimal("10.50"))
    (Decimal('100000'), Decimal('10.5'))
    """
    return Decimal(f"{amount.normalize():f}")


Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}(-[A-Z0-9]{1,20}){1,2}$")]
Symbols = Annotated[
    tuple[Symbol, ...], Field(max_length=INSTRUMENTS_MAX), BeforeValidator(_instruments)
]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Money = Annotated[Decimal, Field(ge=1, le=MONEY_MAX, decimal_places=8), AfterValidator(_plain)]
Coins = Annotated[Decimal, Field(gt=0, le=MONEY_MAX, decimal_places=8), AfterValidator(_plain)]
FilePath = Annotated[Path, AfterValidator(_findable)]
MarketName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,30}$")]
WebAddress = Annotated[str, Field(pattern=r"^https?://[\w.:\[\]-]+(/[\w./-]*)?$", max_length=200)]
Strategy = Annotated[str, Field(pattern=r"^[^\s,:][^\r\n]*$", max_length=500)]
Profile = Annotated[str, Field(pattern=r"^[A-Za-z]\w*(:[\w .,-]*)?$", max_length=60)]
Speed = Literal["max"] | Annotated[float, Field(gt=0, le=SPEED_MAX, allow_inf_nan=False)]
