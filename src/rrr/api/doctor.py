"""Every part of the house is asked how it is, and answers with a figure, in time.

A check is independent of all others, bounded in time, and leaves nothing behind. One that hangs
stays behind on a thread of its own, which no end waits for; whatever else needs the home gets less
patience from then on, for it would wait for the same drive.
"""

import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Final, NamedTuple

from rrr.api import checks, checks_database, checks_live, checks_rooms
from rrr.api.checks import Finding, Patient, Replays
from rrr.core.errors import RRRError
from rrr.home import Home

PATIENCE_S: Final = 5.0
IMPORTS_S: Final = 25.0  # libraries that come from a cold drive
AFTER_A_HANG_S: Final = 1.0
WIDTH: Final = 80


class Examination(NamedTuple):
    name: str
    look: Callable[[Patient], Finding]
    limit_s: float = PATIENCE_S
    at_home: bool = False  # it waits for the drive of the home


HOUSE: Final = (
    Examination("directories", checks.directories, at_home=True),
    Examination("disk", checks.disk, at_home=True),
    Examination("clock", checks.clock, at_home=True),
    Examination("holder", checks.holder, at_home=True),
    Examination("config", checks.config, at_home=True),
    Examination("python", checks.python),
    Examination("sqlite", checks_database.sqlite),
    Examination("memory map", checks_database.memory_map),
    Examination("round trip", checks_database.round_trip, at_home=True),
    Examination("core", checks_rooms.core),
    Examination("database", checks_database.database, at_home=True),
    Examination("data_pipeline", checks_rooms.data_pipeline, IMPORTS_S),
    Examination("neural_network", checks_rooms.neural_network, IMPORTS_S),
    Examination("model", checks_rooms.model, IMPORTS_S, at_home=True),
    Examination("trading", checks_rooms.trading),
    Examination("backtesting", checks_rooms.backtesting),
    Examination("monitoring", checks_rooms.monitoring, at_home=True),
    Examination("api", checks_rooms.api, PATIENCE_S + 1, at_home=True),
)
CHECKS: Final = (
    *HOUSE,
    Examination("live", checks_live.live, IMPORTS_S, at_home=True),
    Examination("seam", checks_live.seam, at_home=True),
)


@dataclass(frozen=True, slots=True)
class Check:
    """What one examination found. What is well and still has advice is a warning."""

    name: str
    ok: bool
    figure: str
    advice: str

    @property
    def mark(self) -> str:
        if not self.ok:
            return "✗"
        return "!" if self.advice else "✓"


def doctor(
    home: Home,
    mode: str,
    replays: Replays,
    *,
    settings: Path | None = None,
    among: Sequence[Examination] | None = None,
) -> list[Check]:
    """Examine this home, or some of it. `replays` says whether a session replays identical."""
    patient = Patient(home, mode, replays, settings, lambda: time.time_ns() // 1_000_000)
    found: list[Check] = []
    hung = False
    for name, look, limit_s, at_home in CHECKS if among is None else among:
        finding = examined(look, patient, AFTER_A_HANG_S if hung and at_home else limit_s)
        hung = hung or (finding.hung and at_home)
        found.append(Check(name, finding.ok, finding.figure, finding.advice))
    return found


def doctor_in_words(found: Sequence[Check]) -> str:
    """A line for each check, its advice below it; at most 80 columns."""
    width = max(len(check.name) for check in found)
    lines = []
    for check in found:
        first, next_ = f"{check.mark} {check.name:<{width}}  ", " " * (width + 4)
        lines += wrapped(check.figure, first, next_)
        if check.advice:
            lines += wrapped(check.advice, f"{next_}→ ", f"{next_}  ")
    bad, warned = (sum(check.mark == mark for check in found) for mark in "✗!")
    said = f"{bad} of {len(found)} checks failed" if bad else f"all {len(found)} checks passed"
    return "\n".join([*lines, "", said + (f", {warned} with a warning" if warned else "")])


def wrapped(text: str, first: str, next_: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=next_, break_on_hyphens=False
    ) or [first.rstrip()]


def as_json(found: Sequence[Check]) -> dict[str, Any]:
    names = ("name", "ok", "figure", "advice")
    checks = [{name: getattr(check, name) for name in names} for check in found]
    return {"ok": all(check.ok for check in found), "checks": checks}


def examined(look: Callable[[Patient], Finding], patient: Patient, limit_s: float) -> Finding:
    """What a check finds, or how it failed, or that it hangs."""
    trial = Trial(look, patient)
    thread = Thread(target=trial.run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if trial.finding is not None:
        return trial.finding
    advice = "See whether the drive answers; then ask again."
    return Finding(f"no answer within {limit_s:g} s", advice, ok=False, hung=True)


@dataclass(slots=True)
class Trial:
    """Runs a check on another thread, and keeps whatever it ends with."""

    look: Callable[[Patient], Finding]
    patient: Patient
    finding: Finding | None = field(default=None, init=False)

    def run(self) -> None:
        with self:
            self.finding = self.look(self.patient)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.finding = failure(error)
        return True


def failure(error: BaseException) -> Finding:
    match error:
        case RRRError():
            return Finding(error.what, error.advice, ok=False)
        case ImportError():
            advice = "Install what is missing: pip install -r config/requirements.lock"
            return Finding(f"cannot be imported: {error}", advice, ok=False)
        case OSError() if error.strerror:
            place = f"{error.filename}: " if error.filename else ""
            advice = "Mend the drive or its permissions, or name another home with --home."
            return Finding(f"{place}{error.strerror}", advice, ok=False)
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    return Finding(what, "The program is at fault, not you: report it.", ok=False)
