"""What can be set, within which bounds, and what it means: said here and nowhere else.

The core decides in integers, so a ratio is a whole number of basis points (bps) or parts per
million (ppm); money is an exact decimal of the quote currency. Errors and docs/settings.md take
their words from here.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import Field, ValidationInfo, model_validator
from pydantic.fields import FieldInfo

from rrr.core.market import INSTRUMENTS_MAX

from .abstain import Abstain
from .gate import Gate
from .kinds import (
    CANDLES_MAX,
    MOMENT,
    SPEED_MAX,
    FilePath,
    MarketName,
    Moment,
    Money,
    Speed,
    Strategy,
    Symbols,
    Timeframe,
    WebAddress,
    money,
    setting,
    whole,
    yes_or_no,
)
from .sections import (
    Costs,
    Fills,
    Guard,
    Live,
    Logs,
    Policy,
    Risk,
    Section,
    Shadows,
    Train,
    Trend,
    broken_rule,
)

PAST: Final = "past"  # in the context of a validation: the run is over the past, of any market


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
    record: bool = yes_or_no(
        False, "Whether all that an exchange says is kept in data/recordings, to be replayed."
    )
    depth_levels: int = whole(
        0,
        "levels",
        0,
        25,
        "How deep a verified order book of each instrument is kept, of an exchange; 0: none.",
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
    signals: Strategy | None = setting(
        None,
        "",
        "model, baseline, or a strategy such as breakout or moving-average-cross:fast=10,slow=50",
        "Who has the opinion; none: the model, in a replay the baseline, a trend of two averages.",
    )
    policy: Policy = Policy()
    risk: Risk = Risk()
    costs: Costs = Costs()
    fills: Fills = Fills()
    trend: Trend = Trend()
    guard: Guard = Guard()
    train: Train = Train()
    abstain: Abstain = Abstain()
    gate: Gate = Gate()
    shadows: Shadows = Shadows()
    logs: Logs = Logs()
    live: Live = Live()

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
    def opinion(self) -> str:
        """Whose signals are meant."""
        return self.signals or ("baseline" if self.source == "replay" else "model")

    @property
    def may_open_synthetic(self) -> bool:
        asked = self.risk.synthetic_may_open
        return self.source == "simulated" if asked is None else asked

    @model_validator(mode="after")
    def _a_market_has_what_is_asked_of_it(self, info: ValidationInfo) -> Self:
        if self.source == "replay" and self.replay is None:
            raise broken_rule("market is replay, and replay names no path", "market", "replay")
        if self.source != "replay" and self.replay is not None:
            raise broken_rule(
                f"replay names recorded candles, and market is {self.source}", "market", "replay"
            )
        if self.real and self.speed not in (None, 1.0):
            raise broken_rule(
                f"speed is {text(self.speed)}, and {self.source} runs at 1", "speed", "market"
            )
        given = info.context or ()
        if self.source != "replay" and PAST not in given and (self.from_ or self.to):
            raise broken_rule(
                f"from and to cut recorded candles, and market is {self.source}", "from", "to"
            )
        if not self.real and self.address:
            raise broken_rule(
                f"address is an exchange's, and market is {self.source}", "address", "market"
            )
        for name in ("record", "depth_levels") if not self.real and PAST not in given else ():
            if getattr(self, name):
                raise broken_rule(
                    f"{name} is of what an exchange says, and market is {self.source}",
                    name,
                    "market",
                )
        return self

    @model_validator(mode="after")
    def _time_runs_forwards(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise broken_rule(
                f"to ({text(self.to)}) is not after from ({text(self.from_)})", "from", "to"
            )
        return self


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
