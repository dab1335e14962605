"""Who knows the future, or forgets nothing, is found, with the candle that moved it."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from rrr.backtesting.history import History, history_of
from rrr.backtesting.lookahead import Fault, as_json, check, check_features, words
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.market import Quoted
from rrr.neural_network.features import FEATURES, WINDOW, features
from rrr.neural_network.panel import I64, Panel, panel_of
from rrr.neural_network.strategies import FULL, Strategy
from rrr.neural_network.strategies.asked import of_one
from rrr.neural_network.strategies.naming import BUILT_IN, named
from rrr.neural_network.strategies.neural import Neural
from tests.backtesting.histories import SHARED, asked, market_of
from tests.builders import HOUR
from tests.neural_network.markets import SYMBOLS, closes, network, trained
from tests.neural_network.strategies import mine
from tests.neural_network.strategies.candles import holey

SPEC = Spec("made", "BTC-USD", "BTC", "USD", 4, 8, 100, 1_000, 1_000, 5 * 10**8, False)


def history(panel: Panel) -> History:
    """A panel as a history; of one that is only looked at, the rest does not matter."""
    nothing = np.zeros(panel.there.shape, np.int64)
    quoted = [Quoted(replace(SPEC, symbol=symbol), "made up") for symbol in SYMBOLS]
    here = quoted[: panel.instruments]
    return History(
        panel, nothing, nothing, nothing, 0, here, None, True, "", {}, (), panel.digest()
    )


def market(seed: int = 1, times: int = 800) -> History:
    return history(panel_of(holey(seed, times), 3, HOUR))


def fault(strategy: Strategy, of: History, seed: int = 1) -> Fault:
    """The one thing that is wrong with it."""
    found = check(strategy, of, seed=seed)
    (only,) = found.faults
    assert not found.sound
    assert f"{strategy.title} cannot be trusted.\n  " in words(found)
    assert " ".join(words(found).split()).count(only.text) == 1
    return only


@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - {"model"}))
@pytest.mark.parametrize("seed", [1, 2])
def test_no_strategy_of_the_house_looks_ahead_or_remembers_more(name: str, seed: int) -> None:
    found = check(named(name), market(seed), seed=seed)
    assert found.faults == ()
    assert found.opinions > 30
    assert found.windows == found.windows_all > 700
    assert f"{found.strategy} does not look ahead." in words(found)
    assert check(named(name), market(seed), seed=seed) == found


def test_a_model_is_asked_of_its_windows_and_of_its_features(tmp_path: Path) -> None:
    strategy = Neural(str(trained(tmp_path, network()).folder), 100, 0, 2_500, 5_000)
    found = check(strategy, history(panel_of(closes(1, 300), 3, HOUR)), tries=6)
    assert found.faults == ()
    assert (found.features, found.window) == (len(FEATURES), strategy.window)
    assert f"{len(FEATURES)} features: no other future moved any" in words(found)


@pytest.mark.parametrize("seed", range(5))
def test_the_next_close_is_named_where_it_is_the_one_that_decides(seed: int) -> None:
    of = market(seed)
    only = fault(mine.Clairvoyant(), of, seed)
    assert (only.kind, only.columns, only.moved_by) == ("future", ("close",), only.instrument)
    opened = of.panel.opened_at_ms[of.panel.there[SYMBOLS.index(str(only.instrument))]].tolist()
    assert (only.opened_at_ms, only.moved_by_ms) in set(pairwise(opened))
    assert only.text.endswith("is another: it looks ahead.")
    assert f"the close of the candle of {only.instrument} that opens" in only.text


def test_a_highest_high_of_all_history_is_named_however_far_ahead_it_is() -> None:
    only = fault(mine.Range(), market())
    assert (only.kind, only.columns) == ("future", ("high",))
    assert only.opened_at_ms is not None and only.moved_by_ms is not None
    assert only.moved_by_ms > only.opened_at_ms + HOUR


def test_who_compares_instruments_is_told_whose_candle_it_was() -> None:
    only = fault(mine.Leader(), market(2))
    assert (only.kind, only.moved_by, only.columns) == ("future", "BTC-USD", ("close",))


def test_a_candle_whose_mere_presence_decides_is_named_as_that() -> None:
    class Attendant(mine.Leader):
        """Long where the next candle of everybody is there."""

        def convictions(self, panel: Panel) -> I64:
            everybody = panel.there.sum(axis=0) == panel.instruments
            coming = np.append(everybody[1:], False) * FULL
            return np.broadcast_to(coming, panel.there.shape)

    only = fault(Attendant(), market(2))
    assert (only.kind, only.columns) == ("future", ("there",))
    assert "the presence of the candle of" in only.text


def test_an_average_without_end_remembers_more_than_its_window() -> None:
    only = fault(mine.Elephant(), market())
    assert only.kind == "window"
    assert "after the last 20 alone: it remembers more than its window" in only.text


def test_a_window_one_candle_too_short_is_enough_to_be_found() -> None:
    class Short(mine.Above):
        @property
        def window(self) -> int:
            return self.candles - 1

    assert fault(Short(), market()).kind == "window"


@pytest.mark.parametrize(
    ("strategy", "kind", "said"),
    [
        (mine.Gambler(), "random", "asked the same again"),
        (mine.Vandal(), "broken", "writes into the candles, which others read after it (mine.py"),
        (mine.Divider(), "broken", "ZeroDivisionError: integer division or modulo by zero (mine."),
        (mine.Vague(), "broken", "says nan at the candle of"),
    ],
)
def test_what_is_no_opinion_has_its_sentence(strategy: Strategy, kind: str, said: str) -> None:
    only = fault(strategy, market())
    assert only.kind == kind
    assert said in only.text


def test_who_fails_only_where_history_goes_on_in_another_way_is_broken_too() -> None:
    class Brittle(mine.Above):
        """Believes that no volume but those of the file can be."""

        def convictions(self, panel: Panel) -> I64:
            assert np.isin(panel.volume, known).all(), "an unknown volume"
            return super().convictions(panel)

    of = market()
    known = of.panel.volume
    only = fault(Brittle(), of)
    assert only.kind == "broken"
    assert "AssertionError: an unknown volume" in only.text


def test_right_is_a_strategy_of_a_file_too() -> None:
    found = check(named(f"{Path(mine.__file__)}:Above:candles=7"), market())
    assert found.sound
    assert found.window == 7


def test_a_feature_that_knows_the_next_return_is_named() -> None:
    def leaky(of: Panel) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        made = features(of)
        made[:, :-1, 4] = made[:, 1:, 0]
        return made

    panel = panel_of(closes(1, 420), 3, HOUR)
    (only,) = check_features(panel, SYMBOLS, make=leaky)
    assert (only.kind, only.feature, only.columns) == ("future", FEATURES[4], ("close",))
    assert only.text.startswith(f"At the candle of {only.instrument} that opened")
    assert f" {FEATURES[4]} is " in only.text
    assert check_features(panel, SYMBOLS) == []
    assert check_features(panel.cut(0, WINDOW), SYMBOLS) == []


@pytest.mark.parametrize("times", [0, 1, 19, 20, 21])
def test_of_a_history_too_short_nothing_is_certified(times: int) -> None:
    of = history(panel_of(closes(1, 30, holes=0), 3, HOUR).cut(0, times))
    found = check(mine.Above(), of)
    assert not found.faults
    assert found.sound == (times >= 20)
    assert found.windows == max(times - 19, 0) * 3
    assert ("could not be asked" in words(found)) == (times < 20)


def test_who_remembers_what_he_was_shown_is_found_by_what_he_said_before() -> None:
    shown: dict[int, int] = {}

    class Remembers(mine.Above):
        def convictions(self, panel: Panel) -> I64:
            for at, close in zip(panel.opened_at_ms.tolist(), panel.close[0].tolist(), strict=True):
                shown.setdefault(at, close)
            after = [shown.get(at + HOUR, -1) for at in panel.opened_at_ms.tolist()]
            told = np.where(np.array(after) > panel.close[0], 10_000, 0)
            return np.broadcast_to(told, panel.there.shape).astype(np.int64)

    of = history(of_one(panel_of(closes(1, 400, holes=0), 3, HOUR), 0))
    assert fault(Remembers(), of).text.endswith("once it was shown what follows: it remembers.")


def test_of_a_long_history_so_many_windows_are_drawn_and_it_says_so() -> None:
    found = check(mine.Above(), market(3, 1_200), tries=5)
    assert found.windows_all > found.windows > 190
    assert f"{found.windows:,} windows of 20 candles (of {found.windows_all:,})" in words(found)


def test_a_program_reads_the_same() -> None:
    found = check(mine.Clairvoyant(), market())
    told = json.loads(json.dumps(as_json(found)))
    assert told["sound"] is False
    assert told["faults"][0]["moved_by_ms"] == found.faults[0].moved_by_ms


@pytest.mark.skipif(not (SHARED / "binance").exists(), reason="the shared candles are not here")
@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - {"model"}))
def test_on_real_candles_too_nobody_looks_ahead(name: str) -> None:
    settings = asked(SHARED / "binance", symbols="BTC-USDT,ETH-USDT,SOL-USDT")
    found = check(named(name), history_of(market_of(settings), settings), tries=20)
    assert found.faults == ()
    assert found.candles == 3 * 2_184
