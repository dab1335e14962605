"""The parts of the settings: what earns a position, what limits it, what trading is said to cost.

Each class is a section of the file, each field a setting; its words are those of errors and of
docs/settings.md.
"""

from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from rrr.core.market import INSTRUMENTS_MAX
from rrr.core.state import RECENT

from .kinds import (
    Coins,
    MarketName,
    Money,
    Profile,
    Strategy,
    Symbols,
    Timeframe,
    cap,
    coins,
    money,
    setting,
    whole,
    yes_or_no,
)

if TYPE_CHECKING:
    from .venue_costs import CostProfile


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
        100,
        "bps",
        0,
        5_000,
        "How far beyond the last price an order that takes may fill; 0: a bare market order.",
    )
    stop_bps: int = whole(
        300, "bps", 1, 9_999, "How far below its entry the stop of a position rests."
    )
    target_bps: int = whole(
        900, "bps", 1, 100_000, "How far above its entry the target of a position is watched."
    )
    sizing: Literal["volatility", "equity", "units"] = setting(
        "volatility",
        "",
        "volatility, equity or units",
        "What a full conviction holds: so much volatility, a share of equity, or `unit` coins.",
    )
    unit: Coins = coins("1", "The coins that a full conviction holds where sizing is units.")
    entry: Literal["take", "maker"] = setting(
        "take",
        "",
        "take or maker",
        "Whether a purchase takes at once, or first rests as a post-only limit.",
    )
    maker_offset_bps: int = whole(
        5, "bps", 0, 1_000, "How far below the last price a purchase that is a maker rests."
    )
    patience_candles: int = whole(
        2, "candles", 1, 10_000, "How long a purchase that is a maker rests before it is over."
    )
    chase: bool = yes_or_no(
        True, "Whether the next purchase takes, once one has rested in vain; or it rests again."
    )
    fill_or_kill: bool = yes_or_no(
        False, "Whether a purchase that takes fills whole or not at all; or in part."
    )
    stop_limit_bps: int = whole(
        0, "bps", 0, 9_999, "How far below its trigger a stop may fill; 0: at any price."
    )
    trail_bps: int = whole(
        0, "bps", 0, 9_999, "How far below the best price since its entry a stop follows; 0: none."
    )
    target: Literal["watched", "rests"] = setting(
        "watched",
        "",
        "watched or rests",
        "Whether the target is taken when a close reaches it, or rests beside the stop as an OCO.",
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
    late_ms: int = whole(
        60_000,
        "ms",
        1_000,
        86_400_000,
        "A close of a real market that is known only so long after its time opens nothing.",
    )
    synthetic_may_open: bool | None = setting(
        None,
        "",
        "true or false",
        "Whether a candle that nobody traded may open a position; none: in the simulated market.",
    )


class Costs(Section):
    """What the paper venue charges."""

    profile: Profile | None = setting(
        None,
        "",
        "a venue, with its tier if not the first, such as kraken or coinbase:tier3",
        "Whose fees and spreads stand where nothing below says otherwise; none: those below.",
    )
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

    _profile: "CostProfile | None" = PrivateAttr(default=None)

    def under(self, profile: "CostProfile", chosen: frozenset[str]) -> Self:
        """The same, where the profile says what none of these names does."""
        made = self.model_construct(_fields_set=set(chosen), **self.model_dump())
        made._profile = profile
        return made

    def of(self, symbol: str) -> Self:
        """What trading this instrument costs."""
        if self._profile is None:
            return self
        rates = asdict(self._profile.rates(symbol))
        said = {name: rate for name, rate in rates.items() if name not in self.model_fields_set}
        return self.model_copy(update=said)


class Fills(Section):
    """What the paper venue, and a backtest, assume of fills that never happened."""

    model: Literal["candle", "touch"] = setting(
        "candle",
        "",
        "candle or touch",
        "What fills an order: candles, or the touches, prints and depths that a market brings.",
    )
    latency_ms: int = whole(
        250, "ms", 0, 86_400_000, "How long an order takes to the venue; the price moves meanwhile."
    )
    participation_ppm: int = whole(
        100_000, "ppm", 0, 1_000_000, "The share of a candle's volume that is ours at most; 0: all."
    )
    touch_share_ppm: int = whole(
        0, "ppm", 0, 1_000_000, "The share of a resting order that fills where it is only touched."
    )
    detail: Timeframe | None = setting(
        None,
        "",
        f"one of {', '.join(get_args(Timeframe))}",
        "A finer timeframe that decides what happened inside a candle; none: the worse happened.",
    )


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
            raise broken_rule(
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
    epochs: int = whole(
        16, "epochs", 1, 1_000, "How often it looks at each lesson; `--quick` half as often."
    )
    patience_epochs: int = whole(
        0,
        "epochs",
        0,
        1_000,
        "After so many that were no better it stops and keeps the best; 0: it learns them all.",
    )
    minutes_max: int = whole(30, "minutes", 1, 1_440, "A training that takes longer is given up.")
    every_hours: Annotated[int, Field(ge=0, le=100_000)] | None = setting(
        None,
        "hours",
        "a whole number from 0 to 100000",
        "Another model is made after so long, or once it drifted; 0: never, none: a day, of an"
        " exchange's candles of an hour or more.",
    )
    gap_hours: int = whole(
        6, "hours", 1, 100_000, "The least time between two trainings, whatever drifts or fails."
    )


class Shadows(Section):
    """Paper books beside the principal: what luck, holding and noise make of the same market."""

    enabled: bool | None = setting(
        None,
        "",
        "true or false",
        "Whether they run; none: where a model or strategy trades at a human pace.",
    )


class Logs(Section):
    """What is kept of the logs."""

    rotate_mb: int = whole(10, "MB", 1, 10_000, "A log longer than this goes to the archive.")
    kept: int = whole(20, "files", 1, 10_000, "The most archived files of each log.")


class Live(Section):
    """What real money needs before it moves; docs/live.md says how it is armed."""

    enabled: bool = yes_or_no(False, "Whether `--mode live` may trade real money at all.")
    venue: MarketName | None = setting(
        None, "", "the id of an exchange such as kraken", "Where live orders go; none: nowhere."
    )
    sandbox: bool = yes_or_no(
        False, "Whether the venue's test network is meant, with keys of its own."
    )
    instruments: Symbols = setting(
        (),
        "",
        f"instruments such as BTC-USD, each once, at most {INSTRUMENTS_MAX}",
        "The only instruments that are ever ordered; none: none.",
    )
    keys: Literal["file", "keychain"] = setting(
        "file",
        "",
        "file or keychain",
        "Where its keys are: config/api_keys/VENUE.toml, or the keychain of macOS.",
    )
    unbound_keys: bool = yes_or_no(
        False, "Whether keys are taken that work from any address on the internet."
    )
    dedicated: bool = yes_or_no(
        False,
        "Whether all money in the account is the book's, so that deposits add to it;"
        " if not, only `capital` is.",
    )
    crash_starts_max: int = whole(
        5, "starts", 1, 10_000, "So many starts in ten minutes without an end halt the book."
    )
    orders_per_minute_max: Annotated[int, Field(ge=1, le=RECENT)] | None = setting(
        None,
        "orders",
        f"a whole number from 1 to {RECENT}",
        "A cap on opening orders within any minute; none: not armed.",
    )
    order_notional_max: Money | None = cap("A cap on what one order may buy; none: not armed.")
    day_notional_max: Money | None = cap(
        "A cap on what all orders of 24 hours may buy; none: not armed."
    )
    ramp_round_trips: int = whole(
        30, "round trips", 1, 10_000, "So many are booked, each small, before the caps above count."
    )
    ramp_notional_max: Money | None = cap(
        "What one order may buy until then, just above the venue's minimum; none: not armed."
    )
    unproven_strategy: Strategy | None = setting(
        None,
        "",
        "what `signals` says, word for word",
        "A strategy that trades real money although it passed no gate; none: none does.",
    )
    unproven_venue: MarketName | None = setting(
        None,
        "",
        "what `live.venue` says",
        "A venue that is trusted with real money although nobody proved it here; none: none is.",
    )

    @model_validator(mode="after")
    def _a_cap_is_within_the_next(self) -> Self:
        caps = ("ramp_notional_max", "order_notional_max", "day_notional_max")
        given = [(name, value) for name in caps if (value := getattr(self, name)) is not None]
        for (small, least), (large, most) in pairwise(given):
            if least > most:
                raise broken_rule(
                    f"live.{small} ({least}) is above live.{large} ({most})",
                    f"live.{small}",
                    f"live.{large}",
                )
        return self


def broken_rule(sentence: str, *names: str) -> PydanticCustomError:
    """Two settings that are good alone and not together."""
    return PydanticCustomError("broken_rule", "{sentence}", {"sentence": sentence, "names": names})
