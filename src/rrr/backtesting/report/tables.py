"""Every figure stands in a table that a person, a printer and a screen reader can read."""

import re
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final

from rrr.backtesting.report.html import Html, el, joined
from rrr.backtesting.report.model import Figure, Month, Report, Section, Table, Traded
from rrr.backtesting.report.packing import unit_of
from rrr.monitoring.words import count, figure, money, stamp

TRIPS_MAX: Final = 2_000  # rows that a browser lays out at once
MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
NAMES_MAX: Final = 8
HEAT: Final = 6  # shades of a gain, and as many of a loss
HEAT_STEP: Final = 0.025  # of a month, for each shade

_NUMBER: Final = re.compile(r"[+−-]?\d[\d,]*(\.\d+)?( ?[%\w]{1,6})?")
_HYPHEN: Final = re.compile(r"(?<![\w.-])-(?=\d)")


def value(text: str) -> str:
    """With the sign that is as wide as a figure; a date keeps its hyphens.

    >>> value("-1.20 % [-3, +1] on 2024-01-05")
    '−1.20 % [−3, +1] on 2024-01-05'
    """
    return _HYPHEN.sub("−", text)


def ratio(share: float, sign: str = "+") -> str:
    """
    >>> ratio(-0.01234), ratio(0.5, ""), ratio(12.5)
    ('−1.23 %', '50.00 %', '+1,250.00 %')
    """
    return value(f"{share * 100:{sign},.2f} %")


def price(points: int, decimals: int, least: int) -> str:
    """Exactly, with no fewer decimals than its neighbours.

    >>> price(237_050_000, 5, 2), price(237_050_100, 5, 2), price(4_000, 3, 0)
    ('2,370.50', '2,370.501', '4')
    """
    text = figure(points, decimals)
    given = len(text.partition(".")[2])
    return text if given >= least else f"{text}{'' if given else '.'}{'0' * (least - given)}"


def figures(these: Iterable[Figure], class_: str | None = None) -> Html:
    """Names with their values; what one should be careful about says so."""
    return el("dl", *map(_figure, these), class_=class_)


def section(one: Section) -> Html:
    return el("section", el("h3", one.title), figures(one.figures), class_="part")


def table(one: Table, *, sortable: bool = True, marked: Sequence[Html] = ()) -> Html:
    """Columns of numbers stand to the right; `marked` replaces the first cell of each row."""
    numbers = [_numeric(row[place] for row in one.rows) for place in range(len(one.columns))]
    head = [
        el("th", el("button", name, type="button") if sortable else name, scope="col", class_=kind)
        for name, kind in zip(one.columns, map(_kind, numbers), strict=True)
    ]
    kinds = [' class="n"' if number else "" for number in numbers]
    rows = [
        "<tr>"
        + "".join(
            f"<td{kind}>{joined(marked[at] if marked and not place else value(cell))}</td>"
            for place, (kind, cell) in enumerate(zip(kinds, row, strict=True))
        )
        + "</tr>"
        for at, row in enumerate(one.rows)
    ]
    return joined(
        el(
            "div",
            el(
                "table",
                el("caption", one.title),
                el("thead", el("tr", *head)),
                el("tbody", Html("\n".join(rows))),
                class_="sortable" if sortable and len(rows) > 1 else None,
            ),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label=one.title,
        ),
        el("p", one.note, class_="note") if one.note else Html(""),
    )


def months(these: Sequence[Month]) -> Html:
    """A row a year; a shade is 2.5 % of a month, and the sign stands in the text too."""
    if not these:
        return el("p", "No month has a close.", class_="note")
    found = {(one.year, one.month): one.ratio for one in these}
    years = sorted({one.year for one in these})
    head = ["Year", *MONTHS, "All"]
    rows = [
        el(
            "tr",
            el("th", str(year), scope="row"),
            *(_month(found.get((year, month))) for month in (*range(1, 13), 0)),
        )
        for year in years
    ]
    return el(
        "div",
        el(
            "table",
            el("caption", "Return of each month, %"),
            el("thead", el("tr", *(el("th", name, scope="col") for name in head))),
            el("tbody", *rows),
            class_="heat",
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Return of each month",
    )


def trips(report: Report) -> Html:
    """The first of them, each a link to its place in the chart; the rest is counted."""
    these, total = report.trips, len(report.trips.instrument)
    shown = min(total, TRIPS_MAX)
    least = [decimals_of(one) for one in report.traded]
    columns = (
        *(these.instrument, these.side, these.opened_ms, these.closed_ms, these.open),
        *(these.quantity, these.entry, these.exit, these.fees, these.pnl, these.ratio),
    )
    numbers = zip(*(column[:shown].tolist() for column in columns), strict=True)
    rows = [
        (
            one.symbol,
            "long" if side > 0 else "short",
            _time(opened_ms),
            "still open" if held else _time(closed_ms),
            figure(quantity, one.quantity_decimals),
            price(round(entry), one.price_decimals, least[place]),
            price(round(exit_), one.price_decimals, least[place]),
            money(fees),
            money(pnl, "+"),
            ratio(share),
            reason,
        )
        for (
            (place, side, opened_ms, closed_ms, held, quantity, entry, exit_, fees, pnl, share),
            reason,
        ) in zip(numbers, these.reason[:shown], strict=True)
        for one in (report.traded[place],)
    ]
    names = (
        *("Instrument", "Side", "Opened (UTC)", "Closed (UTC)", "Quantity", "Entry", "Exit"),
        *(f"Fees, {report.quote}", f"P&L, {report.quote}", "Return", "Ended by"),
    )
    rest = f"The first {shown:,} of {total:,} stand here. " if shown < total else ""
    where = f"All are in {report.trade_list}." if report.trade_list else ""
    return table(
        Table(count(total, "round trip"), names, rows, f"{rest}{where}".strip()),
        marked=[
            Html(f'<a href="#candles" data-trip="{place}">{joined(row[0])}</a>')
            for place, row in enumerate(rows)
        ],
    )


def decimals_of(one: Traded) -> int:
    """How many decimals its prices have."""
    unit = unit_of([one.open, one.high, one.low, one.close], one.price_decimals)
    return int(unit["decimals"])


def names(report: Report) -> str:
    """The first of what is traded; the rest is counted."""
    first = ", ".join(one.symbol for one in report.traded[:NAMES_MAX])
    more = len(report.traded) - NAMES_MAX
    return f"{first} and {more:,} more" if more > 0 else first


def _figure(one: Figure) -> Html:
    careful = el("span", "caution", class_="wary") if one.wary else Html("")
    note = el("dd", value(one.note), class_="note") if one.note else Html("")
    return el("div", el("dt", one.name, careful), el("dd", value(one.value)), note)


def _month(share: float | None) -> Html:
    if share is None:
        return el("td", "")
    shade = min(HEAT, ceil(abs(share) / HEAT_STEP))
    heat = f"{'up' if share > 0 else 'down'}{shade}" if share else None
    return el("td", ratio(share).removesuffix(" %"), class_=heat)


def _numeric(cells: Iterable[str]) -> bool:
    said = [cell for cell in cells if cell]
    return bool(said) and all(_NUMBER.fullmatch(cell) for cell in said)


def _kind(numeric: bool) -> str | None:
    return "n" if numeric else None


def _time(at_ms: int) -> str:
    return stamp(at_ms).removesuffix("Z")
