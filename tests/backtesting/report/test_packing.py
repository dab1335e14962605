"""What is packed is unpacked as it was: by a slow twin here, and by the page's own script."""

import base64
import json
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.backtesting.report import packing
from rrr.backtesting.report.charts import packed_candles
from rrr.backtesting.report.model import Traded
from rrr.backtesting.report.packing import LIMIT, on_grid, pack, rising, unit_of
from tests.backtesting.report.made import HOUR, START, walk

SOURCE = Path(packing.__file__).with_name("decode.js")
WHOLE = st.integers(1 - LIMIT, LIMIT - 1)


def unpacked(text: str) -> list[int]:
    numbers, value, bits = [], 0, 0
    for byte in base64.b64decode(text):
        value |= (byte & 127) << bits
        bits += 7
        if byte < 128:
            numbers.append(value >> 1 if value % 2 == 0 else -(value >> 1) - 1)
            value = bits = 0
    return numbers


def times(text: str, begins: int, step: int) -> list[int]:
    found, place = [], 0
    runs = unpacked(text)
    for gap, length in zip(runs[::2], runs[1::2], strict=True):
        place += gap
        found += [begins + (place + each) * step for each in range(length)]
    return found


@given(st.lists(WHOLE))
def test_whole_numbers_arrive_as_they_left(numbers: list[int]) -> None:
    assert unpacked(pack(np.array(numbers, np.int64))) == numbers


@given(st.lists(st.integers(-(1 << 49), 1 << 49)))
def test_differences_add_up_to_what_they_were_taken_of(numbers: list[int]) -> None:
    assert np.cumsum(unpacked(rising(np.array(numbers, np.int64)))).tolist() == numbers


@given(st.sets(st.integers(0, 200)))
def test_times_keep_their_holes(places: set[int]) -> None:
    at_ms = START + np.array(sorted(places), np.int64) * HOUR
    begins = int(at_ms[0]) if places else 0
    assert times(on_grid(at_ms, HOUR), begins, HOUR) == at_ms.tolist()


@given(st.lists(st.integers(0, 1 << 40)), st.integers(1, 10**6), st.integers(0, 8))
def test_a_unit_divides_all_and_changes_no_value(
    numbers: list[int], by: int, decimals: int
) -> None:
    column = np.array(numbers, np.int64) * by
    unit = unit_of([column], decimals)
    assert not (column % unit["divide"]).any()
    column_sent = (column // unit["divide"]).tolist()
    sent = [Decimal(n) * unit["unit"] / 10 ** unit["decimals"] for n in column_sent]
    assert sent == [Decimal(int(n)) / 10**decimals for n in column]


def test_a_number_that_would_not_arrive_whole_is_no_number_of_a_page() -> None:
    with pytest.raises(AssertionError, match="Too large"):
        pack(np.array([LIMIT]))


def test_the_script_of_the_page_reads_every_candle_to_the_last_decimal() -> None:
    node = shutil.which("node") or pytest.skip("There is no node to run the script of the page.")
    holes = np.flatnonzero(np.arange(500) % 7)
    whole = walk("A", 500)
    thin = Traded(
        *("B", 8, 8, whole.opened_at_ms[holes]),
        *(getattr(whole, name)[holes] * 12_345 for name in ("open", "high", "low", "close")),
    )
    high = walk("C", 3, high=np.full(3, 1 << 50))
    given = [whole, thin, high, walk("D", 0)]
    sent = [packed_candles(one, HOUR) for one in given]
    script = f"""{SOURCE.read_text(encoding="utf-8")}
        const words = (one) => {{
          const rows = candles(one), price = (n) => exact(n, one.decimals, one.unit);
          const columns = ["open", "high", "low", "close"].map((name) => [...rows[name]]);
          return [[...rows.at], ...columns.map((column) => column.map(price))];
        }};
        console.log(JSON.stringify({json.dumps(sent)}.map(words)))"""
    answer = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)

    for one, (at, *columns) in zip(given, json.loads(answer.stdout), strict=True):
        assert at == one.opened_at_ms.tolist()
        decimals = unit_of([one.open, one.high, one.low, one.close], one.price_decimals)["decimals"]
        for name, column in zip(("open", "high", "low", "close"), columns, strict=True):
            prices = [Decimal(n).scaleb(-one.price_decimals) for n in getattr(one, name).tolist()]
            assert column == [f"{price:,.{decimals}f}".replace("-", "−") for price in prices], name
