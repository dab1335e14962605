"""A real browser lays a page of a model out so that no letter stands on another, wide or narrow."""

import re
from pathlib import Path

import pytest

from rrr.backtesting.report.learned import page
from tests.backtesting.report import made_learned as made
from tests.backtesting.report.test_browser import BROWSER, POLICY, seen

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="There is no Chromium to open the page with."),
]

LOOK = """
const said = [];
const root = document.documentElement;
if (root.scrollWidth > root.clientWidth) said.push("the page is wider than its window");
for (const svg of document.querySelectorAll(".plot > svg")) {
  const card = svg.closest("figure").getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent);
  const boxes = texts.map((text) => text.getBoundingClientRect());
  boxes.forEach((a, n) => {
    if (a.left < card.left || a.right > card.right || a.bottom > card.bottom)
      said.push("outside: " + texts[n].textContent);
    boxes.slice(n + 1).forEach((b, more) => {
      const beside = a.right <= b.left || b.right <= a.left;
      const other = texts[n + 1 + more].textContent;
      if (!beside && a.bottom > b.top && b.bottom > a.top)
        said.push(`${texts[n].textContent} on ${other}`);
    });
  });
  for (const mark of svg.querySelectorAll("circle, rect, polyline")) {
    const box = mark.getBoundingClientRect();
    if (!(box.width + box.height > 0)) said.push("not drawn: " + mark.outerHTML.slice(0, 60));
    if (box.left < card.left || box.right > card.right) said.push("beyond: " + mark.outerHTML);
  }
}
const list = document.createElement("ol");
list.id = "said";
said.forEach((text) => (list.appendChild(document.createElement("li")).textContent = text));
document.body.append(list);
"""


@pytest.mark.parametrize("width", [1200, 500])
@pytest.mark.parametrize("shown", [True, False], ids=["all", "kept back"])
def test_no_letter_stands_on_another_and_no_mark_beyond_its_card(
    shown: bool, width: int, tmp_path: Path
) -> None:
    free = POLICY.sub("", page(made.learned(shown=shown)))
    free = free.replace("</body>", f"<script>{LOOK}</script></body>")
    root, complaint = seen(free, tmp_path, width)
    assert complaint == ""
    (said,) = root.all("ol", id="said")
    assert [one.text for one in said.children] == []


def test_a_browser_has_nothing_to_complain_of_and_runs_no_script(tmp_path: Path) -> None:
    text = page(made.learned())
    root, complaint = seen(text, tmp_path)
    assert complaint == ""
    assert len(root.all("polyline")) > 10
    wild = text.replace("</main>", "</main><script>document.title = 'owned'</script>")
    root, complaint = seen(wild, tmp_path)
    assert root.all("title")[0].text.startswith(made.learned().name)
    assert re.search("Content Security Policy", complaint)
