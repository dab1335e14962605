"""vectorbt: whole columns at once, by its numba or its Rust engine; no orders, no event."""

# mypy: disable-error-code="import-not-found, import-untyped, misc"

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from peers.errand import BUY, SELL, Errand, Fill, Told, carry_out


def load(errand: Errand) -> Any:
    index = pd.to_datetime(errand.opened_at_ms, unit="ms")  # with a time zone it is 70 times slower
    vbt.settings["engine"] = errand.engine
    columns = (np.atleast_2d(prices).T for prices in (errand.close, errand.open))
    return errand, *(pd.DataFrame(column, index) for column in columns)


def trade(loaded: Any) -> Any:
    """Averages, signals, fills, and the equity at each close."""
    errand, close, opened = loaded
    fast, slow = (vbt.MA.run(close, n).ma.to_numpy() for n in (errand.fast, errand.slow))
    above = np.zeros(fast.shape, np.bool_)
    above[1:] = fast[:-1] > slow[:-1]
    portfolio = vbt.Portfolio.from_signals(
        close,
        entries=above,
        exits=~above,
        price=opened,
        size=1.0,
        fees=errand.fee,
        init_cash=errand.cash,
    )
    return portfolio.orders.values, portfolio.value()


def tell(errand: Errand, traded: Any) -> Told:
    orders, value = traded
    fills = [
        Fill(int(at_ms), SELL if side else BUY, float(price), float(size), float(fees))
        for at_ms, side, price, size, fees in zip(
            errand.opened_at_ms[orders["idx"]],
            orders["side"],
            orders["price"],
            orders["size"],
            orders["fees"],
            strict=True,
        )
    ]
    return Told(fills, float(value.iloc[-1].sum()))


if __name__ == "__main__":
    carry_out("vectorbt", load, trade, tell)
