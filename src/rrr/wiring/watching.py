"""Once a second somebody looks at the clocks: the guard judges, the status line is redrawn.

Once a minute the heartbeat says how the house is, so that silence means something.
"""

import asyncio
import time
from contextlib import suppress
from functools import partial

from rrr.core.errors import Unavailable
from rrr.core.events import Verb
from rrr.core.ledger import equity
from rrr.core.state import Halt
from rrr.data_pipeline.exchange_health import Health
from rrr.database import sessions
from rrr.monitoring.notes import Level, Note
from rrr.monitoring.pulse import free_mb, memory_mb
from rrr.monitoring.status_line import Figures, heartbeat, status_line
from rrr.monitoring.words import figure
from rrr.trading.risk.guard import Do, Guard
from rrr.trading.risk.watches import Limits, Seen
from rrr.wiring.hearing import apart_s, feed_of
from rrr.wiring.tasks import House, command

EVERY_S = 1.0
HEARTBEAT_S = 60.0
STALE_MIN_S = 15.0  # at a fast market two candles are no time at all


async def guard(house: House) -> None:
    """Look, judge, tell; until somebody stops us."""
    halted = house.engine.state.account.halted == Halt.GUARD
    watcher = Guard(limits_of(house), halted)
    lag = asyncio.create_task(house.lag.run(house.stop))
    told_s = time.monotonic()
    try:
        while not house.stop.is_set():
            jumped_s, health = house.lag.take_jump_s(), house.market.health()
            seen = look(house)._replace(jumped_s=jumped_s, apart_s=apart_s(health))
            await judge(house, watcher, seen)
            await write_facts(house)
            figures = figures_of(house, seen, health)
            house.teller.terminal.status(status_line(figures))
            if time.monotonic() - told_s >= HEARTBEAT_S:
                told_s += HEARTBEAT_S
                house.teller.note(heartbeat(figures))
            await pause(house, EVERY_S)
        await write_facts(house)
    finally:
        lag.cancel()


async def judge(house: House, watcher: Guard, seen: Seen) -> None:
    """A market that waits for us is never halted by a clock: its outcome would depend on it."""
    halted, settled = house.engine.state.account.halted, house.opinions.settled
    if watcher.halted and halted == Halt.NONE and not settled:
        watcher.resumed()  # by a person
    verdict = watcher.judge(seen, time.monotonic())
    if verdict.do == Do.NOTHING:
        return
    if verdict.do == Do.SAY or settled:
        text = f"guard: {verdict.reason}"
        house.teller.note(Note("system", "guard", text, level=Level.WARNING))
        return
    verb = Verb.GUARD if verdict.do == Do.HALT else Verb.RELEASE
    with suppress(Unavailable):  # the house ended first
        await command(house, verb, verdict.reason)


async def write_facts(house: House) -> None:
    """What the world outside did to us becomes rows, without a sync of their own."""
    facts, house.teller.facts = house.teller.facts, []
    for fact in facts:
        detail = {"text": fact.text, **fact.detail}
        row = partial(
            sessions.note,
            run=house.engine.pen.run,
            name=fact.name,
            detail=detail,
            at_ms=house.engine.clock(),
        )
        await house.db.write(row, durable=False)


async def pause(house: House, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await house.stop.wait()
    except TimeoutError:
        return


def limits_of(house: House) -> Limits:
    asked = house.settings.guard
    stale_s: float | None = None
    if not house.opinions.settled:
        candle_s = house.market.timeframe_ms / 1000 / house.pace.speed
        stale_s = max((house.settings.risk.stale_candles + 1) * candle_s, STALE_MIN_S)
    return Limits(stale_s, asked.lag_max_ms, asked.memory_max_mb, asked.disk_min_mb)


def look(house: House) -> Seen:
    now_s = time.monotonic()
    return Seen(
        {unit.symbol: now_s - house.arrived_s.get(i, house.started_s)
         for i, unit in enumerate(house.story.units)},
        house.lag.now_ms,
        memory_mb(),
        free_mb(house.teller.home),
    )  # fmt: skip


def figures_of(house: House, seen: Seen, health: Health | None) -> Figures:
    """The pulse of the house, for people."""
    engine = house.engine
    state, account = engine.state, engine.state.account
    positions = tuple(
        (unit.symbol, figure(lane.quantity, unit.grains), lane.worth - lane.paid)
        for unit, lane in zip(house.story.units, state.lanes, strict=True)
        if lane.paid
    )
    at_ms = engine.closed_at_ms or engine.committed.at_ms
    next_s = None
    if not house.pace.free and house.pace.begin is not None:
        next_s = house.pace.delay_s(at_ms + house.market.timeframe_ms)
    return Figures(
        at_ms=at_ms,
        equity=equity(account),
        invested=account.invested,
        peak=account.peak,
        positions=positions,
        ages_s=seen.ages_s,
        feed=feed_of(house.market, health),
        memory_mb=round(seen.memory_mb, 1),
        lag_p99_ms=round(house.lag.quantile_ms(0.99), 2),
        lag_max_ms=round(house.lag.max_ms, 2),
        rows=engine.committed.number,
        signals=house.opinions.told_as(house.story.name(account.model)),
        training=house.opinions.training,
        next_close_s=next_s,
        halted=Halt(account.halted).name.lower() if account.halted else "",
        uptime_s=round(time.monotonic() - house.started_s, 1),
        live=house.live.agent.venue if house.live else "",
    )
