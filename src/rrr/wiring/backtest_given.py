"""All that decides a run is gathered before anything of it is seen: settings, opinions, candles.

What enters is what a person asked for; what leaves can be run, now or as a repetition. Files are
named so that they are found from anywhere. The market is left as soon as its candles are here.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rrr.backtesting.history import History, history_of
from rrr.backtesting.history_files import readable
from rrr.backtesting.runner import Book
from rrr.config import Home, Loaded, show_json
from rrr.core.market import QUANTA, Instrument
from rrr.data_pipeline.market import Market
from rrr.neural_network.panel import I64
from rrr.neural_network.strategies.asked import asked, window_of
from rrr.neural_network.strategies.strategy import Strategy
from rrr.trading.engine.terms import assumptions_of, instrument_of, law_of
from rrr.wiring.backtest_progress import Progress
from rrr.wiring.beginning import market_of, recorded
from rrr.wiring.strategies import as_usual, meant
from rrr.wiring.teller import Teller

Seen = tuple[Strategy, History]


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a run is made of, and what a repetition must be made of again."""

    loaded: Loaded
    strategy: Strategy
    history: History
    convictions: I64
    book: Book

    @property
    def symbols(self) -> list[str]:
        return [one.spec.symbol for one in self.history.quoted]

    @property
    def timeframe(self) -> str:
        return self.loaded.settings.timeframe

    @property
    def candles(self) -> int:
        """Those that may be traded on."""
        return int(self.history.panel.there[:, self.history.begins :].sum())

    def about(self) -> dict[str, Any]:
        """What a page says of the market."""
        history = self.history
        quote = history.quoted[0].spec.quote
        return {"title": history.title, "quote": quote, "notes": list(history.notes)}

    def settings(self) -> dict[str, Mapping[str, Any]]:
        """As a row keeps them: each with its origin, and what a cost profile made of the costs."""
        told: dict[str, Mapping[str, Any]] = dict(show_json(self.loaded))
        profile = self.loaded.settings.costs.profile
        if profile is not None:
            for symbol, instrument in zip(self.symbols, self.book.instruments, strict=True):
                told[f"costs of {symbol}"] = {"value": charged(instrument), "origin": profile}
        return told


def given(
    home: Home, loaded: Loaded, progress: Progress, strategy: Strategy | None = None
) -> Given:
    """Read the candles and ask the strategy; without one, the strategy that the settings name."""
    loaded = from_anywhere(loaded)
    progress.stage("loading")
    strategy, history = seen(home, loaded, progress, strategy)
    loaded = as_usual(loaded, strategy)
    settings = loaded.settings
    book = Book(
        law_of(settings, history.panel.timeframe_ms),
        [instrument_of(settings, i, 1, one.spec) for i, one in enumerate(history.quoted)],
        assumptions_of(settings),
        int(settings.capital * QUANTA),
    )
    progress.stage("asking")
    symbols = [one.spec.symbol for one in history.quoted]
    return Given(loaded, strategy, history, asked(strategy, history.panel, symbols), book)


def seen(home: Home, loaded: Loaded, progress: Progress, strategy: Strategy | None = None) -> Seen:
    """The candles of the market that is meant, and who is asked about them."""
    settings = loaded.settings

    def of(market: Market) -> Seen:
        who = strategy or meant(home, settings, market)
        policy = as_usual(loaded, who).settings.policy
        warm = max(policy.warmup_candles, window_of(who))
        return who, history_of(market, settings, warm=warm, heard=progress.heard)

    match settings.source:
        case "simulated":
            from rrr.data_pipeline.simulated import simulated

            about = settings.symbols, settings.timeframe, settings.seed, settings.candles
            return of(simulated(*about))
        case "replay":
            return of(recorded(home, readable(settings)))
    return asyncio.run(asked_for(home, loaded, of))


async def asked_for(home: Home, loaded: Loaded, of: Callable[[Market], Seen]) -> Seen:
    """An exchange answers in its loop, and whoever waits for it stands beside."""
    teller = Teller(sys.stderr, loaded)
    async with market_of(home, loaded.settings, teller, asyncio.Event()) as market:
        return await asyncio.to_thread(of, market)


def from_anywhere(loaded: Loaded) -> Loaded:
    """The same, with a path of recorded candles that means the same from any folder."""
    path = loaded.settings.replay
    if path is None:
        return loaded
    settings = loaded.settings.model_copy(update={"replay": path.absolute()})
    return replace(loaded, settings=settings)


def charged(one: Instrument) -> str:
    """What an instrument costs, in words that change with each of its numbers."""
    return (
        f"maker {one.fee_maker_ppm} ppm, taker {one.fee_taker_ppm} ppm,"
        f" half spread {one.half_spread_ppm} ppm, slippage {one.slippage_ppm} ppm"
        f"{', fees in the base' if one.fee_in_base else ''}"
    )
