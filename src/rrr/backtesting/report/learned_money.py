"""What a model earns is shown after its costs, and beside what earns as much without a model."""

from collections.abc import Sequence
from math import log10
from typing import Final

import numpy as np

from rrr.backtesting.report import svg
from rrr.backtesting.report.html import Html
from rrr.backtesting.report.learned_figures import Charged, Equity, Kind, Learned
from rrr.backtesting.report.learned_parts import KEPT_BACK, absent, key, picture, signed
from rrr.backtesting.report.model import F64, Table
from rrr.neural_network.panel import I64

BUCKETS: Final = 300  # of a line; of each the first, the lowest and the highest are drawn
ROWS_MAX: Final = 24
FEATURES_MAX: Final = 40
LEAST: Final = 1e-4  # a book that lost all is drawn here


def costs(learned: Learned) -> list[Html]:
    """Net Sharpe ratio and turnover, as the account's costs are multiplied."""
    if isinstance(learned.charged, str):
        return [absent("Cost curve", learned.charged)]
    these = learned.charged
    told = [one for one in these if one.sharpe is not None]
    ratio = svg.even(
        [*(one.sharpe or 0 for one in told), 0, 1], "{:g}".format, "Sharpe ratio a year"
    )
    traded = svg.even(
        [0, *(one.turnover for one in these)], "{:,g}".format, "times the equity, a year"
    )
    columns = ["Kind", "Costs", "Sharpe ratio, net", "Turnover a year"]
    rows = [
        (one.kind, f"{one.multiple:g}×", signed(one.sharpe, 2), f"{one.turnover:,.1f}")
        for one in these
    ]
    keys = [key(kind, f"{kind} mark") for kind in dict.fromkeys(one.kind for one in these)]
    ratios = [(one, one.sharpe or 0.0) for one in told]
    turnovers = [(one, one.turnover) for one in these]
    words = "after no costs, the account's own, twice and three times as much, which it knows"
    why = "bought and sold in a year; it should fall as costs rise"
    drawn, table = _curves("Sharpe ratio", ratios, ratio), Table("Cost curve", columns, rows)
    return [
        picture("Sharpe ratio by costs", words, drawn, table, *keys),
        picture("Turnover by costs", why, _curves("turnover", turnovers, traded), None, *keys),
    ]


def importance(learned: Learned) -> list[Html]:
    """The kind that serves is drawn; all stand in the table."""
    if isinstance(learned.weighed, str):
        return [absent("Importance of features", learned.weighed)]
    kind = learned.served if learned.served in learned.weighed else next(iter(learned.weighed))
    mine = sorted(learned.weighed[kind], key=lambda one: -one.fall)
    drawn = mine[:FEATURES_MAX]
    ends = [one.fall + sign * one.error for one in drawn for sign in (-1, 1)]
    axis = svg.even([*ends, 0.0, 0.001], _fall, "fall of the IC")
    words = (
        f"how far the IC of the {kind} falls when one feature is permuted in blocks of time; left "
        "of zero it does better without"
    )
    falls = {name: {one.feature: one for one in ones} for name, ones in learned.weighed.items()}
    rows = [
        (one.feature, *(signed(found[one.feature].fall, 5) for found in falls.values()))
        for one in mine
    ]
    table = Table("Fall of the IC", ["Feature", *falls], rows)
    lying = svg.rows([(one.feature, one.fall, one.error) for one in drawn], axis, words)
    return [picture("Importance of features", words, lying, table)]


def equity(learned: Learned) -> list[Html]:
    """What 1 became over the tests, beside what it must beat."""
    if isinstance(learned.equity, str):
        return [absent("Equity over the tests", learned.equity)]
    these, (begins, ends) = learned.equity, learned.span_ms
    if not learned.shown:
        assert int(these.at_ms[-1]) <= learned.held_out_ms, "Nobody has looked there."
    levels = [one.worth for one in these.grown] + ([] if these.twins is None else [*these.twins])
    low, high = min(float(x.min()) for x in levels), max(float(x.max()) for x in levels)
    growth = svg.growth(max(low, LEAST), max(high, LEAST), "what 1 became, logarithmic")
    plot = svg.Plot(svg.time(begins, ends), growth, 300)
    held = "the gate's holdout" if learned.shown else KEPT_BACK
    marks = [plot.span(learned.held_out_ms, ends, "kept", held), plot.level(0.0, "zero")]
    if these.twins is not None:
        at = _kept(these.twins[1])
        low_at, middle, high_at = (_logs(band[at]) for band in these.twins)
        xs = these.at_ms[at].tolist()
        marks.append(plot.area(xs, low_at, high_at, "5 to 95 % of its random twins"))
        marks.append(plot.line(xs, middle, "middle", "the middle one of its random twins"))
    for one in these.grown[::-1]:
        at = _kept(one.worth)
        said = f"{one.name}: 1 became {one.worth[-1]:.3f}"
        marks.append(plot.line(these.at_ms[at].tolist(), _logs(one.worth[at]), one.class_, said))
    words = "1 became " + ", ".join(f"{one.worth[-1]:.2f} ({one.name})" for one in these.grown)
    keys = [key(one.name, one.class_) for one in these.grown]
    twins = [] if these.twins is None else [key("5 to 95 % of random twins", "noise")]
    drawn = plot.drawn(f"Equity over the tests: {words}", *marks)
    table = _worth(these)
    return [picture("Equity over the tests", words, drawn, table, *keys, *twins, note=these.note)]


def _curves(of: str, these: Sequence[tuple[Charged, float]], y: svg.Axis) -> Html:
    """A line and its points for each kind, over the multiples of the costs."""
    multiples = sorted({one.multiple for one, _ in these} | {0.0, 1.0})
    x = svg.Axis(
        *(multiples[0], multiples[-1], [(m, f"{m:g}×") for m in multiples]), "the account's costs"
    )
    plot = svg.Plot(x, y)
    kinds: dict[Kind, list[tuple[Charged, float]]] = {}
    for one, value in these:
        kinds.setdefault(one.kind, []).append((one, value))
    marks = [plot.level(0.0, "zero")]
    for kind, ones in kinds.items():
        ones.sort(key=lambda pair: pair[0].multiple)
        xs, ys = [one.multiple for one, _ in ones], [value for _, value in ones]
        marks.append(plot.line(xs, ys, kind, kind))
        for at, value in zip(xs, ys, strict=True):
            said = f"{kind}, costs {at:g}×: {of} {value:,.2f}"
            marks.append(plot.point(at, value, kind, said))
    return plot.drawn(f"{of} by costs", *marks)


def _worth(these: Equity) -> Table:
    places = np.unique(np.linspace(0, len(these.at_ms) - 1, ROWS_MAX).astype(np.int64))
    bands = [] if these.twins is None else [*these.twins]
    columns = [one.worth for one in these.grown] + bands
    rows = [
        (svg.day(int(these.at_ms[place])), *(f"{column[place]:.4f}" for column in columns))
        for place in places.tolist()
    ]
    twins = ["Twins, 5 %", "50 %", "95 %"] if bands else []
    named = [one.name for one in these.grown]
    return Table("What 1 became", ["Day", *named, *twins], rows)


def _kept(worth: F64) -> I64:
    """Of each bucket the first, the lowest and the highest; and the last of all."""
    per = -(-len(worth) // BUCKETS)
    begins = np.arange(0, len(worth), per)
    lowest = [begin + int(worth[begin : begin + per].argmin()) for begin in begins.tolist()]
    highest = [begin + int(worth[begin : begin + per].argmax()) for begin in begins.tolist()]
    return np.unique(np.concatenate([begins, lowest, highest, [len(worth) - 1]]))


def _logs(worth: F64) -> list[float]:
    return [log10(max(value, LEAST)) for value in worth.tolist()]


def _fall(value: float) -> str:
    return f"{value:+.3g}" if value else "0"
