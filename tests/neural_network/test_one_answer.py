"""A window has one answer; `python -m tests.neural_network.one_answer` asks a million of them."""

import pytest

from tests.neural_network.one_answer import year


@pytest.mark.slow
def test_a_window_has_one_answer_alone_live_in_batches_and_in_a_backtest() -> None:
    told = year(seed=1, times=420)
    assert told["windows"] > 4_000
    assert told["convictions"] > 1_000
    assert told["alone"] >= 32
    different = ("floats", "alone_differ", "live_batch", "strategy")
    assert [told[name] for name in different] == [0, 0, 0, 0]
