"""What anybody would have made of the same market: words that know nothing of what comes.

The voices of shadow books. Each is a function of the principal's journal alone: its closes, what it
said of them, what it held. `Delayed` repeats the principal's own convictions of another time: as
many trades, as large, and no timing (Aronson, "Evidence-Based Technical Analysis", 2006). `Held`
says once a day what the principal held on average so far: beta, at the costs of a holder. `Own`
is a network: a candidate, or the twin that learned from shuffled labels.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from rrr.core.events import Close, Signal
from rrr.core.market import BPS, INSTRUMENTS_MAX
from rrr.core.orders import Report

from .voice import Voice

DAY_MS: Final = 86_400_000


class Turn(NamedTuple):
    """One closing time of the principal."""

    close: Close
    said: tuple[Signal, ...]
    equity: int  # quanta, at the close before


class Companion(Protocol):
    """Who speaks for a shadow."""

    model: int
    name: str
    window: int  # the turns that it must be shown again to go on

    def meet(self, turn: Turn) -> list[Signal]:
        """Its words at this close."""

    def show(self, turn: Turn) -> None:
        """Remember a turn without a word."""

    def booked(self, fill: Report) -> None:
        """What the principal bought or sold."""

    @property
    def memory(self) -> str:
        """JSON of what it cannot read again."""


class Silent:
    """Says nothing and remembers nothing; what others have in common."""

    window = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.model = int.from_bytes(sha256(f"shadow 1 {name}".encode()).digest()[:6], "big") or 1

    @property
    def memory(self) -> str:
        return "{}"

    def meet(self, turn: Turn) -> list[Signal]:
        self.show(turn)
        return []

    def show(self, turn: Turn) -> None:
        pass

    def booked(self, fill: Report) -> None:
        pass


class Flat(Silent):
    """Nobody speaks: what is held is given back."""

    def meet(self, turn: Turn) -> list[Signal]:
        return said(self.model, turn.close, dict.fromkeys(present(turn.close), 0))


class Delayed(Silent):
    """What the principal's models said so many closes ago, of each instrument that has a candle."""

    def __init__(self, delay: int) -> None:
        assert delay > 0
        super().__init__(f"random entry, {delay} closes late")
        self.window = delay
        self.known: Final[deque[dict[int, int]]] = deque(maxlen=delay)

    def meet(self, turn: Turn) -> list[Signal]:
        late = self.known[0] if len(self.known) == self.window else {}
        self.show(turn)
        return said(self.model, turn.close, late)

    def show(self, turn: Turn) -> None:
        self.known.append({s.instrument: s.conviction_bps for s in turn.said if s.model})


class Held(Silent):
    """The principal's mean exposure since its model spoke, in basis points of equity.

    `held` is what it holds before the first turn, `scales` are the instruments', of which later
    ones may be listed.
    """

    def __init__(
        self, scales: Callable[[], Sequence[int]], held: Mapping[int, int], memory: str
    ) -> None:
        super().__init__("exposure-matched hold")
        told = json.loads(memory)
        every = range(INSTRUMENTS_MAX)
        self.scales = scales
        self.quantity: list[int] = told.get("quantity") or [held.get(i, 0) for i in every]
        self.sums: list[int] = told.get("sums") or [0 for _ in every]
        self.marks: list[int] = told.get("marks") or [0 for _ in every]
        self.closes: int = told.get("closes", 0)
        self.day: int = told.get("day", 0)

    @property
    def memory(self) -> str:
        names = ("quantity", "sums", "marks", "closes", "day")
        return json.dumps({name: getattr(self, name) for name in names}, separators=(",", ":"))

    def meet(self, turn: Turn) -> list[Signal]:
        self._look(turn)
        day = (turn.close.at_ms - 1) // DAY_MS
        if not self.day:  # what is held at the first word was another's
            self.day = day if any(word.model for word in turn.said) else 0
            return []
        self.closes += 1
        for i, scale in enumerate(self.scales()):
            worth = self.quantity[i] * self.marks[i] // scale
            self.sums[i] += worth * BPS // turn.equity if turn.equity > 0 else 0
        if day == self.day:
            return []
        self.day = day
        here = present(turn.close)
        return said(self.model, turn.close, {i: self.sums[i] // self.closes for i in here})

    def show(self, turn: Turn) -> None:
        self._look(turn)

    def _look(self, turn: Turn) -> None:
        for candle in turn.close.candles:
            self.marks[candle.instrument] = candle.close

    def booked(self, fill: Report) -> None:
        self.quantity[fill.instrument] += fill.side * fill.quantity - fill.fee_grains


class Own(Silent):
    """A voice that forms its opinion of closes, as the principal's does."""

    def __init__(self, voice: Voice, name: str = "") -> None:
        super().__init__(name or voice.name)
        self.voice, self.window = voice, voice.window
        if not name:
            self.model = voice.model

    def meet(self, turn: Turn) -> list[Signal]:
        (words,) = self.voice.meet([turn.close])
        return [word._replace(model=self.model) for word in words]

    def show(self, turn: Turn) -> None:
        self.voice.warm([turn.close])


def present(close: Close) -> list[int]:
    return [candle.instrument for candle in close.candles]


def said(model: int, close: Close, convictions: Mapping[int, int]) -> list[Signal]:
    """Instruments in canonical order, those that have a candle."""
    here = set(present(close))
    return [
        Signal(close.at_ms, i, min(max(conviction, -BPS), BPS), model)
        for i, conviction in sorted(convictions.items())
        if i in here
    ]
