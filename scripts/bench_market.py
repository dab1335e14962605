"""Candles of our own making: the same seed makes the same market, on any machine.

    python scripts/bench_market.py FOLDER [--candles 26208]

Three random walks with calm and wild weeks, trends that come and go, and gaps between a close and
the next open, so that the baseline trades, its stops are met, and the law refuses something.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 7
STEP_MS = 300_000
BEGIN_MS = 1_704_067_200_000
TREND_CANDLES = 400
WALKS = (("BTC-USDT", 42_000.0, 2, 5), ("ETH-USDT", 2_300.0, 2, 4), ("SOL-USDT", 100.0, 2, 2))
SYMBOLS = ",".join(symbol for symbol, *_ in WALKS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--candles", type=int, default=26_208)
    asked = parser.parse_args()
    for place, (symbol, price, decimals, lot) in enumerate(WALKS):
        folder = asked.folder / "made" / symbol
        folder.mkdir(parents=True)
        table = walk(np.random.default_rng(SEED + place), asked.candles, price, decimals, lot)
        pq.write_table(table, folder / "5m.parquet")


def walk(
    chance: np.random.Generator, candles: int, price: float, decimals: int, lot: int
) -> pa.Table:
    pieces = candles // TREND_CANDLES + 1
    wild = np.repeat(chance.choice([0.0008, 0.0016, 0.003], pieces), TREND_CANDLES)[:candles]
    trend = np.repeat(chance.normal(0, 0.12, pieces), TREND_CANDLES)[:candles]
    moves = wild * (trend + chance.standard_normal(candles))
    close = price * np.exp(np.cumsum(moves))
    before = np.concatenate(([price], close[:-1]))
    opened = before * np.exp(wild * 0.1 * chance.standard_normal(candles))
    spread = wild * np.abs(chance.standard_normal((2, candles)))
    columns = {
        "open": opened.round(decimals),
        "high": (np.maximum(opened, close) * (1 + spread[0])).round(decimals),
        "low": (np.minimum(opened, close) * (1 - spread[1])).round(decimals),
        "close": close.round(decimals),
        "volume": (chance.gamma(2, 5_000, candles) / price).round(lot) + 10.0**-lot,
    }
    opened_at_ms = BEGIN_MS + STEP_MS * np.arange(candles, dtype=np.int64)
    return pa.table({"ts": opened_at_ms, **columns})


if __name__ == "__main__":
    main()
