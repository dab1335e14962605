"""Nothing serves that could be luck, beta, a leak or a cost left out.

A candidate enters as plain arrays, with its twins, its rivals and what the trial ledger counts; a
verdict leaves: every rule with its figure, its bound and its reason, the smallest Sharpe ratio that
this test could have seen, and how many months more it takes at the ratio that is shown. PBO and SPA
are reported and never decide: the one calls many that are equally good overfit, the other promoted
noise in a tenth of its worlds (SIGNALS §6B). A gate lowers the odds of noise; it proves nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from rrr.backtesting import bootstrap, gate_rules, sharpe
from rrr.backtesting.gate_returns import (
    Hurdles,
    Ledger,
    Record,
    candles_needed,
    hurdles,
    smallest_ratio,
)
from rrr.backtesting.gate_rules import Calibration, Check, Rules, Terms
from rrr.backtesting.growth import F64
from rrr.backtesting.sharpe import Moments
from rrr.backtesting.walk_overfitting import overfitting

Kind: TypeAlias = Literal["ridge", "boosting", "network"]

RIVALS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "ridge": ("champion",),
    "boosting": ("champion", "ridge"),
    "network": ("champion", "ridge", "boosting"),
}
MONTHS: Final = 12
USUAL: Final = Rules()


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """All that is known of a candidate; every record covers the same candles."""

    kind: Kind
    record: Record
    random: Sequence[Record]  # entries at random, of equal turnover
    always_long: Record
    rivals: Mapping[str, Record]  # "champion", "ridge", "boosting"
    ledger: Ledger
    calibration: Calibration | None
    leaks: Mapping[str, bool]  # of each leak test, whether it passed
    terms: Terms
    candles_a_year: float
    trials: F64 | None = None  # (recipes, times) beyond their holds: only reported

    @property
    def times(self) -> int:
        return len(self.record.net)

    def records(self) -> dict[str, Record]:
        rows = {f"random {n}": one for n, one in enumerate(self.random)}
        return {"candidate": self.record, "always long": self.always_long, **self.rivals, **rows}


@dataclass(frozen=True, slots=True)
class Verdict:
    passed: bool
    checks: tuple[Check, ...]
    sharpe: float | None  # of a year, beyond the matched hold
    sharpe_smallest: float | None  # of a year, that would have been seen at the power asked
    months: float
    months_left: float | None  # at the Sharpe ratio shown; None: it never will be seen
    reported: Mapping[str, float | str]  # never deciding

    @property
    def refusals(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "checks": [check._asdict() | {"passed": check.passed} for check in self.checks],
            "sharpe": self.sharpe,
            "sharpe_smallest": self.sharpe_smallest,
            "months": self.months,
            "months_left": self.months_left,
            "reported": dict(self.reported),
        }


def judge(case: Case, rules: Rules = USUAL) -> Verdict:
    """Every rule is asked, that a person may see all; only records that are no numbers end it."""
    records, times = case.records(), case.times
    for one in records.values():
        assert len(one.net) == len(one.net_dear) == len(one.hold) == times
    assert case.ledger.tried >= max(case.ledger.prior, 1) and case.ledger.looks >= 1
    assert case.candles_a_year > 0
    months = times / case.candles_a_year * MONTHS
    whole = gate_rules.whole(records, times)
    if not whole.passed:
        return Verdict(False, (whole,), None, None, months, None, {})

    asked = asked_of(times, case.ledger, rules)
    checks = (whole, *_checks(case, asked, rules))
    yearly = sqrt(case.candles_a_year)
    shown = sharpe.moments(case.record.excess) or Moments(times, 0.0, 0.0, 3.0)
    needed = candles_needed(shown, asked)
    return Verdict(
        all(check.passed for check in checks),
        checks,
        shown.sharpe * yearly,
        smallest_ratio(asked, shown, rules.power) * yearly,
        months,
        None if needed is None else max(needed - times, 0) / case.candles_a_year * MONTHS,
        _reported(case, rules),
    )


def asked_of(times: int, ledger: Ledger, rules: Rules) -> Hurdles:
    return hurdles(times, ledger, rules.held_out_ratio, rules.deflated_min, rules.held_out_min)


def sees_through(record: Record, asked: Hurdles) -> bool:
    """Whether the gate's arithmetic alone refuses this record: so it must every twin."""
    early, late = np.split(record.excess, [asked.deflated.candles])
    deflated, held_out = asked.deflated.probability(early), asked.held_out.probability(late)
    return (
        (deflated is None or deflated < asked.deflated.confidence)
        or (held_out is None or held_out < asked.held_out.confidence)
        or not float(record.excess_dear.mean()) > 0
    )


def in_words(verdict: Verdict) -> str:
    """The page that a person reads."""
    return "\n".join(_lines(verdict))


def _checks(case: Case, asked: Hurdles, rules: Rules) -> Iterator[Check]:
    record, ledger, yearly = case.record, case.ledger, sqrt(case.candles_a_year)
    yield gate_rules.leaks(case.leaks)
    yield from gate_rules.track_record(record, case.candles_a_year, rules)
    yield gate_rules.deflated(record, asked, ledger.tried, yearly, rules)
    yield gate_rules.held_out(record, asked, ledger.looks, yearly, rules)
    yield gate_rules.dear(record, case.candles_a_year)
    p_values = _p_values(case, rules)
    for name in RIVALS[case.kind]:
        yield gate_rules.better(name, p_values.get(name), rules)
    fooled = sum(not sees_through(one, asked) for one in case.random)
    yield gate_rules.twins("random entries", fooled, len(case.random), rules.twins_passed_ratio_max)
    yield gate_rules.twins("always long", not sees_through(case.always_long, asked), 1, 0)
    yield from gate_rules.calibrated(case.calibration, rules)
    yield gate_rules.drawdown(record, rules)
    yield gate_rules.horizon(case.terms, rules)


def _p_values(case: Case, rules: Rules) -> dict[str, float]:
    if not case.rivals:
        return {}
    theirs = np.stack([one.excess for one in case.rivals.values()])
    found = bootstrap.p_better(case.record.excess, theirs, draws=rules.draws, seed=rules.seed)
    return dict(zip(case.rivals, found.tolist(), strict=True))


def _reported(case: Case, rules: Rules) -> dict[str, float | str]:
    told: dict[str, float | str] = {}
    if case.trials is not None:
        found = overfitting(case.trials)
        told["PBO"] = found if isinstance(found, str) else found.probability
        told["SPA p"] = bootstrap.superior(case.trials, draws=rules.draws, seed=rules.seed)
    if case.random:
        mine = _ratio(case.record)
        told["random entries beaten"] = float(np.mean([_ratio(one) < mine for one in case.random]))
    return told


def _ratio(record: Record) -> float:
    of = sharpe.moments(record.excess)
    return 0.0 if of is None else of.sharpe


def _lines(verdict: Verdict) -> Iterator[str]:
    refused = len(verdict.refusals)
    rules = f"{len(verdict.checks)} rules"
    yield f"Passed all of {rules}." if verdict.passed else f"Refused by {refused} of {rules}."
    yield ""
    for check in verdict.checks:
        figure = "–" if check.figure is None else f"{check.figure:.4g}"
        mark = "  " if check.passed else "✗ "
        yield f"{mark}{check.name}: {figure} ({check.asked} {check.bound:g}), {check.words}."
    yield ""
    yield from _seen(verdict)
    for name, told in verdict.reported.items():
        yield f"{name}: {told if isinstance(told, str) else format(told, '.3g')} (never decides)."


def _seen(verdict: Verdict) -> Iterator[str]:
    if verdict.sharpe is None or verdict.sharpe_smallest is None:
        return
    yield (
        f"Shown in {verdict.months:.1f} months: a Sharpe ratio of {verdict.sharpe:.2f} a year "
        f"beyond the matched hold. At the power asked this test sees {verdict.sharpe_smallest:.2f}."
    )
    if verdict.months_left is None:
        yield "At this ratio no record is long enough: worthless recipes show as much."
    elif verdict.months_left > 0:
        yield f"At this ratio it takes {verdict.months_left:.0f} more months to a verdict."
