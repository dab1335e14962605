import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from rrr.core.errors import DataError, StorageFailed
from rrr.data_pipeline import store_files
from rrr.data_pipeline.store import Store
from tests.data_pipeline.store_builders import FIRST, MINUTE, rows, series

ROOT = Path(__file__).parents[2]
MONTH = 31 * 24 * 60
APPENDING = """
import sys
from pathlib import Path
from rrr.data_pipeline.store import Store
from tests.data_pipeline.store_builders import series
store = Store(Path(sys.argv[1]))
for start in range(0, 10**9, 7_000):
    store.append(series(range(start, start + 7_000)))
    print(start + 7_000, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "historical")


def only(store: Store) -> Path:
    [file] = store.root.rglob("*.parquet")
    return file


def read(store: Store) -> list[tuple[float, ...]]:
    return rows(store.read("kraken", "BTC-USD", "1m"))


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_holds_half_a_file_keeps_the_old_one_whole(store: Store) -> None:
    store.append(series(2_000))
    with files_no_larger_than(only(store).stat().st_size):  # noqa: SIM117
        with pytest.raises(StorageFailed, match=r"2024-01.parquet cannot be written: .+ too large"):
            store.append(series(range(2_000, 9_000)))
    assert [path.name for path in only(store).parent.iterdir()] == ["2024-01.parquet"]
    assert read(store) == rows(series(2_000))
    store.append(series(range(2_000, 9_000)))
    assert read(store) == rows(series(9_000))


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_full_disk_says_so_and_leaves_nothing_behind(
    store: Store, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(series(5))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(os if call == "fsync" else Path, call, full)
        with pytest.raises(StorageFailed) as caught:
            store.append(series(9))
    assert "No space left on device" in caught.value.what
    assert "Free some space" in caught.value.advice
    assert [path.name for path in only(store).parent.iterdir()] == ["2024-01.parquet"]
    assert read(store) == rows(series(5))


def test_a_place_that_is_no_folder_is_a_failed_storage(store: Store) -> None:
    store.root.mkdir()
    (store.root / "kraken").touch()
    with pytest.raises(StorageFailed, match="Check the drive"):
        store.append(series(3))


def test_whoever_is_killed_leaves_whole_files(store: Store) -> None:
    for round_ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", APPENDING, str(store.root)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            told = [int(child.stdout.readline()) for _ in range(4 + round_)][-1]
            child.kill()
        held = store.read("kraken", "BTC-USD", "1m")
        assert len(held) >= told
        assert rows(held) == rows(series(len(held)))
    store.append(series(range(10**6, 10**6 + 1)))
    assert not [path for path in store.root.rglob("*") if path.name.endswith(".tmp")]


def test_what_a_killed_writer_left_is_cleared_and_never_read(store: Store) -> None:
    store.append(series(3))
    left = only(store).with_name(".2024-02.parquet.tmp")
    left.write_bytes(b"half")
    assert read(store) == rows(series(3))
    store.append(series(4))
    assert not left.exists()


def test_a_flipped_bit_is_a_refusal_and_not_a_price(store: Store) -> None:
    store.append(series(300))
    file, good = only(store), read(store)
    content = bytearray(file.read_bytes())
    refused = 0
    for place in range(0, len(content) * 8, 41):
        content[place // 8] ^= 1 << place % 8
        file.write_bytes(content)
        content[place // 8] ^= 1 << place % 8
        try:
            assert read(store) == good, f"bit {place} is a price"
        except DataError as error:
            refused += 1
            assert error.advice
    assert refused > 100


@pytest.mark.parametrize("keep", [0.0, 0.0004, 0.3, 0.9, 0.999])
def test_half_a_file_is_no_partition(store: Store, keep: float) -> None:
    store.append(series(300))
    content = only(store).read_bytes()
    only(store).write_bytes(content[: int(len(content) * keep)])
    uses: list[Callable[[Store], object]] = [
        read,
        Store.series,
        lambda each: each.append(series(3)),
    ]
    for use in uses:
        with pytest.raises(DataError, match="is no whole partition"):
            use(store)


def test_a_file_that_rrr_did_not_write_is_named(store: Store) -> None:
    store.append(series(3))
    parquet.write_table(arrow.table({"ts": [FIRST]}), only(store))
    for use in (read, Store.series):
        with pytest.raises(DataError, match="was not written by rrr"):
            use(store)


def test_a_later_schema_is_left_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(store_files, "SCHEMA", 2)
        store.append(series(3))
    with pytest.raises(DataError, match="has the schema 2, this version of rrr knows 1"):
        read(store)


def test_a_file_that_another_program_rewrote_is_not_believed(store: Store) -> None:
    store.append(series(3))
    parquet.write_table(parquet.read_table(only(store)), only(store))
    with pytest.raises(DataError, match="its footer is not as rrr wrote it"):
        read(store)


def test_other_files_in_the_folder_do_no_harm(store: Store) -> None:
    store.append(series(3))
    folder = only(store).parent
    for name in (".DS_Store", "._2024-01.parquet", "notes.txt"):
        (folder / name).write_bytes(b"macOS")
    (store.root / "kraken" / "BTC-USD" / "1h").touch()
    assert [held.candles for held in store.series()] == [3]
    assert store.append(series(4)).new == 1


def test_every_parquet_reader_reads_the_same(store: Store) -> None:
    store.append(series((0, 1, MONTH)))
    folder = store.root / "kraken/BTC-USD/1m"
    table = parquet.read_table(folder)
    assert table.column_names == ["ts", "open", "high", "low", "close", "volume", "source"]
    assert table.column("ts").to_pylist() == [FIRST, FIRST + MINUTE, FIRST + MONTH * MINUTE]
    assert table.column("close").to_pylist() == series((0, 1, MONTH)).close.tolist()
    about = json.loads(parquet.read_schema(folder / "2024-02.parquet").metadata[b"rrr"])
    assert about == {
        "schema": 1,
        "venue": "kraken",
        "symbol": "BTC-USD",
        "timeframe": "1m",
        "decimals": [2, 2],
        "origin": ["kraken rest"],
    }
