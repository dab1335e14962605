"""Whatever a person types, or whatever lies in the home: a sentence, a way out, an exit code."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from rrr import cli
from rrr.cli.commands import reading
from rrr.cli.options import MARKET
from rrr.cli.parsing import COMMANDS, GROUPS, SESSION
from rrr.cli.speaking import failed
from rrr.config import Home
from rrr.core import errors
from rrr.core.errors import RRRError, UsageError
from rrr.database import get_db
from rrr.database.holder import held
from rrr.database.opening import LIVE
from tests.storm.homes import BEGINS_MS, HOUR_MS, ROOT, made

SHARED: Final = ROOT.parent / "shared" / "data" / "raw_csv"
HEADER: Final = "ts,open,high,low,close,volume\n"


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def found(self) -> dict[str, Any]:
        """The one object on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Rrr = Callable[..., Said]


@pytest.fixture
def rrr(capsys: pytest.CaptureFixture[str]) -> Rrr:
    """What the program says to these words, in this process."""

    def say(*words: object) -> Said:
        code = cli.command([str(word) for word in words])
        return Said(code, *capsys.readouterr())

    return say


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Three instruments over twelve days, and the words that trade them."""
    return made(tmp_path_factory.mktemp("market"), hours=290)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory, market: Sequence[str]) -> Path:
    """A home in which a session is finished; whoever spoils it takes a copy."""
    home = tmp_path_factory.mktemp("traded")
    assert cli.command([*market, "--home", str(home)]) == 0
    return home


@pytest.fixture
def copy(traded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(traded, tmp_path / "copy")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "candles.csv"
    path.write_text(HEADER + "".join(rows(30)), encoding="utf-8")
    return path


def rows(number: int, price: float = 100.0) -> list[str]:
    cells = f"{price},{price},{price},{price},5"
    return [f"{BEGINS_MS + hour * HOUR_MS},{cells}\n" for hour in range(number)]


def refused(said: Said, code: int, *fragments: str) -> None:
    """Two sentences on standard error, no traceback, nothing on standard output."""
    assert said.code == code, said
    for fragment in fragments:
        assert fragment in said.err
    assert re.fullmatch(r"rrr: .+[.!?:]\n( .+\n)* {5}.+[.!?…]\n", said.err), said.err
    assert said.out == ""


# (words, exit code, what the sentences say); {tree}, {file} and {home} are filled in.
MISTAKES: Final = [
    ("--market moon", 2, "'moon' is no exchange that ccxt knows."),
    ("--market replay", 78, "market is replay, and replay names no path."),
    ("--symbols ADA-USD", 66, "The simulated market has no ADA-USD.", "BTC-USD, ETH-USD"),
    ("why BTC-USD", 66, "no database"),
    ("why BTC-USD --at noon", 2, "--at noon is no time."),
    ("logs", 66, "There is no trading log yet"),
    ("logs -n many", 2, "'many' is no number of lines up to"),
    ("logs gossip", 2, "gossip"),
    ("panic", 2, "A panic asks once, and nobody is here."),
    ("panic --yes", 69, "No daemon answers"),
    ("stauts", 2, "Did you mean status?"),
    ("models", 2, "`rrr models` wants a verb: list, show, gate, promote, shadow, retire."),
    ("models lst", 2, "Did you mean models list?"),
    ("models retire /", 66, "'/' is no model."),
    ("--sym BTC-USD", 2, "Did you mean --symbols?"),
    ("--replay", 2, "--replay: expected one argument"),
    ("--mode moon", 2, "--mode: invalid choice: 'moon'"),
    ("--mode paper status", 2, "rrr status …"),
    ("status --sessions", 2, "'--sessions' means nothing to `rrr status`"),
    ("status paper-1 paper-2", 2, "'paper-2' means nothing"),
    ("config hide", 2, "invalid choice: 'hide'"),
    ("--mode live", 4, "lacks 10 things, and nothing was sent", "→ Set live.enabled to true"),
    ("--mode live --market kraken --sandbox --set live.venue=kraken", 4, "has no test network"),
    ("--mode live --confirm kraken", 4, "--confirm names kraken, live.venue nothing."),
    ("--sandbox", 2, "--sandbox and --confirm are of live trading"),
    ("--confirm kraken", 2, "Leave them out, or say --mode live."),
    ("--replay nowhere", 66, "nowhere does not exist"),
    ("--replay {tree} --symbols BTC-USDC", 66, "holds no BTC-USDC", "Nearest: BTC-USD"),
    ("--replay {tree} --timeframe 5m", 66, "It has 1h"),
    ("--replay {tree} --timeframe 7m", 78, "timeframe is '7m'; allowed is one of 1m"),
    ("--replay {tree} --symbols BTCUSD", 78, "such as BTC-USD"),
    ("--replay {tree} --symbols BTC-USD,btc/usd", 78, "each once"),
    ("--replay {file}", 2, "--symbols BTC-USD"),
    ("--replay {file} --symbols BTC-USD,ETH-USD", 2, "is one file"),
    ("--replay {file} --symbols BTC-USD --timeframe 1d", 65, "Ask for --timeframe 1h"),
    ("--replay {tree} --from 2030-01-01", 65, "no candle between --from and --to"),
    ("--replay {tree} --from 2024-02-01 --to 2024-01-01", 78, "is not after from"),
    ("--replay {tree} --from yesterday", 78, "from is 'yesterday'"),
    ("--replay {tree} --candles 0", 78, "candles is 0"),
    ("--replay {tree} --candles 1.5", 78, "candles is 1.5"),
    ("--replay {tree} --speed 0", 78, "speed is 0; allowed is max or a number above 0"),
    ("--replay {tree} --speed -1", 78, "speed is -1"),
    ("--replay {tree} --speed nan", 78, "speed is 'nan'"),
    ("--replay {tree} --speed inf", 78, "speed is 'inf'"),
    ("--replay {tree} --capital 0.00000001", 78, "capital is 0.00000001; allowed is an amount"),
    ("--replay {tree} --capital 1e400", 78, "capital is '1e400'"),
    ("--replay {tree} --capital -5", 78, "capital is -5"),
    ("--replay {tree} --seed x", 78, "seed is 'x'"),
    ("--replay {tree} --market moon", 78, "replay names recorded candles, and market is moon"),
    ("--replay {tree} --set costs", 2, "Write it as --set NAME=VALUE"),
    ("--replay {tree} --set cost=1", 78, "cost is not a setting"),
    ("--replay {tree} --set drawdown_max_bps=1", 78, "Did you mean risk.drawdown_max_bps?"),
    ("--replay {tree} --config nowhere.yml", 66, "nowhere.yml is not there"),
    ("status", 66, "There is no database"),
    ("sessions", 66, "There is no database"),
    ("replay", 66, "There is no database"),
    ("replay paper-1", 66, "There is no database"),
    ("halt --reason because", 69, "No daemon answers"),
    ("resume", 69, "No daemon answers"),
]
UNUSABLE: Final = ("{file}", "{file}/deeper", "/dev/null/home", "h" * 300)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[0] or "nothing")
def test_a_mistake_is_told_in_words_and_by_its_code(
    rrr: Rrr, market: Sequence[str], file: Path, tmp_path: Path, mistake: tuple[str, int, str]
) -> None:
    words, code, *fragments = mistake
    filled = [word.format(tree=market[1], file=file) for word in words.split()]
    home = ("--home", tmp_path / "home")
    refused(rrr(*filled, *home), code, *fragments)
    assert not (tmp_path / "home" / "data" / "paper.db").exists()

    # With --json, wherever it stands, the same is one object as well.
    as_json = rrr("--json", *home, *filled)
    assert as_json.code == code
    assert set(as_json.found) == {"error", "what", "advice"}
    assert as_json.err == f"rrr: {as_json.found['what']}\n     {as_json.found['advice']}\n"
    kind = getattr(errors, as_json.found["error"])
    assert issubclass(kind, RRRError)
    assert kind.exit_code == code


@pytest.mark.parametrize("home", UNUSABLE)
def test_a_home_that_cannot_be_one_is_named(
    rrr: Rrr, market: Sequence[str], file: Path, home: str
) -> None:
    named = home.format(file=file)
    refused(rrr(*market, "--home", named), 73, named, "--home")
    refused(rrr(*market, "--home", ""), 2, "names no folder")


@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare")
@pytest.mark.parametrize(
    ("words", "code", "fragment"),
    [
        ("--replay {tree}", 73, "home/data cannot be used: Permission denied"),
        ("status", 0, "finished"),
        ("sessions", 0, "paper-1"),
        ("replay", 0, "identical"),
    ],
)
def test_a_home_that_only_can_be_read_is_read_and_never_traded(
    copy: Path, market: Sequence[str], words: str, code: int, fragment: str
) -> None:
    # In a namespace of its own even root may not write what is not writable.
    as_nobody = ("unshare", "--user")
    if subprocess.run([*as_nobody, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system makes no user namespaces")
    home = copy.rename(copy.with_name("home"))
    (home / "data").chmod(0o500)
    filled = [word.format(tree=market[1]) for word in words.split()]
    asked = [*as_nobody, *PYTHON, *filled, "--home", str(home)]
    said = subprocess.run(asked, **WHERE, text=True, check=False)
    (home / "data").chmod(0o700)
    assert said.returncode == code, said.stderr
    assert fragment in said.stdout + said.stderr
    assert "Traceback" not in said.stderr


# (what is done to the lines, what the sentence says)
FAULTS: Final[list[tuple[Callable[[list[str]], list[str]], str]]] = [
    (lambda r: [*r[:4], r[4].replace(",100.0", ",abc", 1), *r[5:]], "line 6, column 'open': 'abc'"),
    (lambda r: [*r[:4], r[4].replace("100.0", "-1", 1), *r[5:]], "line 6: open is -1"),
    (lambda r: [*r[:4], r[4].replace(",5\n", "\n"), *r[5:]], "line 6: it has 5 cells"),
    (lambda r: [*r[:4], r[3], *r[4:]], "line 6: it repeats line 5"),
    (lambda r: [*r[:4], r[5], r[4], *r[6:]], "out of order"),
    (lambda r: [], "holds no candle"),
]


@pytest.mark.parametrize(("spoil", "fragment"), FAULTS, ids=[said for _, said in FAULTS])
def test_a_bad_row_is_named_and_nothing_is_traded(
    rrr: Rrr, file: Path, tmp_path: Path, spoil: Callable[[list[str]], list[str]], fragment: str
) -> None:
    file.write_text(HEADER + "".join(spoil(rows(30))), encoding="utf-8")
    said = rrr("--replay", file, "--symbols", "BTC-USD", "--home", tmp_path)
    refused(said, 65, str(file), fragment)
    assert not (tmp_path / "data" / "paper.db").exists()


def test_a_gap_is_told_and_never_filled(rrr: Rrr, file: Path, tmp_path: Path) -> None:
    lines = rows(30)
    file.write_text(HEADER + "".join(lines[:10] + lines[13:]), encoding="utf-8")
    said = rrr("--replay", file, "--symbols", "BTC-USD", "--home", tmp_path)
    assert said.code == 0
    assert "1 gap, 3 candles missing, the first after 2024-01-03 09:00 UTC" in said.out
    assert "27 in 27 closing times" in said.out


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared market data is not here")
@pytest.mark.parametrize(
    ("name", "candles"),
    [("Coinbase_BTCUSD_d.csv.gz", 1_770), ("bitstamp_btcusd_day_2015.csv.utf16.gz", 365)],
)
def test_a_messy_file_of_a_venue_is_understood(
    rrr: Rrr, tmp_path: Path, name: str, candles: int
) -> None:
    asked = ("--replay", SHARED / name, "--symbols", "BTC-USD", "--home", tmp_path, "--json")
    told = rrr(*asked, "--timeframe", "1d").found
    assert told["candles"] == told["closes"] == candles
    assert told["fills"] > 0
    assert told["books_balanced"]


def test_every_wrong_line_of_the_settings_is_named_at_once(
    rrr: Rrr, market: Sequence[str], tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    settings = tmp_path / "config" / "trading_config.yml"
    settings.write_text("speed: fast\nrisk:\n  drawdwon_max_bps: 3\n", encoding="utf-8")
    for words in (market, ("config", "show")):
        said = rrr(*words, "--home", tmp_path)
        refused(said, 78, f"{settings} line 1: speed", f"{settings} line 3: risk.drawdwon_max_bps")


def newer(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA user_version = 99")


def live(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {LIVE}")


def foreign(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA application_id = 7")


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (newer, "has version 99"),
        (live, "is a live database, and a paper database is wanted"),
        (foreign, "is a database of another program"),
    ],
)
def test_a_database_that_is_not_ours_is_refused_and_left_as_it_is(
    rrr: Rrr,
    copy: Path,
    market: Sequence[str],
    change: Callable[[sqlite3.Connection], None],
    fragment: str,
) -> None:
    path = copy / "data" / "paper.db"
    with closing(sqlite3.connect(path)) as connection:
        change(connection)
        connection.commit()
    before = path.read_bytes()
    for words in (market, ("status",), ("sessions",), ("replay",)):
        refused(rrr(*words, "--home", copy), 76, str(path), fragment)
    assert path.read_bytes() == before


def test_a_text_file_in_place_of_the_database_is_refused(
    rrr: Rrr, market: Sequence[str], tmp_path: Path
) -> None:
    path = tmp_path / "data" / "paper.db"
    path.parent.mkdir()
    path.write_text("Not a database, but long enough to look like one.\n" * 9, encoding="utf-8")
    before = path.read_bytes()
    for words in (market, ("status",), ("replay",)):
        refused(rrr(*words, "--home", tmp_path), 76, f"{path} is not an SQLite database")
    assert path.read_bytes() == before


def test_a_flipped_byte_in_the_journal_names_its_row(rrr: Rrr, copy: Path) -> None:
    path = copy / "data" / "paper.db"
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT number, core FROM journal WHERE kind = 4 ORDER BY number LIMIT 1 OFFSET 99"
        number, core = connection.execute(query).fetchone()
    content = bytearray(path.read_bytes())
    content[content.index(core.encode()) + len(core) // 2] ^= 1
    path.write_bytes(content)
    refused(rrr("replay", "--home", copy), 77, f"Row {number} of the journal was changed")


def test_a_daemon_that_does_not_answer_does_not_hide_the_books(rrr: Rrr, copy: Path) -> None:
    with closing(sqlite3.connect(copy / "data" / "paper.db")) as connection:
        connection.execute("UPDATE runs SET outcome = NULL")
        connection.execute("UPDATE sessions SET finished_at_ms = NULL")
        connection.commit()
    with held(copy / "data", {}):
        found = rrr("status", "--json", "--home", copy).found
        assert (found["state"], found["live"]) == ("running", None)
        assert "does not answer" in rrr("status", "--home", copy).out
        assert rrr("halt", "--home", copy).code == 69
    assert rrr("status", "--json", "--home", copy).found["state"] == "died"


def test_who_looks_sees_one_moment_while_a_daemon_goes_on(copy: Path) -> None:
    def count() -> int:
        return int(reader.execute("SELECT count(*) FROM equity").fetchone()[0])

    with (
        reading(Namespace(home=copy, mode="paper")) as reader,
        closing(sqlite3.connect(copy / "data" / "paper.db")) as daemon,
    ):
        before = count()
        with daemon:
            assert daemon.execute("DELETE FROM equity").rowcount == before
        assert count() == before


async def test_the_home_of_the_environment_is_everybodys_unless_another_is_named(
    rrr: Rrr, traded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(traded.parent))
    monkeypatch.setenv("RRR_HOME", f"~/{traded.name}")
    assert Home.at().root == traded
    assert rrr("sessions", "--json").found["sessions"][0]["session"] == "paper-1"
    async with get_db("paper") as reader:
        assert await reader.read("SELECT name FROM sessions") == [("paper-1",)]
    assert Home.at(tmp_path).root == tmp_path
    refused(rrr("sessions", "--home", tmp_path), 66, f"{tmp_path}")


def test_a_session_that_does_not_exist_is_told_with_those_that_do(rrr: Rrr, traded: Path) -> None:
    for words in ("replay", "status"):
        refused(rrr(words, "paper-7", "--home", traded), 66, "'paper-7'", "paper-1")


def test_results_are_one_object_and_logs_go_elsewhere(
    rrr: Rrr, market: Sequence[str], tmp_path: Path
) -> None:
    said = rrr(*market, "--home", tmp_path, "--json")
    assert {
        *("session", "mode", "market", "instruments", "candles", "decisions", "orders", "fills"),
        *("refusals", "fees", "pnl", "pnl_ratio", "matched_hold_ratio", "equity"),
        *("drawdown_ratio_max", "books_balanced", "state_hash"),
    } <= set(said.found)
    assert "session paper-1 begins" in said.err
    replayed = rrr("replay", "--json", "--home", tmp_path)
    assert replayed.found["identical"] is True
    assert replayed.found["first_difference"] is None
    assert replayed.found["rows"] > said.found["decisions"]
    assert replayed.found["state_hash"] == said.found["state_hash"]
    assert rrr("--json", "status", "--home", tmp_path).found["state"] == "finished"
    assert (
        rrr("sessions", "--home", tmp_path, "--json").found["sessions"][0]["session"] == "paper-1"
    )
    assert rrr("config", "show", "--json", "--home", tmp_path).found["seed"]["origin"] == "default"


def test_options_stand_before_a_command_or_after_it(rrr: Rrr, traded: Path) -> None:
    after = rrr("status", "--home", traded, "--json")
    assert rrr("--json", "--home", traded, "status") == after
    assert rrr("--json", "status", f"--home={traded}") == after
    assert rrr("config", "--home", traded) == rrr("config", "show", "--home", traded)


def test_dry_run_is_another_name_of_paper(rrr: Rrr, market: Sequence[str], tmp_path: Path) -> None:
    said = rrr(*market, "--mode", "live", "--dry-run", "--candles", "1", "--home", tmp_path)
    assert said.code == 0
    assert (tmp_path / "data" / "paper.db").exists()
    assert not (tmp_path / "data" / "live.db").exists()


@pytest.mark.parametrize("command", ["", *GROUPS, *COMMANDS])
def test_help_shows_every_option_and_its_meaning(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit) as asked:
        cli.command([*command.split(), "--help"])
    assert asked.value.code == 0
    shown = capsys.readouterr().out
    assert all(len(line) <= 100 for line in shown.splitlines())
    options = re.findall(r"^  (?:-h, )?(--[a-z-]+)(?: \S+)?(?:  +(\S.*))?$", shown, re.MULTILINE)
    assert {"--help", "--home", "--json"} <= {name for name, _ in options}
    assert all(meaning for _, meaning in options)
    if command in ("", "config"):
        settings = {f"--{name}" for name, *_ in (*MARKET, *SESSION)}
        assert settings <= {name for name, _ in options}
    if command in ("", *GROUPS):
        assert all(f"  rrr {name}" in shown for name in COMMANDS if name.startswith(command))


def test_whoever_asks_for_help_waits_for_no_library() -> None:
    """Words are read before anything heavy is; a command imports what it needs."""
    heavy = ("numpy", "numba", "pydantic", "pyarrow")
    code = (
        "import sys; from rrr.cli.parsing import parsed\n"
        "parsed(['backtest', '--candles', '9']); parsed(['optimise', 'hold']); parsed([])\n"
        f"print(*[name for name in {heavy} if name in sys.modules])"
    )
    asked = [sys.executable, "-c", code]
    assert subprocess.run(asked, **WHERE, text=True, check=True).stdout == "\n"


PYTHON: Final = (sys.executable, "-W", "error", "-m", "rrr")
WHERE: Final[dict[str, Any]] = {
    "env": {**os.environ, "PYTHONPATH": str(ROOT / "src")},
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
}


def program(*words: object, **more: Any) -> "subprocess.CompletedProcess[str]":
    """The same in a process of its own."""
    asked = [*PYTHON, *map(str, words)]
    return subprocess.run(asked, **{**WHERE, **more}, text=True, check=False)


@pytest.fixture
def nobody() -> Iterator[int]:
    """A pipe whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def test_a_reader_that_leaves_stops_nothing(
    market: Sequence[str], nobody: int, tmp_path: Path, rrr: Rrr
) -> None:
    asked = (*market, "--home", tmp_path)
    for words in (asked, ("status", "--home", tmp_path), ("--help",)):
        ended = program(*words, stdout=nobody)
        assert (ended.returncode, ended.stderr) == (0, "")
    assert rrr("status", "--home", tmp_path, "--json").found["state"] == "finished"
    silent = program(*asked, "--json", stderr=nobody)
    assert silent.returncode == 0
    assert json.loads(silent.stdout)["books_balanced"]
    assert program("status", "--home", tmp_path / "none", stderr=nobody).returncode == 66


def test_streams_that_are_closed_stop_nothing(traded: Path) -> None:
    shell = 'exec "$0" "$@" >&- 2>&- <&-'
    asked = ["/bin/sh", "-c", shell, *PYTHON, "status", "--home", str(traded)]
    assert subprocess.run(asked, env=WHERE["env"], check=False).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_result_that_finds_no_room_is_told(traded: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = program("status", "--home", traded, stdout=full)
    assert ended.returncode == 74
    assert "Standard output cannot be written: No space left on device." in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_lacks_a_sign_gets_a_question_mark(traded: Path, encoding: str) -> None:
    environment = {**WHERE["env"], "PYTHONIOENCODING": encoding}
    for words in (("status", "--home", traded), ("--help",), ("status", "--home", "nowhere")):
        ended = program(*words, env=environment, encoding=encoding)
        assert "Traceback" not in ended.stderr
    assert ended.returncode == 66


@pytest.mark.parametrize("environment", [{"PYTHONOPTIMIZE": "1"}, {"PYTHONOPTIMIZE": "2"}])
def test_a_python_without_assertions_is_refused(environment: dict[str, str]) -> None:
    ended = program("status", "--json", env={**WHERE["env"], **environment})
    assert ended.returncode == 2
    assert json.loads(ended.stdout)["error"] == "UsageError"
    assert "assertions" in ended.stderr


def test_what_others_wrote_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    error = UsageError("It has Z0\x1b[31m.", "First:\n  \u202eone\x07")
    assert failed(error, False) == 2
    assert capsys.readouterr().err == "rrr: It has Z0\\x1b[31m.\n     First:\n  \\u202eone\\x07\n"
