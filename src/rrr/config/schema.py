"""What can be set, within which bounds, and what it means: said here and nowhere else.

The core decides in integers, so a ratio is a whole number of basis points (bps) or parts per
million (ppm); money is an exact decimal of the quote currency. Every source speaks text, and this
file reads it. Errors and docs/settings.md take their words from it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from rrr.core.market import INSTRUMENTS_MAX
from rrr.core.state import RECENT

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
FilePath = Annotated[Path, AfterValidator(_findable)]
Speed = Literal["max"] | Annotated[float, Field(gt=0, le=SPEED_MAX, allow_inf_nan=False)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Policy(Section):
    """How large a position the signal earns."""

    volatility_target_bps: int = whole(
        4_000, "bps", 1, 100_000, "Yearly volatility that an instrument's full conviction aims for."
    )
    conviction_min_bps: int = whole(
        1_000, "bps", 0, 10_000, "A signal with less conviction than this wishes to be flat."
    )
    band_bps: int = whole(
        2_500, "bps", 0, 10_000, "A change under this share of wish or holding, the larger, waits."
    )
    collar_bps: int = whole(
        100, "bps", 1, 5_000, "How far beyond the touch an order that takes liquidity may fill."
    )
    stop_bps: int = whole(
        300, "bps", 1, 9_999, "How far below its entry the stop of a position rests."
    )
    target_bps: int = whole(
        900, "bps", 1, 100_000, "How far above its entry the target of a position is watched."
    )
    warmup_candles: int = whole(
        240, "candles", 2, 10_000, "An instrument is bought only after this many closed candles."
    )


class Risk(Section):
    """What no order may break, whoever wishes it."""

    exposure_max_bps: int = whole(
        3_000, "bps", 1, 10_000, "The most of the equity that one instrument may hold."
    )
    gross_max_bps: int = whole(
        9_500, "bps", 1, 10_000, "The most of the equity that all instruments together may hold."
    )
    book_volatility_max_bps: int = whole(
        6_000, "bps", 1, 100_000, "The most yearly volatility of all positions taken as one."
    )
    orders_per_minute_max: int = whole(
        10, "orders", 1, RECENT, "The most opening orders within any minute."
    )
    order_notional_max: Money = money("50000", "The most that one order may buy.")
    loss_24h_max_bps: int = whole(
        600, "bps", 1, 10_000, "A larger loss of equity over a rolling 24 hours opens nothing more."
    )
    drawdown_max_bps: int = whole(
        2_500, "bps", 1, 10_000, "A larger fall of equity from its peak halts the book."
    )
    cooldown_minutes: int = whole(
        240, "minutes", 0, 43_200, "How long an instrument is left alone after its stop filled."
    )
    stale_candles: int = whole(
        2, "candles", 1, 1_000, "An instrument whose last candle is older than this opens nothing."
    )
    synthetic_may_open: bool = yes_or_no(
        False, "Whether a candle that nobody traded may open a position."
    )


class Costs(Section):
    """What the paper venue charges."""

    maker_fee_ppm: int = whole(
        1_000, "ppm", -1_000, 100_000, "The fee of an order that rested; below zero a rebate."
    )
    taker_fee_ppm: int = whole(1_000, "ppm", 0, 100_000, "The fee of an order that took liquidity.")
    half_spread_ppm: int = whole(
        50, "ppm", 0, 100_000, "How far from the middle the best bid and the best ask lie."
    )
    slippage_ppm: int = whole(
        100, "ppm", 0, 100_000, "How much worse than the touch an order fills that takes."
    )
    fee_in_base: bool = yes_or_no(False, "Whether a purchase pays its fee in the coin it bought.")


class Trend(Section):
    """The baseline signal: two averages of the close."""

    fast_candles: int = whole(48, "candles", 2, 9_999, "The length of the fast average.")
    slow_candles: int = whole(
        240, "candles", 3, 10_000, "The length of the slow average; longer than the fast one."
    )
    full_swings: int = whole(
        4, "swings", 1, 1_000, "Distance of the averages, in mean candle moves, of full conviction."
    )

    @model_validator(mode="after")
    def _the_slow_average_is_the_longer_one(self) -> Self:
        if self.fast_candles >= self.slow_candles:
            raise _broken_rule(
                f"trend.slow_candles ({self.slow_candles}) is not above "
                f"trend.fast_candles ({self.fast_candles})",
                "trend.fast_candles",
                "trend.slow_candles",
            )
        return self


class Settings(Section):
    """What a run is made of."""

    market: Literal["replay"] = setting(
        "replay", "", "replay", "Where the events come from: `replay` reads recorded candles."
    )
    replay: FilePath | None = setting(
        None, "", "a path", "The recorded candles: a parquet or CSV file, or a tree of them."
    )
    symbols: Symbols = setting(
        (),
        "",
        f"instruments such as BTC-USD, each once, at most {INSTRUMENTS_MAX}",
        "The instruments; none means all that the market has.",
    )
    timeframe: Timeframe = setting(
        "1h", "", f"one of {', '.join(get_args(Timeframe))}", "The interval of one candle."
    )
    from_: Moment = setting(
        None, "UTC", MOMENT, "Candles that open before it are left out.", alias="from"
    )
    to: Moment = setting(None, "UTC", MOMENT, "Candles that open at it or later are left out.")
    candles: Annotated[int, Field(ge=1, le=CANDLES_MAX)] | None = setting(
        None,
        "candles",
        f"a whole number from 1 to {CANDLES_MAX}",
        "Stop after this many closing times; none means all.",
    )
    capital: Money = money("10000", "The quote currency that a new book begins with.")
    speed: Speed = setting(
        "max",
        "× real time",
        f"max or a number above 0, at most {SPEED_MAX}",
        "How fast a replay runs: 1 as it was, 60 an hour in a minute, max without waiting.",
    )
    seed: int = whole(1, "", 0, 2**63 - 1, "Where all randomness begins.")
    signals: Literal["baseline"] = setting(
        "baseline", "", "baseline", "Who has the opinion: `baseline` is the trend of two averages."
    )
    policy: Policy = Policy()
    risk: Risk = Risk()
    costs: Costs = Costs()
    trend: Trend = Trend()

    @model_validator(mode="after")
    def _time_runs_forwards(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise _broken_rule(
                f"to ({text(self.to)}) is not after from ({text(self.from_)})", "from", "to"
            )
        return self


def _broken_rule(sentence: str, *names: str) -> PydanticCustomError:
    """Two settings that are good alone and not together."""
    return PydanticCustomError("broken_rule", "{sentence}", {"sentence": sentence, "names": names})


def words(name: str) -> tuple[str, str, str]:
    """The unit of a setting, what is allowed, and what it means.

    >>> words("risk.exposure_max_bps")[:2]
    ('bps', 'a whole number from 1 to 10000')
    """
    field = FIELDS[name]
    assert isinstance(field.json_schema_extra, dict)
    assert field.description is not None
    extra = field.json_schema_extra
    return str(extra["unit"]), str(extra["allowed"]), field.description


def text(value: object) -> str:
    """A value as a person would write it.

    >>> text(("BTC-USD", "ETH-USD")), text(True), text(None)
    ('BTC-USD,ETH-USD', 'true', '')
    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(text, value))
        case list():
            return f"[{text(tuple(value))}]"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)


def flat(settings: Settings, mode: Literal["python", "json"] = "python") -> dict[str, object]:
    """Every setting by its dotted name, in the order of the schema."""
    answer: dict[str, object] = {}
    for name, value in settings.model_dump(mode=mode).items():
        if isinstance(value, dict):
            answer |= {f"{name}.{inner}": part for inner, part in value.items()}
        else:
            answer[name] = value
    return answer


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    for name, field in Settings.model_fields.items():
        if name in SECTIONS:
            yield from ((f"{name}.{inner}", f) for inner, f in SECTIONS[name].model_fields.items())
        else:
            yield field.alias or name, field


SECTIONS: Final[Mapping[str, type[Section]]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
FIELDS: Final[Mapping[str, FieldInfo]] = dict(_fields())
