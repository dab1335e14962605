"""Series that differ in what a test is about, and in nothing else."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from rrr.core.market import Source
from rrr.data_pipeline.store_series import Decimals, Series

FIRST: Final = 1_704_067_200_000  # Monday, 2024-01-01
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
SHARED: Final = Path(__file__).parents[2].parent / "shared" / "data"


def series(places: Iterable[int] | int, step_ms: int = MINUTE, **changed: Any) -> Series:
    """Candles at these places behind `FIRST`; the same place has the same candle."""
    at = np.array(range(places) if isinstance(places, int) else list(places), np.int64)
    close = 42_000 + (at * 37 % 211) / 4
    opened = 42_000 + ((at - 1) * 37 % 211) / 4
    return replace(
        Series(
            "kraken",
            "BTC-USD",
            step_ms,
            ts=FIRST + at * step_ms,
            open=opened,
            high=np.maximum(opened, close) + 1.5,
            low=np.minimum(opened, close) - 1.25,
            close=close,
            volume=(1 + at % 97) / 100,
            source=np.full(len(at), Source.REST, np.int8),
            decimals=Decimals(2, 2),
            origin=("kraken rest",),
        ),
        **changed,
    )


def with_value(given: Series, name: str, place: int, value: float) -> Series:
    """The same, but for one number."""
    column = getattr(given, name).copy()
    column[place] = value
    return replace(given, **{name: column})


def rows(given: Series) -> list[tuple[float, ...]]:
    """All of its candles, to compare."""
    names = ("ts", "open", "high", "low", "close", "volume", "source")
    return list(zip(*(getattr(given, name).tolist() for name in names), strict=True))


def flat_at(given: Series, place: int, price: float) -> Series:
    """The same, but as venues draw a time without trades: one price, no volume."""
    for name in ("open", "high", "low", "close"):
        given = with_value(given, name, place, price)
    return with_value(given, "volume", place, 0.0)
