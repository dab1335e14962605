"""Each thing that real money needs is taken away in turn: it is named, with its way out, alone."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rrr.api.arming import APART_MS_MAX, DAY_MS, SHADOW_DAYS, Lack, World, missing, refusal
from rrr.api.permissions import Allowed
from rrr.config import Home, Settings, load
from rrr.config.keys import Keys
from rrr.config.round_trip import account_of
from rrr.core.errors import NotArmed, Unavailable
from rrr.data_pipeline.recorded_files import timeframe_ms
from rrr.database.client import database_path
from rrr.database.migrate import MIGRATIONS
from rrr.database.opening import MODES, open_to_write, plain
from rrr.neural_network import registry
from rrr.neural_network.artefact import NETWORK, Artefact
from rrr.trading.live.spelling import SPEECHES
from tests.neural_network.markets import known, trained

HOUR_MS = 3_600_000
FIT = Allowed(trades=True, withdraws=False, bound=True)
ARMED: dict[str, object] = {
    "market": "kraken",
    "symbols": "BTC-USD,ETH-USD",
    "signals": "champion",
    "risk.orders_per_minute_max": "2",
    "risk.order_notional_max": "100",
    "live.enabled": "true",
    "live.venue": "kraken",
    "live.instruments": "BTC-USD,ETH-USD",
    "live.orders_per_minute_max": "2",
    "live.order_notional_max": "100",
    "live.day_notional_max": "300",
    "live.ramp_notional_max": "15",
    "live.unproven_strategy": "champion",
}


def asked(venue: str) -> bool:
    return venue in ("binance", "bybit", "okx")


WORLD = World(
    has_sandbox=asked,
    allowed=lambda keys: FIT,
    apart_ms=lambda keys: 0,
    ailing=lambda: (),
    confirmed="kraken",
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    for venue in SPEECHES:
        keys(home, venue)
    return home


def keys(home: Home, venue: str, network: str = "live") -> Path:
    folder = home.config / "api_keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{venue}.toml"
    words = {"key": "k" * 20, "secret": "s" * 40, "password": "p" * 10, "network": network}
    path.write_text("".join(f'{name} = "{word}"\n' for name, word in words.items()))
    path.chmod(0o600)
    return path


def settings(home: Home, changes: dict[str, object]) -> Settings:
    given = {name: value for name, value in (ARMED | changes).items() if value is not None}
    return load(home, overrides=given, environ={}).settings


def lacks(home: Home, changes: dict[str, object], world: World = WORLD) -> list[Lack]:
    return missing(home, settings(home, changes), world)


def at(venue: str, **more: object) -> dict[str, object]:
    return {"market": venue, "live.venue": venue} | {
        name.replace("__", "."): value for name, value in more.items()
    }


def test_where_nothing_is_missing_nothing_is_said(home: Home) -> None:
    assert lacks(home, {}) == []
    world = replace(WORLD, confirmed="coinbase")
    assert lacks(home, at("coinbase", policy__stop_limit_bps="200"), world) == []
    assert lacks(home, at("binance"), replace(WORLD, confirmed="binance")) == []


# (what is changed, the lacks by name, what they say and advise)
CHANGES: list[tuple[dict[str, object], str, str]] = [
    ({"live.enabled": "false"}, "enabled", "Set live.enabled to true"),
    ({"market": None}, "market market", "The candles are of simulated"),
    (
        {"market": "coinbase"},
        "market",
        "The candles are of coinbase, the orders would go to kraken",
    ),
    ({"address": "http://192.0.2.7:80"}, "market", "Keys would cross the network unencrypted"),
    ({"risk.synthetic_may_open": "true"}, "market", "Candles that nobody traded may open"),
    ({"live.instruments": None}, "instruments", "live.instruments allows none"),
    ({"symbols": None}, "instruments", "symbols names none"),
    ({"live.instruments": "ETH-USD"}, "instruments", "symbols holds BTC-USD, which"),
    ({"live.orders_per_minute_max": None}, "caps", "live.orders_per_minute_max"),
    ({"live.order_notional_max": None}, "caps", "live.order_notional_max"),
    ({"live.day_notional_max": None}, "caps", "live.day_notional_max"),
    ({"risk.orders_per_minute_max": "3"}, "caps", "risk.orders_per_minute_max (3) asks for more"),
    ({"risk.order_notional_max": "100.01"}, "caps", "Lower risk.order_notional_max to 100 or less"),
    ({"live.ramp_notional_max": None}, "ramp", "how small the first 30 round trips are"),
    ({"policy.collar_bps": "0"}, "orders", "naked market orders"),
    ({"policy.target": "rests"}, "orders", "the stop holds the coins"),
    ({"policy.fill_or_kill": "true"}, "orders", "kraken has no fill-or-kill"),
    ({"signals": "hold"}, "strategy", "Set live.unproven_strategy to hold"),
    ({"signals": "champion:slow=99"}, "strategy", "champion:slow=99 passed no gate"),
    ({"signals": "baseline"}, "strategy", "baseline passed no gate"),
    ({"live.unproven_strategy": None}, "strategy", "champion passed no gate"),
    ({"signals": None}, "model", "No model of these instruments"),
    ({"live.venue": None}, "venue market confirmation", "Set it to one of kraken, coinbase"),
    ({"market": "gemini", "live.venue": "gemini"}, "venue confirmation", "how orders are spelled"),
    (at("coinbase"), "orders confirmation", "coinbase has no stop that sells at any price"),
    (at("coinbase", policy__trail_bps="100"), "orders confirmation", "coinbase has no trailing"),
    (at("binance", policy__entry="maker"), "orders confirmation", "binance has no orders that end"),
    (at("bybit"), "venue confirmation", "bybit is unproven"),
    (at("okx"), "venue confirmation", "Set live.unproven_venue to okx, or trade at kraken, coinb"),
    (at("okx", live__unproven_venue="bybit"), "venue confirmation", "okx is unproven"),
    (at("okx", live__unproven_venue="okx"), "confirmation", "--confirm names kraken, live.venue"),
    ({"live.sandbox": "true"}, "sandbox keys", "kraken has no test network that ccxt knows"),
    ({"live.sandbox": "true"}, "sandbox keys", "Leave out --sandbox; binance, bybit, okx have one"),
]


@pytest.mark.parametrize(("changes", "names", "words"), CHANGES)
def test_what_is_missing_is_named_with_its_way_out(
    home: Home, changes: dict[str, object], names: str, words: str
) -> None:
    found = lacks(home, changes)
    assert [lack.name for lack in found] == names.split()
    assert words in " ".join(f"{lack.what} {lack.way_out}" for lack in found)
    assert all(part.endswith((".", "?")) for lack in found for part in lack[1:])


def failing(error: Exception) -> Any:
    def fail(_: Keys) -> Any:
        raise error

    return fail


OFFLINE = Unavailable("kraken did not answer.", "Ask again later.")
WORLDS: list[tuple[dict[str, object], str, str]] = [
    ({"allowed": lambda keys: FIT._replace(withdraws=True)}, "permissions", "may move money out"),
    ({"allowed": lambda keys: FIT._replace(trades=False)}, "permissions", "may not trade"),
    ({"allowed": lambda keys: FIT._replace(bound=False)}, "permissions", "from any address"),
    ({"allowed": failing(OFFLINE)}, "permissions", "kraken did not answer"),
    ({"allowed": failing(NotArmed("Unreadable.", "Do."))}, "permissions", "Unreadable"),
    ({"apart_ms": lambda keys: APART_MS_MAX + 1}, "clock", "Let the clock be kept by NTP"),
    ({"apart_ms": failing(OFFLINE)}, "clock", "Ask again later"),
    ({"ailing": lambda: ("disk", "clock")}, "doctor", "Not well: disk, clock."),
    ({"confirmed": ""}, "confirmation", "Add --confirm kraken"),
    ({"confirmed": "binance"}, "confirmation", "--confirm names binance, live.venue kraken"),
]


@pytest.mark.parametrize(("changes", "name", "words"), WORLDS)
def test_what_the_world_says_counts(
    home: Home, changes: dict[str, Any], name: str, words: str
) -> None:
    (lack,) = lacks(home, {}, replace(WORLD, **changes))
    assert lack.name == name
    assert words in f"{lack.what} {lack.way_out}"


def test_keys_without_a_list_of_addresses_need_a_word_of_their_own(home: Home) -> None:
    world = replace(WORLD, allowed=lambda keys: FIT._replace(bound=False))
    assert lacks(home, {"live.unbound_keys": "true"}, world) == []
    silent = replace(WORLD, allowed=lambda keys: FIT._replace(bound=None))
    assert lacks(home, {}, silent) == []


def test_keys_that_are_not_safe_are_never_shown_to_the_venue(home: Home) -> None:
    (home.config / "api_keys" / "kraken.toml").chmod(0o644)
    world = replace(WORLD, allowed=failing(AssertionError()), apart_ms=failing(AssertionError()))
    (lack,) = lacks(home, {}, world)
    assert lack.name == "keys"
    assert lack.way_out == f"chmod 600 {home.config / 'api_keys' / 'kraken.toml'}"


def test_the_test_network_is_asked_with_keys_of_its_own(home: Home) -> None:
    met: list[str] = []

    def meet(keys: Keys) -> Allowed:
        met.append(keys.network)
        return FIT

    world = replace(WORLD, allowed=meet, confirmed="binance")
    changes = at("binance", live__sandbox="true")
    assert [lack.name for lack in lacks(home, changes, world)] == ["keys"]
    keys(home, "binance", "sandbox")
    assert lacks(home, changes, world) == []
    assert met == ["sandbox"]


MODEL: dict[str, object] = {"signals": None, "live.unproven_strategy": None}
KRAKEN = {"market": "kraken", "symbols": ["BTC-USD", "ETH-USD"], "timeframe_ms": timeframe_ms("1h")}


def crowned(home: Home, passed: bool = True, shadow_days: int = SHADOW_DAYS) -> Artefact:
    """A champion with a verdict of this account."""
    models = home.data / "models"
    files = known(2)
    of = trained(models, b"onnx", files, **KRAKEN)
    account = account_of(settings(home, MODEL), of.scope.symbols)
    checks = [{"name": "holdout", "passed": passed}]
    said = {"model": f"{of.id:012x}", "passed": passed, "account": account}
    content = json.dumps(said | {"verdict": {"checks": checks}}).encode()
    registry.judged(models, of.name, content, "", of.name)
    registry.shadow(models, of.name, 0, "a test of plumbing")
    registry.promote(models, of.name, shadow_days * DAY_MS, "passed its gate")
    return of


def test_a_model_trades_once_it_passed_its_gate_on_this_account_and_was_watched(
    home: Home,
) -> None:
    of = crowned(home)
    assert lacks(home, MODEL) == []
    (other,) = lacks(home, MODEL | {"symbols": "BTC-USD"})
    assert "No model of these instruments" in other.what
    (dear,) = lacks(home, MODEL | {"costs.taker_fee_ppm": "3000"})
    assert "costs.BTC-USD.taker_fee_ppm 1000, and this account says 3000" in dear.what
    assert f"rrr models gate {of.name}" in dear.way_out
    meant = MODEL | {"live.unproven_strategy": f"model:{of.name}"}
    assert lacks(home, meant | {"costs.taker_fee_ppm": "3000"}) == []
    (of.folder / NETWORK).write_bytes(b"another")
    assert "is not what was trained" in lacks(home, MODEL)[0].what


def test_a_model_that_was_refused_or_never_judged_or_is_only_a_candidate_trades_no_money(
    home: Home,
) -> None:
    of = crowned(home, passed=False)
    (lack,) = lacks(home, MODEL)
    assert "Its gate refused it: holdout." in lack.what
    models = home.data / "models"
    (models / "verdicts" / f"{of.name}.json").unlink()
    assert "cannot be read" in lacks(home, MODEL)[0].what
    (models / registry.FILE).unlink()
    assert "No model of these instruments" in lacks(home, MODEL)[0].what


def test_less_than_a_week_of_paper_is_told_for_what_it_tests(home: Home) -> None:
    crowned(home, shadow_days=6)
    (lack,) = lacks(home, MODEL)
    assert lack.name == "shadow"
    assert "6.0 of 7 days, which is a test of plumbing" in lack.what
    assert "rrr models shadow" in lack.way_out


def test_closes_that_a_shadow_met_on_paper_count_and_not_the_calendar(home: Home) -> None:
    of = crowned(home)
    path = database_path("paper", home.root)
    with closing(open_to_write(path, MODES["paper"], MIGRATIONS, plain)) as connection:
        if not connection.execute("SELECT 1 FROM pragma_table_info('shadows')").fetchone():
            pytest.skip("no table of shadows yet")
        (lack,) = lacks(home, MODEL)
        assert "0.0 of 7 days" in lack.what
        connection.execute("PRAGMA foreign_keys = OFF")
        insert(connection, "shadows", {"session": 1, "book": 7, "folder": of.name, "opens": 9})
        begins = {"session": 1, "book": 0, "number": 9, "at_ms": 1_000 * HOUR_MS, "chain": b""}
        insert(connection, "journal", begins)
        for hour in range(1_000 + 6 * 24):  # it learned from a thousand before it spoke
            insert(connection, "equity", {"session": 1, "book": 7, "at_ms": hour * HOUR_MS})
        connection.commit()
        (lack,) = lacks(home, MODEL)
        assert "6.0 of 7 days" in lack.what
        for hour in range(1_000 + 6 * 24, 1_000 + 7 * 24):
            insert(connection, "equity", {"session": 1, "book": 7, "at_ms": hour * HOUR_MS})
        connection.commit()
    assert lacks(home, MODEL) == []


def insert(connection: sqlite3.Connection, table: str, given: dict[str, Any]) -> None:
    """A row whose other columns hold what their kind takes."""
    row = dict(given)
    for _, name, kind, needed, usual, _ in connection.execute(f"PRAGMA table_info({table})"):
        if needed and usual is None and name not in row:
            row[name] = {"INTEGER": 1}.get(kind, "model")
    marks = ", ".join("?" * len(row))
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
    )


def test_an_untouched_house_lacks_all_of_it_and_says_so_at_once(tmp_path: Path) -> None:
    world = World(asked, failing(OFFLINE), failing(OFFLINE), lambda: ("disk",), "")
    found = missing(Home(tmp_path), Settings(), world)
    assert [lack.name for lack in found] == [
        *("enabled", "venue", "market", "market", "instruments", "instruments"),
        *("caps", "ramp", "model", "doctor", "confirmation"),
    ]


def test_the_refusal_has_every_lack_and_every_way_out() -> None:
    found = [
        Lack("keys", "There are none.", "chmod 600 them."),
        Lack("doctor", "Not well: clock.", "Mend it."),
    ]
    error = refusal(found)
    assert error.exit_code == 4
    assert error.what.splitlines() == [
        "Live trading lacks 2 things, and nothing was sent:",
        "  keys    There are none.",
        "          → chmod 600 them.",
        "  doctor  Not well: clock.",
        "          → Mend it.",
    ]
    assert json.dumps(error.what)
