"""Many candles at once say what the baseline says of them one by one, in every bit."""

from random import Random

import numpy as np
import pytest

from rrr.core.errors import ConfigError
from rrr.core.events import Close
from rrr.neural_network import baseline
from rrr.neural_network.panel import I64, panel_of
from rrr.neural_network.strategies import SILENT
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.trend import Trend
from tests.builders import HOUR, START, candle
from tests.neural_network.strategies.candles import holey


def spoken(closes: list[Close], fast: int, slow: int, full: int, instruments: int) -> I64:
    """What the baseline says, where the panel of the closes has its columns."""
    panel = panel_of(closes, instruments, HOUR)
    told = np.full(panel.there.shape, SILENT)
    for signals in baseline.Trend(fast, slow, full).meet(closes):
        for one in signals:
            column = (one.at_ms - HOUR - int(panel.opened_at_ms[0])) // HOUR
            told[one.instrument, column] = one.conviction_bps
    return told


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("fast", "slow", "full"), [(3, 10, 4), (1, 2, 1), (48, 240, 4), (4, 24, 9)]
)
def test_it_is_the_baseline_through_holes_and_silences(
    seed: int, fast: int, slow: int, full: int
) -> None:
    closes = holey(seed, 500)
    told = asked(Trend(fast, slow, full), panel_of(closes, 3, HOUR))
    assert (told == spoken(closes, fast, slow, full, 3)).all()
    assert len(np.unique(told)) > 10


@pytest.mark.parametrize("scale", [1, 10**4, 10**9, 10**12, 10**15])
def test_it_is_the_baseline_at_any_price_that_a_venue_may_have(scale: int) -> None:
    dice, price, closes = Random(scale), 1_000, []
    for n in range(1, 200):
        price = max(price + dice.randint(-300, 300), 1)
        one = candle(price * scale + dice.randrange(scale))
        closes.append(Close(START + n * HOUR, START + n * HOUR - HOUR, (one,), ()))
    told = asked(Trend(5, 30, 1_000), panel_of(closes, 1, HOUR))
    assert (told == spoken(closes, 5, 30, 1_000, 1)).all()


@pytest.mark.parametrize("wrong", [(0, 5, 4), (5, 5, 4), (3, 10, 0)])
def test_what_the_baseline_would_not_be_made_of_is_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="makes no sense"):
        Trend(*wrong)
