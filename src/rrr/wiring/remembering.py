"""What a model thought, and what it must know to go on thinking so, is in the commit of its close.

A daemon that was killed and started again remembers what one that never died does.
"""

import sqlite3
from math import nan

from rrr.database import signals
from rrr.database.signals import Asked, Key
from rrr.neural_network.conformal import SCORES_MAX, Interval
from rrr.neural_network.model import Model
from rrr.neural_network.strategies.strategy import SILENT
from rrr.neural_network.watch import Memory, Question, read, written
from rrr.trading.engine.venue import Work


def work_of(key: Key, run: int, model: Model) -> Work | None:
    """Writes all that was told of the closes that were met last."""
    if model.watch is None:
        return None
    told, state = model.told, written(model.watch.state)

    def write(connection: sqlite3.Connection) -> None:
        rows = (
            (*key, close.at_ms, instrument, model.model, run)
            + (None if conviction == SILENT else conviction, *known)
            for close, opinions in told
            for instrument, conviction, *known in opinions
        )
        signals.write(connection, key, model.model, rows, state)

    return write


def memory_of(connection: sqlite3.Connection, key: Key, model: Model) -> Memory | None:
    """What was written of a model's watch; none where it never spoke in this book."""
    text = signals.state(connection, key, model.model)
    if text is None:
        return None
    state, timeframe_ms = read(text), model.known.timeframe_ms
    until_ms = (state.slot + 1) * timeframe_ms
    wanted = [SCORES_MAX] * len(state.alphas)
    began_ms = state.began * timeframe_ms
    scores = signals.scores(connection, key, model.model, wanted, (began_ms, until_ms))
    waiting = until_ms - model.artefact.horizon * timeframe_ms
    asked = signals.asked(connection, key, model.model, waiting)
    return Memory(state, scores, _questions(asked, timeframe_ms))


def together(*works: Work | None) -> Work | None:
    """All of them in one commit, in their order."""
    some = [work for work in works if work is not None]
    if not some:
        return None

    def write(connection: sqlite3.Connection) -> None:
        for work in some:
            work(connection)

    return write


def _questions(asked: list[Asked], timeframe_ms: int) -> list[Question]:
    closes: dict[int, list[Asked]] = {}
    for one in asked:
        closes.setdefault(one.closed_at_ms, []).append(one)
    return [
        Question(
            at_ms // timeframe_ms - 1,
            [_number(one.unit_return) for one in all_of],
            [Interval(*map(_number, (one.mean, one.low, one.high))) for one in all_of],
        )
        for at_ms, all_of in closes.items()
    ]


def _number(kept: float | None) -> float:
    return nan if kept is None else kept
