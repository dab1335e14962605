"""What a stamp means is proved by the file, or asked of the person.

Proofs of an opening or a closing time: a layout that is documented, a second column of times, the
place beside the grid (23:59:59.999 closes), a date without a time, the name of the column, whole
days or months from end to end. A timeframe is the usual step, where all other steps agree with it.
"""

from collections import Counter
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from rrr.data_pipeline.importing_sheet import CLOSES, Sheet
from rrr.data_pipeline.recorded_files import TIMEFRAMES, grid_begin_ms
from rrr.data_pipeline.recorded_rows import Integers

Stamps: TypeAlias = Literal["open", "close"]

_DAY: Final = TIMEFRAMES["1d"]
_MONTHS_FROM: Final = TIMEFRAMES["1h"]  # on, whole days prove little
_SECONDS_END: Final = 10**11
_MILLISECONDS_END: Final = 10**14
_OPENS: Final = ("open_time", "opened_at_ms")
_SHORT_OF_A_STEP: Final = (1, 1_000)  # ms before its end that a candle is said to close at


class Meaning(NamedTuple):
    stamps: Stamps | None  # unknown: somebody must say
    why: str
    shift_ms: int  # from a stamp to the opening time, back


NO_MEANING: Final = Meaning(None, "nothing in the file tells", 0)


class Steps(NamedTuple):
    usual_ms: int  # the most frequent one; 0, if there is none
    common_ms: int  # the longest that all are multiples of


def steps(stamps: Integers) -> Steps:
    """How far apart the stamps are, in their order of time.

    >>> steps(np.array([60_000, 0, 120_000, 300_000]))
    Steps(usual_ms=60000, common_ms=60000)
    """
    apart = np.diff(stamps if _rises(stamps) else np.sort(stamps))
    lengths, counts = np.unique(apart[apart > 0], return_counts=True)
    if not len(lengths):
        return Steps(0, 0)
    return Steps(int(lengths[counts.argmax()]), int(np.gcd.reduce(lengths)))


def meaning(sheet: Sheet, layout: str, step_ms: int, said: Stamps | None) -> Meaning:
    """Whether the stamps, which may be in any order, are of the opening or of the close."""
    stamps = sheet.rows.opened_at_ms
    beside = _beside_the_grid(stamps, step_ms)
    if said is not None:
        proof: tuple[Stamps, str] | None = said, "as you say"
    elif beside:
        proof = "close", f"they stand {step_ms - beside} ms before the next candle opens"
    else:
        proof = _by_columns(sheet, step_ms) or _by_layout(layout) or _by_ends(stamps, step_ms)
    if proof is None:
        return NO_MEANING
    shift_ms = 0 if proof[0] == "open" else beside or step_ms
    return Meaning(*proof, shift_ms)


def _beside_the_grid(stamps: Integers, step_ms: int) -> int:
    """How far beyond the grid most stamps stand, if that is how a close is written."""
    beyond = (stamps - grid_begin_ms(step_ms)) % step_ms
    if not beyond.any():
        return 0
    values, counts = np.unique(beyond, return_counts=True)
    most = int(values[counts.argmax()])
    return most if step_ms - most in _SHORT_OF_A_STEP else 0


def _by_columns(sheet: Sheet, step_ms: int) -> tuple[Stamps, str] | None:
    if sheet.time_name in CLOSES:
        return "close", f"the column is called {sheet.columns['time']!r}"
    closes = next((name for name in CLOSES if name in sheet.cells), None)
    if closes and _closes_a_step_later(sheet, closes, step_ms):
        return "open", f"{closes} is a step later"
    if sheet.time_name in _OPENS:
        return "open", f"the column is called {sheet.columns['time']!r}"
    if sheet.days and step_ms >= _DAY:
        return "open", "a date names its day"
    return None


def _closes_a_step_later(sheet: Sheet, closes: str, step_ms: int) -> bool:
    both = zip(sheet.cells[sheet.time_name], sheet.cells[closes], strict=True)
    lengths = Counter(
        _ms(int(closed)) - _ms(int(opened))
        for opened, closed in both
        if opened.isdecimal() and closed.isdecimal()
    )
    return bool(lengths) and step_ms - lengths.most_common(1)[0][0] in (0, *_SHORT_OF_A_STEP)


def _ms(stamp: int) -> int:
    """A stamp of any unit, known by its size.

    >>> _ms(1_735_689_659), _ms(1_735_689_659_999_999)
    (1735689659000, 1735689659999)
    """
    if stamp < _SECONDS_END:
        return stamp * 1000
    while stamp >= _MILLISECONDS_END:
        stamp //= 1000
    return stamp


def _by_layout(layout: str) -> tuple[Stamps, str] | None:
    documented = {
        "house": "it is a file of this house",
        "freqtrade": "freqtrade documents it",
        "binance": "Binance documents it",
        "kraken": "Kraken documents it",
        "cryptodatadownload": "CryptoDataDownload documents it",
    }
    return ("open", documented[layout]) if layout in documented else None


def _by_ends(stamps: Integers, step_ms: int) -> tuple[Stamps, str] | None:
    """A file that was cut by days or months shows by its ends which stamps its candles have."""
    first, last = int(stamps.min()), int(stamps.max())
    whole = "days" if step_ms < _MONTHS_FROM else "months"
    if _whole(first, whole) and _whole(last + step_ms, whole):
        return "open", f"so they fill whole {whole}"
    if _whole(first - step_ms, whole) and _whole(last, whole):
        return "close", f"so they fill whole {whole}"
    return None


def _whole(at_ms: int, unit: str) -> bool:
    if unit == "days":
        return at_ms % _DAY == 0
    moment = np.datetime64(at_ms, "ms")
    return bool(moment.astype("datetime64[M]").astype("datetime64[ms]") == moment)


def _rises(stamps: Integers) -> bool:
    return bool((stamps[1:] > stamps[:-1]).all())
