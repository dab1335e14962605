"""A person's first hour with the simulated market: to a decision, to a model, and what both cost.

One home lives until its model has taken over: once, for that takes as long as training does. Then
fresh homes and that one start in turn. A decision is the first signal, order, cancel or refusal
whose row another connection sees committed. Memory is what is resident, the training's child apart;
lag is what the daemon says of its loop's last minute, its start included. An opinion is what one
close costs the model: cold behind a pause that emptied the processor's caches, warm back to back.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench_figures import Aim, Figures, arguments, medians, megabytes, quantiles, report
from bench_start import answer, spent_ms

from rrr.api import controls
from rrr.core.errors import Unavailable
from rrr.core.events import Close
from rrr.neural_network.voice import Voice

AIMS: Final = (
    Aim(
        "fresh_first_decision_ms", 900
    ),  # the quicker peer is running then, and has decided nothing
    Aim("fresh_first_decision_mb", 275),  # the smaller peer's memory
    Aim("fresh_model_s", 180),
    Aim("training_lag_ms_p99", 20),
    Aim("trained_model_signal_ms", 5_000),
    Aim("trained_steady_mb", 300),
)
DECISION: Final = "kind = 5 OR kind BETWEEN 11 AND 14"
TAKEOVER: Final = "kind = 9"
BY_A_MODEL: Final = "kind = 5 AND json_extract(core, '$[3]') != 0"
PATIENCE_S: Final = 1_800
INSTRUMENTS: Final = (3, 50)
OPINIONS: Final = 500
PAUSE_S: Final = 0.02


def main() -> None:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument("--idle-s", type=float, default=30, help="watched at rest; default: 30")
    parser.add_argument("--untrained", action="store_true", help="leave out all that needs a model")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_hour_") as name:
        trained = Path(name) / "trained"
        figures: Figures = {}
        if not asked.untrained:
            figures |= until_the_model(trained)
        rounds = range(asked.rounds + 1)
        figures |= medians([fresh(Path(name) / f"home_{n}") for n in rounds][1:])
        if not asked.untrained:
            figures |= medians([again(trained) for _ in rounds][1:])
            figures |= at_rest(trained, asked.idle_s)
            for instruments in INSTRUMENTS:
                figures |= apart(opinions, trained, instruments)
    report(figures, [aim for aim in AIMS if aim.name in figures], asked.json)


def until_the_model(home: Path) -> Figures:
    """One home from nothing until a model has spoken; the same seconds of another, untrained."""
    lags = [(0.0, 0.0)]

    def look() -> None:
        found = daemon.pulse()
        if found.get("training"):
            lags.append((daemon.up_s, found["lag_p99_ms"]))

    with begun(home) as daemon:
        model_s = daemon.until(TAKEOVER, 0.25, look)
        signal_s = daemon.until(BY_A_MODEL)
        resident_mb = daemon.resident_mb()
    trained_s, lag_ms = lags[-1]
    with begun(home.with_name("untrained"), "--signals=baseline") as baseline:
        baseline.until(DECISION)
        time.sleep(max(trained_s - baseline.up_s, 0))
        baseline_lag_ms = baseline.pulse()["lag_p99_ms"]
    return {
        "fresh_model_s": model_s,
        "fresh_model_signal_s": signal_s,
        "training_lag_ms_p99": lag_ms,
        "baseline_lag_ms_p99": baseline_lag_ms,
        "after_training_mb": resident_mb,
        "training_peak_mb": daemon.peak_mb,
    }


def fresh(home: Path) -> Figures:
    """A home that does not exist yet; its training begins, and is given up."""
    bare_ms = spent_ms("pass")
    with begun(home) as daemon:
        decided_s = daemon.until(DECISION)
        used_s = daemon.processor_s()
        resident_mb = daemon.resident_mb()
    return {
        "bare_interpreter_ms": bare_ms,
        "fresh_first_decision_ms": decided_s * 1000,
        "fresh_first_decision_core_ms": used_s * 1000,
        "fresh_first_decision_mb": resident_mb,
    }


def again(home: Path) -> Figures:
    """The home that has a model."""
    with begun(home) as daemon:
        decided_s = daemon.until(DECISION)
        model_s = daemon.until(BY_A_MODEL)
        daemon.until(f"{BY_A_MODEL} AND number > {daemon.before} + 50")
        resident_mb = daemon.resident_mb()
    return {
        "trained_first_decision_ms": decided_s * 1000,
        "trained_model_signal_ms": model_s * 1000,
        "trained_steady_mb": resident_mb,
        "trained_peak_mb": daemon.peak_mb,
    }


def at_rest(home: Path, seconds: float) -> Figures:
    """As slow as life, between two closes of an hour."""
    with begun(home, "--speed=1") as daemon:
        daemon.until(DECISION)
        time.sleep(2)
        began, used_s = time.perf_counter(), daemon.processor_s()
        time.sleep(seconds)
        share = (daemon.processor_s() - used_s) / (time.perf_counter() - began)
        lag = daemon.pulse()["lag_p99_ms"]
    return {"idle_s": seconds, "idle_core_percent": share * 100, "idle_lag_ms_p99": lag}


class Daemon:
    """One life of a home: what its journal, its pulse and the system say of it."""

    peak_mb: float  # once it has ended; of its child, if that had more

    def __init__(self, home: Path, options: Sequence[str]) -> None:
        self.home = home
        self.before = (self.row("SELECT coalesce(max(number), 0) FROM journal") or (0,))[0]
        words = [sys.executable, "-m", "rrr", f"--home={home}", *options]
        self.began = time.perf_counter()
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)

    @property
    def up_s(self) -> float:
        return time.perf_counter() - self.began

    def until(
        self, kind: str, every_s: float = 0.002, meanwhile: Callable[[], None] = lambda: None
    ) -> float:
        """Seconds from its start until a row of that kind is committed."""
        question = f"SELECT 1 FROM journal WHERE number > {self.before} AND ({kind}) LIMIT 1"
        while not self.row(question):
            if self.process.poll() is not None or self.up_s > PATIENCE_S:
                raise SystemExit(f"bench: {self.process.args!r} never got to {kind}.")
            meanwhile()
            time.sleep(every_s)
        return self.up_s

    def row(self, question: str) -> tuple[int, ...] | None:
        """None while there is no file, no table, no row."""
        return answer(self.home, question)

    def pulse(self) -> dict[str, Any]:
        """What it says of itself; nothing while it begins."""
        with suppress(Unavailable):
            return controls.ask(self.home, "status")
        return {}

    def resident_mb(self) -> float:
        return int(self._ps("rss")) * 1024 / 1e6

    def processor_s(self) -> float:
        """Seconds of a core that it has had; `ps` shows hundredths on macOS only."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if stat.exists():
            user, system = stat.read_text().rpartition(")")[2].split()[11:13]
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        minutes, _, seconds = self._ps("time").rpartition(":")
        return int(minutes) * 60 + float(seconds)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_mb = megabytes(used.ru_maxrss)
        assert self.process.returncode == 0, f"It ended with {self.process.returncode}."

    def _ps(self, field: str) -> str:
        words = ["ps", "-o", f"{field}=", "-p", str(self.process.pid)]
        return subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()


@contextmanager
def begun(home: Path, *options: str) -> Iterator[Daemon]:
    """It runs until the block ends, and is asked to stop; after a failure it is not asked."""
    daemon = Daemon(home, options)
    try:
        yield daemon
        daemon.end()
    finally:
        if daemon.process.returncode is None:
            daemon.process.kill()
            daemon.process.wait()


def apart(measure: Callable[..., Figures], *arguments: Any) -> Figures:
    """In a process that has imported nothing yet."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def opinions(home: Path, instruments: int) -> Figures:
    """The home's model on so many instruments: its candles, many times over."""
    told = closes(instruments)
    began = time.perf_counter()
    from rrr.neural_network.abstaining import Terms
    from rrr.neural_network.artefact import load
    from rrr.neural_network.model import Model

    (folder,) = (home / "data" / "models").glob("[0-9a-f]*[0-9a-f]")
    artefact = load(folder)
    symbols = tuple(f"{n:02}-USD" for n in range(instruments))
    scope = artefact.scope._replace(symbols=symbols)
    model = Model(replace(artefact, scope=scope), instruments, scope.timeframe_ms, Terms(0.0))
    model.warm(told[: model.window])
    first = model.meet(told[model.window : model.window + 1])
    ready_s = time.perf_counter() - began
    assert len(first[0]) == instruments, "Nobody abstains."
    told = told[model.window + 1 :]
    name = f"opinion_{instruments}"
    return {
        f"{name}_ready_ms": ready_s * 1000,
        **quantiles(f"{name}_cold", spent(model, told[:OPINIONS], PAUSE_S)),
        **quantiles(f"{name}_warm", spent(model, told[OPINIONS : 2 * OPINIONS], 0)),
    }


def spent(voice: Voice, told: Sequence[Close], pause_s: float) -> Iterator[float]:
    """Seconds of each opinion."""
    for close in told:
        time.sleep(pause_s)
        began = time.perf_counter()
        voice.meet([close])
        yield time.perf_counter() - began


def closes(instruments: int) -> list[Close]:
    """More than enough for everything."""
    from rrr.data_pipeline.simulated import simulated

    return [
        close._replace(
            candles=tuple(
                close.candles[n % len(close.candles)]._replace(instrument=n)
                for n in range(instruments)
            )
        )
        for close in simulated((), "1h", 1).history(2 * OPINIONS + 600)
        if not close.missing
    ]


if __name__ == "__main__":
    main()
