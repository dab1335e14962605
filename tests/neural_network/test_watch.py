"""What became of what was said is known a horizon later; who is killed remembers as who lives."""

from math import inf, isnan, log, nan
from pathlib import Path

import numpy as np
import pytest

from rrr.core.events import Close
from rrr.neural_network import drift
from rrr.neural_network.abstaining import NEVER, Belief, Opinion, Reason, Terms
from rrr.neural_network.conformal import Conformal, Interval, ask, step
from rrr.neural_network.drift import usual
from rrr.neural_network.features import FEATURES, WINDOW, features
from rrr.neural_network.learned import CONFORMAL, DRIFT, Learned, learned
from rrr.neural_network.model import WINDOW as CLOSES
from rrr.neural_network.model import Model
from rrr.neural_network.panel import panel_of
from rrr.neural_network.strategies import SILENT
from rrr.neural_network.watch import FAR, Memory, Question, Watch, read, written
from tests.builders import HOUR
from tests.neural_network.markets import closes, known
from tests.neural_network.test_model import constant, model, without

HORIZON = 4


def thoughts(voice: Model, met: list[Close]) -> list[list[Opinion]]:
    """All that is told of these closes, met one by one."""
    told = []
    for close in met:
        voice.meet([close])
        told += [opinions for _, opinions in voice.told]
    return told


def test_a_score_is_how_far_off_was_what_was_said_a_horizon_ago(tmp_path: Path) -> None:
    met = closes(1, CLOSES + 40, holes=0.01)
    told = thoughts(model(tmp_path, watched=True), met)
    panel, scored = panel_of(met, 3, HOUR), 0
    for at in range(CLOSES - 1, len(met)):
        for number in range(3):
            asked, score = told[at - HORIZON][number], told[at][number].score
            span = panel.there[number, at - HORIZON + 1 : at + 1]
            if isnan(asked.mean) or not span.all():
                assert isnan(score)
                continue
            came = log(panel.close[number, at] / panel.open[number, at - HORIZON + 1])
            outcome = max(-6.0, min(6.0, came / asked.unit_return))
            assert score == pytest.approx(abs(outcome - asked.mean))
            scored += 1
    assert scored > 80


def test_the_intervals_are_those_of_adaptive_conformal_inference(tmp_path: Path) -> None:
    met = closes(2, CLOSES + 200, instruments=1, holes=0)
    voice = model(tmp_path, 1, watched=True)
    told, panel = [one for (one,) in thoughts(voice, met)], panel_of(met, 1, HOUR)
    state = Conformal(0.1, voice.artefact.learned.conformal[0].scores)
    for at in range(CLOSES - 1, len(met)):
        before = at - HORIZON
        if before >= CLOSES - 1:
            entry, end = panel.open[0, before + 1], panel.close[0, at]
            unit = told[before].unit_return
            outcome = max(-6.0, min(6.0, log(int(end) / int(entry)) / unit))
            state = step(state, ask_again(told[before]), outcome)
        assert ask_again(told[at]) == ask(state, told[at].mean)
        assert told[at].alpha == state.alpha
    assert state.alpha != 0.1


def ask_again(one: Opinion) -> Interval:
    return Interval(one.mean, one.low, one.high)


def killed(voice: Model, fresh: Model, told: list[list[Opinion]], met: list[Close]) -> Model:
    """Another life of the model: what was written, and the closes of the journal."""
    assert voice.watch is not None
    state = read(written(voice.watch.state))
    scores = [[row[n].score for row in told if not isnan(row[n].score)] for n in range(3)]
    asked = [
        Question(
            close.opened_at_ms // HOUR,
            [one.unit_return for one in row],
            [ask_again(one) for one in row],
        )
        for close, row in list(zip(met, told, strict=True))[-HORIZON:]
    ]
    fresh.recall(Memory(state, scores, asked))
    fresh.warm(met[-fresh.window :])
    return fresh


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_who_is_killed_anywhere_goes_on_as_who_never_was(tmp_path: Path, seed: int) -> None:
    met = closes(seed, 600, holes=0.01)
    years = 10**5 * HOUR  # a long silence, behind which all but scores begins anew
    met = met[:150] + [
        one._replace(at_ms=one.at_ms + years, opened_at_ms=one.opened_at_ms + years)
        for one in met[150:]
    ]
    known_rows = features(panel_of(met[150:], 3, HOUR)).astype(np.float64)
    distributed = [usual(known_rows[..., n], 100) for n in range(len(FEATURES))]
    about = [
        one and {"edges": one.edges, "shares": one.shares, "psi_max": 0.01} for one in distributed
    ]
    files = known(3, features=about)
    calm = model(tmp_path, files=files, watched=True)
    whole = thoughts(calm, met)
    dice, lives, place = np.random.default_rng(seed), 0, 0
    voice, told = model(tmp_path, files=files, watched=True), list[list[Opinion]]()
    while place < len(met):
        many = int(dice.integers(1, 160))
        told += thoughts(voice, met[place : place + many])
        place = min(place + many, len(met))
        fresh = model(tmp_path, files=files, watched=True)
        voice, lives = killed(voice, fresh, told, met[:place]), lives + 1
    assert repr(told) == repr(whole)
    assert lives > 5
    assert calm.watch is not None
    assert voice.watch is not None
    assert voice.watch.state == calm.watch.state
    assert [one.state for one in voice.watch.intervals] == [
        one.state for one in calm.watch.intervals
    ]
    for mine, other in zip(voice.watch.rows, calm.watch.rows, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert voice.watch.furthest.drifted
    assert 50 < calm.watch.losses.met <= len(met) // HORIZON, "No two share a candle."


def test_features_that_left_their_training_are_drift_and_who_heeds_it_wishes_to_be_flat(
    tmp_path: Path,
) -> None:
    met = closes(3, CLOSES + 200, holes=0)
    one = {"edges": [90.0 + n for n in range(9)], "shares": [1 / 19] * 19, "psi_max": 0.25}
    files = known(3, features=[one, *[None] * (len(FEATURES) - 1)])
    told = model(tmp_path, files=files, watched=True, content=constant(1.0))
    heeds = model(
        tmp_path, files=files, watched=True, content=constant(1.0), belief=Belief(NEVER, True)
    )
    last = thoughts(told, met)[-1][0]
    assert last.psi > last.psi_max == FAR * 0.25
    assert last.psi_feature == FEATURES[0]
    assert (told.disbelieved, last.reason) == (Reason.NONE, Reason.NONE)
    spoken = heeds.meet(met)
    assert heeds.disbelieved is Reason.DRIFTED
    assert [signal.conviction_bps for signal in spoken[-1]] == [0, 0, 0]
    assert heeds.watch is not None
    assert heeds.watch.drifted == f"{FEATURES[0]} drifted"


def test_losses_that_rose_are_drift_until_there_is_another_model(tmp_path: Path) -> None:
    voice = model(tmp_path, watched=True, belief=Belief(NEVER, True), horizon=1)
    watch = voice.watch
    assert watch is not None
    for loss in [0.1] * 400 + [0.9] * 200 + [0.1] * 200:
        watch.losses, change = drift.meet(watch.losses, loss)
        watch.worse = watch.worse or (change is not None and change.worse)
    assert watch.drifted == "its losses rose"
    assert all(signal.conviction_bps == 0 for one in voice.meet(closes(1, 200)) for signal in one)


def test_a_model_that_is_too_old_wishes_to_be_flat_and_says_so(tmp_path: Path) -> None:
    met = closes(1, CLOSES + 2, holes=0)
    age_ms = met[-2].at_ms - model(tmp_path).artefact.ends_ms
    voice = model(tmp_path, watched=True, belief=Belief(age_ms), content=constant(1.0))
    young, old = thoughts(voice, met)[-2:]
    assert {one.reason for one in young} == {Reason.NONE}
    assert {(one.reason, one.conviction_bps) for one in old} == {(Reason.EXPIRED, 0)}
    assert voice.disbelieved is Reason.EXPIRED


def test_features_beyond_all_that_it_learned_from_say_nothing(tmp_path: Path) -> None:
    met = closes(1, CLOSES, holes=0)
    files = known(3, high=[-7.0] * len(FEATURES), low=[-8.0] * len(FEATURES))
    told = thoughts(model(tmp_path, watched=True, files=files, content=constant(1.0)), met)[-1]
    assert {(one.reason, one.conviction_bps) for one in told} == {(Reason.OUT_OF_RANGE, SILENT)}
    assert {one.outside_ratio for one in told} == {1.0}


def test_an_instrument_without_a_candle_is_told_so_with_the_age_of_its_last(tmp_path: Path) -> None:
    met = without(closes(1, CLOSES + 3, holes=0), 1, range(CLOSES, CLOSES + 3))
    told = thoughts(model(tmp_path, watched=True), met)[-1]
    assert [one.candle_age_ms for one in told] == [0, 3 * HOUR, 0]
    assert [one.unknown for one in told] == [0, 3, 0]
    assert (told[1].reason, told[1].conviction_bps) == (Reason.ABSENT, SILENT)
    late = without(met, 1, range(CLOSES + 3))
    never = thoughts(model(tmp_path, watched=True), late)[-1][1]
    assert (never.candle_age_ms, never.unknown) == (-1, CLOSES)


def test_constant_prices_promise_nothing(tmp_path: Path) -> None:
    still = [
        close._replace(
            candles=tuple(
                one._replace(open=100, high=100, low=100, close=100) for one in close.candles
            )
        )
        for close in closes(1, CLOSES + 10, holes=0)
    ]
    told = thoughts(model(tmp_path, watched=True, content=constant(5.0), terms=Terms(0.001)), still)
    assert {(one.reason, one.conviction_bps) for one in told[-1]} == {(Reason.COSTS, 0)}


def test_what_closes_settle_that_nobody_could_act_on_is_told_too(tmp_path: Path) -> None:
    met = closes(1, CLOSES + 20, holes=0)
    voice = model(tmp_path, watched=True)
    voice.meet(met[:-8])
    voice.warm(met[-8:])
    assert [close.at_ms for close, _ in voice.told] == [close.at_ms for close in met[-8:-4]]
    assert {one.reason for _, row in voice.told for one in row} == {Reason.PAST}
    assert not any(isnan(one.score) for _, row in voice.told for one in row)


def test_a_watch_says_of_nothing_that_it_knows_nothing() -> None:
    watch = Watch(model_known(), HORIZON)
    assert watch.ask([nan, 0.0, 0.0], [nan, 1.0, 1.0])[0].known is False
    assert watch.drifted == ""
    assert watch.reach == 100
    assert WINDOW < CLOSES < inf


def model_known() -> Learned:
    files = known(3)
    return learned(files[CONFORMAL], files[DRIFT], 3)
