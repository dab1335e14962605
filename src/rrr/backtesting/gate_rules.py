"""Every rule of the gate is a figure beside a bound, and a sentence that says why.

The bounds are those of SIGNALS §6 and §7. A check that has no figure is not passed; nothing here
weighs one against another. Sources: `sharpe` for PSR and DSR, `bootstrap` for what is better,
`break_even` for the IC that pays.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from rrr.backtesting import break_even, sharpe
from rrr.backtesting.gate_returns import Hurdles, Record, sober
from rrr.backtesting.growth import F64
from rrr.neural_network.folding import HELD_OUT

Asked: TypeAlias = Literal["≥", "≤", ">", "<"]

PPM_A_BP: Final = 100
TIMES_MIN: Final = 10  # fewer have no holdout
COMPARED: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "≥": operator.ge,
    "≤": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The bounds. Whoever loosens one measures `tests.backtesting.gate_worlds` anew."""

    deflated_min: float = 0.95
    held_out_min: float = 0.80
    held_out_ratio: float = HELD_OUT
    better_p_max: float = 0.10
    twins_passed_ratio_max: float = 0.02
    ece_max: float = 0.02
    slope_min: float = 0.75
    slope_max: float = 1.25
    drawdown_ratio_max: float = 0.25
    days_min: int = 90
    ic_max: float = break_even.HONEST
    power: float = 0.80  # at which the smallest Sharpe ratio is told
    draws: int = 1_000
    seed: int = 1


class Check(NamedTuple):
    name: str
    figure: float | None
    asked: Asked
    bound: float
    words: str

    @property
    def passed(self) -> bool:
        return self.figure is not None and COMPARED[self.asked](self.figure, self.bound)


class Calibration(NamedTuple):
    ece: float  # ten parts of equal mass
    brier_skill: float
    slope: float  # of the logit


class Terms(NamedTuple):
    """What the account pays and how far its price moves: the arithmetic of a horizon."""

    horizon_ms: int
    maker_ratio: float  # the share of fills that rested: 0 takes always
    taker_fee_ppm: float
    maker_fee_ppm: float
    half_spread_ppm: float
    slippage_ppm: float
    adverse_ppm: float  # how far the middle goes beyond an order that rested, when it is filled
    volatility: float  # the deviation of the return of a candle
    candle_ms: int

    @property
    def side_bps(self) -> float:
        """One side of a round trip."""
        takes = self.taker_fee_ppm + self.half_spread_ppm + self.slippage_ppm
        rests = self.maker_fee_ppm + self.adverse_ppm
        return (self.maker_ratio * rests + (1 - self.maker_ratio) * takes) / PPM_A_BP

    def move_bps(self, horizon_ms: int) -> float:
        return self.volatility * sqrt(horizon_ms / self.candle_ms) * 10_000


def whole(records: Mapping[str, Record], times: int) -> Check:
    """Returns that are no numbers say nothing: then no other check is made."""
    if times < TIMES_MIN:
        return Check("whole records", None, "≤", 0, f"{times:,} candles are no record")
    wrong = [
        name
        for name, one in records.items()
        if not all(np.isfinite(part).all() for part in (one.net, one.net_dear, one.hold))
    ]
    named = f": {', '.join(wrong[:3])}" if wrong else ""
    words = f"records with returns that are no numbers, of {len(records)} over {times:,} candles"
    return Check("whole records", float(len(wrong)), "≤", 0, f"{words}{named}")


def leaks(found: Mapping[str, bool]) -> Check:
    """`found`: of each leak test on the pipeline itself, whether it passed."""
    failed = [name for name, passed in found.items() if not passed]
    if not found:
        return Check("leak tests", None, "≤", 0, "no leak test was made on this pipeline")
    said = f"failed: {', '.join(failed)}" if failed else f"{', '.join(found)}: none leaks"
    return Check("leak tests", float(len(failed)), "≤", 0, said)


def deflated(record: Record, asked: Hurdles, tried: int, yearly: float, rules: Rules) -> Check:
    early = record.excess[: asked.deflated.candles]
    words = (
        f"the probability that {_ratio(early, yearly)} a year beyond the matched hold is more than "
        f"luck: the best of {tried} worthless recipes shows {asked.deflated.beyond * yearly:.2f}"
    )
    return Check(
        "deflated Sharpe", asked.deflated.probability(early), "≥", rules.deflated_min, words
    )


def held_out(record: Record, asked: Hurdles, looks: int, yearly: float, rules: Rules) -> Check:
    late = record.excess[asked.deflated.candles :]
    words = (
        f"the probability that {_ratio(late, yearly)} a year on the last {len(late):,} candles is "
        f"more than {asked.held_out.beyond * yearly:.2f}, the luck of {_times(looks, 'look')}"
    )
    return Check("holdout", asked.held_out.probability(late), "≥", rules.held_out_min, words)


def dear(record: Record, candles_a_year: float) -> Check:
    """Beyond the hold, as everything is: in a rising market anyone is above nothing."""
    a_year = float(record.excess_dear.mean()) * candles_a_year
    net = float(record.net_dear.mean()) * candles_a_year
    words = f"a year beyond the matched hold at twice the costs; with the market itself {net:+.1%}"
    return Check("twice the costs", a_year, ">", 0, words)


def better(name: str, p: float | None, rules: Rules) -> Check:
    words = f"p of doing so much better than {name} on the same candles by chance"
    if p is None:
        words = f"{name} was not measured on these candles"
    elif p >= rules.better_p_max:
        words += f"; the simpler serves: {name}"
    return Check(f"beats {name}", p, "<", rules.better_p_max, words)


def twins(name: str, passed: int, of: int, share_max: float) -> Check:
    words = f"the share of {of:,} that this gate would promote: it must see through them"
    if not of:
        return Check(name, None, "≤", share_max, "there is none to be refused")
    return Check(name, passed / of, "≤", share_max, words)


def calibrated(told: Calibration | None, rules: Rules) -> tuple[Check, ...]:
    ece, skill, slope = told if told is not None else (None, None, None)
    return (
        Check("calibration error", ece, "≤", rules.ece_max, "of probabilities, ten equal parts"),
        Check("Brier skill", skill, ">", 0, "over always saying how often it rises"),
        Check(
            "calibration slope, least",
            slope,
            "≥",
            rules.slope_min,
            "of the logit: below 1 is too sure",
        ),
        Check(
            "calibration slope, most",
            slope,
            "≤",
            rules.slope_max,
            "of the logit: above 1 is too shy",
        ),
    )


def drawdown(record: Record, rules: Rules) -> Check:
    level = np.append(1.0, np.cumprod(1 + np.maximum(record.net, -1)))
    deepest = float((1 - level / np.maximum.accumulate(level)).max())
    return Check("drawdown", deepest, "≤", rules.drawdown_ratio_max, "the deepest fall of equity")


def track_record(record: Record, candles_a_year: float, rules: Rules) -> tuple[Check, ...]:
    """MinTRL (Bailey and López de Prado, 2012) against nothing, at 95 %."""
    days = len(record.net) / candles_a_year * break_even.YEAR / break_even.DAY
    of = sharpe.moments(record.excess)
    needed = None if of is None else sharpe.days_needed(sober(of))
    spare = None if needed is None else len(record.net) - needed
    words = "no record tells this from nothing"
    if needed is not None:
        words = f"candles beyond the {needed:,.0f} that tell this Sharpe ratio from nothing"
    return (
        Check("days", days, "≥", rules.days_min, "nothing yearly is said of fewer"),
        Check("minimum track record", spare, "≥", 0, words),
    )


def horizon(terms: Terms, rules: Rules) -> Check:
    """IC = √(π/2)·c/σ_h: at which trading the sign of every forecast breaks even.

    >>> minute = Terms(60_000, 0, 12_000, 6_000, 250, 250, 0, 0.00055, 60_000)
    >>> found = horizon(minute, Rules())
    >>> found.passed, round(found.figure, 1)
    (False, 28.5)
    """
    side, move = terms.side_bps, terms.move_bps(terms.horizon_ms)
    if not move > 0:
        return Check("break-even IC", None, "≤", rules.ic_max, "the price does not move")
    least = break_even.break_even_ic(2 * side, move)
    share = terms.maker_ratio
    who = f"who rests for {share:.0%} of it" if 0 < share < 1 else "a maker" if share else "a taker"
    words = (
        f"{who} pays {side:.1f} bps a side and the price moves {move:.1f} bps in "
        f"{_span(terms.horizon_ms)}: 1.25 × {side:.1f} ÷ {move:.1f} = {least:.3g}"
    )
    if least > rules.ic_max:
        yearly = terms.move_bps(break_even.YEAR)
        days = break_even.pays_from_days(2 * side, yearly, rules.ic_max)
        words += (
            f"; no honest forecast of candles has more than {rules.ic_max:.2f}, which pays from "
            f"{_span(days * break_even.DAY)} on"
        )
    return Check("break-even IC", least, "≤", rules.ic_max, words)


def _ratio(returns: F64, yearly: float) -> str:
    of = sharpe.moments(returns)
    return "nothing" if of is None else f"{of.sharpe * yearly:.2f}"


def _times(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _span(ms: float) -> str:
    """
    >>> _span(60_000), _span(6 * 3_600_000), _span(20 * 86_400_000)
    ('1 minute', '6 hours', '20 days')
    """
    for name, unit in (("day", break_even.DAY), ("hour", 60 * break_even.MINUTE)):
        if ms >= unit:
            return _times(round(ms / unit), name)
    return _times(max(round(ms / break_even.MINUTE), 1), "minute")
