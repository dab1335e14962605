"""What an exchange says of an instrument is its rule; what it does not say is inferred and told.

What enters are ccxt's markets; what leaves are the spot instruments that were asked for, all paid
in one currency, in the order of their symbols.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from rrr.core.errors import DataError, NotFound, UsageError
from rrr.core.market import INSTRUMENTS_MAX
from rrr.data_pipeline.instruments import Extent, Rules, Spec, infer_rules, places, spec_of
from rrr.data_pipeline.recorded_files import symbol_name

BASES = ("BTC", "ETH", "SOL")
QUOTES = ("USD", "USDT")
_QUANTUM = Decimal("1e-8")
_NAME_MAX = 40


class Chosen(NamedTuple):
    symbol: str  # the house's: BTC-USD
    market: Mapping[str, Any]  # ccxt's

    @property
    def pair(self) -> str:
        """As ccxt writes it: BTC/USD."""
        return str(self.market["symbol"])

    @property
    def active(self) -> bool:
        return self.market.get("active") is not False


def choose(name: str, markets: Mapping[str, Any], symbols: Sequence[str]) -> list[Chosen]:
    there = _spot(markets)
    asked = dict.fromkeys(map(symbol_name, symbols)) or _usual(name, there)
    for symbol in asked:
        if symbol not in there:
            raise NotFound(
                f"{name} has no {symbol} on its spot market.",
                nearest(symbol, sorted(there)),
            )
    if len(asked) > INSTRUMENTS_MAX:
        raise UsageError(
            f"{len(asked)} instruments are more than the {INSTRUMENTS_MAX} that a book has room"
            " for.",
            "Name fewer with --symbols.",
        )
    quotes = sorted({symbol.split("-")[1] for symbol in asked})
    if len(quotes) > 1:
        raise UsageError(
            f"A book has one cash account, and these instruments are paid in {', '.join(quotes)}.",
            "Choose instruments of one quote currency with --symbols.",
        )
    return [there[symbol] for symbol in sorted(asked)]


def spec(
    name: str, chosen: Chosen, tick_sizes: bool, rows: Sequence[Sequence[Any]]
) -> tuple[Spec, tuple[str, ...]]:
    """Rules in whole numbers that these first candles fit, and what a person should know."""
    columns = np.array([row[1:6] for row in rows], dtype=np.float64).T
    stated = _stated(chosen.market) if tick_sizes else None
    notes = []
    if stated is None:
        notes.append(f"{name} states no tick and lot: inferred from its candles")
    if not chosen.active:
        notes.append(f"{name} does not trade it now")
    rules = stated or infer_rules(columns[:4], columns[4])
    extent = Extent(float(columns[1].max()), float(columns[2].min()), float(columns[4].max()))
    try:
        made = spec_of(name, chosen.symbol, rules, extent, inferred=stated is None, where=name)
    except DataError as error:
        raise DataError(error.what, "Choose other instruments with --symbols.") from error
    return made, tuple(notes)


def nearest(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=3, cutoff=0.6)
    if near:
        return f"Nearest: {', '.join(near)}."
    return f"Known: {', '.join(known[:6])}{' and others' if len(known) > 6 else ''}."


def _spot(markets: Mapping[str, Any]) -> dict[str, Chosen]:
    found = {}
    for market in markets.values():
        base, quote = market.get("base"), market.get("quote")
        named = _is_name(base) and _is_name(quote)
        if market.get("spot") and named and market.get("symbol") == f"{base}/{quote}":
            symbol = f"{base}-{quote}"
            found[symbol] = Chosen(symbol, market)
    return found


def _is_name(said: Any) -> bool:
    """What a venue calls a coin is shown to people: nothing of it may steer a terminal."""
    return (
        isinstance(said, str)
        and 0 < len(said) <= _NAME_MAX
        and said.isprintable()
        and " " not in said
    )


def _usual(name: str, there: Mapping[str, Chosen]) -> dict[str, None]:
    """What most people mean, where they name nothing."""
    kinds = [[s for base in BASES if (s := f"{base}-{quote}") in there] for quote in QUOTES]
    active = [[symbol for symbol in kind if there[symbol].active] for kind in kinds]
    best = max(active, key=len)
    if not best:
        raise UsageError(
            f"{name} has none of {', '.join(BASES)} against {' or '.join(QUOTES)}.",
            f"Name instruments with --symbols; it has {', '.join(sorted(there)[:6]) or 'none'}.",
        )
    return dict.fromkeys(best)


def _stated(market: Mapping[str, Any]) -> Rules | None:
    steps, limits = market.get("precision") or {}, market.get("limits") or {}
    tick, lot = _decimal(steps.get("price")), _decimal(steps.get("amount"))
    if not tick or not lot:
        return None
    quantity_min = _decimal((limits.get("amount") or {}).get("min"))
    notional_min = _decimal((limits.get("cost") or {}).get("min"))
    if places(notional_min) > places(_QUANTUM):
        notional_min = notional_min.quantize(_QUANTUM, ROUND_CEILING)
    return Rules(tick, lot, quantity_min or lot, notional_min)


def _decimal(number: Any) -> Decimal:
    """Nothing, where nothing sensible is stated."""
    value = Decimal(repr(number)) if isinstance(number, int | float) else Decimal(0)
    return value if value.is_finite() and value > 0 else Decimal(0)
