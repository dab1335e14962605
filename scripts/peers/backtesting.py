"""backtesting.py: one `next` a candle; what it decides meets the next open."""

# mypy: disable-error-code="import-not-found, import-untyped, misc"

from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from peers.errand import BUY, SELL, Errand, Fill, Told, carry_out


class Cross(Strategy):
    fast = slow = 0

    def init(self) -> None:
        self.quick = self.I(average, self.data.Close, self.fast)
        self.calm = self.I(average, self.data.Close, self.slow)

    def next(self) -> None:
        above = len(self.data) >= self.slow and self.quick[-1] > self.calm[-1]
        if above and not self.position:
            self.buy(size=1)
        elif not above and self.position:
            self.position.close()


def average(values: Any, window: int) -> Any:
    """Nothing is known as 0 and not as NaN: it would begin one candle late."""
    return np.nan_to_num(pd.Series(values).rolling(window).mean().to_numpy())


def load(errand: Errand) -> Any:
    columns = {name.title(): getattr(errand, name) for name in ("open", "high", "low", "close")}
    frame = pd.DataFrame(columns, pd.to_datetime(errand.opened_at_ms, unit="ms"))
    return errand, Backtest(frame, Cross, cash=errand.cash, commission=errand.fee)


def trade(loaded: Any) -> Any:
    errand, backtest = loaded
    return backtest.run(fast=errand.fast, slow=errand.slow)


def tell(errand: Errand, traded: Any) -> Told:
    strategy = traded["_strategy"]
    fills = []
    for one in (*strategy.closed_trades, *strategy.trades):
        for side, bar, price in (
            (BUY, one.entry_bar, one.entry_price),
            (SELL, one.exit_bar, one.exit_price),
        ):
            if price is not None:
                at_ms = int(errand.opened_at_ms[bar])
                fee = float(price) * abs(one.size) * errand.fee
                fills.append(Fill(at_ms, side, float(price), abs(one.size), fee))
    return Told(sorted(fills), float(traded["_equity_curve"]["Equity"].iloc[-1]))


if __name__ == "__main__":
    carry_out("backtesting", load, trade, tell)
