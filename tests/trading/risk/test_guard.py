"""The guard halts once, says each reason once, and lets go only after a calm."""

from collections.abc import Iterator
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.trading.risk.guard import CALM_S, LOOKS, MAY_LIE, Do, Guard, Verdict
from rrr.trading.risk.watches import Limits, Seen, Watch

LIMITS = Limits(stale_s=15.0, lag_ms=2_000, memory_mb=1_500, disk_mb=500)
WATCHES = {
    "s": Watch.STALE,
    "l": Watch.LAG,
    "m": Watch.MEMORY,
    "d": Watch.DISK,
    "c": Watch.CLOCK,
}
Looks = list[tuple[frozenset[str], float]]  # what alarms, and the seconds since the look before


def seen(letters: str | frozenset[str]) -> Seen:
    return Seen(
        {"BTC-USD": 60.0 if "s" in letters else 1.0},
        lag_ms=9_000 if "l" in letters else 1,
        memory_mb=2_000 if "m" in letters else 100,
        disk_mb=3 if "d" in letters else 9_000,
        jumped_s=60 if "c" in letters else 0,
    )


def told(looks: str, guard: Guard, now_s: int = 0) -> str:
    """A word a second: letters are what alarms, "." is a look at which all is well.

    `s*30` is 30 such looks; what is answered is Halt, Say and Release, each at its second.
    """
    answers = []
    for word in looks.split():
        letters, _, times = word.partition("*")
        for _ in range(int(times or 1)):
            verdict = guard.judge(seen(letters), now_s)
            if verdict.do != Do.NOTHING:
                answers.append(f"{verdict.do.name[0]}{now_s}")
            now_s += 1
    return " ".join(answers)


# (looks, halted at the start, answers)
RULES = [
    ("well: nothing", ".*100", False, ""),
    ("stale data: at once", ". s", False, "H1"),
    ("disk: at once", ". d", False, "H1"),
    ("a jump of the clock: at once", ". c", False, "H1"),
    ("loop lag: not at one bad look", ". l .", False, ""),
    ("loop lag: not at two", ". l*2 .", False, ""),
    ("loop lag: at the third in a row", ". l*3", False, "H3"),
    ("loop lag: a good look begins it anew", "l*2 . l*2 . l*3", False, "H8"),
    ("memory: at the third in a row", "m*3", False, "H2"),
    ("each counts its own looks", "l m l m l m", False, ""),
    ("both at once, each long enough", "lm*3", False, "H2"),
    ("what is not sure yet does not join", "ld", False, "H0"),
    ("it lasts: said once", "s*100", False, "H0"),
    ("another one: said too", "s sd sd", False, "H0 S1"),
    ("another one that may lie: when it is sure", "s*5 sl*3", False, "H0 S7"),
    ("comes and goes in one halt: said once", "d . d . d .", False, "H0"),
    ("calm: released", "s .*30", False, "H0 R30"),
    ("calm: not a second earlier", "s .*29", False, "H0"),
    ("a jump is a moment, its calm is as long", "c .*40", False, "H0 R30"),
    ("an alarm begins the calm anew", "s .*29 s .*30", False, "H0 R60"),
    ("so does another one", "s .*29 d .*30", False, "H0 S30 R60"),
    ("so does one bad look", "s .*29 l .*30", False, "H0 R60"),
    ("after a release all is new", "d .*30 d .*30", False, "H0 R30 H31 R61"),
    ("halted before this start: a calm, then released", ".*31", True, "R30"),
    ("halted before this start: no second halt", "s*5 .*30", True, "S0 R34"),
]


@pytest.mark.parametrize(
    ("looks", "halted", "answers"), [row[1:] for row in RULES], ids=[row[0] for row in RULES]
)
def test_it_answers_as_the_table_says(looks: str, halted: bool, answers: str) -> None:
    assert told(looks, Guard(LIMITS, halted)) == answers


def test_a_halt_names_all_that_is_wrong_and_a_release_what_is_over() -> None:
    guard = Guard(LIMITS)
    halt = guard.judge(seen("sd"), 0)
    assert [part.partition(" ")[0] for part in halt.reason.split("; ")] == ["no", "3"]
    assert guard.judge(seen("sdc"), 1).reason.startswith("the clock jumped")
    release = guard.judge(seen(""), 31)
    assert release == Verdict(
        Do.RELEASE, "all has been well for 30 s: clock, disk, stale data is over"
    )


def test_what_halted_before_this_start_has_no_name() -> None:
    guard = Guard(LIMITS, halted=True)
    guard.judge(seen(""), 5)
    assert "before this start is over" in guard.judge(seen(""), 5 + CALM_S).reason


# (looks after a halt for the disk and a person's resume, answers)
RESUMED = [
    ("what they knew: nothing", "d*100", ""),
    ("well: nothing", ".*100", ""),
    ("comes back without a calm: nothing", ".*29 d", ""),
    ("comes back after one: halt", ".*30 d .*30", "H31 R61"),
    ("something else: halt", "d ds .*30", "H2 R32"),
    ("what was not sure yet: halt when it is", "dl*3", "H3"),
]


@pytest.mark.parametrize(
    ("looks", "answers"), [row[1:] for row in RESUMED], ids=[row[0] for row in RESUMED]
)
def test_a_person_who_resumes_is_obeyed_in_what_they_knew(looks: str, answers: str) -> None:
    guard = Guard(LIMITS)
    assert guard.judge(seen("d"), 0).do == Do.HALT
    guard.resumed()
    assert told(looks, guard, now_s=1) == answers


LOOKS_OF_ALL_KINDS = st.lists(
    st.tuples(
        st.one_of(st.just(frozenset[str]()), st.frozensets(st.sampled_from("slmdc"))),
        st.sampled_from([0.125, 1.0, 1.0, 7.0, 29.0, 30.0]),
    ),
    max_size=60,
)


@given(LOOKS_OF_ALL_KINDS, st.booleans())
def test_it_answers_as_its_slow_twin(looks: Looks, halted: bool) -> None:
    guard = Guard(LIMITS, halted)
    now_s, answers = 100.0, []
    for letters, passed_s in looks:
        now_s += passed_s
        answers.append(guard.judge(seen(letters), now_s).do)
    assert answers == list(twin(looks, halted))


def twin(looks: Looks, halted: bool) -> Iterator[Do]:
    """Each answer from the whole past."""
    times = [100.0 + sum(passed_s for _, passed_s in looks[: n + 1]) for n in range(len(looks))]
    said: set[str] = set()
    for n, (letters, _) in enumerate(looks):
        sure = {
            one
            for one in letters
            if WATCHES[one] not in MAY_LIE
            or (n + 1 >= LOOKS and all(one in past for past, _ in looks[n + 1 - LOOKS : n + 1]))
        }
        alarmed_s = max(times[m] for m in range(n + 1) if looks[m][0] or m == 0)
        if sure and not halted:
            yield Do.HALT
            halted, said = True, sure
        elif sure - said:
            yield Do.SAY
            said |= sure
        elif halted and not letters and times[n] - alarmed_s >= CALM_S:
            yield Do.RELEASE
            halted, said = False, set()
        else:
            yield Do.NOTHING


@given(LOOKS_OF_ALL_KINDS, st.booleans())
def test_halts_and_releases_take_turns_and_no_release_meets_an_alarm(
    looks: Looks, halted: bool
) -> None:
    guard = Guard(LIMITS, halted)
    now_s, last_alarm_s, turns = 0.0, 0.0, [Do.HALT] if halted else [Do.RELEASE]
    for n, (letters, passed_s) in enumerate(looks):
        now_s += passed_s
        if letters or n == 0:
            last_alarm_s = now_s
        do = guard.judge(seen(letters), now_s).do
        if do in (Do.HALT, Do.RELEASE):
            turns.append(do)
        if do == Do.RELEASE:
            assert not letters
            assert now_s - last_alarm_s >= CALM_S
        if do == Do.SAY:
            assert turns[-1] == Do.HALT
        if guard.halted:
            assert now_s - last_alarm_s < CALM_S, "It comes at the first look that it can."
    assert all(len(list(same)) == 1 for _, same in groupby(turns))
