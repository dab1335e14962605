"""What must hold after an hour of every fault is looked up, and what does not is said in words.

The tape of the venue is the truth. A database knows when a row was decided, just before its commit,
and not when that commit was durable: an entry is as fresh as that.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from rrr.core.market import Source
from tests.market_hour.hour import MINUTE_MS, Hour
from tests.market_hour.left import Left, Trouble
from tests.market_hour.timetable import SILENT, SLEEP, Trial
from tests.venue.tape import Tape

# A silence is noticed by the first look beyond its limit; its fact becomes a row with the next one.
# What was said last came up to so long before the fault, or is on its way when it begins.
SLACK_MS: Final = 5_000
DEAF_MS: Final = 2 * MINUTE_MS  # where REST says it: with the second candle
RECOVERY_MS: Final = 120_000  # a connection is good when it has lasted for a minute
GROWTH_MB_MAX: Final = 6.0  # in an hour of the market: caches fill, and nothing else grows

_TRADED: Final = (Source.WEBSOCKET, Source.REST, Source.BUILT)

Verdict = Callable[[Hour, Left], Iterator[str]]


def verdicts(hour: Hour) -> dict[str, list[str]]:
    """Of each law what breaks it: nothing."""
    if hour.code != 0:
        tail = " | ".join(hour.said.splitlines()[-3:])
        return {"it ends by itself, with code 0": [f"code {hour.code}: {tail}"]}
    left = Left(hour.house)
    return {words: list(broken(hour, left)) for words, broken in LAWS.items()}


def once(hour: Hour, left: Left) -> Iterator[str]:
    opened = left.closes
    if opened != list(range(opened[0], opened[-1] + 1, MINUTE_MS)):
        yield "closing times are missing, twice or out of order"
    if hour.asked.minutes > len(opened):
        yield f"{len(opened)} closing times"
    for (index, at), times in Counter((r.instrument, r.opened_at_ms) for r in left.rows).items():
        if times > 1:
            yield f"{left.symbols[index][0]} {_clock(hour, at)} is there {times} times"


def the_tapes_own(hour: Hour, left: Left) -> Iterator[str]:
    for row in left.rows:
        truth = true_numbers(hour.venue.tape, left.symbols[row.instrument], row.opened_at_ms)
        if row.numbers != truth:
            symbol = left.symbols[row.instrument][0]
            yield f"{symbol} {_clock(hour, row.opened_at_ms)}: {row.numbers} is not {truth}"


def none_missing(hour: Hour, left: Left) -> Iterator[str]:
    there = {(row.instrument, row.opened_at_ms) for row in left.rows}
    for index, (symbol, _, _) in enumerate(left.symbols):
        for at in left.closes:
            if (index, at) in there:
                continue
            where = f"{symbol} {_clock(hour, at)}"
            if hour.venue.tape.prints(symbol, at, at + MINUTE_MS):
                yield f"{where} was traded, and has no candle"
            elif at >= left.closes[-1] - (hour.asked.minutes - 1) * MINUTE_MS:
                whys = left.gaps.get((symbol, at), set())
                if "no_trades" not in whys:
                    yield f"{where} was not traded, and the ledger says {sorted(whys)}"


def known_origin(hour: Hour, left: Left) -> Iterator[str]:
    for row in left.rows:
        symbol = left.symbols[row.instrument][0]
        where = f"{symbol} {_clock(hour, row.opened_at_ms)}"
        if row.source not in _TRADED:
            yield f"{where} is {row.source.name.lower()}"
        whys = left.gaps.get((symbol, row.opened_at_ms), set())
        if "unconfirmed" in whys and row.source is Source.REST:
            yield f"{where} is REST's, and the ledger says that REST did not confirm it"
        if "differs" in whys and row.source is Source.WEBSOCKET:
            yield f"{where} is its socket's, and the ledger says that REST differs"


def fresh_entries(hour: Hour, left: Left) -> Iterator[str]:
    if not left.entries:
        yield "there is no entry to look at"
    for entry in left.entries:
        age_ms = entry.arrived_at_ms - entry.candle_at_ms
        if not 0 <= age_ms <= left.fresh_ms:
            symbol, at = left.symbols[entry.instrument][0], _clock(hour, entry.arrived_at_ms)
            yield f"{symbol} was bought at {at} on a candle {age_ms / 1000:.1f} s old"


def halted_entries(hour: Hour, left: Left) -> Iterator[str]:
    for begin_ms, end_ms in left.halted:
        for entry in left.entries:
            if begin_ms <= entry.arrived_at_ms < end_ms:
                yield f"row {entry.number} opens under a halt"


def noticed_silence(hour: Hour, left: Left) -> Iterator[str]:
    """One is told of while it lasts; what begins before it is over is the same to a person."""
    for trial in hour.trials:
        if trial.kind not in SILENT or trial.where != "socket":
            continue
        told = [one for one in left.troubles if one.of_streams and _meets(trial, one)]
        if not told:
            yield f"{trial.name}: nobody noticed"
        elif told[0].begun.name == "stream_silent":
            after_ms = told[0].begun.at_ms - trial.begins_ms
            if after_ms > (told[0].begun.detail["limit_ms"] or DEAF_MS) + SLACK_MS:
                yield f"{trial.name}: noticed after {after_ms / 1000:.1f} s"


def recovered(hour: Hour, left: Left) -> Iterator[str]:
    for begun, over in left.troubles:
        where = f"{begun.name} of {_clock(hour, begun.at_ms)}"
        if over is None:
            yield f"{where} is not over"
        elif (late_ms := over.at_ms - _due_ms(hour, begun.at_ms)) > 0:
            yield f"{where} is over {late_ms / 1000:.0f} s late"
    last = [row.source for row in left.rows if row.opened_at_ms == left.closes[-1]]
    if not {Source.WEBSOCKET, Source.BUILT}.intersection(last):
        yield "in the end no socket is heard"


def slept(hour: Hour, left: Left) -> Iterator[str]:
    for trial in hour.trials:
        if trial.kind != SLEEP:
            continue
        jumps = [f for f in left.facts if f.name == "clock_jumped" and f.at_ms >= trial.ends_ms]
        if not jumps:
            yield "nobody noticed that the machine slept"
            continue
        awake_ms = jumps[0].at_ms
        spans = [(begin, end) for begin, end in left.halted if begin <= awake_ms + SLACK_MS < end]
        if not spans:
            yield "nobody stopped the entries"
        elif spans[0][1] > awake_ms + 5 * MINUTE_MS:
            yield "nobody let entries go on"


def no_traceback(hour: Hour, left: Left) -> Iterator[str]:
    for line in (*hour.said.splitlines(), *left.logged()):
        if "Traceback" in line or "  ERROR  " in line or "Unclosed" in line:
            yield line


def replays(hour: Hour, left: Left) -> Iterator[str]:
    ended = hour.house.command("replay")
    if ended.code or not ended.told["identical"]:
        yield ended.out or ended.err


def flat_memory(hour: Hour, left: Left) -> Iterator[str]:
    growth = growth_mb(hour)
    if growth is not None and growth > GROWTH_MB_MAX:
        yield f"{growth:.1f} MB in an hour"


def growth_mb(hour: Hour) -> float | None:
    """In an hour of the market, by a line through the second half; none of a short life."""
    half = hour.memory_mb[len(hour.memory_mb) // 2 :]
    if len(half) < 2 or half[-1][0] - half[0][0] < 20 * MINUTE_MS:
        return None
    times, held = np.array([at for at, _ in half]), np.array([mb for _, mb in half])
    return float(np.polyfit((times - times[0]) / (60 * MINUTE_MS), held, 1)[0])


def true_numbers(tape: Tape, unit: tuple[str, int, int], opened_at_ms: int) -> tuple[int, ...]:
    """A time without prints is flat, where the venue serves it."""
    symbol, points, grains = unit
    scale = 10 ** (points - tape.coin(symbol).decimals)
    lots, past = divmod(10**grains, 10**8)
    assert not past, "No unit is coarser than the tape's."
    made = tape.candles(symbol, MINUTE_MS, opened_at_ms, opened_at_ms + MINUTE_MS)
    if not made:
        price = tape.last_prints(symbol, 1, opened_at_ms)[0].price * scale
        return price, price, price, price, 0
    return *(price * scale for price in made[0][1:5]), made[0].volume * lots


LAWS: Final[dict[str, Verdict]] = {
    "each closing time and each candle is there once": once,
    "each candle is the tape's own": the_tapes_own,
    "no candle is missing but where the ledger says that nobody traded": none_missing,
    "each candle says where it comes from": known_origin,
    "no entry on stale data": fresh_entries,
    "no entry under a halt": halted_entries,
    "silence is noticed within its limit": noticed_silence,
    "each trouble is over by itself": recovered,
    "a machine that slept stops entries, and lets them go on": slept,
    "no traceback, no error, nothing left open": no_traceback,
    "the journal replays": replays,
    "memory is flat": flat_memory,
}


def _due_ms(hour: Hour, begun_ms: int) -> int:
    """When what began then should be over: a coin that nobody trades proves no stream."""
    begun = [trial for trial in hour.trials if trial.begins_ms <= begun_ms]
    if not begun:
        return begun_ms + RECOVERY_MS
    minutes = 4 if begun[-1].kind == "clock_offset" else 1  # until most answers, or one, say so
    well_ms = heard_ms = begun[-1].ends_ms + minutes * MINUTE_MS
    for symbol in hour.venue.symbols:
        coming = hour.venue.tape.prints(symbol, well_ms, well_ms + 15 * MINUTE_MS)
        heard_ms = max(heard_ms, coming[0].at_ms if coming else 0)
    for after in hour.trials[len(begun) :]:
        if after.where != "rest" and after.begins_ms <= heard_ms + MINUTE_MS:
            return _due_ms(hour, after.begins_ms)
    return heard_ms + RECOVERY_MS


def _meets(trial: Trial, trouble: Trouble) -> bool:
    """Whether it stands when the fault begins, or begins with it."""
    until_ms = trouble.over.at_ms if trouble.over else 1 << 62
    return trouble.begun.at_ms < trial.ends_ms + SLACK_MS and until_ms > trial.begins_ms


def _clock(hour: Hour, at_ms: int) -> str:
    """Minutes and seconds since the venue began."""
    minutes, seconds = divmod((at_ms - hour.venue.time.start_ms) // 1000, 60)
    return f"{minutes}:{seconds:02}"
