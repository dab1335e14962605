"""What a session is made of, before its first close: its market, its terms, this life of it."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rrr import __version__
from rrr.config import Home, Loaded, Settings
from rrr.config.keys import Keys
from rrr.config.schema import flat, text
from rrr.core.errors import NotFound
from rrr.core.market import QUANTA
from rrr.data_pipeline import instrument_rules
from rrr.data_pipeline.market import Market
from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.data_pipeline.recording import is_recording
from rrr.database.client import Client
from rrr.database.holder import held
from rrr.database.sessions import Life, Unit
from rrr.monitoring.notes import Note
from rrr.neural_network.strategies.naming import strategy_of
from rrr.secrecy import hushed
from rrr.trading.engine.opening import Terms
from rrr.trading.engine.terms import assumptions_of, instrument_of, law_of
from rrr.wiring.hearing import apart_s
from rrr.wiring.stopping import Stopped, unless
from rrr.wiring.teller import Teller

if TYPE_CHECKING:
    from rrr.wiring.trading_live import Live


@contextmanager
def occupied(home: Home, about: dict[str, Any]) -> Iterator[Callable[[], None]]:
    """Hold the home: at once if there is one, else when called; who finds no market makes none."""
    with ExitStack() as stack:
        ours = False

        def occupy() -> None:
            nonlocal ours
            if not ours:
                home.prepare()
                stack.enter_context(held(home.data, about))
                ours = True

        if _is_there(home.data):
            occupy()
        yield occupy


def _is_there(folder: Path) -> bool:
    """What cannot even be looked at is told by whoever prepares it."""
    try:
        return folder.is_dir()
    except OSError:
        return False


def _nothing() -> None:
    """To be done."""


@asynccontextmanager
async def market_of(
    home: Home,
    settings: Settings,
    teller: Teller,
    stop: asyncio.Event,
    found: Callable[[], None] = _nothing,
    *,
    sandbox: bool = False,
) -> AsyncIterator[Market]:
    """The market that is meant; `found` is called before it writes anything.

    Raise Stopped where somebody stops us first.
    """
    match settings.source:
        case "simulated":
            from rrr.data_pipeline.simulated import simulated

            yield simulated(settings.symbols, settings.timeframe, settings.seed, settings.candles)
        case "replay":
            assert settings.replay is not None, "Checked with the settings."
            if not is_recording(settings.replay):
                yield recorded(home, settings)
                return
            from rrr.data_pipeline.recording_replay import replayed

            async with replayed(settings.replay, teller.fact) as market:
                yield market
        case name:
            from rrr.data_pipeline import lean_ccxt
            from rrr.data_pipeline.exchange import Manner, exchange

            if name in lean_ccxt.names():
                teller.note(Note("system", "asking", f"asking {name} for instruments and candles"))
            async with AsyncExitStack() as stack:
                opened: list[Market] = []

                async def enter() -> None:
                    market = exchange(
                        name,
                        settings.symbols,
                        settings.timeframe,
                        candles=settings.candles,
                        past=past_of(settings),
                        address=settings.address,
                        clock_ms=now_ms,
                        told=teller.fact,
                        manner=Manner(sockets=True, sandbox=sandbox),
                        record=recording_of(home, name) if settings.record else None,
                        depth_levels=settings.depth_levels,
                        found=found,
                    )
                    opened.append(await stack.enter_async_context(market))

                if not await unless(stop, enter()):
                    raise Stopped(f"It was stopped before {name} answered.")
                yield opened[0]


def recording_of(home: Home, name: str) -> Path:
    """Where this life of a session is recorded."""
    return home.data / "recordings" / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def past_of(settings: Settings) -> int:
    """The candles that somebody must know before the first that is traded on, and one more."""
    strategy = strategy_of(settings.opinion)
    window = strategy.window if strategy else settings.trend.slow_candles + 1
    return max(settings.policy.warmup_candles, window) + 1


def recorded(home: Home, settings: Settings) -> Market:
    """Recorded candles, with what is known of their instruments."""
    from rrr.data_pipeline.replay import replay

    assert settings.replay is not None, "Checked with the settings."
    known: instrument_rules.Known = {}
    for folder in (Path(__file__).parents[3] / "config", home.config):
        with suppress(NotFound):  # a home may have rules of its own
            known = {**known, **instrument_rules.load(folder / "instruments.toml")}
    return replay(
        settings.replay,
        settings.symbols,
        settings.timeframe,
        known,
        from_ms=int(settings.from_.timestamp() * 1000) if settings.from_ else None,
        to_ms=int(settings.to.timestamp() * 1000) if settings.to else None,
        limit=settings.candles,
    )


def units_of(market: Market) -> list[Unit]:
    specs = [(one.spec, one.source) for one in market.instruments]
    return [
        Unit(s.venue, s.symbol, s.base, s.quote, s.points, s.grains, int(s.inferred), source)
        for s, source in specs
    ]


def terms_of(market: Market, settings: Settings, mode: str = "paper") -> Terms:
    """What names the session, and what its book is told before its first close."""
    specs, units = [one.spec for one in market.instruments], units_of(market)
    strategy = strategy_of(settings.opinion)
    about: dict[str, Any] = {
        "book": "principal",
        "mode": mode,
        "market": market.name,
        "instruments": [f"{u.venue}:{u.symbol}:{u.points}:{u.grains}" for u in units],
        "timeframe": timeframe_name(market.timeframe_ms),
        "signals": strategy.text if strategy else settings.opinion,
        "trend": settings.trend.model_dump(),
        "capital": text(settings.capital),
        "seed": settings.seed,
        **market.about,
    }
    if settings.opinion == "model":
        about["train"] = _learned(settings)
    return Terms(
        about=about,
        units=units,
        law=law_of(settings, market.timeframe_ms, [one.venue for one in units]),
        assumed=assumptions_of(settings),
        instruments=[instrument_of(settings, i, 1, spec) for i, spec in enumerate(specs)],
        capital=int(settings.capital * QUANTA),
        at_ms=market.opens_ms,
        ends_at_ms=market.ends_ms,
    )


def _learned(settings: Settings) -> dict[str, int]:
    """What decides the model of a start; what is as it always was is not said.

    >>> _learned(Settings())
    {'history_candles': 8760, 'epochs': 8, 'horizon_candles': 4}
    """
    train = settings.train
    about = {
        "history_candles": train.history_candles,
        "epochs": quick_epochs(train.epochs),
        "horizon_candles": train.horizon_candles,
    }
    return about | ({"patience_epochs": train.patience_epochs} if train.patience_epochs else {})


def quick_epochs(epochs: int) -> int:
    """Half of those of a full training: whoever starts waits for it."""
    return max(epochs // 2, 1)


@asynccontextmanager
async def dealing(
    settings: Settings, keys: Keys, market: Market, teller: Teller
) -> AsyncIterator[tuple["Live", Terms]]:
    """Who trades for these keys, and a book that pays what their account pays."""
    from rrr.wiring.live_terms import lawful, paying
    from rrr.wiring.trading_live import at_the_venue

    terms = terms_of(market, settings, "live")

    def clock_ms() -> int:
        return now_ms() + int(1_000 * apart_s(market.health()))

    given = (terms.units, terms.law, market.timeframe_ms, clock_ms, teller)
    async with at_the_venue(settings, keys, *given) as live:
        cap = live.agent.wall.caps.order_notional_max
        law = lawful(settings, terms.law, cap, climbed=False)
        about = {**terms.about, "sandbox": True} if settings.live.sandbox else terms.about
        pays = paying(live.wire, live.fees, terms.instruments)
        yield live, replace(terms, about=about, law=law, instruments=pays)


def life_of(market: Market, loaded: Loaded, db: Client) -> Life:
    """This process, the settings that it was given, and what it noticed at its start."""
    settings = [
        (n, clean(text(v)), clean(loaded.origin(n))) for n, v in flat(loaded.settings).items()
    ]
    map_gib = f"{db.mmap_granted / 2**30:.1f} GiB"
    notes: list[tuple[str, dict[str, Any]]] = [
        ("database", {"SQLite": sqlite3.sqlite_version, "memory map": map_gib}),
        *(("database", {"note": note}) for note in db.notes),
    ]
    for one in market.instruments:
        notes += [("data", {"symbol": one.spec.symbol, "note": note}) for note in one.notes]
    return Life(os.getpid(), __version__, settings, notes)


def clean(text: str) -> str:
    """What a person typed, without what no file can hold, and none should."""
    return hushed(text.encode("utf-8", "replace").decode())


def now_ms() -> int:
    """The wall's clock; the core is told the market's time."""
    return time.time_ns() // 1_000_000
