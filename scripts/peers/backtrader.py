"""backtrader: one `next` a candle, orders through its broker; preloaded, run at once."""

# mypy: disable-error-code="import-not-found, import-untyped, misc"

from datetime import UTC, datetime
from typing import Any

import backtrader as bt
from peers.errand import BUY, SELL, Errand, Fill, Told, carry_out


class Columns(bt.feed.DataBase):
    """Its own feeds of arrays want pandas."""

    params = (("errand", None),)

    def start(self) -> None:
        super().start()
        errand = self.p.errand
        moments = (datetime.fromtimestamp(at / 1000, UTC) for at in errand.opened_at_ms.tolist())
        figures = (
            getattr(errand, name).tolist() for name in ("open", "high", "low", "close", "volume")
        )
        self.rows = zip(map(bt.date2num, moments), *figures, strict=True)

    def _load(self) -> bool:
        row = next(self.rows, None)
        if row is None:
            return False
        lines = self.lines
        lines.datetime[0], lines.open[0], lines.high[0], lines.low[0], lines.close[0] = row[:5]
        lines.volume[0], lines.openinterest[0] = row[5], 0.0
        return True


class Cross(bt.Strategy):
    params = (("fast", 0), ("slow", 0))

    def __init__(self) -> None:
        self.quick = bt.indicators.SimpleMovingAverage(self.data.close, period=self.p.fast)
        self.calm = bt.indicators.SimpleMovingAverage(self.data.close, period=self.p.slow)
        self.filled: list[tuple[int, int, float, float, float]] = []

    def next(self) -> None:
        above = self.quick[0] > self.calm[0]
        if above and not self.position.size:
            self.buy(size=1)
        elif not above and self.position.size:
            self.close()

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            done, side = order.executed, BUY if order.isbuy() else SELL
            self.filled.append((len(self) - 1, side, done.price, abs(done.size), done.comm))


def load(errand: Errand) -> Any:
    cerebro = bt.Cerebro(stdstats=False, preload=True, runonce=True)
    cerebro.adddata(Columns(errand=errand))
    cerebro.addstrategy(Cross, fast=errand.fast, slow=errand.slow)
    cerebro.broker.setcash(errand.cash)
    cerebro.broker.setcommission(commission=errand.fee)
    return cerebro


def trade(loaded: Any) -> Any:
    return loaded, loaded.run()[0].filled


def tell(errand: Errand, traded: Any) -> Told:
    cerebro, filled = traded
    fills = [Fill(int(errand.opened_at_ms[at]), *rest) for at, *rest in filled]
    return Told(fills, float(cerebro.broker.getvalue()))


if __name__ == "__main__":
    carry_out("backtrader", load, trade, tell)
