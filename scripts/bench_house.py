"""The house without its walls: the market, the engine and the tasks, as `rrr.main` wires them."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rrr.config import Home, load
from rrr.core.events import Close
from rrr.data_pipeline.replay import Replay
from rrr.database.client import Client
from rrr.database.sessions import Life, Session
from rrr.monitoring.story import Story
from rrr.neural_network.baseline import Trend
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.opening import Terms, changes, opened
from rrr.trading.engine.venue import Paper, Venue
from rrr.wiring import tasks
from rrr.wiring.beginning import now_ms, recorded, terms_of
from rrr.wiring.opinions import Opinions
from rrr.wiring.pace import Pace
from rrr.wiring.teller import Teller

SESSION = Session(1, "paper-1", "{}", "paper", "replay", "baseline", False)


class House:
    """One market, and engines that trade it."""

    def __init__(self, market: Path, symbols: str, timeframe: str) -> None:
        asked = {"replay": str(market), "symbols": symbols, "timeframe": timeframe, "speed": "max"}
        home = Home.at(market)  # no settings of this machine
        self.loaded = load(home, None, asked, {})
        self.settings = self.loaded.settings
        found = recorded(home, self.settings)
        assert isinstance(found, Replay)
        self.market = found
        self.terms: Terms = terms_of(self.market, self.settings)

    def trend(self) -> Trend:
        return Trend(**self.settings.trend.model_dump())

    def moments(self) -> list[Moment]:
        """Every close with its signals, ready to be taken."""
        trend = self.trend()
        return [met(trend, close) for close in self.market.closes()]

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

    @contextmanager
    def shared(self, engine: Engine, home: Path) -> Iterator[tasks.House]:
        """What the tasks share. They tell the logs of this home, and nobody."""
        names: dict[int, str] = {}
        with Path(os.devnull).open("w", encoding="utf-8") as nobody:
            teller = Teller(nobody, self.loaded)
            with teller.logging(Home(home)):
                story = Story(self.terms.units, engine.state, every_decision=False, names=names)
                opinions = Opinions(
                    Home(home), self.settings, self.market, engine, teller, names, story.warmed
                )
                yield tasks.House(
                    self.settings,
                    self.market,
                    engine.db,
                    engine,
                    opinions,
                    story,
                    teller,
                    asyncio.Event(),
                    Pace("max", real=False),
                )


class Nowhere:
    """A database that forgets at once."""

    async def write(self, work: Callable[[Any], object]) -> object:
        return work(self)

    def execute(self, *_: object) -> None:
        return None

    executemany = execute


def met(trend: Trend, close: Close) -> Moment:
    """One close, and what the baseline thinks of it."""
    (signals,) = trend.meet([close])
    return Moment((close, *signals))


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
