"""A page of a model says what it showed, and first of all what it does not say.

One file of HTML that asks for nothing and runs nothing: its policy (CSP) forbids every request and
every script, and every style but its own, by its hash. Before the gate has looked, no figure of the
holdout stands on it. The pictures need no script; a table stands beside each.
"""

from pathlib import Path
from typing import Final

from rrr.backtesting.gate import Verdict
from rrr.backtesting.gate_rules import Check
from rrr.backtesting.report import learned_charts as skill
from rrr.backtesting.report import learned_money as earned
from rrr.backtesting.report import tables
from rrr.backtesting.report.html import Html, el, start
from rrr.backtesting.report.learned_figures import Learned
from rrr.backtesting.report.model import Figure, Section
from rrr.backtesting.report.page import hashed
from rrr.monitoring.words import SYNTHETIC

_HERE: Final = Path(__file__).parent
_STYLES: Final = ("style.css", "learned.css")
NAMES_MAX: Final = 8


def page(learned: Learned) -> str:
    """The whole file."""
    style = Html(
        "".join((_HERE / name).read_text("utf-8") for name in ("style.css", "learned.css"))
    )
    policy = f"default-src 'none'; style-src {hashed(style)}"
    head = el(
        "head",
        start("meta", charset="utf-8"),
        start("meta", http_equiv="Content-Security-Policy", content=policy),
        start("meta", name="viewport", content="width=device-width, initial-scale=1"),
        start("meta", name="color-scheme", content="light dark"),
        start("meta", name="referrer", content="no-referrer"),
        el("title", f"{learned.name} · {learned.title}"),
        el("style", style),
    )
    body = el("body", *_banners(learned), el("main", *_sections(learned)))
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def _banners(learned: Learned) -> list[Html]:
    said = []
    if learned.synthetic:
        said.append((SYNTHETIC, "Nobody traded these candles: they show that the machine works."))
    if learned.verdict is None:
        said.append(("UNPROVEN", "The gate was not asked. What lies in its holdout is not shown."))
    elif not learned.verdict.passed:
        said.append(("REFUSED", "The gate refused it. Its reasons stand below."))
    return [
        el("p", el("strong", word), " ", why, class_="banner", role="note") for word, why in said
    ]


def _sections(learned: Learned) -> list[Html]:
    return [
        _header(learned),
        tables.figures(learned.headline, class_="tiles"),
        el(
            "section",
            el("h2", "In words"),
            tables.figures(learned.words),
            class_="believe",
        ),
        *([_verdict(learned.verdict)] if learned.verdict else []),
        _part("Over the tests", earned.equity(learned)),
        _part("Skill", skill.skills(learned), "panels first"),
        _part("Calibration", skill.calibrations(learned), "panels three"),
        _part("Costs", earned.costs(learned), "panels"),
        _part("What it looks at", earned.importance(learned)),
        _part("How it learned", skill.lessons(learned), "panels"),
        el(
            "section",
            el("h2", "Where this comes from"),
            tables.section(Section("This training", learned.origin)),
            class_="origin",
        ),
    ]


def _header(learned: Learned) -> Html:
    names = ", ".join(learned.symbols[:NAMES_MAX])
    more = len(learned.symbols) - NAMES_MAX
    names += f" and {more} more" if more > 0 else ""
    return el(
        "header",
        el("p", f"Training {learned.name}", class_="over"),
        el("h1", learned.title),
        el("p", f"{learned.market} · {names} · {learned.timeframe}"),
    )


def _part(title: str, pictures: list[Html], class_: str = "") -> Html:
    return el("section", el("h2", title), el("div", *pictures, class_=class_ or "whole"))


def _verdict(verdict: Verdict) -> Html:
    refused = len(verdict.refusals)
    words = "passed" if verdict.passed else f"refused by {refused} of {len(verdict.checks)} rules"
    return el(
        "section",
        el("h2", f"The gate: {words}"),
        tables.figures(_seen(verdict), class_="tiles"),
        el("div", _checks(verdict.checks), *_reported(verdict), class_="card"),
        id="verdict",
    )


def _seen(verdict: Verdict) -> list[Figure]:
    shown = "–" if verdict.sharpe is None else f"{verdict.sharpe:+.2f}"
    least = "–" if verdict.sharpe_smallest is None else f"{verdict.sharpe_smallest:.2f}"
    left = verdict.months_left
    if left is None:
        time, why = "never", "worthless recipes show as much: no record is long enough"
    elif left > 0:
        time, why = f"{left:.0f} months", "more, if it goes on as it did"
    else:
        time, why = "reached", "the record is long enough for what it shows"
    return [
        Figure("Sharpe ratio a year", shown, "beyond the matched hold, after costs"),
        Figure("Smallest that is seen", least, "a true ratio that passes in 4 of 5 records"),
        Figure("Record", f"{verdict.months:.1f} months", "out of sample"),
        Figure("Time to a verdict", time, why),
    ]


def _reported(verdict: Verdict) -> list[Html]:
    told = ", ".join(
        f"{name} {one if isinstance(one, str) else format(one, '.3g')}"
        for name, one in verdict.reported.items()
    )
    return [el("p", f"Reported, never deciding: {told}.", class_="note")] if told else []


def _checks(checks: tuple[Check, ...]) -> Html:
    """Marked in a word and not by colour alone; the reason may be long, and wraps."""
    head = ("Rule", "Figure", "Asked", "Passed", "Why")
    rows = [
        el(
            "tr",
            el("th", check.name, scope="row"),
            el("td", "–" if check.figure is None else _plain(check.figure), class_="n"),
            el("td", f"{check.asked} {_plain(check.bound)}", class_="n"),
            el("td", "yes" if check.passed else "no", class_="yes" if check.passed else "no"),
            el("td", tables.value(check.words), class_="long"),
        )
        for check in checks
    ]
    table = el(
        "table",
        el("caption", "Every rule"),
        el("thead", el("tr", *(el("th", name, scope="col") for name in head))),
        el("tbody", *rows),
        class_="checks",
    )
    return el(
        "div", table, class_="scroll all", tabindex="0", role="region", aria_label="Every rule"
    )


def _plain(value: float) -> str:
    """
    >>> _plain(-0.01234), _plain(12345.6), _plain(3.0), _plain(0)
    ('−0.0123', '12,346', '3', '0')
    """
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return tables.value(text)
