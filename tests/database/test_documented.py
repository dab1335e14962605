"""Whoever asks the database finds every table and view on its page."""

from contextlib import closing
from pathlib import Path

from rrr.database.migrate import migrate
from rrr.database.opening import plain
from tests.house.source import ROOT

PAGE = (ROOT / "docs" / "database.md").read_text(encoding="utf-8")
NAMES = """SELECT name FROM sqlite_schema
    WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%' ORDER BY name"""


def test_every_table_and_view_has_its_place_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with closing(plain(f"file:{path}?mode=rwc")) as connection:
        migrate(connection, path)
        names = [name for (name,) in connection.execute(NAMES)]
    assert len(names) > 30
    assert [name for name in names if f"`{name}`" not in PAGE] == []
