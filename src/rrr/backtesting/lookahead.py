"""An opinion that knows the future, or forgets nothing, is found, with the candle that moved it.

Two questions are asked of a strategy. Do the last `window` candles alone make it say what all of
history does? And when the candles after some time become others, does what it said until then stay?
The first finds whatever leans on anything outside the window, the second names what moved it; of a
trained network it is asked feature by feature too. The same seed asks the same questions.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from typing import Any, Final

import numpy as np

from rrr.backtesting.history import History
from rrr.backtesting.otherwise import (
    Answer,
    Ask,
    Change,
    Moved,
    differs,
    emptying,
    ending,
    moved,
    moving,
    shuffling,
)
from rrr.core.errors import StrategyBroken
from rrr.monitoring.words import conviction, count, stamp
from rrr.neural_network.features import FEATURES, WINDOW, features
from rrr.neural_network.panel import I64, Panel
from rrr.neural_network.strategies.asked import asked, of_one, window_of
from rrr.neural_network.strategies.strategy import SILENT, Strategy

TRIES: Final = 100
EARLY: Final = 16  # beginnings that are asked about before the whole is
WINDOWS: Final = 40  # asked alone, for each try
AROUND: Final = 32  # candles beside a try's window on either side
DRAWS: Final = 8  # of each kind of other future, to find the candle that moved an answer
CHANGES: Final[tuple[Change, ...]] = (moving, shuffling, emptying)
MODEL: Final = "model"  # the strategy whose features are asked too
WIDTH: Final = 96


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which an opinion is no function of its window, or no opinion."""

    kind: str  # broken, random, window, future
    text: str
    instrument: str | None = None  # of the opinion
    opened_at_ms: int | None = None  # of the candle at which it was given
    feature: str | None = None
    moved_by: str | None = None  # the instrument of the candle that moved it
    moved_by_ms: int | None = None  # when that one opened
    columns: tuple[str, ...] = ()  # of it: each alone is enough


@dataclass(frozen=True, slots=True)
class Findings:
    """What was asked, and what is wrong."""

    strategy: str
    window: int
    seed: int
    candles: int
    opinions: int
    windows: int  # asked alone
    windows_all: int  # that there are
    tries: int  # times that the future was another
    features: int  # asked too
    faults: tuple[Fault, ...]

    @property
    def sound(self) -> bool:
        return not self.faults and self.asked

    @property
    def asked(self) -> bool:
        """Whether there was anything to be asked: an opinion, and a time at which to have it."""
        return self.opinions > 0 and self.windows_all > 0


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Candles to ask about: those of one instrument, or of all that a strategy sees together."""

    ask: Ask
    panel: Panel
    symbols: Sequence[str]
    window: int
    told: Answer
    changes: tuple[Change, ...] = CHANGES
    early: tuple[Answer, ...] = ()  # what it said of beginnings, before it had met the rest

    @property
    def places(self) -> range:
        """Where something can be said."""
        return range(self.window - 1, self.panel.times)


def check(strategy: Strategy, history: History, *, seed: int = 1, tries: int = TRIES) -> Findings:
    """Ask a strategy of a history, of its parts, and of histories that go on in another way."""
    symbols = [one.spec.symbol for one in history.quoted]
    dice, faults = np.random.default_rng(seed), list[Fault]()
    opinions = windows = windows_all = 0
    try:
        cases = _cases(strategy, history.panel, symbols, dice)
        opinions = sum(int((case.told != SILENT).sum()) for case in cases)
        windows_all = sum(len(case.places) for case in cases)
        faults += _first(map(_unlike_itself, cases))
        if not faults and windows_all:
            share = min(tries * WINDOWS / windows_all, 1)
            asked_alone = [_chosen(case, share, dice) for case in cases]
            windows = sum(map(len, asked_alone))
            faults += _first(map(_outside_its_window, cases, asked_alone, repeat(dice)))
            if not any(fault.kind == "future" for fault in faults):
                faults += _first(_future(cases, dice, n) for n in range(tries))
            faults += [] if faults else _first(map(_remembered, cases))
    except StrategyBroken as error:
        faults.append(Fault("broken", f"{error.what} {error.advice}"))
    with_features = strategy.name == MODEL and not faults
    if with_features:
        faults += check_features(history.panel, symbols, seed=seed, tries=tries)
    return Findings(
        strategy=strategy.title,
        window=window_of(strategy),
        seed=seed,
        candles=int(history.panel.there.sum()),
        opinions=opinions,
        windows=windows,
        windows_all=windows_all,
        tries=tries,
        features=len(FEATURES) if with_features else 0,
        faults=tuple(faults),
    )


def check_features(
    panel: Panel,
    symbols: Sequence[str],
    *,
    seed: int = 1,
    tries: int = TRIES,
    make: Ask = features,
    names: Sequence[str] = FEATURES,
) -> list[Fault]:
    """The first feature that the future moves; none, as it should be."""

    def ask(part: Panel) -> Answer:
        told = np.zeros((part.instruments, part.times, len(names)), np.float32)
        told[:, WINDOW - 1 :] = make(part)
        return told

    if panel.times <= WINDOW:
        return []
    dice, case = np.random.default_rng(seed), Case(ask, panel, symbols, WINDOW, ask(panel))
    return _first(_future([case], dice, n, names) for n in range(tries))


def words(found: Findings) -> str:
    """What a person reads."""
    share = "all" if found.windows == found.windows_all else f"of {found.windows_all:,}"
    windows = f"{count(found.windows, 'window')} of {count(found.window, 'candle')} ({share})"
    rows = [
        f"{count(found.opinions, 'opinion')} on {count(found.candles, 'candle')}, seed {found.seed}"
    ]
    if found.sound:
        head = f"{found.strategy} does not look ahead."
        rows += [
            f"{windows}: each alone says what all of history says",
            f"{count(found.tries, 'other future')}: nothing that was said before any of them moved",
        ]
        if found.features:
            rows.append(f"{found.features} features: no other future moved any of them either")
    elif found.faults:
        head = f"{found.strategy} cannot be trusted."
        rows = [fault.text for fault in found.faults] + rows
    else:
        head = f"{found.strategy} could not be asked: it has no opinion on these candles."
        rows += [f"its window is {count(found.window, 'candle')}; take more of them, or others"]
    wrap = textwrap.TextWrapper(WIDTH, initial_indent="  ", subsequent_indent="    ")
    wrap.break_on_hyphens = wrap.break_long_words = False
    return "\n".join([head, *(wrap.fill(row) for row in rows)])


def as_json(found: Findings) -> dict[str, Any]:
    return asdict(found) | {"sound": found.sound}


def _cases(
    strategy: Strategy, panel: Panel, symbols: Sequence[str], dice: np.random.Generator
) -> list[Case]:
    parts, changes = [(panel, symbols)], CHANGES
    if not strategy.together:
        changes = (moving, shuffling)  # it is never shown a hole
        numbers = range(panel.instruments)
        parts = [(of_one(panel, n), symbols[n : n + 1]) for n in numbers if panel.there[n].any()]
    window, cases = window_of(strategy), []
    for part, names in parts:

        def ask(of: Panel, names: Sequence[str] = names) -> I64:
            return asked(strategy, of, names)

        ends = np.arange(window, part.times)
        cuts = np.sort(dice.choice(ends, min(EARLY, len(ends)), replace=False))
        early = tuple(ask(part.cut(0, cut)) for cut in cuts.tolist())
        cases.append(Case(ask, part, names, window, ask(part), changes, early))
    return cases


def _first(found: Iterator[Fault | None]) -> list[Fault]:
    for fault in found:
        if fault is not None:
            return [fault]
    return []


def _remembered(case: Case) -> Fault | None:
    """Who keeps what he was shown is found out by what he said before he was shown it."""
    for early in case.early:
        cut = case.panel.cut(0, early.shape[1])
        place = differs(early, case.told[:, : cut.times], cut.times)
        if place is not None:
            then, now = _said(early[place]), _said(case.told[place])
            told = f"it says {then}, and {now} once it was shown what follows: it remembers"
            return _fault("future", case, cut, place, told)
    return None


def _unlike_itself(case: Case) -> Fault | None:
    again = case.ask(case.panel)
    place = differs(case.told, again, case.panel.times)
    if place is None:
        return None
    said = f"{_said(case.told[place])}, and asked the same again, {_said(again[place])}"
    return _fault("random", case, case.panel, place, f"it says {said}: chance is no opinion")


def _chosen(case: Case, share: float, dice: np.random.Generator) -> list[int]:
    """So many places; half of them where an opinion turns, since that is where a leak shows."""
    places, wanted = np.array(case.places), round(len(case.places) * share)
    if wanted == len(places):
        return list(case.places)
    turns = _turns(case)
    turns = dice.choice(turns, min(wanted // 2, len(turns)), replace=False)
    rest = dice.choice(places, wanted - len(turns), replace=False)
    chosen: list[int] = np.union1d(turns, rest).tolist()
    return chosen


def _turns(case: Case) -> I64:
    """Where the next opinion is another, or this one another than the last."""
    told = case.told.reshape(case.told.shape[0], case.panel.times, -1)
    turned = 1 + np.flatnonzero((told[:, 1:] != told[:, :-1]).any(axis=(0, 2)))
    near = np.union1d(turned, turned - 1)
    found: I64 = near[near >= case.window - 1]
    return found


def _outside_its_window(
    case: Case, places: Sequence[int], dice: np.random.Generator
) -> Fault | None:
    """The first place at which the window alone says something else than all of history."""
    for t in places:
        alone = case.ask(case.panel.cut(t + 1 - case.window, t + 1))[:, -1]
        if (alone == case.told[:, t]).all():
            continue
        until = case.ask(case.panel.cut(0, t + 1))[:, -1]
        if (until != case.told[:, t]).any():
            return _mover(case, case.panel, t, dice)
        number = int((alone != until).argmax())
        said = f"it says {_said(until[number])} after all candles before it, and"
        said += f" {_said(alone[number])} after the last {case.window:,} alone"
        told = f"{said}: it remembers more than its window"
        return _fault("window", case, case.panel, (number, t), told)
    return None


def _future(
    cases: Sequence[Case], dice: np.random.Generator, n: int, names: Sequence[str] = ()
) -> Fault | None:
    """One time at which history goes on in another way."""
    case = cases[int(dice.integers(len(cases)))]
    places = np.array(case.places) if n % 2 else _turns(case)
    places = places[places < case.panel.times - 1]
    if not len(places):
        return None
    t = int(dice.choice(places))
    first = max(t - case.window - AROUND, 0)
    part = case.panel.cut(first, t + case.window + AROUND)
    change = case.changes[n // 2 % len(case.changes)]
    if moved(case.ask, part, t - first, change, dice) is None:
        return None
    return _mover(case, part, t - first, dice, names)


def _mover(
    case: Case,
    part: Panel,
    t: int,
    dice: np.random.Generator,
    names: Sequence[str] = (),
) -> Fault | None:
    """What of all that came after moved an answer; that nothing came at all tells the least."""
    for change in (*case.changes * DRAWS, ending):
        found = moved(case.ask, part, t, change, dice)
        if found is not None:
            return _moved(found, case, part, names)
    return None


def _moved(found: Moved, case: Case, part: Panel, names: Sequence[str] = ()) -> Fault:
    """In words: which opinion, and which number of which later candle moved it."""
    feature = names[found.place[2]] if names else None
    said = f"{_said(found.before, feature)}, and {_said(found.after, feature)}"
    told = f"{feature} is {said}" if feature else f"it says {said}"
    if found.by is None:
        told += " once no candle comes after it: it looks ahead"
        return _fault("future", case, part, found.place, told, feature)
    whose = None if found.whose is None else case.symbols[found.whose]
    opened_at_ms = int(part.opened_at_ms[found.by])
    what = f"the candle{f' of {whose}' if whose else ''} that opens {stamp(opened_at_ms)}"
    if found.columns:
        name = "presence" if found.columns[0] == "there" else found.columns[0]
        what = f"the {name} of {what}"
    told += f" once {what} is another: it looks ahead"
    fault = _fault("future", case, part, found.place, told, feature)
    return replace(fault, moved_by=whose, moved_by_ms=opened_at_ms, columns=found.columns)


def _fault(
    kind: str,
    case: Case,
    panel: Panel,
    place: tuple[int, ...],
    told: str,
    feature: str | None = None,
) -> Fault:
    symbol, opened_at_ms = case.symbols[place[0]], int(panel.opened_at_ms[place[1]])
    text = f"At the candle of {symbol} that opened {stamp(opened_at_ms)} {told}."
    return Fault(kind, text, symbol, opened_at_ms, feature)


def _said(answer: Any, feature: str | None = None) -> str:
    if feature:
        return f"{answer:+.6g}"
    return "nothing" if answer == SILENT else conviction(int(answer))
