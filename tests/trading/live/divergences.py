"""A model venue and a model book fall apart at random, and one pass makes them agree.

The book is the kernel, fed with closes and signals. Its orders land or not, fill in parts, end
behind its back; others trade, deposit, withdraw and leave dust; fees are in the quote, the base or
a third coin. Then the venue is asked: answers that are stale, cut short, doubled or fail, first;
true ones after them, and the same once more. What must hold is said by the venue's own ledger.
`python -m tests.trading.live.divergences --examples 10000 --seed 1`.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from rrr.core.events import Close, Command, Event, Flow, Limits, Listing, Signal, Verb
from rrr.core.kernel import step
from rrr.core.orders import NO_REPORT, Cancel, Kind, Order, Side, Status
from rrr.core.state import EMPTY, State
from rrr.database.live import Foreign, Known, Notes, Outside, Progress
from rrr.database.sessions import Unit
from rrr.trading.live import claims
from rrr.trading.live.claims import FAILED, Answer, Claims, Reading
from rrr.trading.live.reconcile import begun, reconciled
from rrr.trading.live.seen import Seen, Settled, working
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
LAWS: Final = (
    LAW,
    LAW._replace(entry_maker=1, target_rests=1),
    LAW._replace(stop_limit_bps=50),
    LAW._replace(trail_bps=100),
)


def sequence_of(text: str) -> int | None:
    return int(text.removeprefix(OURS)) if text.startswith(OURS) else None


READING: Final = Reading(UNITS, sequence_of)


@dataclass(slots=True)
class Game:
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
    unsent: list[Order | Cancel] = field(default_factory=list)
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
        for _ in range(20):
            if not self.unsent:
                break
            self.carry(self.unsent.pop(0))
        for _ in range(dice.randrange(8)):
            dice.choice((self.trade, self.trade, self.trade, self.end, self.disturb))()
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
            if isinstance(one, Order | Cancel):
                self.unsent.append(one)

    def carry(self, sent: Order | Cancel) -> None:
        """Send, and be killed, cut off or answered."""
        dice, number = self.dice, sent.sequence
        if isinstance(sent, Cancel):
            if number in self.landed and dice.random() < 0.5:
                self.venue.end(self.landed[number])
                self.told["cancelled unheard"] += 1
            return
        if self.known[number].progress != Progress.NEW:
            return  # a start ended what had not left
        fate = dice.choice(("never", "lost", "silent", "silent", "told", "told", "told", "refused"))
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

    def trade(self) -> None:
        """Part of an order of ours is filled."""
        working = [one for one in self.landed.values() if one.status == "open"]
        if working:
            order = self.dice.choice(working)
            share = self.dice.choice((1, 2, 3))
            base = order.symbol.partition("/")[0]
            coin = self.dice.choice(("USD", "USD", base, "BNB", "ETH"))
            if coin == base and order.side == "sell":
                coin = "USD"  # a fee is taken from what is bought, or from a third coin
            self.venue.fill(order, -(-order.amount // GRAIN // share), coin)
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
        return Seen(self.state, notes, START, self.dedicated, starting, frozenset(gone))

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

    def faulty_pass(self) -> None:
        kinds = ("", "", "stale", "stale", "cut", "failed")
        faults = {query: self.dice.choice(kinds) for query in QUERIES}
        self.told.update(f"{fault} {query}" for query, fault in faults.items() if fault)
        self.write(reconciled(self.seen(self.dice.random() < 0.5), self.ask(faults)))
        nothing_is_invented(self)

    def true_pass(self) -> None:
        """A start after a death: everything that was lost has been looked up."""
        lost = [number for number in self.known if number not in self.landed]
        before = {*self.known}
        settled = reconciled(self.seen(True, lost), self.ask({}))
        self.told.update(type(one).__name__ for one in (*settled.reports, *settled.flows))
        self.told.update(f"froze {one.why}" for one in settled.frozen)
        self.told["recalled"] += len(settled.recall)
        self.told["waits"] += len(settled.waiting)
        self.told["unknown"] += len(settled.unknown)
        self.write(settled)
        nothing_is_invented(self)
        they_agree(self, before, settled)
        again = reconciled(self.seen(False), self.ask({}))
        assert again.nothing, again
        assert again.frozen == settled.frozen
        assert again.waiting == settled.waiting
        for number in settled.recall:
            self.venue.end(self.landed[number])


def nothing_is_invented(game: Game) -> None:
    """Whatever the answers were."""
    names = {one.id: one for one in game.venue.trades}
    assert len(game.booked) == len({*game.booked}), "A trade is booked once."
    for booked in game.booked:
        trade = names[booked.rpartition(" ")[2]]
        assert trade.order.client_id is not None
        assert trade.order.client_id.startswith(OURS), "Nothing foreign is booked."
    rows = [(one.kind, one.id, one.currency) for one in game.foreign]
    assert len(rows) == len({*rows}), "What is foreign is noted once."
    for one in game.foreign:
        if one.kind == Outside.ORDER:
            placed = next(o for o in game.venue.orders if o.id == one.id.rpartition(" ")[2])
            assert placed not in game.landed.values(), "Nothing of ours is foreign."
        if one.kind == Outside.TRADE:
            trade = names[one.id.rpartition(" ")[2]]
            fee_only = trade.fee_coin == COINS[one.currency] and one.flow == 0
            assert trade.order not in game.landed.values() or fee_only
    for number, known in game.known.items():
        if known.progress == Progress.ENDED and number in game.landed:
            assert game.landed[number].status != "open", "Nothing is ended that works."
            assert game.landed[number].filled == known.filled * GRAIN, "All its fills are known."


def they_agree(game: Game, before: set[int], settled: Settled) -> None:
    """After true answers, by the ledger of the venue."""
    ours = {one.id: one for one in game.venue.trades if one.order in game.landed.values()}
    assert {booked.rpartition(" ")[2] for booked in game.booked} == {*ours}, "No fill is lost."
    open_there = {n: one for n, one in game.landed.items() if one.status == "open"}
    open_here = {one.sequence: one for one in working(game.state) if one.sequence in before}
    assert {*open_here} == {*open_there}
    for number, order in open_here.items():
        assert order.filled * GRAIN == open_there[number].filled
        assert game.known[number].venue_id == open_there[number].id
    assert settled.unknown == ()

    noted = {one.id.rpartition(" ")[2] for one in game.foreign}
    outside = [(one.id, Counter({one.coin: one.amount})) for one in game.venue.moved]
    outside += [(one.id, one.moves()) for one in game.venue.trades if one.id not in ours]
    left_out = [moves for id, moves in outside if id not in noted and any(map(moves.get, COINS))]
    aside = [sum(one.aside for one in game.foreign if one.currency == c) for c in range(len(COINS))]
    account = game.state.account
    for moves in left_out:
        free = account.cash + aside[0] - account.held
        assert free * GRAIN + moves["USD"] < 0, "Only what cannot be paid waits."
    assert bool(left_out) == bool(settled.waiting)
    money_is_where_it_should_be(game, aside[0], sum(moves["USD"] for moves in left_out))
    for i, coin in enumerate(COINS[1:]):
        coins_are_where_they_should_be(game, i, coin, aside[1 + i])

    strange = {one.symbol for one in game.venue.orders if is_foreign(one) and one.status == "open"}
    strange |= {one.symbol for one in game.venue.orders if is_foreign(one) and one.id in noted}
    shifted = Counter({coin: abs(n) for coin, n in game.dust.items()})
    for _, moves in outside:
        shifted.update({coin: abs(n) for coin, n in moves.items()})
    for trade in ours.values():
        if trade.fee_coin not in trade.order.symbol:
            shifted[trade.fee_coin] += trade.fee
    touched = {i for i, coin in enumerate(COINS[1:]) if shifted[coin] or SYMBOLS[i] in strange}
    expected = {*range(len(SYMBOLS))} if left_out else touched
    assert {one.instrument for one in settled.frozen} == expected


def is_foreign(order: Placed) -> bool:
    return not (order.client_id or "").startswith(OURS)


def money_is_where_it_should_be(game: Game, aside: int, left_out: int) -> None:
    """The book's cash is its capital, its own trades and its flows; with the others' it is all."""
    account = game.state.account
    traded = sum(t.moves()["USD"] for t in game.venue.trades if not is_foreign(t.order))
    flows = sum(one.flow for one in game.foreign)
    assert account.invested == CAPITAL + flows
    assert 0 <= (CAPITAL + flows) * GRAIN + traded - account.cash * GRAIN <= game.slack * GRAIN
    there = game.venue.balances["USD"] - left_out
    assert 0 <= there - (account.cash + aside) * GRAIN <= game.slack * GRAIN
    assert aside >= 0
    if game.dedicated:
        assert aside == 0
    else:
        assert all(one.flow <= 0 for one in game.foreign), "What others bring is not the book's."


def coins_are_where_they_should_be(game: Game, i: int, coin: str, aside: int) -> None:
    held = game.state.lanes[i].quantity
    bought = 0
    for trade in game.venue.trades:
        if trade.order.symbol == SYMBOLS[i] and not is_foreign(trade.order):
            bought += trade.moves()[coin]
    assert 0 <= bought - held * GRAIN <= game.slack * GRAIN
    there = game.venue.balances[coin] - game.dust[coin]
    assert 0 <= there - (held + aside) * GRAIN <= game.slack * GRAIN


def played(seed: int, number: int) -> Game:
    """A book's few hours, with a pass of true answers at the end of each."""
    game = Game(Random(f"{seed} {number}"))
    for _ in range(3):
        game.live()
        for _ in range(game.dice.randrange(3)):
            game.faulty_pass()
        game.true_pass()
    return game


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    told: Counter[str] = Counter()
    for number in range(asked.examples):
        try:
            told += played(asked.seed, number).told
        except AssertionError:
            print(f"seed {asked.seed}, example {number}:")  # noqa: T201
            raise
    for name, times in sorted(told.items()):
        print(f"{times:8,} {name}")  # noqa: T201
    print(f"{asked.examples:,} books, seed {asked.seed}: each agreed after one pass.")  # noqa: T201


if __name__ == "__main__":
    main()
