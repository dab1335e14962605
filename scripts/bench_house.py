"""The house without its walls: the market, the moments and the engine, as `rrr.main` wires them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rrr.config import Home, load
from rrr.core.events import Close
from rrr.database.client import Client
from rrr.database.sessions import Life, Session
from rrr.main import now_ms, recorded, terms_of
from rrr.neural_network.baseline import Trend
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.opening import Terms, changes, opened
from rrr.trading.engine.venue import Paper, Venue

SESSION = Session(1, "paper-1", "{}", "paper", "replay", "baseline", False)


class House:
    """One market, and engines that trade it."""

    def __init__(self, market: Path, symbols: str, timeframe: str) -> None:
        asked = {"replay": str(market), "symbols": symbols, "timeframe": timeframe, "speed": "max"}
        home = Home.at(market)  # no settings of this machine
        self.settings = load(home, None, asked, {}).settings
        self.market = recorded(home, self.settings)
        self.terms: Terms = terms_of(self.market, self.settings)

    def trend(self) -> Trend:
        return Trend(**self.settings.trend.model_dump())

    def moments(self) -> list[Moment]:
        """Every close with its signals, ready to be taken."""
        trend = self.trend()
        return [Moment((close, *trend.meet(close))) for close in self.market.closes()]

    async def opened(
        self, db: Client, kind: type[Engine] = Engine, venue: Venue | None = None
    ) -> Engine:
        """A new session in this database."""
        life = Life(0, "bench", [], [])
        engine = await opened(db, self.terms, life, venue or Paper(), now_ms, new=True)
        engine.__class__ = kind  # one that keeps time, where it is asked for
        return engine

    async def unwritten(self, kind: type[Engine] = Engine, venue: Venue | None = None) -> Engine:
        """An engine whose rows are made and then dropped."""
        engine = kind(Nowhere(), SESSION, venue or Paper(), "", now_ms)  # type: ignore[arg-type]
        await engine.take([Moment(changes(engine, self.terms))])
        return engine


class Nowhere:
    """A database that forgets at once."""

    async def write(self, work: Callable[[Any], object]) -> object:
        return work(self)

    def execute(self, *_: object) -> None:
        return None

    executemany = execute


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def candles(moments: Sequence[Moment]) -> int:
    return sum(len(close_of(moment).candles) for moment in moments)


def close_of(moment: Moment) -> Close:
    close = moment.events[0]
    assert isinstance(close, Close)
    return close
