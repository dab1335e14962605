"""What was tried counts before it is looked at, and a recipe is what was chosen, not when.

The three kinds of a training are three recipes of the family that every backtest of these
instruments is counted in; refits on later candles are no new ones. Models of some of the same
instruments, or of another timeframe, are kin: they saw the same prices, and count too. A look at
the holdout is of one model on one account's terms. Synthetic markets are other families: their
names say so.
"""

from collections.abc import Mapping, Sequence
from math import log2
from statistics import variance
from typing import Any, Final

from rrr.backtesting.gate_returns import Ledger
from rrr.backtesting.records import chosen, family_of, path_of
from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.database import research
from rrr.database.sessions import key_of
from rrr.home import Home
from rrr.neural_network.artefact import Scope

HOLDOUT: Final = "holdout of"
NO_CHOICE: Final = ("symbols", "market")  # of a training's settings: the family's
OF_MODELS: Final = '"model":'  # in the recipe of a model, and in no other
MADE_UP: Final = "simulated"


def family(scope: Scope) -> str:
    return family_of(scope.market, scope.symbols, timeframe_name(scope.timeframe_ms))


def recipe(manifest: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]]) -> str:
    """In canonical text; `settings` as `config.show_json` tells those of the account."""
    learned = {n: v for n, v in manifest.get("settings", {}).items() if n not in NO_CHOICE}
    about = {
        "model": manifest.get("kind", "network"),
        "learned": learned,
        "history": _length(manifest),
        "features": manifest["features_version"],
        "sources": manifest.get("sources", {}),
    }
    told = {n: v for n, v in chosen(settings).items() if not n.startswith(("train.", "live."))}
    return key_of(about | {"settings": told})


def counted(
    home: Home, scope: Scope, recipes: Mapping[str, str], look: str, at_ms: int
) -> dict[str, int]:
    """Write down who is about to be looked at, and the candidate's `look` at its last part.

    The trial of each kind.
    """
    with research.writing(path_of(home)) as connection:
        trials = research.looked(connection, family(scope), list(recipes.values()), at_ms)
        research.looked(connection, f"{HOLDOUT} {family(scope)}", [look], at_ms)
    return dict(zip(recipes, trials, strict=True))


def seen(home: Home, of: str, looks: Sequence[str], at_ms: int) -> None:
    """Write down whose last part is about to be shown, though no gate asks, of a family."""
    with research.writing(path_of(home)) as connection:
        research.looked(connection, f"{HOLDOUT} {of}", looks, at_ms)


def tried(home: Home, scope: Scope, recipes: Mapping[str, str], at_ms: int) -> None:
    """Write down who was trained, before anything of it is shown."""
    with research.writing(path_of(home)) as connection:
        research.looked(connection, family(scope), list(recipes.values()), at_ms)


def concluded(home: Home, outcomes: Mapping[int, Mapping[str, Any]]) -> None:
    """What each trial showed, as `research.concluded` has it."""
    with research.writing(path_of(home)) as connection:
        research.concluded(connection, outcomes)


def ledger(home: Home, scope: Scope, prior: int) -> Ledger:
    """All that was tried so far, and how the known ratios differ."""
    of = family(scope)
    with research.reading(path_of(home)) as connection:
        known, every = research.trials(connection, of), research.recipes(connection)
    looks = {
        look
        for name, look in every
        if name.startswith(HOLDOUT) and kin(name.removeprefix(HOLDOUT).lstrip(), of)
    }
    others = {
        (name, recipe)
        for name, recipe in every
        if name != of and not name.startswith(HOLDOUT) and OF_MODELS in recipe and kin(name, of)
    }
    ratios = [*known.excesses.values()]
    return Ledger(known.recipes + len(others) + prior, prior, _variance(ratios), len(looks))


def kin(one: str, other: str) -> bool:
    """Whether two families may share prices; what is made up shares none with what is not.

    >>> kin("kraken BTC-USD+ETH-USD 1h", "replay BTC-USD 4h"), kin("kraken A-USD 1h", "kraken B 1h")
    (True, False)
    """
    (market, symbols, _), (market_2, symbols_2, _) = (name.rsplit(" ", 2) for name in (one, other))
    if not set(symbols.split("+")) & set(symbols_2.split("+")):
        return False
    return market == market_2 or MADE_UP not in (market, market_2)


def _length(manifest: Mapping[str, Any]) -> int:
    """Of the history, in halves of doublings: how much is a choice, a few candles more are none."""
    data = manifest["data"]
    candles = (data["ends_ms"] - data["begins_ms"]) / manifest["timeframe_ms"]
    return round(2 * log2(max(candles, 1)))


def _variance(ratios: Sequence[float]) -> float | None:
    return variance(ratios) if len(ratios) > 1 else None
