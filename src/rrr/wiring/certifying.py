"""The same candles are traded twice, by a backtest and by a paper session, and compared.

The session is a real one, as `rrr --mode paper` runs it, in a home of its own that is gone after
it: loop, tasks, database. It forms its opinions close by close, the backtest forms them in columns:
that they are equal is part of what is certified.
"""

import asyncio
import os
import shutil
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol, TextIO

from rrr.backtesting.book import Book
from rrr.backtesting.certificate import Certificate, certified
from rrr.backtesting.history import History, history_of
from rrr.config import Home, Loaded, Settings
from rrr.core.errors import UsageError
from rrr.core.market import QUANTA
from rrr.data_pipeline.market import Market
from rrr.database import sessions
from rrr.database.client import database_path
from rrr.database.journal import Row, verified
from rrr.database.opening import MODES, connect_read_only
from rrr.database.sessions import PRINCIPAL
from rrr.neural_network.panel import I64
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.strategy import Strategy, identity
from rrr.trading.engine.terms import assumptions_of, instrument_of, law_of
from rrr.wiring.backtest_given import from_anywhere
from rrr.wiring.backtest_progress import Progress
from rrr.wiring.beginning import recorded
from rrr.wiring.strategies import as_usual, meant

CANDLES: Final = 2_000  # closing times of a simulated market, where nobody says how many
RULES: Final = "instruments.toml"  # of instruments, which a home may have of its own


class Trade(Protocol):
    """`rrr.main.session`, which stands a floor above."""

    def __call__(
        self, home: Home, loaded: Loaded, *, new: bool, stream: TextIO
    ) -> Coroutine[Any, Any, tuple[dict[str, Any], str]]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What both legs are given."""

    loaded: Loaded
    history: History
    strategy: Strategy
    book: Book
    model: int  # whom a session obeys; 0: the baseline

    def opinions(self) -> I64:
        """Asked once the session is over: it must not meet a strategy that knows how it ends."""
        symbols = [one.spec.symbol for one in self.history.quoted]
        return asked(self.strategy, self.history.panel, symbols)


def certify(home: Home, loaded: Loaded, trade: Trade, progress: Progress) -> Certificate:
    """Trade these candles both ways. Raise UsageError where they cannot be had twice."""
    progress.stage("loading")
    of = gathered(home, loaded)
    progress.stage("trading on paper")
    with traded(home, of.loaded, trade) as rows:
        progress.stage("comparing")
        return certified(rows, of.history, of.opinions(), of.book, model=of.model)


def gathered(home: Home, loaded: Loaded) -> Gathered:
    """The candles as a session meets them, and what a backtest thinks of them."""
    loaded = from_anywhere(repeatable(loaded))
    market = market_of(home, loaded.settings)
    strategy = meant(home, loaded.settings, market)
    loaded = as_usual(loaded, strategy)
    baseline = loaded.settings.signals in (None, "baseline")
    settings = loaded.settings.model_copy(
        update={"signals": "baseline" if baseline else strategy.text, "speed": "max"}
    )
    past = (market.begins_ms - market.opens_ms) // market.timeframe_ms
    history = history_of(market, settings, warm=past)
    book = Book(
        law_of(settings, market.timeframe_ms, [one.spec.venue for one in history.quoted]),
        [instrument_of(settings, i, 1, one.spec) for i, one in enumerate(history.quoted)],
        assumptions_of(settings),
        int(settings.capital * QUANTA),
    )
    model = 0 if baseline else identity(strategy)
    return Gathered(replace(loaded, settings=settings), history, strategy, book, model)


def repeatable(loaded: Loaded) -> Loaded:
    """The settings of candles that are the same when they are asked for again."""
    settings = loaded.settings
    if settings.real:
        raise UsageError(
            f"What {settings.source} tells cannot be had twice, and both legs need it.",
            "Take recorded candles (--replay PATH) or the simulated market.",
        )
    if settings.fills.detail is not None:
        raise UsageError(
            "fills.detail is for backtests only: no session meets finer candles.",
            "Leave it out.",
        )
    if settings.source == "simulated" and settings.candles is None:
        settings = settings.model_copy(update={"candles": CANDLES})
    return replace(loaded, settings=settings)


def market_of(home: Home, settings: Settings) -> Market:
    if settings.source == "replay":
        return recorded(home, settings)
    from rrr.data_pipeline.simulated import simulated

    return simulated(settings.symbols, settings.timeframe, settings.seed, settings.candles)


@contextmanager
def traded(home: Home, loaded: Loaded, trade: Trade) -> Iterator[Iterator[Row]]:
    """The journal of a session over this market, in a home that is gone after the block."""
    with TemporaryDirectory(prefix="rrr-parity-") as folder, Path(os.devnull).open("w") as nobody:
        elsewhere = Home(Path(folder))
        elsewhere.config.mkdir()
        if (home.config / RULES).is_file():
            shutil.copy(home.config / RULES, elsewhere.config)
        asyncio.run(trade(elsewhere, loaded, new=True, stream=nobody))
        path = database_path("paper", elsewhere.root)
        with closing(connect_read_only(path, MODES["paper"])) as connection:
            session = sessions.named(connection, None)
            if not session.finished:
                raise KeyboardInterrupt  # The session ended well, as it does when it is asked to.
            journal = sessions.journal(connection, session.id, PRINCIPAL)
            yield (row for _, row in verified(sessions.head_of(session), journal))
