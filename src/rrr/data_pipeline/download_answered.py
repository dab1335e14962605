"""What a venue has answered with nothing is silence, and not a hole.

Beside the candles of a series lies `silent.json`: the spans that the venue was asked for, and in
which it has no candle. A time in them without a candle is a time without trades, as far as the
venue knows; a hole outside them is unknown, also where a candle was and is gone. The file may be
lost: then the venue is asked once more.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from rrr.core.errors import DataError
from rrr.data_pipeline.recorded_files import grid_begin_ms
from rrr.data_pipeline.store_files import locked, put

FILE: Final = "silent.json"

Stretch: TypeAlias = tuple[int, int]  # from an opening time on and before another


def answered(folder: Path) -> list[Stretch]:
    """What was answered with nothing."""
    path = folder / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Remove it.") from error
    try:
        return united(msgspec.json.decode(content, type=list[Stretch]))
    except msgspec.MsgspecError as error:
        raise DataError(
            f"{path} is damaged: {error}.", "Remove it: the venue is asked once more."
        ) from error


def remember(
    root: Path, folder: Path, asked: Iterable[Stretch], traded: Sequence[Stretch] = ()
) -> None:
    """What of the asked is silent, with what another download may have found meanwhile."""
    with locked(root, folder):
        known = answered(folder)
        silent = without([*known, *asked], traded)
        if silent != known:
            put(folder, FILE, msgspec.json.encode(silent))


def opening(at_ms: int, step_ms: int) -> int:
    """When the candle of this moment opened.

    >>> opening(119_999, 60_000)
    60000
    """
    return at_ms - (at_ms - grid_begin_ms(step_ms)) % step_ms


def united(stretches: Iterable[Stretch]) -> list[Stretch]:
    """
    >>> united([(5, 9), (0, 3), (3, 4), (8, 12), (20, 20)])
    [(0, 4), (5, 12)]
    """
    apart: list[Stretch] = []
    for begin, end in sorted(stretches):
        if begin >= end:
            continue
        if apart and begin <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(end, apart[-1][1])
        else:
            apart.append((begin, end))
    return apart


def without(stretches: Iterable[Stretch], known: Iterable[Stretch]) -> list[Stretch]:
    """What is left of them.

    >>> without([(0, 10), (20, 30)], [(2, 4), (8, 22), (29, 40)])
    [(0, 2), (4, 8), (22, 29)]
    """
    left, gone, at = list[Stretch](), united(known), 0
    for begin, end in united(stretches):
        while at < len(gone) and gone[at][0] < end:
            known_begin, known_end = gone[at]
            if begin < known_begin:
                left.append((begin, known_begin))
            begin = max(begin, known_end)
            if begin >= end:
                break  # it may reach into the next one, too
            at += 1
        if begin < end:
            left.append((begin, end))
    return left
