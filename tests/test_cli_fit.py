"""`rrr costs --fit`, as a person types it: of live books remembered, of paper's only told."""

from contextlib import closing
from pathlib import Path

import pytest

from rrr.database import live_fits
from rrr.database.client import database_path
from rrr.database.opening import LIVE, connect_read_only
from tests.backtesting.fits import near, traded
from tests.storm.homes import made
from tests.test_cli import Rrr, refused
from tests.test_cli import rrr as rrr  # the fixture

MISTAKES = [
    ("costs --mode live", 2, "--mode and --session are of --fit."),
    ("costs kraken --session live-1", 2, "--mode and --session are of --fit."),
    ("costs kraken --fit", 2, "--fit asks fills and no profile, and kraken is there."),
    ("costs --fit --mode real", 2, "invalid choice: 'real'"),
    ("costs --fit", 66, "There is no database"),
    ("costs --fit --mode paper", 66, "There is no database"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[0])
def test_a_mistake_is_told_and_leaves_nothing(
    rrr: Rrr, tmp_path: Path, mistake: tuple[str, int, str]
) -> None:
    words, code, fragment = mistake
    refused(rrr(*words.split(), "--home", tmp_path), code, fragment)
    assert list(tmp_path.rglob("*.db")) == []


async def test_of_live_books_it_is_told_and_remembered(rrr: Rrr, tmp_path: Path) -> None:
    path = database_path("live", tmp_path)
    path.parent.mkdir(parents=True)
    await traded(path, near(900, 100), closes=24)
    found = rrr("costs", "--fit", "--home", tmp_path, "--json").found
    assert (found["session"], found["verdict"]) == ("live-1", "too kind")
    assert found["remembered"]["done"] is True
    page = rrr("costs", "--fit", "--session", "live-1", "--home", tmp_path).out
    assert "Paper is too kind: " in page
    assert page.endswith("It is remembered: the ramp of live trading counts it.\n")
    with closing(connect_read_only(path, LIVE)) as connection:
        assert live_fits.fitted(connection, (1, 0), found["round_trips"])
        assert connection.execute("SELECT count(*) FROM fits").fetchone() == (2,)
    refused(rrr("costs", "--fit", "--session", "live-9", "--home", tmp_path), 66, "live-9")


def test_of_paper_it_is_told_and_differs_nowhere(rrr: Rrr, tmp_path: Path) -> None:
    market = made(tmp_path / "market", hours=200)
    assert rrr("--mode", "paper", *market, "--speed", "max", "--home", tmp_path).code == 0
    found = rrr("costs", "--fit", "--mode", "paper", "--home", tmp_path, "--json").found
    assert (found["verdict"], "remembered" in found) == ("within", False)
    assert found["beyond_ppm"]["number"] > 10
    assert (found["beyond_ppm"]["low"], found["beyond_ppm"]["high"]) == (0.0, 0.0)
