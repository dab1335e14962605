"""Start-up is reconciliation, and it never ends: what is in doubt is asked about until it is not.

Three looks: at one order, as soon as it moved or nobody knows where it is, until it rests or is
over; at the open orders, every few seconds and whenever a price or a stream hints at something; at
everything, once a minute. An order is missing only after the look-up protocol of `lookup` said so.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Final

from rrr.core.errors import NotArmed
from rrr.core.ledger import QUOTE
from rrr.core.orders import Kind, Stage
from rrr.core.state import State
from rrr.database.live import Known, Progress
from rrr.trading.engine.engine import Moment
from rrr.trading.live.agent import Agent
from rrr.trading.live.claims import FAILED, MONEY, Answer, Claims
from rrr.trading.live.gate import Rank
from rrr.trading.live.inquiry import is_whole, is_whole_but_balances, troubles
from rrr.trading.live.lookup import PATIENCE, Patience, Search, Verdict, heard, next_at_ms, round_of
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.seen import (
    CLOCKS_MS,
    OVER,
    Settled,
    Why,
    begun,
    is_take,
    urgent,
    working,
)
from rrr.trading.live.spelling import decimal
from rrr.trading.live.walls import DAY_MS

GLANCE_S: Final = 10.0
HINTED_S: Final = 0.5  # hints that come together are one
ALL_S: Final = 120.0
HEARD_S: Final = 60.0  # from one glance to the next while a stream tells what moves
OVERLAP_MS: Final = 600_000  # each look at everything reaches so far back behind the last
BEGIN_S: Final = 5.0
AGAIN_S: Final = 0.25  # the first of the waits for an order that moves; each is twice the last
AGAIN_S_MAX: Final = 5.0
FORGOTTEN_MS: Final = 2 * DAY_MS  # after its end nothing more is heard of an order
UNREAD_MAX: Final = 3  # starts a ledger that cannot be read holds up


@dataclass(slots=True)
class Lookout:
    agent: Agent
    patience: Patience = PATIENCE
    start_s: float = inf  # a start waits so long for all answers, and then goes on with those
    whole_at_ms: int = 0  # when the last look at everything was answered whole
    reconciled_at_ms: int = 0
    attended: dict[int, asyncio.Event] = field(default_factory=dict)  # set: look again at once
    _hinted: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: list[int] = field(default_factory=list)  # to be attended once this runs
    _begin: Callable[[int], object] | None = None
    unheard: asyncio.Event = field(default_factory=asyncio.Event)  # REST knew it, no stream did
    hears: bool = False  # a stream that tells what moves
    _unwanted: set[int] = field(default_factory=set)  # to be called back first
    _recalled: set[int] = field(default_factory=set)  # open there, and not to be
    _behind: set[int] = field(default_factory=set)  # filled there by more than is booked
    _silent: bool = False
    _all_due: bool = False

    def __post_init__(self) -> None:
        self.agent.attend, self.agent.poke = self.attend, self._hinted.set
        self.agent.look_at_all = self.look_at_all

    async def start(self) -> None:
        """Before anything is decided: all questions are answered, and the book agrees or says why.

        Raise NotArmed where the account does not hold what the book begins with.
        """
        agent, pause_s, tries, waited_s = self.agent, 1.0, 0, 0.0
        self.whole_at_ms = agent.memory.tied_at_ms or agent.memory.began_ms or agent.clock()
        while not _enough(found := await self._everything(), tries):
            self._tell_silence(found)
            if waited_s >= self.start_s:
                break
            tries += 1
            waited_s += pause_s
            await agent.wait(pause_s)
            pause_s = min(2 * pause_s, ALL_S)
        if not agent.memory.began_ms:
            found = await self._begin_book(found)
        await self._take_all(found, starting=True)

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._begin = lambda sequence: tasks.create_task(self._attending(sequence))
            waiting, self._waiting = self._waiting, []
            for sequence in waiting:
                self.attend(sequence)
            at_ms = self.agent.monotonic_ms()
            while True:
                hinted = await self._pause()
                now_ms = self.agent.monotonic_ms()
                if self._all_due or now_ms - at_ms >= ALL_S * 1_000:
                    at_ms, self._all_due = now_ms, False
                    await self.all()
                elif self.agent.memory.open:
                    await self._glance(hinted=hinted)

    def attend(self, sequence: int, *, recall: bool = False) -> None:
        """Look at this order until it rests or is over; `recall`: call it back first."""
        if recall:
            self._unwanted.add(sequence)
        if self._begin is None:
            self._waiting.append(sequence)
        elif sequence in self.attended:
            self.attended[sequence].set()
        else:
            self.attended[sequence] = asyncio.Event()
            self._begin(sequence)

    async def all(self) -> Settled:
        """A look at everything; where balances differ a fill may have come between: once more."""
        self.agent.memory.forget(self.whole_at_ms - FORGOTTEN_MS)
        settled = await self._take_all(await self._still())
        if any(one.why == Why.BALANCE for one in settled.frozen):
            settled = await self._take_all(await self._still())
        return settled

    async def _still(self) -> Claims:
        """Everything; but no balances, if orders moved while they were asked for."""
        moved, before = self._moves, self._held
        found = await self._everything()
        if not moved and not self._moves and before == self._held:
            return found
        self._all_due = True
        return found._replace(balances=FAILED)

    @property
    def _moves(self) -> bool:
        return bool(self.attended) or not self.agent.idle.is_set()

    @property
    def _held(self) -> tuple[int, ...]:
        state = self.agent.engine.decided.state
        return (state.account.cash, *(lane.quantity for lane in state.lanes))

    async def rests(self) -> None:
        """Wait until nothing is under way, and nothing in doubt."""
        while self._moves:
            await self.agent.idle.wait()
            for again in tuple(self.attended.values()):
                again.set()
            await self.agent.wait(AGAIN_S)

    @property
    def in_doubt(self) -> int:
        """Orders that move, or that nobody knows the place of."""
        return len({*self.attended, *self._waiting})

    def look_at_all(self) -> None:
        """At everything, and soon."""
        self._all_due = True
        self._hinted.set()

    async def _everything(self) -> Claims:
        agent = self.agent
        since_ms = self.whole_at_ms - OVERLAP_MS
        sent = [one.sending_at_ms for one in agent.memory.open if one.sending_at_ms]
        orders_since_ms = min([since_ms, *sent]) - CLOCKS_MS
        turn = partial(agent.gate.turn, Rank.QUESTION)
        return await agent.inquiry.all(turn, since_ms, orders_since_ms)

    async def _take_all(self, found: Claims, *, starting: bool = False) -> Settled:
        agent = self.agent
        settled = await agent.settle(found, starting=starting)
        if is_whole_but_balances(found):
            self._silent = False
        if is_whole(found):
            self.whole_at_ms = found.at_ms
            if settled.whole:
                self.reconciled_at_ms = found.at_ms
            day = found.at_ms // DAY_MS
            if settled.tied and (starting or day > agent.memory.tied_at_ms // DAY_MS):
                await agent.deliver(partial(self._tied, settled, found.at_ms))
        elif troubles(found):
            self._tell_silence(found)
        self._attend_all(settled)
        return settled

    def _attend_all(self, settled: Settled) -> None:
        for sequence in (*settled.unknown, *settled.recall):
            self.attend(sequence)

    def _tied(self, settled: Settled, at_ms: int, _: State) -> list[Moment]:
        return [Moment((), also=self.agent.memory.tie_out(settled.tied, at_ms))]

    async def _begin_book(self, found: Claims) -> Claims:
        """When nothing moves: what comes later has moved since, what came before is aside."""
        agent = self.agent
        while True:
            again = await self._everything()
            if again.balances.whole and again.balances.items == found.balances.items:
                break
            found = again
            text = f"the account at {agent.venue} moves: the book begins once it does not"
            agent.told("account_moves", text, {})
            await agent.wait(BEGIN_S)
        # The venue's clock may be ahead of ours.
        began_ms = max([again.at_ms, *(one.at_ms + 1 for one in again.moved.items)])
        found = again._replace(at_ms=began_ms)
        foreign = begun(agent.engine.state, found)
        for one in foreign:
            if one.currency == QUOTE and one.aside < 0:
                capital = agent.engine.state.account.cash
                there, unit = decimal(capital + one.aside, MONEY), agent.units[0]
                raise NotArmed(
                    f"The account at {agent.venue} holds {there} {unit.quote}, and the book is to"
                    f" begin with {decimal(capital, MONEY)}.",
                    "Set capital to what is there or less, or pay the rest in.",
                )
        noted = [Moment((), also=agent.memory.begin(foreign, found.at_ms))]
        await agent.deliver(lambda _: noted)
        return again

    async def _glance(self, *, hinted: bool) -> None:
        """Whatever is not among the open orders any more is looked at."""
        agent = self.agent
        found = await agent.inquiry.open(partial(agent.gate.turn, Rank.QUESTION))
        if not found.open.whole:
            self._tell_silence(found)
            return
        self._silent = False
        settled = await agent.settle(found)
        if settled.unknown and not hinted:
            self.unheard.set()
        self._attend_all(settled)

    async def _attending(self, sequence: int) -> None:
        tries, search = 0, None
        again = self.attended[sequence]
        while True:
            again.clear()
            if sequence in self._unwanted:
                self._unwanted.discard(sequence)
                await self.agent.recall(sequence)
            search = await self._look(sequence, search)
            missed = search is not None and search.verdict == Verdict.UNKNOWN
            if not again.is_set() and not missed and self._rests(sequence):
                break
            pause_s = min(AGAIN_S * 2.0 ** min(tries, 16), AGAIN_S_MAX)
            if search is not None:
                now_ms = self.agent.clock()
                pause_s = max(next_at_ms(search, self.patience) - now_ms, 0) / 1_000
            tries += 1
            await _set_within(again, pause_s)
        del self.attended[sequence]

    async def _look(self, sequence: int, search: Search | None) -> Search | None:
        """By its name; and where nobody knows the name, among all that there is."""
        agent, known = self.agent, self.agent.memory.known[sequence]
        order = agent.order_of(sequence)
        rank = Rank.EXIT if urgent(order) else Rank.ENTRY
        turn = partial(self._turn, rank)
        since_ms = (known.sending_at_ms or agent.clock()) - CLOCKS_MS
        kind = order.kind if order else int(Kind.TAKE)
        found = await agent.inquiry.one(turn, known, kind, since_ms)
        if isinstance(found, Outcome):
            return search
        if found.open.items or found.closed.items:
            settled = await agent.settle(found)
            _note(self._recalled, sequence, there=sequence in settled.recall)
            _note(self._behind, sequence, there=sequence in settled.unknown)
            if sequence in settled.recall:
                await agent.recall(sequence)
            return None
        search = search or Search(_sought_from(known, agent.clock()))
        found = await agent.inquiry.orders(turn, since_ms)
        search = heard(search, round_of(known, found), self.patience)
        gone = search.verdict == Verdict.NOT_PLACED
        settled = await agent.settle(found, gone=frozenset({sequence} if gone else ()))
        if gone:
            text = f"order {sequence} never arrived: {search.misses} looks found nothing of it"
            agent.told("order_not_placed", text, {"order": sequence})
        return search

    @asynccontextmanager
    async def _turn(self, rank: Rank) -> AsyncIterator[None]:
        """What is asked about an exit may spend the reserve of the pace."""
        async with self.agent.gate.turn(rank):
            with self.agent.wire.exits() if rank == Rank.EXIT else nullcontext():
                yield

    def _rests(self, sequence: int) -> bool:
        """Whether nothing of it is in doubt, and it does not move."""
        known = self.agent.memory.known[sequence]
        if sequence in self._recalled or sequence in self._behind:
            return False
        if known.progress in OVER:
            return True
        if known.progress != Progress.PLACED:
            return False
        for order in working(self.agent.engine.decided.state):
            if order.sequence == sequence:
                return not is_take(order) and order.stage == Stage.WORKING
        return False  # the book has seen its last fill, the venue's word is still to come

    async def _pause(self) -> bool:
        """Until the next look is due, or something hints at one; whether something did."""
        hinted = await _set_within(self._hinted, HEARD_S if self.hears else GLANCE_S)
        if hinted:
            await self.agent.wait(HINTED_S)
        self._hinted.clear()
        return hinted

    def _tell_silence(self, found: Claims) -> None:
        if not self._silent:
            self._silent = True
            said = "; ".join(troubles(found)[:3]) or "its answers are not whole"
            text = f"{self.agent.venue} does not say how the account is: {said}"
            self.agent.told("account_unread", text, {"troubles": troubles(found)})


def _note(noted: set[int], sequence: int, *, there: bool) -> None:
    if there:
        noted.add(sequence)
    else:
        noted.discard(sequence)


def _enough(found: Claims, tries: int) -> bool:
    """A ledger that cannot be read is no reason never to look after what works there."""
    if tries >= UNREAD_MAX:
        found = found._replace(moved=Answer((), True))
    return is_whole(found)


def _sought_from(known: Known, now_ms: int) -> int:
    """An order that was placed, and is not there, is missed from now on."""
    return now_ms if known.progress == Progress.PLACED else known.sending_at_ms


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):  # Python 3.11's `wait_for` may swallow who cancels
            await event.wait()
    except TimeoutError:
        return False
    return True
