"""Money and goods are never made, only moved.

An independent ledger of exact fractions follows random fills, partial ones too, with fees in the
quote and in the base, and may not differ by one unit. A million of them:
`python -m tests.core.test_ledger --fills 1000000 --seed 1`.
"""

import argparse
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from random import Random

import pytest

from rrr.core import arms, ledger
from rrr.core.ledger import QUOTE, Place, Transfer
from rrr.core.market import bid
from rrr.core.orders import NO_ORDER, Kind, Order, Report, Side, Status
from rrr.core.state import Account, Lane
from tests.builders import (
    BTC,
    CAPITAL,
    LAW,
    LISTED,
    PRICE,
    START,
    Listed,
    account,
    lane,
    order,
    report,
)

COIN = 10**8
BOUGHT = report(Status.FILLED, order(), quantity=COIN, price=PRICE, notional=4 * 10**12, fee=7)
SOLD = BOUGHT._replace(side=int(Side.SELL))


def test_a_round_trip_at_one_price_costs_exactly_its_two_fees() -> None:
    mine, here = account(), lane()
    for fill in (BOUGHT, SOLD):
        mine, here = ledger.settle(mine, here, BTC, fill)
    assert ledger.equity(mine) == CAPITAL - BOUGHT.fee - SOLD.fee
    assert (here.quantity, here.paid, here.worth) == (0, 0, 0)


def test_a_fee_in_the_base_shrinks_the_position_and_not_the_cash() -> None:
    fill = BOUGHT._replace(fee=0, fee_grains=COIN // 1_000)
    mine, here = ledger.settle(account(), lane(), BTC, fill)
    assert here.quantity == COIN - COIN // 1_000
    assert mine.cash == CAPITAL - fill.notional


def test_dust_owes_nothing_and_is_still_worth_something() -> None:
    nearly = SOLD._replace(quantity=COIN - BTC.lot + 1)
    mine, here = ledger.settle(account(), lane(quantity=COIN, paid=5), BTC, nearly)
    assert (here.quantity, here.paid) == (BTC.lot - 1, 0)
    assert mine.worth == here.worth > 0


def test_what_is_not_held_is_not_sold_and_what_is_not_paid_is_not_bought() -> None:
    with pytest.raises(AssertionError, match="not held"):
        ledger.settle(account(), lane(), BTC, SOLD)
    with pytest.raises(AssertionError, match="not paid"):
        ledger.settle(account(cash=1), lane(), BTC, BOUGHT)
    with pytest.raises(AssertionError, match="never fills nothing"):
        ledger.settle(account(), lane(), BTC, BOUGHT._replace(quantity=0))
    with pytest.raises(AssertionError, match="withdraws"):
        ledger.flow(account(held=1), -CAPITAL)


def test_a_flow_is_invested_and_no_profit() -> None:
    mine = ledger.flow(account(), -CAPITAL // 4)
    assert mine.cash == mine.invested == CAPITAL * 3 // 4


def test_the_account_holds_the_sums_over_its_lanes() -> None:
    mine, first = ledger.settle(account(), lane(volatility_ppm=10_000), BTC, BOUGHT)
    mine, second = ledger.settle(mine, lane(volatility_ppm=30_000), BTC, BOUGHT)
    mine, first = ledger.mark(mine, first, BTC, PRICE // 2, START)
    assert mine.worth == first.worth + second.worth
    assert mine.risk == first.risk + second.risk


def test_the_cash_that_a_purchase_holds_is_at_risk_before_it_is_filled() -> None:
    waiting = lane(hold=CAPITAL // 4, volatility_ppm=10_000)
    mine, here = ledger.value(account(), waiting, BTC)
    assert mine.risk == here.risk == CAPITAL // 4 // 100
    mine, here = ledger.value(mine, here._replace(hold=0), BTC)
    assert mine.risk == here.risk == 0


@pytest.mark.parametrize("fill", [BOUGHT, SOLD], ids=["bought", "sold"])
def test_each_currency_of_a_fill_sums_to_zero(fill: Report) -> None:
    fill = fill._replace(fee_grains=3, instrument=5)
    posted = post(ledger.transfers(fill))
    for currency in (QUOTE, 6):
        assert sum(amount for (_, one), amount in posted.items() if one == currency) == 0
    assert posted[Place.CASH, QUOTE] == -fill.side * fill.notional - fill.fee
    assert posted[Place.POSITION, 6] == fill.side * fill.quantity - fill.fee_grains
    assert (posted[Place.FEES, QUOTE], posted[Place.FEES, 6]) == (fill.fee, fill.fee_grains)


def test_a_rebate_flows_back_from_the_fees() -> None:
    posted = post(ledger.transfers(BOUGHT._replace(fee=-7)))
    assert posted[Place.FEES, QUOTE] == -7
    assert posted[Place.CASH, QUOTE] == 7 - BOUGHT.notional


def post(moved: tuple[Transfer, ...]) -> dict[tuple[int, int], int]:
    """The balances that transfers leave behind, from nothing."""
    balances: dict[tuple[int, int], int] = {}
    for one in moved:
        for place, amount in ((one.source, -one.amount), (one.target, one.amount)):
            key = (place, one.currency)
            balances[key] = balances.get(key, 0) + amount
    return balances


@dataclass(slots=True)
class Oracle:
    """What is owned, in exact units of the quote and of the base; it knows no integers."""

    cash: Fraction
    coins: Fraction = field(default_factory=Fraction)
    fees: Fraction = field(default_factory=Fraction)

    def met(self, fill: Report, of: Listed) -> None:
        unit = grain(of)
        exact = fill.quantity * unit * fill.price * point(of)
        quanta = ceil(exact * 10**8) if fill.side == Side.BUY else floor(exact * 10**8)
        self.cash -= fill.side * Fraction(quanta, 10**8) + Fraction(fill.fee, 10**8)
        self.coins += fill.side * fill.quantity * unit - fill.fee_grains * unit
        self.fees += Fraction(fill.fee, 10**8)

    def error(self, mine: Account, here: Lane, of: Listed) -> Fraction:
        """How far the kernel is from the truth, all units together."""
        held = self.coins * bid(of.instrument, here.mark, here.half_spread) * point(of)
        worth = Fraction(floor(held * 10**8), 10**8) if self.coins else Fraction(0)
        return (
            abs(self.cash - Fraction(mine.cash, 10**8))
            + abs(self.coins - here.quantity * grain(of))
            + abs(worth - Fraction(mine.worth, 10**8))
        )


def grain(of: Listed) -> Fraction:
    """Of the base, 10⁻⁸ or 10⁻³; the point follows from the scale."""
    return Fraction(1, 10**8 if of.instrument.id < 2 else 10**3)


def point(of: Listed) -> Fraction:
    return Fraction(1, 10**8) / of.instrument.scale / grain(of)


def venue_fill(random: Random, working: Order, quantity: int, of: Listed) -> Report:
    """A fill as a venue reports it, in its own figures."""
    price = of.price + of.price * random.randint(-200, 200) // 10_000
    exact = Fraction(quantity * price, of.instrument.scale)
    notional = ceil(exact) if working.side == Side.BUY else floor(exact)
    fee, fee_grains = random.randint(-notional // 10_000, notional // 500), 0
    if working.side == Side.BUY and random.random() < 0.5:
        fee, fee_grains = 0, random.randint(0, quantity // 500)
    return report(
        Status.FILLED,
        working,
        quantity=quantity,
        price=price,
        notional=notional,
        fee=fee,
        fee_grains=fee_grains,
    )


def parts(random: Random, quantity: int) -> list[int]:
    """A quantity in one to four pieces, none empty."""
    cuts = sorted({random.randint(1, quantity) for _ in range(random.randint(0, 3))} | {quantity})
    return [after - before for before, after in zip([0, *cuts], cuts, strict=False)]


def traded(fills: int, seed: int, of: Listed) -> Fraction:
    """The greatest error over so many random fills that the kernel booked."""
    random, done, worst = Random(seed), 0, Fraction(0)
    mine, here = account(), lane(mark=of.price)
    oracle = Oracle(Fraction(CAPITAL, 10**8))
    posted = {(int(Place.CASH), QUOTE): CAPITAL}
    base = 1 + of.instrument.id
    while done < fills:
        selling = here.quantity > 0 and (random.random() < 0.5 or mine.cash < CAPITAL // 4)
        affordable = mine.cash // 2 * of.instrument.scale // of.price
        quantity = random.randint(1, here.quantity if selling else max(affordable, 1))
        working = order(
            instrument=of.instrument.id,
            sequence=mine.sequence + 1,
            side=int(Side.SELL if selling else Side.BUY),
            quantity=quantity,
        )
        mine = mine._replace(sequence=working.sequence)
        here = here._replace(order=working, due=working.side * quantity, stop=NO_ORDER)
        for number, piece in enumerate(parts(random, quantity), 1):
            fill = venue_fill(random, working, piece, of)._replace(fill=number)
            out = arms.on_report(LAW, mine, here, of.instrument, fill)
            mine, here = out.account, out.lane
            oracle.met(fill, of)
            for place, amount in post(ledger.transfers(fill)).items():
                posted[place] = posted.get(place, 0) + amount
            worst = max(worst, oracle.error(mine, here, of))
            assert posted[Place.CASH, QUOTE] == mine.cash
            assert posted[Place.POSITION, base] == here.quantity
            done += 1
        assert here.order.kind == Kind.NONE or here.order.sequence > working.sequence
    assert sum(amount for (_, one), amount in posted.items() if one == QUOTE) == CAPITAL
    assert sum(amount for (_, one), amount in posted.items() if one == base) == 0
    assert Fraction(posted.get((Place.FEES, QUOTE), 0), 10**8) == oracle.fees
    return worst


@pytest.mark.parametrize("of", LISTED, ids=lambda of: f"scale {of.instrument.scale}")
def test_the_books_never_differ_from_exact_fractions_by_one_unit(of: Listed) -> None:
    assert traded(5_000, 1, of) == 0


def test_the_oracle_sees_one_lost_quantum(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = ledger.settle

    def careless(*args: object) -> ledger.Booked:
        mine, here = honest(*args)  # type: ignore[arg-type]
        return ledger.Booked(mine._replace(cash=mine.cash - 1), here)

    monkeypatch.setattr(ledger, "settle", careless)
    with pytest.raises(AssertionError):
        traded(10, 1, LISTED[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fills", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for of in LISTED:
        worst = traded(asked.fills // len(LISTED), asked.seed, of)
        print(f"instrument {of.instrument.id}: {asked.fills // len(LISTED)} fills, error {worst}")  # noqa: T201
