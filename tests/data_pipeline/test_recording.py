import asyncio
import gzip
import json
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from rrr.core.errors import DataError, NotFound, StorageFailed, Unavailable
from rrr.core.market import Source
from rrr.data_pipeline.exchange import Exchange
from rrr.data_pipeline.market import Arrival
from rrr.data_pipeline.recording import Line, Recorder, recorded
from rrr.data_pipeline.recording_replay import Replayed, _Player, replayed
from tests.data_pipeline.exchanges import NOON_MS, Teller
from tests.data_pipeline.live import VENUES, during, living, numbers
from tests.data_pipeline.loopback import Time

EACH = pytest.mark.parametrize("name", VENUES)
ABOUT = {"exchange": "kraken"}
URL = "wss://ws.kraken.com/v2"
PATIENT_MS = 10**7  # an answer of a hurried venue takes minutes of its time


def recorder(folder: Path, told: Teller, *, file_mb: float = 1.0) -> Recorder:
    kept = Recorder(folder, ABOUT, Time(NOON_MS), told, NOON_MS, file_mb=file_mb)
    kept.begin()
    return kept


def said(arrivals: list[Arrival]) -> list[tuple[Any, ...]]:
    """All but by which way each candle came first: in a hurry that is a matter of milliseconds."""
    closes = [one.close for one in arrivals]
    return [(one.at_ms, list(map(numbers, one.candles)), one.missing) for one in closes]


@EACH
async def test_a_recording_is_heard_again_as_it_was_heard(name: str, tmp_path: Path) -> None:
    async with living(name, 6, past=3, record=tmp_path) as live:
        await live.listen()
    told = Teller()
    async with replayed(tmp_path, told, timeout_ms=PATIENT_MS) as market:
        again = [arrival async for arrival in market.arrivals(0)]
        assert market.name == name
        assert market.instruments == live.market.instruments
    assert len(live.arrivals) - len(again) in (0, 1)  # the last may have come in its last moment
    lived = live.arrivals[: len(again)]
    assert said(again) == said(lived)
    assert [one.past for one in again] == [one.past for one in lived]
    sources = {candle.source for one in again for candle in one.close.candles}
    assert {Source.WEBSOCKET, Source.REST} == sources
    assert any(one.touches for one in again)


async def test_an_outage_is_heard_again_and_makes_the_same_candles(tmp_path: Path) -> None:
    faults = [during("disconnect", 60, 160), during("http_500", 330, 490, "rest")]
    async with living("kraken", 10, record=tmp_path, faults=faults) as live:
        await live.listen()
    live.hold_against_the_tape()
    async with replayed(tmp_path, Teller(), timeout_ms=PATIENT_MS) as market:
        again = [arrival async for arrival in market.arrivals(0)]
    assert len(again) > 5
    for one, other in zip(again, live.arrivals, strict=False):
        assert one.close.at_ms == other.close.at_ms
        there = {candle.instrument: numbers(candle) for candle in other.close.candles}
        heard = {candle.instrument: numbers(candle) for candle in one.close.candles}
        assert heard.items() <= there.items()


async def test_a_recording_that_lacks_its_end_is_heard_up_to_there(tmp_path: Path) -> None:
    async with living("kraken", 6, record=tmp_path) as live:
        await live.listen()
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    async with replayed(tmp_path, Teller(), timeout_ms=PATIENT_MS) as market:
        again = [arrival async for arrival in market.arrivals(0)]
    assert said(again) == said(live.arrivals[: len(again)])
    assert 0 < len(again) < len(live.arrivals)


async def test_a_recording_without_an_answer_is_refused(tmp_path: Path) -> None:
    async with living("kraken", 1, record=tmp_path):
        pass
    [file] = tmp_path.iterdir()
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).splitlines(True)[0]))
    with pytest.raises(DataError, match="ends before its first candle"):
        async with replayed(tmp_path, Teller(), timeout_ms=PATIENT_MS):
            raise AssertionError("It must not open.")


async def test_a_recording_has_no_history_of_before_it_began() -> None:
    playing = asyncio.create_task(asyncio.sleep(0))
    player = _Player(NOON_MS, iter(()), PATIENT_MS)
    market = Replayed(cast(Exchange, None), Path("mine"), player, playing)
    with pytest.raises(Unavailable, match="mine holds no candles of before it began"):
        market.history(9)
    assert not player.moving.is_set(), "Nothing passes before somebody listens."
    await playing


def test_what_is_kept_is_what_was_said(tmp_path: Path) -> None:
    told = Teller()
    kept = recorder(tmp_path / "new" / "folder", told)
    kept.heard(URL, text := '{"price":0.10,"a":"\\u0000é"}\n')
    kept.answered(URL, "GET", 429, {"Retry-After": "30", "Set-Cookie": "secret"}, "<html>")
    kept.cut(URL, "1006")
    kept.close()
    assert list(recorded(tmp_path / "new" / "folder", told)) == [
        Line(NOON_MS, "about", text=json.dumps(ABOUT)),
        Line(NOON_MS, "frame", URL, text),
        Line(NOON_MS, "answer", URL, "<html>", "GET", 429, {"Retry-After": "30"}),
        Line(NOON_MS, "cut", URL, "1006"),
    ]
    assert told == []


def test_files_follow_each_other_and_none_is_written_over(tmp_path: Path) -> None:
    def some(kept: Recorder, begin: int) -> None:
        for number in range(begin, begin + 400):
            kept.heard(URL, f"{number} {random.Random(number).randbytes(2_000).hex()}")
        kept.close()

    some(recorder(tmp_path, Teller(), file_mb=0.2), 0)
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    sizes = [file.stat().st_size for file in files]
    assert max(sizes) < 2 * 200_000
    some(recorder(tmp_path, Teller(), file_mb=0.2), 400)
    assert [file.stat().st_size for file in files] == sizes
    heard = [
        int(line.text.split()[0]) for line in recorded(tmp_path, Teller()) if line.kind == "frame"
    ]
    assert heard == list(range(800))
    assert all(a.name < b.name for a, b in pairwise(files))


def test_a_disk_that_fails_costs_the_recording_and_nothing_else(tmp_path: Path) -> None:
    told = Teller()
    kept = recorder(tmp_path, told)
    kept.trouble = OSError(28, "No space left on device")
    for _ in range(3):
        kept.heard(URL, "lost")
    kept.close()
    assert kept.dropped == 3
    assert told.names() == ["recording_lacks"]
    assert "No space left on device" in told[0][1]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="cannot be written"):
        recorder(tmp_path / "file" / "folder", Teller())


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no recording"):
        list(recorded(tmp_path, Teller()))
    (file := tmp_path / "1.jsonl.gz").write_bytes(b"text")
    with pytest.raises(DataError, match="is no recording"):
        list(recorded(file, Teller()))


def test_nothing_is_written_before_it_is_begun_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    kept = Recorder(folder, ABOUT, Time(NOON_MS), Teller(), NOON_MS)
    kept.heard(URL, "early")
    assert not folder.exists()
    kept.begin()
    kept.close()
    assert [line.text for line in recorded(folder, Teller())] == [json.dumps(ABOUT), "early"]
    never = Recorder(tmp_path / "never", ABOUT, Time(NOON_MS), Teller(), NOON_MS)
    never.close()
    assert not (tmp_path / "never").exists()


def test_a_folder_that_lacks_its_first_files_is_gone_on_with(tmp_path: Path) -> None:
    for _ in range(3):
        recorder(tmp_path, Teller()).close()
    for name in ("000001", "000002"):
        (tmp_path / f"{name}.jsonl.gz").unlink()
    (tmp_path / "mine.jsonl.gz").write_bytes(b"")
    kept = recorder(tmp_path, told := Teller())
    kept.heard(URL, "new")
    kept.close()
    assert (kept.trouble, told) == (None, [])
    assert [line.text for line in recorded(tmp_path / "000004.jsonl.gz", told)][1:] == ["new"]


EDITED = {
    "[]": "it holds",
    "{}": "it holds",
    "?": "it is no JSON",
    "[" * 100_000: "it is no JSON",
    '{"at_ms": 1, "kind": "frame", "mine": 1}': "it holds",
    '{"at_ms": "1704110400000", "kind": "frame"}': "at_ms is '1704110400000'",
    '{"at_ms": true, "kind": "frame"}': "at_ms is True",
    '{"at_ms": 1e12, "kind": "frame"}': "at_ms is 1000000000000.0",
    '{"at_ms": -1, "kind": "frame"}': "at_ms is -1",
    '{"at_ms": 99999999999999999, "kind": "frame"}': "at_ms is 99999999999999999",
    '{"at_ms": 1, "kind": "frame", "text": {}}': "text is {}",
    '{"at_ms": 1, "kind": "answer", "status": "200"}': "status is '200'",
    '{"at_ms": 1, "kind": "answer", "headers": {"date": 1}}': "headers is {'date': 1}",
}


@pytest.mark.parametrize(("line", "why"), EDITED.items(), ids=map(str, range(len(EDITED))))
def test_a_line_that_was_edited_is_refused_with_its_place(
    tmp_path: Path, line: str, why: str
) -> None:
    (file := tmp_path / "1.jsonl.gz").write_bytes(
        gzip.compress(f'{{"at_ms": 1, "kind": "frame"}}\n{line}\n'.encode())
    )
    with pytest.raises(DataError) as caught:
        list(recorded(file, Teller()))
    assert caught.value.what.startswith(f"{file}, line 2, is no line of a recording: {why}")


def flipped(packed: bytes) -> bytes:
    """In the middle, damaged by one byte."""
    return packed[: len(packed) // 2] + b"\xff\xff" + packed[len(packed) // 2 + 2 :]


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        (lambda packed: packed[: len(packed) // 2], "ends in the middle"),
        (lambda packed: gzip.compress(gzip.decompress(packed)[:-1]), "ends in the middle"),
        (flipped, "is damaged"),
    ],
)
def test_a_file_that_lacks_its_end_is_read_up_to_there_and_told(
    tmp_path: Path, spoilt: Callable[[bytes], bytes], why: str
) -> None:
    kept = recorder(tmp_path, told := Teller())
    for number in range(400):
        kept.heard(URL, random.Random(number).randbytes(500).hex())
    kept.close()
    [file] = tmp_path.iterdir()
    whole = list(recorded(file, told))
    assert told == []
    file.write_bytes(spoilt(file.read_bytes()))
    rest = list(recorded(file, told))
    assert 1 < len(rest) < len(whole)
    assert rest == whole[: len(rest)]
    assert told.names() == ["recording_cut"]
    assert f"{file} {why}, after line {len(rest)}:" in told[0][1]
