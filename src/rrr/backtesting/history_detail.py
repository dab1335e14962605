"""What happened inside a candle is believed only where it makes that very candle.

The finer candles of recorded instruments, from the files beside theirs. Where their open, high, low
and close are not those of the candle that they lie in, they are left out, and it decides alone.
"""

from dataclasses import dataclass

import numpy as np

from rrr.backtesting.history_columns import counted, gridded, resampled, within
from rrr.core.errors import UsageError
from rrr.data_pipeline.instruments import Whole, whole
from rrr.data_pipeline.recorded import find, read, timeframe_ms
from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.data_pipeline.recorded_rows import PRICES
from rrr.data_pipeline.replay import Replay
from rrr.neural_network.panel import NUMBERS, Panel


@dataclass(frozen=True, slots=True)
class Detail:
    panel: Panel
    sources: tuple[str, ...]  # hashes of the files
    notes: tuple[str, ...]


def detail_of(market: Replay, coarse: Panel, name: str) -> Detail:
    """The finer candles of the same span."""
    step_ms = timeframe_ms(name)
    if step_ms >= coarse.timeframe_ms or coarse.timeframe_ms % step_ms:
        raise UsageError(
            f"{name} candles do not show what is inside those of"
            f" {timeframe_name(coarse.timeframe_ms)}.",
            "Name a shorter timeframe that divides it.",
        )
    whole_columns, sources = _columns(market, name)
    begins_ms = int(coarse.opened_at_ms[0])
    ends_ms = int(coarse.opened_at_ms[-1]) + coarse.timeframe_ms
    columns = [within(one, begins_ms, ends_ms) for one in whole_columns]
    panel = gridded(columns, begins_ms, ends_ms, step_ms)
    made = [resampled(one, coarse.timeframe_ms)[0] for one in columns]
    notes = _agreed(panel, coarse, gridded(made, begins_ms, ends_ms, coarse.timeframe_ms), market)
    return Detail(panel, sources, notes)


def _columns(market: Replay, name: str) -> tuple[list[Whole], tuple[str, ...]]:
    """In the units of the market, each from the folder of its coarser file."""
    if timeframe_ms(name) == market.timeframe_ms:
        return list(market.columns), tuple(file.sha256 for file in market.recorded)
    found = [find(file.found.path.parent, [file.found.symbol], name)[0] for file in market.recorded]
    recorded = [read(one) for one in found]
    columns = [whole(rows, one.spec) for rows, one in zip(recorded, market.columns, strict=True)]
    return columns, tuple(rows.sha256 for rows in recorded)


def _agreed(fine: Panel, coarse: Panel, made: Panel, market: Replay) -> tuple[str, ...]:
    """Leave out what makes another candle; say where, and where there is nothing to look at."""
    ratio = coarse.timeframe_ms // fine.timeframe_ms
    name, coarser = timeframe_name(fine.timeframe_ms), timeframe_name(coarse.timeframe_ms)
    notes = []
    for row, one in enumerate(market.columns):
        same = np.logical_and.reduce(
            [getattr(made, price)[row] == getattr(coarse, price)[row] for price in PRICES]
        )
        unlike = made.there[row] & ~same
        bare = coarse.there[row] & ~made.there[row]
        volumes = np.abs(made.volume[row] - coarse.volume[row]) > ratio  # cut to whole grains
        blank = np.repeat(unlike, ratio)
        for number in (*NUMBERS, "there"):
            getattr(fine, number)[row, blank] = 0
        for mask, words in (
            (unlike, f"unlike what their {name} candles make: the {coarser} candle decides"),
            (bare, f"without {name} candles: the {coarser} candle decides"),
            (made.there[row] & same & volumes, f"of another volume than their {name} candles"),
        ):
            if mask.any():
                count = counted(mask, coarse.opened_at_ms, int(coarse.there[row].sum()))
                notes.append(f"{one.spec.symbol}: {count} {words}")
    return tuple(notes)
