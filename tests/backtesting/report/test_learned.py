"""The page of a model needs nothing but itself, hides the holdout, and lets no name be markup."""

import base64
import hashlib
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rrr.backtesting.break_even import HONEST
from rrr.backtesting.report.learned import page
from rrr.backtesting.report.learned_figures import Learned, Skill
from rrr.backtesting.report.model import Figure
from tests.backtesting.report import made_learned as made
from tests.backtesting.report.test_page import HOSTILE, Element, Tree

HIDDEN = made.learned(shown=False)
SHOWN = made.learned()


def tree(learned: Learned) -> Element:
    return Tree(page(learned)).root


def rows(root: Element, caption: str) -> list[list[str]]:
    (table,) = [t for t in root.all("table") if t.all("caption")[0].text == caption]
    return [[cell.text for cell in row.children] for row in table.all("tbody")[0].children]


def figure(root: Element, title: str) -> Element:
    (one,) = [f for f in root.all("figure") if f.all("h3")[0].text.startswith(title)]
    return one


def titles(root: Element, class_: str) -> list[str]:
    """What each mark of a class says of itself."""
    marks = [e for e in root.all() if class_ in (e.attributes.get("class") or "").split()]
    return [said.text for mark in marks for said in mark.children if said.tag == "title"]


def unknown(why: str) -> Learned:
    """Of which nothing is known."""
    parts = ("lessons", "skills", "calibrated", "charged", "weighed", "equity")
    texts: dict[str, Any] = dict.fromkeys(parts, why)
    return replace(HIDDEN, **texts)


PAGES = pytest.mark.parametrize(
    "learned", [SHOWN, HIDDEN, unknown("It was not told.")], ids=["shown", "hidden", "nothing"]
)


@PAGES
def test_a_page_is_whole_and_says_what_each_part_is(learned: Learned) -> None:
    root = tree(learned)
    assert len(root.all("h1")) == 1
    assert all(e.attributes.get("scope") in {"col", "row"} for e in root.all("th"))
    assert all(table.all("caption")[0].text for table in root.all("table"))
    pictures = [e for div in root.all("div") for e in div.children if e.tag == "svg"]
    assert all(e.attributes["role"] == "img" and e.attributes["aria-label"] for e in pictures)
    assert all(title.text for title in root.all("title"))


@PAGES
def test_a_page_asks_for_nothing_and_runs_nothing(learned: Learned) -> None:
    text = page(learned)
    assert re.findall(r"https?:|@import|url\(|javascript:", text) == []
    root = Tree(text).root
    for element in root.all():
        assert element.tag not in {"script", "link", "img", "iframe", "object", "base", "form"}
        assert not {"src", "href", "action", "style"} & element.attributes.keys()
        assert not [name for name in element.attributes if name.startswith("on")]
    (policy,) = root.all("meta", **{"http-equiv": "Content-Security-Policy"})
    style = root.all("style")[0].text
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.attributes["content"] == f"default-src 'none'; style-src 'sha256-{digest}'"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_markup(name: str) -> None:
    def wild(text: str) -> Learned:
        named = ("name", "title", "market", "timeframe")
        texts: dict[str, Any] = dict.fromkeys(named, text)
        whys: dict[str, Any] = dict.fromkeys(("lessons", "skills", "calibrated", "charged"), text)
        told = [Figure(text, text, text, wary=True)]
        said: dict[str, Any] = dict.fromkeys(("headline", "words", "origin"), told)
        return replace(HIDDEN, **texts, **whys, **said, symbols=[text])

    def shape(learned: Learned) -> list[tuple[str, list[str]]]:
        return [(element.tag, sorted(element.attributes)) for element in tree(learned).all()]

    assert shape(wild(name)) == shape(wild("a harmless one"))


def test_the_same_training_is_the_same_page() -> None:
    assert page(made.learned()) == page(made.learned())


def test_no_mark_of_a_fold_stands_where_the_gate_has_not_looked() -> None:
    held = [n for n, fold in enumerate(made.FOLDS) if fold.ends_ms > made.HELD_OUT]
    assert held == [5, 6, 7]
    root = tree(HIDDEN)
    for horizon in made.HORIZONS:
        said = f"{horizon} candle{'s' * (horizon > 1)} ahead"
        table = rows(root, f"IC, {said}")
        assert [row[3:] for n, row in enumerate(table) if n in held] == [["kept back"] * 3] * 3
        assert all("±" in cell for row in table[:5] for cell in row[3:])
    skill = figure(root, "IC, 24 candles ahead")
    assert len(titles(skill, "point")) == 5 * len(made.KINDS)
    assert "kept back for the gate" in titles(skill, "kept")


def test_a_page_with_a_figure_of_the_holdout_is_not_drawn() -> None:
    early = replace(SHOWN, shown=False, verdict=None)
    with pytest.raises(AssertionError, match="Nobody has looked there"):
        page(early)
    with pytest.raises(AssertionError, match="Nobody has looked there"):
        page(replace(early, skills=HIDDEN.skills))
    with pytest.raises(AssertionError, match="Nobody has looked there"):
        page(replace(early, equity=HIDDEN.equity))
    page(replace(early, skills=HIDDEN.skills, equity=HIDDEN.equity))


def test_where_the_gate_was_asked_everything_is_shown_and_the_verdict_is_a_table() -> None:
    root = tree(made.learned(passed=False))
    table = rows(root, "Every rule")
    verdict = made.verdict(passed=False)
    assert [row[0] for row in table] == [check.name for check in verdict.checks]
    assert [row[3] for row in table] == ["yes", "no", "no", "yes"]
    assert table[1][1:3] == ["0.312", "≥ 0.95"]
    section = root.all("section", id="verdict")[0].text
    for said in ("refused by 2 of 4", "2.90", "14 months", "31.5 months", "never deciding"):
        assert said in section
    assert "kept back" not in root.all("main")[0].text
    assert "passed" in tree(made.learned(passed=True)).all("section", id="verdict")[0].text


@pytest.mark.parametrize(
    ("learned", "words"),
    [(HIDDEN, ["UNPROVEN"]), (SHOWN, ["REFUSED"]), (made.learned(passed=True), [])],
)
def test_what_is_not_proven_is_said_first(learned: Learned, words: list[str]) -> None:
    banners = tree(learned).all("p", **{"class": "banner"})
    assert [e.all("strong")[0].text for e in banners] == words
    marked = tree(replace(learned, synthetic=True)).all("p", **{"class": "banner"})
    assert [e.all("strong")[0].text for e in marked] == ["SYNTHETIC", *words]


def test_an_ic_above_what_is_honest_is_marked_as_one_to_distrust() -> None:
    leaky = [Skill("ridge", 24, n, ic, 0.01) for n, ic in enumerate((0.02, HONEST + 0.03, 0.01))]
    said = figure(tree(replace(HIDDEN, skills=leaky)), "IC, 24 candles ahead").text
    assert "Distrust 1 of these" in said
    assert "Distrust 1" not in figure(tree(HIDDEN), "IC, 24 candles ahead").text
    assert "distrust above 0.10" in figure(tree(HIDDEN), "IC, 24 candles ahead").text


def test_every_mark_stands_within_its_plot_and_says_its_figure() -> None:
    """Shares of the width from 0 to 100 %; along y between the highest tick and the lowest."""
    for group in tree(SHOWN).all("g"):
        for mark in group.all("circle") + group.all("rect"):
            for name in ("cx", "x", "width"):
                text = mark.attributes.get(name) or "0%"
                if text.endswith("%"):
                    assert 0 <= float(text.removesuffix("%")) <= 100
    points = titles(figure(tree(SHOWN), "IC, 24 candles ahead"), "point")
    skills = [one for one in SHOWN.skills if isinstance(one, Skill) and one.horizon == 24]
    written = [
        f"{one.kind}, fold {one.fold + 1}: IC {one.ic:+.3f} ± {one.error:.3f}".replace("-", "−")
        for one in skills
    ]
    assert points == written


def test_a_point_stands_as_high_as_its_figure() -> None:
    root = figure(tree(SHOWN), "IC, 24 candles ahead")
    (svg,) = [e for div in root.all("div", **{"class": "plot"}) for e in div.children]
    ticks = {
        float(t.text.replace("−", "-")): float(t.attributes["y"] or "")
        for t in svg.all("text")
        if t.attributes.get("x") == "-7"
    }
    low, high = min(ticks), max(ticks)
    assert low < 0 < HONEST <= high
    assert ticks[high] == 0
    assert ticks[low] == pytest.approx(230)
    assert float(svg.attributes["height"] or "") == 230 + 26 + 42
    for mark, one in zip(
        [g for g in svg.all("g") if "network" in (g.attributes.get("class") or "")],
        [
            s
            for s in SHOWN.skills
            if isinstance(s, Skill) and (s.kind, s.horizon) == ("network", 24)
        ],
        strict=True,
    ):
        tall = float(mark.all("circle")[0].attributes["cy"] or "")
        share = (ticks[low] - tall) / (ticks[low] - ticks[high])
        assert low + share * (high - low) == pytest.approx(one.ic, abs=0.001)


def test_what_cannot_be_shown_says_why() -> None:
    said = [e.text for e in tree(unknown("It was not told.")).all("p", **{"class": "note"})]
    assert said.count("It was not told.") == 6


def test_beside_each_picture_stands_a_table_of_its_figures() -> None:
    root = tree(SHOWN)
    weighed = rows(root, "Fall of the IC")
    assert isinstance(SHOWN.weighed, dict)
    falls = sorted((one.fall for one in SHOWN.weighed["ridge"]), reverse=True)
    assert [row[1] for row in weighed] == [f"{fall:+.5f}".replace("-", "−") for fall in falls]
    assert len(rows(root, "Cost curve")) == 12
    worth = rows(root, "What 1 became")
    assert not isinstance(SHOWN.equity, str)
    last = [f"{one.worth[-1]:.4f}" for one in SHOWN.equity.grown]
    assert worth[-1][1 : 1 + len(last)] == last
    for kind in made.KINDS:
        assert len(rows(root, f"Calibration of the {kind}")) == 10


def test_what_was_said_before_platt_and_fits_no_axis_is_counted_in_words() -> None:
    assert not isinstance(SHOWN.calibrated, str)
    one = SHOWN.calibrated[0]
    before = [*one.bins[:3], one.bins[0]._replace(said=0.99)]
    root = tree(replace(SHOWN, calibrated=[one._replace(before=before)]))
    drawn = figure(root, "Calibration of the ridge")
    assert "1 of 4 before Platt lie beyond the axes." in drawn.text
    assert len(titles(drawn, "raw")) == 3
    assert len(titles(drawn, "ridge")) == 10


def test_a_line_of_many_closes_keeps_its_deepest_and_highest() -> None:
    from rrr.backtesting.report.learned_money import BUCKETS, _kept

    worth = np.exp(np.random.default_rng(3).normal(0, 0.01, 30_000).cumsum())
    kept = _kept(worth)
    assert len(kept) <= 3 * BUCKETS + 1
    assert (worth[kept].min(), worth[kept].max()) == (worth.min(), worth.max())
    assert kept[[0, -1]].tolist() == [0, len(worth) - 1]


def test_three_years_of_hours_fit_into_a_megabyte() -> None:
    assert len(page(SHOWN).encode()) < 1_000_000
