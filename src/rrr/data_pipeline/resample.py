"""A longer candle is made of all the shorter ones inside it, or it is not made and is named.

Volumes are summed to the decimals of their source, so that the sum is the float nearest to the true
one. A part that a venue drew where nobody traded, flat and without volume, has no price of its own;
one that it confirms nobody traded is not missing. What is made says so: its source is BUILT, or
SYNTHETIC if any of its parts was.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import UsageError
from rrr.core.market import Source
from rrr.data_pipeline.recorded_files import TIMEFRAMES, grid_begin_ms, timeframe_name
from rrr.data_pipeline.recorded_rows import Integers
from rrr.data_pipeline.store_series import Series, rounded, silences


class Partial(NamedTuple):
    """A candle that is not made: so many of its parts are there, of so many."""

    at_ms: int
    there: int
    of: int


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    series: Series
    partial: tuple[Partial, ...]


def resampled(
    series: Series, timeframe_ms: int, silent: Iterable[tuple[int, int]] = ()
) -> Resampled:
    """The whole candles of a longer timeframe. The series is sound."""
    made, parts = grouped(series, timeframe_ms, silent)
    of = timeframe_ms // series.timeframe_ms
    short = parts < of
    partial = zip(made.ts[short].tolist(), parts[short].tolist(), strict=True)
    return Resampled(made.taken(~short), tuple(Partial(at, there, of) for at, there in partial))


def grouped(
    series: Series, timeframe_ms: int, silent: Iterable[tuple[int, int]] = ()
) -> tuple[Series, Integers]:
    """Longer candles of what there is, whole or not, and how many parts of each are known."""
    fine, coarse = timeframe_name(series.timeframe_ms), timeframe_name(timeframe_ms)
    if timeframe_ms <= series.timeframe_ms or timeframe_ms % series.timeframe_ms:
        longer = [name for name, ms in TIMEFRAMES.items() if ms > series.timeframe_ms]
        whole = [name for name in longer if TIMEFRAMES[name] % series.timeframe_ms == 0]
        raise UsageError(
            f"{fine} candles make no {coarse} candles.", f"They make {', '.join(whole) or 'none'}."
        )
    if not len(series):
        return replace(series, timeframe_ms=timeframe_ms), np.zeros(0, np.int64)
    firsts, counts = _groups(series.ts, timeframe_ms)
    sources = np.maximum.reduceat(series.source, firsts)
    quiet = _place(silences(series.ts, series.timeframe_ms, silent), timeframe_ms)
    begins = _place(series.ts[firsts], timeframe_ms)
    known = np.searchsorted(quiet, begins, "right") - np.searchsorted(quiet, begins)
    traded = ~drawn(series)
    traded |= np.repeat(~np.logical_or.reduceat(traded, firsts), counts)
    priced = series.taken(traded)
    starts, lengths = _groups(priced.ts, timeframe_ms)
    made = replace(
        series,
        timeframe_ms=timeframe_ms,
        ts=begins,
        open=priced.open[starts],
        high=np.maximum.reduceat(priced.high, starts),
        low=np.minimum.reduceat(priced.low, starts),
        close=priced.close[starts + lengths - 1],
        volume=rounded(np.add.reduceat(series.volume, firsts), series.decimals.volume),
        source=np.maximum(sources, np.int8(Source.BUILT)),
        origin=(f"made of {fine} candles", *series.origin),
    )
    return made, counts + known


def drawn(series: Series) -> NDArray[np.bool_]:
    """Candles of times without trades, at the last price before them: Kraken and Binance do it."""
    flat: NDArray[np.bool_] = (series.volume == 0) & (series.high == series.low)
    return flat


def _groups(stamps: Integers, step_ms: int) -> tuple[Integers, Integers]:
    """Where each longer candle begins in its parts, and how many those are."""
    places = _place(stamps, step_ms)
    firsts = np.flatnonzero(np.diff(places, prepend=places[:1] - 1))
    return firsts, np.diff(firsts, append=len(places))


def _place(stamps: Integers, step_ms: int) -> Integers:
    return stamps - (stamps - grid_begin_ms(step_ms)) % step_ms
