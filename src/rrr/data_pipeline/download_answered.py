"""What a venue has answered for need not be asked again, though it answered with nothing.

Beside the candles of a series lies `answered.json`: the spans that the venue was asked for and has
answered whole. A time in them without a candle is a time without trades, as far as the venue knows;
a hole outside them is unknown. The file may be lost: then the venue is asked once more.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from rrr.core.errors import DataError
from rrr.data_pipeline.recorded_files import grid_begin_ms
from rrr.data_pipeline.store_files import stored

FILE: Final = "answered.json"

Stretch: TypeAlias = tuple[int, int]  # from an opening time on and before another


def answered(folder: Path) -> list[Stretch]:
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


def remember(folder: Path, stretches: Iterable[Stretch]) -> None:
    """Add them. The caller is the only one who downloads into this folder."""
    path, made = folder / FILE, folder / f".{FILE}.tmp"
    content = msgspec.json.encode(united([*answered(folder), *stretches]))
    with stored(path):
        folder.mkdir(parents=True, exist_ok=True)
        made.write_bytes(content)
        made.rename(path)


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


def without(stretches: Iterable[Stretch], known: Sequence[Stretch]) -> list[Stretch]:
    """What is left of them.

    >>> without([(0, 10), (20, 30)], [(2, 4), (8, 22), (29, 40)])
    [(0, 2), (4, 8), (22, 29)]
    """
    left = []
    for begin, end in united(stretches):
        for known_begin, known_end in united(known):
            if known_end <= begin or end <= known_begin:
                continue
            if begin < known_begin:
                left.append((begin, known_begin))
            begin = min(max(begin, known_end), end)
        if begin < end:
            left.append((begin, end))
    return left
