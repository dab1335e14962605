"""From what a training said out of sample to a case: everybody plays the same candles.

The siblings by their own kinds, the boring champion with the settings it is made for, who is always
long, and the candidate's own opinions at other times. The simplest that is not beaten is told by
the candles before the holdout alone: choosing looks at nothing that judging needs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rrr.backtesting import break_even, sharpe
from rrr.backtesting.book import Book
from rrr.backtesting.bootstrap import p_better
from rrr.backtesting.gate import Case, Kind
from rrr.backtesting.gate_folds import Folds, calibrated, opinions
from rrr.backtesting.gate_played import played, twins
from rrr.backtesting.gate_returns import Ledger, Record
from rrr.backtesting.gate_rules import Calibration, Rules, Terms
from rrr.backtesting.growth import F64
from rrr.backtesting.history import History
from rrr.neural_network.abstaining import Terms as Asks
from rrr.neural_network.panel import I64
from rrr.neural_network.registry import SIMPLEST
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.champion import Champion
from rrr.neural_network.strategies.strategy import FULL, SILENT

Heard = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Where everybody plays."""

    history: History  # begins with the first test and ends with the last
    book: Book
    boring: Book  # of the champion's own settings
    asks: Asks  # of a forecast
    terms: Terms
    twins: int
    seed: int

    @property
    def adverse_ppm(self) -> int:
        return round(self.terms.adverse_ppm)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What everybody made of the same candles."""

    said: Mapping[str, I64]
    kinds: Mapping[str, Record]
    boring: Record
    always_long: Record
    candles_a_year: float


def shown(bench: Bench, siblings: Mapping[str, Folds]) -> Shown:
    """Of all kinds of a training; one look at each."""
    history, panel = bench.history, bench.history.panel
    said = {kind: opinions(folds, panel, bench.asks) for kind, folds in siblings.items()}
    boring = asked(Champion(), panel, [one.spec.symbol for one in history.quoted])
    long = np.where(panel.there, FULL, SILENT)
    adverse_ppm = bench.adverse_ppm
    return Shown(
        said,
        {kind: played(history, words, bench.book, adverse_ppm) for kind, words in said.items()},
        played(history, boring, bench.boring, adverse_ppm),
        played(history, long, bench.book, adverse_ppm),
        break_even.YEAR / panel.timeframe_ms,
    )


def case_of(
    bench: Bench,
    seen: Shown,
    kind: Kind,
    folds: Folds,
    ledger: Ledger,
    leaks: Mapping[str, bool],
    heard: Heard,
) -> Case:
    """Of the candidate: its twins play here."""
    others = []
    for number, words in enumerate(
        twins(seen.said[kind], bench.history.begins, bench.twins, bench.seed), 1
    ):
        others.append(played(bench.history, words, bench.book, dear=False))
        heard(number, bench.twins)
    records = {"champion": seen.boring, **seen.kinds}
    return Case(
        kind=kind,
        record=seen.kinds[kind],
        random=others,
        always_long=seen.always_long,
        rivals={name: one for name, one in records.items() if name != kind},
        ledger=ledger,
        calibration=_calibration(folds, bench.history),
        leaks=leaks,
        terms=bench.terms,
        candles_a_year=seen.candles_a_year,
        trials=np.stack([one.excess for one in records.values()]),
    )


def ratio(record: Record, rules: Rules) -> float | None:
    """Of a candle beyond the matched hold, before the holdout."""
    of = sharpe.moments(early(record, rules))
    return None if of is None else of.sharpe


def early(record: Record, rules: Rules) -> F64:
    times = len(record.net)
    return record.excess[: times - max(round(times * rules.held_out_ratio), 1)]


def simplest(kinds: Mapping[str, Record], rules: Rules) -> str:
    """The simplest kind that no other beats before the holdout."""
    serves = next(kind for kind in SIMPLEST if kind in kinds)
    for kind in SIMPLEST[SIMPLEST.index(serves) + 1 :]:
        if kind in kinds:
            rival = early(kinds[serves], rules)[None, :]
            mine = early(kinds[kind], rules)
            p = p_better(mine, rival, draws=rules.draws, seed=rules.seed)
            serves = kind if p[0] < rules.better_p_max else serves
    return serves


def daily(record: Record, candles_a_day: float) -> float | None:
    """The Sharpe ratio of a day of what was earned, as every trial of the ledger tells its own."""
    of = sharpe.moments(record.net)
    return None if of is None else of.sharpe * float(np.sqrt(candles_a_day))


def _calibration(folds: Folds, history: History) -> Calibration | None:
    found = calibrated(folds, history.panel)
    if isinstance(found, str) or found.slope is None:
        return None
    return Calibration(found.ece, found.brier_skill, found.slope)
