import base64
import hashlib
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np

from rrr.data_pipeline.coverage import coverage
from rrr.data_pipeline.coverage_page import drawing, page
from tests.data_pipeline.store_builders import DAY, HOUR, series

LEFT = 44  # where the years are named
SVG = "{http://www.w3.org/2000/svg}"


def rectangles(svg: str) -> list[tuple[str, int, int, str]]:
    """Kind, begin and width in days, and what it says."""
    found = []
    for each in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        x, width = (int(each.attrib[name]) for name in ("x", "width"))
        text = each.findtext(f"{SVG}title") or ""
        found.append((each.attrib["class"], (x - LEFT) // 3, width // 3, text))
    return found


def test_days_alike_are_one_rectangle_that_says_what_it_is() -> None:
    given = series([*range(48), *range(49, 72), *range(72, 80), *range(120, 144)], HOUR)
    assert rectangles(drawing(coverage(given, "D"))) == [
        ("whole", 0, 2, "2024-01-01 to 2024-01-02: 100.0 %"),
        ("most", 2, 1, "2024-01-03: 95.8 %"),
        ("some", 3, 1, "2024-01-04: 33.3 %"),
        ("none", 4, 1, "2024-01-05: 0.0 %"),
        ("whole", 5, 1, "2024-01-06: 100.0 %"),
    ]


def test_a_year_is_a_row_and_a_day_has_one_place_in_each() -> None:
    svg = drawing(coverage(series(366 + 365, DAY), "D"))
    years = [each.text for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert years == ["2024", "2025"]
    # The 29th of February has its place also where there is none.
    assert [(begin, width) for _, begin, width, _ in rectangles(svg)] == [(0, 366), (0, 366)]


def test_months_fill_the_row() -> None:
    given = series(np.arange(366), DAY)
    [(kind, begin, width, text)] = rectangles(drawing(coverage(given, "M")))
    assert (kind, begin, text) == ("whole", 0, "2024-01 to 2024-12: 100.0 %")
    assert width * 3 > 1_000


def test_a_page_needs_nothing_but_itself() -> None:
    text = page([(coverage(series(90, DAY)), ["a line"]), (coverage(series(0)), [])])
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in text
    assert re.findall(r"<script|<link|<img|href=|url\(|style=", text) == []
    assert re.findall(r"https?://[^\"]*", text) == [
        "http://www.w3.org/2000/svg"
    ]  # nothing has no picture


def test_a_hostile_name_is_only_a_name() -> None:
    hostile = '"><script>alert(1)</script>'
    text = page([(coverage(series(9, DAY, symbol=hostile)), [hostile])])
    tags = list[str]()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)

    Tags().feed(text)
    assert "script" not in tags
    assert text.count("&lt;script&gt;") == 3
