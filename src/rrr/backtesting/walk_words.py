"""The gap between what was chosen by and what came of it stands above every figure of success."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from textwrap import wrap
from typing import Any, Final, NamedTuple

import numpy as np

from rrr.backtesting.grid import Grid
from rrr.backtesting.history import History
from rrr.backtesting.nulls import Null
from rrr.backtesting.walk_forward import Walk
from rrr.backtesting.walk_overfitting import Overfitting
from rrr.backtesting.walk_steps import Lesson, Step, lesson
from rrr.backtesting.walk_windows import Plan, embargo_of, windows_of
from rrr.core.events import Halted
from rrr.core.state import Halt
from rrr.monitoring.words import count, marked, printable, utc

WIDTH: Final = 100
SET_MAX: Final = 27  # characters of a set in the table
NOTHING: Final = "–"
IN_SAMPLE: Final = "IN SAMPLE: chosen and judged on the same candles, which proves nothing."
HEADS: Final = ("score", "beside", "train", "test", "return", "rank")
LEGEND: Final = (
    "score: of the training; beside: the median score of the sets one step away; train, test: bps a"
    " day; rank: how much of the grid did worse in the test."
)


def foretold(grid: Grid, history: History, plan: Plan, family: str) -> str:
    """What is about to be looked at. Raise UsageError where the history is too short for it."""
    embargo = 0 if plan.in_sample else embargo_of(grid.strategies, plan)
    windows = windows_of(history, plan, embargo)
    out = f", {len(grid.left_out):,} left out ({grid.left_out[0]})" if grid.left_out else ""
    said = [f"{len(grid):,} sets of {grid.text}{out}"]
    if plan.in_sample:
        said.append(IN_SAMPLE)
    else:
        first = windows[0]
        train, test = (_days(history, columns) for columns in first)
        how = "the days" if plan.rolling else "all days"
        said.append(
            f"{count(len(windows), 'test')} of about {count(test, 'day')}, the first from"
            f" {_date(history, first.test.start)}; trained on {how} before, at first {train:,}; an"
            f" embargo of {count(embargo, 'candle')}, in whole days, lies between"
        )
    said.append(
        f"the best by {plan.objective}; {len(grid) + 1:,} trials of {family} are counted beforehand"
    )
    return "\n".join(_wrapped(said))


def in_words(walk: Walk) -> str:
    """A page, at most 100 columns wide."""
    title = f"{walk.look.name}: {walk.grid.text}, {walk.history.title}"
    lines = _wrapped([marked(title, walk.history.synthetic)])
    if walk.plan.in_sample:
        lines += ["", IN_SAMPLE]
    else:
        lines += ["", *_table(walk), "", *_wrapped([LEGEND])]
    return "\n".join([*lines, "", *_results(walk), "", *_wrapped(_beliefs(walk))])


def as_json(walk: Walk) -> dict[str, Any]:
    """All but the metrics of the run, which `walk.metrics.as_json` tells."""
    best, overfitting, null = walk.hindsight, walk.overfitting, walk.null
    told = {"overfitting": overfitting, "null": null}
    return {
        "run": walk.look.name,
        "in_sample": walk.plan.in_sample,
        "strategy": walk.grid.text,
        "plan": asdict(walk.plan),
        "embargo_candles": walk.embargo,
        "sets": [strategy.text for strategy in walk.grid.strategies],
        "left_out": list(walk.grid.left_out),
        "windows": [_step(walk, step) for step in walk.steps],
        "lesson": _plain(lesson(walk.steps)),
        "onward": {
            "strategy": walk.grid.strategies[walk.onward.chosen].text,
            "score": round(walk.onward.score, 8),
        },
        "hindsight": {
            "strategy": walk.grid.strategies[best.number].text,
            **_plain(best.shown),
            "sharpe_probability": best.probability,
            "sharpe_deflated": best.deflated,
        },
        "overfitting": _plain(overfitting) if isinstance(overfitting, Overfitting) else None,
        "null": null.as_json() if isinstance(null, Null) else None,
        "recipes_tried": walk.tried.recipes,
        "digest": walk.result.digest,
        "reasons": {name: said for name, said in told.items() if isinstance(said, str)},
    }


def _table(walk: Walk) -> Iterator[str]:
    """A line a window."""
    names = ",".join(walk.grid.chosen(0))
    name = names if len(names) <= SET_MAX else "chosen"
    rows = [("test from", "days", name, *HEADS)]
    for step in walk.steps:
        rows.append(
            (
                _date(walk.history, step.window.test.start),
                f"{step.test.days:,}",
                _short(",".join(walk.grid.chosen(step.chosen).values())),
                f"{step.score:.3f}",
                NOTHING if step.neighbours is None else f"{step.neighbours:.3f}",
                _bps(step.train.daily_ratio),
                _bps(step.test.daily_ratio),
                _share(step.test.total_ratio),
                f"{step.rank_ratio:.0%}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        yield "  ".join(
            f"{printable(cell):{'<' if at in (0, 2) else '>'}{width}}"
            for at, (cell, width) in enumerate(cells)
        ).rstrip()


def _results(walk: Walk) -> Iterator[str]:
    """The result beside what took no choosing, and beside what nobody could choose."""
    metrics, use, best = walk.metrics, walk.metrics.use, walk.hindsight
    returns = metrics.returns
    name = "in sample" if walk.plan.in_sample else "out of sample"
    ratio = f"; {metrics.reasons['sharpe']}" if returns.sharpe is None else ""
    if returns.sharpe is not None:
        ends = f"{returns.sharpe_low:.2f} to {returns.sharpe_high:.2f}"
        ratio = f", Sharpe {returns.sharpe:.2f} ({ends})"
    about = f"{metrics.span.days:,.0f} days, drawdown {metrics.drawdown.depth_ratio:.1%}{ratio}"
    rows = [
        (name, returns.total_ratio, about),
        (
            "matched hold",
            use.matched_hold_ratio,
            f"the same exposure without skill: {_share(use.difference_ratio)} to it",
        ),
    ]
    if isinstance(walk.null, Null):
        ends = f"{_share(walk.null.low_ratio)} to {_share(walk.null.high_ratio)}"
        better = f"{walk.null.percentile_ratio:.0%} of them were worse"
        median = float(np.median(walk.null.ratios))
        rows.append(("at random", median, f"({ends}) the same round trips elsewhere; {better}"))
    else:
        rows.append(("at random", None, f"unknown, for {walk.null}"))
    known = f"the best set{'' if walk.plan.in_sample else ', had anybody known'}"
    rows.append(("hindsight", best.shown.total_ratio, f"{_set(walk.grid, best.number)}: {known}"))
    for head, share, words in rows:
        first, *more = wrap(printable(words), WIDTH - 26) or [""]
        yield f"{head:<14}{_share(share):>9}   {first}"
        yield from (" " * 26 + line for line in more)


def _beliefs(walk: Walk) -> Iterator[str]:
    """What may be believed of it, a sentence a line."""
    if not walk.plan.in_sample:
        yield from _learned(lesson(walk.steps), len(walk.steps))
        last = walk.onward
        yield (
            f"Trained until the end of history, the choice is {_set(walk.grid, last.chosen)} (score"
            f" {last.score:.3f}); no day has judged it yet."
        )
    found = walk.overfitting
    if isinstance(found, str):
        yield f"Probability of overfitting: unknown, for {found}."
    else:
        yield (
            f"Probability of overfitting {found.probability:.0%}: so often was the best set of one"
            " half of the days below the median in the other (about 50 %: all sets are noise, or"
            " all are alike)."
        )
    returns, tried = walk.metrics.returns, walk.tried.recipes
    if returns.sharpe_probability is not None and returns.sharpe_deflated is not None:
        yield (
            f"That the true Sharpe ratio is above zero: {returns.sharpe_probability:.0%}; that it"
            f" is above the best of {tried:,} worthless trials, as many as this family has seen:"
            f" {returns.sharpe_deflated:.0%}."
        )
    if walk.hindsight.deflated is not None:
        yield (
            f"The best set in hindsight is more than luck among {len(walk.grid):,}:"
            f" {walk.hindsight.deflated:.0%}."
        )
    halted = walk.result.column(Halted, "halt")
    if (halted != Halt.NONE).any():
        at_ms = int(walk.result.column(Halted, "at_ms")[halted != Halt.NONE][0])
        yield f"The book was halted by its drawdown at {utc(at_ms)}, and bought nothing after that."
    if walk.grid.left_out:
        out = count(len(walk.grid.left_out), "set")
        yield f"{out} made no sense and stayed out: {walk.grid.left_out[0]}"


def _learned(of: Lesson, steps: int) -> Iterator[str]:
    kept = "" if of.kept_ratio is None else f": {of.kept_ratio:.0%} of it remained"
    yield (
        f"In training the choices made {_bps(of.train_daily_ratio)} bps a day, in their tests"
        f" {_bps(of.test_daily_ratio)}{kept}."
    )
    yield (
        f"The choice changed at {of.changes} of {count(steps - 1, 'edge')}, among"
        f" {count(of.distinct, 'set')}, and did better in its test than {of.rank_ratio:.0%} of"
        " the grid (50 %: chance)."
    )
    if of.agreement is not None:
        yield (
            f"Scores of training and test agree by {of.agreement:+.2f} (+1: the same order,"
            " 0: chance)."
        )


def _set(grid: Grid, number: int) -> str:
    return ",".join(f"{name}={value}" for name, value in grid.chosen(number).items())


def _step(walk: Walk, step: Step) -> dict[str, Any]:
    def side(columns: range, shown: NamedTuple) -> dict[str, Any]:
        opened, every_ms = walk.history.panel.opened_at_ms, walk.history.panel.timeframe_ms
        ends_ms = int(opened[columns[-1]]) + every_ms
        return {"begins_ms": int(opened[columns[0]]), "ends_ms": ends_ms, **_plain(shown)}

    return {
        "strategy": walk.grid.strategies[step.chosen].text,
        "score": round(step.score, 8),
        "score_neighbours": None if step.neighbours is None else round(step.neighbours, 8),
        "train": side(step.window.train, step.train),
        "test": side(step.window.test, step.test),
        "rank_ratio": round(step.rank_ratio, 8),
        "agreement": None if step.agreement is None else round(step.agreement, 8),
    }


def _plain(record: NamedTuple) -> dict[str, Any]:
    return {
        name: round(value, 8) if isinstance(value, float) else value
        for name, value in record._asdict().items()
    }


def _wrapped(lines: Iterable[str]) -> list[str]:
    return [part for line in lines for part in wrap(printable(line), WIDTH, subsequent_indent="  ")]


def _bps(ratio: float) -> str:
    return f"{ratio * 10_000:+.1f}"


def _share(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:+.2%}"


def _short(text: str) -> str:
    """
    >>> _short("1234567890" * 3)
    '12345678901234567890123456…'
    """
    return text if len(text) <= SET_MAX else f"{text[: SET_MAX - 1]}…"


def _days(history: History, columns: range) -> int:
    opened = history.panel.opened_at_ms
    days = int(opened[columns[-1]] - opened[columns[0]]) + history.panel.timeframe_ms
    return -(-days // 86_400_000)


def _date(history: History, column: int) -> str:
    return utc(int(history.panel.opened_at_ms[column]))[: len("2024-01-31")]
