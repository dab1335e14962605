"""hftbacktest: an order book that lives; each open is a new best bid and, a tick above, an ask.

A candle is four events: the old bid and ask go, the new ones come. A book needs a spread, so a
purchase costs one tick more than the open.
"""

# mypy: disable-error-code="import-not-found, untyped-decorator"

from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LOCAL_EVENT,
    MARKET,
    SELL_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit
from peers.errand import BUY, SELL, Errand, Fill, Told, carry_out

NS = 1_000_000  # in a millisecond
DEEP = 1_000.0  # coins at the best bid and ask


@njit
def cross(
    hbt: Any, close: Any, fast: int, slow: int, candle_ns: int, fills: Any, equity: Any
) -> Any:
    """Decide with each close; the order meets the book that stands once the next one opened."""
    quick = calm = 0.0
    held, n = False, 0
    hbt.elapse(1)
    for i in range(len(close)):
        quick += close[i]
        calm += close[i]
        if i >= fast:
            quick -= close[i - fast]
        if i >= slow:
            calm -= close[i - slow]
        state = hbt.state_values(0)
        equity[i] = state.balance - state.fee + state.position * close[i]
        if hbt.elapse(candle_ns) != 0 or i + 1 == len(close):
            break
        above = i + 1 >= slow and quick / fast > calm / slow
        if above == held:
            continue
        if above:
            hbt.submit_buy_order(0, i, hbt.depth(0).best_ask, 1.0, GTC, MARKET, True)
        else:
            hbt.submit_sell_order(0, i, hbt.depth(0).best_bid, 1.0, GTC, MARKET, True)
        fills[n, 0], fills[n, 1] = i + 1, 1 if above else -1
        fills[n, 2] = hbt.orders(0).get(i).exec_price
        hbt.clear_inactive_orders(0)
        n, held = n + 1, above
    return n


def load(errand: Errand) -> Any:
    tick = 10.0**-errand.decimals
    bid = np.rint(errand.open / tick).astype(np.int64)
    rows = book(errand, bid)
    asset = (
        BacktestAsset()
        .data(rows)
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .no_partial_fill_exchange()
        .trading_value_fee_model(errand.fee, errand.fee)
        .tick_size(tick)
        .lot_size(1.0)
    )
    return errand, HashMapMarketDepthBacktest([asset]), rows  # of which it keeps an address only


def book(errand: Errand, bid: Any) -> Any:
    n, tick = len(bid), 10.0**-errand.decimals
    rows = np.zeros((n, 4), event_dtype)
    before = np.concatenate([bid[:1], bid[:-1]])
    both = EXCH_EVENT | LOCAL_EVENT | DEPTH_EVENT
    kinds = ((BUY_EVENT, before, 0.0), (SELL_EVENT, before + 1, 0.0), (BUY_EVENT, bid, DEEP))
    for place, (side, points, quantity) in enumerate((*kinds, (SELL_EVENT, bid + 1, DEEP))):
        rows["ev"][:, place] = both | side
        rows["px"][:, place] = points * tick
        rows["qty"][:, place] = quantity
    rows["exch_ts"] = rows["local_ts"] = (errand.opened_at_ms * NS)[:, None]
    return rows.ravel()


def trade(loaded: Any) -> Any:
    errand, hbt, _ = loaded
    fills, equity = np.zeros((len(errand.close), 3)), np.zeros(len(errand.close))
    step = errand.timeframe_ms * NS
    n = cross(hbt, errand.close, errand.fast, errand.slow, step, fills, equity)
    state = hbt.state_values(0)
    ended = state.balance - state.fee, state.position
    hbt.close()
    return fills[:n], ended


def tell(errand: Errand, traded: Any) -> Told:
    rows, (balance, position) = traded
    fills = [
        Fill(int(errand.opened_at_ms[int(at)]), int(side), price, 1.0, price * errand.fee)
        for at, side, price in rows.tolist()
    ]
    assert {fill.side for fill in fills} <= {BUY, SELL}
    equity = errand.cash + balance + position * float(errand.close[-1])
    return Told(fills, equity, spread=10.0**-errand.decimals)


if __name__ == "__main__":
    carry_out("hftbacktest", load, trade, tell)
