"""A picture of skill is honest by its axes: zero is on them, chance is drawn, doubt has a line."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from rrr.backtesting.break_even import HONEST
from rrr.backtesting.report import svg
from rrr.backtesting.report.html import Html
from rrr.backtesting.report.learned_figures import Bin, Calibrated, Kind, Learned, Lesson, Skill
from rrr.backtesting.report.learned_parts import (
    KEPT_BACK,
    absent,
    candles,
    doubtful,
    key,
    picture,
    signed,
)
from rrr.backtesting.report.model import Table

BESIDE: Final = {"ridge": -11.0, "boosting": 0.0, "network": 11.0}  # pixels, within a fold
LEAST: Final = 0.02  # of IC, below zero: noise of this size is usual
NOISE: Final = 2  # standard errors
NARROW: Final = 0.01  # of a probability: an axis shows at least so much on either side of a half


def lessons(learned: Learned) -> list[Html]:
    """Loss, and IC on rows that do not teach, of each seed of each kind."""
    if isinstance(learned.lessons, str):
        return [absent("Learning curves", learned.lessons)]
    kinds: dict[Kind, list[Lesson]] = {}
    for one in learned.lessons:
        kinds.setdefault(one.kind, []).append(one)
    return [chart for kind, ones in kinds.items() for chart in _lessons(kind, ones)]


def skills(learned: Learned) -> list[Html]:
    """The horizon that is traded first, the others after it."""
    if isinstance(learned.skills, str):
        return [absent("IC by fold", learned.skills)]
    held = {fold for fold in range(len(learned.folds)) if learned.kept_back(fold)}
    assert held.isdisjoint(one.fold for one in learned.skills), "Nobody has looked there."
    others = sorted({one.horizon for one in learned.skills} - {learned.horizon})
    return [_skills(learned, learned.skills, horizon) for horizon in (learned.horizon, *others)]


def calibrations(learned: Learned) -> list[Html]:
    """What was said against what came, of each kind, all on the scale of what is said now."""
    if isinstance(learned.calibrated, str):
        return [absent("Calibration", learned.calibrated)]
    bins = [one for each in learned.calibrated for one in each.bins]
    ends = [end for one in bins for end in (one.said, one.came - one.error, one.came + one.error)]
    far = max([abs(end - 0.5) for end in ends] + [NARROW])
    axis = svg.even([0.5 - far, 0.5 + far], _percent)
    return [_calibration(each, axis) for each in learned.calibrated]


def _lessons(kind: Kind, ones: Sequence[Lesson]) -> list[Html]:
    epochs = max(2, *(len(one.loss) for one in ones))
    ticks = svg.even([0, epochs], "{:g}".format).ticks
    whole = [(1.0, "1")] + [(at, text) for at, text in ticks if 1 < at <= epochs and at % 1 == 0]
    x = svg.Axis(1, epochs, whole, "epoch")
    keys = [key(f"seed {one.seed}", f"seed{place}") for place, one in enumerate(ones)]
    stops = ", ".join(f"{one.kept} of seed {one.seed}" for one in ones)
    rows = [
        (str(one.seed), str(epoch), f"{loss:.5f}", signed(one.ic[epoch - 1]) if one.ic else "")
        for one in ones
        for epoch, loss in enumerate(one.loss, 1)
    ]
    table = Table(f"Learning of the {kind}", ["Seed", "Epoch", "Loss", "IC"], rows)
    y = svg.even([loss for one in ones for loss in one.loss], "{:.4g}".format, "loss")
    plot = svg.Plot(x, y)
    marks = [m for n, one in enumerate(ones) for m in _lesson(plot, one, one.loss, n)]
    title = f"Loss of the {kind}"
    drawn = plot.drawn(f"{title} by epoch", *marks)
    words = f"on what it learns from; what serves is epoch {stops}"
    charts = [picture(title, words, drawn, table, *keys)]

    title, told = f"IC of the {kind} as it learns", [one for one in ones if one.ic]
    if not told:
        why = f"The rows that it was watched on reach into the holdout: {KEPT_BACK}."
        return [*charts, absent(title, why)]
    plot = svg.Plot(x, svg.even([0.0, *(ic for one in told for ic in one.ic)], _signed, "IC"))
    marks = [m for n, one in enumerate(ones) for m in _lesson(plot, one, one.ic, n)]
    drawn = plot.drawn(f"{title}, by epoch", plot.level(0, "zero"), *marks)
    return [*charts, picture(title, "on rows that it does not learn from", drawn, None, *keys)]


def _lesson(plot: svg.Plot, one: Lesson, values: Sequence[float], place: int) -> list[Html]:
    if not values:
        return []
    kept = min(max(one.kept, 1), len(values))
    said = f"seed {one.seed}, epoch {kept}, which serves: {values[kept - 1]:.4f}"
    line = plot.line(range(1, len(values) + 1), values, f"seed{place}", f"seed {one.seed}")
    return [line, plot.point(kept, values[kept - 1], f"seed{place}", said)]


def _skills(learned: Learned, every: Sequence[Skill], horizon: int) -> Html:
    these = [one for one in every if one.horizon == horizon]
    ends = [one.ic + sign * (one.error or 0) for one in these for sign in (-1, 1)]
    y = svg.even([*ends, -LEAST, HONEST], _signed, "IC")
    traded, folds = horizon == learned.horizon, range(len(learned.folds))
    x = svg.Axis(-0.5, len(folds) - 0.5, [(n, str(n + 1)) for n in folds], "fold")
    plot = svg.Plot(x, y, 230 if traded else 170)
    held = [fold for fold in folds if learned.kept_back(fold)]
    marks = [plot.span(held[0] - 0.5, held[-1] + 0.5, "kept", KEPT_BACK)] if held else []
    marks.append(plot.level(0, "zero"))
    marks.append(plot.level(HONEST, "doubt"))
    for one in these:
        said = f"{one.kind}, fold {one.fold + 1}: IC {doubtful(one.ic, one.error)}"
        aside = BESIDE.get(one.kind, 0.0)
        marks.append(
            plot.point(one.fold, one.ic, one.kind, said, error=one.error or 0, aside=aside)
        )
    kinds = list(dict.fromkeys(one.kind for one in these))
    means = {kind: np.mean([one.ic for one in these if one.kind == kind]) for kind in kinds}
    words = "mean of the folds: " + ", ".join(
        f"{kind} {signed(float(mean), 3)}" for kind, mean in means.items()
    )
    wary = sum(one.ic > HONEST for one in these)
    note = f"Distrust {wary} of these: on real candles an IC above {HONEST:.2f} is a leak, no find."
    title = f"IC, {candles(horizon)} ahead"
    return picture(
        title + (": what is traded" if traded else ""),
        words if these else f"Every fold is {KEPT_BACK}.",
        plot.drawn(f"{title}: {words}", *marks),
        Table(title, ["Fold", "Begins", "Ends", *kinds], _by_fold(learned, these, kinds)),
        *(key(kind, f"{kind} mark") for kind in kinds),
        key(f"distrust above {HONEST:.2f}", "doubt"),
        note=note if wary else "",
    )


def _by_fold(
    learned: Learned, these: Sequence[Skill], kinds: Sequence[Kind]
) -> list[tuple[str, ...]]:
    found = {(one.fold, one.kind): doubtful(one.ic, one.error) for one in these}
    rows: list[tuple[str, ...]] = []
    for number, fold in enumerate(learned.folds):
        missing = "kept back" if learned.kept_back(number) else "–"
        ics = (found.get((number, kind), missing) for kind in kinds)
        rows.append((str(number + 1), svg.day(fold.begins_ms), svg.day(fold.ends_ms), *ics))
    return rows


def _calibration(each: Calibrated, axis: svg.Axis) -> Html:
    x = axis._replace(title="probability of a rise that was said")
    plot = svg.Plot(x, axis._replace(title="how often it rose"), 250)
    ordered = sorted(each.bins, key=lambda one: one.said)
    said = [one.said for one in ordered]
    within = [b for b in each.before if axis.holds(b.said) and axis.holds(b.came)]
    low, high = (
        [min(max(b.said + sign * NOISE * b.error, axis.low), axis.high) for b in ordered]
        for sign in (-1, 1)
    )
    marks = [
        plot.area(said, low, high, f"± {NOISE} standard errors of noise around a perfect word"),
        plot.line([axis.low, axis.high], [axis.low, axis.high], "perfect", "said is what came"),
        *(plot.point(b.said, b.came, "raw", f"before Platt: {_bin(b)}") for b in within),
        *(plot.point(b.said, b.came, each.kind, _bin(b)) for b in ordered),
    ]
    rows = [(f"{b.said:.4f}", f"{b.came:.4f}", f"{b.error:.4f}", f"{b.rows:,}") for b in ordered]
    title, beyond = f"Calibration of the {each.kind}", len(each.before) - len(within)
    before = [key("before Platt", "raw mark")] if each.before else []
    return picture(
        title,
        each.words,
        plot.drawn(f"{title}: {each.words}", *marks),
        Table(title, ["Said", "Came true", "Standard error", "Rows"], rows),
        key("a tenth of all", f"{each.kind} mark"),
        *before,
        key(f"± {NOISE} standard errors", "noise"),
        note=f"{beyond} of {len(each.before)} before Platt lie beyond the axes." if beyond else "",
    )


def _bin(one: Bin) -> str:
    return f"said {one.said:.1%}, came {one.came:.1%} ± {one.error:.1%} of {one.rows:,}"


def _percent(share: float) -> str:
    return f"{share * 100:.4g} %"


def _signed(value: float) -> str:
    """
    >>> _signed(0.05), _signed(-0.0), _signed(0.1)
    ('+0.05', '0', '+0.10')
    """
    if not round(value, 9):
        return "0"
    return f"{value:+.2f}" if round(value, 3) == round(value, 2) else f"{value:+.3g}"
