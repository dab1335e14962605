"""A history is asked for once, page by page, and what was stored is not asked for again.

Instruments take turns, one request at a time. Pages are stored whole before many more are asked
for: whenever it ends, by a signal, a full disk or a lost network, the next run goes on from there.
A trouble is told once and waited out; a venue that stays in trouble ends the run.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from rrr.core.errors import Unavailable, UsageError
from rrr.data_pipeline.download_answered import opening
from rrr.data_pipeline.download_job import GRACE_MS, REQUESTS_MAX, Downloaded, Job, Manners
from rrr.data_pipeline.exchange_client import Client
from rrr.data_pipeline.exchange_instruments import Chosen, choose
from rrr.data_pipeline.exchange_troubles import Told, Trouble, Troubles, pause_s
from rrr.data_pipeline.recorded_rows import utc
from rrr.data_pipeline.store import Store

__all__ = ["REQUESTS_MAX", "Downloaded", "Manners", "Progress", "Wanted", "download", "wanted"]

TRIES: Final = 10  # of one instrument in a row: about five minutes

_AGAIN: Final = "What came so far is stored. Run it again: it goes on where it stopped."


class Wanted(NamedTuple):
    """An instrument, and which of its candles: by opening time, from one on and before another."""

    chosen: Chosen
    begin_ms: int
    end_ms: int


class Progress(NamedTuple):
    symbol: str
    begin_ms: int
    done_ms: int  # as far from the beginning as what is done is long
    end_ms: int
    candles: int  # new ones, so far


_USUAL: Final = Manners()


def _silently(_: Progress) -> None:
    """Nobody looks."""


async def wanted(
    client: Client, symbols: Sequence[str], begin_ms: int, end_ms: int
) -> list[Wanted]:
    """The instruments of these names. Raise NotFound with the nearest where there is none."""
    try:
        markets = await client.markets()
    except Trouble as trouble:
        raise Unavailable(
            f"{client.name} {trouble.words}.", "Check the network, or try later."
        ) from trouble
    groups = [[symbol] for symbol in symbols] or [[]]
    chosen = {one.symbol: one for group in groups for one in choose(client.name, markets, group)}
    return [Wanted(one, begin_ms, end_ms) for one in chosen.values()]


async def download(
    client: Client,
    instruments: Sequence[Wanted],
    store: Store,
    *,
    clock_ms: Callable[[], int],
    told: Told,
    progress: Callable[[Progress], None] = _silently,
    wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    manners: Manners = _USUAL,
) -> list[Downloaded]:
    """Bring the store up to what is wanted, in the order of what is wanted."""
    jobs = [_job(client, one, store, clock_ms, manners) for one in instruments]
    try:
        await _in_turns(jobs, Troubles(client.name, clock_ms, told), progress, wait)
    except Trouble as trouble:
        raise Unavailable(f"{client.name} {trouble.words}.", _AGAIN) from trouble
    finally:
        for job in jobs:  # whatever ended it: a signal, a trouble of another instrument
            await job.keep()
    return [job.downloaded() for job in jobs]


async def _in_turns(
    jobs: Sequence[Job],
    troubles: Troubles,
    progress: Callable[[Progress], None],
    wait: Callable[[float], Awaitable[object]],
) -> None:
    pending, tries = deque(jobs), dict.fromkeys(jobs, 0)
    while pending:
        job = pending[0]
        try:
            await job.turn()
        except Trouble as trouble:
            troubles.met(trouble, job.symbol)
            await job.keep()
            tries[job] += 1
            if tries[job] == TRIES:
                raise
            await wait(max(trouble.pause_s, pause_s(tries[job])))
        else:
            tries[job] = 0
            troubles.over()
            done = job.begin_ms + job.done_ms
            progress(Progress(job.symbol, job.begin_ms, done, job.end_ms, job.new))
        pending.rotate(-1)
        if job.over:
            pending.remove(job)


def _job(
    client: Client, one: Wanted, store: Store, clock_ms: Callable[[], int], manners: Manners
) -> Job:
    """What closed long enough ago, on the grid."""
    step_ms = client.step_ms
    begin, end = (opening(at + step_ms - 1, step_ms) for at in (one.begin_ms, one.end_ms))
    end = min(end, opening(clock_ms() - GRACE_MS, step_ms))
    if begin >= end:
        until = max(one.begin_ms, min(one.end_ms, clock_ms()))
        raise UsageError(
            f"No {client.timeframe} candle closed from {utc(one.begin_ms)} to {utc(until)}.",
            "Begin earlier, or end later.",
        )
    return Job(client, one.chosen, (begin, end), store, clock_ms, manners)
