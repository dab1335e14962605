"""A whole history through the arms of the core, in the order in which paper trading calls them.

This is `trading.engine.paper` once more, over columns instead of events, written to be compiled:
`compiled` hands these functions and the core's to numba, and a test holds both wirings to the same
rows. All state lies in tables (`desk`), read and written back as records. What happens at every
close stays inline and asks `stirs`, `settled` and `change_wished` whether anything happens; what is
rare is a call.
"""

from rrr.core import rules
from rrr.core.arms import (
    change_wished,
    content,
    met,
    on_candle,
    on_report,
    on_signal,
    on_touch,
    settled,
    too_little,
)
from rrr.core.events import Signal, Touch
from rrr.core.ledger import equity
from rrr.core.market import NO_INSTRUMENT, half_spread
from rrr.core.matching import at_no_open, at_open, inside, stirs
from rrr.core.orders import NO_ORDER, NO_REPORT, Amend, Cancel, Side, Stage
from rrr.core.pursuit import Outcome
from rrr.core.shelf import (
    NO_PURSE,
    NO_SHELF,
    Matched,
    amend,
    begun,
    cancel,
    submit,
    touch,
    works,
)
from rrr.core.state import NO_ACCOUNT, NO_LANE

from .desk import (
    AMEND,
    CANCEL,
    CONVICTION,
    DETAILED,
    HALTED,
    HOUR,
    ORDER,
    REFUSED,
    REPORT,
    ROWS_AT_A_CLOSE,
    SILENT,
    WHEN,
    Desk,
    History,
    Table,
    Told,
    ask,
    assumed_by,
    blank,
    candle_of,
    day,
    day_over,
    law_of,
    row,
    there,
)
from .flat import height_of, read, table, write

UNOPENED, OPENS, GOES_ON, ASKED, STIRRED, WISHED = range(6)  # what may happen


def start(desk: Desk, history: History, told: Told, first: int, n: int, d: int) -> tuple[int, ...]:
    """`run` over arrays, which stay where they are."""
    return run(
        Desk(
            table(desk.terms),
            table(desk.instruments),
            table(desk.book),
            table(desk.lanes),
            table(desk.shelves),
            table(desk.rows),
            table(desk.queue),
            table(desk.awake),
            table(desk.refusals),
        ),
        History(
            table(history.opened),
            history.times,
            history.every_ms,
            table(history.candles),
            table(history.touches),
            table(history.detail),
            history.detail_ms,
        ),
        Told(table(told.equities), table(told.worths), table(told.days)),
        first,
        n,
        d,
    )


def run(desk: Desk, history: History, told: Told, first: int, n: int, d: int) -> tuple[int, ...]:
    """Go on from the close `first` until the history ends or the rows are full.

    Answers the next close, the number of rows, and of days that are over.
    """
    m, last, every_ms = height_of(desk.lanes), history.times, history.every_ms
    finer = every_ms // history.detail_ms if history.detail_ms else 0
    for i in range(first, last):
        if n > height_of(desk.rows) - ROWS_AT_A_CLOSE * m or d == height_of(told.days):
            return i, n, d
        opened_ms = history.opened[i, 0]
        at_ms = opened_ms + every_ms
        for j in range(finer):
            begins_ms = opened_ms + j * history.detail_ms
            ends_ms = begins_ms + history.detail_ms
            n = fills(desk, history.detail, i * finer + j, begins_ms, ends_ms, True, n)
        n = fills(desk, history.candles, i, opened_ms, at_ms, False, n)
        n = closes(desk, history.candles, i, at_ms, n)
        if height_of(history.touches):
            for k in range(m):
                bid, ask = history.touches[i * m + k, 0], history.touches[i * m + k, 1]
                touched(desk, k, at_ms, bid, ask)
        for k in range(m):
            n = signals(desk, history.candles, i, k, at_ms, n)
        told.equities[i, 0] = equity(read(NO_ACCOUNT, desk.book, 0, 0))
        for k in range(m):
            told.worths[i, k] = read(NO_LANE, desk.lanes, k, 0).worth
        over = True
        if i + 1 < height_of(history.opened):
            over = day(history.opened[i + 1, 0] + every_ms) != day(at_ms)
        if over:
            d = day_over(desk, told, d, at_ms, n)
    return last, n, d


def fills(
    desk: Desk, candles: Table, i: int, opened_ms: int, at_ms: int, fine: bool, n: int
) -> int:
    """The venue meets the candles of one time: everybody's open first, then everybody's inside."""
    if assumed_by(desk).by_touch:
        return n
    woken = 0
    for k in range(height_of(desk.lanes)):
        shelf = read(NO_SHELF, desk.shelves, k, 0)
        missing = not there(desk, candles, i, k) and not fine
        if missing and works(shelf) and shelf.detailed_ms <= opened_ms:
            n, _ = happens(desk, UNOPENED, candles, i, k, opened_ms, at_ms, n, 0)
    for k in range(height_of(desk.lanes)):
        if there(desk, candles, i, k):
            shelf = read(NO_SHELF, desk.shelves, k, 0)
            if fine:
                desk.shelves[k, DETAILED] = at_ms
            decides = fine or shelf.detailed_ms <= opened_ms
            if decides and stirs(shelf, candle_of(desk, candles, i, k)):
                woken += 1
                desk.awake[k, 0] = at_ms
                n, _ = happens(desk, OPENS, candles, i, k, opened_ms, at_ms, n, 0)
    if woken:
        for k in range(height_of(desk.lanes)):
            if desk.awake[k, 0] == at_ms:
                desk.awake[k, 0] = 0
                n, _ = happens(desk, GOES_ON, candles, i, k, opened_ms, at_ms, n, 0)
    return n


def closes(desk: Desk, candles: Table, i: int, at_ms: int, n: int) -> int:
    """All lanes meet their candles, then the account is watched once."""
    asked = 0
    for k in range(height_of(desk.lanes)):
        if there(desk, candles, i, k):
            account, lane = read(NO_ACCOUNT, desk.book, 0, 0), read(NO_LANE, desk.lanes, k, 0)
            instrument = read(NO_INSTRUMENT, desk.instruments, k, 0)
            account, lane = met(account, lane, instrument, candle_of(desk, candles, i, k), at_ms)
            if settled(law_of(desk), account, lane, instrument):
                write(account, desk.book, 0, 0)
                write(lane, desk.lanes, k, 0)
            else:
                n, asked = happens(desk, STIRRED, candles, i, k, at_ms, at_ms, n, asked)
    if at_ms // rules.HOUR_MS != desk.book[0, HOUR]:
        struck(desk, at_ms)
    account = read(NO_ACCOUNT, desk.book, 0, 0)
    halted = account.halted
    account = rules.measured(law_of(desk), account)
    write(account, desk.book, 0, 0)
    for k in range(height_of(desk.lanes)):
        write(rules.attend(account, read(NO_LANE, desk.lanes, k, 0)), desk.lanes, k, 0)
    if account.halted != halted:
        n, asked = stopped(desk, account.halted, at_ms, n, asked)
    if asked:
        n, _ = happens(desk, ASKED, candles, i, 0, at_ms, at_ms, n, asked)
    return n


def signals(desk: Desk, candles: Table, i: int, k: int, at_ms: int, n: int) -> int:
    """One lane hears its signal, if there is one."""
    conviction = candles[i * height_of(desk.lanes) + k, CONVICTION]
    if conviction == SILENT or not there(desk, candles, i, k):
        return n
    account = read(NO_ACCOUNT, desk.book, 0, 0)
    lane = rules.heard(read(NO_LANE, desk.lanes, k, 0))
    instrument = read(NO_INSTRUMENT, desk.instruments, k, 0)
    change = change_wished(law_of(desk), account, lane, instrument, conviction)
    little = change == 0 and too_little(law_of(desk), lane, instrument, conviction)
    if change == 0 and not little and not lane.order.kind:
        write(content(lane), desk.lanes, k, 0)
        return n
    n, _ = happens(desk, WISHED, candles, i, k, at_ms, at_ms, n, 0)
    return n


def happens(
    desk: Desk,
    what: int,
    candles: Table,
    i: int,
    k: int,
    opened_ms: int,
    at_ms: int,
    n: int,
    asked: int,
) -> tuple[int, int]:
    """All that is rare, in one place, so that each arm is compiled once.

    The venue says one thing after another, or an arm sends something; the venue answers, the kernel
    hears it and sends what follows, until nobody has more to say. What closes send waits for the
    last of them.
    """
    instrument, candle = read(NO_INSTRUMENT, desk.instruments, k, 0), candle_of(desk, candles, i, k)
    if what == OPENS:
        shelf = read(NO_SHELF, desk.shelves, k, 0)
        write(begun(shelf, instrument, assumed_by(desk), candle.volume), desk.shelves, k, 0)
    more = True
    while more:
        more = False
        if what <= GOES_ON:
            purse, shelf = read(NO_PURSE, desk.book, 1, 0), read(NO_SHELF, desk.shelves, k, 0)
            matched = Matched(purse, shelf, NO_REPORT)
            if not works(shelf):
                pass
            elif what == OPENS:
                matched = at_open(
                    purse, shelf, instrument, assumed_by(desk), candle, opened_ms, at_ms
                )
            elif what == GOES_ON:
                matched = inside(
                    purse, shelf, instrument, assumed_by(desk), candle, opened_ms, at_ms
                )
            else:
                matched = at_no_open(purse, shelf, opened_ms)
            answered(desk, matched, k)
            if matched.report.status:
                asked = ask(desk, 0, k, REPORT, at_ms)
                write(matched.report, desk.queue, 0, 2)
                more = what != UNOPENED
        elif what != ASKED:
            account, lane = read(NO_ACCOUNT, desk.book, 0, 0), read(NO_LANE, desk.lanes, k, 0)
            if what == STIRRED:
                out = on_candle(law_of(desk), account, lane, instrument, candle, at_ms)
            else:
                bps = candles[i * height_of(desk.lanes) + k, CONVICTION]
                signal = Signal(at_ms, k, bps, account.model)
                out = on_signal(law_of(desk), account, lane, instrument, signal)
            n, asked = sent(desk, out, k, at_ms, n, asked)
            if what == STIRRED:
                return n, asked
        carried = 0
        head = 0
        while head < asked:
            while carried < asked:
                carry(desk, carried)
                carried += 1
            to = desk.queue[head, 0]
            report = read(NO_REPORT, desk.queue, head, 2)
            n = row(desk, n, REPORT, report)
            account, lane = read(NO_ACCOUNT, desk.book, 0, 0), read(NO_LANE, desk.lanes, to, 0)
            terms = read(NO_INSTRUMENT, desk.instruments, to, 0)
            out = on_report(law_of(desk), account, lane, terms, report)
            n, asked = sent(desk, out, to, report.at_ms, n, asked)
            head += 1
        asked = 0
    return n, 0


def carry(desk: Desk, j: int) -> None:
    """Bring what stands in the queue to the venue; its answer takes that place."""
    k = desk.queue[j, 0]
    if desk.queue[j, 1] == REPORT:
        return
    purse, shelf = read(NO_PURSE, desk.book, 1, 0), read(NO_SHELF, desk.shelves, k, 0)
    matched = Matched(purse, shelf, NO_REPORT)
    if desk.queue[j, 1] == ORDER:
        instrument = read(NO_INSTRUMENT, desk.instruments, k, 0)
        order = read(NO_ORDER, desk.queue, j, 2)
        mark = read(NO_LANE, desk.lanes, k, 0).mark
        matched = submit(purse, shelf, instrument, order, mark, desk.queue[j, WHEN])
    elif desk.queue[j, 1] == AMEND:
        instrument = read(NO_INSTRUMENT, desk.instruments, k, 0)
        name, quantity, price = desk.queue[j, 2], desk.queue[j, 3], desk.queue[j, 4]
        matched = amend(
            purse, shelf, instrument, Amend(desk.queue[j, WHEN], k, name, quantity, price)
        )
    else:
        wanted = Cancel(desk.queue[j, WHEN], k, desk.queue[j, 2])
        matched = cancel(purse, shelf, wanted)
    answered(desk, matched, k)
    desk.queue[j, 1] = REPORT
    write(matched.report, desk.queue, j, 2)


def answered(desk: Desk, matched: Matched, k: int) -> None:
    write(matched.purse, desk.book, 1, 0)
    write(matched.shelf, desk.shelves, k, 0)


def sent(desk: Desk, out: Outcome, k: int, at_ms: int, n: int, asked: int) -> tuple[int, int]:
    """Adopt what an arm leaves; what it sends becomes a row, and stands in the queue."""
    write(out.account, desk.book, 0, 0)
    write(out.lane, desk.lanes, k, 0)
    if out.order.kind and out.order.stage == Stage.AMENDING:
        stop = out.order
        n = row(desk, n, AMEND, Amend(at_ms, k, stop.sequence, stop.quantity, stop.price))
        asked = ask(desk, asked, k, AMEND, at_ms)
        desk.queue[asked - 1, 2], desk.queue[asked - 1, 3] = stop.sequence, stop.quantity
        desk.queue[asked - 1, 4] = stop.price
    elif out.order.kind:
        n = row(desk, n, ORDER, out.order)
        asked = ask(desk, asked, k, ORDER, at_ms)
        write(out.order, desk.queue, asked - 1, 2)
    elif out.cancel:
        n = row(desk, n, CANCEL, Cancel(at_ms, k, out.cancel))
        asked = ask(desk, asked, k, CANCEL, at_ms)
        desk.queue[asked - 1, 2] = out.cancel
    elif out.refusal:
        desk.refusals[k, out.refusal] += 1
        if out.lane.refused == 1:
            n = blank(desk, n)
            desk.rows[n - 1, 0], desk.rows[n - 1, 1], desk.rows[n - 1, 2] = REFUSED, at_ms, k
            desk.rows[n - 1, 3], desk.rows[n - 1, 4] = out.refusal, 1
    return n, asked


def stopped(desk: Desk, halt: int, at_ms: int, n: int, asked: int) -> tuple[int, int]:
    """`kernel.stopped`: purchases on their way are called back."""
    n = blank(desk, n)
    desk.rows[n - 1, 0], desk.rows[n - 1, 1], desk.rows[n - 1, 2] = HALTED, at_ms, halt
    for k in range(height_of(desk.lanes)):
        lane = read(NO_LANE, desk.lanes, k, 0)
        order = lane.order
        if order.kind and order.side == Side.BUY and order.stage != Stage.CANCELLING:
            lane = lane._replace(order=order._replace(stage=int(Stage.CANCELLING)))
            write(lane, desk.lanes, k, 0)
            n = row(desk, n, CANCEL, Cancel(at_ms, k, order.sequence))
            asked = ask(desk, asked, k, CANCEL, at_ms)
            desk.queue[asked - 1, 2] = order.sequence
    return n, asked


def struck(desk: Desk, at_ms: int) -> None:
    write(rules.struck(read(NO_ACCOUNT, desk.book, 0, 0), at_ms), desk.book, 0, 0)


def touched(desk: Desk, k: int, at_ms: int, bid: int, ask: int) -> None:
    """The venue and the kernel hear the touch of a close."""
    if not bid:
        return
    half = half_spread(bid, ask)
    if half:
        write(touch(read(NO_SHELF, desk.shelves, k, 0), half), desk.shelves, k, 0)
    account, lane = read(NO_ACCOUNT, desk.book, 0, 0), read(NO_LANE, desk.lanes, k, 0)
    instrument = read(NO_INSTRUMENT, desk.instruments, k, 0)
    out = on_touch(account, lane, instrument, Touch(at_ms, k, bid, ask, 0, 0))
    write(out.account, desk.book, 0, 0)
    write(out.lane, desk.lanes, k, 0)
