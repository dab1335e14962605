"""A round trip is flat to flat, and all of them together are the P&L, to the quantum."""

from dataclasses import replace

import numpy as np
import pytest

from rrr.backtesting.trades import Trades, trades_of
from rrr.core.ledger import settle
from rrr.core.market import PPM, lots, up
from rrr.core.orders import NO_REPORT, Cause, Kind, Order, Report, Status
from rrr.core.shelf import slip
from rrr.core.state import NO_LANE
from rrr.database.journal import KINDS
from tests.backtesting.runs import COIN, Fill, traded, written
from tests.builders import BTC, CAPITAL, HOUR, PRICE, QUANTA, RICH, START, instrument

FLAT = (PRICE,) * 10
COIN_WORTH = PRICE // 10**4 * QUANTA
BOUGHT = Fill(1, 1.0)
SOLD = Fill(3, -1.0, PRICE + 40_000)


def trips(*fills: Fill, closes: tuple[int, ...] = FLAT) -> Trades:
    return trades_of(*written(fills, closes))


def test_a_round_trip_is_told_in_full() -> None:
    found = trips(BOUGHT, SOLD._replace(cause=Cause.TARGET))
    sold = COIN_WORTH + 4 * QUANTA
    fees = COIN_WORTH // 1_000 + -(-sold // 1_000)
    assert len(found) == 1
    assert (found.instrument[0], found.quantity[0], found.fills[0]) == (0, COIN, 2)
    assert (found.opened_ms[0], found.closed_ms[0]) == (START + HOUR, START + 3 * HOUR)
    assert (found.entry_price[0], found.exit_price[0]) == (PRICE, PRICE + 40_000)
    assert (found.notional[0], found.proceeds[0], found.fees[0]) == (COIN_WORTH, sold, fees)
    assert found.pnl[0] == sold - COIN_WORTH - fees
    assert found.ratio[0] == found.pnl[0] / COIN_WORTH
    assert (found.reason[0], bool(found.open[0]), found.dust.tolist()) == (Cause.TARGET, False, [0])


def test_adding_and_reducing_belong_to_the_round_trip_that_they_change() -> None:
    found = trips(
        Fill(1, 1.0, PRICE),
        Fill(2, 3.0, PRICE + 400),
        Fill(3, -2.0, PRICE + 800),
        Fill(4, -2.0, PRICE + 1_600, Cause.STOP),
        Fill(4, 1.0, PRICE),
    )
    assert found.entry_price.tolist() == [PRICE + 300, PRICE]
    assert found.exit_price[0] == PRICE + 1_200
    assert found.quantity.tolist() == [4 * COIN, COIN]
    assert found.fills.tolist() == [4, 1]
    assert found.reason.tolist() == [Cause.STOP, Cause.NONE]


def test_instruments_have_round_trips_of_their_own() -> None:
    of = BTC, BTC._replace(id=1)
    fills = (
        *(Fill(1, 1.0, of=1), Fill(2, 2.0), Fill(3, -1.0, of=1)),
        *(Fill(4, -2.0), Fill(4, 1.0, of=1)),
    )
    found = trades_of(*written(fills, np.full((2, 10), PRICE), of=of))
    assert found.instrument.tolist() == [1, 0, 1]
    assert found.opened_ms.tolist() == [START + hour * HOUR for hour in (1, 2, 4)]
    assert found.open.tolist() == [False, False, True]


def test_less_than_a_lot_is_flat_and_its_worth_is_dust() -> None:
    coin = instrument(fee_in_base=1)
    left = 1 - 0.001  # of the coin, after the fee
    dust = 0.000_005  # half a lot
    fills = Fill(1, 1.0), Fill(2, -(left - dust)), Fill(3, 1.0), Fill(4, -left)
    result, history = written(fills, of=(coin,))
    found = trades_of(result, history)
    assert len(found) == 2
    assert not found.open.any()
    assert found.dust[0] == result.worth[-1, 0] > 0
    assert found.pnl.sum() + found.dust.sum() == result.equity[-1] - CAPITAL


def test_a_fee_taken_in_coins_counts_at_the_price_of_its_fill_and_is_paid_once() -> None:
    coin = instrument(fee_in_base=1)
    found = trades_of(*written((Fill(1, 1.0), Fill(2, -0.999)), of=(coin,)))
    in_coins = COIN_WORTH // 1_000
    sold = COIN_WORTH * 999 // 1_000
    in_quote = up(sold, coin.fee_taker_ppm, PPM)
    assert found.fees[0] == in_coins + in_quote
    assert found.pnl[0] == sold - COIN_WORTH - in_quote


def test_what_is_still_held_counts_at_the_bid() -> None:
    result, history = written((Fill(1, 2.0), Fill(2, -1.0, PRICE + 400)))
    found = trades_of(result, history)
    bid = PRICE - up(PRICE, BTC.half_spread_ppm, PPM)
    assert found.open.tolist() == [True]
    assert found.closed_ms[0] == result.at_ms[-1]
    assert found.exit_price[0] == (PRICE + 400) / 2 + bid / 2
    assert found.proceeds[0] == COIN_WORTH + QUANTA // 25 + result.worth[-1, 0]
    assert found.pnl[0] == result.equity[-1] - CAPITAL
    assert found.dust.tolist() == [0]


def test_no_fill_is_no_round_trip() -> None:
    found = trips()
    assert len(found) == 0
    assert found.dust.tolist() == [0]
    assert all(not len(getattr(found, name)) for name in Trades.__slots__ if name != "dust")


# name: (fills, closes, points that the last of them was worse than what it met)
SLIPPAGE = {
    "a purchase against the open": ((Fill(1, 1.0, PRICE + 700),), 700),
    "a sale against the open": ((BOUGHT, Fill(2, -1.0, PRICE - 300)), 300),
    "better than the open is negative": ((BOUGHT, Fill(2, -1.0, PRICE + 300)), -300),
    "a market order too": ((Fill(1, 1.0, PRICE + 700, kind=Kind.MARKET),), 700),
    "a limit that takes too": ((Fill(1, 1.0, PRICE + 700, kind=Kind.LIMIT),), 700),
    "who rests pays none": ((Fill(1, 1.0, PRICE - 700, kind=Kind.LIMIT, maker=1),), 0),
    "a stop against its trigger": (
        (BOUGHT, Fill(3, -1.0, PRICE - 900, kind=Kind.STOP, trigger=PRICE - 500)),
        400,
    ),
    "a stop beyond which it opened, against the open": (
        (BOUGHT, Fill(3, -1.0, PRICE - 900, kind=Kind.STOP, trigger=PRICE + 500)),
        900,
    ),
    "a stop that goes on filling, against the open that follows": (
        (BOUGHT, Fill(3, -1.0, PRICE - 900, kind=Kind.STOP, trigger=PRICE - 500, number=2)),
        900,
    ),
    "a trailing stop by its rates": (
        (BOUGHT, Fill(3, -1.0, PRICE, kind=Kind.TRAILING, trigger=PRICE // 2)),
        (BTC.half_spread_ppm + BTC.slippage_ppm) * PRICE // PPM,
    ),
}


@pytest.mark.parametrize("name", SLIPPAGE)
def test_slippage_is_what_a_taker_was_filled_worse(name: str) -> None:
    fills, points = SLIPPAGE[name]
    assert trips(*fills).slippage[0] == points * QUANTA // 10**4


def test_a_stop_that_was_triggered_earlier_meets_the_next_open() -> None:
    stop = Fill(3, -1.0, PRICE - 900, kind=Kind.STOP, trigger=PRICE - 500)
    result, history = written((BOUGHT, stop))
    said = NO_REPORT._replace(sequence=2, status=int(Status.TRIGGERED), at_ms=START + 2 * HOUR)
    row = np.zeros((1, result.rows.shape[1]), np.int64)
    row[0, : 1 + len(said)] = (KINDS[Report], *said)
    result = replace(result, rows=np.concatenate([result.rows, row]))
    assert trades_of(result, history).slippage[0] == 900 * QUANTA // 10**4


def test_a_finer_candle_says_what_was_met_where_there_is_one() -> None:
    result, history = written((Fill(1.5, 1.0, PRICE + 700), Fill(3.25, -1.0, PRICE)))
    _, finer = written((), (PRICE,) * 20, every_ms=HOUR // 2)
    opens, there = finer.panel.open.copy(), finer.panel.there.copy()
    opens[0, 3], there[0, 6] = PRICE + 200, False
    detail = replace(finer.panel, open=opens, there=there)
    assert trades_of(result, replace(history, detail=detail)).slippage[0] == 500 * QUANTA // 10**4


def test_where_touches_fill_the_close_is_what_was_met() -> None:
    closes = (*FLAT[1:], PRICE + 500)
    result, history = written((Fill(10, 1.0, PRICE + 700),), closes)
    by_touch = result.world.assumed._replace(by_touch=1)
    result = replace(result, world=result.world._replace(assumed=by_touch))
    assert trades_of(result, history).slippage[0] == 200 * QUANTA // 10**4


def test_where_no_candle_was_nothing_slipped() -> None:
    result, history = written((Fill(1, 1.0, PRICE + 700),))
    there = np.array([[True, False] + [True] * 8])
    hole = replace(history, panel=replace(history.panel, there=there))
    assert trades_of(result, hole).slippage[0] == 0


# name: (fills, lowest, highest price that was seen while it was held)
CLOSES = (PRICE, PRICE + 2_000, PRICE - 4_000, PRICE, PRICE + 9_000, PRICE - 9_000)
REACHED = {
    "from open to open": ((BOUGHT, Fill(3, -1.0)), min(CLOSES[:3]), max(CLOSES[:3])),
    "a candle at whose open it ended is not seen": (
        (BOUGHT, Fill(4, -1.0)),
        min(CLOSES[:4]),
        max(CLOSES[:4]),
    ),
    "one inside which it ended is": (
        (BOUGHT, Fill(5, -1.0, kind=Kind.STOP)),
        min(CLOSES[:5]),
        max(CLOSES[:5]),
    ),
    "an open one sees all": ((BOUGHT,), min(CLOSES), max(CLOSES)),
    "begun and over inside one candle": (
        (Fill(2, 1.0), Fill(3, -1.0, kind=Kind.STOP)),
        min(CLOSES[1:3]),
        max(CLOSES[1:3]),
    ),
}


@pytest.mark.parametrize("name", REACHED)
def test_excursions_are_those_of_the_candles_in_between(name: str) -> None:
    fills, lowest, highest = REACHED[name]
    found = trips(*fills, closes=CLOSES)
    low, high = lowest - lowest // 1_000, highest + highest // 1_000
    assert found.adverse_ratio[0] == low / PRICE - 1
    assert found.favourable_ratio[0] == high / PRICE - 1


def test_no_excursion_is_the_wrong_way_round() -> None:
    found = trips(BOUGHT, Fill(1, -1.0, PRICE - 700))
    assert found.adverse_ratio[0] == (PRICE - 700) / PRICE - 1
    assert found.favourable_ratio[0] == 0


def test_a_hole_has_no_excursion() -> None:
    result, history = written((BOUGHT, Fill(4, -1.0)), CLOSES)
    there = np.array([[True, True, False, False, True, True]])
    hole = replace(history, panel=replace(history.panel, there=there))
    found = trades_of(result, hole)
    assert found.adverse_ratio[0] == (PRICE - PRICE // 1_000) / PRICE - 1


@pytest.mark.parametrize("seed", range(6))
def test_round_trips_that_the_core_traded_add_up_to_the_equity(seed: int) -> None:
    result, history = traded(seed, 250)
    found = trades_of(result, history)
    assert found.pnl.sum() + found.dust.sum() == result.equity[-1] - result.invested[-1]
    fills = [r for r in result.records() if isinstance(r, Report) and r.status == Status.FILLED]
    assert found.fills.sum() == len(fills)
    scale = [one.scale for one in result.instruments]
    fees = sum(f.fee + f.fee_grains * f.price // scale[f.instrument] for f in fills)
    assert found.fees.sum() == fees
    assert len(found) > 50


@pytest.mark.parametrize("seed", range(3))
def test_round_trips_are_those_that_the_ledger_ends(seed: int) -> None:
    """Fill by fill, as the ledger books them."""
    result, history = traded(seed, 250)
    found = trades_of(result, history)
    lanes = [NO_LANE._replace(mark=1) for _ in result.instruments]
    account = RICH._replace(cash=1 << 60)
    ended: list[list[int]] = [[] for _ in lanes]
    cash = [0 for _ in lanes]
    for record in result.records():
        if not isinstance(record, Report) or record.status != Status.FILLED:
            continue
        i, before = record.instrument, account.cash
        account, lanes[i] = settle(account, lanes[i], result.instruments[i], record)
        cash[i] += account.cash - before
        if not lots(result.instruments[i], lanes[i].quantity):
            ended[i].append(cash[i])
            cash[i] = 0
    for i, pnl in enumerate(ended):
        mine = (found.instrument == i) & ~found.open
        assert found.pnl[mine].tolist() == pnl


@pytest.mark.parametrize("seed", range(3))
def test_slippage_is_what_the_venue_added_to_what_was_met(seed: int) -> None:
    result, history = traded(seed, 250)
    orders = {r.sequence: r for r in result.records() if isinstance(r, Order)}
    total = 0
    for fill in result.records():
        if not isinstance(fill, Report) or fill.status != Status.FILLED:
            continue
        order, one = orders[fill.sequence], result.instruments[fill.instrument]
        stopped = order.kind == Kind.STOP
        column = (fill.at_ms - stopped - START) // HOUR
        met = int(history.panel.open[fill.instrument, column])
        met = min(met, order.price) if stopped else met
        assert fill.price == slip(met, fill.side, one, 0)
        total += fill.side * (fill.price - met) * fill.quantity // one.scale
    assert trades_of(result, history).slippage.sum() == total > 0
