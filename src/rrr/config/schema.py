"""What can be set, within which bounds, and what it means: said here and nowhere else.

The core decides in integers, so a ratio is a whole number of basis points (bps) or parts per
million (ppm); money is an exact decimal of the quote currency. Errors and docs/settings.md take
their words from here.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from rrr.core.market import INSTRUMENTS_MAX
from rrr.core.state import RECENT

from .kinds import (
    CANDLES_MAX,
    MOMENT,
    SPEED_MAX,
    FilePath,
    MarketName,
    Moment,
    Money,
    Speed,
    Symbols,
    Timeframe,
    WebAddress,
    money,
    setting,
    whole,
    yes_or_no,
)


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
    synthetic_may_open: bool | None = setting(
        None,
        "",
        "true or false",
        "Whether a candle that nobody traded may open a position; none: in the simulated market.",
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


class Guard(Section):
    """What only a clock on the wall can see: beyond it no new risk is taken until it is well."""

    lag_max_ms: int = whole(
        2_000, "ms", 50, 60_000, "How late the loop may be: decisions would come too late."
    )
    memory_max_mb: int = whole(1_500, "MB", 200, 1_000_000, "The most memory of the daemon.")
    disk_min_mb: int = whole(
        500, "MB", 1, 1_000_000, "The least free space of the home's drive: the books come first."
    )


class Train(Section):
    """How `rrr train`, and a start without a model, make one."""

    horizon_candles: int = whole(
        4, "candles", 1, 500, "How far ahead the return lies that the model learns to foresee."
    )
    history_candles: int = whole(
        8_760, "candles", 100, 1_000_000, "How much history before the market begins is asked for."
    )
    epochs: int = whole(8, "epochs", 1, 1_000, "How often it looks at each window.")
    minutes_max: int = whole(30, "minutes", 1, 1_440, "A training that takes longer is given up.")


class Logs(Section):
    """What is kept of the logs."""

    rotate_mb: int = whole(10, "MB", 1, 10_000, "A log longer than this goes to the archive.")
    kept: int = whole(20, "files", 1, 10_000, "The most archived files of each log.")


class Settings(Section):
    """What a run is made of."""

    market: MarketName | None = setting(
        None,
        "",
        "simulated, replay, or the id of an exchange such as coinbase",
        "Where candles come from; none: `replay` if there is a path, or else `simulated`.",
    )
    address: WebAddress | None = setting(
        None,
        "",
        "an address such as http://127.0.0.1:8080",
        "Where the exchange is asked instead of its own address: a proxy, a test server.",
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
    speed: Speed | None = setting(
        None,
        "× real time",
        f"max or a number above 0, at most {SPEED_MAX}",
        "How fast the market runs; none: an exchange 1, the simulated one 3600, a replay max.",
    )
    seed: int = whole(1, "", 0, 2**63 - 1, "Where all randomness begins.")
    signals: Literal["model", "baseline"] | None = setting(
        None,
        "",
        "model or baseline",
        "Who has the opinion; none: the model, in a replay the baseline, a trend of two averages.",
    )
    policy: Policy = Policy()
    risk: Risk = Risk()
    costs: Costs = Costs()
    trend: Trend = Trend()
    guard: Guard = Guard()
    train: Train = Train()
    logs: Logs = Logs()

    @property
    def source(self) -> str:
        """The market that is meant."""
        return self.market or ("replay" if self.replay else "simulated")

    @property
    def real(self) -> bool:
        """Whether the market is an exchange, which runs by itself."""
        return self.source not in ("replay", "simulated")

    @property
    def pace(self) -> float | Literal["max"]:
        """The speed that is meant."""
        usual: Mapping[str, float | Literal["max"]] = {"replay": "max", "simulated": 3_600.0}
        return self.speed or usual.get(self.source, 1.0)

    @property
    def opinion(self) -> Literal["model", "baseline"]:
        """Whose signals are meant."""
        return self.signals or ("baseline" if self.source == "replay" else "model")

    @property
    def may_open_synthetic(self) -> bool:
        asked = self.risk.synthetic_may_open
        return self.source == "simulated" if asked is None else asked

    @model_validator(mode="after")
    def _a_market_has_what_is_asked_of_it(self) -> Self:
        if self.source == "replay" and self.replay is None:
            raise _broken_rule("market is replay, and replay names no path", "market", "replay")
        if self.source != "replay" and self.replay is not None:
            raise _broken_rule(
                f"replay names recorded candles, and market is {self.source}", "market", "replay"
            )
        if self.real and self.speed not in (None, 1.0):
            raise _broken_rule(
                f"speed is {text(self.speed)}, and {self.source} runs at 1", "speed", "market"
            )
        if self.source != "replay" and (self.from_ or self.to):
            raise _broken_rule(
                f"from and to cut recorded candles, and market is {self.source}", "from", "to"
            )
        if not self.real and self.address:
            raise _broken_rule(
                f"address is an exchange's, and market is {self.source}", "address", "market"
            )
        return self

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
