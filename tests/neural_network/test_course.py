"""How far a training is: its pieces have their shares of the work, and what is left is reckoned."""

import pytest

from rrr.neural_network.course import Course, Progress

WORK = {"a": 1.0, "b": 2.0, "c": 1.0}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time it is, in seconds."""
    now = [0.0]
    monkeypatch.setattr("rrr.neural_network.course.time.monotonic", lambda: now[0])
    return now


def test_the_share_grows_with_epochs_and_pieces_and_ends_at_all(clock: list[float]) -> None:
    told: list[Progress] = []
    course = Course(2, 8, told.append)
    course.plan(WORK, frozenset())
    for number, name in enumerate(WORK, 1):
        course.begin(name, "network", number)
        course.learned(1, 0.1)
        course.end()
    course.all_learned()
    assert [said.share for said in told] == [0, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 7 / 8, 1]
    assert [(said.fold, said.kind) for said in told[::2]] == [
        (1, "network"),
        (2, "network"),
        (3, "network"),
        (0, ""),
    ]


def test_what_is_left_is_reckoned_by_what_was_done_and_not_by_what_was_found(
    clock: list[float],
) -> None:
    told: list[Progress] = []
    course = Course(2, 8, told.append)
    course.plan(WORK, frozenset("b"))
    course.begin("a", "ridge", 1)
    assert (told[-1].share, told[-1].left_s) == (0.5, None)
    clock[0] = 10.0
    course.end()
    course.begin("c", "ridge", 3)
    assert (told[-1].share, told[-1].left_s) == (0.75, 10.0)


def test_an_ic_of_nothing_is_not_told() -> None:
    told: list[Progress] = []
    course = Course(2, 0, told.append)
    course.plan({"a": 1.0}, frozenset())
    course.begin("a", "network", 0)
    assert told == [], "A quick training tells of its epochs."
    course.learned(1, float("nan"))
    assert told[-1].validation_ic is None
