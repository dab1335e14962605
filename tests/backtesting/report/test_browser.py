"""A real browser draws every chart, asks nobody, and follows a hand."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rrr.backtesting.report.charts import joined
from rrr.backtesting.report.model import Report
from rrr.backtesting.report.page import page
from rrr.monitoring.words import stamp
from tests.backtesting.report import made
from tests.backtesting.report.test_page import HOSTILE, Element, Tree

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "chromium-headless-shell")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="There is no Chromium to open the page with."),
]

POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')


def seen(text: str, folder: Path, width: int = 1200) -> tuple[Element, str]:
    """The page as the browser leaves it, and what it complained of."""
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"]
    private = [f"--user-data-dir={folder / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND"]
    loud = ["--enable-logging=stderr", "--virtual-time-budget=5000", f"--window-size={width},900"]
    answer = subprocess.run(
        [str(BROWSER), *options, *private, *loud, file.as_uri()],
        capture_output=True,
        text=True,
        check=True,
    )
    said = "\n".join(line for line in answer.stderr.splitlines() if ":CONSOLE" in line)
    return Tree(_closed(answer.stdout)).root, said


@pytest.mark.parametrize(
    "report",
    [
        made.report(candles=2_000, trips=60, symbols=["BTC/USD", "ETH/USD"]),
        made.report(candles=1, trips=0),
        made.empty(),
        replace(made.report(symbols=HOSTILE[:4]), quote=HOSTILE[0], timeframe=HOSTILE[1]),
    ],
    ids=["a run", "one candle", "nothing", "hostile"],
)
def test_every_chart_is_drawn_without_a_complaint(report: Report, tmp_path: Path) -> None:
    root, said = seen(page(report), tmp_path)
    assert said == ""
    assert "drawn" in str(root.all("html")[0].attributes["class"])
    charts = [figure for figure in root.all("figure") if figure.attributes.get("data-chart")]
    assert len(charts) >= 3
    for figure in charts:
        (svg,) = [e for e in figure.children if e.tag == "svg"]
        drawn = [path.attributes["d"] or "" for path in svg.all("path")]
        assert "NaN" not in "".join(drawn), figure.attributes["id"]
        assert not report.curve.at_ms.size or svg.all("text"), figure.attributes["id"]
    assert len(root.all("script")) == 2


def test_what_is_under_the_pointer_is_said_exactly(tmp_path: Path) -> None:
    report = made.report(candles=2_000, trips=10)
    root, _ = seen(page(report), tmp_path)
    charts = {name: root.all("figure", id=name)[0] for name in ("candles", "equity", "drawdown")}
    said = {name: chart.all("output")[0].text for name, chart in charts.items()}

    many = re.search(r"each candle is (\d+) × 1h", charts["candles"].text)
    assert many is not None
    whole = joined(report.traded[0], int(many[1]) * made.HOUR)
    numbers = {name: getattr(whole, name)[-1] for name in ("open", "high", "low", "close")}
    prices = " · ".join(f"{name} {points / 10_000:,.2f}" for name, points in numbers.items())
    assert said["candles"] == f"{_time(int(whole.opened_at_ms[-1]))} · {prices}"

    assert f"equity {report.curve.equity[-1] / made.QUANTA:,.2f} USD" in said["equity"]
    assert said["drawdown"].endswith(f"{report.curve.drawdown[-1] * 100:.2f} % below the peak")


def test_a_script_that_is_not_its_own_does_not_run(tmp_path: Path) -> None:
    text = page(made.report())
    wild = text.replace("</main>", "</main><script>document.title = 'owned'</script>")
    root, said = seen(wild, tmp_path)
    assert root.all("title")[0].text.startswith("amber-falcon-7")
    assert "Content Security Policy" in said


# Nothing is painted here, so no frame would ever come.
FRAMES = "<script>window.requestAnimationFrame = (draw) => setTimeout(draw)</script><style>"
HAND = """
const said = [], span = () => document.querySelector(".span").textContent;
const press = (name) => document.querySelector(`[data-does=${name}]`).click();
const frame = () => new Promise((done) => setTimeout(done, 100));
(async () => {
  const table = document.querySelector("#round-trips table");
  const column = () => [...table.tBodies[0].rows].map((row) => row.cells[9].textContent).join("|");
  const head = table.tHead.rows[0].cells[9];
  for (let n = 0; n < 3; n++) { head.click(); said.push(column()); }
  press("in"); await frame(); said.push(span());
  press("on"); await frame(); said.push(span());
  press("all"); await frame(); said.push(span());
  document.querySelectorAll("[data-trip]")[3].click(); await frame();
  said.push(document.querySelector("#instrument").value, span());
  const svg = document.querySelector("#candles > svg"), box = svg.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + (box.width - 60) / 2 }));
  said.push(document.querySelector("#candles output").textContent);
  const made = document.createElement("ol");
  made.id = "said";
  said.forEach((text) => (made.appendChild(document.createElement("li")).textContent = text));
  document.body.append(made);
})();
"""


def test_tables_sort_charts_zoom_and_a_round_trip_leads_to_its_candles(tmp_path: Path) -> None:
    report = made.report(candles=2_000, trips=30, symbols=["BTC/USD", "ETH/USD"])
    free = POLICY.sub("", page(report)).replace("<style>", FRAMES)
    free = free.replace("</body>", f"<script>{HAND}</script></body>")
    root, complaint = seen(free, tmp_path)
    assert complaint == ""
    falling, rising, given, zoomed, later, whole, chosen, near, words = (
        e.text for e in root.all("ol", id="said")[0].children
    )

    given_numbers = [round(float(ratio) * 100, 2) for ratio in report.trips.ratio]
    assert _numbers(given) == given_numbers
    assert _numbers(falling) == sorted(given_numbers, reverse=True)
    assert _numbers(rising) == sorted(given_numbers)

    first, last = made.START, made.START + 2_000 * made.HOUR
    assert whole == _span(first, last)
    assert zoomed == _span(first + 500 * made.HOUR, last - 500 * made.HOUR)
    assert later == _span(first + 1_000 * made.HOUR, last)

    trip = report.trips
    assert int(chosen) == trip.instrument[3]
    begins, ends = near.removesuffix(" UTC").split(" to ")
    assert begins < _time(int(trip.opened_ms[3])) < _time(int(trip.closed_ms[3])) < ends
    assert f"long {_time(int(trip.opened_ms[3]))} at {trip.entry[3] / 10_000:,.2f}" in words
    assert words.endswith(f", {trip.reason[3]}") or ", and" in words


def _closed(text: str) -> str:
    """The browser writes back one document; its own way of empty elements is undone."""
    return re.sub(r"<(option|br)([^>]*)/>", r"<\1\2></\1>", text)


def _numbers(column: str) -> list[float]:
    return [float(text.removesuffix(" %").replace("−", "-")) for text in column.split("|")]


def _time(at_ms: int) -> str:
    return stamp(at_ms).removesuffix("Z")


def _span(begins: int, ends: int) -> str:
    return f"{_time(begins)} to {_time(ends)} UTC"
