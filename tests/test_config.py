"""Whatever a person writes into a source, they are understood or told, with the line."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from rrr.config import Home, Loaded, Settings, load, show, show_json
from rrr.config.loading import NOTHING
from rrr.config.schema import FIELDS, flat
from rrr.core.errors import ConfigError, HomeUnusable, NotFound, StorageFailed

CANARY = "c4n4ry-in-the-coal-mine"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path / "home")
    home.prepare()
    return home


def read(
    home: Home,
    yaml: str = "",
    env: str = "",
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] = NOTHING,
) -> Loaded:
    (home.config / "trading_config.yml").write_text(yaml, encoding="utf-8")
    (home.config / ".env").write_text(env, encoding="utf-8")
    return load(home, overrides=overrides, environ=environ or {})


def told(home: Home, yaml: str = "", **sources: object) -> str:
    """What a person is told of a mistake; the home is cut from the path."""
    with pytest.raises(ConfigError) as wrong:
        read(home, yaml, **sources)  # type: ignore[arg-type]
    assert wrong.value.exit_code == 78
    assert wrong.value.__cause__ is None, "A cause would show the values of all settings."
    assert wrong.value.__context__ is None
    return wrong.value.what.replace(f"{home.config}{os.sep}", "")


# What a person writes into the file, and what they read.
MISTAKES = [
    ("seed: many", "line 1: seed is 'many'; allowed is a whole number from 0 to"),
    ("seed: 1.5", "line 1: seed is 1.5; allowed is a whole number"),
    ("seed: true", "line 1: seed is 'true'; allowed is a whole number"),
    ("seed: -1", "line 1: seed is -1; allowed is a whole number from 0 to"),
    ("seed: 9223372036854775808", "allowed is a whole number from 0 to 9223372036854775807."),
    ("seed:", "line 1: seed has no value; allowed is"),
    ("seed: [1, 2]", "line 1: seed is '[1,2]'; allowed is"),
    ("seed: {a: 1}", "line 1: seed is \"{'a': '1'}\"; allowed is"),
    (f"seed: {'9' * 6_000}", f"seed is '{'9' * 60}…'; allowed is"),
    ("\n\n# a word\nsede: 1", "line 4: sede is not a setting. Did you mean seed or speed?"),
    ("xyzzy: 1", "line 1: xyzzy is not a setting."),
    ("from_: 2024-01-01", "line 1: from_ is not a setting. Did you mean from?"),
    ("stop_bps: 1", "line 1: stop_bps is not a setting. Did you mean policy.stop_bps?"),
    ("risk:\n  stop_bps: 1", "line 2: risk.stop_bps is not a setting. Did you mean policy.stop_b"),
    ("riks:\n  stale_candles: 1", "line 1: riks is not a setting. Did you mean risk?"),
    ("risk: 5", "line 1: risk is a section: its settings go below it, indented."),
    ("risk: [1]", "line 1: risk is a section"),
    ("risk:\n  costs:\n    seed: 1", "line 2: risk.costs is not a setting. Did you mean costs?"),
    ("risk:\n  stale_candles: 1\nrisk.stale_candles: 2", "line 3: risk.stale_candles is already"),
    ("trend.slow_candles: 250\ntrend:\n  slow_candles: 3", "line 3: trend.slow_candles is already"),
    ("seed: 1\n\nseed: 1", "line 3: seed is already given in line 1."),
    ("risk:\n  stale_candles: 1\nrisk:\n  stale_candles: 2", "line 3: risk is already given in"),
    ("? [a]\n: 1", "line 1: a setting's name is a word."),
    ("- seed", "line 1: a setting is a line like `seed: 1`."),
    ("seed", "line 1: a setting is a line like `seed: 1`."),
    ("capital: 0", "line 1: capital is 0; allowed is an amount from 1 to 100000000 with at most 8"),
    ("capital: 1.123456789", "line 1: capital is 1.123456789; allowed is an amount"),
    ("capital: .nan", "line 1: capital is '.nan'; allowed is an amount"),
    ("capital: NaN", "line 1: capital is 'NaN'; allowed is an amount"),
    ("capital: 1e9", "line 1: capital is '1e9'; allowed is an amount"),
    ("speed: 0", "line 1: speed is 0; allowed is max or a number above 0"),
    ("speed: inf", "line 1: speed is 'inf'; allowed is max or a number above 0"),
    ("timeframe: 7m", "line 1: timeframe is '7m'; allowed is one of 1m, 3m, 5m"),
    ("market: Binance!", "line 1: market is 'Binance!'; allowed is simulated, replay, or the id"),
    ("market: replay", "line 1: market is replay, and replay names no path."),
    ("market: kraken\nreplay: /x", "line 2: replay names recorded candles, and market is kraken"),
    ("market: kraken\nspeed: 60", "line 2: speed is 60, and kraken runs at 1."),
    ("from: 2024-01-01", "line 1: from and to cut recorded candles, and market is simulated."),
    ("address: http://[::1]:80", "line 1: address is an exchange's, and market is simulated."),
    ("market: kraken\naddress: ftp://x", "line 2: address is 'ftp://x'; allowed is an address"),
    ("signals: \",oracle\"", "line 1: signals is ',oracle'; allowed is model, baseline, or a"),
    ("candles: 0", "line 1: candles is 0; allowed is a whole number from 1 to"),
    ("from: yesterday", "line 1: from is 'yesterday'; allowed is a date or moment such as"),
    ("to: 1704067200", "line 1: to is 1704067200; allowed is a date or moment such as"),
    ("to: 0001-01-01", "line 1: to is 0001-01-01; allowed is a date or moment such as"),
    ("to: 9999-12-31T23:00-05:00", "allowed is a date or moment such as"),
    ("symbols: [BTC-USD, BTC/USD]", "line 1: symbols is '[BTC-USD,BTC/USD]'; allowed is instr"),
    ("symbols:\n  - BTC-USD\n  - BTCUSD", "line 3: symbols holds 'BTCUSD'; allowed is instruments"),
    ("symbols: {a: 1}", "line 1: symbols is \"{'a': '1'}\"; allowed is instruments"),
    ("replay: \"a\\0b\"", "line 1: replay is 'a\\x00b'; allowed is a path."),
    ("replay: ~nobody-of-this-name/x", "line 1: replay is '~nobody-of-this-name/x'; allowed is"),
    ("risk:\n  synthetic_may_open: maybe", "line 2: risk.synthetic_may_open is 'maybe'; allowed"),
    ("risk:\n  orders_per_minute_max: 33", "33; allowed is a whole number from 1 to 32."),
    ("costs:\n  taker_fee_ppm: -1", "line 2: costs.taker_fee_ppm is -1; allowed is a whole numbe"),
    ("costs:\n  maker_fee_ppm: -1001", "-1001; allowed is a whole number from -1000 to 100000."),
    ("policy:\n  warmup_candles: 10001", "10001; allowed is a whole number from 2 to 10000."),
    ("live:\n  orders_per_minute_max: 33", "33; allowed is a whole number from 1 to 32."),
    ("live:\n  order_notional_max: 50\n  day_notional_max: 40",
     "line 3: live.order_notional_max (50) is above live.day_notional_max (40)"),
    ("live:\n  day_notional_max: 40\n  ramp_notional_max: 50",
     "line 3: live.ramp_notional_max (50) is above live.day_notional_max (40)"),
    ("live:\n  keys: paper", "line 2: live.keys is 'paper'; allowed is file or keychain."),
    ("live:\n  ramp_round_trips: 0", "0; allowed is a whole number from 1 to 10000."),
    ("live:\n  kraken_api_key: x", "not a setting"),
    ("trend:\n  fast_candles: 240", "line 2: trend.slow_candles (240) is not above trend.fast_ca"),
    ("replay: x\nto: 2024-01-01\nfrom: 2024-01-01", "line 3: to (2024-01-01T00:00:00Z) is not a"),
    ("seed: 1: 2", "line 1: this is not YAML: mapping values are not allowed in this context."),
    ("a: [1,\nb: 2\n", "this is not YAML: did not find expected ',' or ']', while parsing a flow"),
    ("a: 'b\n\n\n", "while scanning a quoted scalar that began in line 1."),
    ("risk:\n\tseed: 1", "line 2: this is not YAML: found character that cannot start any token."),
    ("seed: 1\n---\nseed: 2", "line 2: this is not YAML"),
    ("seed: 1\n\x07: 2", "line 2: a character stands here that nobody can see."),
    ("a: &a 1\nseed: *a", "line 2: an alias (*) has no place in settings."),
    ("seed: !!python/object/apply:os.getpid []", "line 1: a tag (!) has no place in settings."),
    ("<<: {seed: 1}", "line 1: << is not a setting."),
    (f"\na: {'[' * 100_000}", "line 2: brackets are nested too deep."),
    ("coinbase_api_key: x", "coinbase_api_key is not a setting. Secrets belong in config/.env."),
    ("\"se\\e[31med\": 1", "line 1: se\N{REPLACEMENT CHARACTER}[31med is not a setting."),
]  # fmt: skip


@pytest.mark.parametrize(("yaml", "words"), MISTAKES, ids=[yaml[:40] for yaml, _ in MISTAKES])
def test_a_mistake_in_the_file_is_told_with_its_line(home: Home, yaml: str, words: str) -> None:
    sentence = told(home, yaml)
    assert sentence.startswith("trading_config.yml line ")
    assert sentence.endswith((".", "?"))
    assert words in sentence


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(home: Home) -> None:
    yaml = "seed: x\nsede: 1\nrisk:\n  stale_candles: 0\nseed: 2\n"
    sentence = told(home, yaml, env="RRR__SPEED=0", overrides={"candles": 0})
    assert [line.partition(":")[0].strip() for line in sentence.splitlines()] == [
        "The settings have 6 mistakes",
        *(f"trading_config.yml line {line}" for line in (1, 2, 4, 5)),
        ".env line 1",
        "command line",
    ]


def test_a_mistake_that_a_stronger_source_hides_is_still_a_mistake(home: Home) -> None:
    assert "line 1: seed is 'x'" in told(home, "seed: x", overrides={"seed": 2})


def test_settings_that_clash_name_the_source_that_had_the_last_word(home: Home) -> None:
    yaml = "trend:\n  slow_candles: 300\n  fast_candles: 100"
    sentence = told(home, yaml, overrides={"trend.slow_candles": 90})
    assert sentence == (
        "command line: trend.slow_candles (90) is not above trend.fast_candles (100)."
    )


VARIABLES = [
    ({"RRR__RISK__DRAWDWON_MAX_BPS": "1"}, "Did you mean RRR__RISK__DRAWDOWN_MAX_BPS"),
    ({"RRR__STOP_BPS": "1"}, "RRR__STOP_BPS is not a setting. Did you mean RRR__POLICY__STOP_BPS?"),
    ({"RRR__seed": "1"}, "RRR__seed is not a setting. Did you mean RRR__SEED?"),
    ({"RRR__": "1"}, "RRR__ is not a setting."),
    ({"RRR__SEED": "x"}, "RRR__SEED is 'x'; allowed is a whole number"),
    ({"RRR__SEED": ""}, "RRR__SEED has no value; allowed is a whole number"),
    ({"RRR__SEED": "\udcff"}, r"RRR__SEED is '\udcff'; allowed is a whole number"),
    ({"RRR__SYMBOLS": "BTC-USD,x"}, "RRR__SYMBOLS is 'BTC-USD,x'; allowed is instruments such"),
]


@pytest.mark.parametrize(("environ", "words"), VARIABLES)
def test_a_mistake_in_the_environment_names_the_variable(
    home: Home, environ: dict[str, str], words: str
) -> None:
    sentence = told(home, environ=environ)
    assert sentence.startswith("environment: RRR__")
    assert words in sentence


LINES = [
    ("\n# a word\n\nRRR__SEDE=1", "line 4: RRR__SEDE is not a setting. Did you mean RRR__SEED or"),
    ("RRR__SEED=x", "line 1: RRR__SEED is 'x'; allowed is a whole number"),
    ("RRR__SEED=1\nRRR__SEED=2", "line 2: RRR__SEED is already given in line 1."),
    ("RRR__SEED", "line 1: a line is NAME=value or a # comment."),
    (f"A_API_KEY=1\n={CANARY}", "line 2: a line is NAME=value or a # comment."),
    ("RRR_SEED=1", "line 1: RRR_SEED is no setting (RRR__…) and no secret (…_API_KEY)."),
]


@pytest.mark.parametrize(("env", "words"), LINES)
def test_a_mistake_in_dotenv_is_told_with_its_line(home: Home, env: str, words: str) -> None:
    sentence = told(home, env=env)
    assert sentence.startswith(".env line ")
    assert words in sentence
    assert CANARY not in sentence


def test_a_wrong_name_on_the_command_line_is_told(home: Home) -> None:
    assert told(home, overrides={"risk.stale": 1}) == (
        "command line: risk.stale is not a setting. Did you mean risk.stale_candles?"
    )


def test_every_source_overrides_those_below_and_each_setting_knows_its_own(home: Home) -> None:
    loaded = read(
        home,
        "# first\nseed: 1\ncandles: 1\ncapital: 1\nrisk:\n  stale_candles: 1",
        env="RRR__CANDLES=2\nRRR__CAPITAL=2\nRRR__RISK__STALE_CANDLES=2",
        environ={"RRR__CAPITAL": "3", "RRR__RISK__STALE_CANDLES": "3", "PATH": "/bin"},
        overrides={"risk.stale_candles": 4, "speed": None},
    )
    names = ("speed", "seed", "candles", "capital", "risk.stale_candles")
    assert [flat(loaded.settings)[name] for name in names] == [None, 1, 2, 3, 4]
    assert [loaded.origin(name) for name in names] == [
        "default",
        "trading_config.yml line 2",
        ".env",
        "environment",
        "command line",
    ]


def test_a_section_keeps_what_the_stronger_source_does_not_say(home: Home) -> None:
    loaded = read(home, "risk:\n  stale_candles: 3\n", environ={"RRR__RISK__GROSS_MAX_BPS": "1"})
    assert (loaded.settings.risk.stale_candles, loaded.settings.risk.gross_max_bps) == (3, 1)


@pytest.mark.parametrize("yaml", ["", "# nothing", "risk:\n# stale_candles: 3\n", "\ufeff", "---"])
def test_what_says_nothing_leaves_the_defaults(home: Home, yaml: str) -> None:
    loaded = read(home, yaml)
    assert loaded.settings == Settings()
    assert {loaded.origin(name) for name in FIELDS} == {"default"}


def test_a_home_without_files_has_the_defaults(tmp_path: Path) -> None:
    assert load(Home(tmp_path / "nowhere"), environ={}).settings == Settings()


def test_the_named_file_is_read_in_place_of_the_one_of_the_home(home: Home, tmp_path: Path) -> None:
    read(home, "seed: 1\ncandles: 5")
    other = tmp_path / "other.yml"
    other.write_text("seed: 2")
    loaded = load(home, file=other, environ={})
    assert (loaded.settings.seed, loaded.settings.candles) == (2, None)
    assert loaded.origin("seed") == "other.yml line 1"


def test_a_named_file_that_is_not_there_is_not_found(home: Home, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.yml is not there\. Name a settings file"):
        load(home, file=tmp_path / "gone.yml", environ={})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "trading_config.yml cannot be read: Is a directory."),
        (b"seed: 1\n\xff", "trading_config.yml line 2: this is not UTF-8."),
        (b"#" * ((1 << 20) + 1), "trading_config.yml is larger than 1048576 bytes."),
    ],
)
def test_a_file_that_cannot_be_read_is_told(home: Home, content: bytes | None, words: str) -> None:
    path = home.config / "trading_config.yml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as wrong:
        load(home, environ={})
    assert wrong.value.what == f"{home.config}{os.sep}{words}"


def test_values_are_read_as_they_are_written(home: Home) -> None:
    settings = read(
        home,
        "capital: 12345678.10000001\nsymbols: [btc/usd, ETH-USD, BTC-USDT-PERP]\nspeed: 0.5\n"
        "from: 2024-01-01\nto: 2024-01-01T12:00:00+02:00\nseed: 010\ncandles: 1_000\nreplay: no\n",
    ).settings
    assert settings.capital == Decimal("12345678.10000001")
    assert settings.symbols == ("BTC-USD", "ETH-USD", "BTC-USDT-PERP")
    assert settings.speed == 1 / 2
    assert settings.from_ == datetime(2024, 1, 1, tzinfo=UTC)
    assert settings.to == datetime(2024, 1, 1, 10, tzinfo=UTC)
    assert (settings.seed, settings.candles, settings.replay) == (10, 1_000, Path("no"))


def test_dotenv_is_read_as_a_shell_and_a_windows_editor_write_it(home: Home) -> None:
    loaded = read(home, env="\ufeffRRR__SEED=7\nexport RRR__SPEED='2' # twice\n")
    assert (loaded.settings.seed, loaded.settings.speed) == (7, 2)


def test_a_list_in_the_environment_has_commas_and_an_empty_value_leaves_out(home: Home) -> None:
    environ = {"RRR__SYMBOLS": "BTC-USD, eth/usd", "RRR__TO": ""}
    settings = read(home, "to: 2024-01-01", environ=environ).settings
    assert (settings.symbols, settings.to) == (("BTC-USD", "ETH-USD"), None)


def test_one_amount_has_one_spelling(home: Home) -> None:
    spellings = ("100000", "1e5", "100000.00", "+100_000")
    dumps = {read(home, f"capital: {each}").settings.model_dump_json() for each in spellings}
    assert len(dumps) == 1


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().risk.stale_candles = 3


def test_what_is_shown_as_json_is_read_back_as_the_same_settings(home: Home) -> None:
    yaml = "symbols: [BTC-USD]\nfrom: 2024-01-01\ncapital: 1.5\nreplay: /candles\nspeed: 2.5"
    loaded = read(home, yaml)
    shown = json.loads(json.dumps(show_json(loaded)))
    again = read(home, overrides={name: entry["value"] for name, entry in shown.items()})
    assert again.settings == loaded.settings
    assert shown["from"] == {"value": "2024-01-01T00:00:00Z", "origin": "trading_config.yml line 2"}


def test_the_table_is_aligned_and_has_every_setting(home: Home) -> None:
    rows = show(read(home, "seed: 12345", env=f"KRAKEN_API_SECRET={CANARY}")).splitlines()
    assert [row.split()[0] for row in rows] == [*FIELDS, "KRAKEN_API_SECRET"]
    assert len({row.index(row.split("  ")[-1].strip(), 40) for row in rows}) == 1
    assert rows[list(FIELDS).index("seed")].split(maxsplit=2) == [
        "seed",
        "12345",
        "trading_config.yml line 1",
    ]


@pytest.mark.parametrize(
    "name",
    ["RRR_SECRET_X", "COINBASE_API_KEY", "KRAKEN_API_SECRET", "DB_PASSWORD", "BOT_TOKEN",
     "OKX_PASSPHRASE", "A_PRIVATE_KEY", "PASSWORD", "bybit_apiKey"],
)  # fmt: skip
@pytest.mark.parametrize("source", [".env", "environment"])
def test_a_secret_never_shows(home: Home, name: str, source: str) -> None:
    env, environ = (f"{name}='{CANARY}'", {}) if source == ".env" else ("", {name: CANARY})
    loaded = read(home, env=env, environ=environ)
    assert loaded.secrets[name].get_secret_value() == CANARY
    assert loaded.origin(name) == source
    shown = [show(loaded), json.dumps(show_json(loaded)), repr(loaded), str(loaded.secrets)]
    assert not any(CANARY in each for each in (*shown, loaded.settings.model_dump_json()))
    assert all(name in each for each in shown)


def test_a_secret_in_the_wrong_place_does_not_show_in_the_error(home: Home) -> None:
    sentence = told(
        home,
        f"seed: x{CANARY}\nsymbols: [{CANARY}]",
        env=f"A_API_KEY={CANARY}",
        environ={"A_API_KEY": "newer"},
    )
    assert "seed is 'x********'" in sentence
    assert CANARY not in sentence


def test_the_real_environment_has_the_secret_that_counts(home: Home) -> None:
    loaded = read(home, env="A_TOKEN=old\nB_TOKEN=", environ={"A_TOKEN": "new"})
    assert {name: each.get_secret_value() for name, each in loaded.secrets.items()} == {
        "A_TOKEN": "new"
    }


def test_the_environment_of_the_process_is_the_default(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RRR__SEED", "77")
    assert load(home).settings.seed == 77


def test_with_no_files_yaml_and_dotenv_are_not_even_imported(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\nfrom rrr.config import Home, load\n"
        "load(Home(pathlib.Path(sys.argv[1])), environ={})\n"
        "assert not {'yaml', 'dotenv', 'difflib'} & sys.modules.keys()"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, tmp_path], env=environ, check=True)


def test_a_home_is_the_checkout_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = Path(__file__).resolve().parents[1]
    monkeypatch.delenv("RRR_HOME", raising=False)
    assert Home.at().root == checkout
    monkeypatch.setenv("RRR_HOME", "")
    assert Home.at().root == checkout
    monkeypatch.setenv("RRR_HOME", str(tmp_path / "named"))
    assert Home.at().root == tmp_path / "named"
    assert Home.at(tmp_path).root == tmp_path
    assert Home.at(Path("here")).root == Path.cwd() / "here"


def test_a_home_is_made_whole_and_left_clean_as_often_as_asked(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "a" / "b")
    for _ in range(2):
        home.prepare()
        assert tree(tmp_path / "a") == ["b", "b/backups", "b/config", "b/data", "b/logs"]


def test_a_file_in_place_of_the_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("mine")
    with pytest.raises(HomeUnusable, match=r"home.data cannot be used: Not a directory\."):
        Home.at(tmp_path / "home").prepare()
    assert (tmp_path / "home").read_text() == "mine"


def test_a_file_in_place_of_a_folder_undoes_what_was_made(tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("mine")
    with pytest.raises(HomeUnusable, match=r"backups cannot be used: Not a directory\."):
        Home.at(tmp_path).prepare()
    assert tree(tmp_path) == ["backups"]


def test_a_home_of_a_user_who_is_not_there_is_refused() -> None:
    with pytest.raises(HomeUnusable, match="There is no home folder to find ~nobody-of-this-name"):
        Home.at(Path("~nobody-of-this-name/rrr"))


@pytest.mark.skipif(
    not Path("/sys/kernel").is_dir(), reason="no folder here is closed even to root"
)
def test_a_home_that_may_not_be_written_is_refused() -> None:
    with pytest.raises(HomeUnusable, match=r"/sys/rrr/data cannot be used: ") as wrong:
        Home.at(Path("/sys/rrr")).prepare()
    assert wrong.value.exit_code == 73


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        ("size=8k", ":", "None ['backups', 'config', 'data', 'logs']"),
        ("size=8k", "head -c 8192 /dev/zero > mine", "StorageFailed ['mine']"),
        ("ro", ":", "HomeUnusable []"),
    ],
)
def test_a_full_drive_and_a_closed_one_are_told_apart(
    tmp_path: Path, options: str, before: str, after: str
) -> None:
    """Tried on real drives of two pages, mounted for one process only."""
    program = (
        "import pathlib\nfrom rrr.config import Home\nfrom rrr.core.errors import RRRError\n"
        "root, error = pathlib.Path.cwd(), None\n"
        "try: Home.at(root).prepare()\n"
        "except RRRError as caught: error = type(caught).__name__\n"
        "print(error, sorted(path.name for path in root.iterdir()))"
    )
    mount = f"mount -t tmpfs -o {options} none '{tmp_path}' && cd '{tmp_path}'"
    if not runs("unshare", "-rm", "sh", "-c", mount):
        pytest.skip("no drive can be mounted here")
    steps = f'{mount} && {before} && "$0" -c "$1"'
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", steps, sys.executable, program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == after


def test_a_drive_that_fills_while_it_is_proved_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFailed, match=r"data cannot be written: No space left on device\."):
        Home.at(tmp_path / "home").prepare()
    assert tree(tmp_path) == []


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def runs(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
