"""freqtrade: its `Backtesting`, with one market told instead of asked for, and no files.

It sells what is held when the candles end.
"""

# mypy: disable-error-code="import-not-found, import-untyped, misc"

from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import StrategyResolver
from freqtrade.strategy import IStrategy
from peers.errand import BUY, SELL, Errand, Fill, Told, carry_out

PAIR = "BTC/USDT"


class Cross(IStrategy):
    INTERFACE_VERSION = 3
    stoploss = -0.99
    minimal_roi = {"0": 1_000}  # noqa: RUF012
    startup_candle_count = 0
    fast = slow = 0

    def populate_indicators(self, dataframe: Any, metadata: Any) -> Any:
        dataframe["fast"] = dataframe["close"].rolling(self.fast).mean()
        dataframe["slow"] = dataframe["close"].rolling(self.slow).mean()
        return dataframe

    def populate_entry_trend(self, dataframe: Any, metadata: Any) -> Any:
        dataframe["enter_long"] = (dataframe["fast"] > dataframe["slow"]).astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe: Any, metadata: Any) -> Any:
        dataframe["exit_long"] = (~(dataframe["fast"] > dataframe["slow"])).astype(int)
        return dataframe

    def custom_stake_amount(self, *_: Any, current_rate: float, **__: Any) -> float:
        return current_rate * (1 + 1e-12)  # one coin, which rounds down


def load(errand: Errand) -> Any:
    minutes = errand.timeframe_ms // 60_000
    config = {
        "runmode": RunMode.BACKTEST,
        "dry_run": True,
        "strategy": "Cross",
        "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}],
        "stake_currency": "USDT",
        "stake_amount": "unlimited",
        "tradable_balance_ratio": 1.0,
        "dry_run_wallet": errand.cash,
        "max_open_trades": 1,
        "fee": errand.fee,
        "timeframe": f"{minutes}m" if minutes < 60 else f"{minutes // 60}h",
        "entry_pricing": {"price_side": "same"},
        "exit_pricing": {"price_side": "same"},
        "dataformat_ohlcv": "feather",
        "datadir": Path("nowhere"),
        "user_data_dir": Path("nowhere"),
        "internals": {},
        "original_config": {},
    }
    Exchange._load_async_markets = lambda exchange, reload=False: exchange._api_async.set_markets(
        [market(errand, exchange._api_async)]
    )
    StrategyResolver._load_strategy = staticmethod(lambda *_, config, **__: Cross(config))
    Cross.fast, Cross.slow = errand.fast, errand.slow
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(errand.opened_at_ms, unit="ms", utc=True),
            **{name: getattr(errand, name) for name in ("open", "high", "low", "close", "volume")},
        }
    )
    return Backtesting(config), frame


def market(errand: Errand, api: Any) -> Any:
    precision = {"price": 10.0**-errand.decimals, "amount": 1e-8}
    least = {"amount": {"min": 1e-8}, "cost": {"min": 0.01}, "price": {}}
    known = {
        "id": "BTCUSDT",
        "symbol": PAIR,
        "base": "BTC",
        "quote": "USDT",
        "type": "spot",
        "spot": True,
        "active": True,
        "precision": precision,
        "limits": least,
    }
    return api.safe_market_structure(known)


def trade(loaded: Any) -> Any:
    backtesting, frame = loaded
    strategy = backtesting.strategylist[0]
    backtesting.backtest_one_strategy(strategy, {PAIR: frame}, TimeRange())
    return backtesting.all_bt_content[strategy.get_strategy_name()]


def tell(errand: Errand, traded: Any) -> Told:
    fills = []
    for one in traded["results"].itertuples():
        for side, at, price in (
            (BUY, one.open_date, one.open_rate),
            (SELL, one.close_date, one.close_rate),
        ):
            at_ms = int(at.timestamp() * 1000)
            fills.append(Fill(at_ms, side, price, one.amount, price * one.amount * errand.fee))
    return Told(fills, float(traded["final_balance"]))


if __name__ == "__main__":
    carry_out("freqtrade", load, trade, tell)
