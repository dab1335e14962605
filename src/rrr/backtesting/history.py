"""A history is closed candles on an even grid, with the digest of every number in it.

`history_of` makes one of any market that is open, `closes_of` gives it back as the market's own
arrivals: what a backtest and a paper session see is the same. A column in which nobody has a candle
is a closing time in a simulated market only, since no other market tells of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final

import numpy as np

from rrr.backtesting.history_columns import Columns, counted
from rrr.backtesting.history_detail import Detail, detail_of
from rrr.backtesting.history_digest import digest_of
from rrr.backtesting.history_sources import Heard, asked, recorded, simulated
from rrr.config import Settings
from rrr.core.errors import DataError, UsageError
from rrr.core.events import Close, Touch
from rrr.core.market import Candle
from rrr.data_pipeline.market import Market, Quoted
from rrr.data_pipeline.recorded import gaps, utc
from rrr.data_pipeline.replay import CHUNK, Replay
from rrr.data_pipeline.simulated import Simulated
from rrr.neural_network.panel import I64, NUMBERS, Mask, Panel

CLOSES_MIN: Final = 2  # what is decided at a close is filled after the next open


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a backtest is run on. Columns are opening times, one timeframe apart; holes stay holes.

    Where a number is the same everywhere (the source, touches that nobody saw), its array may hold
    it once: a read-only view without strides.
    """

    panel: Panel  # (instruments, times); before `begins` only learned from
    source: I64  # (instruments, times): a member of core.market.Source
    bid: I64  # (instruments, times): points, of the touch seen at the close; 0: none was seen
    ask: I64
    begins: int  # the first column that may be traded on
    quoted: Sequence[Quoted]  # in canonical order: by symbol
    detail: Panel | None  # the same span on a finer timeframe that divides the other
    synthetic: bool
    title: str
    about: Mapping[str, Any]  # what decides the history
    notes: Sequence[str]  # gaps, candles without volume: counted and named
    digest: str  # sha256 of every number above


def history_of(
    market: Market, settings: Settings, *, warm: int = 0, heard: Heard = lambda *_: None
) -> History:
    """The span of a market, after up to `warm` closing times that are only learned from.

    An exchange is asked here: call it from another thread than the market's loop.
    """
    made, detail = _made(market, settings, warm, heard)
    panel, quoted = made.panel, tuple(market.instruments)
    closed = _closing(panel, market.synthetic)
    if np.count_nonzero(closed[made.begins :]) < CLOSES_MIN:
        raise DataError(
            f"{made.title}: one closing time is too little, since what is decided at a close is"
            " filled after the next open.",
            "Widen the span: --from, --to, --candles.",
        )
    finer = None if detail is None else detail.panel
    about = {
        "market": market.name,
        **market.about,
        "instruments": [one.spec.symbol for one in quoted],
        "timeframe": settings.timeframe,
        "span": [int(panel.opened_at_ms[at]) for at in (0, made.begins, -1)],
        "detail": [] if detail is None else [settings.fills.detail, *detail.sources],
    }
    return History(
        panel,
        made.source,
        made.bid,
        made.ask,
        made.begins,
        quoted,
        finer,
        market.synthetic,
        made.title,
        about,
        notes=(
            *_told(market),
            *made.notes,
            *_noticed(panel, quoted),
            *_warmth(closed[: made.begins], warm),
            *(() if detail is None else detail.notes),
        ),
        digest=digest_of(made, [one.spec for one in quoted], finer, market.synthetic),
    )


def closing(history: History) -> Mask:
    """Which columns are closing times, as the market's arrivals are."""
    return _closing(history.panel, history.synthetic)


def closes_of(history: History, first: int | None = None) -> Iterator[Close]:
    """The closes from a column on, if none is named from the first that may be traded on."""
    panel, step_ms = history.panel, history.panel.timeframe_ms
    begin = history.begins if first is None else first
    everybody, closed = range(panel.instruments), closing(history)
    figures = (*(getattr(panel, name) for name in NUMBERS), history.source)
    for start in range(begin, panel.times, CHUNK):
        cut = slice(start, start + CHUNK)
        there = panel.there[:, cut].tolist()
        rows = [
            list(map(Candle, repeat(i), *(column[i, cut].tolist() for column in figures)))
            for i in everybody
        ]
        for n, opened_at_ms in enumerate(panel.opened_at_ms[cut].tolist()):
            if closed[start + n]:
                candles = tuple(rows[i][n] for i in everybody if there[i][n])
                missing = tuple(i for i in everybody if not there[i][n])
                yield Close(opened_at_ms + step_ms, opened_at_ms, candles, missing)


def touches(history: History, first: int | None = None) -> Iterator[tuple[Touch, ...]]:
    """What was seen at each close that `closes_of` gives."""
    panel = history.panel
    begin = history.begins if first is None else first
    seen = (history.bid > 0) & (history.ask > 0)
    for at in begin + np.flatnonzero(closing(history)[begin:]):
        at_ms = int(panel.opened_at_ms[at]) + panel.timeframe_ms
        yield tuple(
            Touch(at_ms, i, int(history.bid[i, at]), int(history.ask[i, at]))
            for i in np.flatnonzero(seen[:, at]).tolist()
        )


def _made(
    market: Market, settings: Settings, warm: int, heard: Heard
) -> tuple[Columns, Detail | None]:
    name = settings.fills.detail
    if isinstance(market, Replay):
        made = recorded(market, settings, warm)
        return made, None if name is None else detail_of(market, made.panel, name)
    if name is not None:
        raise UsageError(
            f"Only recorded candles have finer ones beside them, and the market is {market.name}.",
            "Leave out fills.detail.",
        )
    if isinstance(market, Simulated):
        return simulated(market, settings, warm, heard), None
    return asked(market, settings, warm, heard), None


def _closing(panel: Panel, synthetic: bool) -> Mask:
    if synthetic:
        return np.ones(panel.times, np.bool_)
    anybody: Mask = np.logical_or.reduce(panel.there)
    return anybody


def _told(market: Market) -> Iterator[str]:
    """What was known of each instrument before; the gaps of a whole file may lie elsewhere."""
    files = market.columns if isinstance(market, Replay) else ()
    elsewhere = [gaps(one.opened_at_ms, market.timeframe_ms) for one in files]
    for i, one in enumerate(market.instruments):
        hidden = elsewhere[i] if elsewhere else ()
        yield from (f"{one.spec.symbol}: {note}" for note in one.notes if note not in hidden)


def _noticed(panel: Panel, quoted: Sequence[Quoted]) -> Iterator[str]:
    """Where candles or their volume are missing in this very span."""
    for i, one in enumerate(quoted):
        symbol, there = one.spec.symbol, panel.there[i]
        if not there.any():
            yield f"{symbol}: no candle in this span"
            continue
        opened = panel.opened_at_ms if there.all() else panel.opened_at_ms[there]
        if opened[0] > panel.opened_at_ms[0]:
            yield f"{symbol}: its first candle is that of {utc(int(opened[0]))}"
        if opened[-1] < panel.opened_at_ms[-1]:
            yield f"{symbol}: its last candle is that of {utc(int(opened[-1]))}"
        yield from (f"{symbol}: {note}" for note in gaps(opened, panel.timeframe_ms))
        still = there & (panel.volume[i] == 0)
        if still.any():
            words = "without volume: under a cap of participation nothing fills there"
            yield f"{symbol}: {counted(still, panel.opened_at_ms, len(opened))} {words}"


def _warmth(before: Mask, warm: int) -> Iterator[str]:
    found = int(np.count_nonzero(before))
    if found < warm:
        yield f"{found:,} of the {warm:,} closing times to learn from before the first are there"
