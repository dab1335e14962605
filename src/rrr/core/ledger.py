"""Money and goods are never made, only moved.

A fill, a flow and a new price enter; the account and the lane that they change leave. `transfers`
says the same fill as movements between accounts: what one loses, another gains.
"""

from enum import IntEnum
from typing import NamedTuple

from .market import PPM, Instrument, bid, down, worth
from .orders import Report, Side
from .state import Account, Lane

QUOTE = 0  # currency 0 is the quote; currency 1 + i is the base of instrument i


class Place(IntEnum):
    """The accounts of the double entry."""

    CASH = 1
    POSITION = 2
    MARKET = 3
    FEES = 4
    FLOWS = 5


class Transfer(NamedTuple):
    """An amount that leaves one account and enters another: it cannot be one-sided."""

    source: int
    target: int
    currency: int
    amount: int  # signed: quanta of the quote, or grains of a base


class Booked(NamedTuple):
    account: Account
    lane: Lane


def settle(account: Account, lane: Lane, instrument: Instrument, report: Report) -> Booked:
    """Book one fill: cash pays for grains and for the fee; a lane without a lot owes nothing."""
    assert report.quantity > 0, "A venue never fills nothing."
    money = report.side * report.notional + report.fee
    quantity = lane.quantity + report.side * report.quantity - report.fee_grains
    assert quantity >= 0, "Nothing is sold that is not held."
    paid = 0 if quantity < instrument.lot else lane.paid + money
    account = account._replace(cash=account.cash - money)
    assert account.cash >= 0, "Nothing is bought that is not paid."
    return value(account, lane._replace(quantity=quantity, paid=paid), instrument)


def flow(account: Account, amount: int) -> Account:
    """Book a deposit (positive) or a withdrawal."""
    assert account.cash + amount >= account.held, "Nobody withdraws what is not there."
    return account._replace(cash=account.cash + amount, invested=account.invested + amount)


def mark(account: Account, lane: Lane, instrument: Instrument, price: int, at_ms: int) -> Booked:
    """Meet a new price."""
    return value(account, lane._replace(mark=price, marked_at_ms=at_ms), instrument)


def touch(account: Account, lane: Lane, instrument: Instrument, half_spread: int) -> Booked:
    """Meet a new spread around the price that is known."""
    return value(account, lane._replace(half_spread=half_spread), instrument)


def value(account: Account, lane: Lane, instrument: Instrument) -> Booked:
    """Value a lane at the bid; the account holds the sums over its lanes."""
    if lane.quantity == 0 and lane.hold == 0 and lane.worth == 0 and lane.risk == 0:
        return Booked(account, lane)
    price = bid(instrument, lane.mark, lane.half_spread)
    now = worth(instrument, price, lane.quantity) if lane.quantity else 0
    risk = down(now + lane.hold, lane.volatility_ppm, PPM)
    account = account._replace(
        worth=account.worth + now - lane.worth, risk=account.risk + risk - lane.risk
    )
    return Booked(account, lane._replace(worth=now, risk=risk))


def equity(account: Account) -> int:
    """Cash plus positions at the bid, in quanta."""
    return account.cash + account.worth


def transfers(report: Report) -> tuple[Transfer, ...]:
    """One fill as movements between accounts.

    >>> from .orders import NO_REPORT
    >>> bought = NO_REPORT._replace(side=Side.BUY, quantity=2, notional=200, fee=1)
    >>> [(Place(t[0]).name, Place(t[1]).name, t.currency, t.amount) for t in transfers(bought)]
    [('MARKET', 'POSITION', 1, 2), ('CASH', 'MARKET', 0, 200), ('CASH', 'FEES', 0, 1)]
    """
    base = 1 + report.instrument
    moved: tuple[Transfer, ...]
    if report.side == Side.BUY:
        moved = (
            Transfer(Place.MARKET, Place.POSITION, base, report.quantity),
            Transfer(Place.CASH, Place.MARKET, QUOTE, report.notional),
        )
    else:
        moved = (
            Transfer(Place.POSITION, Place.MARKET, base, report.quantity),
            Transfer(Place.MARKET, Place.CASH, QUOTE, report.notional),
        )
    # Fees keep an account of their own: a year on, we must still tell them from slippage.
    if report.fee:
        moved += (Transfer(Place.CASH, Place.FEES, QUOTE, report.fee),)
    if report.fee_grains:
        moved += (Transfer(Place.POSITION, Place.FEES, base, report.fee_grains),)
    return moved
