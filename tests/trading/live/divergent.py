"""A model book and a model venue that fall apart at random: what either does, and what each hears.

The book is the kernel, fed with closes and signals. Its orders land or not, fill in parts, end
behind its back; its stops are changed unheard, late, or by somebody's hand; others trade, deposit,
withdraw and leave dust; fees are in the quote, the base or a third coin.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from rrr.core.events import Close, Command, Event, Flow, Limits, Listing, Signal, Verb
from rrr.core.kernel import step
from rrr.core.orders import (
    NO_REPORT,
    Amend,
    Cancel,
    Kind,
    Order,
    Rejection,
    Side,
    Stage,
    Status,
    is_stop,
)
from rrr.core.state import EMPTY, Sizing, State
from rrr.database.live import Foreign, Known, Notes, Outside, Progress
from rrr.database.sessions import Unit
from rrr.trading.live import claims, outcomes
from rrr.trading.live.amending import became
from rrr.trading.live.claims import FAILED, Answer, Claims, Reading
from rrr.trading.live.outcomes import Outcome
from rrr.trading.live.seen import Seen, Settled, begun
from tests.builders import BTC, HOUR, LAW, PRICE, QUANTA, START, candle
from tests.trading.live.model_venue import GRAIN, Answers, ModelVenue, Placed

UNITS: Final = tuple(
    Unit("model", f"{base}-USD", base, "USD", 4, 8, 0, "") for base in ("BTC", "ETH")
)
INSTRUMENTS: Final = (BTC, BTC._replace(id=1, fee_in_base=1))
SYMBOLS: Final = tuple(f"{unit.base}/{unit.quote}" for unit in UNITS)
COINS: Final = ("USD", *(unit.base for unit in UNITS))
CAPITAL: Final = 100_000 * QUANTA
OURS: Final = "rrr-"
ONE: Final = 10**12  # parts of a coin
QUERIES: Final = ("open", "closed", "trades", "moved", "balances")
AMENDS: Final = LAW._replace(stop_amends=1, sizing=int(Sizing.EQUITY))
LAWS: Final = (
    LAW,
    LAW._replace(entry_maker=1, target_rests=1),
    LAW._replace(stop_limit_bps=50),
    LAW._replace(trail_bps=100),
    AMENDS,
    AMENDS,
    AMENDS._replace(stop_limit_bps=50, target_rests=1),
)


def sequence_of(text: str) -> int | None:
    return int(text.removeprefix(OURS)) if text.startswith(OURS) else None


READING: Final = Reading(UNITS, sequence_of)


@dataclass(slots=True)
class Divergent:
    """One book at one venue, and what is written at its seam."""

    dice: Random
    state: State = EMPTY
    at_ms: int = START
    known: dict[int, Known] = field(default_factory=dict)
    booked: list[str] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    flowed: Counter[str] = field(default_factory=Counter)
    landed: dict[int, Placed] = field(default_factory=dict)
    dust: Counter[str] = field(default_factory=Counter)
    unsent: list[Order | Cancel | Amend] = field(default_factory=list)
    amends: dict[int, Amend] = field(default_factory=dict)  # of which old answers may not show
    slack: int = 0
    told: Counter[str] = field(default_factory=Counter)  # what happened, by name
    dedicated: bool = True
    venue: ModelVenue = field(init=False)
    past: list[Answers] = field(default_factory=list)

    def __post_init__(self) -> None:
        dice = self.dice
        self.dedicated = dice.random() < 0.7
        before = Counter({"BNB": 100 * ONE, "BTC": dice.choice((0, 0, 7 * GRAIN))})
        before["USD"] = 0 if self.dedicated else 3_000 * ONE
        held = before + Counter({"USD": CAPITAL * GRAIN})
        self.venue = ModelVenue(dice, START, held)
        self.meet(Limits(START, dice.choice(LAWS)))
        for instrument in INSTRUMENTS:
            self.meet(Listing(START, instrument))
        self.meet(Flow(START, CAPITAL))
        self.foreign += begun(self.state, self.ask({}))
        self.past.append(self.venue.answers())

    def live(self) -> None:
        """An hour: the book decides, and both go their ways."""
        dice, opened = self.dice, self.at_ms
        self.at_ms = max(opened, self.venue.at_ms) + HOUR
        self.venue.at_ms = self.at_ms
        prices = [PRICE + dice.randrange(-20, 20) * 10_000 for _ in INSTRUMENTS]
        candles = tuple(candle(price, of=i) for i, price in enumerate(prices))
        self.meet(Close(self.at_ms, opened, candles, ()))
        for i in range(len(INSTRUMENTS)):
            wish = dice.choice((10_000, 10_000, 5_000, 0))
            self.meet(Signal(self.at_ms, i, wish, 0))
        if dice.random() < 0.1:
            self.meet(Command(self.at_ms, dice.choice([*Verb])))
        if dice.random() < 0.05:
            self.meet(Limits(self.at_ms, dice.choice(LAWS)))
        self.carry_all()
        for i, lane in enumerate(self.state.lanes):
            if self.state.law.stop_amends and lane.stop.stage == Stage.WORKING:
                self.meet(Signal(self.at_ms, i, dice.choice((4_000, 2_000, 1_000)), 0))
        self.carry_all()
        for _ in range(dice.randrange(8)):
            dice.choice((self.trade, self.trade, self.trade, self.end, self.disturb, self.change))()
        if dice.random() < 0.7:
            self.past.append(self.venue.answers())
        for order in self.venue.orders:
            if order.takes and dice.random() < 0.9:
                self.venue.end(order)

    def meet(self, event: Event) -> None:
        self.state, decisions = step(self.state, event)
        for one in decisions:
            if isinstance(one, Order):
                new = Known(one.sequence, one.instrument, one.side, one.quantity, Progress.NEW, "")
                name = f"{OURS}{one.sequence}"
                self.known[one.sequence] = new._replace(client_id=name, intent_at_ms=one.at_ms)
            if isinstance(one, Amend):
                self.amends[one.sequence] = one
            if isinstance(one, Order | Cancel | Amend):
                self.unsent.append(one)

    def carry_all(self) -> None:
        for _ in range(20):
            if not self.unsent:
                break
            self.carry(self.unsent.pop(0))

    def carry(self, sent: Order | Cancel | Amend) -> None:
        """Send, and be killed, cut off or answered."""
        dice, number = self.dice, sent.sequence
        if isinstance(sent, Amend):
            self.amend(sent)
            return
        if isinstance(sent, Cancel):
            if number in self.landed and dice.random() < 0.5:
                self.venue.end(self.landed[number])
                self.told["cancelled unheard"] += 1
            return
        if self.known[number].progress != Progress.NEW:
            return  # a start ended what had not left
        fates = ("never", "lost", "silent", "silent", "told", "told", "told", "refused")
        fate = dice.choice((*fates, *("told",) * (9 if is_stop(sent.kind) else 0)))
        self.told[fate] += 1
        if fate == "never":
            return
        known = self.known[number]._replace(progress=Progress.SENDING, sending_at_ms=self.at_ms)
        if fate in ("silent", "told"):
            side = "buy" if sent.side == Side.BUY else "sell"
            price = PRICE + dice.randrange(-500, 500)
            takes = sent.kind == Kind.TAKE
            name = known.client_id
            placed = self.venue.place(
                name, SYMBOLS[sent.instrument], side, sent.quantity, price, takes
            )
            placed.trigger = sent.price if is_stop(sent.kind) else 0
            if partner := self.landed.get(sent.partner):
                placed.partners, partner.partners = (partner,), (placed,)
            self.landed[number] = placed
            if fate == "told":
                known = known._replace(progress=Progress.PLACED, venue_id=placed.id)
        elif fate == "refused":
            known = known._replace(progress=Progress.REJECTED, settled_at_ms=self.at_ms)
        elif dice.random() < 0.5:
            known = known._replace(progress=Progress.UNKNOWN)
        self.known[number] = known
        said = {Progress.PLACED: Status.ACCEPTED, Progress.REJECTED: Status.REJECTED}
        said[Progress.UNKNOWN] = Status.UNKNOWN
        if status := said.get(Progress(known.progress)):
            report = NO_REPORT._replace(at_ms=self.at_ms, instrument=sent.instrument)
            self.meet(report._replace(sequence=number, side=sent.side, status=int(status)))

    def amend(self, wanted: Amend) -> None:
        """It lands or not, and is answered or not: also long after nobody waits for it."""
        fate = self.dice.choice(("lost", "silent", "silent", "told", "told", "refused"))
        placed, stop = self.landed[wanted.sequence], self.state.lanes[wanted.instrument].stop
        late = self.amends.get(wanted.sequence) is not wanted
        if fate in ("silent", "told"):
            landed = placed.status == "open" and wanted.quantity * GRAIN > placed.filled
            if landed:
                self.venue.amend(placed, wanted.quantity, wanted.price)
                self.told[f"amended{', late' if late else ''}, {fate}"] += 1
            outcome = Outcome(outcomes.Kind.CONFIRMED)
            if not landed:
                outcome = Outcome(outcomes.Kind.REJECTED, Rejection.UNKNOWN_ORDER)
        else:
            self.told[f"not amended, {fate}"] += 1
            outcome = Outcome(outcomes.Kind.REJECTED, Rejection.TERMS)
        if fate not in ("told", "refused"):
            return
        if figures := became(stop, wanted, outcome):
            known = self.known[wanted.sequence]
            self.known[wanted.sequence] = known._replace(quantity=figures["quantity"])
            report = NO_REPORT._replace(at_ms=self.at_ms, instrument=wanted.instrument)
            report = report._replace(sequence=wanted.sequence, side=stop.side)
            self.meet(report._replace(status=int(Status.AMENDED), **figures))

    def change(self) -> None:
        """Somebody changes a stop by hand: to no more than the book's own coins there."""
        working = [lane.stop for lane in self.state.lanes if lane.stop.stage == Stage.WORKING]
        stops = [self.landed[one.sequence] for one in working if one.sequence in self.landed]
        stops = [one for one in stops if one.status == "open"]
        if not stops or not self.state.law.stop_amends:
            return
        placed = self.dice.choice(stops)
        mine, base = [*self.landed.values()], placed.symbol.partition("/")[0]
        same = [one for one in mine if one.symbol == placed.symbol and one is not placed]
        sales = [one for one in same if one.side == "sell" and one.status == "open"]
        trades = [one for one in self.venue.trades if one.order in (*same, placed)]
        held = sum(one.moves()[base] for one in trades) + placed.filled
        held -= sum(one.amount - one.filled for one in sales if placed not in one.partners)
        grains = self.dice.randint(1, max(held // GRAIN, 1))
        if placed.filled < grains * GRAIN <= held:
            self.venue.amend(placed, grains, placed.trigger - 10_000)
            self.told["amended by hand"] += 1

    def trade(self) -> None:
        """Part of an order of ours is filled."""
        working = [number for number, one in self.landed.items() if one.status == "open"]
        if working:
            number = self.dice.choice(working)
            order, all_we_know = self.landed[number], self.known[number].quantity
            grains = -(-order.amount // GRAIN // self.dice.choice((1, 2, 3)))
            if order.amount != all_we_know * GRAIN and self.dice.random() < 0.3:
                grains = all_we_know
            base = order.symbol.partition("/")[0]
            coin = self.dice.choice(("USD", "USD", base, "BNB", "ETH"))
            if coin == base and order.side == "sell":
                coin = "USD"  # a fee is taken from what is bought, or from a third coin
            self.venue.fill(order, grains, coin)
            self.told[f"filled, fee in {coin}"] += 1

    def end(self) -> None:
        if self.landed:
            self.venue.end(self.dice.choice([*self.landed.values()]))
            self.told["ended behind our back"] += 1

    def disturb(self) -> None:
        """What others do in the same account."""
        dice, kind = (
            self.dice,
            self.dice.choice(("order", "deposit", "withdrawal", "coins", "dust")),
        )
        if dice.random() < 0.5:
            return
        self.told[f"foreign {kind}"] += 1
        if kind == "order":
            symbol, side = dice.choice((*SYMBOLS, "ETH/BTC")), dice.choice(("buy", "sell"))
            name = dice.choice((None, "x-1"))
            price = 500 if symbol == "ETH/BTC" else PRICE
            grains = dice.randrange(1, 10**7)
            order = self.venue.place(name, symbol, side, grains, price, False)
            self.venue.fill(order, dice.choice((0, grains // 2, grains)), "BNB")
            if dice.random() < 0.5:
                self.venue.end(order)
        elif kind == "dust":
            coin, amount = dice.choice(COINS[1:]), dice.choice((1, -1)) * 10**5 * GRAIN
            amount = max(amount, -self.venue.balances[coin])
            self.venue.balances[coin] += amount
            self.dust[coin] += amount
        elif kind == "coins":
            self.venue.move(dice.choice(COINS[1:]), dice.choice((1, -1)) * dice.randrange(ONE))
        else:
            way = 1 if kind == "deposit" else -1
            self.venue.move("USD", way * dice.choice((10, 1_000, 40_000)) * ONE + way * 77)

    def ask(self, faults: dict[str, str]) -> Claims:
        """Every query, each with its own fault or none."""
        now = self.venue.answers()
        said = {query: self.hear(query, faults.get(query, ""), now) for query in QUERIES}
        at_ms = max(self.at_ms, self.venue.at_ms)
        return Claims(at_ms, **said)

    def hear(self, query: str, fault: str, now: Answers) -> Answer[Any]:
        said = self.dice.choice(self.past)[query] if fault == "stale" else now[query]
        if fault == "failed":
            return FAILED
        if query == "balances":
            return claims.balances(said if fault != "cut" else {}, READING)
        said = [*said, *said[: self.dice.randrange(3)]]
        self.dice.shuffle(said)
        if fault == "cut":
            said = said[: self.dice.randrange(len(said) + 1)]
        read: Any = {"trades": claims.trades, "moved": claims.movements}.get(query, claims.orders)
        answer: Answer[Any] = read(said, READING)
        assert answer.whole, answer.troubles
        return answer._replace(whole=fault != "cut")

    def seen(self, starting: bool, gone: Iterable[int] = ()) -> Seen:
        aside = Counter(dict.fromkeys(range(len(COINS)), 0))
        for one in self.foreign:
            aside[one.currency] += one.aside
        notes = Notes(
            orders=tuple(self.known.values()),
            trades=frozenset(self.booked),
            foreign=frozenset((one.kind, one.id) for one in self.foreign),
            aside=tuple(aside[c] for c in range(len(COINS))),
            touched=frozenset(one.instrument for one in self.foreign if one.instrument >= 0),
            slack=self.slack,
        )
        seen = Seen(self.state, notes, START, self.dedicated, starting, frozenset(gone))
        return seen._replace(amends={**self.amends})

    def write(self, settled: Settled) -> None:
        """What the engine and the database would do."""
        for one in settled.orders:
            self.known[one.sequence] = one
        self.booked += [one.trade_id for one in settled.trades]
        self.foreign += settled.foreign
        self.slack += sum(one.rounded for one in settled.trades)
        self.slack += sum(one.kind != Outside.ORDER for one in settled.foreign)
        events: list[Event] = [*settled.reports, *settled.flows]
        for event in events:
            self.meet(event)
