"""All that the core needs to decide, and every field has one owner: the module named beside it.

`Law` changes by an event only. The account is what instruments share; a lane is one instrument's.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from .market import Instrument
from .orders import NO_ORDER, Order
from .records import swift

HOURS: Final = 25  # the present one, and the 24 before it
RECENT: Final = 32  # order times remembered: the most that orders_per_minute_max can be
SWING_ONE: Final = 1_024  # a lane's swing has this many parts in one ppm
SWING_CANDLES: Final = 64  # the swing forgets with this time constant


class Halt(IntEnum):
    """Why no new risk is taken until somebody resumes."""

    NONE = 0
    DRAWDOWN = 1
    OPERATOR = 2
    GUARD = 3
    PANIC = 4


class Law(NamedTuple):
    """Every limit and every knob of the policy, in whole numbers."""

    conviction_min_bps: int
    volatility_target_ppm: int  # of one candle, at full conviction
    band_bps: int  # a change below this share of the larger of wish and holding is no wish
    warmup_candles: int
    collar_bps: int
    stop_bps: int
    target_bps: int
    exposure_max_bps: int  # of one instrument, of equity
    gross_max_bps: int  # of all
    book_volatility_max_ppm: int  # of one candle, all positions moving as one
    orders_per_minute_max: int
    order_notional_max: int  # quanta
    loss_24h_max_bps: int
    drawdown_max_bps: int
    cooldown_ms: int
    stale_ms: int
    synthetic_may_open: int


@swift
class Account(NamedTuple):
    cash: int  # ledger: quanta
    invested: int  # ledger: deposits less withdrawals
    worth: int  # ledger: all positions at the bid
    risk: int  # ledger: quanta that one ordinary candle moves, all positions and purchases together
    held: int  # kernel: cash that working purchases may take
    sequence: int  # kernel: of the last order
    model: int  # kernel: whose signals are obeyed; 0: the baseline
    peak: int  # rules: of equity, since the last resume
    drawdown_ppm_max: int  # rules
    hour: int  # rules: hours since 1970, of the last close
    hours: tuple[int, ...]  # rules: equity at the first close of each of these hours
    recent: tuple[int, ...]  # rules: when the last orders that add risk were approved
    halted: int  # rules: a member of Halt
    closes: int  # rules


@swift
class Lane(NamedTuple):
    quantity: int  # ledger: grains
    paid: int  # ledger: quanta since the lane was flat
    mark: int  # ledger: points
    marked_at_ms: int  # ledger
    half_spread: int  # ledger: points between mid and bid in the last touch; 0: none was seen
    worth: int  # ledger: at the bid
    risk: int  # ledger
    volatility_ppm: int  # policy: of one candle
    swing: int  # policy: mean absolute return
    candles: int  # policy
    synthetic: int  # policy: 1 while the last candle is one that we made
    take: Order  # kernel: the working take
    stop: Order  # kernel: the resting stop
    due: int  # kernel: signed grains approved and not yet filled
    cause: int  # kernel: of what is due
    attempt: int  # kernel: of what is due
    hold: int  # kernel: this lane's part of account.held
    stop_price: int  # kernel
    target_price: int  # kernel: watched, not resting
    cooldown_until_ms: int  # rules
    refusal: int  # rules: the last one
    refused: int  # rules: how often in a row
    first_mark: int  # rules: at the first signal, where a holder could have begun
    quiet: int  # rules: closes before that
    exposure_sum_bps: int  # rules: over all closes


class State(NamedTuple):
    law: Law
    account: Account
    instruments: tuple[Instrument, ...]
    lanes: tuple[Lane, ...]


NO_LAW: Final = Law(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
NO_ACCOUNT: Final = Account(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (0,) * HOURS, (0,) * RECENT, 0, 0)
NO_LANE: Final = Lane(
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NO_ORDER, NO_ORDER, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
)  # fmt: skip
EMPTY: Final = State(NO_LAW, NO_ACCOUNT, (), ())
