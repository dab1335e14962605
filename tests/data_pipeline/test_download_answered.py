from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.core.errors import DataError, StorageFailed
from rrr.data_pipeline.download_answered import (
    FILE,
    Stretch,
    answered,
    remember,
    united,
    without,
)

some = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8)


def points(stretches: list[Stretch]) -> set[int]:
    return {at for begin, end in stretches for at in range(begin, end)}


@given(some, some)
def test_stretches_are_the_sets_of_their_points(one: list[Stretch], other: list[Stretch]) -> None:
    assert points(united(one)) == points(one)
    assert points(without(one, other)) == points(one) - points(other)
    for apart in (united(one), without(one, other)):
        assert all(begin < end for begin, end in apart)
        assert all(a[1] <= b[0] for a, b in pairwise(apart))


def test_what_was_answered_is_remembered(tmp_path: Path) -> None:
    folder = tmp_path / "kraken" / "BTC-USD" / "1m"
    assert answered(folder) == []
    remember(tmp_path, folder, [(0, 3)])
    remember(tmp_path, folder, [(9, 12), (3, 5)])
    assert answered(folder) == [(0, 5), (9, 12)]
    remember(tmp_path, folder, [(12, 14)], [(1, 2), (13, 14)])
    assert answered(folder) == [(0, 1), (2, 5), (9, 13)]
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_two_downloads_of_one_series_forget_nothing_of_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "kraken" / "BTC-USD" / "1m"
    apart = [(at, at + 1) for at in range(0, 400, 2)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: remember(tmp_path, folder, [one]), apart))
    assert answered(folder) == apart


@pytest.mark.parametrize("content", ["", "{}", "[[1]]", '[["a", 2]]', "\0"])
def test_a_damaged_file_is_named_and_may_be_removed(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(DataError, match=r"silent\.json is damaged.*Remove it"):
        answered(tmp_path)


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / f".{FILE}.tmp").mkdir()
    with pytest.raises(StorageFailed, match="cannot be written"):
        remember(tmp_path, tmp_path, [(0, 1)])
    assert answered(tmp_path) == []
