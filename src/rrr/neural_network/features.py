"""A feature is a function of the last `WINDOW` candles, and of nothing else: no past, no future.

Returns become whole numbers first, so every sum over a window is exact however the candles were
cut, and running sums may even wrap: what is left of 2⁶⁴ is right. After the sums come only the
operations that IEEE 754 rounds the same everywhere (+ − × ÷ √), one element at a time. So a row has
the same bits made for one time or for a year, for one instrument or fifty; only the columns named
`market_…` and `leader_…` look at other instruments: all that have a candle, the panel's leader.

A return from or to a candle that is not there is 0, is counted in no mean, and is told in `hole`.
Prices and volumes of different instruments meet only as ratios. All is clipped to ±6, NaN-free.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .panel import I64, Panel

F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]

FEATURES_VERSION: Final = 2
SPANS: Final = (1, 2, 4, 8, 16, 32)
AVERAGES: Final = ((4, 16), (8, 32), (24, 96))
NORMAL: Final = 32  # returns that tell how large a return is normal
LED: Final = (1, 4)
REGIMES: Final = ((1, 48), (1, 96), (4, 96))  # lag, over how many returns
FEATURES: Final = (
    *(f"return_{n}" for n in SPANS),
    *(f"momentum_{fast}_{slow}" for fast, slow in AVERAGES),
    "volatility_8_32",
    "volatility_32_96",
    "range",
    "close_in_range",
    "volume",
    *(f"lag_{lag}_{n}" for lag, n in REGIMES),
    "variance_ratio",
    *(f"market_return_{n}" for n in (1, 4, 16)),
    *(f"market_lag_{lag}_{n}" for lag, n in REGIMES),
    "market_turn",
    *(f"leader_return_{n}" for n in LED),
    "hole",
)
WINDOW: Final = NORMAL + max(lag + n for lag, n in REGIMES)  # candles, the last one included
STEPS: Final = 32  # rows that the network sees

CLIP: Final = 6
UNIT: Final = 10**7  # of a return of 1
FINE: Final = 1 << 10  # of a normal return, and of a doubling of volume
BLOCK: Final = 4096  # times made at once: bounds memory, changes nothing


def features(panel: Panel) -> F32:
    """(instruments, times - WINDOW + 1, features): row j belongs to the time j + WINDOW - 1.

    Times with less than `WINDOW` candles of grid behind them have no row.
    """
    before = WINDOW - 1
    rows = max(panel.times - before, 0)
    made = np.empty((panel.instruments, rows, len(FEATURES)), np.float32)
    for first in range(0, rows, BLOCK):
        last = min(first + BLOCK, rows)
        columns = _columns(panel.cut(first, last + before))
        for number, name in enumerate(FEATURES):
            # + 0: there is one zero, not two.
            made[:, first:last, number] = np.clip(columns[name][:, before:], -CLIP, CLIP) + 0.0
    return made


def _columns(panel: Panel) -> dict[str, F64]:
    """Each feature at each time, by name; of the first `WINDOW - 1` times they mean nothing."""
    moves = _moves(panel)
    pulse = np.rint(moves.returns / moves.normal * FINE).astype(np.int64)
    made: dict[str, F64] = {"hole": (1 - moves.known).astype(np.float64)}
    for n in SPANS:
        made[f"return_{n}"] = _over(moves.returns, n) / (moves.normal * np.sqrt(n))
    level = np.cumsum(moves.returns, axis=1)
    for fast, slow in AVERAGES:
        apart = _over(level, fast) * slow - _over(level, slow) * fast
        made[f"momentum_{fast}_{slow}"] = apart / (fast * slow * np.sqrt(slow) * moves.normal) * 2
    made["volatility_8_32"] = moves.sized(8) / moves.normal - 1
    made["volatility_32_96"] = moves.normal / moves.sized(96) - 1
    made |= _shape(panel)
    made["volume"] = _volume(panel)
    long, n = _over(moves.returns, 8), 96
    wild = 8 * np.maximum(_over(moves.returns**2, n), 1)
    made["variance_ratio"] = (_over(long**2, n) / wild - 1) * 2
    return made | _regimes(pulse, moves.known) | _led(pulse[panel.leader], pulse.shape)


def unit_returns(panel: Panel, horizon: int) -> F64:
    """(instruments, times - WINDOW + 1), rows as those of features: the usual return of a horizon.

    The root mean square of the known among the last `NORMAL` returns, times √horizon; the
    smallest there is where prices stand still.
    """
    normal = _moves(panel).normal[:, WINDOW - 1 :]
    size: F64 = normal / UNIT * np.sqrt(float(horizon))
    return size


@dataclass(frozen=True, slots=True)
class Moves:
    """Returns of one candle, 0 where not known, and how large one normally is."""

    returns: I64
    known: I64  # 1 or 0
    normal: F64

    def sized(self, n: int) -> F64:
        return _size(self.returns, self.known, n)


def _moves(panel: Panel) -> Moves:
    known = np.zeros(panel.there.shape, np.int64)
    known[:, 1:] = panel.there[:, 1:] & panel.there[:, :-1]
    close = np.where(panel.there, panel.close, 1)
    returns = np.zeros_like(close)
    returns[:, 1:] = _share(close[:, 1:] - close[:, :-1], close[:, 1:] + close[:, :-1])
    returns *= known
    return Moves(returns, known, _size(returns, known, NORMAL))


def _share(difference: I64, total: I64) -> I64:
    """The difference over the mean of two prices, in units: nearly the logarithm of their ratio."""
    share = np.rint(difference / total * (2 * UNIT))
    return np.clip(share, -UNIT // 2, UNIT // 2).astype(np.int64)


def _size(returns: I64, known: I64, n: int) -> F64:
    """The root of the mean square of the known among the last n, at least one unit."""
    mean: F64 = _over(returns**2, n) / np.maximum(_over(known, n), 1)
    root: F64 = np.sqrt(np.maximum(mean, 1.0))
    return root


def _over(values: I64, n: int) -> I64:
    """The sum of the last n at each time; exact, whatever the running sum wrapped on the way."""
    total = np.cumsum(values, axis=1)
    total[:, n:] -= total[:, :-n].copy()
    return total


def _shape(panel: Panel) -> dict[str, F64]:
    there = panel.there.astype(np.int64)
    high, low = np.where(panel.there, panel.high, 1), np.where(panel.there, panel.low, 1)
    span = _share(high - low, high + low) * there
    mean = _over(span, NORMAL) / np.maximum(_over(there, NORMAL), 1)
    inside = (panel.close - low) - (high - panel.close)
    return {
        "range": (span / np.maximum(mean, 1.0) - 1) * there,
        "close_in_range": inside / np.maximum(high - low, 1) * there,
    }


def _volume(panel: Panel) -> F64:
    """How far the volume's logarithm stands from its mean, in its own spread."""
    n, there = 48, panel.there.astype(np.int64)
    # A straight line between powers of two: every machine's logarithm, to a tenth of a doubling.
    mantissa, exponent = np.frexp(panel.volume + 1.0)
    level = np.rint((exponent + 2 * mantissa) * FINE).astype(np.int64) * there
    count, total = np.maximum(_over(there, n), 1), _over(level, n)
    spread = np.sqrt(np.maximum(_over(level**2, n) * count - total**2, 1).astype(np.float64))
    apart: F64 = (level * count - total) / np.maximum(spread, count * FINE / 8)
    return apart * there


def _regimes(pulse: I64, known: I64) -> dict[str, F64]:
    """Do moves go on or turn back: products of one with an earlier one, alone and all together."""
    made = {}
    for lag, n in REGIMES:
        paired, both = np.zeros_like(pulse), np.zeros_like(known)
        paired[:, lag:] = pulse[:, lag:] * pulse[:, :-lag]
        both[:, lag:] = known[:, lag:] * known[:, :-lag]
        paired, both = _over(paired, n), _over(both, n)
        made[f"lag_{lag}_{n}"] = _score(paired, both)
        together = _score(paired.sum(axis=0, keepdims=True), both.sum(axis=0, keepdims=True))
        made[f"market_lag_{lag}_{n}"] = np.broadcast_to(together, pulse.shape)
    crowd, here = pulse.sum(axis=0, keepdims=True), known.sum(axis=0, keepdims=True)
    for n in (1, 4, 16):
        moved = _over(crowd, n) / np.maximum(_over(here, n), 1) * (np.sqrt(n) / FINE)
        made[f"market_return_{n}"] = np.broadcast_to(moved, pulse.shape)
    lag, n = REGIMES[0]
    regime = made[f"market_lag_{lag}_{n}"]
    return made | {"market_turn": regime / (1 + np.abs(regime)) * (pulse / FINE)}


def _led(pulse: I64, shape: tuple[int, ...]) -> dict[str, F64]:
    """What the leader did, told to all."""
    moved = {n: _over(pulse[np.newaxis], n) / (np.sqrt(n) * FINE) for n in LED}
    return {f"leader_return_{n}": np.broadcast_to(each, shape) for n, each in moved.items()}


def _score(products: I64, count: I64) -> F64:
    """Their sum in standard errors: about normal where nothing persists."""
    score: F64 = products / (np.sqrt(np.maximum(count, 1)) * FINE**2)
    return score
