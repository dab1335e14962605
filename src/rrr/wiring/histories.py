"""Histories are brought home, looked at and made longer; nothing is settled in silence.

What a person asks of the store: each answer is words for a terminal and an object for a program,
with the exit code that it deserves.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, groupby
from pathlib import Path
from typing import Any, Final

from rrr.backtesting.trade_list import put
from rrr.config import Home, Settings
from rrr.core.errors import DataError, NotFound, Unavailable, UsageError
from rrr.data_pipeline.coverage import Coverage, coverage, percent, picture
from rrr.data_pipeline.coverage_page import page
from rrr.data_pipeline.download import Manners, Progress, download, wanted
from rrr.data_pipeline.exchange_client import Manner, connect
from rrr.data_pipeline.importing import Said, imported, understood
from rrr.data_pipeline.quality import disagreements, examined
from rrr.data_pipeline.quality_words import disagreements_in_words, in_words
from rrr.data_pipeline.recorded_files import timeframe_ms
from rrr.data_pipeline.resample import resampled
from rrr.data_pipeline.store import Appended, Held, Store
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
        line.stage(f"{one.symbol:<14}{filled(share)} {share:>4.0%}  {new:,} new in all")

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
    """Say what each file is, then keep its candles; `look`: say it only."""
    answer = Answer({"files": []})
    for path in files:
        of = understood(path, said)
        answer.lines.append(str(path))
        answer.lines += [f"  {name:<12}{words}" for name, words in of.lines()]
        told: dict[str, Any] = {"path": str(path), **dict(of.lines()), "asks": list(of.asks)}
        if of.asks:
            answer.code = UsageError.exit_code
            answer.lines += [f"  ! {asked}" for asked in of.asks]
        elif not look:
            home.prepare()
            appended = store_of(home).append(imported(path, of), replace=replace)
            answer.lines.append(f"  {'kept':<12}{kept(appended, replace)}")
            told |= appended._asdict()
        answer.told["files"].append(told)
    return answer


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
    held = matching(store_of(home), names)
    answer = Answer({"series": [one._asdict() for one in held]})
    wide = max((len(name_of(one)) for one in held), default=0)
    for one in held:
        span = f"{stamp(one.first_ms)} to {stamp(one.last_ms)}"
        answer.lines.append(
            f"{name_of(one):<{wide}}  {one.candles:>11,}  {span}  {one.bytes / 1e6:>7.1f} MB"
        )
    return answer


def checked(home: Home, names: Sequence[str], report: Path | None) -> Answer:
    """Look at every candle of these series, and at timeframes beside each other."""
    store, parts, beside = store_of(home), list[tuple[Coverage, list[str]]](), list[str]()
    answer = Answer({"series": [], "disagreements": []})
    for _, of_one in groupby(matching(store, names), key=lambda one: (one.venue, one.symbol)):
        read = [store.read(one.venue, one.symbol, one.timeframe) for one in of_one]
        for series in read:
            found, shown = examined(series), coverage(series)
            lines = in_words(found)
            parts.append((shown, lines))
            answer.lines += [*lines, *(f"  {row}" for row in picture(shown)[1:]), ""]
            told = {"name": found.name, "sound": found.sound, "candles": found.candles}
            answer.told["series"].append(
                told | {"missing": found.missing, "coverage": percent(shown), "lines": lines}
            )
            if not found.sound:
                answer.code = DataError.exit_code
        for fine, coarse in combinations(read, 2):
            if coarse.timeframe_ms % fine.timeframe_ms:
                continue
            both = disagreements(fine, coarse)
            lines = disagreements_in_words(both)
            beside += [*lines, ""]
            told = {"fine": both.fine, "coarse": both.coarse, "unlike": len(both.unlike)}
            answer.told["disagreements"].append(told | {"lines": lines})
            if both.unlike:
                answer.code = DataError.exit_code
    answer.lines += beside
    if report is not None:
        put(report, page(parts).encode())
        answer.lines.append(f"a page of it: {report}")
    return answer


def lengthened(home: Home, timeframe: str, names: Sequence[str], replace: bool) -> Answer:
    """Make longer candles of the longest shorter ones that are held."""
    store, step_ms = store_of(home), timeframe_ms(timeframe)
    made, answer = dict[tuple[str, str], Held](), Answer({"series": []})
    for one in matching(store, names):
        of_ms = timeframe_ms(one.timeframe)
        if of_ms < step_ms and step_ms % of_ms == 0:
            made[one.venue, one.symbol] = one  # the shortest come first
    if not made:
        raise NotFound(f"No shorter candles make {timeframe} ones.", "See `rrr data list`.")
    for one in made.values():
        found = resampled(store.read(one.venue, one.symbol, one.timeframe), step_ms)
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


def matching(store: Store, names: Sequence[str]) -> list[Held]:
    """The series that are meant: VENUE, VENUE/SYMBOL or VENUE/SYMBOL/TIMEFRAME; or else all."""
    held = store.series()
    if not held:
        raise NotFound(f"{store.root} holds no candle yet.", NOTHING)
    wanted = [name.strip("/").split("/") for name in names]
    for name, parts in zip(names, wanted, strict=True):
        if not any(begins(one, parts) for one in held):
            raise NotFound(f"There is no series {name}.", "See `rrr data list`.")
    return [one for one in held if not wanted or any(begins(one, parts) for parts in wanted)]


def begins(one: Held, parts: Sequence[str]) -> bool:
    return name_of(one).split("/")[: len(parts)] == list(parts)


def name_of(one: Held) -> str:
    return f"{one.venue}/{one.symbol}/{one.timeframe}"


def line() -> Line:
    return Line(sys.stderr)
