"""The page needs nothing but itself, says what it is, and lets no name become markup."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from rrr.backtesting.report.model import Figure, Month, Report, Section, Setting, Table
from rrr.backtesting.report.page import page
from rrr.backtesting.report.tables import TRIPS_MAX
from tests.backtesting.report import made

VOID = {"meta", "input"}
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onload="alert(1)',
    "'--><svg/onload=alert(1)>",
    "\u202egnp.evil\ud800\x00",
]


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    parts: list["str | Element"] = field(default_factory=list)

    @property
    def children(self) -> list["Element"]:
        return [part for part in self.parts if isinstance(part, Element)]

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    def all(self, tag: str = "", **attributes: str) -> list["Element"]:
        """Every element within that is such a one."""
        fits = (not tag or self.tag == tag) and attributes.items() <= self.attributes.items()
        return [self] * fits + [e for child in self.children for e in child.all(tag, **attributes)]


class Tree(HTMLParser):
    """A strict reader: every element is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert self.open == [self.root], "An element was left open."

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} says something twice."
        element = Element(tag, dict(attrs))
        self.open[-1].parts.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes another element."

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def tree(report: Report) -> Element:
    return Tree(page(report)).root


def rows(root: Element, caption: str) -> list[list[str]]:
    (table,) = [t for t in root.all("table") if t.all("caption")[0].text == caption]
    return [[cell.text for cell in row.children] for row in table.all("tbody")[0].children]


def wild(name: str) -> Report:
    """A run in which every text that comes from elsewhere is this one."""
    named = ("name", "strategy", "market", "span", "quote", "in_sample", "trade_list", "timeframe")
    texts: dict[str, Any] = dict.fromkeys((*named, "null", "rolling"), name)
    one = made.report(symbols=[name])
    return replace(
        one,
        **texts,
        notes=[name],
        headline=[Figure(name, name, name)],
        believe=[Figure(name, name, name, wary=True)],
        origin=[Figure(name, name)],
        settings=[Setting(name, name, name)],
        trips=replace(one.trips, reason=[name] * 12),
        fans={name: name},
        sections=[Section(name, [Figure(name, name, name)])],
        tables=[Table(name, [name, name], [[name, name]] * 2, name)],
    )


REPORTS = pytest.mark.parametrize(
    "report",
    [made.report(), made.empty(), made.report(candles=1, trips=0)],
    ids=["a run", "nothing", "one candle"],
)


@REPORTS
def test_a_page_is_whole_and_says_what_each_part_is(report: Report) -> None:
    root = tree(report)
    ids = [name for e in root.all() if (name := e.attributes.get("id")) is not None]
    assert len(ids) == len(set(ids))
    assert {a.attributes["href"] for a in root.all("a")} <= {f"#{name}" for name in ids}
    assert len(root.all("h1")) == 1
    assert all(e.attributes.get("scope") in {"col", "row"} for e in root.all("th"))
    assert all(table.all("caption")[0].text for table in root.all("table"))
    assert all(
        e.attributes.get("aria-label") or e.attributes.get("aria-hidden") for e in root.all("svg")
    )
    assert all(e.all("output")[0].text for e in root.all("figure") if e.all("svg"))
    assert root.all("html")[0].attributes["lang"] == "en"


@REPORTS
def test_a_page_asks_for_nothing_outside_itself(report: Report) -> None:
    text = page(report)
    outside = r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttp|WebSocket|import\(|sendBeacon|\.src\b"
    assert re.findall(outside, re.sub(r"^// .*$", "", text, flags=re.MULTILINE)) == []
    root = Tree(text).root
    for element in root.all():
        assert element.tag not in {"link", "img", "iframe", "object", "base", "form", "audio"}
        assert not {"src", "srcset", "action", "style"} & element.attributes.keys()
        assert not [name for name in element.attributes if name.startswith("on")]


def test_a_page_forbids_every_script_and_style_but_its_own_by_their_hashes() -> None:
    root = tree(made.report())
    (policy,) = root.all("meta", **{"http-equiv": "Content-Security-Policy"})
    style, script = root.all("style")[0], root.all("script")[-1]
    hashes = [
        base64.b64encode(hashlib.sha256(e.text.encode()).digest()).decode() for e in (style, script)
    ]
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'"
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_markup(name: str) -> None:
    def shape(report: Report) -> list[tuple[str, list[str]]]:
        return [(element.tag, sorted(element.attributes)) for element in tree(report).all()]

    assert shape(wild(name)) == shape(wild("a harmless one"))
    sent = json.loads(tree(wild(name)).all("script", id="data")[0].text)
    assert sent["traded"][0]["symbol"] == name
    assert page(wild(name)).encode()


def test_what_was_made_up_or_seen_before_is_said_first() -> None:
    assert tree(made.report()).all("p", **{"class": "banner"}) == []
    said = tree(replace(made.report(), synthetic=True, in_sample="61 % were trained on."))
    first, second = said.all("body")[0].children[:2]
    assert (first.attributes["role"], first.text.split()[0]) == ("note", "SYNTHETIC")
    assert second.text == "IN SAMPLE 61 % were trained on."


def test_the_way_to_the_same_run_stands_on_the_page() -> None:
    said = [e.text for e in tree(made.report()).all("code")]
    assert said == ["rrr reproduce amber-falcon-7"]


def test_the_same_run_is_the_same_page() -> None:
    assert page(made.report()) == page(made.report())


def test_every_round_trip_stands_in_the_table_to_the_last_figure() -> None:
    report = made.report(trips=40, symbols=["BTC/USD", "ETH/USD"])
    trips, table = report.trips, rows(tree(report), "40 round trips")

    def whole(text: str) -> Decimal:
        return Decimal(text.replace(",", "").replace("−", "-").removesuffix(" %"))

    assert len(table) == 40
    for n, row in enumerate(table):
        symbol, side, opened, closed, quantity, entry, exit_, fees, pnl, share, reason = row
        assert (symbol, side) == (report.traded[trips.instrument[n]].symbol, "long")
        assert np.datetime64(opened) == np.datetime64(int(trips.opened_ms[n]), "ms")
        if trips.open[n]:
            assert closed == "still open"
        else:
            assert np.datetime64(closed) == np.datetime64(int(trips.closed_ms[n]), "ms")
        assert whole(quantity) == Decimal(int(trips.quantity[n])).scaleb(-8)
        assert whole(entry) == Decimal(int(trips.entry[n])).scaleb(-4)
        assert whole(exit_) == Decimal(int(trips.exit[n])).scaleb(-4)
        for text, quanta in ((fees, int(trips.fees[n])), (pnl, int(trips.pnl[n]))):
            places = Decimal(1).scaleb(whole(text).as_tuple().exponent)  # type: ignore[arg-type]
            assert abs(whole(text) - Decimal(quanta).scaleb(-8)) <= places / 2
        assert whole(share) == Decimal(f"{trips.ratio[n] * 100:.2f}")
        assert reason == trips.reason[n]


def test_round_trips_beyond_what_a_browser_lays_out_are_counted() -> None:
    report = made.report(trips=TRIPS_MAX + 5)
    root = tree(report)
    assert len(rows(root, f"{TRIPS_MAX + 5:,} round trips")) == TRIPS_MAX
    note = root.all("section", id="round-trips")[0].all("p")[0].text
    assert note == (
        f"The first {TRIPS_MAX:,} of {TRIPS_MAX + 5:,} stand here. "
        "All are in data/runs/amber-falcon-7.csv."
    )


def test_what_cannot_be_shown_says_why() -> None:
    report = made.empty()
    said = [e.text for e in tree(report).all("p", **{"class": "note"})]
    assert "The run is shorter than 90 days." in said
    assert "There is no round trip to move." in said
    assert "No month has a close." in said
    assert "Every setting is as it comes." in said


def test_a_month_wears_its_sign_and_its_shade() -> None:
    months = [Month(2023, 12, -0.3), Month(2024, 1, 0.0), Month(2024, 2, 0.02), Month(2024, 0, 0.1)]
    root = tree(replace(made.report(), months=months))
    (heat,) = root.all("table", **{"class": "heat"})
    cells = {e.text: e.attributes.get("class") for e in heat.all("td") if e.text}
    assert cells == {"−30.00": "down6", "+0.00": None, "+2.00": "up1", "+10.00": "up4"}
    first = rows(root, "Return of each month, %")[0]
    assert first == ["2023", *[""] * 11, "−30.00", ""]


def test_beside_the_curve_stands_each_month_of_it() -> None:
    report = made.report(candles=60 * 24, trips=0)
    table = rows(tree(report), "Equity, drawdown and exposure by month")
    month = (report.curve.at_ms - 1).astype("datetime64[ms]").astype("datetime64[M]")
    assert [row[0] for row in table] == [str(one) for one in np.unique(month)]
    for name, equity, hold, drawdown, exposure in table:
        inside = month == np.datetime64(name)
        assert equity == f"{report.curve.equity[inside][-1] / made.QUANTA:,.2f}"
        assert report.curve.hold is not None
        assert hold == f"{report.curve.hold[inside][-1] / made.QUANTA:,.2f}"
        assert drawdown == f"{report.curve.drawdown[inside].max():.2%}".replace("%", " %")
        assert exposure == f"{report.curve.exposure[inside].mean():.2%}".replace("%", " %")


def test_the_table_of_a_histogram_counts_what_it_draws() -> None:
    report = made.report(trips=300)
    table = rows(tree(report), "Returns of round trips")
    assert sum(int(row[2]) for row in table) == int((~report.trips.open).sum())


def test_five_years_of_three_instruments_by_the_hour_fit_into_three_megabytes() -> None:
    report = made.report(candles=43_800, trips=5_000, symbols=["BTC/USD", "ETH/USD", "SOL/USD"])
    assert sum(len(one.open) for one in report.traded) >= 131_000
    assert len(page(report).encode()) < 3_000_000


def test_what_to_be_careful_about_is_marked_in_words() -> None:
    root = tree(made.report())
    marked: list[Any] = root.all("span", **{"class": "wary"})
    assert [e.text for e in marked] == ["caution"]


def test_how_parameters_were_chosen_is_shown_line_by_line() -> None:
    assert 'id="walk"' not in page(made.report())
    shown = page(replace(made.report(), walk="windows  3\n\n<b>  fast=5"))
    assert "<span>windows  3</span><span></span><span>&lt;b&gt;  fast=5</span>" in shown
