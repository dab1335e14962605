"""A window has one answer: alone, live, in batches or in a backtest of a year.

    python -m tests.neural_network.one_answer --windows 1000000 --seed 1

Years of hourly candles of sixteen instruments, with holes; a recurrent network of random weights.
Each window is answered live (one close at a time, as a daemon meets it), in batches of 128 closes
(as at full speed) and in a backtest of the whole year (as a strategy), and some alone, of nothing
but their own candles. Convictions must be equal, and the floats behind them; that is made so by
features that are whole numbers up to the last step, one call of the network for each closing time,
always of all instruments, and a word that reckons one element at a time.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from math import isnan
from pathlib import Path
from typing import Final

import numpy as np

from rrr.core.events import Close
from rrr.neural_network.abstaining import Limits, Opinion, Terms
from rrr.neural_network.artefact import Artefact
from rrr.neural_network.features import STEPS, features
from rrr.neural_network.model import WINDOW, Model
from rrr.neural_network.panel import panel_of
from rrr.neural_network.strategies import SILENT
from rrr.neural_network.strategies.neural import Neural
from tests.builders import HOUR
from tests.neural_network.markets import closes, network, trained

INSTRUMENTS: Final = 16
YEAR: Final = 8_760
BATCH: Final = 128
ALONE: Final = 97  # of so many closes one is asked alone
COST_PPM: Final = 1_000
TERMS: Final = Terms(COST_PPM / 1e6, Limits(0.0, 0.25, 0.5))
FLOATS: Final = ("mean", "probability", "unit_return", "low", "high", "alpha", "outside_ratio")


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--windows", type=int, default=1_000_000)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    begun, told = time.monotonic(), Counter[str]()
    seed = options.seed
    while told["windows"] < options.windows:
        told += year(seed, YEAR + WINDOW - 1)
        seed += 1
        say(f"seed {seed - 1}: {told['windows']:,} windows so far")
    say(f"\n{told['windows']:,} windows of {INSTRUMENTS} instruments, seeds {options.seed} to")
    say(f"{seed - 1}, {time.monotonic() - begun:.0f} s")
    for name, words in WORDS.items():
        say(f"  {words:<60}{told[name]:>12,}")
    say(f"  of {told['together_of']:,}")
    return int(any(told[name] for name in ("floats", "alone_differ", "live_batch", "strategy")))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


WORDS: Final = {
    "spoken": "opinions that were spoken",
    "convictions": "different convictions among them, summed over years",
    "floats": "floats that differ, live from batch (before rounding)",
    "alone": "windows asked alone",
    "alone_differ": "of them with another conviction or another mean",
    "live_batch": "convictions that differ, live from batch",
    "strategy": "convictions that differ, live from a backtest of a year",
    "together": "floats that differ if 128 closes share one call (not done)",
}


def year(seed: int, times: int) -> Counter[str]:
    """Of one market: how many windows were answered, and how many answers differ."""
    told, met = Counter[str](), closes(seed, times, INSTRUMENTS)
    symbols = [f"{n:02}-USD" for n in range(INSTRUMENTS)]
    with tempfile.TemporaryDirectory() as folder:
        artefact = trained(Path(folder), network(seed, hidden=32), symbols=symbols)
        live = opinions(artefact, [[close] for close in met])
        batch = opinions(artefact, [met[n : n + BATCH] for n in range(0, times, BATCH)])
        strategy = Neural(str(artefact.folder), COST_PPM, 0, 2_500, 5_000)
        panel = panel_of(met, INSTRUMENTS, HOUR)
        words = strategy.convictions(panel)
        alone(artefact, met, live, told)
    said = np.array([[one.conviction_bps for one in row] for row in live]).T
    told["windows"] += int(sum(not isnan(one.mean) for row in live for one in row))
    told["spoken"] += int((said != SILENT).sum())
    told["convictions"] += len(np.unique(said))
    told["strategy"] += int((said != words).sum())
    for one, other in zip(live, batch, strict=True):
        for a, b in zip(one, other, strict=True):
            told["live_batch"] += a.conviction_bps != b.conviction_bps or a.reason != b.reason
            told["floats"] += sum(differ(getattr(a, n), getattr(b, n)) for n in FLOATS)
    rows = features(panel)[:, : BATCH + STEPS - 1]
    windows = np.stack([rows[:, n : n + STEPS] for n in range(BATCH)])
    model = Model(artefact, INSTRUMENTS, HOUR, TERMS)
    each = np.stack([model.network.asked(one) for one in windows])
    shared = model.network.asked(windows.reshape(-1, *windows.shape[2:])).reshape(each.shape)
    told["together"] += int((shared != each).sum())
    told["together_of"] += shared.size
    return told


def opinions(artefact: Artefact, parts: list[list[Close]]) -> list[list[Opinion]]:
    """All that is thought at each close, met in these parts."""
    model = Model(artefact, INSTRUMENTS, HOUR, TERMS, watched=True)
    told = []
    for part in parts:
        model.meet(part)
        told += [thought for _, thought in model.told]
    return told


def alone(
    artefact: Artefact, met: list[Close], live: list[list[Opinion]], told: Counter[str]
) -> None:
    """Of now and then a window, by a model that knows nothing else."""
    for last in range(WINDOW - 1, len(met), ALONE):
        model = Model(artefact, INSTRUMENTS, HOUR, TERMS)
        thought = model.thought(met[last + 1 - WINDOW : last + 1])
        told["alone"] += INSTRUMENTS
        for number, one in enumerate(live[last]):
            same = int(thought.words[number, 0]) == one.conviction_bps
            told["alone_differ"] += not same or differ(float(thought.means[number, 0]), one.mean)


def differ(one: float, other: float) -> bool:
    return one != other and not (isnan(one) and isnan(other))


if __name__ == "__main__":
    raise SystemExit(main())
