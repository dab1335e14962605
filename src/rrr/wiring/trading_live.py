"""A book that trades real money: the account's own fees and figures, a small beginning, and caps.

The agent is the engine's venue; the lookout asks the account. Both are begun between the opening of
the session and its first close, so that nothing is decided on what nobody has looked at.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from rrr.config import Settings
from rrr.config.keys import Keys
from rrr.core.errors import NotArmed, RRRError, Unavailable
from rrr.core.events import Command, Event, Limits, Listing, Verb
from rrr.core.ledger import QUOTE
from rrr.core.state import Halt, Law, State
from rrr.data_pipeline.exchange_client import Manner, monotonic_ms
from rrr.data_pipeline.private_client import account, exits
from rrr.database import live as rows
from rrr.database import live_fits
from rrr.database.client import Client
from rrr.database.sessions import PRINCIPAL, Unit, key_of
from rrr.monitoring.notes import Level, Note
from rrr.monitoring.words import count, figure, money, span
from rrr.trading.engine.engine import Engine, Late, Moment
from rrr.trading.engine.opening import Terms
from rrr.trading.live import memory, ramp
from rrr.trading.live.agent import Agent
from rrr.trading.live.claims import MONEY
from rrr.trading.live.gate import Rank
from rrr.trading.live.hints import hints
from rrr.trading.live.ids import session_tag
from rrr.trading.live.lookout import Lookout
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.protection import Why
from rrr.trading.live.seen import Frozen
from rrr.trading.live.spelling import decimal
from rrr.trading.live.walls import DAY_MS, Bought, Caps, Wall
from rrr.trading.live.wire import Wire
from rrr.wiring.live_terms import caps_of, cost_of, lawful, paying, quanta
from rrr.wiring.teller import Teller

CRASHES_MS: Final = 600_000
REST_S: Final = 5.0  # who stops waits so long for what is under way
LOOK_S: Final = 60.0  # at the ramp

CRASHES = """SELECT count(*) FROM runs
    WHERE ended_at_ms IS NULL AND started_at_ms > ? AND id <> ?"""
STANDING = """SELECT s.name, s.key,
        (SELECT coalesce(sum(worth), 0) FROM positions p
            WHERE p.session = s.id AND p.worth > 100000000),
        (SELECT count(*) FROM live_orders o
            WHERE o.session = s.id AND o.state IN ('new', 'sending', 'placed', 'unknown'))
    FROM sessions s WHERE s.finished_at_ms IS NULL ORDER BY s.id"""
BORN = "SELECT name, started_at_ms FROM sessions WHERE id = ?"


@dataclass(slots=True)
class Live:
    """What a live session has and a paper one has not."""

    settings: Settings
    ccxt: Any
    wire: Wire
    agent: Agent
    lookout: Lookout
    teller: Teller
    fees: dict[str, tuple[int, int]]
    law: Law | None  # that was asked for, were there no ramp; None: the book's stays
    round_trips: int = 0
    hinted: str = "no stream yet"

    async def take_over(self, db: Client, terms: Terms, *, new: bool) -> None:
        """Raise NotArmed where another book has orders or coins at the venue."""
        key = key_of(terms.about)
        for name, other, held, working in await db.read(STANDING):
            if (new or other != key) and (held or working):
                raise NotArmed(
                    f"{name} is another book, with {count(working, 'open order')} and"
                    f" {money(held)} {terms.units[0].quote} in coins, and nobody would look after"
                    " them.",
                    "Start it with the settings that it had, or end it: rrr panic --mode live.",
                )

    async def begin(self, db: Client, engine: Engine) -> None:
        """Remember, look whether this is a crash loop, reconcile. Nothing has left before that.

        Whoever is stopped here, or lacks something, was no crash.
        """
        try:
            await self._begun(db, engine)
        except (RRRError, asyncio.CancelledError):
            await engine.end(False, lambda _: {})
            raise

    async def _begun(self, db: Client, engine: Engine) -> None:
        agent, key = self.agent, (engine.session.id, PRINCIPAL)
        now_ms, currencies = agent.clock(), 1 + len(agent.units)

        def recalled(connection: sqlite3.Connection) -> tuple[memory.Memory, list[Any], int]:
            found = memory.recalled(connection, key, agent.venue, currencies)
            sent = rows.purchases(connection, agent.venue, now_ms - DAY_MS)
            crashes = connection.execute(
                CRASHES, (engine.clock() - CRASHES_MS, engine.pen.run)
            ).fetchone()[0]
            return found, sent, crashes

        found, sent, crashes = await db.write(recalled)
        agent.tag = session_tag(*await _born(db, engine.session.id))
        agent.attach(engine, found)
        agent.wall.recall(Bought(at, cost_of(p, q, decimals)) for at, p, q, decimals in sent)
        began_s = time.monotonic()
        if crashes >= self.settings.live.crash_starts_max:
            await self._break_the_loop(engine, crashes)
        await self.lookout.start()
        took_s = time.monotonic() - began_s
        text = f"reconciled with {agent.venue} in {span(took_s)}: {self._standing(engine.state)}"
        detail = {"seconds": round(took_s, 3), "open": len(found.open)}
        self.teller.note(Note("system", "reconciled", text, detail=detail))

    def banner(self) -> Note:
        live, cap = self.settings.live, self.agent.wall.caps.order_notional_max
        where = f"the test network of {live.venue}" if live.sandbox else live.venue
        quote = self.agent.units[0].quote
        text = f"LIVE: real money moves at {where}; an order buys at most {money(cap)} {quote}"
        if self.round_trips < live.ramp_round_trips:
            text += f", for {self.round_trips} of {live.ramp_round_trips} round trips are booked"
        return Note("system", "banner", text, level=Level.WARNING)

    async def run(self, inbox: Callable[[Late], Any], db: Client, engine: Engine) -> None:
        """Carry, look, listen; until cancelled."""
        self.agent.deliver = inbox
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.agent.run(), name="agent")
            tasks.create_task(self.lookout.run(), name="lookout")
            tasks.create_task(self._watch(db, engine), name="ramp")
            if self.ccxt.has.get("ws") is True:
                heard = hints(
                    self.ccxt,
                    self._moved,
                    self._fact,
                    self.agent.wait,
                    random.random,
                    self.lookout.unheard,
                )
                tasks.create_task(heard, name="hints")

    async def rest(self) -> None:
        """Let what is under way arrive, for a while; start-up finds what did not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                await self.lookout.rests()

    def release(self, i: int, reason: str) -> Late:
        """A person has looked at what touched an instrument."""

        def late(state: State) -> Sequence[Moment]:
            released = self.agent.memory.release(i, self.agent.clock())
            return [Moment((), reason, released)]

        return late

    def told(self, state: State, units: Sequence[Unit]) -> dict[str, Any]:
        """For `status`: what only the living daemon knows."""
        agent, protection = self.agent, self.agent.protection
        protection.look(state, agent.monotonic_ms())
        now_ms = agent.monotonic_ms()
        bare_ms = protection.so_far_ms(now_ms, Why.BARE)
        bought = agent.wall.day_notional(agent.clock())
        windows = {
            str(why): {
                "times": len(protection.windows[why]),
                "p99_ms": protection.quantile_ms(why, 0.99),
            }
            for why in Why
        }
        return {
            "venue": agent.venue,
            "reconciled_at_ms": self.lookout.reconciled_at_ms,
            "unknown": sorted(self.lookout.attended),
            "frozen": [_frozen(one, units) for one in agent.frozen],
            "unprotected_s": round(protection.so_far_ms(now_ms, *Why) / 1000, 1),
            "unprotected_without_reason_s": round(bare_ms / 1000, 1),
            "unprotected_now": [units[i].symbol for i in protection.since_ms],
            "unprotected_windows": windows,
            "unfilled_stops": protection.unfilled,
            "orders_today_notional": money(bought),
            "round_trips": self.round_trips,
            "switch": "none needed: what rests and is no stop ends by itself",
            "hints": self.hinted,
        }

    async def _break_the_loop(self, engine: Engine, crashes: int) -> None:
        """Whoever dies and dies again opens nothing until a person has looked."""
        if engine.state.account.halted != Halt.NONE:
            return
        reason = f"{count(crashes, 'start')} in ten minutes came to no end: a crash loop"
        await engine.take([Moment((Command(engine.head.at_ms, Verb.HALT),), reason)])
        text = f"halted: {reason}; see rrr logs system, then rrr resume"
        self.teller.note(Note("system", "crash_loop", text, level=Level.WARNING))

    async def _watch(self, db: Client, engine: Engine) -> None:
        day = self.agent.clock() // DAY_MS
        while True:
            await self._climb(db, engine)
            await self.agent.wait(LOOK_S)
            if self.agent.clock() // DAY_MS != day:
                day = self.agent.clock() // DAY_MS
                await self._pay(engine)

    async def _pay(self, engine: Engine) -> None:
        """What the account pays may be another each day."""
        async with self.agent.gate.turn(Rank.QUESTION):
            fees = await self.wire.fees()
        if isinstance(fees, Outcome):
            return  # asked again tomorrow; the fills say what was paid
        self.fees = fees

        def late(state: State) -> Sequence[Moment]:
            now = paying(self.agent.wire, self.fees, state.instruments)
            changed: list[Event] = [
                Listing(engine.head.at_ms, one._replace(version=one.version + 1))
                for one, was in zip(now, state.instruments, strict=True)
                if one != was
            ]
            return [Moment(changed, "the account pays other fees")] if changed else []

        await self.agent.deliver(late)

    async def _climb(self, db: Client, engine: Engine) -> None:
        """The ramp ends, or begins anew, by an event; its cap is the wall's too."""
        key, live = (engine.session.id, PRINCIPAL), self.settings.live

        def read(connection: sqlite3.Connection) -> tuple[int, bool]:
            trips = live_fits.round_trips(connection, key)
            return trips, live_fits.fitted(connection, key, live.ramp_round_trips)

        self.round_trips, fitted = await db.write(read, durable=False)
        cap = ramp.order_notional_max(caps_of(self.settings), self.round_trips, fitted)
        climbed = self.round_trips >= live.ramp_round_trips and fitted
        law = lawful(self.settings, self.law, cap, climbed=climbed) if self.law else None
        self.agent.wall.caps = self.agent.wall.caps._replace(order_notional_max=cap)

        def late(state: State) -> Sequence[Moment]:
            if law is None or law == state.law:
                return []
            return [Moment((Limits(engine.head.at_ms, law),), "the ramp")]

        await self.agent.deliver(late)

    def _standing(self, state: State) -> str:
        held = [
            f"{figure(lane.quantity, unit.grains)} {unit.symbol}"
            for unit, lane in zip(self.agent.units, state.lanes, strict=True)
            if lane.quantity
        ]
        here = ", ".join(held) or "flat"
        doubt = self.lookout.in_doubt
        return here + (f", {count(doubt, 'order')} in doubt" if doubt else "")

    def _moved(self, reason: str) -> None:
        self.hinted = reason
        self.lookout.hears = True
        self.agent.poke()

    def _fact(self, name: str, text: str, detail: dict[str, Any]) -> None:
        self.hinted, self.lookout.hears = text, name != "hints_lost"
        self.teller.fact(name, text, detail)


@asynccontextmanager
async def at_the_venue(
    settings: Settings,
    keys: Keys,
    units: Sequence[Unit],
    law: Law | None,
    timeframe_ms: int,
    clock: Callable[[], int],
    teller: Teller,
) -> AsyncIterator[Live]:
    """The account, and who speaks for the book there; `law` is what is asked for, but for the ramp.

    Raise Unavailable where it does not answer.
    """
    manner = Manner(sockets=True)
    async with account(keys, settings.address, clock, manner) as ccxt:
        wire = Wire(ccxt, [f"{unit.base}/{unit.quote}" for unit in units], exits)
        halted = [pair for pair in wire.pairs if not _active(ccxt, pair)]
        if halted:
            text = (
                f"{keys.venue} does not trade {', '.join(halted)} now: the others are looked after"
            )
            teller.fact("halted_there", text, {"pairs": halted})
        fees = await wire.fees() if law is not None else {}
        if isinstance(fees, Outcome):
            raise Unavailable(
                f"{keys.venue} does not say what this account pays ({fees.words}).",
                "Start again later.",
            )
        allowed = frozenset(
            i for i, unit in enumerate(units) if unit.symbol in settings.live.instruments
        )
        live = settings.live
        assert live.orders_per_minute_max, "Armed with all caps."
        caps = caps_of(settings)
        wall = Wall(
            Caps(
                live.orders_per_minute_max,
                caps.ramp_notional_max,
                quanta(live.day_notional_max),
                allowed,
            )
        )
        agent = Agent(
            wire,
            tuple(units),
            "",
            wall,
            clock,
            monotonic_ms,
            teller.fact,
            live.dedicated,
            timeframe_ms,
        )
        yield Live(settings, ccxt, wire, agent, Lookout(agent), teller, fees, law)


def _active(ccxt: Any, pair: str) -> bool:
    return pair in ccxt.markets and ccxt.markets[pair].get("active") is not False


async def _born(db: Client, session: int) -> tuple[str, int]:
    """What no two sessions share, wherever their home is mounted."""
    found = await db.read_one(BORN, (session,))
    assert found is not None, "It was opened."
    return str(found[0]), int(found[1])


def _frozen(one: Frozen, units: Sequence[Unit]) -> dict[str, str]:
    unit = units[one.instrument]
    places = MONEY if one.currency == QUOTE else units[one.currency - 1].grains
    return {
        "instrument": unit.symbol,
        "why": one.words,
        "ours": decimal(one.ours, places),
        "theirs": decimal(one.theirs, places),
    }
