"""A run on a terminal: what it was, what came of it, what to believe of it, where the rest lies.

A hundred columns at most; every line is worth its place. The row of the run is all that is needed,
so that `rrr runs NAME` shows the very page that the run did.
"""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rrr.backtesting import records
from rrr.backtesting.report.model import Figure, Setting, Table
from rrr.config.schema import FIELDS, Settings, flat
from rrr.database.research import Run
from rrr.home import Home
from rrr.monitoring.words import printable, stamp
from rrr.wiring.backtest_believe import believe
from rrr.wiring.backtest_figures import sections
from rrr.wiring.backtest_numbers import Numbers, names
from rrr.wiring.backtest_tables import tables

WIDTH: Final = 100
NAME: Final = 14  # columns of a figure's name
VALUE: Final = 16
NOTES: Final = 6  # of the history; the report has all of them
OWN: Final = (*records.OF_THE_FAMILY, "seed")  # told elsewhere on the page
MARK: Final = "!"  # before what to be careful about


def in_words(run: Run, home: Home) -> str:
    """The whole page."""
    of = Numbers(run)
    if "walk" in run.metrics:
        page = [run.metrics["walk"]["page"], *("\n".join(table(one)) for one in tables(of))]
        return "\n\n".join([*page, "\n".join(places(run, home))])
    parts = [
        "\n".join(head(run)),
        *("\n".join(table(one)) for one in tables(of)),
        *("\n".join(map(row, one.figures)) for one in sections(of)),
        "\n".join(["What to believe", *map(row, believe(of))]),
        "\n".join(places(run, home)),
    ]
    return "\n\n".join(parts)


def as_json(run: Run, home: Home) -> dict[str, Any]:
    """Everything of a run, but the digests of its days; its files by their whole paths."""
    told = {name: value for name, value in records.as_json(run).items() if name != "days"}
    paths = {
        f"{name}_path": path(getattr(run, f"{name}_path"), home) for name in ("trades", "report")
    }
    return {"run": told.pop("name")} | told | paths


def head(run: Run) -> Iterator[str]:
    told = run.metrics
    begins, ends = stamp(told["begins_ms"]), stamp(told["ends_ms"])
    market, timeframe = run.history["market"], run.history["timeframe"]
    yield printable(f"{run.name}: {run.strategy}")
    about = f"{market} · {names(run.history['instruments'])} · {timeframe} · {begins} to {ends}"
    yield from _wrapped("  ", f"{about}, {told['days']:,.0f} days, {told['closes']:,} closes")
    if said := ", ".join(f"{one.name} {one.value}" for one in changed(run) if one.name in FIELDS):
        yield from _wrapped("  ", f"with {said}")
    notes = told["about"]["notes"]
    for note in notes[:NOTES]:
        yield from _wrapped("  · ", note)
    if len(notes) > NOTES:
        yield f"  · and {len(notes) - NOTES:,} more notes: they stand in the report"


def table(one: Table) -> Iterator[str]:
    """Words to the left, numbers to the right."""
    rows = [one.columns, *one.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = ["<" if name in (one.columns[0], "why") else ">" for name in one.columns]
    for cells in rows:
        columns = zip(cells, sides, widths, strict=True)
        yield "  " + "  ".join(f"{c:{side}{width}}" for c, side, width in columns).rstrip()


def row(one: Figure) -> str:
    begin = f"{MARK if one.wary else ' '} {one.name:<{NAME}}{one.value:>{VALUE}}  "
    return "\n".join(_wrapped(begin, one.note))


def places(run: Run, home: Home) -> Iterator[str]:
    for name in ("report", "trades"):
        yield f"  {name:<{NAME}}{path(getattr(run, f'{name}_path'), home) or 'not written'}"
    yield f"  {'again':<{NAME}}rrr reproduce {run.name}"
    yield f"  {'digest':<{NAME}}{run.digest}, made in {run.seconds:.1f} s"


def path(kept: str | None, home: Home) -> str | None:
    """Where a file of a run lies now."""
    return None if kept is None else str(home.root / kept)


def changed(run: Run) -> list[Setting]:
    """The settings that decide and are not as they come."""
    usual = flat(Settings(), "json")
    return [
        Setting(name, _said(one["value"]), _said(usual.get(name)))
        for name, one in run.settings.items()
        if not name.startswith(records.IDLE) and name not in OWN
        if name not in usual or one["value"] != usual[name]
    ]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def _wrapped(begin: str, text: str) -> Sequence[str]:
    """What does not fit goes on below its beginning."""
    wrap = textwrap.TextWrapper(WIDTH, initial_indent=begin, subsequent_indent=" " * len(begin))
    wrap.break_on_hyphens = False
    return wrap.wrap(printable(text)) or [begin.rstrip()]
