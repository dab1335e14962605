"""A seeded sample of `python -m tests.data_pipeline.fuzzed`: each kind of life, at each venue."""

from itertools import islice

import pytest

from tests.data_pipeline.fuzzed import KINDS, fuzzed
from tests.data_pipeline.live import VENUES


@pytest.mark.slow
def test_whatever_a_venue_says_no_candle_is_made_of_mutated_numbers() -> None:
    lives = len(KINDS) * len(VENUES)
    *_, tried = islice(fuzzed(10**9, 2, minutes=1), lives)
    assert tried["lives"] + tried["refused to open"] == lives
    for what in ("unreadable", "refused numbers", "answers spoilt", "candles", "books lost"):
        assert tried[what] > 0, what
    assert tried["books held against the tape"] > 0
