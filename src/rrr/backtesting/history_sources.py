"""Each kind of market gives its candles the shortest way, and the same as by its arrivals.

Recorded columns are already whole numbers, simulated ones are made without events, and an exchange
is asked for what closed before now. `warm` closing times before the first are there to learn from.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from rrr.backtesting.history_columns import (
    Columns,
    counted,
    gridded,
    holes,
    repeated,
    resampled,
    within,
)
from rrr.config import Settings
from rrr.core.errors import DataError, UsageError
from rrr.core.events import Close
from rrr.core.market import Source
from rrr.data_pipeline.market import Market
from rrr.data_pipeline.recorded import timeframe_ms, utc
from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.data_pipeline.replay import Replay
from rrr.data_pipeline.simulated import BEGINS_MS, HISTORY, Simulated
from rrr.data_pipeline.simulated_world import columns as simulated_columns
from rrr.neural_network.panel import I64, NUMBERS, Panel, panel_of

Heard = Callable[[int, int], None]  # how much is done, of how much

ENDLESS: Final = 8_760  # closing times of a simulated market, where nobody says how many
ASKED_MAX: Final = 200_000  # closing times of an exchange: some thousand requests

_CHUNK: Final = 65_536


def recorded(market: Replay, settings: Settings, warm: int) -> Columns:
    """Straight from the columns, of the timeframe asked for."""
    step_ms = timeframe_ms(settings.timeframe)
    times, notes = _closing_times(market, step_ms)
    begin = int(np.searchsorted(times, market.begins_ms))
    end = len(times) if settings.candles is None else begin + settings.candles
    tradable = times[begin:end]
    if not len(tradable):
        raise DataError(
            f"The candles from {utc(market.begins_ms)} to {utc(market.ends_ms)} make no whole one"
            f" of {settings.timeframe}.",
            "Widen the span, or choose a shorter --timeframe.",
        )
    first_ms, ends_ms = int(times[max(begin - warm, 0)]), int(tradable[-1]) + step_ms
    columns = [within(one, first_ms, ends_ms) for one in market.columns]
    if step_ms != market.timeframe_ms:
        made = [resampled(one, step_ms) for one in columns]
        columns = [one for one, _ in made]
        ratio, name = step_ms // market.timeframe_ms, timeframe_name(market.timeframe_ms)
        notes += [
            f"{one.spec.symbol}: {counted(parts < ratio, one.opened_at_ms, len(parts))} made of"
            f" less than {ratio} {name} candles"
            for one, parts in made
            if (parts < ratio).any()
        ]
    panel = gridded(columns, first_ms, ends_ms, step_ms)
    return Columns(
        panel,
        source=repeated(Source.REPLAYED, panel),
        bid=repeated(0, panel),
        ask=repeated(0, panel),
        begins=(int(tradable[0]) - first_ms) // step_ms,
        title=f"replay of {len(tradable):,} closing times",
        notes=tuple(notes),
    )


def simulated(market: Simulated, settings: Settings, warm: int, heard: Heard) -> Columns:
    """As many as it has, from `from` on and before `to`; without an end, a year of hours."""
    step_ms, since_ms, until_ms = market.timeframe_ms, _ms(settings.from_), _ms(settings.to)
    begins_ms = max(BEGINS_MS, since_ms or 0)
    begins_ms += -begins_ms % step_ms
    endless = market.candles is None and until_ms is None
    ends_ms = begins_ms + (ENDLESS if endless else market.candles or 0) * step_ms
    if until_ms is not None:
        ends_ms = until_ms if market.candles is None else min(ends_ms, until_ms)
    if begins_ms >= ends_ms:
        raise UsageError(
            f"The simulated market has no candle from {utc(begins_ms)} to {utc(ends_ms)}.",
            f"It begins on {utc(BEGINS_MS)}.",
        )
    first_ms = max(begins_ms - warm * step_ms, BEGINS_MS - HISTORY * step_ms)
    panel = holes(len(market.coins), first_ms, ends_ms, step_ms)
    bid, ask = _simulate(market, panel, heard)
    begins = (begins_ms - first_ms) // step_ms
    return Columns(
        panel,
        source=repeated(Source.SYNTHETIC, panel),
        bid=bid,
        ask=ask,
        begins=begins,
        title=f"simulated market of seed {market.seed}, {panel.times - begins:,} closing times",
        notes=("a market without end: --candles says how much of it",) if endless else (),
    )


def asked(market: Market, settings: Settings, warm: int, heard: Heard) -> Columns:
    """What closed before now: it may block, and must be called beside the loop of the market."""
    step_ms, now_ms = market.timeframe_ms, market.begins_ms
    since_ms, until_ms = _ms(settings.from_), min(_ms(settings.to) or now_ms, now_ms)
    wanted = settings.candles or settings.train.history_candles
    begins_ms = until_ms - wanted * step_ms if since_ms is None else since_ms
    number = -(-(now_ms - begins_ms) // step_ms) + warm
    if number > ASKED_MAX:
        raise UsageError(
            f"{number:,} closing times are more than the {ASKED_MAX:,} that {market.name} is asked"
            " for.",
            "Shorten the span, choose a longer --timeframe, or record the candles to a file.",
        )
    heard(0, number)
    closes = [close for close in market.history(number) if close.opened_at_ms < until_ms]
    heard(number, number)
    if since_ms is not None and settings.candles is not None:
        past = sum(close.opened_at_ms < since_ms for close in closes)
        closes = closes[: past + settings.candles]
    if not closes or closes[-1].opened_at_ms < begins_ms:
        raise DataError(
            f"{market.name} has no candle from {utc(begins_ms)} to {utc(until_ms)}.",
            "Choose another span.",
        )
    oldest_ms, notes = closes[0].opened_at_ms, list[str]()
    if oldest_ms > begins_ms - warm * step_ms:
        notes.append(f"{market.name} goes back to {utc(oldest_ms)} only")
    if oldest_ms >= begins_ms:  # then what there is warms first
        begins_ms = closes[min(warm, len(closes) - 1)].opened_at_ms
    panel = panel_of(closes, len(market.instruments), step_ms)
    begins = int(np.searchsorted(panel.opened_at_ms, begins_ms))
    return Columns(
        panel,
        source=_sources(closes, panel),
        bid=repeated(0, panel),
        ask=repeated(0, panel),
        begins=begins,
        title=f"{market.title}: {panel.times - begins:,} closing times",
        notes=tuple(notes),
    )


def _closing_times(market: Replay, step_ms: int) -> tuple[I64, list[str]]:
    """The opening times of candles of this timeframe; those that the ends cut are none."""
    times = np.concatenate((market.earlier, market.times))
    if step_ms == market.timeframe_ms:
        return times, []
    opened = times - times % step_ms
    opened = opened[np.diff(opened, prepend=-1) > 0]
    whole = (opened >= times[0]) & (opened + step_ms <= times[-1] + market.timeframe_ms)
    name = timeframe_name(step_ms)
    notes = [f"{name} candles are made of those of {timeframe_name(market.timeframe_ms)}"]
    if not whole.all():
        ends = " and ".join(
            words for words, kept in (("first", whole[0]), ("last", whole[-1])) if not kept
        )
        notes.append(f"the {ends} of the {name} candles would not be whole: left out")
    return opened[whole], notes


def _simulate(market: Simulated, panel: Panel, heard: Heard) -> tuple[I64, I64]:
    """Fill the panel; answer the touches."""
    bid, ask = np.zeros_like(panel.close), np.zeros_like(panel.close)
    first, step_ms = int(panel.opened_at_ms[0]) // panel.timeframe_ms, panel.timeframe_ms
    for row, coin in enumerate(market.coins):
        for start in range(0, panel.times, _CHUNK):
            end = min(start + _CHUNK, panel.times)
            made = simulated_columns(market.seed, coin, step_ms, first + start, first + end)
            panel.there[row, start:end] = made.there
            figures = [(getattr(panel, name), getattr(made, name)) for name in NUMBERS]
            for held, column in (*figures, (bid, made.bid), (ask, made.ask)):
                held[row, start:end] = column * made.there
            heard(row * panel.times + end, panel.there.size)
    return bid, ask


def _sources(closes: Sequence[Close], panel: Panel) -> I64:
    source = np.zeros_like(panel.close)
    for close in closes:
        at = (close.opened_at_ms - closes[0].opened_at_ms) // panel.timeframe_ms
        for candle in close.candles:
            source[candle.instrument, at] = candle.source
    return source


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
