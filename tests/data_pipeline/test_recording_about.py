"""How an exchange was asked is checked value by value: a file can be edited."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from rrr.core.errors import DataError
from rrr.data_pipeline.exchange import Manner, exchange
from rrr.data_pipeline.recording import Recorder
from rrr.data_pipeline.recording_about import About, about_of
from rrr.data_pipeline.recording_replay import replayed
from tests.data_pipeline.exchanges import NOON_MS, START_MS, SYMBOLS, Teller
from tests.data_pipeline.loopback import Loopback, Time

RIGHT: dict[str, Any] = {
    "exchange": "kraken",
    "symbols": ["BTC-USD"],
    "timeframe": "1m",
    "candles": None,
    "past": 3,
    "address": None,
    "sockets": True,
    "timeout_ms": 10_000,
    "seed": 7,
}
WRONG: dict[str, tuple[Any, ...]] = {
    "exchange": (None, 7, ["kraken"]),
    "symbols": (None, "BTC-USD", [7], {}),
    "timeframe": (None, 60_000, "7m", ["1m"]),
    "candles": ("9", 0, -1, 1.5, True),
    "past": (None, "3", -1, 10**12),
    "address": (7, ["http://here"]),
    "sockets": (None, 1, "yes"),
    "timeout_ms": (None, 0, "10", 10**12),
    "seed": (None, "7", -1, [7]),
    "depth_levels": (None, "5", -1, 26),
}


def test_what_was_said_is_understood() -> None:
    about = about_of(json.dumps(RIGHT | {"symbols": ["BTC-USD", "ETH-USD"]}), Path("here"))
    assert about == About(**RIGHT | {"symbols": ("BTC-USD", "ETH-USD")})
    assert about.depth_levels == 0, "Older recordings say nothing of it."
    assert about_of(json.dumps(RIGHT | {"depth_levels": 5, "new": 1}), Path()).depth_levels == 5


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, each in WRONG.items() for v in each])
def test_what_nobody_can_have_asked_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(DataError) as caught:
        about_of(json.dumps(RIGHT | {name: value}), Path("here"))
    says = f"here, line 1, is no line of a recording: {name} is {value!r}."
    assert caught.value.what == says


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(DataError, match=f"line 1, .*: it says no {name}"):
        about_of(json.dumps({key: value for key, value in RIGHT.items() if key != name}), Path())


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "7", "null", "[" * 100_000])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"line 1, .*: about is"):
        about_of(text, Path("here"))


async def test_a_replay_of_what_was_edited_names_file_and_line(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, RIGHT | {"candles": "many"}, Time(NOON_MS), Teller(), NOON_MS)
    recorder.begin()
    recorder.close()
    with pytest.raises(DataError, match=r"000001\.jsonl\.gz, line 1, .*: candles is 'many'"):
        async with replayed(tmp_path, Teller()):
            raise AssertionError("It must not open.")


async def test_a_line_that_was_edited_ends_a_replay_with_its_place(tmp_path: Path) -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with exchange(
            "kraken",
            SYMBOLS,
            "1m",
            candles=3,
            past=0,
            address=server.address,
            clock_ms=clock,
            told=Teller(),
            manner=Manner(clock.wait, rate_limited=False, monotonic_ms=clock),
            record=tmp_path,
        ) as market:
            live = [arrival.close async for arrival in market.arrivals(0)]
    [file] = tmp_path.iterdir()
    async with replayed(file, Teller()) as market:
        assert [arrival.close async for arrival in market.arrivals(0)] == live
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    said = json.loads(lines[-1])
    lines[-1] = json.dumps(said | {"at_ms": str(said["at_ms"])}).encode() + b"\n"
    file.write_bytes(gzip.compress(b"".join(lines)))
    with pytest.raises(DataError, match=rf"line {len(lines)}, .*: at_ms is '{said['at_ms']}'"):
        async with replayed(file, Teller()) as market:
            assert len([arrival async for arrival in market.arrivals(0)]) < 3
