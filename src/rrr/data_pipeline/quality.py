"""What is odd about candles is found and named; nothing is mended, filled or left out.

`examined` takes a series as it was read, however broken. Some findings are wrong beyond doubt (a
report is `sound` without them); others are true of real markets too and only worth a look: gaps,
spikes, times without volume, prices that stand still. A time that the venue confirms to be without
trades (`silent`) is no gap, and is said apart. A spike is a move of more than `SPIKE` robust
deviations that is taken back at once, by the next close or within its own candle; the deviation is
that of the candles around it, so that a wild day is no spike.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import UsageError
from rrr.core.market import Source
from rrr.data_pipeline.recorded_rows import PRICES, VALUES, Floats, Integers
from rrr.data_pipeline.resample import drawn, grouped
from rrr.data_pipeline.store_series import (
    Series,
    Span,
    impossible,
    missing,
    off_grid,
    silences,
)

SPIKE: Final = 20.0
FLAT: Final = 12  # candles in a row that are one and the same price

_MAD_TO_SIGMA: Final = 1.4826
_AROUND: Final = 128  # candles that share a deviation, with as many on either side
_ENOUGH: Final = 32  # moves, to know what is usual
_LOG_MAX: Final = 700.0  # whose ratio is still a float
_BACK: Final = 0.25  # of a spike may remain
_NOISE: Final = 1e-12  # of a price: floats of one decimal number

Mask = NDArray[np.bool_]


class Wrong(NamedTuple):
    at_ms: int
    why: str


class Spike(NamedTuple):
    at_ms: int
    ratio: float  # of the price out there to the usual one


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    timeframe_ms: int
    candles: int
    first_ms: int
    last_ms: int
    gaps: tuple[Span, ...]  # nobody knows what was there
    silent: tuple[Span, ...]  # the venue confirms that nobody traded
    duplicates: tuple[int, ...]  # said again
    contradictions: tuple[int, ...]  # said again, and otherwise
    disorder: tuple[int, ...]  # after a later one
    off_grid: tuple[int, ...]
    impossible: tuple[Wrong, ...]
    spikes: tuple[Spike, ...]
    zero_volume: tuple[Span, ...]
    flat_runs: tuple[Span, ...]
    copies: tuple[Span, ...]
    sources: tuple[tuple[Source, int], ...]

    @property
    def missing(self) -> int:
        return sum(gap.candles for gap in self.gaps)

    @property
    def sound(self) -> bool:
        wrong = (self.duplicates, self.contradictions, self.disorder, self.off_grid)
        return not any((*wrong, self.impossible))


class Disagreement(NamedTuple):
    """A value of a longer candle, and what its shorter ones make of it."""

    at_ms: int
    column: str
    held: float
    made: float


@dataclass(frozen=True, slots=True)
class Disagreements:
    """`whole` longer candles were compared in full, `partial` ones by what holes cannot change."""

    fine: str
    coarse: str
    whole: int
    partial: int
    unlike: tuple[Disagreement, ...]
    absent: tuple[int, ...]  # the shorter ones are all there, the longer one is not


def examined(series: Series, silent: Iterable[tuple[int, int]] = ()) -> Report:
    """Everything that is odd about these candles."""
    stamps, step_ms = series.ts, series.timeframe_ms
    late = stamps < np.maximum.accumulate(stamps)
    ordered = series.taken(np.argsort(stamps, kind="stable")) if late.any() else series
    again = np.diff(ordered.ts, prepend=ordered.ts[:1] - 1) == 0
    unlike = again & ~_same_as_before(ordered)
    astray = off_grid(ordered.ts, step_ms)
    once = ordered.taken(~again & ~astray)
    wrong = _wrong(once)
    sane = once.taken(~wrong) if wrong.any() else once
    quiet = silences(once.ts, step_ms, silent)
    ends = (int(ordered.ts[0]), int(ordered.ts[-1])) if len(series) else (0, -step_ms)
    return Report(
        series.name,
        step_ms,
        len(series),
        *ends,
        gaps=missing(np.union1d(once.ts, quiet), step_ms, ends[0], ends[1] + step_ms),
        silent=_spans(quiet, step_ms),
        duplicates=_times(ordered.ts, again & ~unlike),
        contradictions=_times(ordered.ts, unlike),
        disorder=_times(stamps, late),
        off_grid=_times(ordered.ts, astray),
        impossible=tuple(_reasons(once)) if wrong.any() else (),
        spikes=_spikes(sane),
        zero_volume=_runs(sane, sane.volume == 0, 1),
        flat_runs=_runs(sane, _flat(sane), FLAT),
        copies=_runs(sane, _copied(sane), 1),
        sources=_sources(series),
    )


def disagreements(
    fine: Series, coarse: Series, silent: Iterable[tuple[int, int]] = ()
) -> Disagreements:
    """Where longer candles are not what the shorter ones make. Both are sound.

    The prices of candles that were drawn where nobody traded are nobody's, and are not compared.
    """
    if (fine.venue, fine.symbol) != (coarse.venue, coarse.symbol):
        raise UsageError(
            f"{fine.name} and {coarse.name} are two instruments.", "Compare timeframes of one."
        )
    made, parts = grouped(fine, coarse.timeframe_ms, silent)
    of = coarse.timeframe_ms // fine.timeframe_ms
    at = np.minimum(np.searchsorted(coarse.ts, made.ts), max(len(coarse) - 1, 0))
    there = coarse.ts[at] == made.ts if len(coarse) else np.zeros(len(made), np.bool_)
    whole = parts == of
    absent = _times(made.ts, whole & ~there & ~drawn(made) & _within(made.ts, coarse))
    held, made, whole = coarse.taken(at[there]), made.taken(there), whole[there]
    # Each side may have rounded every candle of its own.
    slack = (of + 1) * 10.0 ** -min(fine.decimals.volume, coarse.decimals.volume)
    more = made.volume - held.volume > slack
    apart = {name: getattr(made, name) - getattr(held, name) for name in PRICES}
    noise = _NOISE * held.high
    unlike = {name: whole & (np.abs(apart[name]) > noise) for name in PRICES}
    unlike["high"] |= apart["high"] > noise
    unlike["low"] |= apart["low"] < -noise
    for name in PRICES:
        unlike[name] &= ~(drawn(held) & drawn(made))
    unlike["volume"] = more | (whole & (held.volume - made.volume > slack))
    found = [
        Disagreement(int(held.ts[i]), name, *(float(getattr(one, name)[i]) for one in (held, made)))
        for name in VALUES
        for i in np.flatnonzero(unlike[name])
    ]
    return Disagreements(
        fine.name,
        coarse.name,
        whole=int(whole.sum()),
        partial=int((~whole).sum()),
        unlike=tuple(sorted(found, key=lambda one: (one.at_ms, VALUES.index(one.column)))),
        absent=absent,
    )


def _same_as_before(series: Series) -> Mask:
    same = np.ones(len(series), np.bool_)
    for name in VALUES:
        column: Floats = getattr(series, name)
        same[1:] &= (column[1:] == column[:-1]) | (np.isnan(column[1:]) & np.isnan(column[:-1]))
    return same


def _wrong(series: Series) -> Mask:
    wrong = np.zeros(len(series), np.bool_)
    for mask, _ in impossible(series):
        wrong |= mask
    return wrong


def _reasons(series: Series) -> Iterator[Wrong]:
    """For each candle the first of its reasons."""
    named = np.zeros(len(series), np.bool_)
    found = []
    for mask, why in impossible(series):
        found += [Wrong(at, why) for at in _times(series.ts, mask & ~named)]
        named |= mask
    yield from sorted(found)


def _spikes(series: Series) -> tuple[Spike, ...]:
    opened, high, low, close = (np.log(getattr(series, name)) for name in PRICES)
    moves = np.diff(close, prepend=close[:1])
    moves[~_follows(series)] = 0.0
    after = np.append(moves[1:], 0.0)
    limit = SPIKE * _deviation(np.abs(moves))
    back = np.abs(moves + after) < _BACK * np.abs(moves)
    up, down = high - np.maximum(opened, close), low - np.minimum(opened, close)
    out = np.select(
        [(np.abs(moves) > limit) & back, up > limit, -down > limit], [moves, up, down], 0.0
    )
    places = np.flatnonzero(out)
    ratios = np.exp(np.clip(out[places], -_LOG_MAX, _LOG_MAX)).tolist()
    return tuple(map(Spike, series.ts[places].tolist(), ratios))


def _deviation(sizes: Floats) -> Floats:
    """Of the moves around each, or of all where those are calmer; no move at all says nothing."""
    firsts = range(0, len(sizes), _AROUND)
    moved = [block[block > 0] for block in (sizes[at : at + _AROUND] for at in firsts)]
    every = np.concatenate([*moved, np.zeros(0)])
    if len(every) < _ENOUGH:
        return np.full(len(sizes), np.inf)
    usual = np.median(every)
    near = np.array([np.median(block) if len(block) >= _ENOUGH else usual for block in moved])
    calm = np.pad(near, 1, constant_values=usual)
    around = np.maximum(np.maximum(calm[:-2], calm[2:]), np.maximum(near, usual))
    deviation: Floats = _MAD_TO_SIGMA * np.repeat(around, _AROUND)[: len(sizes)]
    return deviation


def _flat(series: Series) -> Mask:
    """One price, and that of the candle before."""
    flat: Mask = series.high == series.low
    flat[1:] &= series.close[1:] == series.close[:-1]
    return flat


def _copied(series: Series) -> Mask:
    """Said again as the next candle: where something moved, no market does that."""
    moved = (series.high > series.low) & (series.volume > 0)
    copied: Mask = _same_as_before(series) & _follows(series) & moved
    return copied


def _runs(series: Series, mask: Mask, least: int) -> tuple[Span, ...]:
    """Stretches of candles that follow each other and are all so."""
    broken = ~(mask[1:] & mask[:-1] & _follows(series)[1:])
    begins = np.flatnonzero(mask & np.append(True, broken)[: len(mask)])
    ends = np.flatnonzero(mask & np.append(broken, True)[: len(mask)])
    long = ends - begins + 1 >= least
    first, last = series.ts[begins[long]].tolist(), series.ts[ends[long]].tolist()
    step_ms = series.timeframe_ms
    return tuple(
        Span(b, e + step_ms, (e - b) // step_ms + 1) for b, e in zip(first, last, strict=True)
    )


def _spans(stamps: Integers, step_ms: int) -> tuple[Span, ...]:
    """Stretches of stamps, which rise, that follow each other."""
    apart = np.diff(stamps) != step_ms
    begins = stamps[np.append(len(stamps) > 0, apart)[: len(stamps)]].tolist()
    ends = (stamps[np.append(apart, len(stamps) > 0)[: len(stamps)]] + step_ms).tolist()
    return tuple(Span(b, e, (e - b) // step_ms) for b, e in zip(begins, ends, strict=True))


def _follows(series: Series) -> Mask:
    """Whether each candle opens where the one before has closed."""
    follows: Mask = np.diff(series.ts, prepend=series.ts[:1]) == series.timeframe_ms
    return follows


def _within(stamps: Integers, series: Series) -> Mask:
    inside: Mask = np.zeros(len(stamps), np.bool_)
    if len(series):
        inside = (stamps >= series.ts[0]) & (stamps <= series.ts[-1])
    return inside


def _sources(series: Series) -> tuple[tuple[Source, int], ...]:
    kinds, counts = np.unique(series.source, return_counts=True)
    return tuple((Source(kind), n) for kind, n in zip(kinds.tolist(), counts.tolist(), strict=True))


def _times(stamps: Integers, mask: Mask) -> tuple[int, ...]:
    return tuple(stamps[mask].tolist())
