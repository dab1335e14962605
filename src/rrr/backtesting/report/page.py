"""A page needs nothing but itself: no address is asked, and no script runs that is not its own.

One file of HTML with its style, its script and its data inside. Its own policy (CSP) forbids every
request, and every style and script but these two, by their hashes: a hostile name could do nothing
even if it were not escaped. Without JavaScript all tables are there; with it the charts are too.
"""

import base64
import hashlib
from pathlib import Path
from typing import Final

from rrr.backtesting.report import figures as drawn
from rrr.backtesting.report import tables
from rrr.backtesting.report.charts import data, histograms
from rrr.backtesting.report.html import Html, el, json_in_html, start
from rrr.backtesting.report.model import Figure, Report, Section, Table
from rrr.monitoring.words import SYNTHETIC

_HERE: Final = Path(__file__).parent
_SCRIPTS: Final = (
    *("decode.js", "scales.js", "lines.js", "candles.js", "chance.js", "hands.js"),
    "page.js",
)


def page(report: Report) -> str:
    """The whole file."""
    style = Html(_source("style.css"))
    script = Html("(() => {\n'use strict';\n" + "".join(map(_source, _SCRIPTS)) + "})();\n")
    policy = f"default-src 'none'; style-src {hashed(style)}; script-src {hashed(script)}"
    head = el(
        "head",
        start("meta", charset="utf-8"),
        start("meta", http_equiv="Content-Security-Policy", content=policy),
        start("meta", name="viewport", content="width=device-width, initial-scale=1"),
        start("meta", name="color-scheme", content="light dark"),
        start("meta", name="referrer", content="no-referrer"),
        el("title", f"{report.name} · {report.strategy}"),
        el("style", style),
    )
    bins = histograms(report)
    main = el(
        "main",
        _header(report),
        tables.figures(report.headline, class_="tiles"),
        _believe(report),
        *([_walk(report)] if report.walk else []),
        drawn.over_time(report),
        el("section", el("h2", "Months"), el("div", tables.months(report.months), class_="card")),
        drawn.distributions(report, bins),
        drawn.chance(report, bins),
        _figures(report),
        el(
            "section",
            el("h2", "Round trips"),
            el("div", tables.trips(report), class_="card"),
            id="round-trips",
        ),
        _origin(report),
    )
    body = el(
        "body",
        *_banners(report),
        main,
        el("script", json_in_html(data(report, bins)), id="data", type="application/json"),
        el("script", script),
    )
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def hashed(text: str) -> str:
    """A style or script as a policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _banners(report: Report) -> list[Html]:
    said = []
    if report.synthetic:
        said.append((SYNTHETIC, "Nobody traded these candles: they show that the machine works."))
    if report.in_sample:
        said.append(("IN SAMPLE", report.in_sample))
    return [
        el("p", el("strong", word), " ", why, class_="banner", role="note") for word, why in said
    ]


def _header(report: Report) -> Html:
    return el(
        "header",
        el("p", f"Backtest {report.name}", class_="over"),
        el("h1", report.strategy),
        el("p", f"{report.market} · {tables.names(report)} · {report.timeframe} · {report.span}"),
        el("p", "The same again: ", el("code", f"rrr reproduce {report.name}"), class_="again"),
    )


def _believe(report: Report) -> Html:
    return el(
        "section",
        el("h2", "What to believe"),
        el("p", "A backtest is an upper bound. This is what stands between it and the future."),
        tables.figures(report.believe),
        class_="believe",
    )


def _walk(report: Report) -> Html:
    return el(
        "section",
        el("h2", "How it was chosen"),
        el(
            "div",
            el("pre", *(el("span", line) for line in report.walk.splitlines())),
            class_="card scroll",
        ),
        id="walk",
    )


def _figures(report: Report) -> Html:
    return el(
        "section",
        el("h2", "Figures"),
        el("div", *map(tables.section, report.sections), class_="parts"),
        *(el("div", tables.table(one), class_="card") for one in report.tables),
    )


def _origin(report: Report) -> Html:
    rows = [(one.name, one.value, one.default) for one in report.settings]
    changed = Table("Settings that are not as they come", ["Setting", "Here", "As it comes"], rows)
    again = Figure("reproduce", f"rrr reproduce {report.name}")
    return el(
        "section",
        el("h2", "Where this comes from"),
        tables.section(Section("This run", [again, *report.origin])),
        tables.table(changed, sortable=False)
        if rows
        else el("p", "Every setting is as it comes.", class_="note"),
        el("h3", "Of the history") if report.notes else Html(""),
        el("ul", *(el("li", note) for note in report.notes)) if report.notes else Html(""),
        class_="origin",
    )


def _source(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
