"""Who speaks is known before a candle is traded on, and what it is made for holds unless chosen.

A strategy may bring settings of `policy` that suit it; what a person chose wins. A model may speak
of candles that came after all that it learned from, or says that it does not.
"""

from dataclasses import replace
from pathlib import Path

from rrr.backtesting.history import History
from rrr.config import Home, Loaded, Settings
from rrr.config.choosing import made_for
from rrr.core.errors import NotFound
from rrr.data_pipeline.market import Market
from rrr.monitoring.words import stamp
from rrr.neural_network import artefact
from rrr.neural_network.artefact import Scope
from rrr.neural_network.registry import obeyed
from rrr.neural_network.strategies.naming import named, strategy_of
from rrr.neural_network.strategies.neural import Neural, filled
from rrr.neural_network.strategies.strategy import Strategy
from rrr.neural_network.strategies.trend import Trend

SIMULATED = "simulated"


def as_usual(loaded: Loaded, strategy: Strategy | None = None) -> Loaded:
    """The settings as the strategy is made for them; without one, the strategy that they name."""
    if strategy is None:
        strategy = strategy_of(loaded.settings.signals or "baseline")
    if strategy is None:
        return loaded
    values = dict(strategy.usual)
    if strategy.entry != type(loaded.settings.policy)().entry:
        values.setdefault("policy.entry", strategy.entry)
    return made_for(loaded, values, strategy.name) if values else loaded


def meant(home: Home, settings: Settings, market: Market) -> Strategy:
    """The strategy of a run; its files are named so that they are found from anywhere."""
    match settings.signals or "baseline":
        case "baseline":
            trend = settings.trend
            return Trend(trend.fast_candles, trend.slow_candles, trend.full_swings)
        case "model":
            return newest(home, settings, market)
        case text:
            strategy = named(whole(text))
    if isinstance(strategy, Neural):
        folder = Path(strategy.folder).expanduser().absolute()
        strategy = replace(strategy, folder=str(folder))
    return filled(strategy, settings, symbols_of(market))


def newest(home: Home, settings: Settings, market: Market) -> Strategy:
    """Who is obeyed in such a market: its champion, or the model that was made last."""
    symbols, models = symbols_of(market), home.data / "models"
    found = obeyed(models, Scope(market.name, market.timeframe_ms, symbols))
    if found is None:
        raise NotFound(
            f"{models} has no model of {', '.join(symbols)}, {settings.timeframe}, {market.name}.",
            "`rrr train` with the same options makes one; or name one: model:folder=…",
        )
    return filled(Neural(str(found[0].folder.absolute())), settings, symbols)


def symbols_of(market: Market) -> tuple[str, ...]:
    return tuple(one.spec.symbol for one in market.instruments)


def whole(text: str) -> str:
    """
    >>> whole("breakout:entry_candles=3"), whole("/mine/golden.py:Golden")
    ('breakout:entry_candles=3', '/mine/golden.py:Golden')
    """
    where, colon, rest = text.strip().partition(":")
    if where.endswith(".py"):
        where = str(Path(where).expanduser().absolute())
    return where + colon + rest


def learned_from(strategy: Strategy, history: History) -> str:
    """Why a model knows these candles; nothing if it does not."""
    if not isinstance(strategy, Neural):
        return ""
    manifest = artefact.load(Path(strategy.folder)).manifest
    made_of, traded_on = manifest["market"], history.about["market"]
    if SIMULATED in (made_of, traded_on) and made_of != traded_on:
        return ""
    begins_ms = int(history.panel.opened_at_ms[history.begins])
    learned_ms = int(manifest["data"]["ends_ms"])
    if begins_ms >= learned_ms:
        return ""
    return (
        f"The model learned from candles up to {stamp(learned_ms)}, and these begin at"
        f" {stamp(begins_ms)}."
    )
