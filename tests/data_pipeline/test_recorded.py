import gzip
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet
import pytest

from rrr.core.errors import DataError, NotFound
from rrr.data_pipeline.recorded import Found, Recorded, find, read, timeframe_ms, usual_step_ms
from rrr.data_pipeline.store import Store
from tests.data_pipeline.store_builders import series

HOUR_MS = timeframe_ms("1h")
FIRST_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC
HEADER = "ts,open,high,low,close,volume"
SHARED = Path(__file__).parents[2].parent / "shared" / "data"
with_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared market data is not here")


def line(hour: int, prices: str = "100,102,99,101", volume: str = "5") -> str:
    return f"{FIRST_MS + hour * HOUR_MS},{prices},{volume}"


def written(
    folder: Path, lines: Sequence[str], header: str = HEADER, timeframe: str = "1h"
) -> Found:
    file = folder / "candles.csv"
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return find(file, ["BTC-USD"], timeframe)[0]


def stored(folder: Path, columns: dict[str, object]) -> Found:
    file = folder / "candles.parquet"
    pyarrow.parquet.write_table(arrow.table(columns), file)
    return find(file, ["BTC-USD"], "1h")[0]


def hours(recorded: Recorded) -> list[int]:
    return [int(at - FIRST_MS) // HOUR_MS for at in recorded.opened_at_ms]


def test_candles_come_out_as_they_were_written(tmp_path: Path) -> None:
    found = written(tmp_path, [line(0), line(1, "101,103.5,100,102.25", "0")])
    recorded = read(found)
    assert recorded.opened_at_ms.tolist() == [FIRST_MS, FIRST_MS + HOUR_MS]
    assert recorded.high.tolist() == [102.0, 103.5]
    assert recorded.close.tolist() == [101.0, 102.25]
    assert recorded.volume.tolist() == [5.0, 0.0]
    assert recorded.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()
    assert recorded.notes == ()


def test_parquet_and_csv_say_the_same(tmp_path: Path) -> None:
    ticks = {"ts": [FIRST_MS, FIRST_MS + HOUR_MS], "open": [100, 100], "high": [102.0, 102.0]}
    rest = {"low": [99.0, 99.0], "close": [101.0, 101.0], "volume": [5.0, 5.0]}
    from_parquet = read(stored(tmp_path, {**ticks, **rest}))
    from_csv = read(written(tmp_path, [line(0), line(1)]))
    for name in ("opened_at_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(from_parquet, name), getattr(from_csv, name)), name


def test_one_candle_is_enough(tmp_path: Path) -> None:
    assert hours(read(written(tmp_path, [line(7)]))) == [7]


def test_nobody_changes_a_recorded_candle(tmp_path: Path) -> None:
    recorded = read(written(tmp_path, [line(0)]))
    with pytest.raises(ValueError, match="read-only"):
        recorded.close[0] = 1.0


def test_newest_first_is_read_backwards_and_said(tmp_path: Path) -> None:
    recorded = read(written(tmp_path, [line(2), line(1), line(0)]))
    assert hours(recorded) == [0, 1, 2]
    assert recorded.notes == ("newest first: read backwards",)


def test_gaps_stay_gaps_and_are_told(tmp_path: Path) -> None:
    recorded = read(written(tmp_path, [line(hour) for hour in (0, 1, 4, 5, 6, 8)]))
    assert hours(recorded) == [0, 1, 4, 5, 6, 8]
    assert recorded.notes == ("2 gaps, 3 candles missing, the first after 2024-01-01 01:00 UTC",)


def test_a_thin_market_is_no_other_timeframe(tmp_path: Path) -> None:
    recorded = read(written(tmp_path, [line(hour) for hour in (0, 3, 4, 8, 11, 15)]))
    assert len(recorded.open) == 6


REFUSED = [
    ([line(0), line(1, "100,99,98,99")], "line 3: high 99 is below open 100"),
    ([line(0), line(1, "100,101,100.5,101")], "line 3: open 100 is below low 100.5"),
    ([line(0), line(1, "100,101,99,98")], "line 3: close 98 is below low 99"),
    ([line(0), line(1, "100,101,99,102")], "line 3: high 101 is below close 102"),
    ([line(0, "100,102,0,101")], "line 2: low is 0, which no market has"),
    ([line(0, "nan,102,99,101")], "line 2: open is nan"),
    ([line(0, volume="inf")], "line 2: volume is inf"),
    ([line(0, volume="-1")], "line 2: volume is -1"),
    ([line(0), line(1, "100,1o2,99,101")], "line 3, column 'high': '1o2' is no number"),
    ([line(0, "100,102,99,", "5")], "line 2, column 'close': '' is no number"),
    ([line(0, "1_00,102,99,101")], "line 2, column 'open': '1_00' is no number"),
    ([line(0), "", "yesterday,1,1,1,1,1"], "line 4, column 'ts': 'yesterday' is no time"),
    ([line(0), f"{'9' * 30},1,1,1,1,1"], "line 3, column 'ts'"),
    ([line(0), line(1) + ",7"], "line 3: it has 7 cells, the header names 6"),
    ([line(0), line(1)[:-2]], "line 3: it has 5 cells, the header names 6"),
    ([line(0), '"' + line(1)], "line 3: unexpected end of data"),
    ([line(0), line(1), line(1)], "line 4: it repeats line 3, the candle of 2024-01-01 01:00 UTC"),
    (
        [line(0), line(1), line(2), line(0, volume="6")],
        "line 5: it contradicts line 2 of the same 2024-01-01 00:00 UTC: volume 5 or 6",
    ),
    ([line(0), line(2), line(1), line(3)], "line 4: 2024-01-01 01:00 UTC is out of order beside"),
    ([line(3), line(2), line(1), line(1), line(0)], "line 5: it repeats line 4"),
    ([f"{FIRST_MS}001,1,1,1,1,1"], f"line 2: the time {FIRST_MS}001 is no whole millisecond"),
    (
        [line(0), line(1), f"{FIRST_MS + 2 * HOUR_MS + 1000},1,1,1,1,1"],
        "line 4: 2024-01-01 02:00 UTC is 1 seconds off the grid of 1h",
    ),
    ([line(0), f"{FIRST_MS // 1000 + 3600},1,1,1,1,1"], "line 3: the time 1704070800 is in sec"),
    ([f"{FIRST_MS}.5,1,1,1,1,1"], f"line 2, column 'ts': '{FIRST_MS}.5' is no time"),
    (["20240101,1,1,1,1,1"], "line 2: its time reads as 1970-08-23"),
    ([line(24 * day) for day in range(5)], "looks like 1d candles"),
    ([], "holds no candle"),
]


@pytest.mark.parametrize(("lines", "words"), REFUSED)
def test_a_wrong_candle_is_refused_with_its_line(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    found = written(tmp_path, lines)
    with pytest.raises(DataError) as caught:
        read(found)
    assert words in caught.value.what
    assert str(found.path) in caught.value.what
    assert caught.value.advice


def test_a_finer_file_than_asked_names_its_own_timeframe(tmp_path: Path) -> None:
    found = written(tmp_path, [line(hour) for hour in range(9)], timeframe="1d")
    with pytest.raises(DataError, match="Ask for --timeframe 1h"):
        read(found)


def test_weeks_begin_on_mondays(tmp_path: Path) -> None:
    weeks = [line(7 * 24 * week) for week in range(3)]
    assert datetime.fromtimestamp(FIRST_MS / 1000, UTC).strftime("%A") == "Monday"
    assert len(read(written(tmp_path, weeks, timeframe="1w")).open) == 3
    shifted = [line(7 * 24 * week + 72) for week in range(3)]
    with pytest.raises(DataError, match="off the grid of 1w"):
        read(written(tmp_path, shifted, timeframe="1w"))


def test_a_line_beyond_the_first_chunk_keeps_its_number(tmp_path: Path) -> None:
    lines = [line(hour) for hour in range(3000)]
    lines[2500] = line(2500, "100,x,99,101")
    with pytest.raises(DataError, match="line 2502, column 'high'"):
        read(written(tmp_path, lines))


UNITS = [("seconds", "{}"), ("", "{}000"), ("microseconds", "{}000000"), ("seconds", "{}.0")]


@pytest.mark.parametrize(("unit", "shape"), [*UNITS, ("nanoseconds", "{}000000000")])
def test_the_unit_of_time_is_known_by_its_size(tmp_path: Path, unit: str, shape: str) -> None:
    stamps = [shape.format(FIRST_MS // 1000 + hour * 3600) for hour in range(3)]
    recorded = read(written(tmp_path, [f"{stamp},1,1,1,1,1" for stamp in stamps]))
    assert hours(recorded) == [0, 1, 2]
    assert recorded.notes == ((f"time in {unit}",) if unit else ())


@pytest.mark.parametrize(
    "date", ["2024-01-01", "2024-01-01 00:00:00", "2024-01-01T00:00:00Z", "2024-01-01T02:00+02:00"]
)
def test_dates_are_utc_unless_they_say_otherwise(tmp_path: Path, date: str) -> None:
    recorded = read(written(tmp_path, [f"{date},1,1,1,1,1"]))
    assert recorded.opened_at_ms.tolist() == [FIRST_MS]


@pytest.mark.parametrize("name", ["timestamp", "Date", "datetime", "time", "Open Time", "unix"])
def test_the_time_has_many_names(tmp_path: Path, name: str) -> None:
    recorded = read(written(tmp_path, [line(0)], header=HEADER.replace("ts", name)))
    assert recorded.notes == (f"time from column {name!r}",)


@pytest.mark.parametrize("base", ["Volume BTC", "volume_btc", "Volume_(BTC)", "base_volume"])
@pytest.mark.parametrize("quote", ["volume", "Volume USD"])
def test_the_volume_of_the_base_coin_is_preferred(tmp_path: Path, base: str, quote: str) -> None:
    recorded = read(written(tmp_path, [line(0) + ",9"], header=f"{HEADER[:-6]}{quote},{base}"))
    assert recorded.volume.tolist() == [9.0]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER.replace("volume", "volume eth"), "none of them clearly the volume in BTC"),
        (HEADER.replace("volume", "Volume USD"), "none of them clearly the volume in BTC"),
        (f"{HEADER},volume eth", "none of them clearly the volume in BTC"),
        (f"{HEADER},Close", "has the column close twice"),
        (HEADER.replace("volume", "cost"), "no column volume; it has ts, open"),
        (HEADER.replace("ts", "when"), "no column time"),
        (HEADER.replace("close", "last"), "no header with open, high, low and close"),
        (HEADER.replace("volume", "close"), "no column volume"),
        (line(0), "no header with open, high, low and close; line 1 reads '1704067200000,100"),
    ],
)
def test_a_column_is_never_guessed(tmp_path: Path, header: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(written(tmp_path, [line(0)], header=header))
    assert words in caught.value.what


def test_a_banner_and_windows_lines_are_understood_and_noted(tmp_path: Path) -> None:
    found = written(tmp_path, [])
    lines = ["From a site, https://example.org", HEADER, line(0), line(1, "100,99,98,99")]
    found.path.write_bytes("\r\n".join(lines).encode())
    with pytest.raises(DataError, match="line 4: high 99"):
        read(found)
    found.path.write_bytes("\r\n".join(lines[:3]).encode())
    assert read(found).notes == (
        "lines end with CRLF",
        "skipped above the header: From a site, https://example.org",
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_bytes_may_be_packed_and_wide(
    tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    found = written(tmp_path, [])
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    found.path.write_bytes(pack(mark + f"{HEADER}\n{line(0)}\n".encode(encoding)))
    assert hours(read(found)) == [0]


BROKEN = [
    (b"", "is empty"),
    (gzip.compress(f"{HEADER}\n{line(0)}\n".encode())[:-9], "is no whole gzip file"),
    (f"{HEADER}\n".encode() + b"\xff\xff\xff", "is no text"),
    (b"PAR1 and no more", "is no whole parquet file"),
]


@pytest.mark.parametrize(("content", "words"), BROKEN)
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    found = written(tmp_path, [])
    found.path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read(found)


def test_a_file_that_went_away_is_not_found(tmp_path: Path) -> None:
    found = written(tmp_path, [])
    found.path.unlink()
    with pytest.raises(NotFound, match="No such file"):
        read(found)


COLUMNS: dict[str, object] = {
    "ts": [FIRST_MS, FIRST_MS + HOUR_MS],
    **{name: [1.0, 1.0] for name in HEADER.split(",")[1:]},
}
MOMENTS = [datetime.fromtimestamp(FIRST_MS / 1000 + at, UTC) for at in (0, 3600)]


@pytest.mark.parametrize(
    "stamps",
    [
        MOMENTS,
        [moment.replace(tzinfo=None) for moment in MOMENTS],
        arrow.array(MOMENTS, arrow.timestamp("ns", "UTC")),
        [FIRST_MS // 1000, FIRST_MS // 1000 + 3600],
        [float(FIRST_MS), float(FIRST_MS + HOUR_MS)],
    ],
)
def test_parquet_stamps_may_be_moments_or_numbers(tmp_path: Path, stamps: object) -> None:
    assert hours(read(stored(tmp_path, {**COLUMNS, "ts": stamps}))) == [0, 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"high": [1.0, 0.5]}, "row 2: high 0.5 is below open 1"),
        ({"low": [1.0, None]}, "row 2, column 'low': it is empty"),
        ({"low": ["1.0", "1.0"]}, "column 'low' is string, no number"),
        ({"ts": ["2024-01-01", "2024-01-02"]}, "column 'ts' is string, no time"),
        ({"ts": [FIRST_MS + 0.5, FIRST_MS + 1.0]}, "column 'ts'"),
        ({name: [] for name in COLUMNS}, "holds no candle"),
    ],
)
def test_a_wrong_parquet_is_refused_with_its_row(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(stored(tmp_path, {**COLUMNS, **change}))
    assert words in caught.value.what


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_truncated_parquet_is_refused(tmp_path: Path, keep: float) -> None:
    found = stored(tmp_path, COLUMNS)
    content = found.path.read_bytes()
    found.path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(DataError, match="is no whole parquet file"):
        read(found)


@with_shared
def test_the_messy_file_says_what_its_clean_copy_says() -> None:
    messy = read(find(SHARED / "raw_csv/Coinbase_BTCUSD_d.csv.gz", ["BTC-USD"], "1d")[0])
    clean = read(find(SHARED / "coinbase/BTC-USD/1d.parquet", [], "1d")[0])
    for name in ("opened_at_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(messy, name), getattr(clean, name)), name
    assert "newest first: read backwards" in messy.notes


@with_shared
def test_the_wide_file_says_what_its_clean_copy_says() -> None:
    wide = SHARED / "raw_csv/bitstamp_btcusd_day_2015.csv.utf16.gz"
    clean = SHARED / "bitstamp/BTC-USD/1d-2015-basana.parquet"
    first, second = (read(find(path, ["BTC-USD"], "1d")[0]) for path in (wide, clean))
    assert np.array_equal(first.close, second.close)


@with_shared
@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "1h", "4h", "1d"])
def test_every_shared_candle_file_is_read(timeframe: str) -> None:
    for venue in sorted(SHARED.iterdir()):
        for file in sorted(venue.glob(f"*/{timeframe}*.parquet")):
            [found] = find(file, [], timeframe)
            assert len(read(found).open) > 0, file


def test_a_store_is_read_as_one_file(tmp_path: Path) -> None:
    given = series((0, 1, 50_000, 100_000))
    Store(tmp_path).append(given)
    [found] = find(tmp_path, ["BTC-USD"], "1m")
    recorded = read(found)
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(recorded, name), getattr(given, name)), name
    assert np.array_equal(recorded.opened_at_ms, given.ts)
    content = b"".join(path.read_bytes() for path in sorted(found.path.iterdir()))
    assert recorded.sha256 == hashlib.sha256(content).hexdigest()
    assert recorded.notes == (
        "2 gaps, 99997 candles missing, the first after 2024-01-01 00:01 UTC",
    )
    assert usual_step_ms(found) == 49_999 * 60_000


def test_what_a_store_did_not_record_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(series(3))
    store.append(series((3, 50_000), source=np.array([3, 3], np.int8)))
    store.append(series((4, 5), source=np.array([1, 4], np.int8)))
    notes = read(find(tmp_path, [], "1m")[0]).notes
    assert notes[:2] == (
        "holds candles that are BUILT, not recorded",
        "holds candles that are SYNTHETIC, not recorded",
    )


def test_a_wrong_candle_of_a_store_is_refused_with_its_file_and_row(tmp_path: Path) -> None:
    Store(tmp_path).append(series((0, 1, 50_000, 50_001)))
    [found] = find(tmp_path, [], "1m")
    second = found.path / "2024-02.parquet"
    table = pyarrow.parquet.read_table(second)
    for name, values, words in (
        ("high", [1.0, 1.0], "2024-02.parquet, row 1: high 1 is below"),
        (
            "ts",
            [FIRST_MS + 50_000 * 60_000, FIRST_MS + 50_001 * 60_000 + 1],
            "2024-02.parquet, row 2: .+ off the",
        ),
        ("ts", [FIRST_MS + 60_000, FIRST_MS + 120_000], "which is inside 2024-01.parquet"),
    ):
        place = table.column_names.index(name)
        broken = table.set_column(place, name, arrow.array(values))
        pyarrow.parquet.write_table(broken, second)
        with pytest.raises(DataError, match=words):
            read(found)


def test_a_store_is_another_timeframe_as_a_whole_and_not_by_a_thin_month(tmp_path: Path) -> None:
    Store(tmp_path).append(series((*range(40), 700, 1400), 3_600_000))
    Store(tmp_path).append(series((9_000, 9_024), 3_600_000))
    assert len(read(find(tmp_path, [], "1h")[0]).open) == 44
