import gzip
import io
import zipfile
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as arrow
import pytest
from pyarrow import feather, parquet

from rrr.core.errors import DataError, NotFound, RRRError, UsageError
from rrr.data_pipeline.importing import Said, imported, understood
from rrr.data_pipeline.store_series import sound
from tests.data_pipeline.foreign import at, iso, plain, text, written

HEADER = "timestamp,open,high,low,close,volume"
MINE = Said("kraken", "BTC-USD", stamps="open")
GOOD = list(map(plain, range(8)))


def stamped(minute: int, *values: object) -> tuple[object, ...]:
    return at(minute), *values


ROWS = [
    (stamped(8, 100, 99, 98, 99, 1), "line 10: high 99 is below open 100"),
    (stamped(8, 100, 101, 100.5, 101, 1), "line 10: open 100 is below low 100.5"),
    (stamped(8, 100, 101, 99, 102, 1), "line 10: high 101 is below close 102"),
    (stamped(8, 100, 101, 99, 98, 1), "line 10: close 98 is below low 99"),
    (stamped(8, 100, 101, 0, 100, 1), "line 10: low is 0, which no market has"),
    (stamped(8, -100, 101, 99, 100, 1), "line 10: open is -100, which no market has"),
    (stamped(8, 100, "inf", 99, 100, 1), "line 10: high is inf, which is no number"),
    (stamped(8, 100, 101, "nan", 100, 1), "line 10: low is nan, which is no number"),
    (stamped(8, 100, 1e300, 99, 100, 1), "line 10: high is 1e+300, which no book can count"),
    (stamped(8, 100, 101, 99, 100, 2**63), "line 10: volume is 9.22337203685478e+18, which no"),
    (stamped(8, 100, 101, 99, 100, -1), "line 10: volume is -1, which no market has"),
    (stamped(8, 100, 101, 99, 100, ""), "line 10: volume is nan, which is no number"),
    (stamped(8, 100, "1o1", 99, 100, 1), "line 10, column 'high': '1o1' is no number"),
    (stamped(8, 100, "1_01", 99, 100, 1), "line 10, column 'high': '1_01' is no number"),
    (stamped(8, 100, 101, 99, 100), "line 10: it has 5 cells, not 6 as it should"),
    (stamped(8, 100, 101, 99, 100, 1, 2), "line 10: it has 7 cells, not 6 as it should"),
    (stamped(8, '"100', 101, 99, 100, 1), "line 10: unexpected end of data"),
    (("yesterday", 100, 101, 99, 100, 1), "line 10, column 'timestamp': 'yesterday' is no time"),
    ((at(8) + 0.5, 100, 101, 99, 100, 1), "line 10, column 'timestamp'"),
    ((at(8) // 1000, 100, 101, 99, 100, 1), "line 10: the time 1704067680 is in seconds"),
    (("9" * 40, 100, 101, 99, 100, 1), "line 10, column 'timestamp'"),
    ((at(8) + 7_000, 100, 101, 99, 100, 1), "line 10: 2024-01-01 00:08 UTC is off the grid of 1m"),
    (stamped(3, 100, 101, 99, 100, 1), "line 10: it contradicts line 5 of the same 2024-01-01"),
]


@pytest.mark.parametrize(("row", "words"), ROWS)
def test_a_wrong_row_is_refused_by_its_line(
    tmp_path: Path, row: tuple[object, ...], words: str
) -> None:
    path = written(tmp_path / "mine.csv", text([*GOOD, row], HEADER))
    with pytest.raises(DataError) as caught:
        understood(path, MINE)
    assert f"{path}, {words}" in str(caught.value)


@pytest.mark.parametrize("good", [8, 9000], ids=["short", "long enough for Arrow"])
def test_the_first_wrong_row_is_named_whichever_way_it_is_wrong(tmp_path: Path, good: int) -> None:
    rows = [plain(minute) for minute in range(good)]
    rows[5] = stamped(5, 100, 101, 99, 100, -1)
    rows[6] = stamped(6, 0, 101, 99, 100, 1)
    path = written(tmp_path / "mine.csv", text(rows, HEADER))
    with pytest.raises(DataError, match="line 7: volume is -1"):
        understood(path, MINE)


def zipped(*names: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in names:
            archive.writestr(name, text(GOOD, HEADER))
    return sink.getvalue()


FILES = [
    ("a.csv", b"", DataError, "is empty"),
    ("a.csv", b"  \n \n", DataError, "is empty"),
    ("a.csv", b"hello\n", DataError, "has no header with open, high, low and close; line 1 reads"),
    ("a.csv", HEADER.encode(), DataError, "holds no candle, only a header"),
    ("a.csv", b"ts,open,high,low,close\n1,1,1,1,1\n", DataError, "has no column volume"),
    ("a.csv", b"open,high,low,close,volume\n1,1,1,1,1\n", DataError, "has no column time"),
    ("a.csv", f"{HEADER},volume\n".encode(), DataError, "has the column volume twice"),
    ("a.csv", b"\xff\xfea", DataError, "is no text"),
    ("a.csv", b"\x80\x81\x82", DataError, "is no text"),
    ("a.csv", b"a\0b", DataError, "is no text: it holds zeros"),
    ("a.csv.gz", gzip.compress(b"x" * 999)[:-9], DataError, "is no whole gzip file"),
    ("a.zip", zipped("a.csv")[:-30], DataError, "is no whole zip file"),
    ("a.zip", zipped("a.csv", "b.csv"), UsageError, "holds 2 files: a.csv, b.csv"),
    ("a.zip", zipped("readme.txt"), UsageError, "holds no file of candles"),
    ("a.parquet", b"PAR1" + b"x" * 99, DataError, "is no whole parquet file"),
    ("a.feather", b"ARROW1" + b"x" * 99, DataError, "is no whole feather file"),
    ("a.db", b"SQLite format 3\0" + b"\0" * 99, DataError, "is no text"),
]


@pytest.mark.parametrize(("name", "content", "kind", "words"), FILES)
def test_a_wrong_file_is_refused_in_clear_words(
    tmp_path: Path, name: str, content: bytes, kind: type[RRRError], words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(kind) as caught:
        understood(path, MINE)
    assert words in str(caught.value)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        understood(tmp_path / "mine.csv")
    with pytest.raises(UsageError, match="is a folder"):
        understood(tmp_path)


def test_a_zip_may_hold_what_is_no_candles_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "mine.zip"
    path.write_bytes(zipped("folder/", "folder/a.csv", "a.csv.CHECKSUM", "__MACOSX/a.csv"))
    assert understood(path, MINE).rows == len(GOOD)


def test_a_wrong_row_of_parquet_is_named_by_its_number(tmp_path: Path) -> None:
    columns = np.array([row[1:] for row in GOOD], np.float64).T
    columns[1, 4] = 1.0
    names = HEADER.split(",")[1:]
    table = arrow.table({"ts": [at(m) for m in range(8)], **dict(zip(names, columns, strict=True))})
    parquet.write_table(table, tmp_path / "mine.parquet")
    feather.write_feather(table, tmp_path / "mine.feather")
    for ending in ("parquet", "feather"):
        with pytest.raises(DataError, match="row 5: high 1 is below low"):
            understood(tmp_path / f"mine.{ending}", MINE)


def test_the_volume_of_the_quote_is_never_taken_for_that_of_the_base(tmp_path: Path) -> None:
    header = HEADER.replace("volume", "Volume USD")
    path = written(tmp_path / "mine.csv", text(GOOD, header))
    with pytest.raises(DataError, match="none of them clearly the volume in BTC"):
        understood(path, MINE)


def test_local_days_are_off_the_grid(tmp_path: Path) -> None:
    rows = [(iso(at(1440 * day + 480)), *plain(day)[1:]) for day in range(5)]
    with pytest.raises(DataError, match="08:00 UTC is off the grid of 1d candles"):
        understood(written(tmp_path / "mine.csv", text(rows, HEADER)), MINE)


def test_a_timeframe_that_is_none_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", text(GOOD, HEADER))
    with pytest.raises(UsageError, match="'7m' is no timeframe"):
        understood(path, Said(timeframe="7m"))


def test_a_damaged_file_is_refused_or_holds_sound_candles(tmp_path: Path) -> None:
    random = Random(5)
    table = arrow.table(
        {name: [plain(m)[i] for m in range(8)] for i, name in enumerate(HEADER.split(","))}
    )
    for ending, write in (("parquet", parquet.write_table), ("feather", feather.write_feather)):
        write(table, tmp_path / f"mine.{ending}")
    for name in ("mine.csv", "mine.csv.gz", "mine.zip"):
        written(tmp_path / name, text(GOOD, HEADER))
    pieces = [b"nan", b"-1", b"1e308", b",", b"\n", b'"', b"\0", b"9" * 30, b"_", b"\xff", b""]
    refused = 0
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        for _ in range(150):
            at_byte = random.randrange(len(content))
            damage = random.choice([*pieces, bytes([random.randrange(256)])])
            rest = content[at_byte + random.choice((0, 1, 9)) :]
            path.write_bytes(content[:at_byte] + damage + rest)
            try:
                sound(imported(path, understood(path, MINE)))
            except RRRError:
                refused += 1
    assert refused > 500
