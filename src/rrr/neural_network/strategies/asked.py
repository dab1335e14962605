"""Whatever a strategy does, whole basis points come out, or a sentence that blames it.

What it is given can only be read. Where an instrument has no candle, or fewer than `window` of them
so far, it was not asked: SILENT.
"""

import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from textwrap import shorten
from types import TracebackType
from typing import Any, Final

import numpy as np

from rrr.core.errors import RRRError, StrategyBroken
from rrr.core.market import BPS

from ..panel import COLUMNS, I64, NUMBERS, Mask, Panel
from .strategy import SILENT, Strategy

MESSAGE_MAX: Final = 200  # characters
MEND: Final = "Mend it, then see what `rrr check-lookahead` says of it."
WHOLE: Final = "It answers whole basis points: np.rint(answer).astype(np.int64)."


def asked(strategy: Strategy, panel: Panel, symbols: Sequence[str] = ()) -> I64:
    """(instruments, times): what it says at each close. Raise StrategyBroken, which names where."""
    names = symbols or [f"instrument {number}" for number in range(panel.instruments)]
    told = np.full(panel.there.shape, SILENT)
    silent = window_of(strategy) - 1  # the first of its candles, at which it is not heard
    if strategy.together:
        if panel.times > silent:
            answer = _answer(strategy, _to_read(panel), names)
            told[:, silent:] = np.where(panel.there, answer, SILENT)[:, silent:]
        return told
    for number in range(panel.instruments):
        alone = of_one(panel, number)
        if alone.times > silent:
            answer = _answer(strategy, _to_read(alone), [names[number]])
            if alone.times == panel.times:
                told[number, silent:] = answer[0, silent:]
            else:
                told[number, np.flatnonzero(panel.there[number])[silent:]] = answer[0, silent:]
    return told


def of_one(panel: Panel, number: int) -> Panel:
    """The candles that one instrument has, one after the other, without holes."""
    there = panel.there[number]
    kept: Any = slice(None) if there.all() else there
    columns = {name: getattr(panel, name)[number : number + 1, kept] for name in NUMBERS}
    opened_at_ms, there = panel.opened_at_ms[kept], there[None, kept]
    return Panel(**columns, there=there, opened_at_ms=opened_at_ms, timeframe_ms=panel.timeframe_ms)


def window_of(strategy: Strategy) -> int:
    with Blame(f"{strategy.title} does not say its window"):
        window = strategy.window
    if type(window) is not int or window < 1:
        what = f"The window of {strategy.title} is {window!r}, and one candle is the least."
        raise StrategyBroken(what, MEND)
    return window


class Blame:
    """Whatever the code of a person raises becomes a sentence, with the line that did it.

    Behind this door runs code that is not the house's: nothing that it raises is a bug of ours, and
    nothing that it prints is part of our answer.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.prints = redirect_stdout(sys.stderr)

    def __enter__(self) -> None:
        self.prints.__enter__()

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self.prints.__exit__(None, None, None)
        if not isinstance(error, Exception | SystemExit) or isinstance(error, RRRError):
            return
        told = "".join(c for c in str(error) if c.isprintable() or c.isspace())
        told = shorten(told, MESSAGE_MAX, placeholder=" …")
        said = f"{type(error).__name__}: {told}".rstrip(". :")
        if isinstance(error, ValueError) and "read-only" in str(error):
            said = "it writes into the candles, which others read after it"
        raise StrategyBroken(f"{self.what}: {said}{_line(error)}.", MEND) from error


def utc(at_ms: int) -> str:
    """
    >>> utc(1_704_067_200_000)
    '2024-01-01 00:00Z'
    """
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M}Z"


def _answer(strategy: Strategy, panel: Panel, names: Sequence[str]) -> I64:
    """What it says; blamed for the first candle that it fails at."""
    try:
        return _checked(strategy, panel, names)
    except StrategyBroken as error:
        if error.__cause__ is None:
            raise
        stands, fails, first = window_of(strategy) - 1, panel.times, error
    while fails - stands > 1:
        middle = (stands + fails) // 2
        try:
            _checked(strategy, panel.cut(0, middle), names)
            stands = middle
        except StrategyBroken as error:
            fails, first = middle, error
    raise first


def _checked(strategy: Strategy, panel: Panel, names: Sequence[str]) -> I64:
    who, shape = strategy.title, panel.there.shape
    with Blame(f"{who} fails at {_candle(panel, ', '.join(names), -1)}"):
        answer: Any = strategy.convictions(panel)
    if not isinstance(answer, np.ndarray):
        raise StrategyBroken(f"{who} answers {type(answer).__name__}, and no array.", WHOLE)
    if answer.shape != shape:
        told = f"{who} answers {answer.shape} to {shape} instruments and times."
        raise StrategyBroken(told, "It answers one number for each.")
    heard = answer[:, window_of(strategy) - 1 :]
    if answer.dtype.kind == "f" and not np.isfinite(heard).all():
        _refuse(~np.isfinite(answer), answer, strategy, panel, names)
    if answer.dtype.kind not in "iu":
        raise StrategyBroken(f"{who} answers in {answer.dtype}.", WHOLE)
    if heard.min() < -BPS or heard.max() > BPS:
        known = (answer == SILENT) | ((answer >= -BPS) & (answer <= BPS))
        _refuse(~known, answer, strategy, panel, names)
    return answer.astype(np.int64, copy=False)


def _refuse(
    wrong: Mask, answer: Any, strategy: Strategy, panel: Panel, names: Sequence[str]
) -> None:
    """Raise StrategyBroken for the first answer that is heard and is none."""
    wrong &= panel.there
    wrong[:, : window_of(strategy) - 1] = False
    if not wrong.any():
        return
    column = int(wrong.any(axis=0).argmax())
    number = int(wrong[:, column].argmax())
    where = _candle(panel, names[number], column)
    raise StrategyBroken(
        f"{strategy.title} says {answer[number, column]} at {where}.",
        f"An opinion lies between {-BPS:,} and {BPS:,} basis points; SILENT is to have none.",
    )


def _candle(panel: Panel, name: str, column: int) -> str:
    return f"the candle of {name} that opened {utc(int(panel.opened_at_ms[column]))}"


def _to_read(panel: Panel) -> Panel:
    """The same columns, which nobody can write into."""
    columns = {name: getattr(panel, name).view() for name in COLUMNS}
    for column in columns.values():
        owner = column
        while isinstance(owner, np.ndarray):  # a view of what can be written could be unlocked
            owner.flags.writeable = False
            owner = owner.base
    return Panel(**columns, timeframe_ms=panel.timeframe_ms)


def _line(error: BaseException) -> str:
    """Where it happened, in the code that is not a library's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename[0] != "<" and "site-packages" not in f.filename]
    last = own[-1] if own else None
    ours = last is None or Path(last.filename) == Path(__file__)
    return "" if last is None or ours else f" ({Path(last.filename).name}, line {last.lineno})"
