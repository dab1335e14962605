"""The quick reader and the slow one are one reader: the same numbers, or the same refusal."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.core.errors import DataError
from rrr.data_pipeline import recorded_csv, recorded_quick
from rrr.data_pipeline.recorded_csv import read_csv

HEADER: Final = "ts,open,high,low,close,volume\n"
FIRST_MS: Final = 1_704_067_200_000
LINES: Final = [f"{FIRST_MS + n * 60_000},1{n}.5,1{n}.75,1{n}.25,1{n},0.{n}" for n in range(6)]
TEXT: Final = HEADER + "\n".join(LINES) + "\n"

Change = Callable[[str], str]


def dated(write: str) -> str:
    moments = [f"2024-01-01{write.format(n)}" for n in range(6)]
    rows = [
        ",".join([moment, *line.split(",")[1:]])
        for moment, line in zip(moments, LINES, strict=True)
    ]
    return HEADER + "\n".join(rows) + "\n"


PLAIN: Final = {
    "as it is": TEXT,
    "no last line end": TEXT.rstrip("\n"),
    "CRLF": TEXT.replace("\n", "\r\n"),
    "semicolons": TEXT.replace(",", ";"),
    "tabs": TEXT.replace(",", "\t"),
    "seconds": TEXT.replace("000,", ","),
    "a banner": "from a friend\n" + TEXT,
    "exponents": TEXT.replace("10.5", "1.05e1"),
    "spaces": TEXT.replace(",1", ", 1"),
    "a column of text": TEXT.replace("\n", ",said\n").replace("volume,said", "volume,note"),
    "other names": TEXT.replace("ts,", "unix,").replace("volume", "Volume BTC"),
    "digits to the last": TEXT.replace("10.5", "10.500000000000000888178419700125232338905"),
    "moments": dated(" 00:0{}:00"),
    "moments with T and zone": dated("T00:0{}:00Z"),
    "moments elsewhere": dated("T05:3{}:00+05:30"),
    "parts of seconds": dated("T00:0{}:00.000"),
}

# What Arrow would take, or stumble over: the slow reader has the word.
ODD: Final = {
    "hexadecimal": TEXT.replace(f"{FIRST_MS},", f"{FIRST_MS:#x},"),
    "quotes": TEXT.replace("10.5,", '"10.5",'),
    "a blank line": TEXT.replace("\n", "\n\n"),
    "a lone CR": TEXT.replace("0.2\n", "0.2\r"),
    "a separator of thousands": TEXT.replace("10.5", "1_0.5"),
    "digits of elsewhere": TEXT.replace("10.5", "１０.5"),
    "a cell too many": TEXT.replace("0.2\n", "0.2,7\n"),
    "a cell too few": TEXT.replace(",0.2\n", "\n"),
    "an empty cell": TEXT.replace("10.5,", ","),
    "no number": TEXT.replace("10.5,", "none,"),
    "nan": TEXT.replace("10.5,", "nan,"),
    "a stamp with a point": TEXT.replace(f"{FIRST_MS},", f"{FIRST_MS}.0,"),
    "a stamp beyond 64 bits": TEXT.replace(f"{FIRST_MS},", f"{'9' * 30},"),
    "a date among numbers": TEXT.replace(f"{FIRST_MS},", "2024-01-01,"),
    "a zone among dates": dated(" 00:0{}:00").replace("00:03:00", "00:03:00Z"),
    "millionths of seconds": dated("T00:0{}:00.000001"),
    "only a header": HEADER,
    "nothing": "",
}


def outcome(content: bytes, begins_at: int) -> object:
    """All that a reader says of a file, read quickly from so many bytes on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded_quick, "BEGINS_AT", begins_at)
        try:
            rows = read_csv(Path("candles.csv"), content, "BTC-USD")
        except DataError as error:
            return str(error)
    values = {name: value.tolist() for name, value in rows.values.items()}
    return rows.places.tolist(), rows.opened_at_ms.tolist(), repr(values), rows.notes


def slowly(content: bytes) -> object:
    return outcome(content, len(content) + 1)


def quickly(content: bytes) -> object:
    return outcome(content, 0)


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_plain_is_read_quickly_and_the_same(
    text: str, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = gzip.compress(text.encode()) if packed else text.encode()
    said = slowly(content)
    assert not isinstance(said, str)
    monkeypatch.delattr(recorded_csv, "_read_slowly")
    assert quickly(content) == said


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_what_is_odd_is_left_to_the_reader_that_explains(text: str) -> None:
    assert quickly(text.encode()) == slowly(text.encode())


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-16"),
        TEXT.encode("utf-8-sig"),
        PLAIN["a column of text"].encode().removesuffix(b"d\n") + b"d" * 20_000 + b"\xff\n",
        gzip.compress(TEXT.encode())[:-9],
        gzip.compress(TEXT.encode()) + b"more",
    ],
    ids=["UTF-16", "a mark", "no text", "half a gzip", "more than a gzip"],
)
def test_what_is_no_plain_text_is_left_to_it_too(content: bytes) -> None:
    assert quickly(content) == slowly(content)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(PLAIN)),
    st.integers(0, 400),
    st.integers(0, 3),
    st.sampled_from(
        ["", ",", "\n", "\r", '"', "0x", "_", " ", "-", "+", ".", "e9", "9", "nan", "Z", "\0", "é"]
    ),
)
def test_whatever_is_wrong_both_readers_say_the_same(
    name: str, place: int, cut: int, put: str
) -> None:
    text = PLAIN[name]
    begin = place % len(text)
    content = (text[:begin] + put + text[begin + cut :]).encode()
    assert quickly(content) == slowly(content)


def test_a_small_file_does_not_wait_for_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(recorded_quick, "_table")
    assert len(TEXT) < recorded_quick.BEGINS_AT
    assert not isinstance(outcome(TEXT.encode(), recorded_quick.BEGINS_AT), str)
