"""A small recurrent network learns from every row of long stretches, and is judged as it serves.

Served, it sees `STEPS` rows from a state of zeros. In training it reads longer stretches, and after
`BURN` rows, when the zeros are forgotten, every row is a lesson. Without patience the schedule is
fixed and no epoch is chosen: the rows that judge are only looked at, for the curve. With patience
they say when to stop and which weights are kept, and whoever asks for it takes them from the rows
that teach. Networks that differ in their seed alone learn side by side, and their mean is the
opinion. This file alone knows torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rrr.core.errors import ModelBroken

from .asking import Answers, asked, thin
from .evidence import correlation
from .features import F32, STEPS
from .graph import Scaling
from .labels import F64, Split

HIDDEN: Final = 32
BURN: Final = 24  # rows read before the first lesson of a stretch
LESSONS: Final = 72  # rows that teach, after them
BATCHES: Final = 36  # an epoch of little data has about so many: steps teach, more than epochs
BATCH_MIN: Final = 4  # stretches
BATCH_MAX: Final = 128
RATE: Final = 4e-3
DECAY: Final = 1.0
WARM: Final = 0.2  # of the schedule, in which the rate rises
SCHEDULE_MIN: Final = 10  # steps: the rise of a shorter one would have no length
DELTA: Final = 2.0  # beyond it a miss no longer counts by its square
GRADIENT_MAX: Final = 1.0
GLANCE: Final = 8192  # windows that a look at a part takes at most
NEXT: Final = 1_000_003  # from the seed of one network to that of the next


class Epoch(NamedTuple):
    loss: float
    validation_ic: float  # 0 where there is nothing to look at


@dataclass(frozen=True, slots=True)
class Trained:
    weights: tuple[dict[str, F32], ...]  # of each network, as torch names them
    scaling: Scaling
    curves: tuple[tuple[Epoch, ...], ...]  # of each network
    looked: range  # rows of those that judge
    opinions: F64  # (instruments, looked)

    @property
    def curve(self) -> tuple[Epoch, ...]:
        """Their mean."""
        return tuple(
            Epoch(*np.mean(epochs, axis=0).tolist()) for epochs in zip(*self.curves, strict=True)
        )


class Net(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.gru = nn.GRU(features, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(stretches, rows, features) to (stretches, rows)"""
        states, _ = self.gru(x)
        opinions: Tensor = self.head(states).squeeze(-1)
        return opinions


def learn(
    x: F32,
    y: F64,
    parts: Split,
    seed: int,
    epochs: int,
    told: Callable[[int, float], None],
    nets: int = 1,
    patience: int = 0,
) -> Trained:
    """Features (instruments, rows, features), labels (instruments, rows) with NaN for unknown.

    `told` hears each epoch's number, and the IC of their mean on the rows that judge: NaN of none.
    """
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    end = parts.training.stop
    scaling = Scaling.fitted(x[:, :end])
    scaled = scaling.of(x)
    seeds = [seed + NEXT * number for number in range(nets)]
    schools = [_School(scaled[:, :end], y[:, :end], each, epochs) for each in seeds]
    looked = thin(parts.validation, len(x), GLANCE)
    truth, curves, best = y[:, looked], [], _Best()
    for number in range(1, epochs + 1):
        losses = [school.epoch() for school in schools]
        seen = [asked(school.answers, scaled, looked) for school in schools]
        ic = correlation(np.mean(seen, axis=0), truth) if looked else nan
        curves.append([Epoch(*pair) for pair in zip(losses, _ics(seen, truth), strict=True)])
        told(number, ic)
        if patience and best.is_past(patience, number, ic, schools):
            break
    best.restore(schools)
    for school in schools:
        school.centre()
    opinions = asked(_mean([school.answers for school in schools]), scaled, looked)
    weights = tuple(school.weights() for school in schools)
    return Trained(weights, scaling, tuple(zip(*curves, strict=True)), looked, opinions)


class _Best:
    """The weights of the epoch that was right most, where an epoch is chosen."""

    def __init__(self) -> None:
        self.ic, self.number = -np.inf, 0
        self.weights: list[dict[str, F32]] = []

    def is_past(self, patience: int, number: int, ic: float, schools: "Sequence[_School]") -> bool:
        """Whether so many epochs were no better than an earlier one."""
        if ic > self.ic:
            self.ic, self.number = ic, number
            self.weights = [school.weights() for school in schools]
        return number - self.number >= patience

    def restore(self, schools: "Sequence[_School]") -> None:
        if self.weights:
            for school, weights in zip(schools, self.weights, strict=True):
                school.take(weights)


class _School:
    """A network, its lessons, and the schedule that it learns them by."""

    def __init__(self, x: F32, y: F64, seed: int, epochs: int) -> None:
        torch.manual_seed(seed)
        self.net, self.x, self.dice = Net(x.shape[-1]), x, np.random.default_rng(seed)
        self.known = ~np.isnan(y)
        # What all candles of the past had in common is drift: exposure to it is not skill.
        self.y = np.where(self.known, y - y[self.known].mean(), 0).astype(np.float32)
        self.offsets = min(x.shape[1] - (BURN + LESSONS) + 1, LESSONS)
        if self.offsets < 1:
            raise ModelBroken(
                f"A network learns from {BURN + LESSONS} rows on end, {x.shape[1]} are there.",
                "Give it a longer history, or set train.patience_epochs to 0.",
            )
        most = len(self._stretches(0))
        self.batch = min(BATCH_MAX, max(most // BATCHES, BATCH_MIN))
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=RATE, weight_decay=DECAY)
        steps = max(epochs * -(-most // self.batch), SCHEDULE_MIN)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, RATE, total_steps=steps, pct_start=WARM
        )

    def epoch(self) -> float:
        """Learn every stretch once, cut anew; the mean loss."""
        stretches = self._stretches(int(self.dice.integers(self.offsets)))
        self.dice.shuffle(stretches)
        batches = range(0, len(stretches), self.batch)
        losses = [self._lesson(stretches[first : first + self.batch]) for first in batches]
        return float(np.mean(losses))

    def centre(self) -> None:
        """Let the mean opinion on what was taught be none."""
        rows = thin(range(STEPS - 1, self.x.shape[1]), len(self.x), GLANCE)
        mean = float(asked(self.answers, self.x, rows).mean())
        with torch.no_grad():
            self.net.head.bias.sub_(mean)

    def answers(self, windows: F32) -> F32:
        """(n, STEPS, features), scaled, to (n,)"""
        with torch.no_grad():
            said: F32 = self.net(torch.from_numpy(windows))[:, -1].numpy()
        return said

    def weights(self) -> dict[str, F32]:
        """A copy."""
        return {name: weight.numpy().copy() for name, weight in self.net.state_dict().items()}

    def take(self, weights: dict[str, F32]) -> None:
        self.net.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})

    def _stretches(self, offset: int) -> NDArray[np.int64]:
        """(stretches, 2): an instrument, and the row at which the stretch begins"""
        starts = np.arange(offset, self.x.shape[1] - (BURN + LESSONS) + 1, LESSONS)
        return np.stack(np.meshgrid(np.arange(len(self.x)), starts), axis=-1).reshape(-1, 2)

    def _lesson(self, stretches: NDArray[np.int64]) -> float:
        rows = stretches[:, 1:] + np.arange(BURN + LESSONS)
        at, taught = (stretches[:, :1], rows), (stretches[:, :1], rows[:, BURN:])
        said = self.net(torch.from_numpy(self.x[at]))[:, BURN:]
        known = torch.from_numpy(self.known[taught])
        misses = nn.functional.huber_loss(
            said, torch.from_numpy(self.y[taught]), reduction="none", delta=DELTA
        )
        loss = (misses * known).sum() / known.sum().clamp(min=1)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.net.parameters(), GRADIENT_MAX)
        self.optimiser.step()
        self.schedule.step()
        return loss.item()


def _mean(voices: Sequence[Answers]) -> Answers:
    def answers(windows: F32) -> F32:
        said: F32 = np.mean([voice(windows) for voice in voices], axis=0)
        return said

    return answers


def _ics(seen: Sequence[F64], truth: F64) -> list[float]:
    return [correlation(each, truth) for each in seen]
