"""All that decides a run is gathered before anything of it is seen: settings, opinions, candles.

What enters is what a person asked for; what leaves can be run, now or as a repetition. Files are
named so that they are found from anywhere. The market is left as soon as its candles are here.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from rrr.backtesting import records
from rrr.backtesting.book import Book
from rrr.backtesting.history import History, history_of
from rrr.backtesting.history_files import readable
from rrr.config import Home, Loaded, Settings, show_json
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

THERE: Final = "what there was"  # the origin of a span that nobody chose
Seen = tuple[Strategy, History]


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a run is made of, and what a repetition must be made of again."""

    loaded: Loaded
    strategy: Strategy
    history: History
    book: Book
    known: str = ""  # why what comes of it is nothing new; empty: it may be

    @property
    def symbols(self) -> list[str]:
        return [one.spec.symbol for one in self.history.quoted]

    @property
    def family(self) -> str:
        """What is optimised together."""
        return records.family_of(self.history.about["market"], self.symbols, self.timeframe)

    @property
    def timeframe(self) -> str:
        return self.loaded.settings.timeframe

    @property
    def candles(self) -> int:
        """Those that may be traded on."""
        return int(self.history.panel.there[:, self.history.begins :].sum())

    @property
    def steps(self) -> int:
        """Every candle that a run meets, the finer ones too."""
        detail = self.history.detail
        finer = 0 if detail is None else int(detail.there.sum())
        return int(self.history.panel.there.sum()) + finer

    def about(self) -> dict[str, Any]:
        """What a page says of the market."""
        history = self.history
        quote = history.quoted[0].spec.quote
        notes = list(history.notes)
        return {"title": history.title, "quote": quote, "notes": notes, "in_sample": self.known}

    def opinions(self) -> I64:
        """What the strategy says at every close. Raise StrategyBroken."""
        return asked(self.strategy, self.history.panel, self.symbols)

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
    """The candles, and who is to be asked of them: by default whom the settings name."""
    loaded = from_anywhere(loaded)
    progress.stage("loading")
    strategy, history = seen(home, loaded, progress, strategy)
    loaded = pinned(as_usual(loaded, strategy), history)
    return Given(loaded, strategy, history, book_of(loaded.settings, history))


def book_of(settings: Settings, history: History) -> Book:
    """The terms that a book begins with."""
    return Book(
        law_of(settings, history.panel.timeframe_ms, [one.spec.venue for one in history.quoted]),
        [instrument_of(settings, i, 1, one.spec) for i, one in enumerate(history.quoted)],
        assumptions_of(settings),
        int(settings.capital * QUANTA),
    )


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


def pinned(loaded: Loaded, history: History) -> Loaded:
    """The same, with the span that an exchange had just now: later it has another."""
    if not loaded.settings.real:
        return loaded
    panel = history.panel
    ends_ms = int(panel.opened_at_ms[-1]) + panel.timeframe_ms
    begin, end = (
        datetime.fromtimestamp(at_ms / 1000, UTC)
        for at_ms in (int(panel.opened_at_ms[history.begins]), ends_ms)
    )
    span = {"from_": begin, "to": end, "candles": None}
    origins = {**loaded.origins, **dict.fromkeys(("from", "to", "candles"), THERE)}
    settings = loaded.settings.model_copy(update=span)
    return replace(loaded, settings=settings, origins=MappingProxyType(origins))


def charged(one: Instrument) -> str:
    """What an instrument costs, in words that change with each of its numbers."""
    return (
        f"maker {one.fee_maker_ppm} ppm, taker {one.fee_taker_ppm} ppm,"
        f" half spread {one.half_spread_ppm} ppm, slippage {one.slippage_ppm} ppm"
        f"{', fees in the base' if one.fee_in_base else ''}"
    )
