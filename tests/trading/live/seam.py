"""Between a book and a venue, words are late, twice, lost, and turned around.

What the core sends travels on a wire; what the venue says lies there until it is told. The seam is
as `trading/live` promises: a fill that the books cannot hold yet waits, one of an order that the
core has forgotten is known by its trade id, what is called back and still open is asked again, and
so is a sale that was refused, before the next close. What has become of a stop that is amended is
said by its answer or by a look, whichever is first; while it is under way, and for a while after,
an old answer is not believed; once nobody waits any more, the stop is as it is shown.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from rrr.core.events import Close, Command, Event, Flow, Limits, Signal, Touch, Verb
from rrr.core.market import Candle
from rrr.core.orders import NO_REPORT, Amend, Cancel, Order, Rejection, Report, Side, Stage, Status
from rrr.core.state import State
from rrr.trading.engine.far import advance
from rrr.trading.engine.paper import NO_WORLD, Record, World
from tests.builders import LIQUID, PRICE, START
from tests.trading.live import sequence_laws as laws
from tests.trading.live.late_venue import LateVenue, Placed
from tests.trading.live.seam_terms import CAPITAL, LAWS, LISTED, MINUTE
from tests.trading.live.sequence_laws import Tally, slot, slots

CONVICTIONS: Final = (0, -10_000, 500, 2_500, 2_500, 5_000, 5_000, 7_500, 10_000, 10_000)
VERBS: Final = (*Verb, *(Verb.RESUME,) * 5)
SINCE: Final = 12  # words that may be told again

Step = Callable[[Random], None]


@dataclass(slots=True)
class Seam:
    """A book, a venue, and what is on its way between them."""

    venue: LateVenue
    world: World = NO_WORLD
    at_ms: int = START
    wire: list[Order | Cancel | Amend] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)  # orders that never arrive
    standing: dict[int, Amend] = field(default_factory=dict)  # of which old answers may not show
    past: list[Report] = field(default_factory=list)  # told, the last ones
    moving: list[int] = field(default_factory=list)  # money that moved and nobody told of yet
    tally: Tally = field(default_factory=Tally)
    told: Counter[str] = field(default_factory=Counter)
    moody: bool = True
    refused: dict[int, Order] = field(default_factory=dict)  # the last sale, by instrument
    forgotten: set[int] = field(default_factory=set)  # orders whose fills only the seam knows

    @property
    def state(self) -> State:
        return self.world.state

    def meet(self, event: Event) -> None:
        """One event enters; every law is looked at, and what leaves is put on the wire."""
        before, record = self.state, Record()
        self.world = advance(self.world, event, record)
        self.tally.hear(event)
        for leaving in record[1:]:
            if isinstance(leaving, Order):
                laws.what_leaves_is_legal(leaving, event, before, self.tally, self.venue)
                self.tally.leaves(leaving)
                self.told[f"sent: {slot(leaving)}"] += 1
            if isinstance(leaving, Amend):
                told = (before, self.state, self.tally, self.venue)
                laws.what_is_amended_covers_what_stays(leaving, *told)
                self.standing[leaving.sequence] = leaving
                self.told["sent: amend"] += 1
            if isinstance(leaving, Order | Cancel | Amend):
                self.wire.append(leaving)
                self.told["sent: cancel"] += isinstance(leaving, Cancel)

    def step(self, seed: int) -> None:
        """Something happens, and every law holds."""
        dice = Random(seed)
        weights, steps = zip(*self.possible(), strict=True)
        dice.choices(steps, weights)[0](dice)
        self.look()

    def look(self) -> None:
        state = self.state
        laws.each_fill_is_booked_once(state, self.tally)
        laws.the_account_is_the_sum_of_its_lanes(state.account, state.lanes, self.tally)
        laws.no_order_is_lost_or_doubled(state, self.venue, self.wire)
        laws.no_order_fills_more_than_it_asks_for(self.tally)
        laws.no_coins_are_promised_twice(self.tally, self.venue)
        for why in laws.bare(state):
            self.told[f"bare: {why}"] += 1

    def possible(self) -> Iterable[tuple[int, Step]]:
        """What may happen now, and how likely."""
        yield from ((8, self.close), (10, self.signal), (1, self.command), (1, self.flow))
        yield from ((1, self.touch), (1, self.limit))
        if self.wire:
            yield from ((30, self.arrive), (2, self.lose), (2, self.doubt))
        if self.resting:
            yield 12, self.happen
        if self.venue.words:
            yield 40, self.tell
        if self.past:
            yield 8, self.repeat
        if self.tally.unknown:
            yield 8, self.look_up
        if self.called_back:
            yield 4, self.recall
        if self.moving:
            yield 4, self.tell_flow
        if self.standing:
            yield from ((10, self.outlast), (10, self.trouble))
        if self.stops:
            yield 15, self.look_at
        if self.refused:
            yield 4, self.again

    def close(self, dice: Random) -> None:
        opened, self.at_ms = self.at_ms, self.at_ms + MINUTE
        there = [i for i in range(len(LISTED)) if not self.moody or dice.random() < 0.9]
        candles = []
        for i in there:
            first = self.venue.prices[i]
            bps = dice.choice((3, 20, 20, 150, 600)) if self.moody else 0
            last = first + first * dice.randint(-bps, bps) // 10_000
            self.venue.prices[i] = last = min(max(last, PRICE // 10), PRICE * 10)
            low, high = min(first, last), max(first, last)
            candles.append(Candle(i, first, high, low, last, LIQUID, 1))
        missing = tuple(i for i in range(len(LISTED)) if i not in there)
        self.venue.expire(self.at_ms)
        self.meet(Close(self.at_ms, opened, tuple(candles), missing))

    def signal(self, dice: Random) -> None:
        instrument = dice.randrange(len(LISTED))
        self.meet(Signal(self.at_ms, instrument, dice.choice(CONVICTIONS), 0))

    def touch(self, dice: Random) -> None:
        i = dice.randrange(len(LISTED))
        half = self.venue.prices[i] // dice.choice((5, 500, 5_000))
        self.meet(Touch(self.at_ms, i, self.venue.prices[i] - half, self.venue.prices[i] + half))

    def command(self, dice: Random) -> None:
        self.meet(Command(self.at_ms, int(dice.choice(VERBS))))

    def limit(self, dice: Random) -> None:
        self.meet(Limits(self.at_ms, dice.choice(LAWS)))

    def flow(self, dice: Random) -> None:
        """Money moves there; it is told of later."""
        account = self.state.account
        free = account.cash - account.held + sum(amount for amount in self.moving if amount < 0)
        free = max(min(self.venue.cash, free), 0)
        amount = dice.choice((CAPITAL // 10, -free // 3))
        self.venue.cash += amount
        self.moving.append(amount)

    def tell_flow(self, dice: Random) -> None:
        amount = dice.choice(self.moving)
        if not self.is_free(amount):
            self.told["waits: a withdrawal of more than is free"] += 1
            return
        self.moving.remove(amount)
        self.told["told: a flow"] += 1
        self.meet(Flow(self.at_ms, amount))

    def arrive(self, dice: Random) -> None:
        """Whatever is on its way may overtake the rest."""
        one = self.wire.pop(dice.randrange(len(self.wire)))
        if isinstance(one, Amend):
            self.meets(one)
        if isinstance(one, Order) and one.partner and self.venue.placed[one.partner].fills:
            self.tally.raced.add(one.sequence)  # its other leg was filled before it arrived
        self.venue.receive(one, dice, self.moody)

    def meets(self, wanted: Amend) -> None:
        """What an amendment finds there: of one that comes late it was said that it is lost, and
        what is sold meanwhile may meet coins that it takes."""
        there = self.venue.placed[wanted.sequence]
        late = self.standing.get(wanted.sequence) is not wanted
        back = any(isinstance(one, Cancel) and one.sequence == wanted.sequence for one in self.wire)
        met = {"late": late, "too late": there.over, "filled": there.fills and not there.over}
        for word, is_so in (met | {"before its cancel": back and not there.over}).items():
            self.told[f"an amendment comes: {word}"] += bool(is_so)
        if late:
            sales = (one for one in self.wire if isinstance(one, Order) and one.side == Side.SELL)
            self.tally.raced |= {wanted.sequence, *(one.sequence for one in sales)}

    def lose(self, dice: Random) -> None:
        """An order, a cancel or an amendment never arrives, and nobody answers."""
        self.lost_on_its_way(dice.choice(self.wire))

    def lost_on_its_way(self, one: Order | Cancel | Amend) -> None:
        self.wire.remove(one)
        if isinstance(one, Amend):
            self.told["lost: an amendment"] += 1
        if isinstance(one, Order):
            self.lost.add(one.sequence)
            self.tell_of(one, Status.UNKNOWN)

    def doubt(self, dice: Random) -> None:
        """Nobody answers, and the order is still on its way."""
        orders = [one for one in self.wire if isinstance(one, Order)]
        if orders:
            self.tell_of(dice.choice(orders), Status.UNKNOWN)

    def happen(self, dice: Random) -> None:
        self.venue.happen(dice.choice(self.resting), dice, self.moody)

    def tell(self, dice: Random) -> None:
        """Any of the words that lie there; one that does not fit yet goes back."""
        word = self.venue.words.pop(dice.randrange(len(self.venue.words)))
        if word.status == Status.AMENDED:
            self.answer(word, dice)
            return
        if not self.fits(word):
            self.told["waits: a fill that the books cannot hold yet"] += 1
            self.venue.words.append(word)
            return
        if self.moody and word.status == Status.ACCEPTED and dice.random() < 0.1:
            self.tell_of(self.tally.sent[word.sequence], Status.UNKNOWN)  # its answer was lost
        self.hear(word)
        self.past = [*self.past, word][-SINCE:]

    def answer(self, word: Report, dice: Random) -> None:
        """What an amendment led to, unless it is lost, or a look has told it before."""
        stop = self.state.lanes[word.instrument].stop
        if self.moody and dice.random() < 0.2:
            self.told["lost: the answer to an amendment"] += 1
        elif stop.sequence != word.sequence or stop.stage not in (Stage.AMENDING, Stage.CANCELLING):
            self.told["dropped: the answer to an amendment"] += 1
        elif word.rejection:
            self.standing.pop(word.sequence, None)
            self.hear(word._replace(quantity=stop.quantity, price=stop.price))
        else:
            self.hear(word)

    def trouble(self, dice: Random) -> None:
        """Whatever may come between an amendment and its stop, or its answer."""
        sequence = dice.choice(sorted(self.standing))
        there = self.venue.placed[sequence]
        on_its_way = [one for one in self.wire if one.sequence == sequence]
        what = dice.choice(("fills", "loses", "turns", "turns"))
        if what == "fills" and not there.over:
            self.venue.happen(there, dice, self.moody)
        elif what == "loses" and on_its_way:
            self.lost_on_its_way(dice.choice(on_its_way))
        elif what == "turns":
            self.meet(Signal(self.at_ms, there.order.instrument, dice.choice(CONVICTIONS), 0))

    def outlast(self, dice: Random) -> None:
        """Nobody waits for an amendment any more, be it still on its way or not."""
        sequence = dice.choice(sorted(self.standing))
        self.told["outlasted: an amendment"] += 1
        del self.standing[sequence]

    def look_at(self, dice: Random) -> None:
        """A stop is what the venue shows; what is old is shown as long as an amendment stands."""
        stop = dice.choice(self.stops)
        self.look_at_figures(stop, dice)
        asks = self.tally.grains[stop.sequence]
        if self.is_done(stop) and self.tally.filled(stop.sequence) < asks:
            self.told["told: the end of a stop, by a look"] += 1
            self.tell_of(stop, Status.CANCELLED)

    def look_at_figures(self, stop: Order, dice: Random) -> None:
        there, wished = self.venue.placed[stop.sequence], self.standing.get(stop.sequence)
        shown = dice.choice((there.order, there.before)) if wished else there.order
        landed = shown.quantity != stop.quantity
        if wished is not None and shown.quantity != wished.quantity:
            self.told["dropped: an old look at a stop"] += landed
        elif landed or (wished is None and stop.stage == Stage.AMENDING):
            self.told["told: amended, by a look"] += landed
            said = NO_REPORT._replace(instrument=stop.instrument, sequence=stop.sequence)
            why = Rejection.NONE if landed else Rejection.EXPIRED
            figures = {"quantity": shown.quantity, "price": shown.price, "rejection": int(why)}
            self.hear(said._replace(side=stop.side, status=int(Status.AMENDED), **figures))

    def repeat(self, dice: Random) -> None:
        """What was told is told again, however long ago."""
        word = dice.choice(self.past)
        if word.quantity and word.sequence in self.forgotten:
            self.told["dropped: a trade id that was written"] += 1
            return
        self.told["told: again"] += 1
        self.hear(word)

    def look_up(self, dice: Random) -> None:
        """An unknown order is found, or is surely not there."""
        sequence = dice.choice(sorted(self.tally.unknown))
        one = self.tally.sent[sequence]
        if sequence in self.lost:
            self.told["looked up: not placed"] += 1
            self.tell_of(one, Status.CANCELLED)
        elif (found := self.venue.placed.get(sequence)) is not None and not found.over:
            self.told["looked up: found"] += 1
            self.tell_of(one, Status.ACCEPTED)

    def recall(self, dice: Random) -> None:
        """What is called back and still open is asked again."""
        order = dice.choice(self.called_back)
        self.told["recalled"] += 1
        self.wire.append(Cancel(self.at_ms, order.instrument, order.sequence))

    def again(self, dice: Random) -> None:
        """Who may not sell asks again before the next close, by a word about what is over."""
        i = dice.choice(sorted(self.refused))
        order, lane = self.refused.pop(i), self.state.lanes[i]
        if not lane.order.kind and not lane.stop.kind and lane.quantity >= LISTED[i].lot:
            self.told["asked again"] += 1
            self.tell_of(order, Status.CANCELLED)

    @property
    def resting(self) -> list[Placed]:
        return [one for i in range(len(LISTED)) for one in self.venue.open(i)]

    @property
    def stops(self) -> list[Order]:
        """Those that a look at the venue may find to be others than the book thinks."""
        stops = [lane.stop for lane in self.state.lanes if lane.stop.sequence in self.venue.placed]
        return [one for one in stops if one.stage == Stage.AMENDING or not self.agrees(one)]

    def agrees(self, stop: Order) -> bool:
        same = stop.quantity == self.venue.placed[stop.sequence].order.quantity
        return same and not self.is_done(stop)

    def is_done(self, stop: Order) -> bool:
        """Whether its venue has no word left for it, and all that it filled was told."""
        there = self.venue.placed[stop.sequence]
        told = self.tally.filled(stop.sequence) == there.filled
        return (
            there.over and told and all(one.sequence != stop.sequence for one in self.venue.words)
        )

    @property
    def called_back(self) -> list[Order]:
        on_its_way = {one.sequence for one in self.wire}
        there = {one.order.sequence for one in self.resting}
        ours = (order for lane in self.state.lanes for order in slots(lane))
        back = (order for order in ours if order.stage == Stage.CANCELLING)
        return [one for one in back if one.sequence in there - on_its_way]

    def fits(self, word: Report) -> bool:
        """Whether the books can hold a fill: no coins or cash below zero, not more of an order than
        it asks for, nor all of that while it may ask for more."""
        account, lane = self.state.account, self.state.lanes[word.instrument]
        if word.status != Status.FILLED:
            return True
        there, wished = self.venue.placed[word.sequence], self.standing.get(word.sequence)
        most = max(there.order.quantity, wished.quantity if wished else 0)
        if not laws.it_asks_for(word, most, self.tally):
            return False
        cash = account.cash - word.side * word.notional - word.fee
        return cash >= 0 <= lane.quantity + word.side * word.quantity - word.fee_grains

    def is_free(self, amount: int) -> bool:
        account = self.state.account
        return account.cash + amount >= account.held

    def knows(self, word: Report) -> bool:
        """Whether the core itself knows this order: one that works, or of the last two that ended.
        Once it does not, a trade is known by its id."""
        lane = self.state.lanes[word.instrument]
        known = {lane.ended.sequence, lane.ended_before.sequence}
        return word.sequence in known | {one.sequence for one in slots(lane)}

    def hear(self, word: Report) -> None:
        said = Status(word.status).name.lower()
        if word.rejection == Rejection.UNKNOWN_ORDER:
            said = "a cancel refused"
        elif word.status == Status.AMENDED and word.rejection:
            expired = word.rejection == Rejection.EXPIRED
            said = "an amendment expired" if expired else "an amendment refused"
        elif word.status == Status.REJECTED and word.side == Side.SELL:
            self.refused[word.instrument] = self.tally.sent[word.sequence]
        self.told[f"told: {said}"] += 1
        if self.is_late(word):
            self.told["told: filled, after its end"] += 1
            self.tally.late += max(word.side * word.notional, 0) + word.fee
        self.meet(word._replace(at_ms=self.at_ms))
        self.forgotten |= {one.sequence for one in self.past if not self.knows(one)}

    def is_late(self, word: Report) -> bool:
        lane = self.state.lanes[word.instrument]
        works = any(one.sequence == word.sequence for one in slots(lane))
        new = (word.sequence, word.fill) not in self.tally.fills
        return word.status == Status.FILLED and new and not works

    def tell_of(self, order: Order, status: Status) -> None:
        said = NO_REPORT._replace(instrument=order.instrument, sequence=order.sequence)
        self.hear(said._replace(side=order.side, status=int(status)))
