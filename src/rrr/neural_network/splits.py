"""No candle is in a span that teaches and in one that judges, nor within an embargo of it.

Rows come in the order in which their spans begin, of any length; rows that begin together (those
of all instruments at one time) stay together. Each part is an array of their numbers. Who judges
is fixed first; from the others goes every row whose span meets one of a judge, or is nearer to it
than the embargo, in candles, before and after alike (López de Prado, "Advances in Financial
Machine Learning", 2018, 7.4, embargoes only after: this is stricter, and one rule).
Raises ModelBroken where a part would be left without a row.
"""

from itertools import combinations, pairwise
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rrr.core.errors import ModelBroken

from .labels import VALIDATION_PERCENT, Spans

Rows: TypeAlias = NDArray[np.intp]  # numbers of rows, rising

FOLDS: Final = 8
FIRST: Final = 4  # tests that the first training is as long as, its validation included


class Fold(NamedTuple):
    training: Rows
    validation: Rows  # the last of what is known before the test
    test: Rows


class Combination(NamedTuple):
    """One choice of groups to judge by; all others teach."""

    training: Rows
    groups: tuple[int, ...]
    tests: tuple[Rows, ...]  # of each of the groups


def walk_forward(
    spans: Spans, embargo: int, folds: int = FOLDS, first: int = FIRST, rolling: bool = False
) -> tuple[Fold, ...]:
    """Every row after the first training is in one test; `rolling` forgets what is older."""
    assert embargo >= 0 and min(folds, first) > 0
    edges = _edges(spans, first + folds)
    walked = []
    for number, (begins, ends) in enumerate(pairwise(edges[first:])):
        test = np.arange(begins, ends)
        before = apart(np.arange(edges[number] if rolling else 0, begins), test, spans, embargo)
        validation = before[len(before) - len(before) * VALIDATION_PERCENT // 100 :]
        training = apart(before[: len(before) - len(validation)], validation, spans, embargo)
        walked.append(Fold(_some(training), _some(validation), test))
    return tuple(walked)


def combinatorial(spans: Spans, embargo: int, groups: int, judging: int) -> tuple[Combination, ...]:
    """Every choice of `judging` of the groups is judged once (CPCV; 2018, 12.4)."""
    assert embargo >= 0 and 0 < judging < groups
    parts = [np.arange(*edge) for edge in pairwise(_edges(spans, groups))]
    made = []
    for chosen in combinations(range(groups), judging):
        tests = tuple(parts[group] for group in chosen)
        others = np.concatenate([part for g, part in enumerate(parts) if g not in chosen])
        training = _some(apart(others, np.concatenate(tests), spans, embargo))
        made.append(Combination(training, chosen, tests))
    return tuple(made)


def paths(combined: tuple[Combination, ...]) -> NDArray[np.intp]:
    """(paths, groups): the combination that judges each group on each path.

    Each group of each combination is on one path: judging ÷ groups of the combinations are paths.
    """
    judges: dict[int, list[int]] = {}
    for number, one in enumerate(combined):
        for group in one.groups:
            judges.setdefault(group, []).append(number)
    by_group: Rows = np.array([judges[group] for group in sorted(judges)])
    return by_group.T


def apart(rows: Rows, judges: Rows, spans: Spans, embargo: int) -> Rows:
    """Of these rows those with at least `embargo` candles between their span and any judge's.

    A judge that begins no later than a row ends and has not ended before the row begins meets it;
    what has ended before has begun before, so the two are counted and compared.
    """
    begun = np.searchsorted(np.sort(spans.begins[judges]), spans.ends[rows] + embargo, "right")
    ended = np.searchsorted(np.sort(spans.ends[judges]), spans.begins[rows] - embargo, "left")
    kept: Rows = rows[begun == ended]
    return kept


def stretches(rows: Rows) -> tuple[range, ...]:
    """The same rows without gaps.

    >>> stretches(np.array([3, 4, 5, 9]))
    (range(3, 6), range(9, 10))
    """
    pieces = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(rows) else []
    return tuple(range(int(piece[0]), int(piece[-1]) + 1) for piece in pieces)


def _edges(spans: Spans, parts: int) -> list[int]:
    """Where parts of about equal numbers of rows begin, and where the last one ends."""
    begins, rows = spans.begins, len(spans.begins)
    assert (np.diff(begins) >= 0).all(), "Rows come in the order in which their spans begin."
    assert (begins <= spans.ends).all(), "A span ends where it begins, or later."
    even = np.arange(parts) * rows // parts
    edges = [*np.searchsorted(begins, begins[even]).tolist(), rows] if rows else [0]
    if len(set(edges)) <= parts:
        raise _too_few(f"{rows:,} labels are too few to be cut into {parts} parts.")
    return edges


def _some(rows: Rows) -> Rows:
    if not len(rows):
        raise _too_few("Labels reach so far that of one part of the history none is left.")
    return rows


def _too_few(what: str) -> ModelBroken:
    return ModelBroken(what, "Give it a longer history, fewer folds or a shorter horizon.")
