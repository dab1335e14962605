"""Whoever knows nothing of what comes has words all the same: late ones, mean ones, none."""

import json
from collections.abc import Iterable, Sequence

from rrr.core.events import Close, Signal
from rrr.core.market import BPS
from rrr.core.orders import Side, Status
from rrr.neural_network.twins import DAY_MS, Delayed, Flat, Held, Own, Silent, Turn
from tests.builders import HOUR, PRICE, START, candle, order, report

SCALE = 10**4
WORTH = PRICE * 10**8 // SCALE  # quanta, of one coin


def turn(hour: int, *convictions: int, model: int = 7, equity: int = 10 * WORTH) -> Turn:
    at_ms = START + hour * HOUR
    close = Close(at_ms, at_ms - HOUR, (candle(), candle(of=1)), ())
    said = tuple(Signal(at_ms, i, c, model) for i, c in enumerate(convictions))
    return Turn(close, said, equity)


def words(signals: list[Signal]) -> list[tuple[int, int]]:
    return [(one.instrument, one.conviction_bps) for one in signals]


def holder(memory: str = "{}", coins: float = 0) -> Held:
    return Held(lambda: [SCALE, SCALE], {0: round(coins * 10**8)}, memory)


def test_late_words_are_the_same_words_and_only_those_of_a_model() -> None:
    late = Delayed(2)
    told = [late.meet(turn(hour, hour, -hour, model=hour > 0)) for hour in range(5)]
    assert [words(one) for one in told] == [[], [], [], [(0, 1), (1, -1)], [(0, 2), (1, -2)]]
    assert {one.model for signals in told for one in signals} == {late.model} != {0}


def test_no_late_word_comes_early() -> None:
    late = Delayed(3)
    told = [words(late.meet(turn(hour, hour + 1))) for hour in range(5)]
    assert told == [[], [], [], [(0, 1)], [(0, 2)]]


def test_silence_is_late_too() -> None:
    late = Delayed(1)
    late.meet(turn(0, 5))
    assert words(late.meet(turn(1))) == [(0, 5)]
    assert late.meet(turn(2, 9)) == []


def test_no_word_is_said_of_what_has_no_candle() -> None:
    late = Delayed(1)
    late.meet(turn(0, 5, 6))
    gone = turn(1)
    gone = gone._replace(close=gone.close._replace(candles=gone.close.candles[1:], missing=(0,)))
    assert words(late.meet(gone)) == [(1, 6)]


def test_who_is_shown_the_closes_goes_on_as_who_met_them() -> None:
    met, shown = Delayed(3), Delayed(3)
    for hour in range(9):
        met.meet(turn(hour, hour))
    for hour in range(9 - shown.window, 9):
        shown.show(turn(hour, hour))
    assert met.meet(turn(9)) == shown.meet(turn(9)) != []


def test_a_holder_says_the_mean_exposure_once_a_day() -> None:
    hold = holder()
    assert hold.meet(turn(0, 9_000)) == []
    hold.booked(report(Status.FILLED, order(), quantity=10**8))  # a tenth of equity
    told = [(hour, words(hold.meet(turn(hour)))) for hour in range(1, 49)]
    said = [(hour, what) for hour, what in told if what]
    days = {(START + hour * HOUR - 1) // DAY_MS for hour, _ in said}
    assert len(days) == len(said) == 2
    assert {what for _, words in said for what in words} == {(0, BPS // 10), (1, 0)}


def test_what_somebody_else_held_at_the_first_word_is_not_counted() -> None:
    hold = holder(coins=1)
    hold.meet(turn(0, 0))
    hold.booked(report(Status.FILLED, order(side=int(Side.SELL)), quantity=10**8))
    told = [words(hold.meet(turn(hour))) for hour in range(1, 30)]
    assert [what for what in told if what] == [[(0, 0), (1, 0)]]


def test_a_holder_remembers_by_what_it_wrote() -> None:
    whole, cut = holder(), holder()
    for hour in range(100):
        if hour == 5:
            bought = report(Status.FILLED, order(), quantity=10**8)
            whole.booked(bought)
            cut.booked(bought)
        cut = holder(cut.memory)
        assert whole.meet(turn(hour, 1)) == cut.meet(turn(hour, 1))
        assert json.loads(whole.memory) == json.loads(cut.memory)


def test_without_equity_nothing_is_held() -> None:
    hold = holder(coins=1)
    for hour in range(30):
        told = hold.meet(turn(hour, 1, equity=0))
    assert words(told) in ([], [(0, 0), (1, 0)])
    assert set(json.loads(hold.memory)["sums"]) == {0}


class Sure:
    """A voice that is always sure."""

    model, name, window = 5, "sure", 3

    def __init__(self) -> None:
        self.warmed = 0

    def meet(self, closes: Sequence[Close]) -> list[list[Signal]]:
        return [[Signal(close.at_ms, 0, BPS, self.model)] for close in closes]

    def warm(self, closes: Iterable[Close]) -> None:
        self.warmed += len(list(closes))


def test_a_twin_speaks_under_its_own_name_and_a_candidate_under_its_models() -> None:
    twin, candidate = Own(Sure(), "a twin"), Own(Sure())
    assert words(twin.meet(turn(0))) == words(candidate.meet(turn(0))) == [(0, BPS)]
    assert candidate.meet(turn(0))[0].model == candidate.model == 5
    assert twin.meet(turn(0))[0].model == twin.model not in (0, 5)
    twin.show(turn(1))
    assert isinstance(twin.voice, Sure)
    assert (twin.voice.warmed, twin.window) == (1, 3)


def test_nobody_gives_back_what_is_held() -> None:
    assert words(Flat("nobody").meet(turn(0))) == [(0, 0), (1, 0)]
    assert Silent("nothing").meet(turn(0, 3)) == []
