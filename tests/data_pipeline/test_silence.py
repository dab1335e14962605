"""A dead socket is found out within its limit; a quiet coin is left in peace."""

from collections.abc import Iterable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrr.data_pipeline.silence import Patience, Silence, Stream, Verdict

BTC: Final = Stream("BTC-USD", "prints")
ETH: Final = Stream("ETH-USD", "prints")
QUIET: Final = Stream("QUIET-USD", "prints")
QUIET_TOUCH: Final = Stream("QUIET-USD", "touch")
PATIENCE: Final = Patience()


def listening(*streams: Stream) -> Silence:
    silence = Silence()
    for stream in streams:
        silence.expect(stream, 0)
    return silence


def speak(silence: Silence, stream: Stream, stamps: Iterable[int]) -> None:
    for at_ms in stamps:
        silence.heard(stream, at_ms)


def who(silence: Silence, now_ms: int) -> list[Stream | None]:
    return [verdict.stream for verdict in silence.verdicts(now_ms)]


def test_one_that_is_silent_among_others_is_its_subscription() -> None:
    silence = listening(BTC, ETH)
    speak(silence, BTC, range(0, 60_000, 500))
    speak(silence, ETH, range(0, 30_000, 500))
    assert who(silence, 39_500) == []
    assert silence.verdicts(59_500) == [Verdict(ETH, 30_000, PATIENCE.least_ms)]


def test_all_that_are_silent_are_the_connection() -> None:
    silence = listening(BTC, ETH)
    speak(silence, BTC, range(0, 30_000, 500))
    speak(silence, ETH, range(0, 30_000, 500))
    assert silence.verdicts(39_500) == []
    assert silence.verdicts(39_501) == [Verdict(None, 10_001, PATIENCE.least_ms)]


def test_a_dead_connection_is_seen_though_a_quiet_coin_would_be_given_longer() -> None:
    silence = listening(BTC, QUIET)
    speak(silence, QUIET, range(0, 900_000, 50_000))
    speak(silence, BTC, range(0, 900_000, 500))
    assert who(silence, 910_000) == [None]


def test_a_quiet_coin_is_left_in_peace() -> None:
    silence = listening(BTC, QUIET)
    speak(silence, QUIET, range(0, 900_000, 50_000))
    speak(silence, BTC, range(0, 1_000_000, 500))
    assert who(silence, 999_500) == []


def test_a_coin_of_which_the_venue_says_that_nothing_happened_is_not_silent() -> None:
    silence = listening(BTC, QUIET, QUIET_TOUCH)
    for at_ms in range(0, 3_600_000, 5_000):
        silence.heard(BTC, at_ms)
        silence.heard(QUIET_TOUCH, at_ms)
        silence.quiet(QUIET, at_ms)
        assert who(silence, at_ms) == []
    assert silence.age_ms("QUIET-USD", 3_600_000) == 5_000


def test_that_nothing_happened_does_not_teach_that_prints_come_often() -> None:
    silence = listening(BTC, QUIET)
    for at_ms in range(0, 3_600_000, 5_000):
        silence.heard(BTC, at_ms)
        silence.quiet(QUIET, at_ms)
        if at_ms % 50_000 == 0:
            silence.heard(QUIET, at_ms)
    speak(silence, BTC, range(3_600_000, 3_700_000, 5_000))
    assert who(silence, 3_695_000) == []


def test_nobody_saying_that_nothing_happened_keeps_a_dead_connection_alive() -> None:
    silence = listening(QUIET)
    for at_ms in range(0, 120_000, 5_000):
        silence.quiet(QUIET, at_ms)
    assert who(silence, 120_000) == [None]


def test_stamps_that_stand_still_are_no_data() -> None:
    silence = listening(BTC, ETH)
    for at_ms in range(0, 60_000, 500):
        silence.heard(BTC, at_ms, stamp_ms=at_ms)
        assert silence.heard(ETH, at_ms, stamp_ms=min(at_ms, 30_000)) == (at_ms <= 30_000)
    assert who(silence, 59_500) == [ETH]


def test_what_nobody_expects_is_not_heard() -> None:
    silence = listening(BTC)
    assert not silence.heard(ETH, 5)
    silence.quiet(ETH, 5)
    silence.forget(BTC)
    assert (silence.verdicts(10**9), silence.age_ms("BTC-USD", 5)) == ([], None)


def test_a_new_subscription_has_its_time_and_the_age_of_the_data_goes_on() -> None:
    silence = listening(BTC, ETH)
    speak(silence, BTC, range(0, 60_000, 500))
    speak(silence, ETH, range(0, 30_000, 500))
    silence.expect(ETH, 59_500)
    assert who(silence, 59_600) == []
    assert silence.age_ms("ETH-USD", 59_600) == 59_600 - 29_500
    silence.reconnected(80_000)
    assert who(silence, 80_001) == []
    assert silence.age_ms("BTC-USD", 80_000) == 80_000 - 59_500


def test_before_it_is_known_what_is_usual_the_limit_is_the_one_for_that() -> None:
    silence = listening(BTC)
    assert who(silence, PATIENCE.unknown_ms) == []
    assert silence.verdicts(PATIENCE.unknown_ms + 1) == [
        Verdict(None, PATIENCE.unknown_ms + 1, PATIENCE.unknown_ms)
    ]


def test_an_outage_does_not_teach_that_outages_are_usual() -> None:
    silence = listening(BTC, ETH)
    speak(silence, ETH, range(0, 4_000_000, 500))
    speak(silence, BTC, range(0, 60_000, 500))
    silence.heard(BTC, 3_660_000)
    speak(silence, BTC, range(3_660_500, 3_700_000, 500))
    assert [v.limit_ms for v in silence.verdicts(3_999_500)] == [PATIENCE.least_ms]


def test_an_outage_among_few_gaps_teaches_no_more_than_the_limit_that_it_broke() -> None:
    silence = listening(BTC, ETH)
    speak(silence, BTC, [*range(0, 6_000, 500), 3_600_000])
    speak(silence, ETH, range(0, 4_000_000, 500))
    assert [v.limit_ms for v in silence.verdicts(3_999_500)] == [
        PATIENCE.factor * PATIENCE.least_ms
    ]


def test_if_only_what_is_expected_no_more_still_spoke_it_is_the_connection() -> None:
    silence = listening(BTC, QUIET)
    speak(silence, BTC, range(0, 100_000, 500))
    silence.forget(BTC)
    assert silence.verdicts(100_000) == [Verdict(None, 100_000, PATIENCE.unknown_ms)]


def test_gaps_that_come_again_and_again_become_usual_up_to_the_most() -> None:
    silence = listening(BTC, QUIET)
    speak(silence, BTC, range(0, 20_000_000, 5_000))
    speak(silence, QUIET, range(0, 60_000, 1_000))
    speak(silence, QUIET, range(60_000, 20_000_000, 100_000))
    assert who(silence, 19_960_000 + PATIENCE.most_ms) == [None]
    speak(silence, BTC, range(20_000_000, 20_260_000, 5_000))
    assert who(silence, 19_960_000 + PATIENCE.most_ms) == []
    speak(silence, BTC, [19_960_000 + PATIENCE.most_ms])
    assert who(silence, 19_960_001 + PATIENCE.most_ms) == [QUIET]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 10**7), max_size=100), st.integers(0, 10**7))
def test_a_limit_is_always_within_its_bounds_and_a_verdict_beyond_its_limit(
    gaps: list[int], waited_ms: int
) -> None:
    silence, at_ms = listening(BTC, ETH), 0
    for number, gap_ms in enumerate(gaps):
        at_ms += gap_ms
        silence.heard((BTC, ETH)[number % 2], at_ms)
    for verdict in silence.verdicts(at_ms + waited_ms):
        assert PATIENCE.least_ms <= verdict.limit_ms <= PATIENCE.most_ms
        assert verdict.silent_ms > verdict.limit_ms
    late = silence.verdicts(at_ms + PATIENCE.most_ms + 1)
    assert [verdict.stream for verdict in late] == [None]


@pytest.mark.parametrize("back_ms", [1, 10**6])
def test_a_clock_that_goes_back_makes_nothing_silent(back_ms: int) -> None:
    silence = listening(BTC)
    speak(silence, BTC, range(10**6, 10**6 + 60_000, 500))
    silence.heard(BTC, 10**6 - back_ms)
    assert silence.verdicts(10**6 - back_ms) == []
