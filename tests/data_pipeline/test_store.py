import multiprocessing
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rrr.core.errors import DataError, NotFound, UsageError
from rrr.core.market import Source
from rrr.data_pipeline.store import Appended, Decimals, Span, Store
from tests.data_pipeline.store_builders import DAY, FIRST, HOUR, MINUTE, rows, series, with_value

MARCH = 60 * 24 * 60  # minutes from January's first to March's


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "historical")


def held(store: Store, begin: int | None = None, end: int | None = None) -> list[int]:
    """The places that are held of the minutes."""
    ts = store.read("kraken", "BTC-USD", "1m", begin, end).ts
    return [int(at) for at in (ts - FIRST) // MINUTE]


def names(store: Store) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*.*"))


def test_candles_come_back_as_they_were_given(store: Store) -> None:
    given = series((0, 1, 4, 50_000))
    assert store.append(given) == Appended(4, 0, 0)
    read = store.read("kraken", "BTC-USD", "1m")
    assert rows(read) == rows(given)
    assert (read.decimals, read.origin) == (given.decimals, given.origin)
    assert read.source.dtype == np.int8


def test_decimals_come_back_to_the_last_bit(store: Store) -> None:
    close = np.array([0.1, 0.30000000000000004, 5e-324, 9.223372036854774784e18, 0.07])
    given = replace(series(5), close=close, low=close, high=close, open=close)
    store.append(given)
    assert rows(store.read("kraken", "BTC-USD", "1m")) == rows(given)


def test_minutes_lie_in_months_and_hours_in_years(store: Store) -> None:
    store.append(series((0, 31 * 24 * 60 - 1, 31 * 24 * 60)))
    store.append(series((0, 366 * 24 - 1, 366 * 24), HOUR))
    assert names(store) == [
        "kraken/BTC-USD/1h/2024.parquet",
        "kraken/BTC-USD/1h/2025.parquet",
        "kraken/BTC-USD/1m/2024-01.parquet",
        "kraken/BTC-USD/1m/2024-02.parquet",
    ]


def test_appending_a_day_rewrites_one_small_file(store: Store) -> None:
    store.append(series(MARCH))
    before = {path: path.stat().st_ino for path in store.root.rglob("*.parquet")}
    store.append(series(range(MARCH, MARCH + 1440)))
    store.append(series(range(MARCH + 1440, MARCH + 2880)))
    unchanged = [path.name for path, inode in before.items() if path.stat().st_ino == inode]
    assert sorted(unchanged) == ["2024-01.parquet", "2024-02.parquet"]
    assert held(store) == list(range(MARCH + 2880))


@pytest.mark.parametrize("value", [float(1 << 63), 1.7976931348623157e308])
@pytest.mark.parametrize("name", ["high", "volume"])
def test_what_no_book_can_count_is_refused(store: Store, name: str, value: float) -> None:
    with pytest.raises(DataError, match=f"its {name} is beyond 64 bits"):
        store.append(with_value(series(5), name, 3, value))
    assert store.names() == []


def test_a_damaged_series_hides_no_other(store: Store) -> None:
    for symbol in ("BTC-USD", "ETH-USD", "SOL-USD"):
        store.append(series(9, symbol=symbol))
    (store.root / "kraken" / "ETH-USD" / "1m" / "2024-01.parquet").write_bytes(b"PAR1")
    bitcoin, ether, solana = store.names()
    assert [store.held(name).candles for name in (bitcoin, solana)] == [9, 9]
    with pytest.raises(DataError, match="no whole partition"):
        store.held(ether)
    with pytest.raises(NotFound, match="Nearest: kraken SOL-USD 1m"):
        store.read("kraken", "SOX-USD", "1m")


def test_nothing_new_writes_nothing(store: Store) -> None:
    store.append(series(9))
    [file] = store.root.rglob("*.parquet")
    before = file.stat()
    assert store.append(series(9)) == Appended(0, 9, 0)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_comes_before_and_between_takes_its_place(store: Store) -> None:
    store.append(series((5, 9)))
    assert store.append(series((2, 5, 7, 11))) == Appended(3, 1, 0)
    assert rows(store.read("kraken", "BTC-USD", "1m")) == rows(series((2, 5, 7, 9, 11)))


CORRECTED = [("open", -0.25), ("high", 0.25), ("low", -0.25), ("close", -0.25), ("volume", 0.25)]


@pytest.mark.parametrize(("name", "by"), CORRECTED)
def test_a_correction_is_counted_and_not_taken(store: Store, name: str, by: float) -> None:
    store.append(series(9))
    better = with_value(series(9), name, 4, getattr(series(9), name)[4] + by)
    assert store.append(better) == Appended(0, 8, 1, (FIRST + 4 * MINUTE,))
    assert rows(store.read("kraken", "BTC-USD", "1m")) == rows(series(9))


def test_a_correction_is_taken_when_it_is_asked_for(store: Store) -> None:
    store.append(series(9))
    better = with_value(series(range(3, 12)), "volume", 1, 7.0)
    assert store.append(better, replace=True) == Appended(3, 5, 1, (FIRST + 4 * MINUTE,))
    assert rows(store.read("kraken", "BTC-USD", "1m")) == rows(
        with_value(series(12), "volume", 4, 7.0)
    )


def test_the_same_candle_from_elsewhere_keeps_where_it_first_came_from(store: Store) -> None:
    store.append(series(3))
    again = replace(series(3), source=np.full(3, Source.WEBSOCKET, np.int8))
    assert store.append(again) == Appended(0, 3, 0)
    assert set(store.read("kraken", "BTC-USD", "1m").source) == {Source.REST}


def test_decimals_and_origins_grow_and_say_nothing_twice(store: Store) -> None:
    store.append(series(3, decimals=Decimals(2, 8)))
    store.append(series((3, 4), decimals=Decimals(4, 1), origin=("mine.csv", "kraken rest")))
    read = store.read("kraken", "BTC-USD", "1m")
    assert read.decimals == Decimals(4, 8)
    assert read.origin == ("kraken rest", "mine.csv")


@pytest.mark.parametrize(
    ("begin", "end", "places"),
    [
        (None, None, [0, 5, 50_000, 100_000]),
        (5, None, [5, 50_000, 100_000]),
        (6, 50_000, []),
        (6, 50_001, [50_000]),
        (None, 5, [0]),
        (50_000, 100_000, [50_000]),
        (-(10**9), 10**9, [0, 5, 50_000, 100_000]),
        (7, 7, []),
        (9, 2, []),
    ],
)
def test_a_span_begins_with_its_begin_and_ends_before_its_end(
    store: Store, begin: int | None, end: int | None, places: list[int]
) -> None:
    store.append(series((0, 5, 50_000, 100_000)))
    ends = [None if at is None else FIRST + at * MINUTE for at in (begin, end)]
    assert held(store, *ends) == places


def test_nobody_changes_what_was_read(store: Store) -> None:
    store.append(series(9))
    with pytest.raises(ValueError, match="read-only"):
        store.read("kraken", "BTC-USD", "1m").close[0] = 1.0


def test_everything_held_is_listed_in_its_order(store: Store) -> None:
    store.append(series(9, DAY))
    store.append(series((0, 50_000)))
    store.append(series(3, HOUR, venue="binance", symbol="ETH-USDT"))
    found = store.series()
    assert [(one.venue, one.symbol, one.timeframe) for one in found] == [
        ("binance", "ETH-USDT", "1h"),
        ("kraken", "BTC-USD", "1m"),
        ("kraken", "BTC-USD", "1d"),
    ]
    minutes = found[1]
    assert (minutes.first_ms, minutes.last_ms) == (FIRST, FIRST + 50_000 * MINUTE)
    assert (minutes.candles, minutes.files) == (2, 2)
    assert minutes.bytes == sum(
        path.stat().st_size for path in (store.root / "kraken/BTC-USD/1m").iterdir()
    )


def test_an_empty_store_lists_nothing(store: Store) -> None:
    assert store.series() == []
    assert store.append(series(0)) == Appended(0, 0, 0)
    assert not store.root.exists()


def test_holes_are_named_with_their_length(store: Store) -> None:
    assert store.holes("kraken", "BTC-USD", "1m", FIRST, FIRST + 3 * MINUTE) == (
        Span(FIRST, FIRST + 3 * MINUTE, 3),
    )
    store.append(series((2, 3, 7)))
    inner = Span(FIRST + 4 * MINUTE, FIRST + 7 * MINUTE, 3)
    assert store.holes("kraken", "BTC-USD", "1m") == (inner,)
    assert store.holes("kraken", "BTC-USD", "1m", FIRST, FIRST + 9 * MINUTE) == (
        Span(FIRST, FIRST + 2 * MINUTE, 2),
        inner,
        Span(FIRST + 8 * MINUTE, FIRST + 9 * MINUTE, 1),
    )
    # What opens after the begin and closes after the end is a candle of the span too.
    assert store.holes("kraken", "BTC-USD", "1m", FIRST + 1, FIRST + MINUTE + 1) == (
        Span(FIRST + MINUTE, FIRST + 2 * MINUTE, 1),
    )


REFUSED = [
    (series(3, venue="../kraken"), UsageError, "no name of a venue"),
    (series(3, venue="Kraken"), UsageError, "no name of a venue"),
    (series(3, symbol="../BTC-USD"), UsageError, "is no symbol"),
    (series(3, symbol="btc/usd"), UsageError, "Write BTC-USD"),
    (series(3, 420_000), UsageError, "7 minutes is no timeframe"),
    (series((0, 2, 1)), DataError, "00:01 UTC: it does not follow the one before"),
    (series((0, 1, 1)), DataError, "does not follow"),
    (series(3, ts=FIRST + np.array([0, 1, 2]) * 59_000), DataError, "off the grid"),
    (series((0, 5 * 10**7)), DataError, "outside 2009 to 2099"),
    (series(range(-(10**7), 1 - 10**7)), DataError, "outside 2009 to 2099"),
    (with_value(series(3), "close", 1, float("nan")), DataError, "its close is no number"),
    (with_value(series(3), "high", 1, float("inf")), DataError, "its high is no number"),
    (with_value(series(3), "low", 1, 0.0), DataError, "its low is not positive"),
    (with_value(series(3), "volume", 1, -1.0), DataError, "its volume is negative"),
    (with_value(series(3), "high", 2, 41_000.0), DataError, "00:02 UTC: its high is below its low"),
    (with_value(series(3), "open", 0, 41_000.0), DataError, "its open is below its low"),
    (with_value(series(3), "close", 0, 43_000.0), DataError, "its high is below its close"),
]


@pytest.mark.parametrize(("bad", "error", "words"), REFUSED)
def test_a_doubtful_candle_is_never_kept(
    store: Store, bad: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        store.append(bad)  # type: ignore[arg-type]
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("kraken", "BTC-USDT", "1m"), "Nearest: kraken BTC-USD 1m"),
        (("krakn", "BTC-USD", "1m"), "Nearest: kraken BTC-USD 1m"),
        (("x", "QQQQ-ZZZZZ", "1d"), "`rrr data list` says"),
    ],
)
def test_what_is_not_held_is_named_with_the_nearest(
    store: Store, asked: tuple[str, str, str], words: str
) -> None:
    with pytest.raises(NotFound, match="rrr data download"):
        store.read(*asked)
    store.append(series(3))
    with pytest.raises(NotFound, match=words):
        store.read(*asked)
    with pytest.raises(NotFound, match=words):
        store.holes(*asked)


def test_writers_of_one_series_wait_for_each_other(store: Store) -> None:
    parts = [series(range(start, 400, 8)) for start in range(8)]
    spawn = multiprocessing.get_context("spawn")
    other = spawn.Process(target=_append_all, args=(store, 4))
    other.start()
    threads = [Thread(target=store.append, args=(part,)) for part in parts[:4]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.join()
    assert other.exitcode == 0
    assert held(store) == list(range(400))


def _append_all(store: Store, begin: int) -> None:
    for start in range(begin, 8):
        store.append(series(range(start, 400, 8)))


def test_the_folder_of_another_series_is_not_read(store: Store) -> None:
    store.append(series(3))
    store.append(series(3, symbol="ETH-USD"))
    here, there = (store.root / f"kraken/{name}/1m/2024-01.parquet" for name in NAMES)
    there.write_bytes(here.read_bytes())
    with pytest.raises(DataError, match="holds kraken BTC-USD 1m: it lies in another's folder"):
        store.read("kraken", "ETH-USD", "1m")


NAMES = ("BTC-USD", "ETH-USD")


def test_a_partition_under_another_name_is_refused(store: Store) -> None:
    store.append(series(3))
    [file] = store.root.rglob("*.parquet")
    file.rename(file.with_name("2024-02.parquet"))
    with pytest.raises(DataError, match="candles that are not of 2024-02"):
        store.read("kraken", "BTC-USD", "1m")
    (file.parent / "2024-02.parquet").rename(file.with_name("2024.parquet"))
    with pytest.raises(DataError, match="is no partition of 1m candles"):
        store.append(series(3))


@settings(max_examples=25, deadline=None)
@given(some.lists(some.sets(some.integers(0, 60), min_size=1), min_size=1, max_size=6))
def test_pieces_in_any_order_are_the_whole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[set[int]]
) -> None:
    store = Store(tmp_path_factory.mktemp("pieces"))
    step = DAY // 2  # two years of twelve hours lie in several partitions
    known: set[int] = set()
    for piece in pieces:
        places = sorted(place * 30 for place in piece)
        told = store.append(series(places, step))
        assert told == Appended(len(piece - known), len(piece & known), 0)
        known |= piece
    read = store.read("kraken", "BTC-USD", "12h")
    assert rows(read) == rows(series(sorted(place * 30 for place in known), step))
