"""Two keys with a canary go through every way to fail, as a process: nobody hears them sing.

Promise 37. Standard output, standard error and every byte that the home then holds are searched
for the keys: as they are, as in an address, in base64, and in pieces.
"""

import base64
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar, Final
from urllib.parse import quote

import pytest

from tests.monitoring.logged import everything
from tests.storm.homes import made

KEY: Final = "c4n4ry+key/9f8e7d6c5b4a"
SECRET: Final = base64.b64encode(
    b"c4n4ry in the coal mine, and not a word of it heard above"
).decode()
PASSWORD: Final = "pass c4n4ry phrase"
TOKEN: Final = "t0k3n-c4n4ry-of-the-dotenv"
PIECE: Final = 8

pytestmark = pytest.mark.slow  # a process for each way to fail

GOOD: Final = f'key = "{KEY}"\nsecret = "{SECRET}"\n'
WHOLE: Final = GOOD + f'password = "{PASSWORD}"\n'
MISTAKEN: Final = {
    "of no TOML": GOOD + SECRET,
    "twice": GOOD + f'key = "{KEY}"',
    "unended": f'key = "{KEY}\nsecret = "{SECRET}"',
    "in the wrong place": GOOD + f'"{SECRET}" = "{KEY}"',
    "as a network": GOOD + f'network = "{SECRET}"',
    "in a list": f'key = ["{KEY}"]\nsecret = "{SECRET}"',
    "not in UTF-8": GOOD + "\udcff",
}

# What fails inside the process, with the keys in its hands.
SPOILED: Final = """
import asyncio, logging, sys, threading, warnings
from pathlib import Path
from rrr import cli
from rrr.api.account import Account
from rrr.cli import commands
from rrr.config.keys import keys_of
from rrr.core.errors import RRRError

def fail(options):
    keys = keys_of(Path({config!r}), "kraken")
    values = [each.get_secret_value() for each in (keys.key, keys.secret)]
    said = "https://venue/?key=%s&signature=%s" % tuple(values)
    match {how!r}:
        case "a traceback":
            raise ValueError(said)
        case "a cause":
            try:
                raise KeyError(values[1])
            except KeyError as error:
                raise RuntimeError(said) from error
        case "a group":
            raise ExceptionGroup("all", [ValueError(said), RRRError(said, values[0])])
        case "an error of ours":
            raise RRRError(f"It said {{said}}.", f"Ask {{values[0]}}.")
        case "a task that nobody awaits":
            async def forgotten():
                async def fails(): raise ValueError(said)
                task = asyncio.create_task(fails())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                del task
            asyncio.run(forgotten())
        case "a thread":
            thread = threading.Thread(target=lambda: 1 / len(said[:0]) if not said else int(said))
            thread.start(); thread.join()
        case "a log of a library":
            logging.getLogger("ccxt").warning("sent %s", said)
        case "a warning":
            warnings.warn(said)
        case "verbose ccxt":
            def dressed(ccxt):
                ccxt.verbose = True
            account = Account("http://127.0.0.1:9", dressed)
            for ask in (account.allowed, account.apart_ms):
                try: ask(keys)
                except RRRError as error: print(error, file=sys.stderr); print(repr(error))
            print(keys, keys.key, file=sys.stderr)
    return 0

commands.trade = fail
import rrr.cli.parsing as parsing
parsing.trade = fail
sys.argv = ["rrr", "--json"] if {json!r} else ["rrr"]
cli.run()
"""


def pieces(text: str) -> set[str]:
    return {text[at : at + PIECE] for at in range(len(text) - PIECE + 1)}


def telling() -> set[bytes]:
    """Every piece of a secret, in every spelling."""
    found = set[str]()
    for secret in (KEY, SECRET, PASSWORD, TOKEN):
        found |= pieces(secret) | pieces(quote(secret, safe=""))
        for before in range(3):
            coded = base64.b64encode(bytes(before) + secret.encode()).decode()
            found |= pieces(coded[4:-4])
    return {piece.encode() for piece in found if "%" not in piece or "c4n4ry" in piece}


TELLING: Final = telling()


def silent(said: bytes) -> None:
    heard = [piece for piece in TELLING if piece in said]
    assert heard == [], said[-3000:]


def ran(home: Path, *words: str, program: Sequence[str] = ("-m", "rrr")) -> bytes:
    """What it says to both streams; and what it left is silent too."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RRR")}
    environ |= {"PYTHONPATH": os.pathsep.join(sys.path), "XDG_RUNTIME_DIR": str(home)}
    environ |= {"KRAKEN_API_SECRET": SECRET, "PYTHONWARNINGS": "default"}
    ended = subprocess.run(
        [sys.executable, *program, *words],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    silent(ended.stdout)
    keys = home / "config" / "api_keys"
    for path in home.rglob("*"):
        hidden = keys in path.parents or path.name in (".env", "trading_config.yml")
        if path.is_file() and not hidden and path.suffix not in (".db", ".db-wal", ".db-shm"):
            silent(path.read_bytes())
    silent(everything(home / "logs") if (home / "logs").is_dir() else b"")
    for path in home.rglob("*.db"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            silent("\n".join(connection.iterdump()).encode())
        connection.close()
    return ended.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / ".env").write_text(f"A_TOKEN={TOKEN}\n")
    with_keys(home, WHOLE)
    return home


def with_keys(home: Path, text: str, venue: str = "kraken") -> None:
    folder = home / "config" / "api_keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{venue}.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o600)


class Echo(BaseHTTPRequestHandler):
    """A venue that tells everything it was told, to whoever asks."""

    statuses: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        said = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = f"no {self.path} {self.headers} {said.decode()} {KEY} {SECRET}".encode()
        self.statuses.append(403 if len(self.statuses) % 2 else 200)
        self.send_response(self.statuses[-1], f"no {KEY}")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def echo() -> Iterator[str]:
    Echo.statuses.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def live(venue: str, address: str) -> list[str]:
    settings = ("live.enabled=true", f"live.venue={venue}", "live.instruments=BTC-USD")
    words = ["--mode", "live", "--market", venue, "--symbols", "BTC-USD"]
    words += ["--address", address]
    return words + [word for setting in settings for word in ("--set", setting)]


def test_the_searcher_finds_what_it_looks_for() -> None:
    for secret in (KEY, SECRET, PASSWORD, TOKEN):
        for spelled in (secret, quote(secret, safe=""), secret[:9], secret[-9:]):
            with pytest.raises(AssertionError):
                silent(f"x{spelled}x".encode())


@pytest.mark.parametrize("venue", ["kraken", "binance", "okx"])
def test_no_venue_that_repeats_the_keys_is_repeated(home: Path, echo: str, venue: str) -> None:
    with_keys(home, WHOLE, venue)
    said = ran(home, *live(venue, echo), "--home", str(home), "--json")
    assert b"permissions" in said and b"clock" in said, said
    assert set(Echo.statuses) == {200, 403}


@pytest.mark.parametrize("text", MISTAKEN.values(), ids=MISTAKEN)
def test_no_refusal_of_a_file_repeats_it(home: Path, echo: str, text: str) -> None:
    with_keys(home, text)
    assert b"keys  " in ran(home, *live("kraken", echo), "--home", str(home))
    assert Echo.statuses == []


@pytest.mark.parametrize(
    "how",
    [
        *("a traceback", "a cause", "a group", "an error of ours", "a task that nobody awaits"),
        *("a thread", "a log of a library", "a warning", "verbose ccxt"),
    ],
)
def test_no_way_to_fail_repeats_a_key(home: Path, how: str) -> None:
    program = SPOILED.format(config=str(home / "config"), how=how, json=how == "an error of ours")
    said = ran(home, program=("-c", program))
    assert b"********" in said or how == "verbose ccxt", said
    if how == "verbose ccxt":
        assert b"Request" in said, said


@pytest.mark.parametrize(
    "words",
    [
        ("config", "show"),
        ("config", "show", "--json"),
        ("config", "show", "--set", f"seed={SECRET}"),
        ("config", "show", "--set", f"signals={TOKEN},", "--json"),
        ("--set", f"symbols={TOKEN}"),
        ("status",),
        ("doctor", "--json"),
    ],
)
def test_no_command_shows_a_secret(home: Path, words: tuple[str, ...]) -> None:
    ran(home, *words, "--home", str(home))


def test_a_session_that_is_told_a_secret_writes_stars(home: Path, tmp_path: Path) -> None:
    """Through the settings of the session: into its database, its logs, its summary."""
    market = made(tmp_path / "market", hours=60)
    said = ran(home, *market, "--signals", f"breakout:{TOKEN}=1", "--home", str(home))
    assert b"********" in said
    ran(home, *market, "--set", f"live.unproven_strategy={TOKEN}", "--home", str(home), "--json")
    ran(home, "status", "--home", str(home), "--json")
