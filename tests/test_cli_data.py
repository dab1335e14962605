"""Histories, as a person brings them home, looks at them, and makes them longer."""

import gzip
import json
from pathlib import Path

import pytest

from rrr.data_pipeline.download_answered import remember
from tests.storm.homes import made
from tests.test_cli import Rrr
from tests.test_cli import rrr as rrr  # the fixture
from tests.venue.process import started

ROWS = "\n".join(
    f"{1_704_067_200 + 60 * i},{100 + i % 7},{101 + i % 7},{99 + i % 7},{100.5 + i % 7},1.5"
    for i in range(180)
    if i != 100
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three hours of minutes, of which one is missing, as somebody's archive has them."""
    path = tmp_path / "archive.csv.gz"
    path.write_bytes(gzip.compress(f"time,open,high,low,close,volume\n{ROWS}\n".encode()))
    return path


SAID = ("--venue", "kraken", "--symbol", "BTC-USD", "--stamps", "open")


def test_a_file_is_understood_kept_checked_and_made_longer(
    rrr: Rrr, tmp_path: Path, file: Path
) -> None:
    home = ("--home", tmp_path / "home")
    unsaid = rrr("data", "import", file, *home)
    assert unsaid.code == 2
    assert "! Say where it was traded: --venue kraken." in unsaid.out
    assert not (tmp_path / "home").exists()

    said = rrr("data", "import", file, *SAID, *home)
    assert said.code == 0, said.err
    assert "179 new candles, 0 held already" in said.out
    again = rrr("data", "import", file, *SAID, *home, "--json")
    (told,) = json.loads(again.out)["files"]
    assert (told["new"], told["same"], told["changed"]) == (0, 179, 0)

    assert rrr("data", "list", *home).out.startswith("kraken/BTC-USD/1m")
    mistyped = rrr("data", "list", "kraken/BTX-USD", *home)
    assert (mistyped.code, "Nearest: kraken/BTC-USD." in mistyped.err) == (66, True)
    page = tmp_path / "coverage.html"
    checked = rrr("data", "check", "kraken", "--page", page, *home)
    assert "gaps: 1, 1 candle missing" in checked.out.replace("candles missing", "candle missing")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")

    longer = rrr("data", "resample", "1h", *home)
    assert "kraken/BTC-USD/1h of 1m: 2 new candles" in longer.out
    assert "! 1 candle not made, parts are missing (first 2024-01-01 01:00Z)" in longer.out


def test_a_correction_is_counted_and_kept_only_where_it_was_asked_for(
    rrr: Rrr, tmp_path: Path, file: Path
) -> None:
    home = ("--home", tmp_path / "home")
    rrr("data", "import", file, *SAID, *home)
    other = gzip.decompress(file.read_bytes()).replace(b",1.5\n", b",2.5\n", 1)
    file.write_bytes(gzip.compress(other))
    kept = rrr("data", "import", file, *SAID, *home)
    assert "1 with other figures (first 2024-01-01 00:00Z): left as they were" in kept.out
    assert "replaced" in rrr("data", "import", file, *SAID, *home, "--replace").out
    assert "179 held already" in rrr("data", "import", file, *SAID, *home).out


def test_a_file_that_is_refused_takes_nothing_from_the_others(
    rrr: Rrr, tmp_path: Path, file: Path
) -> None:
    home = ("--home", tmp_path / "home")
    broken, other = tmp_path / "broken.csv", tmp_path / "other.csv"
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    broken.write_text("\n".join([*lines[:50], "1,2,3"]))
    other.write_text("\n".join([*lines[:1], *lines[20:50]]))
    found = rrr("data", "import", file, broken, other, *SAID, *home)
    assert (found.code, found.err) == (65, "")
    assert "179 new candles" in found.out
    assert "  ! " in found.out and "broken.csv, line 51: it has 3 cells" in found.out
    assert "0 new candles, 30 held already" in found.out
    told = json.loads(rrr("data", "import", broken, file, *SAID, *home, "--json").out)["files"]
    assert (told[0]["error"], told[1]["same"]) == ("DataError", 179)


def test_candles_that_are_still_to_come_are_refused(rrr: Rrr, tmp_path: Path, file: Path) -> None:
    text = gzip.decompress(file.read_bytes()).decode().replace("\n17", "\n35")
    file.write_bytes(gzip.compress(text.encode()))
    found = rrr("data", "import", file, *SAID, "--home", tmp_path / "home")
    assert (found.code, "which is still to come" in found.err) == (65, True)
    assert not (tmp_path / "home").exists()


def test_a_venue_that_nobody_knows_is_a_note(rrr: Rrr, tmp_path: Path, file: Path) -> None:
    said = ("--venue", "krakn", *SAID[2:], "--look")
    found = rrr("data", "import", file, *said, "--home", tmp_path / "home")
    assert "ccxt knows no krakn; is it kraken?" in found.out
    known = rrr("data", "import", file, *SAID, "--look", "--home", tmp_path / "home")
    assert "ccxt knows no" not in known.out
    assert not (tmp_path / "home").exists()


def test_a_damaged_file_hides_no_other_series(rrr: Rrr, tmp_path: Path, file: Path) -> None:
    home = ("--home", tmp_path / "home")
    for symbol in ("BTC-USD", "ETH-USD"):
        rrr("data", "import", file, *SAID[:3], symbol, *SAID[4:], *home)
    (bitcoin,) = (tmp_path / "home").rglob("BTC-USD/1m/*.parquet")
    bitcoin.write_bytes(b"PAR1")
    listed, checked = rrr("data", "list", *home), rrr("data", "check", *home)
    for found in (listed, checked):
        assert (found.code, found.err) == (65, "")
        assert f"  ! {bitcoin} is no whole partition" in found.out
    assert "kraken/ETH-USD/1m          179" in listed.out
    assert "kraken ETH-USD 1m: 179 candles" in checked.out
    told = json.loads(rrr("data", "check", *home, "--json").out)["series"]
    page = tmp_path / "coverage.html"
    rrr("data", "check", *home, "--page", page)
    assert "BTC-USD 1m: damaged" in page.read_text(encoding="utf-8")
    assert [(one["name"], one["sound"]) for one in told] == [
        ("kraken BTC-USD 1m", False),
        ("kraken ETH-USD 1m", True),
    ]


def test_what_the_venue_answered_with_nothing_is_no_gap(
    rrr: Rrr, tmp_path: Path, file: Path
) -> None:
    home, root = ("--home", tmp_path / "home"), tmp_path / "home" / "data" / "historical"
    rrr("data", "import", file, *SAID, *home)
    at = 1_704_067_200_000 + 100 * 60_000
    remember(root, root / "kraken" / "BTC-USD" / "1m", [(at, at + 60_000)])
    (told,) = json.loads(rrr("data", "check", *home, "--json").out)["series"]
    assert (told["missing"], told["silent"], told["coverage"]) == (0, 1, "100.00 %")
    checked = rrr("data", "check", *home).out
    assert "nobody traded, as the venue confirms: 1 candle: 2024-01-01 01:40 UTC" in checked
    assert "gaps" not in checked
    assert "3 new candles" in rrr("data", "resample", "1h", *home).out
    assert rrr("data", "check", *home).out.count("they agree") == 1


def test_what_is_kept_is_backtested_like_any_recording(rrr: Rrr, tmp_path: Path) -> None:
    home = ("--home", tmp_path / "home")
    recorded = made(tmp_path / "market", hours=200)
    tree = Path(recorded[recorded.index("--replay") + 1])
    files = sorted(tree.rglob("*.parquet")) or sorted(tree.rglob("*.csv"))
    assert rrr("data", "import", *files, *home).code == 0
    held = tmp_path / "home" / "data" / "historical"
    run = ("--timeframe", "1h", "--null", "0", "--interpreted", "--json")
    one = rrr("backtest", "--replay", held, *run, *home)
    two = rrr("backtest", "--replay", tree, *run, *home)
    assert one.found["metrics"]["closes"] == two.found["metrics"]["closes"]
    assert one.found["digest"] == two.found["digest"]


@pytest.mark.slow
def test_a_download_is_resumed_and_asks_nothing_twice(rrr: Rrr, tmp_path: Path) -> None:
    with started("binance", seed=1, speed=60) as venue:
        words = ("--market", "binance", "--address", venue.address, "--symbols", "BTC-USDT")
        span = ("--timeframe", "1m", "--from", "2024-01-01T02:00", "--to")
        asked = ("data", "download", *words, *span)
        home = ("--home", tmp_path / "home")
        first = rrr(*asked, "2024-01-01T04:00", *home, "--json")
        (told,) = json.loads(first.out)["downloaded"]
        assert (first.code, told["new"], told["left"]) == (0, 120, [])
        more = rrr(*asked, "2024-01-01T05:00", *home)
    assert "60 new candles" in more.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("data", 2, "`rrr data` wants a verb"),
        ("data lits", 2, "Did you mean data list?"),
        ("data list", 66, "holds no candle yet"),
        ("data check kraken", 66, "holds no candle yet"),
        ("data download", 2, "Say --market kraken"),
        ("data download --market kraken", 2, "Say --from 2024-01-01"),
        ("data import nowhere.csv", 66, "nowhere.csv"),
        ("data resample 7m", 2, "'7m' is no timeframe."),
    ],
)
def test_a_mistake_has_its_sentence(
    rrr: Rrr, tmp_path: Path, words: str, code: int, said: str
) -> None:
    found = rrr(*words.split(), "--home", tmp_path)
    assert (found.code, said in found.err) == (code, True), found.err
