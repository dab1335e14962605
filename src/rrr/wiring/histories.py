"""Histories are brought home, looked at and made longer; nothing is settled in silence.

What a person asks of the store: each answer is words for a terminal and an object for a program,
with the exit code that it deserves.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import combinations, groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from rrr.backtesting.trade_list import put
from rrr.config import Home, Settings
from rrr.core.errors import DataError, NotFound, RRRError, Unavailable, UsageError
from rrr.data_pipeline import lean_ccxt
from rrr.data_pipeline.coverage import Coverage, coverage, percent, picture
from rrr.data_pipeline.coverage_page import page
from rrr.data_pipeline.download import Manners, Progress, download, wanted
from rrr.data_pipeline.download_answered import answered
from rrr.data_pipeline.exchange_client import Manner, connect
from rrr.data_pipeline.exchange_instruments import nearest
from rrr.data_pipeline.importing import Said, imported, understood
from rrr.data_pipeline.quality import disagreements, examined
from rrr.data_pipeline.quality_words import disagreements_in_words, in_words
from rrr.data_pipeline.recorded_files import timeframe_ms
from rrr.data_pipeline.recorded_rows import utc
from rrr.data_pipeline.resample import resampled
from rrr.data_pipeline.store import Appended, Name, Series, Store
from rrr.monitoring.words import count, stamp
from rrr.wiring.backtest_progress import Progress as Line
from rrr.wiring.backtest_progress import picture as filled
from rrr.wiring.beginning import now_ms

NOTHING: Final = "Get some with `rrr data download` or `rrr data import`."


@dataclass(slots=True)
class Answer:
    """What a command found."""

    told: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    code: int = 0

    def words(self) -> str:
        return "\n".join(self.lines)


def store_of(home: Home) -> Store:
    return Store(home.data / "historical")


def downloaded(home: Home, settings: Settings, manners: Manners, line: Line) -> Answer:
    """Bring the store up to what an exchange has of this span."""
    if not settings.real:
        raise UsageError("Nobody is named to download from.", "Say --market kraken, for one.")
    if settings.from_ is None:
        raise UsageError("A download begins somewhere.", "Say --from 2024-01-01, for one.")
    home.prepare()
    begin_ms = int(settings.from_.timestamp() * 1000)
    end_ms = int(settings.to.timestamp() * 1000) if settings.to else now_ms()
    done: dict[str, Progress] = {}

    def heard(one: Progress) -> None:
        done[one.symbol] = one
        share = (one.done_ms - one.begin_ms) / max(one.end_ms - one.begin_ms, 1)
        new = sum(each.candles for each in done.values())
        line.stage(f"{one.symbol:<14}{share:>4.0%} {filled(share)}  {new:,} new in all")

    async def run() -> Answer:
        source = settings.source
        client = connect(source, settings.timeframe, settings.address, Manner(), tell(line))
        try:
            line.stage(f"asking {source} for instruments")
            want = await wanted(client, settings.symbols, begin_ms, end_ms)
            found = await download(
                client,
                want,
                store_of(home),
                clock_ms=now_ms,
                told=tell(line),
                progress=heard,
                manners=manners,
            )
        finally:
            await client.close()
        told = [{name: getattr(one, name) for name in one.__slots__} for one in found]
        left = any(one.left for one in found)
        answer = Answer({"downloaded": told}, code=Unavailable.exit_code if left else 0)
        for one in found:
            answer.lines += [one.words(), *(f"  · {note}" for note in one.notes)]
            answer.lines += [f"  ! {words}" for words in one.left]
        return answer

    return asyncio.run(run())


def tell(line: Line) -> Any:
    """What an exchange does meanwhile, for a person."""
    return lambda _name, words, _detail: line.terminal.plain(words)


def brought_in(home: Home, files: Sequence[Path], said: Said, replace: bool, look: bool) -> Answer:
    """Say what each file is, then keep its candles; `look`: say it only.

    A file that is refused takes nothing from the others: what became of each is told.
    """
    answer = Answer({"files": []})
    for path in files:
        answer.lines.append(str(path))
        try:
            told = file_brought_in(home, path, said, None if look else replace, answer)
        except RRRError as error:
            if len(files) == 1:
                raise
            told = failed(error, answer)
        answer.told["files"].append({"path": str(path), **told})
    return answer


def file_brought_in(
    home: Home, path: Path, said: Said, replace: bool | None, answer: Answer
) -> dict[str, Any]:
    """One of them; `replace` is None where nothing is to be kept."""
    of = understood(path, said)
    answer.lines += [f"  {name:<12}{words}" for name, words in of.lines()]
    if of.last_ms > now_ms():
        raise DataError(
            f"{path} has candles until {utc(of.last_ms)}, which is still to come.",
            "Look at its column of times, or at the clock of this machine.",
        )
    venues = lean_ccxt.names()
    if (
        of.venue
        and of.venue not in venues
        and (near := get_close_matches(of.venue, venues, 1, 0.8))
    ):
        answer.lines.append(f"  {'note':<12}ccxt knows no {of.venue}; is it {near[0]}?")
    told: dict[str, Any] = {**dict(of.lines()), "asks": list(of.asks)}
    if of.asks:
        answer.code = answer.code or UsageError.exit_code
        answer.lines += [f"  ! {asked}" for asked in of.asks]
    elif replace is not None:
        home.prepare()
        appended = store_of(home).append(imported(path, of), replace=replace)
        answer.lines.append(f"  {'kept':<12}{kept(appended, replace)}")
        told |= appended._asdict()
    return told


def failed(error: RRRError, answer: Answer) -> dict[str, Any]:
    """One of several failed: the answer says so, and the first such code is its own."""
    answer.code = answer.code or error.exit_code
    answer.lines.append(f"  ! {error.what} {error.advice}")
    return {"error": type(error).__name__, "what": error.what, "advice": error.advice}


def kept(of: Appended, replace: bool) -> str:
    """
    >>> kept(Appended(2, 1, 0), False)
    '2 new candles, 1 held already'
    """
    words = f"{count(of.new, 'new candle')}, {of.same:,} held already"
    if not of.changed:
        return words
    first = ", ".join(stamp(at) for at in of.changed_at_ms[:3])
    fate = "replaced" if replace else "left as they were; --replace takes the new ones"
    return f"{words}, {of.changed:,} with other figures (first {first}): {fate}"


def listed(home: Home, names: Sequence[str]) -> Answer:
    """Every series that is held."""
    store, answer = store_of(home), Answer({"series": []})
    chosen = matching(store, names)
    wide = max(len(str(name)) for name in chosen)
    for name in chosen:
        try:
            one = store.held(name)
        except RRRError as error:
            answer.lines.append(str(name))
            answer.told["series"].append({**name._asdict(), **failed(error, answer)})
            continue
        span = f"{stamp(one.first_ms)} to {stamp(one.last_ms)}"
        size = f"{one.bytes / 1e6:>7.1f} MB"
        answer.lines.append(f"{name!s:<{wide}}  {one.candles:>11,}  {span}  {size}")
        answer.told["series"].append(one._asdict())
    return answer


Read = tuple[Series, list[tuple[int, int]]]  # and when its venue confirms that nobody traded


def checked(home: Home, names: Sequence[str], report: Path | None) -> Answer:
    """Look at every candle of these series, and at timeframes beside each other."""
    store, parts, beside = store_of(home), list[tuple[Coverage, list[str]]](), list[str]()
    answer = Answer({"series": [], "disagreements": []})
    for _, of_one in groupby(matching(store, names), key=lambda one: one[:2]):
        read = [found for name in of_one if (found := looked_at(store, name, parts, answer))]
        for (fine, silent), (coarse, _) in combinations(read, 2):
            if coarse.timeframe_ms % fine.timeframe_ms:
                continue
            both = disagreements(fine, coarse, silent)
            lines = disagreements_in_words(both)
            beside += [*lines, ""]
            told = {"fine": both.fine, "coarse": both.coarse, "unlike": len(both.unlike)}
            told |= {"absent": len(both.absent)}
            answer.told["disagreements"].append(told | {"lines": lines})
            if both.unlike or both.absent:
                answer.code = DataError.exit_code
    answer.lines += beside
    if report is not None:
        put(report, page(parts).encode())
        answer.lines.append(f"a page of it: {report}")
    return answer


def looked_at(
    store: Store, name: Name, parts: list[tuple[Coverage, list[str]]], answer: Answer
) -> Read | None:
    """One series by itself; nothing, where it cannot be read."""
    try:
        series, silent = store.read(*name), answered(store.folder(name))
    except RRRError as error:
        named, place = " ".join(name), len(answer.lines)
        answer.lines.append(f"{named}: damaged")
        answer.told["series"].append({"name": named, "sound": False, **failed(error, answer)})
        parts.append((Coverage(named, "D", 0, np.zeros(0), 0, 0), answer.lines[place:]))
        answer.lines.append("")
        return None
    found, shown = examined(series, silent), coverage(series, silent=silent)
    lines = in_words(found)
    parts.append((shown, lines))
    answer.lines += [*lines, *(f"  {row}" for row in picture(shown)[1:]), ""]
    quiet = sum(span.candles for span in found.silent)
    told = {"name": found.name, "sound": found.sound, "candles": found.candles}
    told |= {"missing": found.missing, "silent": quiet, "coverage": percent(shown)}
    answer.told["series"].append(told | {"lines": lines})
    if not found.sound:
        answer.code = DataError.exit_code
    return series, silent


def lengthened(home: Home, timeframe: str, names: Sequence[str], replace: bool) -> Answer:
    """Make longer candles of the longest shorter ones that are held."""
    store, step_ms = store_of(home), timeframe_ms(timeframe)
    made, answer = dict[tuple[str, str], Name](), Answer({"series": []})
    for one in matching(store, names):
        of_ms = timeframe_ms(one.timeframe)
        if of_ms < step_ms and step_ms % of_ms == 0:
            made[one.venue, one.symbol] = one  # the shortest come first
    if not made:
        raise NotFound(f"No shorter candles make {timeframe} ones.", "See `rrr data list`.")
    for one in made.values():
        found = resampled(store.read(*one), step_ms, answered(store.folder(one)))
        appended = store.append(found.series, replace=replace)
        partial = [part._asdict() for part in found.partial]
        name = f"{one.venue}/{one.symbol}/{timeframe}"
        answer.lines.append(f"{name} of {one.timeframe}: {kept(appended, replace)}")
        if found.partial:
            first = ", ".join(stamp(part.at_ms) for part in found.partial[:3])
            missing = count(len(found.partial), "candle")
            answer.lines.append(f"  ! {missing} not made, parts are missing (first {first})")
        answer.told["series"].append({"name": name, **appended._asdict(), "partial": partial})
    return answer


def matching(store: Store, asked: Sequence[str]) -> list[Name]:
    """The series that are meant: VENUE, VENUE/SYMBOL or VENUE/SYMBOL/TIMEFRAME; or else all."""
    names = store.names()
    if not names:
        raise NotFound(f"{store.root} holds no candle yet.", NOTHING)
    wanted = [one.strip("/").split("/") for one in asked]
    for one, parts in zip(asked, wanted, strict=True):
        if not any(begins(name, parts) for name in names):
            there = dict.fromkeys("/".join(name[: len(parts)]) for name in names)
            raise NotFound(f"There is no series {one}.", nearest(one, list(there)))
    return [name for name in names if not wanted or any(begins(name, one) for one in wanted)]


def begins(name: Name, parts: Sequence[str]) -> bool:
    return name[: len(parts)] == tuple(parts)


def line() -> Line:
    return Line(sys.stderr)
