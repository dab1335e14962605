import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from rrr.core.errors import NotFound, Unavailable, UsageError
from rrr.core.market import Source
from rrr.data_pipeline.download import (
    TRIES,
    Downloaded,
    Manners,
    Progress,
    download,
    wanted,
)
from rrr.data_pipeline.download_answered import FILE, answered
from rrr.data_pipeline.download_prints import SERVES_LAST
from rrr.data_pipeline.exchange_client import Client, Manner, connect
from rrr.data_pipeline.importing import Said, imported, understood
from rrr.data_pipeline.store import Store
from tests.data_pipeline.exchanges import NOON_MS, STEP_MS, Teller
from tests.data_pipeline.foreign import text, written
from tests.data_pipeline.loopback import COINBASE_SERVES, Loopback, Row, Time, says, walk
from tests.venue.process import loopback as venue_process

HOUR_MS = 60 * STEP_MS
NOW_MS = NOON_MS + 20_000
USUAL = Manners()
BTC_ETH = ("BTC-USD", "ETH-USD")


@asynccontextmanager
async def connected(
    server: Loopback | str, clock: Time, name: str = "coinbase", timeframe: str = "1m"
) -> AsyncIterator[Client]:
    address = server if isinstance(server, str) else server.address
    client = connect(name, timeframe, address, Manner(clock.wait, 2_000, False), Teller())
    try:
        yield client
    finally:
        await client.close()


async def brought(
    server: Loopback,
    clock: Time,
    store: Store,
    begin: int,
    end: int,
    symbols: Sequence[str] = ("BTC-USD",),
    *,
    name: str = "coinbase",
    told: Teller | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    manners: Manners = USUAL,
) -> list[Downloaded]:
    async with connected(server, clock, name) as client:
        return await download(
            client,
            await wanted(client, symbols, begin, end),
            store,
            clock_ms=clock,
            told=told if told is not None else Teller(),
            progress=progress,
            wait=clock.wait,
            manners=manners,
        )


def holds(store: Store, symbol: str, opened: Sequence[int], name: str = "coinbase") -> None:
    """The candles of the loopback that opened then, and no others."""
    series = store.read(name, symbol, "1m")
    assert series.ts.tolist() == list(opened)
    rows = [walk(symbol, at) for at in opened]
    for index, column in enumerate(("open", "high", "low", "close", "volume"), start=1):
        expected = [float(row[index]) for row in rows if row is not None]
        assert getattr(series, column).tolist() == expected, column
    assert set(series.source.tolist()) == {Source.REST}


async def test_a_history_is_the_venues_and_instruments_take_turns(tmp_path: Path) -> None:
    clock, begin, seen = Time(NOW_MS), NOON_MS - 24 * HOUR_MS, list[Progress]()
    with Loopback(clock) as server:
        found = await brought(
            server, clock, Store(tmp_path), begin, NOON_MS, BTC_ETH, progress=seen.append
        )
        asked = server.candles_asked()
    opened = range(begin, NOON_MS, STEP_MS)
    for symbol in BTC_ETH:
        holds(Store(tmp_path), symbol, opened)
    assert [each.new for each in found] == [len(opened)] * 2
    pages = -(-len(opened) // (COINBASE_SERVES - 1))
    assert len(asked) == 2 * pages
    assert [symbol in path for path in asked for symbol in BTC_ETH] == [
        True,
        False,
        False,
        True,
    ] * pages
    done = [each.done_ms for each in seen if each.symbol == "BTC-USD"]
    assert done == sorted(done)
    assert (done[-1], seen[-1].candles) == (NOON_MS, len(opened))


async def test_what_is_held_is_not_asked_for_again(tmp_path: Path) -> None:
    clock, store = Time(NOW_MS), Store(tmp_path)
    with Loopback(clock) as server:
        await brought(server, clock, store, NOON_MS - 9 * HOUR_MS, NOON_MS - 4 * HOUR_MS)
        asked = len(server.candles_asked())
        (again,) = await brought(server, clock, store, NOON_MS - 9 * HOUR_MS, NOON_MS - 4 * HOUR_MS)
        assert len(server.candles_asked()) == asked
        assert (again.new, again.same, again.held) == (0, 0, 300)
        assert again.words() == "BTC-USD: 0 new candles; 300 were held already"
        (longer,) = await brought(server, clock, store, NOON_MS - 10 * HOUR_MS, NOON_MS)
        assert (longer.new, longer.same) == (60 + 240, longer.same)
    holds(store, "BTC-USD", range(NOON_MS - 10 * HOUR_MS, NOON_MS, STEP_MS))


async def test_times_without_trades_are_asked_for_once(tmp_path: Path) -> None:
    clock, begin = Time(NOW_MS), NOON_MS - 12 * HOUR_MS

    def thin(symbol: str, at: int) -> Row | None:
        return walk(symbol, at) if at // STEP_MS % 3 == 0 or at < begin + 100 else None

    with Loopback(clock, candle=thin) as server:
        await brought(server, clock, Store(tmp_path), begin, NOON_MS - HOUR_MS)
        asked = len(server.candles_asked())
        await brought(server, clock, Store(tmp_path), begin, NOON_MS - HOUR_MS)
        assert len(server.candles_asked()) == asked
        (path,) = tmp_path.rglob(FILE)
        path.unlink()
        await brought(server, clock, Store(tmp_path), begin, NOON_MS - HOUR_MS)
        assert len(server.candles_asked()) > asked
    opened = range(begin, NOON_MS - HOUR_MS, STEP_MS)
    holds(Store(tmp_path), "BTC-USD", [at for at in opened if at // STEP_MS % 3 == 0])


async def test_a_candle_that_is_gone_is_no_time_without_trades(tmp_path: Path) -> None:
    """Whoever removes a damaged file, as the store advises, gets its candles again."""
    clock, store, begin = Time(NOW_MS), Store(tmp_path), NOON_MS - 12 * HOUR_MS
    quiet = range(begin + HOUR_MS, begin + 2 * HOUR_MS, STEP_MS)

    def thin(symbol: str, at: int) -> Row | None:
        return None if at in quiet else walk(symbol, at)

    with Loopback(clock, candle=thin) as server:
        await brought(server, clock, store, begin, NOON_MS)
        (folder,) = {path.parent for path in tmp_path.rglob(FILE)}
        assert answered(folder) == [(quiet[0], quiet[-1] + STEP_MS)]
        for partition in folder.glob("*.parquet"):
            partition.unlink()
        (again,) = await brought(server, clock, store, begin, NOON_MS)
    assert again.new == 11 * 60
    holds(store, "BTC-USD", [at for at in range(begin, NOON_MS, STEP_MS) if at not in quiet])


async def test_what_is_missing_near_now_may_still_come(tmp_path: Path) -> None:
    clock, late = Time(NOW_MS), NOON_MS - 5 * STEP_MS
    for there in (False, True):

        def punctual(symbol: str, at: int, there: bool = there) -> Row | None:
            return walk(symbol, at) if there or at != late else None

        with Loopback(clock, candle=punctual) as server:
            await brought(server, clock, Store(tmp_path), NOON_MS - HOUR_MS, NOON_MS)
    holds(Store(tmp_path), "BTC-USD", range(NOON_MS - HOUR_MS, NOON_MS, STEP_MS))


async def test_a_candle_that_has_not_closed_is_never_stored(tmp_path: Path) -> None:
    for at_ms, closed in ((NOON_MS + 59_000, 0), (NOON_MS + 64_999, 0), (NOON_MS + 65_000, 1)):
        clock, store = Time(at_ms), Store(tmp_path / str(at_ms))
        with Loopback(clock) as server:
            await brought(server, clock, store, NOON_MS - HOUR_MS, NOON_MS + 9 * HOUR_MS)
        holds(store, "BTC-USD", range(NOON_MS - HOUR_MS, NOON_MS + closed * STEP_MS, STEP_MS))


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (NOON_MS, "from 2024-01-01 12:00 UTC to 2024-01-01 12:00 UTC"),
        (NOON_MS + HOUR_MS, "from 2024-01-01 13:00 UTC to 2024-01-01 13:00 UTC"),
    ],
)
async def test_nothing_to_ask_for_is_said(tmp_path: Path, begin: int, words: str) -> None:
    clock = Time(NOW_MS)
    with Loopback(clock) as server, pytest.raises(UsageError, match=f"No 1m candle .* {words}"):
        await brought(server, clock, Store(tmp_path), begin, begin + HOUR_MS)


async def test_unknown_instruments_bring_the_nearest(tmp_path: Path) -> None:
    clock = Time(NOW_MS)
    with Loopback(clock) as server, pytest.raises(NotFound, match=r"Nearest: BTC-USD"):
        await brought(server, clock, Store(tmp_path), 0, NOON_MS, ["BTX-USD"])


async def test_a_venue_that_asks_for_a_pause_gets_it_and_is_told_of_once(tmp_path: Path) -> None:
    clock, told = Time(NOW_MS), Teller()
    with Loopback(clock) as server:
        server.faults += [says(429, "{}", Retry_After="7"), says(429, "{}"), says(503)]
        begin = NOON_MS - 12 * HOUR_MS
        await brought(server, clock, Store(tmp_path), begin, NOON_MS, told=told)
    holds(Store(tmp_path), "BTC-USD", range(begin, NOON_MS, STEP_MS))
    assert clock.waits[0] == 7
    assert told.names() == ["exchange_trouble", "exchange_trouble", "exchange_recovered"]


async def test_a_venue_that_stays_in_trouble_ends_it_and_what_came_is_kept(tmp_path: Path) -> None:
    clock, begin = Time(NOW_MS), NOON_MS - 20 * HOUR_MS
    with Loopback(clock) as server:

        def break_down(progress: Progress) -> None:
            if progress.done_ms > begin:
                server.faults.extend([says(503)] * TRIES)

        with pytest.raises(Unavailable, match=r"HTTP 503\. What came so far is stored"):
            await brought(server, clock, Store(tmp_path), begin, NOON_MS, progress=break_down)
        there = range(begin, begin + (COINBASE_SERVES - 1) * STEP_MS, STEP_MS)
        holds(Store(tmp_path), "BTC-USD", there)
        server.faults.clear()
        (rest,) = await brought(server, clock, Store(tmp_path), begin, NOON_MS)
    assert (rest.new, rest.same) == (20 * 60 - len(there), 0)


@pytest.mark.parametrize("called_off", [True, False], ids=["by a signal", "by another's trouble"])
async def test_however_it_ends_what_came_is_kept(tmp_path: Path, called_off: bool) -> None:
    clock, begin, turns = Time(NOW_MS), NOON_MS - 40 * HOUR_MS, list[str]()
    with Loopback(clock) as server:
        task: asyncio.Task[list[Downloaded]] | None = None

        def end(progress: Progress) -> None:
            turns.append(progress.symbol)
            if len(turns) == 3:
                if called_off and task is not None:
                    task.cancel()
                else:
                    server.faults.extend([says(503)] * (2 * TRIES))

        both = brought(server, clock, Store(tmp_path), begin, NOON_MS, BTC_ETH, progress=end)
        task = asyncio.create_task(both)
        with pytest.raises(asyncio.CancelledError if called_off else Unavailable):
            await task
    page = COINBASE_SERVES - 1
    for symbol in BTC_ETH:
        pages = turns.count(symbol)
        holds(Store(tmp_path), symbol, range(begin, begin + pages * page * STEP_MS, STEP_MS))


async def test_a_candle_that_makes_no_sense_is_refused_and_asked_for_again(tmp_path: Path) -> None:
    clock, begin, bad = Time(NOW_MS), NOON_MS - 4 * HOUR_MS, NOON_MS - 3 * HOUR_MS

    def twisted(_: str, rows: list[Row]) -> list[Row]:
        return [row._replace(high="0.01") if row.opened_at_ms == bad else row for row in rows]

    with Loopback(clock, twist=twisted) as server:
        (found,) = await brought(server, clock, Store(tmp_path), begin, NOON_MS)
    assert (found.new, found.refused) == (239, 1)
    assert found.notes == (
        "1 refused, the first of 2024-01-01 09:00 UTC: its numbers make no sense",
    )
    with Loopback(clock) as server:
        (found,) = await brought(server, clock, Store(tmp_path), begin, NOON_MS)
    assert (found.new, found.changed, found.refused) == (1, 0, 0)
    holds(Store(tmp_path), "BTC-USD", range(begin, NOON_MS, STEP_MS))


@pytest.mark.parametrize("replace", [False, True])
async def test_a_correction_is_counted_and_kept_only_where_asked(
    tmp_path: Path, replace: bool
) -> None:
    clock, begin, middle = Time(NOW_MS), NOON_MS - 2 * HOUR_MS, NOON_MS - HOUR_MS
    holes = middle - STEP_MS, middle + STEP_MS
    with Loopback(clock, twist=lambda _, rows: [r for r in rows if r[0] not in holes]) as server:
        await brought(server, clock, Store(tmp_path), begin, NOON_MS)
    (path,) = tmp_path.rglob(FILE)
    path.unlink()

    def corrected(_: str, rows: list[Row]) -> list[Row]:
        return [row._replace(volume="7") if row[0] == middle else row for row in rows]

    manners = Manners(replace=replace)
    with Loopback(clock, twist=corrected) as server:
        (found,) = await brought(server, clock, Store(tmp_path), begin, NOON_MS, manners=manners)
    assert (found.new, found.same, found.changed) == (2, 117 if replace else 0, 1)
    assert found.notes[0].endswith("replaced" if replace else "kept as they were")
    volume = Store(tmp_path).read("coinbase", "BTC-USD", "1m", middle).volume[0]
    assert (volume == 7) == replace


async def test_a_venue_that_begins_later_is_not_asked_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kraken, taken for one that serves everything: its first candle is far from what is asked."""
    monkeypatch.delitem(SERVES_LAST, "kraken")
    clock, begin = Time(NOW_MS), NOON_MS - 90 * 24 * HOUR_MS
    with Loopback(clock) as server:
        (found,) = await brought(server, clock, Store(tmp_path), begin, NOON_MS, name="kraken")
        assert len(server.candles_asked()) < 5
    first = NOON_MS - 719 * STEP_MS
    holds(Store(tmp_path), "BTC-USD", range(first, NOON_MS, STEP_MS), "kraken")
    assert found.notes == ("kraken has nothing from 2023-10-03 12:00 UTC to 2024-01-01 00:01 UTC",)


PROGRAM = """
import asyncio, resource, sys
from pathlib import Path
from rrr.data_pipeline.download import download, wanted
from rrr.data_pipeline.exchange_client import Manner, connect
from rrr.data_pipeline.store import Store

async def main(address, root, begin, end, bytes_max):
    client = connect("coinbase", "1m", address, Manner(rate_limited=False), lambda *_: None)
    if bytes_max:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))
    await download(
        client, await wanted(client, ["BTC-USD"], begin, end), Store(Path(root)),
        clock_ms=lambda: end + 20_000, told=lambda *_: None,
        progress=lambda seen: print(seen.done_ms, flush=True),
    )

asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
"""
DAYS_MS = 5 * 24 * HOUR_MS
PAGE = COINBASE_SERVES - 1


async def program(server: Loopback, root: Path, bytes_max: int = 0) -> asyncio.subprocess.Process:
    numbers = map(str, (NOON_MS - DAYS_MS, NOON_MS, bytes_max))
    arguments = [sys.executable, "-c", PROGRAM, server.address, str(root), *numbers]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*arguments, stdout=pipe, stderr=pipe)


async def test_a_download_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    clock, begin = Time(NOW_MS), NOON_MS - DAYS_MS
    with Loopback(clock) as server:
        process = await program(server, tmp_path)
        assert process.stdout is not None
        for _ in range(13):
            assert int(await process.stdout.readline()) < NOON_MS
        process.kill()
        await process.communicate()
        kept = len(Store(tmp_path).read("coinbase", "BTC-USD", "1m"))
        assert kept % (8 * PAGE) == 0
        before = len(server.candles_asked())
        (rest,) = await brought(server, clock, Store(tmp_path), begin, NOON_MS)
        pages = -(-DAYS_MS // STEP_MS // PAGE)
        assert len(server.candles_asked()) - before == pages - kept // PAGE
    assert rest.new == DAYS_MS // STEP_MS - kept
    holds(Store(tmp_path), "BTC-USD", range(begin, NOON_MS, STEP_MS))


async def test_a_full_disk_leaves_whole_files(tmp_path: Path) -> None:
    clock, begin = Time(NOW_MS), NOON_MS - DAYS_MS
    with Loopback(clock) as server:
        process = await program(server, tmp_path, bytes_max=60_000)
        _, said = await process.communicate()
        assert process.returncode == 1
        assert b"StorageFailed" in said
        assert b"Free some space, then do it again" in said
        kept = len(Store(tmp_path).read("coinbase", "BTC-USD", "1m"))
        assert kept % (8 * PAGE) == 0
        (rest,) = await brought(server, clock, Store(tmp_path), begin, NOON_MS)
    assert 0 < rest.new == DAYS_MS // STEP_MS - kept
    holds(Store(tmp_path), "BTC-USD", range(begin, NOON_MS, STEP_MS))
    assert not list(tmp_path.rglob("*.tmp"))


async def test_krakens_older_candles_are_made_of_its_prints(tmp_path: Path) -> None:
    store, told = Store(tmp_path), Teller()
    async with venue_process("kraken", seed=7, speed=1) as venue:
        now = venue.clock_ms()
        begin = now - 20 * HOUR_MS
        begin -= begin % STEP_MS
        client = connect("kraken", "1m", venue.address, Manner(rate_limited=False), told)
        bring = partial(download, client, clock_ms=venue.clock_ms, told=told)
        both = await wanted(client, BTC_ETH, begin, now)
        try:
            few = await bring(both, store, manners=Manners(requests_max=1))
            recent = [len(store.read("kraken", symbol, "1m")) for symbol in BTC_ETH]
            all_of_it = await bring(both, store)
            asked = len((await venue.log())["asked"])
            await bring(both, store)
            assert len((await venue.log())["asked"]) <= asked + 2  # a minute may have closed
        finally:
            await client.close()
    for one, rest, held in zip(few, all_of_it, recent, strict=True):
        assert (one.new, one.built) == (held, 0)
        assert "kraken serves its last 720 candles only" in one.left[0]
        assert "Import Kraken's archive" in one.left[0]
        assert rest.left == ()
        assert rest.built > 400
        series = store.read("kraken", one.symbol, "1m", None, one.end_ms)
        traded = series.volume > 0  # where nobody traded, Kraken draws a flat candle
        coin = venue.tape.coin(one.symbol)
        tape = venue.tape.candles(one.symbol, STEP_MS, begin, one.end_ms)
        assert series.ts[traded].tolist() == [each.opened_at_ms for each in tape]
        for name in ("open", "high", "low", "close"):
            expected = [getattr(each, name) / 10**coin.decimals for each in tape]
            assert getattr(series, name)[traded].tolist() == expected, name
        assert series.volume[traded].tolist() == [each.volume / 10**8 for each in tape]
        assert set(series.source.tolist()) == {Source.REST, Source.BUILT}
    assert told == []


async def test_the_quiet_minutes_of_an_imported_archive_are_left_as_they_are(
    tmp_path: Path,
) -> None:
    clock, store = Time(NOW_MS), Store(tmp_path)
    begin = NOON_MS - 48 * HOUR_MS
    rows = [
        (at // 1000, *list(walk("BTC-USD", at) or ())[1:], 1)
        for at in range(begin, NOON_MS, 3 * STEP_MS)
    ]
    path = written(tmp_path / "XBTUSD_1.csv", text(rows))
    store.append(imported(path, understood(path, Said(timeframe="1m"))))
    with Loopback(clock) as server:
        (found,) = await brought(server, clock, store, begin, NOON_MS, name="kraken")
    assert found.new == 718 - 239
    assert found.notes[0].startswith("721 holes of less than a day are left as they are")
    assert found.left == ()
