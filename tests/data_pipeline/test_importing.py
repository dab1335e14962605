import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pytest
from pyarrow import feather, parquet

from rrr.core.errors import DataError, UsageError
from rrr.core.market import Source
from rrr.data_pipeline.importing import Said, Understanding, imported, understood
from rrr.data_pipeline.store import Series, Store
from tests.data_pipeline.foreign import (
    DAY,
    FIRST_MS,
    MINUTE_MS,
    at,
    binance,
    candle,
    iso,
    kraken,
    plain,
    text,
    written,
)

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
with_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared market data is not here")
HEADER = "timestamp,open,high,low,close,volume"
MINE = Said(venue="kraken", symbol="BTC-USD")


def taken_in(path: Path, said: Said = MINE) -> Series:
    return imported(path, understood(path, said))


def is_right(series: Series, minutes: Sequence[int]) -> None:
    assert series.ts.tolist() == [at(minute) for minute in minutes]
    columns = zip(*map(candle, minutes), strict=True)
    for name, expected in zip(("open", "high", "low", "close", "volume"), columns, strict=True):
        assert getattr(series, name).tolist() == list(expected), name


def table(minutes: Sequence[int]) -> dict[str, Any]:
    columns = np.array([candle(minute) for minute in minutes]).T
    return dict(zip(("open", "high", "low", "close", "volume"), columns, strict=True))


def first_line(understanding: Understanding, name: str) -> str:
    return next(words for said, words in understanding.lines() if said == name)


def test_binances_dump_is_known_by_its_columns_and_its_name(tmp_path: Path) -> None:
    path = written(tmp_path / "BTCUSDT-1m-2024-01.zip", text(map(binance, range(90))))
    known = understood(path)
    assert (known.venue, known.symbol, known.stamps) == ("binance", "BTC-USDT", "open")
    assert (known.time_unit, known.timeframe_ms, known.rows) == ("milliseconds", MINUTE_MS, 90)
    assert first_line(known, "format") == "Binance's public data, CSV"
    assert "stamps of the opening: close_time is a step later" in known.notes
    is_right(imported(path, known), range(90))


def test_binances_microseconds_are_the_same_candles(tmp_path: Path) -> None:
    rows = [binance(minute, per_ms=1000) for minute in range(60)]
    known = understood(path := written(tmp_path / "BTCUSDT-1m-2025-01.csv", text(rows)))
    assert (known.time_unit, known.stamps) == ("microseconds", "open")
    is_right(imported(path, known), range(60))


def test_months_of_binance_that_were_joined_may_change_their_unit(tmp_path: Path) -> None:
    rows = [binance(minute, per_ms=1 if minute < 30 else 1000) for minute in range(60)]
    path = written(tmp_path / "BTCUSDT-1m-2024-12.csv", text(rows))
    is_right(taken_in(path, Said()), range(60))
    assert any("microseconds in its later part" in note for note in understood(path).notes)


def test_binances_file_with_a_header_may_be_of_either_market(tmp_path: Path) -> None:
    header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore"
    name, rows = "BTCUSDT-1m-2024-01.csv", text(map(binance, range(9)), header)
    assert understood(written(tmp_path / name, rows)).asks == (
        "Say where it was traded: --venue kraken.",
    )
    known = understood(written(tmp_path / "futures" / "um" / name, rows))
    assert (known.venue, known.symbol) == ("binanceusdm", "BTC-USDT-PERP")
    assert known.asks == ()


def test_krakens_archive_has_no_header_and_names_its_own_coins(tmp_path: Path) -> None:
    path = written(tmp_path / "XBTUSD_1.csv", text(map(kraken, [0, 1, 2, 5, 6])))
    known = understood(path)
    assert (known.venue, known.symbol, known.time_unit) == ("kraken", "BTC-USD", "seconds")
    assert known.asks == ()
    is_right(imported(path, known), [0, 1, 2, 5, 6])
    assert known.notes[-1] == "1 gap, 2 candles missing, the first after 2024-01-01 00:02 UTC"


def test_cryptodatadownload_has_a_banner_and_the_newest_first(tmp_path: Path) -> None:
    banner = "https://www.CryptoDataDownload.com\nunix,date,symbol,open,high,low,close,Volume BTC"
    rows = [
        (at(minute), iso(at(minute)), "BTC/USD", *candle(minute), 100 * candle(minute)[4])
        for minute in reversed(range(20))
    ]
    path = written(tmp_path / "Bitstamp_BTCUSD_minute.csv", text(rows, f"{banner},Volume USD"))
    known = understood(path)
    assert (known.venue, known.symbol, known.columns["volume"]) == (
        *("bitstamp", "BTC-USD"),
        "Volume BTC",
    )
    assert known.columns["time"] == "unix"
    assert {"newest first: read backwards"} <= set(known.notes)
    is_right(imported(path, known), range(20))


def test_freqtrades_feather_lies_in_the_folder_of_its_venue(tmp_path: Path) -> None:
    path = tmp_path / "user_data" / "data" / "okx" / "ETH_USDT-1m.feather"
    path.parent.mkdir(parents=True)
    stamps = arrow.array([at(minute) for minute in range(40)], arrow.timestamp("ms", "UTC"))
    feather.write_feather(arrow.table({"date": stamps, **table(range(40))}), path)
    known = understood(path)
    assert (known.format, known.venue, known.symbol) == ("freqtrade's feather", "okx", "ETH-USDT")
    assert (known.stamps, known.asks) == ("open", ())
    is_right(imported(path, known), range(40))


@pytest.mark.parametrize(
    ("unit", "per_ms"), [("milliseconds", 1), ("microseconds", 1000), ("nanoseconds", 1_000_000)]
)
def test_parquet_says_its_unit_by_its_size(tmp_path: Path, unit: str, per_ms: int) -> None:
    path = tmp_path / "mine.parquet"
    stamps = [at(minute) * per_ms for minute in range(30)]
    parquet.write_table(arrow.table({"open_time": stamps, **table(range(30))}), path)
    known = understood(path, MINE)
    assert (known.time_unit, known.format, known.stamps) == (unit, "Parquet", "open")
    is_right(imported(path, known), range(30))


WAYS = {
    "semicolons": lambda rows: text(rows, HEADER.replace(",", ";"), ";"),
    "tabs": lambda rows: text(rows, HEADER.replace(",", "\t"), "\t"),
    "upright": lambda rows: text(rows, HEADER.replace(",", "|"), "|"),
    "decimal commas": lambda rows: text(rows, HEADER.replace(",", ";"), ";").replace(".", ","),
    "quotes": lambda rows: text(([f'"{cell}"' for cell in row] for row in rows), HEADER),
    "CRLF": lambda rows: text(rows, HEADER).replace("\n", "\r\n"),
    "no header": lambda rows: text(rows),
    "blank lines": lambda rows: text(rows, HEADER).replace("\n", "\n\n"),
    "capitals": lambda rows: text(rows, "Timestamp,OPEN,<High>,Low ,Close Price,Vol"),
    "banners": lambda rows: text(rows, f"made by me\nin a hurry, on Monday\n{HEADER}"),
    "a mark": lambda rows: "\ufeff" + text(rows, HEADER),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("minutes", [60, 6000], ids=["short", "long enough for Arrow"])
def test_a_csv_may_be_written_in_many_ways(tmp_path: Path, way: str, minutes: int) -> None:
    rows = [plain(minute) for minute in range(minutes)]
    path = written(tmp_path / "mine.csv.gz", WAYS[way](rows))
    is_right(taken_in(path, Said("kraken", "BTC-USD", stamps="open")), range(minutes))


def test_utf_16_is_text_too(tmp_path: Path) -> None:
    content = text((plain(minute, iso) for minute in range(DAY)), HEADER).encode("utf-16")
    is_right(taken_in(written(tmp_path / "mine.csv", content)), range(DAY))


@pytest.mark.parametrize(
    "stamp",
    [
        lambda at_ms: at_ms // 1000,
        lambda at_ms: at_ms / 1000,
        lambda at_ms: iso(at_ms),
        lambda at_ms: iso(at_ms).replace(" ", "T") + "Z",
        lambda at_ms: iso(at_ms + 3_600_000) + "+01:00",
        lambda at_ms: iso(at_ms) + " UTC",
    ],
)
def test_one_moment_is_written_in_many_ways(tmp_path: Path, stamp: Any) -> None:
    rows = text((plain(minute, stamp) for minute in range(DAY)), HEADER)
    is_right(taken_in(written(tmp_path / "mine.csv", rows)), range(DAY))


def test_who_says_close_gets_the_candle_that_closed_then(tmp_path: Path) -> None:
    rows = text((plain(minute, lambda ms: ms + MINUTE_MS) for minute in range(30)), HEADER)
    path = written(tmp_path / "mine.csv", rows)
    known = understood(path, MINE)
    assert known.stamps is None
    assert len(known.asks) == 1
    assert "--stamps open or --stamps close" in known.asks[0]
    with pytest.raises(UsageError, match=r"leaves open what it holds\. Say whether"):
        imported(path, known)
    is_right(taken_in(path, Said("kraken", "BTC-USD", stamps="close")), range(30))


def test_what_nobody_says_is_asked_in_one_go(tmp_path: Path) -> None:
    rows = text([plain(0), plain(5), plain(7)], HEADER)
    asks = understood(written(tmp_path / "mine.csv", rows)).asks
    assert [ask.rpartition("--")[2].split()[0] for ask in asks] == ["timeframe", "symbol", "venue"]


def test_repeats_that_say_the_same_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = text(map(plain, [0, 1, 2, 2, 3, 3]), HEADER)
    path = written(tmp_path / "mine.csv", rows)
    said = Said("kraken", "BTC-USD", stamps="open")
    is_right(taken_in(path, said), range(4))
    notes = understood(path, said).notes
    assert "2 rows that repeat another left out, the first in line 5" in notes


def test_rows_out_of_order_are_sorted_and_said(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", text(map(plain, [0, 1, 3, 2, 4]), HEADER))
    said = Said("kraken", "BTC-USD", stamps="open")
    is_right(taken_in(path, said), range(5))
    assert "out of order, first in line 5: sorted" in understood(path, said).notes


def test_rows_without_prices_are_no_candles(tmp_path: Path) -> None:
    empty = [at(1), "NaN", "NaN", "NaN", "NaN", "NaN"], [at(3), "", "", "", "", ""]
    rows = [plain(0), empty[0], plain(2), empty[1], plain(4), plain(5)]
    path = written(tmp_path / "mine.csv", text(rows, HEADER))
    said = Said("kraken", "BTC-USD", "1m", "open")
    is_right(taken_in(path, said), [0, 2, 4, 5])
    notes = understood(path, said).notes
    assert "2 rows without prices left out, the first in line 3" in notes


def test_a_candle_that_was_open_when_the_file_was_written_is_none(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", text(map(plain, range(10)), HEADER))
    said = Said("kraken", "BTC-USD", stamps="open")
    for seconds, last in ((9 * 60 + 59, 8), (10 * 60, 9)):
        os.utime(path, (FIRST_MS / 1000 + seconds,) * 2)
        is_right(taken_in(path, said), range(last + 1))


def test_what_was_made_up_stays_made_up(tmp_path: Path) -> None:
    made = taken_in(written(tmp_path / "a.csv", text(map(plain, range(DAY)), HEADER)))
    assert set(made.source.tolist()) == {Source.REPLAYED}
    made.source[3] = Source.SYNTHETIC
    Store(tmp_path / "store").append(made)
    (partition,) = (tmp_path / "store").rglob("*.parquet")
    moved = partition.rename(tmp_path / "from a friend.parquet")
    again = imported(moved, understood(moved))
    assert again.source.tolist() == made.source.tolist()
    assert (again.venue, again.symbol) == ("kraken", "BTC-USD")
    is_right(again, range(DAY))


def test_the_origin_names_the_file_and_its_bytes(tmp_path: Path) -> None:
    path = written(tmp_path / "XBTUSD_1.csv", text(map(kraken, range(5))))
    name, digest = taken_in(path, Said()).origin[0].split()
    assert (name, len(digest)) == ("XBTUSD_1.csv", 16)
    written(path, text(map(kraken, range(6))))
    assert taken_in(path, Said()).origin[0].split()[1] != digest


def test_a_person_outranks_the_name_but_not_the_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "XBTUSD_5.csv", text(map(kraken, range(50))))
    with pytest.raises(DataError, match=r"looks like 1m candles, .* not 5m"):
        understood(path)
    is_right(taken_in(path, Said(symbol="ETH-USD", timeframe="1m")), range(50))


def test_a_column_of_symbols_is_believed(tmp_path: Path) -> None:
    header = f"symbol,{HEADER}"
    rows = text((("ETHUSD", *plain(minute)) for minute in range(3)), header)
    path = written(tmp_path / "mine.csv", rows)
    assert understood(path).symbol == "ETH-USD"
    with pytest.raises(UsageError, match="says that it holds ETH-USD, not BTC-USD"):
        understood(path, MINE)
    written(path, rows.replace("ETHUSD", "BTCUSD", 1))
    with pytest.raises(DataError, match="holds candles of BTCUSD, ETHUSD"):
        understood(path)


@with_shared
def test_the_messy_files_of_others_are_understood() -> None:
    coinbase = understood(SHARED / "raw_csv" / "Coinbase_BTCUSD_d.csv.gz")
    assert (coinbase.format, coinbase.venue, coinbase.symbol, coinbase.rows, coinbase.asks) == (
        *("CryptoDataDownload, CSV", "coinbase", "BTC-USD"),
        *(1769, ()),
    )
    assert any("of 2019-10-17 00:00 UTC, had not closed" in note for note in coinbase.notes)
    basana = SHARED / "raw_csv" / "bitstamp_btcusd_day_2015.csv.utf16.gz"
    said = Said("bitstamp", "BTC-USD")
    series = imported(basana, understood(basana, said))
    house = SHARED / "bitstamp" / "BTC-USD" / "1d-2015-basana.parquet"
    same = imported(house, understood(house))
    for name in ("ts", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(series, name), getattr(same, name)), name


@with_shared
@pytest.mark.parametrize(
    "name",
    [
        "binance/XRP-ETH/trades.parquet",
        "binanceusdm/XRP-USDT-PERP/funding-8h.parquet",
        "coinbase/BTC-USD/quotes-1m-lean-20180404.parquet",
        "fixtures/tardis_csv/bitmex_trades_XBTUSD.csv",
        "fixtures/symbol_properties.csv.gz",
        "MANIFEST.md",
    ],
)
def test_what_is_no_candles_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"has no (column|header)"):
        understood(SHARED / name)


OPEN = Said("kraken", "BTC-USD", stamps="open")
BANNER = "Created on 01-02-2024,https://www.CryptoDataDownload.com\n"


@pytest.mark.parametrize(
    ("hours", "left_out", "words"),
    [
        (range(0, 48, 24), 1, "had not closed"),
        (range(30), 1, "may not have closed"),
        (range(24), 0, ""),
        (range(80), 0, ""),  # the banner is not true
    ],
)
def test_a_candle_of_the_day_on_which_its_file_was_created_is_not_believed(
    tmp_path: Path, hours: range, left_out: int, words: str
) -> None:
    rows = text((plain(60 * hour) for hour in hours), HEADER)
    found = understood(written(tmp_path / "mine.csv", BANNER + rows), OPEN)
    assert found.rows == len(hours) - left_out
    assert sum(f"{words} when the file was written" in note for note in found.notes) == left_out


def test_a_packer_notes_when_the_file_was_written(tmp_path: Path) -> None:
    content = text(map(plain, range(9)), HEADER).encode()
    path = tmp_path / "mine.csv.gz"
    for late, rows in ((30_000, 8), (60_000, 9)):
        path.write_bytes(gzip.compress(content, mtime=(at(8) + late) // 1000))
        assert understood(path, OPEN).rows == rows
