"""A model venue and a model book fall apart at random, and one pass makes them agree.

What either does is said in `divergent`. Then the venue is asked: answers that are stale, cut short,
doubled or fail, first; true ones after them, and the same once more. What must hold is said by the
venue's own ledger. `python -m tests.trading.live.divergences --examples 10000 --seed 1`.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from rrr.core.orders import Rejection, Stage, Status, is_stop
from rrr.database.live import Outside, Progress
from rrr.trading.live.reconcile import reconciled
from rrr.trading.live.seen import Settled, working
from tests.trading.live.divergent import CAPITAL as CAPITAL
from tests.trading.live.divergent import COINS as COINS
from tests.trading.live.divergent import OURS, QUERIES, SYMBOLS, Divergent
from tests.trading.live.divergent import UNITS as UNITS
from tests.trading.live.model_venue import GRAIN, Placed


@dataclass(slots=True)
class Game(Divergent):
    """A book and its venue, and the passes that make them agree."""

    def faulty_pass(self) -> None:
        """Where an answer may be old, whatever was asked of a stop is awaited still."""
        kinds = ("", "", "stale", "stale", "cut", "failed")
        faults = {query: self.dice.choice(kinds) for query in QUERIES}
        self.told.update(f"{fault} {query}" for query, fault in faults.items() if fault)
        old = "stale" in (faults["open"], faults["closed"])
        kept = {**self.amends}
        if not old and self.dice.random() < 0.5:
            self.amends.clear()
        found = self.ask(faults)
        for one in (*found.open.items, *found.closed.items):
            if one.sequence in self.amends:
                is_old = one.quantity != self.amends[one.sequence].quantity
                self.told["an amended stop, as it was"] += is_old
        settled = reconciled(self.seen(self.dice.random() < 0.5), found)
        no_old_answer_is_believed(self, settled)
        self.write(settled)
        self.amends = {**kept, **self.amends}
        nothing_is_invented(self, settled)

    def true_pass(self) -> None:
        """A start after a death: everything that was lost has been looked up."""
        lost = [number for number in self.known if number not in self.landed]
        self.amends.clear()
        before = {*self.known}
        self.told.update(unheard(self))
        settled = reconciled(self.seen(True, lost), self.ask({}))
        self.told.update(type(one).__name__ for one in (*settled.reports, *settled.flows))
        self.told.update(f"froze {one.why}" for one in settled.frozen)
        self.told["recalled"] += len(settled.recall)
        self.told["waits"] += len(settled.waiting)
        self.told["unknown"] += len(settled.unknown)
        self.write(settled)
        nothing_is_invented(self, settled)
        they_agree(self, before, settled)
        again = reconciled(self.seen(False), self.ask({}))
        assert again.nothing, again
        assert again.frozen == settled.frozen
        assert again.waiting == settled.waiting
        for number in settled.recall:
            self.venue.end(self.landed[number])


def unheard(game: Game) -> Iterator[str]:
    """What a pass is to find out about stops, in words."""
    for lane in game.state.lanes:
        stop = lane.stop
        there = game.landed.get(stop.sequence)
        if there is None or not game.state.law.stop_amends:
            continue
        landed = there.amount != stop.quantity * GRAIN
        if stop.stage == Stage.AMENDING or landed:
            how = "landed" if landed else "as it was"
            yield f"unheard: {Stage(stop.stage).name.lower()}, {how}, {there.status}"
        if there.filled > stop.quantity * GRAIN:
            yield f"unheard: filled by more than was known, {there.status}"


def no_old_answer_is_believed(game: Game, settled: Settled) -> None:
    """While an amendment is under way, a stop is said to be what was wished, or as it ended."""
    for one in settled.reports:
        there = game.landed.get(one.sequence)
        over = there is not None and there.status != "open" and max(there.amount, there.filled)
        if over and one.quantity * GRAIN == over:
            continue
        if one.status == Status.AMENDED and one.sequence in game.amends:
            assert one.quantity == game.amends[one.sequence].quantity
            assert one.price == game.amends[one.sequence].price
            assert one.rejection == Rejection.NONE


def nothing_is_invented(game: Game, settled: Settled) -> None:
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
            there = game.landed[number]
            # A stop of which more rests than we were told has filled all that we knew of.
            grew = known.filled == known.quantity and known.filled * GRAIN < there.amount
            excused = grew or number in settled.recall
            assert there.status != "open" or excused, "Nothing is ended that works."
            assert game.landed[number].filled == known.filled * GRAIN, "All its fills are known."


def they_agree(game: Game, before: set[int], settled: Settled) -> None:
    """After true answers, by the ledger of the venue."""
    ours = {one.id: one for one in game.venue.trades if one.order in game.landed.values()}
    assert {booked.rpartition(" ")[2] for booked in game.booked} == {*ours}, "No fill is lost."
    open_there = {n: one for n, one in game.landed.items() if one.status == "open"}
    open_here = {one.sequence: one for one in working(game.state) if one.sequence in before}
    assert {*open_here} <= {*open_there} <= {*open_here, *settled.recall}
    for number, order in open_here.items():
        there = open_there[number]
        assert order.filled * GRAIN == there.filled
        assert order.quantity * GRAIN == there.amount == game.known[number].quantity * GRAIN
        if is_stop(order.kind):
            assert order.price == there.trigger
            assert order.stage != Stage.AMENDING or number in game.amends
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
    waits = [one for one in settled.waiting if "the venue has it open" not in one]
    assert bool(left_out) == bool(waits)
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
    for _ in range(5 if game.state.law.stop_amends else 3):
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
