"""A run can be made again, and what made it different has a name.

A *family* is what is optimised together: market, instruments, timeframe. Not the span, for choosing
one is optimising too. A *recipe* is what may be chosen inside it: the strategy with its parameters,
its source where it is a user's file, and every setting that decides and is not its default. The
same recipe on later candles is no new one. A look is counted before anything is seen.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from statistics import variance
from typing import Any, Final, NamedTuple

from rrr import neural_network
from rrr.config.schema import Settings, flat
from rrr.database import research
from rrr.database.research import Run
from rrr.database.sessions import key_of
from rrr.home import Home
from rrr.monitoring.words import SYNTHETIC, count, printable, utc
from rrr.neural_network.strategies.strategy import Strategy

EPOCH: Final = date(1970, 1, 1).toordinal()
DIGEST: Final = 16  # characters of a day's digest that are kept
IDLE: Final = (
    "speed",
    "guard.",
    "logs.",
    "gate.",
    "shadows.",
)  # what decides nothing in a backtest
OF_THE_FAMILY: Final = (
    *("market", "address", "replay", "symbols", "timeframe", "from", "to", "candles", "signals"),
)
NAMED: Final = 3  # instruments of a family that a list names
NOTHING: Final = "–"
SHOWN: Final = ("total_ratio", "sharpe", "drawdown_depth_ratio", "round_trips")  # of the metrics
FIGURES: Final = ("return", "Sharpe", "drawdown", "round trips")
LONG: Final = ("settings", "history", "metrics", "days", "sharpe")
HEADS: Final = ("run", "made (UTC)", *FIGURES, "digest", "what")


class Look(NamedTuple):
    """A trial that is counted, and what its run will be called."""

    trial: int
    name: str


class Tried(NamedTuple):
    """What a verdict is deflated by."""

    recipes: int  # different ones, those included that were killed
    variance: float | None  # of their Sharpe ratios of a day; None while fewer than two are known


class Change(NamedTuple):
    what: str  # data, code, settings or seed
    name: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A run that is recorded, and the same one made now."""

    name: str
    was: str  # digest
    now: str
    changes: tuple[Change, ...]
    first_day: str | None  # the first UTC date that left something else
    days: int

    @property
    def identical(self) -> bool:
        return self.was == self.now


def path_of(home: Home) -> Path:
    return home.data / "research.db"


def family_of(market: str, symbols: Sequence[str], timeframe: str) -> str:
    """
    >>> family_of("kraken", ["ETH-USD", "BTC-USD"], "1h")
    'kraken BTC-USD+ETH-USD 1h'
    """
    return f"{market} {'+'.join(sorted(symbols))} {timeframe}"


def recipe_of(strategy: Strategy, settings: Mapping[str, Mapping[str, Any]]) -> str:
    """What was chosen, in canonical text; `settings` as `config.show_json` tells them."""
    about = {"strategy": strategy.text, "source": strategy.source}
    return key_of(about | {"settings": chosen(settings)})


def chosen(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Every setting that decides and is not its default."""
    usual = flat(Settings(), "json")
    return {
        name: said["value"]
        for name, said in settings.items()
        if name in usual and not name.startswith(IDLE) and name not in OF_THE_FAMILY
        if said["value"] != usual[name]
    }


def strategy_hash(strategy: Strategy) -> str:
    """Of all that forms its opinion: our own sources, and the user's file or the model."""
    return hashlib.sha256(f"{_ours()} {strategy.source}".encode()).hexdigest()


def begun(home: Home, kind: str, family: str, recipes: Sequence[str], at_ms: int) -> list[Look]:
    """Count what is about to be looked at; `kind` begins the names: backtest, walk-forward."""
    with research.writing(path_of(home)) as connection:
        trials = research.looked(connection, family, recipes, at_ms)
    return [Look(trial, f"{kind}-{trial}") for trial in trials]


def concluded(home: Home, outcomes: Mapping[int, Mapping[str, Any]]) -> None:
    """What trials showed that are no runs of their own, or why they failed."""
    with research.writing(path_of(home)) as connection:
        research.concluded(connection, outcomes)


def remember(home: Home, runs: Sequence[Run]) -> None:
    """Note runs that are over, all of them or none."""
    with research.writing(path_of(home)) as connection:
        for run in runs:
            research.keep(connection, run)


def recalled(home: Home, name: str | None) -> Run:
    """The run of this name, or the last one."""
    with research.reading(path_of(home)) as connection:
        return research.named(connection, name)


def latest(home: Home, limit: int, of: Run | None = None) -> list[Run]:
    """The newest runs first, or the parts of one."""
    with research.reading(path_of(home)) as connection:
        return research.runs(connection, limit, None if of is None else of.trial)


def tried(home: Home, family: str, recipe: str = "", sharpe: float | None = None) -> Tried:
    """All that was ever tried in a family; `sharpe` of a day is what this recipe shows now."""
    with research.reading(path_of(home)) as connection:
        known = research.trials(connection, family)
    shown = known.sharpes | ({} if sharpe is None else {recipe: sharpe})
    return Tried(known.recipes, variance(shown.values()) if len(shown) > 1 else None)


def difference(old: Run, new: Run) -> Difference:
    """Whether a run made anew is the same; if not, what changed, and since when it shows."""
    dates = sorted(old.days.keys() | new.days.keys())
    first = next((day for day in dates if old.days.get(day) != new.days.get(day)), None)
    changes = tuple(_changes(old, new))
    return Difference(old.name, old.digest, new.digest, changes, first, len(old.days))


def dated(digests: Sequence[tuple[int, str]]) -> dict[str, str]:
    """A result's daily digests as they are kept: UTC dates, and the beginning of each.

    >>> dated([(18_628, "0123456789abcdef01")])
    {'2021-01-01': '0123456789abcdef'}
    """
    return {date.fromordinal(EPOCH + day).isoformat(): said[:DIGEST] for day, said in digests}


def difference_in_words(found: Difference) -> str:
    changes = [f"  {c.what}: {c.name} was {c.was}, is {c.now}" for c in found.changes]
    if found.identical:
        said = f"identical: {found.name} made anew, {count(found.days, 'day')}, digest {found.now}"
        return "\n".join([said, *(f"{change} (it changed nothing)" for change in changes)])
    since = f" from {found.first_day} on" if found.first_day else ""
    told = f"DIFFERENT{since}: the digest of {found.name} was {found.was}, is {found.now}"
    nothing = "  Data, code, settings and seed are the same: that is a bug, please report it."
    return "\n".join([told, *(changes or [nothing])])


def difference_as_json(found: Difference) -> dict[str, Any]:
    return {
        "run": found.name,
        "identical": found.identical,
        "digest": {"was": found.was, "now": found.now},
        "first_day": found.first_day,
        "days": found.days,
        "changes": [change._asdict() for change in found.changes],
    }


def runs_in_words(runs: Sequence[Run]) -> str:
    """A table, a run a line."""
    if not runs:
        return "There is no run yet."
    rows = [HEADS, *(_row(run) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:{'>' if head in FIGURES else '<'}{width}}"
            for head, cell, width in zip(HEADS, row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def runs_as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """What a run is and came to; `as_json` has all of one."""
    return [
        {name: value for name, value in as_json(run).items() if name not in LONG}
        | {name: run.metrics.get(name) for name in SHOWN}
        for run in runs
    ]


def as_json(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Run.__slots__}


def _row(run: Run) -> tuple[str, ...]:
    ratio, sharpe, drawdown, trips = (run.metrics.get(name) for name in SHOWN)
    about = [run.strategy, _short(run.family)]
    about += [SYNTHETIC] * run.synthetic + ["in sample"] * run.in_sample
    return (
        run.name,
        utc(run.at_ms)[: len("2024-01-31 12:00")],
        NOTHING if ratio is None else f"{ratio:+.2%}",
        NOTHING if sharpe is None else f"{sharpe:.2f}",
        NOTHING if drawdown is None else f"{drawdown:.2%}",
        NOTHING if trips is None else f"{trips:,}",
        run.digest[:12],
        printable(" · ".join(about)),
    )


def _short(family: str) -> str:
    """
    >>> _short("replay A-USD+B-USD+C-USD+D-USD 1h")
    'replay 4 instruments 1h'
    """
    words = family.split(" ")
    number = words[1].count("+") + 1
    return " ".join([words[0], f"{number} instruments", *words[2:]]) if number > NAMED else family


def _changes(old: Run, new: Run) -> Iterator[Change]:
    if old.data_digest != new.data_digest:
        yield Change("data", "digest", old.data_digest, new.data_digest)
        yield from _between("data", old.history, new.history)
    for name, was, now in (
        ("core", old.core_hash, new.core_hash),
        ("strategy", old.strategy_hash, new.strategy_hash),
        ("version", old.version, new.version),
    ):
        if was != now:
            yield Change("code", name, was, now)
    yield from _between("settings", _deciding(old), _deciding(new))
    if old.seed != new.seed:
        yield Change("seed", "seed", str(old.seed), str(new.seed))


def _deciding(run: Run) -> dict[str, Any]:
    """The settings that can make a run another one; the seed is told by itself."""
    settings = {name: said["value"] for name, said in run.settings.items()}
    decides = {n: v for n, v in settings.items() if not n.startswith(IDLE) and n != "seed"}
    return {"strategy": run.strategy} | decides


def _between(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        was, now = (_said(said.get(name)) for said in (old, new))
        if was != now:
            yield Change(what, name, was, now)


def _said(value: Any) -> str:
    """A value as its JSON: what was read from the file equals what was just made."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


@cache
def _ours() -> str:
    digest = hashlib.sha256()
    for file in sorted(Path(neural_network.__path__[0]).rglob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
