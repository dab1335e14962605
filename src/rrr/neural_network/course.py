"""How far a training is: its pieces have their shares of the work, and what is left is reckoned.

The time that is left is told by the pieces that this process did, not by those that it found done.
"""

import time
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final

import msgspec

TELLING: Final = 0.02  # of the work: who did less cannot know how long the rest will take


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    phase: str  # reading, learning, judging, writing
    epoch: int
    epochs: int
    validation_ic: float | None
    seconds: float
    share: float = 0.0  # of all work
    kind: str = ""
    fold: int = 0  # 0: the model that serves
    folds: int = 0
    left_s: float | None = None


class Course:
    """Who learns tells it of epochs, who judges of phases; `say` hears all."""

    def __init__(self, epochs: int, folds: int, say: Callable[[Progress], None]) -> None:
        self.epochs, self.folds, self.say = epochs, folds, say
        self.begun: Final = time.monotonic()
        self.weights: Mapping[str, float] = {}
        self.done = self.found = 0.0
        self.piece, self.kind, self.fold, self.epoch = "", "", 0, 0
        self.ic: float | None = None

    def plan(self, weights: Mapping[str, float], found: frozenset[str]) -> None:
        self.weights = weights
        self.done = self.found = sum(weights[name] for name in found)

    def begin(self, piece: str, kind: str, fold: int) -> None:
        self.piece, self.kind, self.fold, self.epoch, self.ic = piece, kind, fold, 0, None
        if self.folds:
            self.tell("learning")

    def end(self) -> None:
        self.done, self.piece = self.done + self.weights[self.piece], ""

    def all_learned(self) -> None:
        self.piece, self.kind, self.fold, self.epoch = "", "", 0, self.epochs
        self.tell("judging")

    def learned(self, epoch: int, ic: float) -> None:
        self.epoch, self.ic = epoch, ic if isfinite(ic) else None
        self.tell("learning")

    def tell(self, phase: str) -> None:
        part = self.weights.get(self.piece, 0.0) * self.epoch / self.epochs
        done, total = self.done + part, sum(self.weights.values())
        seconds, made = time.monotonic() - self.begun, done - self.found
        self.say(
            Progress(
                phase,
                self.epoch,
                self.epochs,
                self.ic,
                round(seconds, 1),
                min(done / total, 1.0) if total else 0.0,
                self.kind,
                self.fold,
                self.folds,
                seconds * (total - done) / made if made > TELLING * total else None,
            )
        )
