from pathlib import Path

import pytest

from rrr.core.errors import NotFound, RRRError, UsageError
from rrr.data_pipeline.recorded import Found, find
from rrr.data_pipeline.recorded_files import partitions

FILES = (
    "binance/BTC-USDT/5m.parquet",
    "binance/BTC-USDT/1h.parquet",
    "binance/BTC-USDT/1d-2020.parquet",
    "binance/BTC-USDT/trades-20210108.parquet",
    "binance/BTC-USDT/1m-trades.parquet",
    "binance/ETH-USDT/5m.csv",
    "binance/ETH-USDT/funding-8h.parquet",
    "binance/XRP-USDT-PERP/1h-2020.parquet",
    "binance/XRP-USDT-PERP/1h-2021.parquet",
    "kraken-2018/BTC-USD/1d.csv.gz",
    "coinbase/BTC-USD/1d.parquet",
    "coinbase/BTC-USD/1m-lean.parquet",
    "fixtures/NOT-CANDLES/readme.txt",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in FILES:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path


@pytest.mark.parametrize("spelling", ["BTC-USDT", "btc-usdt", "BTC/USDT", " btc/usdt "])
@pytest.mark.parametrize("below", ["", "binance", "binance/BTC-USDT"])
def test_a_symbol_is_found_from_the_root_the_venue_and_its_own_folder(
    tree: Path, below: str, spelling: str
) -> None:
    file = tree / "binance/BTC-USDT/5m.parquet"
    assert find(tree / below, [spelling], "5m") == [Found(file, "binance", "BTC-USDT", 300_000)]


def test_symbols_come_in_the_order_asked_and_once(tree: Path) -> None:
    found = find(tree, ["ETH-USDT", "BTC-USDT", "eth/usdt"], "5m")
    assert [one.symbol for one in found] == ["ETH-USDT", "BTC-USDT"]


def test_without_symbols_all_that_have_the_timeframe_are_found(tree: Path) -> None:
    found = find(tree / "binance", [], "5m")
    assert [one.path.name for one in found] == ["5m.parquet", "5m.csv"]


def test_a_single_variant_stands_in_for_the_plain_file(tree: Path) -> None:
    assert find(tree / "binance", [], "1d")[0].path.name == "1d-2020.parquet"


def test_a_plain_file_is_preferred_to_its_variants(tree: Path) -> None:
    (tree / "binance/BTC-USDT/5m-old.parquet").touch()
    assert find(tree, ["BTC-USDT"], "5m")[0].path.name == "5m.parquet"


def test_a_single_file_is_named_by_its_folders(tree: Path) -> None:
    file = tree / "coinbase/BTC-USD/1m-lean.parquet"
    assert find(file, [], "1m") == [Found(file, "coinbase", "BTC-USD", 60_000)]


def test_a_single_file_elsewhere_is_named_by_the_symbol_asked(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.touch()
    assert find(file, ["btc/usd"], "1d") == [Found(file, "recorded", "BTC-USD", 86_400_000)]


def test_relative_paths_know_their_folders(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "coinbase" / "BTC-USD")
    assert find(Path("1d.parquet"), [], "1d")[0].venue == "coinbase"
    assert find(Path(), [], "1d")[0].venue == "coinbase"
    assert find(Path(".."), [], "1d")[0].symbol == "BTC-USD"


REFUSED: list[tuple[str, list[str], str, type[RRRError], str]] = [
    ("nowhere", ["BTC-USD"], "1h", NotFound, "nowhere does not exist"),
    ("fixtures", ["BTC-USD"], "1h", NotFound, "no files of candles"),
    ("binance", ["BTC-USTD"], "5m", NotFound, "Nearest: BTC-USDT"),
    ("binance", ["BTC-USDT"], "1m", NotFound, "It has 5m, 1h, 1d."),
    ("binance", [], "1m", NotFound, "It has 5m, 1h, 1d."),
    ("binance", ["BTC-USDT"], "7m", UsageError, "Known: 1m, 3m, 5m"),
    ("binance", ["BTCUSDT"], "5m", UsageError, "Write BASE-QUOTE"),
    ("binance", ["XRP-USDT-PERP"], "1h", UsageError, "1h-2020.parquet, 1h-2021.parquet"),
    ("", ["BTC-USD"], "1d", UsageError, "several venues: coinbase, kraken-2018"),
    ("coinbase/BTC-USD/1d.parquet", ["ETH-USD"], "1d", UsageError, "the folder of BTC-USD"),
    ("coinbase/BTC-USD/1d.parquet", ["A-B", "C-D"], "1d", UsageError, "2 symbols"),
    ("fixtures/NOT-CANDLES/readme.txt", [], "1d", UsageError, "--symbols"),
]


@pytest.mark.parametrize(("below", "symbols", "timeframe", "error", "words"), REFUSED)
def test_what_cannot_be_meant_is_refused_with_the_way_out(
    tree: Path,
    below: str,
    symbols: list[str],
    timeframe: str,
    error: type[RRRError],
    words: str,
) -> None:
    refuses(tree / below, symbols, timeframe, error, words)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A store, as `store_files` lays it out."""
    for name in ("1m/2024-01.parquet", "1m/2024-02.parquet", "1h/2024.parquet", "1m/.x.tmp"):
        file = tmp_path / "kraken/BTC-USD" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "kraken/BTC-USD/5m").mkdir()
    return tmp_path


@pytest.mark.parametrize("below", ["", "kraken", "kraken/BTC-USD", "kraken/BTC-USD/1m"])
def test_a_folder_of_partitions_is_one_file(stored: Path, below: str) -> None:
    folder = stored / "kraken/BTC-USD/1m"
    assert find(stored / below, [], "1m") == [Found(folder, "kraken", "BTC-USD", 60_000)]
    assert find(stored / below, ["btc/usd"], "1m") == find(stored / below, [], "1m")
    assert [path.name for path in partitions(folder)] == ["2024-01.parquet", "2024-02.parquet"]


def test_one_partition_is_named_by_the_folders_above_it(stored: Path) -> None:
    file = stored / "kraken/BTC-USD/1m/2024-02.parquet"
    assert find(file, [], "1m") == [Found(file, "kraken", "BTC-USD", 60_000)]


@pytest.mark.parametrize(
    ("below", "symbols", "timeframe", "error", "words"),
    [
        ("", [], "4h", NotFound, "It has 1m, 1h."),
        ("", [], "5m", NotFound, "It has 1m, 1h."),
        ("kraken/BTC-USD/1m", [], "1h", NotFound, "It has 1m."),
        ("kraken/BTC-USD/1m", ["ETH-USD"], "1m", UsageError, "the folder of BTC-USD"),
        ("kraken/BTC-USD/5m", [], "5m", NotFound, "no files of candles"),
    ],
)
def test_what_a_store_does_not_hold_is_refused(
    stored: Path,
    below: str,
    symbols: list[str],
    timeframe: str,
    error: type[RRRError],
    words: str,
) -> None:
    refuses(stored / below, symbols, timeframe, error, words)


def test_a_file_and_a_folder_of_one_timeframe_are_never_chosen_between(stored: Path) -> None:
    (stored / "kraken/BTC-USD/1m.parquet").touch()
    with pytest.raises(UsageError, match=r"several files of 1m candles: 1m, 1m\.parquet"):
        find(stored, [], "1m")


def refuses(
    root: Path, symbols: list[str], timeframe: str, error: type[RRRError], words: str
) -> None:
    with pytest.raises(error) as caught:
        find(root, symbols, timeframe)
    assert words in str(caught.value)
