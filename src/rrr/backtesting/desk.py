"""What a compiled run lies on: tables of whole numbers, and the places in them.

A candle is one line of memory: (times × instruments, 8) of open, high, low, close, volume, source,
conviction, and whether it is there.
"""

from typing import Any, Final, NamedTuple

from rrr.core.market import Candle
from rrr.core.orders import NO_ORDER
from rrr.core.shelf import NO_ASSUMPTIONS, NO_SHELF, Assumptions
from rrr.core.state import NO_ACCOUNT, NO_LAW, Law

from .flat import height_of, read, width_of, write

OPEN, HIGH, LOW, CLOSE, VOLUME, SOURCE, CONVICTION, THERE = range(8)
WORDS: Final = 8  # of a candle
SILENT: Final = -32_768  # no opinion
REPORT, ORDER, CANCEL, REFUSED, HALTED, AMEND = 6, 11, 12, 13, 14, 18  # the journal's numbers
WHEN: Final = 2 + len(NO_ORDER)  # the last place of the queue: behind the widest record
ROWS_AT_A_CLOSE: Final = 256  # of one instrument, at most
DAY_MS: Final = 86_400_000
HOUR: Final = NO_ACCOUNT._fields.index("hour")
DETAILED: Final = NO_SHELF._fields.index("detailed_ms")

Table = Any  # of int64, in compiled code without its counter
Array = Any


class Desk(NamedTuple):
    """All that a run reads and writes beside its candles: tables of whole numbers."""

    terms: Table  # (2, width): the law, the assumptions
    instruments: Table  # (instruments, width)
    book: Table  # (2, width): the account, the purse
    lanes: Table
    shelves: Table
    rows: Table  # (rows, width): what happened
    queue: Table  # (places, width): instrument, kind, record …, time: to be carried, or heard
    awake: Table  # (instruments, 1): when something last happened on a shelf
    refusals: Table  # (instruments, reasons)


class History(NamedTuple):
    """A stretch of closing times."""

    opened: Table  # (times, 1), and when the close after the last one opens, if there is one
    times: int
    every_ms: int
    candles: Table  # (times × instruments, WORDS)
    touches: Table  # (times × instruments, 2): bid, ask; or nothing
    detail: Table  # (times × finer × instruments, WORDS); or nothing
    detail_ms: int  # 0: there is none


class Told(NamedTuple):
    """What a run tells of each close, and of each UTC day that is over."""

    equities: Table  # (times, 1)
    worths: Table  # (times, instruments)
    days: Table  # (days, width): last closing time, rows until then, book, lanes and shelves


def law_of(desk: Desk) -> Law:
    return read(NO_LAW, desk.terms, 0, 0)


def assumed_by(desk: Desk) -> Assumptions:
    return read(NO_ASSUMPTIONS, desk.terms, 1, 0)


def there(desk: Desk, candles: Table, i: int, k: int) -> int:
    return candles[i * height_of(desk.lanes) + k, THERE]  # type: ignore[no-any-return]


def candle_of(desk: Desk, candles: Table, i: int, k: int) -> Candle:
    at = i * height_of(desk.lanes) + k
    return Candle(
        k,
        candles[at, OPEN],
        candles[at, HIGH],
        candles[at, LOW],
        candles[at, CLOSE],
        candles[at, VOLUME],
        candles[at, SOURCE],
    )


def ask(desk: Desk, asked: int, k: int, kind: int, at_ms: int) -> int:
    assert asked < height_of(desk.queue), "The queue holds all that one close can cause."
    desk.queue[asked, 0], desk.queue[asked, 1], desk.queue[asked, WHEN] = k, kind, at_ms
    return asked + 1


def row(desk: Desk, n: int, kind: int, record: Any) -> int:
    n = blank(desk, n)
    desk.rows[n - 1, 0] = kind
    write(record, desk.rows, n - 1, 1)
    return n


def blank(desk: Desk, n: int) -> int:
    assert n < height_of(desk.rows), "There is room for every row of a close."
    for place in range(width_of(desk.rows)):
        desk.rows[n, place] = 0
    return n + 1


def day(at_ms: int) -> int:
    """The UTC day that a closing time ends in: midnight belongs to the day before."""
    return (at_ms - 1) // DAY_MS


def day_over(desk: Desk, told: Told, d: int, at_ms: int, n: int) -> int:
    """What the digest of a day is made of, beside the rows."""
    told.days[d, 0], told.days[d, 1] = at_ms, n
    place = 2
    for k in range(2):
        for j in range(width_of(desk.book)):
            told.days[d, place] = desk.book[k, j]
            place += 1
    for k in range(height_of(desk.lanes)):
        for j in range(width_of(desk.lanes)):
            told.days[d, place] = desk.lanes[k, j]
            place += 1
        for j in range(width_of(desk.shelves)):
            told.days[d, place] = desk.shelves[k, j]
            place += 1
    return d + 1


def gather(
    open_: Array,
    high: Array,
    low: Array,
    close: Array,
    volume: Array,
    source: Array,
    conviction: Array,
    there: Array,
    candles: Array,
) -> None:
    """Columns (instruments, times) become lines (times × instruments, WORDS)."""
    m = len(open_)
    for k in range(m):
        for i in range(open_.shape[1]):
            at = i * m + k
            candles[at, OPEN], candles[at, HIGH] = open_[k, i], high[k, i]
            candles[at, LOW], candles[at, CLOSE] = low[k, i], close[k, i]
            candles[at, VOLUME], candles[at, SOURCE] = volume[k, i], source[k, i]
            candles[at, CONVICTION], candles[at, THERE] = conviction[k, i], there[k, i]
