"""What the page and the shipped file say of a setting is what the schema says of it."""

import re

from rrr.config import Home, load
from rrr.config.schema import FIELDS, SECTIONS, Settings, flat, text, words
from tests.house.source import ROOT

PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
SHIPPED = ROOT / "config" / "trading_config.yml"


def test_the_page_has_every_setting_as_the_schema_has_it_and_no_other() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert rows == [row(name) for name in FIELDS]


def test_the_page_introduces_every_section_with_the_words_of_the_schema() -> None:
    titles = [f"{name}: {section.__doc__}" for name, section in SECTIONS.items()]
    assert re.findall(r"^## (\w+: .+)$", PAGE, re.MULTILINE) == titles


def test_the_shipped_file_says_the_defaults() -> None:
    loaded = load(Home(ROOT / "tests"), file=SHIPPED, environ={})
    assert loaded.settings == Settings()


def test_the_shipped_file_names_every_setting_and_where_none_is_meant_shows_an_example() -> None:
    lines = re.findall(
        r"^(#   |# |  )?([a-z]\w*):", SHIPPED.read_text(encoding="utf-8"), re.MULTILINE
    )
    named = {name for _, name in lines} - SECTIONS.keys()
    assert named == {name.rpartition(".")[2] for name in FIELDS}
    absent = {n.rpartition(".")[2] for n, value in flat(Settings()).items() if value is None}
    assert {name for mark, name in lines if "#" in mark} == absent


def row(name: str) -> str:
    unit, allowed, meaning = words(name)
    cells = (f"`{name}`", unit, text(flat(Settings())[name]), allowed, meaning)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)
