"""A longer candle is made of all the shorter ones inside it, or it is not made and is named.

Volumes are summed to the decimals of their source, so that the sum is the float nearest to the true
one. What is made says so: its source is BUILT, or SYNTHETIC if any of its parts was.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rrr.core.errors import UsageError
from rrr.core.market import Source
from rrr.data_pipeline.recorded_files import TIMEFRAMES, grid_begin_ms, timeframe_name
from rrr.data_pipeline.recorded_rows import Integers
from rrr.data_pipeline.store_series import Series, rounded


class Partial(NamedTuple):
    """A candle that is not made: so many of its parts are there, of so many."""

    at_ms: int
    there: int
    of: int


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    series: Series
    partial: tuple[Partial, ...]


def resampled(series: Series, timeframe_ms: int) -> Resampled:
    """The whole candles of a longer timeframe. The series is sound."""
    made, parts = grouped(series, timeframe_ms)
    of = timeframe_ms // series.timeframe_ms
    short = parts < of
    partial = zip(made.ts[short].tolist(), parts[short].tolist(), strict=True)
    return Resampled(made.taken(~short), tuple(Partial(at, there, of) for at, there in partial))


def grouped(series: Series, timeframe_ms: int) -> tuple[Series, Integers]:
    """Longer candles of what there is, whole or not, and of how many parts each is made."""
    fine, coarse = timeframe_name(series.timeframe_ms), timeframe_name(timeframe_ms)
    if timeframe_ms <= series.timeframe_ms or timeframe_ms % series.timeframe_ms:
        longer = [name for name, ms in TIMEFRAMES.items() if ms > series.timeframe_ms]
        whole = [name for name in longer if TIMEFRAMES[name] % series.timeframe_ms == 0]
        raise UsageError(
            f"{fine} candles make no {coarse} candles.", f"They make {', '.join(whole) or 'none'}."
        )
    places = series.ts - (series.ts - grid_begin_ms(timeframe_ms)) % timeframe_ms
    firsts = np.flatnonzero(np.diff(places, prepend=places[:1] - 1))
    parts = np.diff(firsts, append=len(places))
    if not len(firsts):
        return replace(series, timeframe_ms=timeframe_ms), parts
    made = replace(
        series,
        timeframe_ms=timeframe_ms,
        ts=places[firsts],
        open=series.open[firsts],
        high=np.maximum.reduceat(series.high, firsts),
        low=np.minimum.reduceat(series.low, firsts),
        close=series.close[firsts + parts - 1],
        volume=rounded(np.add.reduceat(series.volume, firsts), series.decimals.volume),
        source=np.maximum(np.maximum.reduceat(series.source, firsts), np.int8(Source.BUILT)),
        origin=(f"made of {fine} candles", *series.origin),
    )
    return made, parts
