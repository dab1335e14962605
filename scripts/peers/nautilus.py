"""nautilus_trader: candles decide, and a quote at each open fills what they decided.

Its market orders fill at the last price it knows, which behind a candle is that candle's close. So
each candle is two of its data: a quote that stands at the open, and the candle when it is closed.
"""

# mypy: disable-error-code="import-not-found, import-untyped, misc"

from decimal import Decimal
from itertools import chain
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType, QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy
from peers.errand import BUY, SELL, Errand, Fill, Told, carry_out

VENUE = Venue("MADE")
PAIR = InstrumentId(Symbol("BTC/USDT"), VENUE)
UNIT = Quantity.from_str("1.00000000")
NS = 1_000_000  # in a millisecond


class Cross(Strategy):
    def __init__(self, kind: BarType, fast: int, slow: int) -> None:
        super().__init__()
        self.kind = kind
        self.quick, self.calm = SimpleMovingAverage(fast), SimpleMovingAverage(slow)
        self.wanted = self.held = False
        self.filled: list[Fill] = []

    def on_start(self) -> None:
        self.register_indicator_for_bars(self.kind, self.quick)
        self.register_indicator_for_bars(self.kind, self.calm)
        self.subscribe_bars(self.kind)
        self.subscribe_quote_ticks(PAIR)

    def on_bar(self, bar: Bar) -> None:
        self.wanted = self.calm.initialized and self.quick.value > self.calm.value

    def on_quote_tick(self, tick: QuoteTick) -> None:
        if self.wanted != self.held:
            side = OrderSide.BUY if self.wanted else OrderSide.SELL
            self.submit_order(self.order_factory.market(PAIR, side, UNIT))
            self.held = self.wanted

    def on_order_filled(self, event: Any) -> None:
        side = BUY if event.order_side == OrderSide.BUY else SELL
        figures = event.last_px.as_double(), event.last_qty.as_double()
        self.filled.append(Fill(event.ts_event // NS, side, *figures, event.commission.as_double()))


def load(errand: Errand) -> Any:
    places = errand.decimals
    config = BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    engine = BacktestEngine(config=config)
    engine.add_venue(
        VENUE,
        OmsType.NETTING,
        AccountType.CASH,
        starting_balances=[Money(errand.cash, USDT), Money(0, BTC)],
        bar_execution=False,
    )
    engine.add_instrument(pair(errand))
    minutes = errand.timeframe_ms // 60_000
    step = f"{minutes}-MINUTE" if minutes < 60 else f"{minutes // 60}-HOUR"
    kind = BarType.from_str(f"{PAIR}-{step}-LAST-EXTERNAL")
    deep = Quantity.from_str("1000.00000000")
    opens = errand.opened_at_ms.tolist()
    prices = [
        [Price(price, places) for price in getattr(errand, name).tolist()]
        for name in ("open", "high", "low", "close")
    ]
    quotes = (
        QuoteTick(PAIR, price, price, deep, deep, at * NS, at * NS)
        for at, price in zip(opens, prices[0], strict=True)
    )
    ends = ((at + errand.timeframe_ms) * NS for at in opens)
    candles = (Bar(kind, *four, deep, end, end) for end, *four in zip(ends, *prices, strict=True))
    # At one time a candle is closed before the next one opens.
    data = list(chain.from_iterable(zip(quotes, candles, strict=True)))
    engine.add_data(data, validate=False, sort=False)
    strategy = Cross(kind, errand.fast, errand.slow)
    engine.add_strategy(strategy)
    return engine, strategy


def pair(errand: Errand) -> CurrencyPair:
    places, fee = errand.decimals, Decimal(str(errand.fee))
    return CurrencyPair(
        PAIR,
        PAIR.symbol,
        BTC,
        USDT,
        price_precision=places,
        size_precision=8,
        price_increment=Price(10**-places, places),
        size_increment=Quantity.from_str("0.00000001"),
        ts_event=0,
        ts_init=0,
        maker_fee=fee,
        taker_fee=fee,
    )


def trade(loaded: Any) -> Any:
    engine, strategy = loaded
    engine.run()
    return engine, strategy


def tell(errand: Errand, traded: Any) -> Told:
    engine, strategy = traded
    account = engine.cache.account_for_venue(VENUE)
    coins = account.balance_total(BTC).as_double()
    equity = account.balance_total(USDT).as_double() + coins * float(errand.close[-1])
    fills = list(strategy.filled)
    engine.dispose()
    return Told(fills, equity)


if __name__ == "__main__":
    carry_out("nautilus_trader", load, trade, tell)
