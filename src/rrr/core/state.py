"""All that the core needs to decide, and every field has one owner: the module named beside it.

The kernel is one machine in three files, with `arms` and `pursuit`. `Law` changes by an event only.
The account is what instruments share; a lane is one instrument's.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from .market import Instrument
from .orders import NO_ENDED, NO_ORDER, Ended, Order
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


class Sizing(IntEnum):
    """What a full conviction wishes to hold."""

    VOLATILITY = 0  # as much as moves equity by the volatility aimed for
    EQUITY = 1  # a share of equity
    UNITS = 2  # the instrument's unit: to compare with programs that hold so many coins


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
    sizing: int  # a member of Sizing
    entry_maker: int  # 1: a purchase first rests as a post-only limit
    maker_offset_bps: int  # how far below the mark it rests
    patience_ms: int  # how long
    chase: int  # 1: what did not fill while it rested is taken, if it is still wished for
    fill_or_kill: int  # 1: a take fills whole or not at all
    stop_limit_bps: int  # how far below its trigger a stop may fill; 0: at any price
    trail_bps: int  # how far below the best price the stop follows; 0: it stays
    target_rests: int  # 1: the target rests beside the stop, and one ends the other; 0: watched
    stop_amends: int = 0  # 1: a stop is changed where it rests; 0: cancelled, and sent anew


class Memory(NamedTuple):
    """What rules remember of a day and of a minute."""

    hours: tuple[int, ...]  # equity at the first close of each of the last hours
    recent: tuple[int, ...]  # when the last orders that add risk were approved


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
    memory: Memory  # rules
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
    order: Order  # kernel: what works to change the position: a take, or a limit that rests
    stop: Order  # kernel: the resting stop, of any kind
    target: Order  # kernel: the resting target, the stop's partner
    ended: Ended  # kernel: the last order that is over
    ended_before: Ended  # kernel: the one before
    due: int  # kernel: signed grains approved and not yet filled
    cause: int  # kernel: of what is due
    attempt: int  # kernel: of what is due
    hold: int  # kernel: this lane's part of account.held
    stop_price: int  # kernel
    target_price: int  # kernel: watched, or resting
    trail: int  # kernel: points between the best price and the stop; 0: it stays
    tried: int  # kernel: 1 after a limit that rested in vain, until something fills
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


NO_LAW: Final = Law(*(0,) * len(Law._fields))
NO_MEMORY: Final = Memory((0,) * HOURS, (0,) * RECENT)
NO_ACCOUNT: Final = Account(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NO_MEMORY, 0, 0)
NO_LANE: Final = Lane(
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    NO_ORDER, NO_ORDER, NO_ORDER, NO_ENDED, NO_ENDED,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
)  # fmt: skip
EMPTY: Final = State(NO_LAW, NO_ACCOUNT, (), ())
