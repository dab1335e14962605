"""Candles as whole numbers, the same for us, for a bare loop and for every peer.

Ours are walks whose opens stand away from the last close: a program that is one candle off cannot
agree with one that is not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rrr.backtesting.history import History
from rrr.core.market import QUANTA, Instrument, Source
from rrr.data_pipeline.replay import replay
from rrr.neural_network.panel import I64, NUMBERS, Panel

MINUTE_MS: Final = 60_000
BEGIN_MS: Final = 1_704_067_200_000
SEED: Final = 11
PRICE: Final = 4_200_000  # points
MOVE: Final = 0.0008  # of one minute
DEEP: Final = 1_000 * QUANTA  # grains in one candle: nobody here moves the market
PIECE: Final = 400  # candles of one trend


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """One instrument or more, on one grid without holes."""

    name: str
    panel: Panel
    decimals: int  # of prices
    lots: int  # decimals of quantities

    @property
    def away(self) -> float:
        """The share of opens that are not the last close."""
        panel = self.panel
        return float((panel.open[:, 1:] != panel.close[:, :-1]).mean())

    def cut(self, candles: int) -> "Candles":
        return Candles(self.name, self.panel.cut(0, candles), self.decimals, self.lots)

    def history(self) -> History:
        """No touch was seen, no finer candle is known."""
        shape = self.panel.there.shape
        none = np.broadcast_to(np.int64(0), shape)
        replayed = np.broadcast_to(np.int64(Source.REPLAYED), shape)
        return History(
            self.panel,
            source=replayed,
            bid=none,
            ask=none,
            begins=0,
            quoted=(),
            detail=None,
            synthetic=False,
            title=self.name,
            about={},
            notes=(),
            digest="",
        )

    def instruments(self, **costs: int) -> list[Instrument]:
        """Nothing is too small to trade, and a full conviction may be one coin."""
        free = Instrument(
            id=0,
            version=1,
            scale=10 ** (self.decimals + self.lots - 8),
            tick=1,
            lot=1,
            quantity_min=1,
            notional_min=0,
            fee_maker_ppm=0,
            fee_taker_ppm=0,
            half_spread_ppm=0,
            slippage_ppm=0,
            fee_in_base=0,
            unit=10**self.lots,
        )
        every = range(self.panel.instruments)
        return [free._replace(id=number, **costs) for number in every]


def made(candles: int, instruments: int = 1, step_ms: int = MINUTE_MS) -> Candles:
    """The same numbers make the same candles."""
    shape = instruments, candles
    numbers: dict[str, Any] = {name: np.empty(shape, np.int64) for name in NUMBERS[:4]}
    for number in range(instruments):
        for name, column in zip(NUMBERS, _walk(candles, SEED + number, step_ms), strict=False):
            numbers[name][number] = column
    panel = Panel(
        **numbers,
        volume=np.broadcast_to(np.int64(DEEP), shape),
        there=np.broadcast_to(np.True_, shape),
        opened_at_ms=BEGIN_MS + step_ms * np.arange(candles),
        timeframe_ms=step_ms,
    )
    return Candles("made", panel, 2, 8)


def recorded(path: Path, symbol: str, timeframe: str) -> Candles:
    """One instrument of the recorded ones; it must have no hole."""
    market = replay(path, [symbol], timeframe, {})
    (one,), spec = market.columns, market.columns[0].spec
    panel = Panel(
        **{name: getattr(one, name)[None, :] for name in NUMBERS},
        there=np.ones((1, len(one.close)), np.bool_),
        opened_at_ms=one.opened_at_ms,
        timeframe_ms=market.timeframe_ms,
    )
    assert (np.diff(one.opened_at_ms) == market.timeframe_ms).all(), "No peer knows holes."
    return Candles(f"{spec.venue} {symbol} {timeframe}", panel, spec.points, spec.grains)


def write(candles: Candles, folder: Path, symbols: Sequence[str], timeframe: str) -> None:
    """As a person would have them: a tree of parquet files with prices in decimals."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    panel = candles.panel
    for number, symbol in enumerate(symbols):
        prices = {n: getattr(panel, n)[number] / 10**candles.decimals for n in NUMBERS[:4]}
        volume = panel.volume[number] / 10**candles.lots
        table = pa.table({"ts": panel.opened_at_ms, **prices, "volume": volume})
        place = folder / "made" / symbol
        place.mkdir(parents=True)
        pq.write_table(table, place / f"{timeframe}.parquet")


def _walk(candles: int, seed: int, step_ms: int) -> Iterator[I64]:
    """Open, high, low, close: calm and wild pieces, with trends that come and go."""
    chance = np.random.default_rng(seed)
    pieces = candles // PIECE + 1
    move = MOVE * (step_ms / MINUTE_MS) ** 0.5
    wild = move * np.repeat(chance.choice([0.5, 1.0, 1.5], pieces), PIECE)[:candles]
    trend = np.repeat(chance.normal(0, 0.05, pieces), PIECE)[:candles]
    close = PRICE * np.exp(np.cumsum(wild * (trend + chance.standard_normal(candles))))
    before = np.concatenate([[float(PRICE)], close[:-1]])
    opened = before * np.exp(0.1 * wild * chance.standard_normal(candles))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    reach = 0.5 * wild * np.abs(chance.standard_normal((2, candles)))
    for column in (opened, high * (1 + reach[0]), low * (1 - reach[1]), close):
        yield np.maximum(np.rint(column), 1).astype(np.int64)
