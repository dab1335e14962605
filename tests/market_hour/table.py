"""An hour in a table, a line a fault, and beneath it what holds and what does not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rrr.core.market import Source
from tests.market_hour.hour import MINUTE_MS, Hour
from tests.market_hour.left import ENDS, Fact, Left
from tests.market_hour.timetable import Trial
from tests.market_hour.verdicts import growth_mb, verdicts

_TOLD = (*ENDS, "clock_jumped", "stream_refused", "candle_differs", "late_candle", "bad_candle")


def report(hour: Hour) -> dict[str, Any]:
    """All figures, for a program."""
    asked, found = hour.asked, verdicts(hour)
    about = {
        "venue": asked.venue,
        "seed": asked.seed,
        "speed": asked.speed,
        "minutes": asked.minutes,
        "code": hour.code,
        "verdicts": found,
        "failed": sum(map(len, found.values())),
    }
    if hour.code != 0:
        return about
    left = Left(hour.house)
    ages_ms = sorted(each.arrived_at_ms - each.candle_at_ms for each in left.entries)
    return about | {
        "closes": len(left.closes),
        "candles": dict(Counter(row.source.name.lower() for row in left.rows)),
        "gaps": dict(Counter(why for whys in left.gaps.values() for why in whys)),
        "entries": len(left.entries),
        "entry_age_s_max": ages_ms[-1] / 1000 if ages_ms else None,
        "entry_age_s_limit": left.fresh_ms / 1000,
        "memory_mb": [mb for _, mb in hour.memory_mb[:: max(len(hour.memory_mb) // 10, 1)]],
        "memory_growth_mb_hour": growth_mb(hour),
        "trials": [*_trials(hour, left)],
    }


def told(said: Mapping[str, Any]) -> Iterator[str]:
    """The same, for a person."""
    yield (
        f"{said['venue']}, {said['minutes']} min of its market at speed {said['speed']:g},"
        f" seed {said['seed']}; ended with code {said['code']}"
    )
    if "trials" in said:
        yield f"{'fault':28}{'from':>7}{'for':>6}  {'noticed after':34}{'over after':>11}  candles"
        for one in said["trials"]:
            seen = f"{one['noticed_s']:.1f} s, {one['noticed']}" if one["noticed"] else "-"
            seen = f"({one['stands']} stands)" if one["stands"] and not one["noticed"] else seen
            over = f"{one['over_s']:.0f} s" if one["over_s"] is not None else "-"
            made = ", ".join(f"{count} {name}" for name, count in one["candles"].items())
            when = f"{one['from']:>7}{one['lasts_s']:>4} s"
            yield f"{one['fault']:28}{when}  {seen:34}{over:>11}  {made}"
        yield f"candles {said['candles']}, ledger {said['gaps']}"
        if said["entries"]:
            oldest, limit = said["entry_age_s_max"], said["entry_age_s_limit"]
            yield f"{said['entries']} entries, the oldest candle {oldest:.1f} s (limit {limit:g} s)"
        growth, held = said["memory_growth_mb_hour"], said["memory_mb"]
        words = f", growing by {growth:.2f} MB an hour" if growth is not None else ""
        yield f"memory {min(held):.1f} to {max(held):.1f} MB{words}"
    for words, broken in said["verdicts"].items():
        yield f"{'FAILED' if broken else 'holds '}  {words}"
        yield from (f"        {each}" for each in broken[:10])


def _trials(hour: Hour, left: Left) -> Iterator[dict[str, Any]]:
    ends = [*(trial.begins_ms for trial in hour.trials), left.closes[-1] + 2 * MINUTE_MS]
    for trial, until_ms in zip(hour.trials, ends[1:], strict=True):
        noticed = _first(left.facts, _TOLD, trial.begins_ms, until_ms)
        over_names = [ENDS[noticed.name]] if noticed and noticed.name in ENDS else []
        over = _first(left.facts, over_names, trial.ends_ms, 1 << 62) if over_names else None
        minutes, seconds = divmod((trial.begins_ms - hour.venue.time.start_ms) // 1000, 60)
        yield {
            "fault": trial.name,
            "from": f"{minutes}:{seconds:02}",
            "lasts_s": (trial.ends_ms - trial.begins_ms) // 1000,
            "noticed": noticed and noticed.name,
            "stands": _standing(left, trial),
            "noticed_s": noticed and (noticed.at_ms - trial.begins_ms) / 1000,
            "over_s": over and (over.at_ms - trial.ends_ms) / 1000,
            "candles": _sources(left, trial),
        }


def _standing(left: Left, trial: Trial) -> str | None:
    """The trouble that was told before, and is not over when the fault begins."""
    for begun, over in left.troubles:
        if begun.at_ms < trial.begins_ms and (over is None or over.at_ms > trial.begins_ms):
            return begun.name
    return None


def _first(facts: Sequence[Fact], names: Sequence[str], begin_ms: int, end_ms: int) -> Fact | None:
    found = (f for f in facts if f.name in names and begin_ms <= f.at_ms < end_ms)
    return next(found, None)


def _sources(left: Left, trial: Trial) -> dict[str, int]:
    """Of the candles that close, or whose watermark falls, into the fault."""
    closed = range(trial.begins_ms - 5_000, trial.ends_ms)
    found = Counter(row.source for row in left.rows if row.opened_at_ms + MINUTE_MS in closed)
    return {source.name.lower(): found[source] for source in Source if found[source]}
