"""What a unit of money that was in from the beginning became: no deposit is a gain.

Returns are time-weighted, as the GIPS standards (CFA Institute, 2020) ask for: the book is valued
at every flow, and what lies between flows is linked; `monitoring.returns` does the same for the
days of a session. A flow at a closing time moved after its prices were known, one between two
closes at the prices of the earlier. A day is UTC, and the close at midnight belongs to the day that
it ends; a day without a close returned nothing.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rrr.core.events import Flow
from rrr.neural_network.panel import I64

F64: TypeAlias = NDArray[np.float64]

DAY_MS: Final = 86_400_000


class Path(NamedTuple):
    at_ms: I64  # the beginning, then each close
    level: F64  # from 1


class Daily(NamedTuple):
    day: I64  # since 1970, every one from the first to the last
    returns: F64


class Drawdown(NamedTuple):
    """The deepest fall from a peak, and how long any was not made good for."""

    depth_ratio: float
    peak_ms: int
    trough_ms: int
    recovered_ms: int | None  # None: not until the end, or nothing fell
    longest_ms: int  # from a peak until it was reached again, or the end
    now_ratio: float  # below the peak at the end


def path(at_ms: I64, equity: I64, paid_in: int, flows: Sequence[Flow], begins_ms: int) -> Path:
    """Equity at each close as the level of one unit; `paid_in` is what came until the first.

    >>> at_ms, equity = np.array([1, 2, 3]), np.array([110, 231, 231])
    >>> path(at_ms, equity, 100, [Flow(2, 100)], 0).level.round(9).tolist()
    [1.0, 1.1, 1.31, 1.31]
    """
    early, late = np.zeros((2, len(at_ms)), np.int64)
    for flow in flows:
        k = int(np.searchsorted(at_ms, flow.at_ms))
        if 0 < k < len(at_ms):
            (late if at_ms[k] == flow.at_ms else early)[k] += flow.amount
    value, before = equity - late, np.append(paid_in, equity)[:-1] + early
    new = (early != 0) | np.append(True, late[:-1] != 0)
    begins = np.flatnonzero(new)
    base = before[begins]
    links = np.cumprod(np.append(1.0, _over(value[begins[1:] - 1], base[:-1])))
    part = np.cumsum(new) - 1
    level = links[part] * _over(value, base[part])
    lived = at_ms > begins_ms
    return Path(np.append(begins_ms, at_ms[lived]), np.append(1.0, level[lived]))


def daily(grown: Path) -> Daily:
    """Returns by UTC day; their product is the whole.

    >>> daily(Path(np.array([0, DAY_MS, DAY_MS + 1, 4 * DAY_MS]), np.array([1, 1.5, 3, 6])))
    Daily(day=array([0, 1, 2, 3]), returns=array([0.5, 1. , 0. , 1. ]))
    """
    of = (grown.at_ms - 1) // DAY_MS
    of[0] = grown.at_ms[0] // DAY_MS - 1  # what was there before the first day
    day = np.arange(of[0], of[-1] + 1)
    level = grown.level[np.searchsorted(of, day, side="right") - 1]
    return Daily(day[1:], _over(level[1:], level[:-1]) - 1)


def below_peak(grown: Path) -> F64:
    """How far each level is under the highest before it, as a share of that."""
    below: F64 = 1 - grown.level / np.maximum.accumulate(grown.level)
    return below


def drawdown(grown: Path) -> Drawdown:
    """
    >>> drawdown(Path(np.arange(6), np.array([1, 2, 1, 1.5, 2, 1.9])))[:-1]
    (0.5, 1, 2, 4, 3)
    """
    below = below_peak(grown)
    deepest = int(below.argmax())
    peaks = np.flatnonzero(below == 0)
    before, after = peaks[peaks <= deepest], peaks[peaks > deepest]
    apart = np.diff(np.append(peaks, len(below)))  # more than one: there were closes in between
    spells = np.diff(np.append(grown.at_ms[peaks], grown.at_ms[-1]))
    return Drawdown(
        float(below[deepest]),
        int(grown.at_ms[before[-1]]),
        int(grown.at_ms[deepest]),
        int(grown.at_ms[after[0]]) if len(after) and deepest else None,
        int(spells[apart > 1].max(initial=0)),
        float(below[-1]),
    )


def calendar(days: Daily, unit: str) -> list[tuple[str, float]]:
    """Returns of each month ("M") or year ("Y") that a day belongs to.

    >>> calendar(Daily(np.array([30, 31, 32]), np.array([0.5, 1.0, 0.5])), "M")
    [('1970-01', 0.5), ('1970-02', 2.0)]
    """
    if not len(days.day):
        return []
    names = days.day.astype("datetime64[D]").astype(f"datetime64[{unit}]")
    first = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
    product = np.multiply.reduceat(1 + days.returns, first) - 1
    return list(zip(names[first].astype(str).tolist(), product.tolist(), strict=True))


def _over(part: I64 | F64, whole: I64 | F64) -> F64:
    """`part / whole`; what begins with nothing stays as it is."""
    return np.divide(part, whole, out=np.ones(len(part)), where=whole > 0)
