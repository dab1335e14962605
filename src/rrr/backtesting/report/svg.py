"""A picture is made once, of plain marks: it stretches, and its letters and strokes do not.

A plot is an SVG without a view box. Along x everything stands at a share of its width; along y in
pixels. So a phone and a wide screen read the same letters, and no script is needed. What must bend
(lines, areas) stands in an inner SVG that is stretched, whose strokes are not. Every mark says what
it is in its title, and every axis its unit.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor, log10
from typing import Final, NamedTuple

from rrr.backtesting.report.charts import round_step
from rrr.backtesting.report.html import Html, el, joined
from rrr.backtesting.report.tables import value as minus

WIDE: Final = 1000  # units of the inner SVG
ABOVE, BELOW = 26, 42  # pixels round a plot: for the unit, for ticks and the title below
TICKS: Final = 6
DATES: Final = 5  # wider than figures are
ROUND: Final = ("network", "seed0", "seed1", "seed2", "seed3")  # classes whose points are circles
DAY_MS: Final = 86_400_000
DAYS: Final = (1, 2, 7, 14)
MONTH: Final = 30.4  # days
MONTHS: Final = (1, 2, 3, 6, 12, 24, 60, 120)


class Axis(NamedTuple):
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    title: str = ""

    def share(self, value: float) -> float:
        """Of the way from its low end to its high one."""
        return (value - self.low) / (self.high - self.low)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def even(
    values: Iterable[float], written: Callable[[float], str], title: str = "", ticks: int = TICKS
) -> Axis:
    """Round steps that take in all values.

    >>> even([0.1, 2.9], "{:g}".format).ticks
    [(0.0, '0'), (0.5, '0.5'), (1.0, '1'), (1.5, '1.5'), (2.0, '2'), (2.5, '2.5'), (3.0, '3')]
    """
    these = list(values)
    low, high = min(these), max(these)
    if high <= low:
        low, high = low - (abs(low) / 2 or 1), high + (abs(high) / 2 or 1)
    step = round_step((high - low) / ticks)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    marks = [(n * step, written(n * step)) for n in range(first, last + 1)]
    return Axis(first * step, last * step, marks, title)


def growth(low: float, high: float, title: str) -> Axis:
    """What was 1 is now so many; in logarithms, that the same growth is as high everywhere.

    >>> [text for _, text in growth(0.8, 6, "").ticks]
    ['0.5×', '1×', '2×', '5×', '10×']
    >>> [text for _, text in growth(0.96, 1.2, "").ticks]
    ['0.95×', '1×', '1.05×', '1.1×', '1.15×', '1.2×']
    """
    if high / low < 2.5:
        linear = even((low, high), "{:.4g}×".format)
        marks = [(log10(value), text) for value, text in linear.ticks if value > 0]
    else:
        steps = [float(f"{d}e{p}") for p in range(floor(log10(low)) - 1, 12) for d in (1, 2, 5)]
        first = max(n for n, step in enumerate(steps) if step <= low)
        last = min(n for n, step in enumerate(steps) if step >= high)
        marks = [(log10(step), f"{step:g}×") for step in steps[first : last + 1]]
        marks = marks[:: -(-len(marks) // (2 * TICKS))]
    return Axis(min(marks[0][0], log10(low)), max(marks[-1][0], log10(high)), marks, title)


def time(begins_ms: int, ends_ms: int, ticks: int = DATES) -> Axis:
    """Days, or firsts of months where those are too many; UTC.

    >>> [text for _, text in time(1_609_459_200_000, 1_640_995_200_000).ticks]
    ['2021-01', '2021-04', '2021-07', '2021-10', '2022-01']
    """
    assert begins_ms < ends_ms
    wished = (ends_ms - begins_ms) / DAY_MS / ticks
    begins, ends = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (begins_ms, ends_ms))
    if wished <= DAYS[-1]:
        step = next(days for days in DAYS if days >= wished) * DAY_MS
        stamps = [n * step for n in range(ceil(begins_ms / step), floor(ends_ms / step) + 1)]
        form = "%m-%d" if begins.year == ends.year else "%Y-%m-%d"
    else:
        every = next((n for n in MONTHS if n * MONTH >= 0.85 * wished), MONTHS[-1])
        count = range(begins.year * 12 + begins.month - 1, ends.year * 12 + ends.month)
        firsts = [datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in count if n % every == 0]
        stamps = [int(first.timestamp()) * 1000 for first in firsts]
        form = "%Y" if every % 12 == 0 else "%Y-%m"
    marks = [
        (float(ms), f"{datetime.fromtimestamp(ms / 1000, UTC):{form}}")
        for ms in stamps
        if begins_ms <= ms <= ends_ms
    ]
    return Axis(begins_ms, ends_ms, marks, f"{begins.year}, UTC" if form == "%m-%d" else "UTC")


def day(at_ms: int) -> str:
    """
    >>> day(1_704_067_200_000)
    '2024-01-01'
    """
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Plot:
    """A pair of axes, and marks upon them."""

    x: Axis
    y: Axis
    height: int = 200

    def drawn(self, label: str, *marks: str, class_: str = "plot") -> Html:
        """All of it; `label` says in words what a person who does not see it should know."""
        inside = el("g", *self._grid(), *marks, *self._titles(), transform=f"translate(0 {ABOVE})")
        tall = str(self.height + ABOVE + BELOW)
        return el(
            "div",
            el("svg", inside, role="img", aria_label=label, height=tall),
            class_=class_,
        )

    def line(self, xs: Sequence[float], ys: Sequence[float], class_: str, title: str) -> Html:
        points = " ".join(f"{self._wide(x):.1f},{self._tall(y)}" for x, y in _pairs(xs, ys))
        mark = el("polyline", el("title", title), points=points, class_=f"stroke {class_}")
        return self._bent(mark)

    def area(
        self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], title: str
    ) -> Html:
        there = [f"{self._wide(x):.1f},{self._tall(y)}" for x, y in _pairs(xs, high)]
        back = [f"{self._wide(x):.1f},{self._tall(y)}" for x, y in _pairs(xs, low)]
        points = " ".join(there + back[::-1])
        return self._bent(el("polygon", el("title", title), points=points, class_="noise"))

    def point(
        self, x: float, y: float, class_: str, title: str, *, error: float = 0, aside: float = 0
    ) -> Html:
        """With an error it wears one up and one down; `aside` moves it by so many pixels."""
        at, tall = self._across(x), self._tall(y)
        whisker = ""
        if error:
            ends = {"y1": self._tall(y - error), "y2": self._tall(y + error)}
            whisker = el("line", x1=at, x2=at, **ends, class_="error")
        form = (
            el("circle", cx=at, cy=tall, r="4")
            if class_ in ROUND
            else el("rect", x=at, y=f"{float(tall) - 3.5:g}", width="7", height="7")
        )
        moved = f"translate({aside:g} 0)" if aside else None
        marks = el("title", title), whisker, form
        return el("g", *marks, class_=f"point {class_}", transform=moved)

    def level(self, y: float, class_: str) -> Html:
        """A line all across."""
        tall = self._tall(y)
        return el("line", x1="0", x2="100%", y1=tall, y2=tall, class_=class_)

    def span(self, begins: float, ends: float, class_: str, text: str) -> Html:
        """All that lies between, from the lowest to the highest."""
        low, high = (min(max(self.x.share(value), 0), 1) for value in (begins, ends))
        box = {"x": _percent(low), "width": _percent(high - low), "height": str(self.height)}
        middle = {"x": _percent((low + high) / 2), "y": "14", "text_anchor": "middle"}
        rect = el("rect", el("title", text), y="0", class_=class_, **box)
        return joined(rect, el("text", text, class_=class_, **middle))

    def _grid(self) -> Iterable[Html]:
        for value, text in self.y.ticks:
            tall = self._tall(value)
            yield el("line", x1="0", x2="100%", y1=tall, y2=tall, class_="grid")
            yield el("text", minus(text), x="-7", y=tall, dy=".32em", text_anchor="end")
        low = str(self.height)
        yield el("line", x1="0", x2="100%", y1=low, y2=low, class_="zero")
        for value, text in self.x.ticks:
            at = {"x": self._across(value), "y": str(self.height + 17)}
            yield el("text", minus(text), **at, text_anchor="middle")

    def _titles(self) -> Iterable[Html]:
        yield el("text", self.y.title, x="0", dx="-46", y="-12", class_="unit")
        at = {"x": "100%", "y": str(self.height + 35)}
        yield el("text", self.x.title, **at, text_anchor="end", class_="unit")

    def _bent(self, mark: Html) -> Html:
        box = {"viewBox": f"0 0 {WIDE} {self.height}", "preserveAspectRatio": "none"}
        return el("svg", mark, width="100%", height=str(self.height), **box)

    def _wide(self, x: float) -> float:
        return self.x.share(x) * WIDE

    def _across(self, x: float) -> str:
        return _percent(self.x.share(x))

    def _tall(self, y: float) -> str:
        return f"{(1 - self.y.share(y)) * self.height:.1f}"


def rows(
    values: Sequence[tuple[str, float, float]], axis: Axis, label: str, height: int = 19
) -> Html:
    """Lying columns (name, value, its error), one below the other, from zero."""
    marks: list[Html] = []
    tall = height * len(values)
    for value, text in axis.ticks:
        at = _percent(axis.share(value))
        marks.append(el("line", x1=at, x2=at, y1="0", y2=str(tall), class_="grid"))
        marks.append(el("text", minus(text), x=at, y=str(tall + 17), text_anchor="middle"))
    for place, (name, value, error) in enumerate(values):
        middle = f"{(place + 0.5) * height:g}"
        ends = sorted((axis.share(0), axis.share(value)))
        box = {"x": _percent(ends[0]), "width": _percent(ends[1] - ends[0])}
        box |= {"y": f"{place * height + 3:g}", "height": f"{height - 6:g}"}
        said = f"{name}: {value:+.4f}" + (f" ± {error:.4f}" if error else "")
        sign = "fall" if value >= 0 else "rise"
        marks.append(el("rect", el("title", said), **box, class_=f"weight {sign}"))
        if error:
            low, high = (_percent(axis.share(value + sign * error)) for sign in (-1, 1))
            marks.append(el("line", x1=low, x2=high, y1=middle, y2=middle, class_="error"))
        marks.append(el("text", name, x="-8", y=middle, dy=".32em", text_anchor="end"))
    zero = _percent(axis.share(0))
    marks.append(el("line", x1=zero, x2=zero, y1="0", y2=str(tall), class_="zero"))
    marks.append(
        el("text", axis.title, x="100%", y=str(tall + 35), text_anchor="end", class_="unit")
    )
    svg = el("svg", *marks, role="img", aria_label=label, height=str(tall + BELOW))
    return el("div", svg, class_="plot rows")


def _percent(share: float) -> str:
    return f"{share * 100:.3f}".rstrip("0").rstrip(".") + "%"


def _pairs(xs: Sequence[float], ys: Sequence[float]) -> Iterable[tuple[float, float]]:
    return zip(xs, ys, strict=True)
