"""A run over a history, as a person types it: its page, its files, its row, and the same again."""

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from rrr import cli
from rrr.backtesting import records
from rrr.wiring import backtest_speed, backtesting, beginning
from tests.data_pipeline.loopback import Loopback
from tests.storm.homes import BEGINS_MS, HOUR_MS, made
from tests.test_cli import PYTHON, WHERE, Rrr, program, refused
from tests.test_cli import rrr as rrr  # the fixture
from tests.wiring.test_exchanges import rising

FAST: Final = ("--interpreted", "--null", "50")
CROSS: Final = "moving-average-cross:fast=4,slow=12"
OPEN_SPAN: Final = ("--from", "2024-01-05", "--to", "2024-01-15")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Three instruments over sixteen days, and the words that run them."""
    return made(tmp_path_factory.mktemp("market"), hours=390)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, market: Sequence[str]) -> Path:
    """A home with one run; whoever spoils it takes a copy."""
    home = tmp_path_factory.mktemp("ran")
    asked = ("backtest", *market, "--strategy", CROSS, *OPEN_SPAN, *FAST, "--home", str(home))
    assert cli.command(asked) == 0
    return home


def ask(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{home}/data/research.db?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def fits(page: str) -> list[str]:
    """Its lines: a hundred columns, however long the path of a home is."""
    lines = page.splitlines()
    assert [line for line in lines if len(line) > 100 and "/data/backtests/" not in line] == []
    return lines


def test_nothing_but_the_word_runs_the_baseline_over_the_simulated_market(
    rrr: Rrr, tmp_path: Path
) -> None:
    said = rrr("backtest", "--candles", "300", *FAST, "--home", tmp_path)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("backtest-1: trend:fast=48,slow=240,full_swings=4\n")
    assert "SYNTHETIC" in said.out
    assert "300 closes" in said.out
    folder = tmp_path / "data" / "backtests" / "backtest-1"
    assert {path.name for path in folder.iterdir()} == {"report.html", "trades.csv"}
    assert "SYNTHETIC" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_fits_a_terminal_and_says_what_to_believe(rrr: Rrr, ran: Path) -> None:
    page = rrr("runs", "backtest-1", "--home", ran).out
    lines = fits(page)
    for name in ("instrument", "ended by", "return", "matched hold", "drawdown", "round trips"):
        assert any(line.startswith(f"  {name}") for line in lines), name
    believe = page.partition("What to believe\n")[2]
    for name in ("costs", "difference", "chance", "Sharpe", "trials"):
        assert re.search(rf"^[! ] {name} ", believe, re.MULTILINE), name
    assert "rrr reproduce backtest-1" in page
    assert "nothing is made yearly of less than 90 days; these are 10.0" in page


def test_the_object_is_the_row_and_its_files_add_up(
    rrr: Rrr, market: Sequence[str], tmp_path: Path
) -> None:
    trades, report = tmp_path / "my.csv", tmp_path / "deep" / "my.html"
    out = ("--trades", trades, "--report", report, "--home", tmp_path / "home", "--json")
    found = rrr("backtest", *market, "--strategy", CROSS, *OPEN_SPAN, *FAST, *out).found
    assert found == rrr("runs", "backtest-1", "--home", tmp_path / "home", "--json").found
    assert (found["run"], found["strategy"], found["parent"]) == ("backtest-1", CROSS, None)
    assert (found["trades_path"], found["report_path"]) == (str(trades), str(report))
    assert found["command"].startswith("rrr backtest --replay ")
    assert found["settings"]["from"] == {"value": "2024-01-05T00:00:00Z", "origin": "command line"}
    hashes = ("digest", "data_digest", "core_hash", "strategy_hash")
    assert all(re.fullmatch("[0-9a-f]{32,64}", found[name]) for name in hashes)

    metrics = found["metrics"]
    assert metrics["begins_ms"] == BEGINS_MS + 48 * HOUR_MS
    assert metrics["round_trips"] > 3
    assert metrics["null_draws"] == 50
    assert metrics["reshuffled"]["draws"] == 50
    assert metrics["reasons"]["rechained"] == "nobody asked for it"
    assert sum(part["pnl"] for part in metrics["instruments"]) == pytest.approx(metrics["pnl"])
    with trades.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == metrics["round_trips"] + metrics["round_trips_open"]
    assert sum(float(row["pnl"]) for row in rows) == pytest.approx(metrics["pnl"], abs=0.01)
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_list_of_trades_may_be_parquet(rrr: Rrr, tmp_path: Path) -> None:
    from pyarrow import parquet

    path = tmp_path / "trades.parquet"
    run = ("backtest", "--candles", "400", "--strategy", "breakout:entry_candles=5,exit_candles=3")
    found = rrr(*run, *FAST, "--trades", path, "--home", tmp_path, "--json").found
    told, asked = found["metrics"], {n: one["value"] for n, one in found["settings"].items()}
    assert parquet.read_table(path).num_rows == told["round_trips"] + told["round_trips_open"]
    assert (asked["candles"], asked["from"], asked["to"]) == (400, None, None)


@pytest.mark.slow
def test_compiled_it_is_the_same_run(rrr: Rrr, ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_speed, "FEW", 0)
    again = rrr("reproduce", "--home", ran)
    assert (again.code, again.out.partition(":")[0]) == (0, "identical"), again


def test_the_same_row_gives_the_same_run_from_any_folder(
    rrr: Rrr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, home = made(tmp_path / "market", hours=60), ("--home", tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    run = ("backtest", "--replay", "market", *words[2:], "--strategy", CROSS, *FAST, *home)
    assert rrr(*run).code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = rrr("reproduce", "backtest-1", "--interpreted", *home, "--json").found
    assert (found["identical"], found["changes"]) == (True, [])
    assert ask(tmp_path / "home", "SELECT count(*) FROM trials") == [(1,)]


def test_a_candle_that_changed_is_found_and_the_first_day_is_named(
    rrr: Rrr, tmp_path: Path
) -> None:
    words = made(tmp_path / "market", hours=200)
    home = ("--home", tmp_path / "home")
    assert rrr("backtest", *words, "--strategy", CROSS, *FAST, *home).code == 0
    file = tmp_path / "market" / "made" / "BTC-USD" / "1h.csv"
    lines = file.read_text(encoding="utf-8").splitlines()
    place = next(n for n, line in enumerate(lines) if n > 100)
    cells = lines[place].split(",")
    lines[place] = ",".join([*cells[:4], cells[3], cells[5]])
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    again = rrr("reproduce", "--interpreted", *home)
    assert again.code == 3
    assert again.out.startswith("DIFFERENT from 2024-01-0")
    assert "  data: digest was " in again.out


MINE: Final = """
import os, signal
import numpy as np
from rrr.neural_network.strategies import FULL, I64, Panel, Strategy

class Mine(Strategy):
    asked = 0

    @property
    def window(self) -> int:
        return 3

    def convictions(self, panel: Panel) -> I64:
        type(self).asked += 1
        CHANGE
        return np.where(panel.close % 3 == 0, FULL, 0)
"""


def mine(folder: Path, change: str = "pass") -> Path:
    file = folder / "mine.py"
    file.write_text(MINE.replace("CHANGE", change), encoding="utf-8")
    return file


def test_a_strategy_of_a_file_is_kept_by_its_content(rrr: Rrr, tmp_path: Path) -> None:
    home = ("--home", tmp_path)
    file = mine(tmp_path)
    run = ("backtest", "--candles", "60", "--strategy", file, "--set", "policy.warmup_candles=5")
    found = rrr(*run, *FAST, *home, "--json").found
    assert found["strategy"] == f"{file}:Mine"
    assert rrr("reproduce", "--interpreted", *home).code == 0
    mine(tmp_path, "panel = panel.cut(0)  # another file, and no other opinion")
    again = rrr("reproduce", "--interpreted", *home)
    assert again.code == 0
    assert "code: strategy was " in again.out
    assert "it changed nothing" in again.out


def test_a_strategy_that_fails_is_blamed_and_leaves_nothing(rrr: Rrr, tmp_path: Path) -> None:
    file = mine(tmp_path, "raise ValueError('no idea')")
    said = rrr("backtest", "--candles", "60", "--strategy", file, *FAST, "--home", tmp_path)
    refused(said, 80, "ValueError: no idea", "mine.py, line 15")
    assert not (tmp_path / "data").exists()


def test_who_stops_it_leaves_a_look_and_nothing_else(tmp_path: Path) -> None:
    """The second time it is asked, of another history, the strategy presses Ctrl-C."""
    file = mine(tmp_path, "self.asked > 4 and os.kill(os.getpid(), signal.SIGINT)")
    run = ("backtest", "--candles", "60", "--strategy", file, "--monte-carlo", "5", *FAST)
    ended = program(*run, "--home", tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")
    assert ask(tmp_path, "SELECT outcome FROM trials") == [(None,)]
    assert ask(tmp_path, "SELECT * FROM backtests") == []
    assert list((tmp_path / "data").rglob("*.html")) == []
    assert list((tmp_path / "data" / "backtests").glob("*")) == []


def test_a_look_counts_before_anything_is_seen(
    rrr: Rrr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backtesting, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rrr("backtest", "--candles", "60", *FAST, "--home", tmp_path)
    assert ask(tmp_path, "SELECT count(*) FROM trials") == [(1,)]


def test_what_fails_at_the_last_moment_takes_its_files_with_it(
    rrr: Rrr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        assert list((tmp_path / "data").rglob("report.html"))
        raise KeyboardInterrupt

    monkeypatch.setattr(records, "remember", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rrr("backtest", "--candles", "60", *FAST, "--home", tmp_path)
    assert list((tmp_path / "data" / "backtests").glob("*")) == []


def test_every_recipe_counts_and_the_same_one_counts_once(rrr: Rrr, tmp_path: Path) -> None:
    def tried(*words: str) -> tuple[int, bool]:
        """How many, and whether that many make the verdict a harder one."""
        run = ("backtest", "--candles", "300", *words, *FAST, "--home", str(tmp_path), "--json")
        told = rrr(*run).found["metrics"]
        return told["trials"]["recipes"], told["sharpe_deflated"] < told["sharpe_probability"]

    of = ("--strategy", CROSS)
    assert [tried(*of), tried(*of), tried(*of, "--seed", "2")] == [
        (1, False),
        (1, False),
        (2, True),
    ]
    assert tried("--strategy", "breakout:entry_candles=5,exit_candles=3") == (3, True)
    assert tried(*of, "--symbols", "BTC-USD") == (1, False)  # another family


def test_other_histories_of_the_same_candles_say_how_far_it_could_go(
    rrr: Rrr, tmp_path: Path
) -> None:
    run = ("backtest", "--candles", "200", "--strategy", CROSS, "--monte-carlo", "6", *FAST)
    found = rrr(*run, "--home", tmp_path, "--json").found["metrics"]["rechained"]
    assert found["draws"] == 6
    assert found["total_ratio"]["low"] <= found["total_ratio"]["high"]
    assert "on 6 other histories" in rrr("runs", "backtest-1", "--home", tmp_path).out


def test_what_is_known_already_is_marked_everywhere(rrr: Rrr, tmp_path: Path) -> None:
    said = rrr("backtest", "--candles", "60", "--in-sample", *FAST, "--home", tmp_path)
    assert "IN SAMPLE" in said.out
    assert "in sample" in rrr("runs", "--home", tmp_path).out
    report = tmp_path / "data" / "backtests" / "backtest-1" / "report.html"
    assert "IN SAMPLE" in report.read_text(encoding="utf-8")
    assert rrr("runs", "backtest-1", "--home", tmp_path, "--json").found["in_sample"] is True


def test_the_span_may_be_said_in_one_word(rrr: Rrr, tmp_path: Path, market: Sequence[str]) -> None:
    def span(*words: str) -> tuple[int, int]:
        run = ("backtest", *market, *words, *FAST, "--home", str(tmp_path), "--json")
        metrics = rrr(*run).found["metrics"]
        return metrics["begins_ms"], metrics["ends_ms"]

    whole = span("--timerange", "20240105-20240115")
    assert whole == span(*OPEN_SPAN)
    assert span("--timerange", "20240105-")[0] == whole[0]
    assert span("--timerange", "-20240115")[1] == whole[1]


def test_a_simulated_market_can_be_cut_too_and_a_session_cannot(rrr: Rrr, tmp_path: Path) -> None:
    span = ("--from", "2024-02-01", "--to", "2024-02-08", "--home", tmp_path)
    found = rrr("backtest", *span, *FAST, "--json").found["metrics"]
    assert found["closes"] == 7 * 24
    refused(rrr(*span), 78, "from and to cut recorded candles, and market is simulated.")


def test_a_strategy_brings_its_usual_settings_and_a_person_wins(rrr: Rrr, tmp_path: Path) -> None:
    def shown(*words: str) -> list[str]:
        found = rrr("config", "--home", str(tmp_path), "--json", *words).found
        return [found[f"policy.{name}"]["value"] for name in ("entry", "stop_bps")]

    assert shown() == ["take", 300]
    assert shown("--signals", "champion") == ["maker", 3_000]
    assert shown("--signals", "champion", "--set", "policy.stop_bps=300") == ["maker", 300]
    run = ("backtest", "--candles", "60", "--strategy", "champion", *FAST, "--home", tmp_path)
    usual = "policy.conviction_min_bps 1, policy.stop_bps 3000, policy.target_bps 100000"
    assert f"with {usual}, policy.entry maker" in " ".join(rrr(*run).out.split())
    assert rrr("reproduce", "--interpreted", "--home", tmp_path).code == 0


def test_a_venue_says_what_each_instrument_costs(rrr: Rrr, tmp_path: Path) -> None:
    run = ("backtest", "--candles", "60", "--set", "costs.profile=kraken", *FAST)
    found = rrr(*run, "--home", tmp_path, "--json").found["settings"]
    assert found["costs.profile"]["value"] == "kraken"
    assert "taker 8000 ppm" in found["costs of BTC-USD"]["value"]
    assert found["costs of BTC-USD"]["value"] != found["costs of SOL-USD"]["value"]
    assert rrr("reproduce", "--interpreted", "--home", tmp_path).code == 0


def test_who_is_piped_sees_no_progress_and_who_watches_does(tmp_path: Path) -> None:
    run = ("backtest", "--candles", "300", *FAST, "--home", str(tmp_path))
    assert program(*run).stderr == ""
    shown = watched(*run)
    for stage in ("loading", "running", "statistics", "report"):
        assert f"\r\x1b[K{stage}" in shown
    assert "━" in shown
    assert shown.endswith("\r\x1b[K")


def watched(*words: str) -> str:
    """What a terminal is told on standard error."""
    ours, theirs = os.openpty()
    process = subprocess.Popen([*PYTHON, *words], **{**WHERE, "stderr": theirs})
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # nobody holds the other end any more
            break
        if not part:
            break
        shown += part
    process.communicate()
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_the_best_of_a_grid_is_judged_on_later_days_and_every_set_counts(
    rrr: Rrr, tmp_path: Path
) -> None:
    grid = "moving-average-cross:fast=4,slow=8,12"
    market = ("--candles", "1200", "--symbols", "BTC-USD", "--home", tmp_path)
    plan = ("--windows", "2", "--train-days", "30", *FAST)
    said = rrr("optimise", grid, *market, *plan)
    assert (said.code, said.err.splitlines()[0]) == (0, f"2 sets of {grid}")
    assert "walk-forward-1: " in said.out
    assert "rrr reproduce walk-forward-1" in said.out
    fits(said.out)
    assert rrr("runs", "walk-forward-1", "--home", tmp_path).out == said.out
    assert ask(tmp_path, "SELECT count(*), count(outcome) FROM trials") == [(3, 3)]
    found = rrr("runs", "walk-forward-1", "--home", tmp_path, "--json").found
    assert (found["strategy"], found["in_sample"]) == (grid, False)
    windows = found["metrics"]["walk"]["windows"]
    assert [one["test"]["days"] for one in windows] == [9, 10]
    assert (tmp_path / found["trades_path"]).is_file()
    assert grid in (tmp_path / found["report_path"]).read_text(encoding="utf-8")
    again = rrr("reproduce", "--interpreted", "--home", tmp_path)
    assert (again.code, again.out.partition(":")[0]) == (0, "identical"), again.out

    known = rrr("optimise", grid, *market, *FAST, "--in-sample")
    assert "in-sample-" in known.out
    assert "IN SAMPLE" in known.out
    assert "in sample" in rrr("runs", "--home", tmp_path).out


# (words, exit code, what the sentences say)
MISTAKES: Final = [
    ("optimise moving-average-cross", 2, "There is nothing to choose"),
    ("optimise moving-average-cross:fast=5..60 --trials 10", 2, "the budget is 10 trials"),
    ("optimise breakout:entry_candles=5,9 --candles 99", 2, "The history has 5 days"),
    ("optimise breakout:entry_candles=5,9 --objective luck", 2, "Nothing is optimised for 'luck'"),
    ("backtest --strategy oracle", 66, "There is no strategy 'oracle'."),
    ("backtest --strategy breakout:entry=3", 78, "breakout has no parameter 'entry'."),
    ("backtest --strategy nowhere.py", 66, "nowhere.py"),
    ("backtest --strategy model", 66, "has no model of BTC-USD", "rrr train"),
    ("backtest --candles 1", 65, "one closing time is too little"),
    ("backtest --to 2023-12-31", 2, "The simulated market has no candle"),
    ("backtest --timerange 2023", 2, "--timerange 2023 is no span."),
    ("backtest --timerange -", 2, "--timerange - is no span."),
    ("backtest --timerange 20249999-", 78, "from is"),
    ("backtest --timerange 20240101- --to 2025-01-01", 2, "one of them is there as well"),
    ("backtest --detail 5m", 2, "Only recorded candles have finer ones"),
    ("backtest --replay {tree} --detail 2h", 2, "2h candles do not show what is inside"),
    ("backtest --replay nowhere", 66, "nowhere does not exist"),
    ("backtest --trades trades.txt", 2, "trades.txt is no name of a trade list."),
    ("backtest --report precious.txt", 2, "precious.txt is no name of a report."),
    ("backtest --report /proc/x.html", 73, "/proc/x.html cannot be written"),
    ("backtest --null many", 2, "'many' is no whole number"),
    ("backtest --signals hold", 2, "'--signals' means nothing to `rrr backtest`"),
    ("backtest --set costs.profile=kroken", 78, "no cost profile 'kroken'", "Did you mean kraken"),
    ("parity --market kraken", 2, "What kraken tells cannot be had twice"),
    ("parity --detail 5m", 2, "'--detail' means nothing to `rrr parity`"),
    ("reproduce", 66, "holds no run yet"),
    ("reproduce backtest-7", 66, "holds no run yet"),
    ("runs", 66, "holds no run yet"),
    ("costs kroken", 78, "There is no cost profile 'kroken'."),
    ("costs --notional 0", 2, "'0' is no amount above 0"),
    ("costs --volatility none", 2, "'none' is no number"),
    ("check-lookahead", 2, "STRATEGY"),
    ("check-lookahead oracle", 66, "There is no strategy 'oracle'."),
    ("export", 2, "FOLDER"),
    ("export taxes", 66, "no database"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[0])
def test_a_mistake_is_told_in_words_and_leaves_nothing(
    rrr: Rrr, market: Sequence[str], tmp_path: Path, mistake: tuple[str, int, str]
) -> None:
    words, code, *fragments = mistake
    filled = [word.format(tree=market[1]) for word in words.split()]
    refused(rrr(*filled, "--home", tmp_path), code, *fragments)
    assert list(tmp_path.rglob("*.db")) == []


def test_capital_for_not_one_lot_is_a_counted_refusal(rrr: Rrr, tmp_path: Path) -> None:
    run = ("backtest", "--candles", "300", "--capital", "1", "--strategy", CROSS, *FAST)
    said = rrr(*run, "--home", tmp_path)
    assert said.code == 0
    assert "! trades" in said.out
    assert re.search(r"^  \w+_min +\d", said.out, re.MULTILINE), said.out


def test_whoever_looks_ahead_is_found(rrr: Rrr, tmp_path: Path) -> None:
    asked = ("--candles", "300", "--symbols", "BTC-USD", "--tries", "20", "--home", tmp_path)
    sound = rrr("check-lookahead", CROSS, *asked)
    assert (sound.code, sound.out.partition("\n")[0]) == (0, f"{CROSS} does not look ahead.")
    file = mine(tmp_path, "return np.roll(panel.close, -1, axis=1) % 2 * FULL")
    found = rrr("check-lookahead", file, *asked, "--json")
    assert found.code == 80
    assert found.found["sound"] is False
    assert found.found["faults"][0]["kind"] == "future"


@pytest.mark.slow
def test_a_backtest_and_a_session_write_the_same_journal(
    rrr: Rrr, market: Sequence[str], tmp_path: Path
) -> None:
    said = rrr("parity", *market, "--candles", "100", "--strategy", CROSS, "--home", tmp_path)
    assert (said.code, said.out.partition(":")[0]) == (0, "identical"), said
    found = rrr("parity", "--candles", "40", "--symbols", "BTC-USD", "--home", tmp_path, "--json")
    assert (found.code, found.found["identical"], found.found["first_difference"]) == (
        0,
        True,
        None,
    )
    assert list(tmp_path.iterdir()) == []


def test_costs_are_told_of_a_venue_of_all_and_of_what_a_market_did(
    rrr: Rrr, tmp_path: Path
) -> None:
    home = ("--home", tmp_path)
    assert "kraken:tier1" in rrr("costs", "kraken", *home).out
    both = rrr("costs", *home, "--symbols", "BTC-USD,ETH-USD", "--volatility", "80").out
    assert "ETH-USD for 10,000 USD, moving 80 % a year (stated)" in both
    of = ("costs", "binance", *home, "--market", "simulated", "--candles", "500", "--json")
    [profile] = rrr(*of).found["profiles"]
    assert [one["symbol"] for one in profile["instruments"]][:2] == ["BTC-USD", "ETH-USD"]
    assert "measured" in profile["instruments"][0]["basis"]


def test_a_session_leaves_as_files_that_tie(
    rrr: Rrr, market: Sequence[str], tmp_path: Path
) -> None:
    home = ("--home", tmp_path / "home")
    assert rrr(*market, *home).code == 0
    folder = tmp_path / "taxes"
    said = rrr("export", folder, "--method", "hifo", *home)
    assert said.code == 0
    assert "exactly" in said.out
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    assert (about["method"], about["session"]) == ("hifo", "paper-1")
    refused(rrr("export", folder, *home), 2)
    assert rrr("export", folder, "--force", *home, "--json").found["method"] == "fifo"


@pytest.mark.slow
def test_an_exchange_is_asked_for_what_closed_before_now(
    rrr: Rrr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms, later_ms = beginning.now_ms, 0

    def then_ms() -> int:
        return now_ms() + later_ms

    monkeypatch.setattr(beginning, "now_ms", then_ms)
    with Loopback(clock_ms=then_ms, candle=rising) as server:
        market = ("--market", "kraken", "--address", server.address, "--symbols", "BTC-USD")
        run = ("backtest", *market, "--timeframe", "1m", "--candles", "60", *FAST)
        found = rrr(*run, "--home", tmp_path, "--json").found
        later_ms = 180_000
        again = rrr("reproduce", "--interpreted", "--home", tmp_path)
        silent = rrr("backtest", *market, "--timeframe", "12h", *FAST, "--home", tmp_path)
    assert again.code == 0, again.out
    assert found["history"]["market"] == "kraken"
    assert found["synthetic"] is False
    assert found["metrics"]["closes"] == 60
    assert found["metrics"]["market_ratio"] > 0
    assert silent.code == 2
    assert "12h" in silent.err
