"""No order leaves before its intent is on the disk; nothing is believed but the venue's own word.

The agent is the venue of a live session. `intend` names each order and writes it with the rows that
decided it; after their commit `carry` hands it on, and never waits. What comes back (an
acknowledgement, a refusal, silence) becomes a report; whatever moves or is in doubt is attended to
until the venue's own word settles it. What the account says is read by one function, `reconciled`,
against the state as it is when its turn comes, and enters as events. A moment of the agent's is
therefore made late: by whoever decides, from the state before it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from rrr.core.events import Close, Event
from rrr.core.orders import (
    NO_REPORT,
    Amend,
    Cancel,
    Kind,
    Order,
    Rejection,
    Report,
    Side,
    Stage,
    Status,
    amended,
    is_stop,
)
from rrr.core.state import State
from rrr.database.live import Known, Progress
from rrr.database.sessions import Unit
from rrr.trading.engine.engine import Engine, Late, Moment
from rrr.trading.engine.paper import Record
from rrr.trading.engine.venue import Work
from rrr.trading.live import ids, outcomes, spelling
from rrr.trading.live.amending import Amendments, became, is_less, is_silent
from rrr.trading.live.claims import Claims, Reading
from rrr.trading.live.gate import Gate, Rank
from rrr.trading.live.inquiry import Inquiry
from rrr.trading.live.memory import Memory, named
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.protection import Protection
from rrr.trading.live.reconcile import reconciled
from rrr.trading.live.seen import OVER, Frozen, Seen, Settled, is_take, remembered, working
from rrr.trading.live.spelling import Refused, Request, Rules, Verb, cancelled, due, spelled
from rrr.trading.live.taken import Taken, over, written
from rrr.trading.live.walls import Wall
from rrr.trading.live.wire import Wire
from rrr.trading.live.words import foreign_words, frozen_now, frozen_words

Told = Callable[[str, str, dict[str, Any]], None]


class Attend(Protocol):
    def __call__(self, sequence: int, *, recall: bool = False) -> None:
        """Look at this order until it rests or is over; `recall`: call it back first."""


AGAIN_S: Final = (0.25, 1.0, 3.0)  # after a refusal that the next moment may take back
DEADLINE_MS: Final = 10_000  # whoever looks for an order looks for longer
TRIES: Final = 7  # of an exit, each twice as wide: by then it takes any price
REFUSED_S_MAX: Final = 60.0
PASSING: Final = ("InvalidNonce", "RateLimitExceeded", "DDoSProtection")


@dataclass(slots=True)
class Errand:
    order: Order
    request: Request | Refused | Taken
    over: asyncio.Event = field(default_factory=asyncio.Event)  # its outcome was told


@dataclass(slots=True)
class Agent:
    """`attach` it to its engine before anything is decided; `start`, then `run` it."""

    wire: Wire
    units: tuple[Unit, ...]
    tag: str
    wall: Wall
    clock: Callable[[], int]  # of the venue
    monotonic_ms: Callable[[], int]
    told: Told
    dedicated: bool = False
    timeframe_ms: int = 0
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    gate: Gate = field(default_factory=Gate)
    protection: Protection = field(default_factory=Protection)
    mode: str = "live"
    engine: Engine = field(init=False)
    memory: Memory = field(init=False)
    inquiry: Inquiry = field(init=False)
    deliver: Callable[[Late], Awaitable[None]] = field(init=False)
    attend: Attend = field(init=False)  # of whoever watches over orders
    poke: Callable[[], None] = field(init=False)
    look_at_all: Callable[[], None] = field(init=False)
    later: Callable[[Coroutine[Any, Any, None]], object] = field(init=False)
    frozen: tuple[Frozen, ...] = ()
    errands: dict[int, Errand] = field(default_factory=dict)
    amendments: Amendments = field(default_factory=Amendments)
    outbox: asyncio.Queue[Order | Cancel | Amend] = field(default_factory=asyncio.Queue)
    under_way: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)  # nothing is under way
    refusals: dict[int, int] = field(default_factory=dict)  # exits, in a row, by instrument

    @property
    def venue(self) -> str:
        return self.wire.venue

    def attach(self, engine: Engine, memory: Memory) -> None:
        self.engine, self.memory = engine, memory
        sequence_of = partial(ids.sequence_of, self.venue, self.tag)
        coins = dict.fromkeys(coin for unit in self.units for coin in (unit.quote, unit.base))
        reading = Reading(self.units, sequence_of)
        self.inquiry = Inquiry(self.wire, reading, self.clock, tuple(coins))
        self.deliver = self._decided
        self.idle.set()

    async def _decided(self, late: Late) -> None:
        """While nobody else decides."""
        if moments := late(self.engine.decided.state):
            await self.engine.take(moments)

    def intend(self, record: Record) -> Work | None:
        for item in record:
            if isinstance(item, Amend):
                self.amendments.begun(item)
        orders = [item for item in record if isinstance(item, Order)]
        if not orders:
            return None
        at_ms = self.clock()
        return self.memory.intend([self._meant(order, at_ms) for order in orders])

    async def carry(self, record: Record, state: State) -> None:
        self.protection.look(state, self.monotonic_ms())
        for item in record:
            if isinstance(item, Order | Cancel | Amend):
                self._begun()
                self.outbox.put_nowait(item)
            elif isinstance(item, Close):
                self.poke()  # a price may have reached what rests

    async def run(self) -> None:
        """Do what was carried here, each errand by itself, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self.later = tasks.create_task
            while True:
                item = await self.outbox.get()
                if isinstance(item, Order) and item.attempt > TRIES:
                    self._settled()
                    tasks.create_task(self._later(item))
                else:
                    tasks.create_task(self._errand(item))

    async def settle(
        self, claims: Claims, *, starting: bool = False, gone: frozenset[int] = frozenset()
    ) -> Settled:
        """Let the book meet what the venue says, in its turn."""
        told: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()

        def late(state: State) -> list[Moment]:
            memory, at_ms = self.memory, self.engine.head.at_ms
            about = (memory.notes, memory.began_ms, self.dedicated, starting, gone)
            ends_ms = self.engine.closed_at_ms + self.timeframe_ms  # of the candle that runs
            amends = self.amendments.standing(claims.at_ms)
            settled = reconciled(Seen(state, *about, at_ms, amends, ends_ms), claims)
            told.set_result(settled)
            self._freeze(settled, claims)
            self._tell(settled)
            if settled.nothing:
                return []
            work = self.memory.take(settled, claims.at_ms)
            return _moments(work, (*settled.reports, *settled.flows))

        await self.deliver(late)
        return await told

    def _handed(self, order: Order, taken: Taken, state: State) -> list[Moment]:
        """An order that never leaves is filled by what somebody else took."""
        i, known = order.instrument, self.memory.known[order.sequence]
        told = written(
            order,
            taken,
            state.lanes[i],
            f"hand {known.client_id}",
            (self.engine.head.at_ms, self.clock()),
        )
        text = f"{self.units[i].symbol}: {told.foreign.words} leave the book, as a flow"
        self.told("taken", text, {"order": order.sequence, "grains": taken.quantity})
        now_ms = self.clock()
        ended = over(known, taken, now_ms)
        work = self.memory.note([ended], [told.trade], [told.foreign], now_ms)
        return _moments(work, (told.reports[0], told.flow, *told.reports[1:]))

    async def recall(self, sequence: int) -> None:
        """Call an order back, by the venue's name for it or by ours; also one that came late."""
        known = self.memory.known[sequence]
        order = self.order_of(sequence) or remembered(known)
        rules = self._rules(known.instrument)
        request = cancelled(self.venue, order, rules, known.client_id, known.venue_id)
        if isinstance(request, Request):  # else it must be looked up first
            async with self.gate.turn(Rank.EXIT):
                await self.wire.cancel(request)

    def order_of(self, sequence: int) -> Order | None:
        """As the book has it, or as it left."""
        found = (one for one in working(self.engine.decided.state) if one.sequence == sequence)
        errand = self.errands.get(sequence)
        return next(found, errand.order if errand else None)

    def _meant(self, order: Order, at_ms: int) -> Known:
        """Give it its name; what must not leave is told so once this is committed."""
        rules = self._rules(order.instrument)
        name = ids.client_id(self.venue, self.tag, order.sequence)
        request: Request | Refused | Taken = spelled(self.venue, order, rules, name)
        if isinstance(request, Request):
            request = self.wall.meet(order, rules.instrument, at_ms) or request
        gone = -self.memory.aside[1 + order.instrument]
        if order.side == Side.SELL and gone >= rules.instrument.lot:
            request = Taken(min(gone, order.quantity))
            if is_stop(order.kind):
                request = Refused(Rejection.INSUFFICIENT, "somebody else took what it would sell")
        self.errands[order.sequence] = Errand(order, request)
        stays = not isinstance(request, Request)
        return named(order, name, at_ms, Progress.NEW if stays else Progress.SENDING)

    async def _errand(self, item: Order | Cancel | Amend) -> None:
        try:
            if isinstance(item, Order):
                await self._send(item)
                return
            if errand := self.errands.get(item.sequence):
                await errand.over.wait()  # it is not there yet
            if isinstance(item, Amend):
                await self._amend(item)
            else:
                if self.memory.known[item.sequence].progress not in OVER:
                    await self.recall(item.sequence)
                self.attend(item.sequence)
        finally:
            self._settled()

    async def _later(self, order: Order) -> None:
        """Nobody buys it: the market need not hear that at every turn, and nothing waits for it."""
        await self.wait(min(2.0 ** min(order.attempt - TRIES, 16), REFUSED_S_MAX))
        self._begun()
        await self._errand(order)

    def _begun(self) -> None:
        self.under_way += 1
        self.idle.clear()

    def _settled(self) -> None:
        self.under_way -= 1
        if not self.under_way:
            self.idle.set()

    async def _send(self, order: Order) -> None:
        errand = self.errands[order.sequence]
        if isinstance(errand.request, Taken):
            await self.deliver(partial(self._handed, order, errand.request))
            errand.over.set()
            return
        if isinstance(errand.request, Refused):
            outcome = Outcome(outcomes.Kind.REJECTED, *errand.request)
        else:
            outcome = await self._sent(errand.request)
        await self.deliver(partial(self._heard, order, outcome))
        errand.over.set()
        if outcome.kind is outcomes.Kind.REJECTED:
            self.errands.pop(order.sequence)
            if order.side == Side.SELL:
                self.look_at_all()  # are the coins still there?
                self.later(self._again(order, outcome.rejection))
            return
        self.refusals.pop(order.instrument, None)
        if outcome.kind is outcomes.Kind.UNKNOWN or is_take(order):
            self.attend(order.sequence)

    async def _sent(self, request: Request) -> Outcome:
        """Said once; said again only where the venue has surely not taken it, and may at once."""
        rank = Rank.EXIT if request.urgent else Rank.ENTRY
        say = self.wire.amend if request.verb is Verb.AMEND else self.wire.send
        for pause_s in AGAIN_S:
            async with self.gate.turn(rank):
                dated = due(self.venue, request, self.clock() + DEADLINE_MS)
                outcome = await say(dated)
            passing = any(word in outcome.words for word in PASSING[: 3 if request.urgent else 1])
            if outcome.kind is not outcomes.Kind.REJECTED or not passing:
                return outcome
            await self.wait(pause_s)
        return outcome

    async def _amend(self, wanted: Amend) -> None:
        known = self.memory.known[wanted.sequence]
        order = self.order_of(wanted.sequence) or remembered(known)
        wished = amended(order, wanted.quantity, wanted.price)
        names, rules = (known.client_id, known.venue_id), self._rules(wanted.instrument)
        request = spelling.amended(self.venue, wished, rules, *names)
        if isinstance(request, Refused):
            outcome = Outcome(outcomes.Kind.REJECTED, *request)
        else:
            outcome = await self._sent(request)
        self.amendments.answered(wanted, outcome, self.clock())
        await self.deliver(partial(self._amended, wanted, outcome))
        if is_silent(outcome) or is_less(order, wanted, outcome):
            self.attend(wanted.sequence)

    def _amended(self, wanted: Amend, outcome: Outcome, state: State) -> list[Moment]:
        stop = state.lanes[wanted.instrument].stop
        figures = became(stop, wanted, outcome)
        if not figures:
            return []
        known = self.memory.known[wanted.sequence]._replace(quantity=figures["quantity"])
        report = self._report(stop, Status.AMENDED, Rejection.NONE)._replace(**figures)
        return [Moment((report,), outcome.words, self.memory.learn(known))]

    def _heard(self, order: Order, outcome: Outcome, _: State) -> list[Moment]:
        """What became of a sending; whatever a look at the account has found since then counts."""
        known = self.memory.known[order.sequence]
        if known.progress not in (Progress.NEW, Progress.SENDING):
            return []
        status, progress = {
            outcomes.Kind.CONFIRMED: (Status.ACCEPTED, Progress.PLACED),
            outcomes.Kind.REJECTED: (Status.REJECTED, Progress.REJECTED),
            outcomes.Kind.UNKNOWN: (Status.UNKNOWN, Progress.UNKNOWN),
        }[outcome.kind]
        over = progress == Progress.REJECTED
        known = known._replace(
            progress=int(progress),
            venue_id=outcome.venue_id,
            settled_at_ms=self.clock() if over else 0,
            attempts=known.attempts + 1,
        )
        report = self._report(order, status, outcome.rejection)
        if progress == Progress.UNKNOWN:
            about = {"order": order.sequence, "client_id": known.client_id}
            text = f"order {order.sequence}: nobody knows yet whether it arrived ({outcome.words})"
            self.told("order_unknown", text, about)
        return [Moment((report,), outcome.words, self.memory.learn(known))]

    async def _again(self, order: Order, rejection: int) -> None:
        """Who may not sell asks again: soon, then ever more rarely; a close need not come first."""
        i = order.instrument
        self.refusals[i] = tries = self.refusals.get(i, 0) + 1
        await self.wait(min(2.0 ** min(tries, 16) / 2, REFUSED_S_MAX))

        def late(state: State) -> list[Moment]:
            lane = state.lanes[i]
            part = lane.due < 0 and lane.stop.stage == Stage.WORKING
            idle = not lane.order.kind and (part or not lane.stop.kind)
            if not idle or lane.quantity < state.instruments[i].lot:
                return []
            return [Moment((self._report(order, Status.CANCELLED, rejection),))]

        await self.deliver(late)

    def _report(self, order: Order, status: Status, rejection: int) -> Report:
        return NO_REPORT._replace(
            at_ms=self.engine.head.at_ms,
            instrument=order.instrument,
            sequence=order.sequence,
            status=int(status),
            side=order.side,
            rejection=int(rejection),
        )

    def _freeze(self, settled: Settled, claims: Claims) -> None:
        """What differs is only reduced; a purchase that rests there buys no more."""
        before, self.frozen = self.frozen, frozen_now(self.frozen, settled, claims)
        for telling in frozen_words(before, self.frozen, self.units):
            self.told(*telling)
        self.wall.frozen = {one.instrument: one.words for one in self.frozen}
        for lane in self.engine.decided.state.lanes:
            order = lane.order
            if order.side == Side.BUY and order.kind == Kind.LIMIT:
                known = self.memory.known[order.sequence]
                if order.instrument in self.wall.frozen and known.progress == Progress.PLACED:
                    self.attend(order.sequence, recall=True)

    def _tell(self, settled: Settled) -> None:
        """What came from elsewhere; and forget errands that are done."""
        for telling in foreign_words(settled):
            self.told(*telling)
        for order in settled.orders:
            if order.progress in OVER:
                self.errands.pop(order.sequence, None)

    def _rules(self, i: int) -> Rules:
        unit = self.units[i]
        instrument = self.engine.decided.state.instruments[i]
        return Rules(self.wire.pairs[i], unit.points, unit.grains, instrument)


def _moments(work: Work, events: Sequence[Event]) -> list[Moment]:
    """What is written, then each event by itself: equity is that of its own moment."""
    return [Moment((), also=work), *(Moment((event,)) for event in events)]
