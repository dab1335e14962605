"""Beside every chart stands what it shows: in a sentence, and as a table of its figures."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from rrr.backtesting.report import tables
from rrr.backtesting.report.charts import MARKS_MAX, evenly, thinned
from rrr.backtesting.report.html import Html, el
from rrr.backtesting.report.model import Curve, Fan, Null, Report, Series, Table, Why
from rrr.backtesting.report.tables import ratio
from rrr.monitoring.words import count, money, stamp
from rrr.neural_network.panel import I64

Bins: TypeAlias = Mapping[str, Mapping[str, Any]]

_BUTTONS: Final = (
    ("back", "‹", "earlier"),
    ("on", "›", "later"),
    ("in", "+", "zoom in"),
    ("out", "−", "zoom out"),
    ("all", "All", "the whole span"),
)
NO: Final = Html("")
_ROWS_MAX: Final = 24  # of a table that stands beside a chart


def over_time(report: Report) -> Html:
    """All that shares one axis of time."""
    return el(
        "section",
        el("h2", "Over time"),
        el("noscript", el("p", "Charts need JavaScript; all tables are here.", class_="note")),
        _controls(),
        _chart(
            "equity",
            "Equity",
            _equity_words(report),
            _ends_of_months(report),
            el("span", "this run", class_="key"),
            el("span", "matched hold", class_="key hold") if report.curve.hold is not None else NO,
            el("span", _thinning(report.curve), class_="caption"),
        ),
        _chart("drawdown", "Drawdown", _drawdown_words(report.curve)),
        _chart("exposure", "Exposure", _exposure_words(report.curve)),
        _candles(report),
        _rolling(report.rolling),
        el(
            "p",
            "Drag across a chart to zoom in, double-click for the whole span; on glass drag with "
            "one finger, pinch with two. With the keyboard: ← → + − and Home. All times are UTC.",
            class_="note screen",
        ),
        class_="time",
    )


def distributions(report: Report, bins: Bins) -> Html:
    return el(
        "section",
        el("h2", "Distributions"),
        el(
            "div",
            _histogram("returns", "Returns of round trips", bins, "No round trip was completed."),
            _histogram("days", "Returns of UTC days", bins, "There is no whole day."),
            class_="pair",
        ),
    )


def chance(report: Report, bins: Bins) -> Html:
    return el(
        "section",
        el("h2", "Chance"),
        el(
            "div",
            _null(report.null, bins),
            *(_fan(place, *one) for place, one in enumerate(report.fans.items())),
            class_="pair",
        ),
    )


def _controls() -> Html:
    buttons = (
        el("button", text, type="button", data_does=does, aria_label=words, title=words)
        for does, text, words in _BUTTONS
    )
    return el(
        "div",
        el("span", class_="span"),
        el("span", *buttons, class_="buttons"),
        el("label", Html('<input type="checkbox" id="log">'), " log scale"),
        el("svg", id="overview", aria_hidden="true"),
        class_="controls screen",
    )


def _chart(
    name: str, title: str, words: str, table: Table | None = None, *more: Html, note: str = ""
) -> Html:
    beside = (
        el("details", el("summary", "as a table"), tables.table(table, sortable=False))
        if table
        else NO
    )
    return el(
        "figure",
        el("figcaption", el("h3", title), *more, el("output", words)),
        el("svg", role="img", aria_label=f"{title}: {words}", tabindex="0"),
        el("p", note, class_="note") if note else NO,
        beside,
        data_chart=name,
        id=name,
    )


def _absent(title: str, why: str) -> Html:
    return el("figure", el("figcaption", el("h3", title)), el("p", why, class_="note"))


def _equity_words(report: Report) -> str:
    curve = report.curve
    if not curve.at_ms.size:
        return "no candle closed"
    first, last = (money(int(curve.equity[place])) for place in (0, -1))
    words = f"from {first} to {last} {report.quote}"
    if curve.hold is not None:
        words += f", matched hold to {money(int(curve.hold[-1]))}"
    return words


def _thinning(curve: Curve) -> str:
    closes, drawn = len(curve.at_ms), len(thinned(curve))
    if drawn == closes:
        return ""
    return f"{drawn:,} of {closes:,} closes are drawn, no peak and no trough is left out"


def _drawdown_words(curve: Curve) -> str:
    if not curve.at_ms.size:
        return "no candle closed"
    place = int(curve.drawdown.argmax())
    return f"{ratio(float(curve.drawdown[place]), '')} at most, {stamp(int(curve.at_ms[place]))}"


def _exposure_words(curve: Curve) -> str:
    if not curve.at_ms.size:
        return "no candle closed"
    mean, most = float(curve.exposure.mean()), float(curve.exposure.max())
    return f"{ratio(mean, '')} on average, {ratio(most, '')} at most"


def _ends_of_months(report: Report) -> Table | None:
    curve = report.curve
    if not curve.at_ms.size:
        return None
    places = _last_of_months(curve.at_ms)
    begins = np.concatenate([[0], places[:-1] + 1])
    worst = np.maximum.reduceat(curve.drawdown, begins)
    mean = np.add.reduceat(curve.exposure, begins) / np.diff(places, prepend=-1)
    hold = [""] * len(places)
    if curve.hold is not None:
        hold = [money(worth) for worth in curve.hold[places].tolist()]
    rows = [
        (
            stamp(int(curve.at_ms[place]) - 1)[:7],
            money(int(curve.equity[place])),
            held,
            ratio(float(worst[n]), ""),
            ratio(float(mean[n]), ""),
        )
        for n, (place, held) in enumerate(zip(places.tolist(), hold, strict=True))
    ]
    columns = ("Month", "Equity at its end", "Matched hold", "Drawdown at most", "Mean exposure")
    return Table("Equity, drawdown and exposure by month", columns, rows)


def _last_of_months(at_ms: I64) -> I64:
    """A close at midnight ends the day before it."""
    month = (at_ms - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return np.flatnonzero(np.append(np.diff(month), 1))


def _candles(report: Report) -> Html:
    if not report.traded:
        return _absent("Candles, entries and exits", "No instrument was there.")
    options = (
        el("option", one.symbol, value=str(place)) for place, one in enumerate(report.traded)
    )
    choose = el("select", *options, id="instrument", aria_label="Instrument")
    words = f"{count(len(report.trips.instrument), 'round trip')} of {tables.names(report)}"
    marks = "▲ entry  ▼ exit"
    if len(report.trips.instrument) > MARKS_MAX:
        marks += f" of the first {MARKS_MAX:,} round trips"
    return _chart(
        "candles",
        "Candles, entries and exits",
        words,
        None,
        choose,
        el("span", class_="caption"),
        el("span", marks, class_="caption"),
    )


def _rolling(rolling: Series | Why) -> Html:
    if isinstance(rolling, str):
        return _absent("Rolling Sharpe", rolling)
    known = np.isfinite(rolling.value)
    at_ms, value = rolling.at_ms[known], rolling.value[known]
    title = f"Rolling Sharpe, {rolling.window}"
    if not value.size:
        return _absent(title, "The run is shorter than its window.")
    places = _last_of_months(at_ms)
    rows = [(stamp(int(at_ms[p]) - 1)[:7], f"{value[p]:.2f}") for p in places.tolist()]
    words = f"between {value.min():.2f} and {value.max():.2f}, {value[-1]:.2f} at the end"
    return _chart(
        "rolling",
        title,
        tables.value(words),
        Table(f"{title}, at the end of each month", ["Month", "Sharpe"], rows),
    )


def _histogram(name: str, title: str, bins: Bins, why: str, note: str = "") -> Html:
    if name not in bins:
        return _absent(title, why)
    one = bins[name]
    low, middle, high = one["quantiles"]
    words = f"median {ratio(middle)}, nine of ten between {ratio(low)} and {ratio(high)}"
    below, above = one["below"], one["above"]
    last = len(one["counts"]) - 1
    rows = [
        (
            "" if place == 0 and below else ratio((one["first"] + place) * one["width"]),
            "" if place == last and above else ratio((one["first"] + place + 1) * one["width"]),
            f"{number:,}",
        )
        for place, number in enumerate(one["counts"])
    ]
    return _chart(name, title, words, Table(title, ["From", "To", "How many"], rows), note=note)


def _null(null: Null | Why, bins: Bins) -> Html:
    title = "Random entries of equal turnover"
    if isinstance(null, str):
        return _absent(title, null)
    return _histogram("null", title, bins, "No random run was made.", null.note)


def _fan(place: int, title: str, fan: Fan | Why) -> Html:
    if isinstance(fan, str):
        return _absent(title, fan)
    shares = [f"{share:.0%}".replace("%", " %") for share in fan.shares]
    places = evenly(len(fan.steps), _ROWS_MAX)
    mine: Sequence[Sequence[str]] = [[] for _ in places]
    if fan.mine is not None:
        mine = [[f"{fan.mine[place]:.4f}"] for place in places]
    rows = [
        (f"{fan.steps[place]:,.0f}", *(f"{band[place]:.4f}" for band in fan.bands), *own)
        for place, own in zip(places, mine, strict=True)
    ]
    columns = [fan.step, *shares, *(["The run"] if fan.mine is not None else [])]
    words = "in the end " + ", ".join(
        f"{share}: {band[-1]:.2f}×" for share, band in zip(shares, fan.bands, strict=True)
    )
    return _chart(f"fan-{place}", title, words, Table(title, columns, rows), note=fan.note)
