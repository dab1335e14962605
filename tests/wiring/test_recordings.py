"""A recording is traded by the real command line as what it is."""

import asyncio
import gzip
from pathlib import Path

import pytest

from rrr.data_pipeline.exchange import Manner, exchange
from tests.data_pipeline.exchanges import START_MS, Teller
from tests.data_pipeline.loopback import Loopback, Time
from tests.storm.homes import House
from tests.wiring.daemons import BASELINE, said

pytestmark = pytest.mark.slow


async def kept(folder: Path, candles: int) -> None:
    """Record Kraken's minutes."""
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with exchange(
            "kraken",
            ["BTC-USD"],
            "1m",
            candles=candles,
            past=0,
            address=server.address,
            clock_ms=clock,
            told=Teller(),
            manner=Manner(clock.wait, rate_limited=False, monotonic_ms=clock),
            record=folder,
        ) as market:
            assert [_ async for _ in market.arrivals(0)]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    asyncio.run(kept(folder := tmp_path / "recording", 5))
    return folder


def house(tmp_path: Path, recording: Path) -> House:
    return House(tmp_path / "home", ("--replay", str(recording), *BASELINE))


def test_a_session_of_a_recording_is_of_its_own_timeframe(tmp_path: Path, recording: Path) -> None:
    mine = house(tmp_path, recording)
    last = mine.run()
    assert last.code == 0, last.err
    assert ", 1m, as fast as it can: kraken:BTC-USD" in last.err
    assert mine.ask("SELECT json_extract(key, '$.timeframe') FROM sessions") == [("1m",)]


def test_a_recording_that_lacks_its_end_says_so(tmp_path: Path, recording: Path) -> None:
    [file] = recording.iterdir()
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-1]))
    last = house(tmp_path, recording).run()
    assert last.code == 0, last.err
    assert f"{file} ends in the middle, after line " in last.err


def test_a_recording_that_was_edited_is_refused_in_words(tmp_path: Path, recording: Path) -> None:
    [file] = recording.iterdir()
    text = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(text.replace(b'past\\": 0', b'past\\": {}')))
    last = house(tmp_path, recording).run()
    assert (last.code, last.told["error"]) == (65, "DataError"), last.err
    assert last.told["what"] == f"{file}, line 1, is no line of a recording: past is {{}}."
    *_, end = text.splitlines(keepends=True)
    file.write_bytes(gzip.compress(text.replace(end, b"{}\n")))
    last = house(tmp_path, recording).run()
    assert (last.code, last.told["error"]) == (65, "DataError"), last.err
    assert "Traceback" not in last.err


@pytest.mark.parametrize("words", [("--record",), ("--depth-levels", "5")])
def test_only_what_an_exchange_says_can_be_kept(tmp_path: Path, words: tuple[str, ...]) -> None:
    for market in ("simulated", "replay"):
        path = ("--replay", str(tmp_path)) if market == "replay" else ()
        last = said(tmp_path / "home", "--market", market, *path, *words)
        assert last.code == 78
        assert f"is of what an exchange says, and market is {market}." in last.err
    assert not (tmp_path / "home").exists()
