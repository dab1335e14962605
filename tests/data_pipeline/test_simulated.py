"""The simulated market is the same for a seed, whoever asks, wherever one begins."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.config.kinds import Timeframe
from rrr.core.errors import NotFound, UsageError
from rrr.core.market import QUANTA_MAX, Source
from rrr.data_pipeline.market import Arrival, Market
from rrr.data_pipeline.recorded_files import timeframe_ms
from rrr.data_pipeline.simulated import BEGINS_MS, COINS, HISTORY, PAST, simulated

ROOT: Final = Path(__file__).parents[2]
HOUR: Final = 3_600_000
SYMBOLS: Final = tuple(COINS)
LONG: Final = 4_000  # closing times of the sample

# Of the sample. If it changes on purpose, `WORLD` goes up: no session of the old world may go on in
# the new one.
GOLDEN: Final = "a182d59f29954d61134bdd42292f7a2a50553b1d8bf742619415023e7403c6a8"

ELSEWHERE: Final = """
import asyncio
from tests.data_pipeline.test_simulated import digest, sample
print(digest(sample()))
"""


def gathered(market: Market, after_ms: int = 0, count: int = LONG) -> list[Arrival]:
    async def gather() -> list[Arrival]:
        arrivals: list[Arrival] = []
        async for arrival in market.arrivals(after_ms):
            arrivals.append(arrival)
            if len(arrivals) == count:
                break
        return arrivals

    return asyncio.run(gather())


@cache
def sample() -> tuple[Arrival, ...]:
    return tuple(gathered(simulated([], "1h", 1)))


def digest(arrivals: Sequence[Arrival]) -> str:
    told = (f"Arrival(close={a.close}, touches={a.touches}, past={a.past})" for a in arrivals)
    return sha256(f"({', '.join(told)})".encode()).hexdigest()


def test_a_seed_makes_these_candles_and_no_others() -> None:
    assert digest(sample()) == GOLDEN


def test_another_process_makes_the_same_candles() -> None:
    run = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == digest(sample())


def test_seeds_and_timeframes_make_different_candles() -> None:
    made = [simulated([], "1h", 2), simulated([], "2h", 1)]
    for other in (gathered(market, count=100) for market in made):
        pairs = zip(sample(), other, strict=False)
        assert not any(one.close.candles == two.close.candles for one, two in pairs)


@given(n=st.integers(0, LONG - 2), late_ms=st.integers(0, HOUR - 1), count=st.integers(1, 1_500))
def test_who_comes_back_misses_nothing_and_sees_nothing_twice(
    n: int, late_ms: int, count: int
) -> None:
    after_ms = sample()[n].close.at_ms + late_ms
    expected = sample()[n + 1 : n + 1 + count]
    assert tuple(gathered(simulated([], "1h", 1), after_ms, len(expected))) == expected


@given(st.sets(st.sampled_from(SYMBOLS), min_size=1))
def test_a_coin_is_the_same_whoever_else_is_asked_for(asked: set[str]) -> None:
    alone = gathered(simulated(sorted(asked, reverse=True), "1h", 1), count=500)
    ids = [SYMBOLS.index(symbol) for symbol in sorted(asked)]
    for some, all_ in zip(alone, sample(), strict=False):
        assert some.close.at_ms == all_.close.at_ms
        met = {ids[one.instrument]: one[1:] for one in some.close.candles}
        assert met == {one.instrument: one[1:] for one in all_.close.candles if one[0] in ids}
        assert [ids[i] for i in some.close.missing] == [i for i in all_.close.missing if i in ids]
        seen = [(ids[one.instrument], one.bid, one.ask) for one in some.touches]
        assert seen == [(t.instrument, t.bid, t.ask) for t in all_.touches if t.instrument in ids]


def test_every_closing_time_comes_once_and_says_who_is_missing() -> None:
    holes = 0
    for n, (close, touches, *_) in enumerate(sample()):
        assert close.opened_at_ms == BEGINS_MS + (n - PAST) * HOUR
        assert close.at_ms == close.opened_at_ms + HOUR
        present = [candle.instrument for candle in close.candles]
        assert sorted([*present, *close.missing]) == list(range(len(SYMBOLS)))
        assert present == sorted(present)
        assert [(touch.at_ms, touch.instrument) for touch in touches] == [
            (close.at_ms, instrument) for instrument in present
        ]
        assert {candle.source for candle in close.candles} == {Source.SYNTHETIC}
        holes += len(close.missing)
    assert 1 <= holes <= 30  # of 16,000 candles; 8 are to be expected


def test_only_what_opened_before_the_beginning_is_past() -> None:
    past = [one for one in sample() if one.past]
    assert len(past) == PAST
    assert past == list(sample()[:PAST])
    assert sample()[PAST].close.opened_at_ms == BEGINS_MS == simulated([], "1h", 1).begins_ms


def test_history_ends_where_the_market_begins() -> None:
    market = simulated([], "1h", 1)
    whole = market.history(HISTORY + 1)
    assert len(whole) == HISTORY
    assert all(two.at_ms - one.at_ms == HOUR for one, two in pairwise(whole))
    assert whole[-PAST:] == market.history(PAST) == [one.close for one in sample() if one.past]
    assert market.history(0) == []


def test_a_bounded_market_ends_after_its_candles() -> None:
    market = simulated(["BTC-USD"], "1h", 1, candles=30)
    arrivals = gathered(market)
    assert len(arrivals) == PAST + 30
    assert arrivals[-1].close.at_ms == market.ends_ms == BEGINS_MS + 30 * HOUR
    assert gathered(market, arrivals[-1].close.at_ms) == []
    assert gathered(market, arrivals[-2].close.at_ms) == arrivals[-1:]
    assert simulated([], "1h", 1).ends_ms is None


@pytest.mark.parametrize("timeframe", get_args(Timeframe))
def test_every_timeframe_of_the_settings_is_there(timeframe: str) -> None:
    market = simulated([], timeframe, 1)
    step = market.timeframe_ms
    assert step == timeframe_ms(timeframe)
    assert market.begins_ms % step == 0
    assert len(market.history(6_000)) == 6_000
    first, second = gathered(market, count=2)
    assert second.close.at_ms - first.close.at_ms == step


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match=r"no DOGE-USD. It has BTC-USD, ETH-USD, LINK-USD, SOL-USD"):
        simulated(["BTC-USD", "doge/usd"], "1h", 1)
    with pytest.raises(UsageError, match="no candles of 1w"):
        simulated([], "1w", 1)
    with pytest.raises(UsageError, match="no timeframe"):
        simulated([], "7m", 1)


def test_instruments_have_the_units_of_all_others() -> None:
    """Points two decimals below the tick, and the headroom that the door of 64 bits asks for."""
    quoted = simulated(["sol/usd", "BTC-USD", "SOL-USD"], "1h", 7).instruments
    assert [one.spec.symbol for one in quoted] == ["BTC-USD", "SOL-USD"]
    assert {one.source for one in quoted} == {"simulated 7"}
    for one in simulated([], "1h", 1).instruments:
        spec, coin = one.spec, COINS[one.spec.symbol]
        assert (spec.venue, f"{spec.base}-{spec.quote}") == ("simulated", spec.symbol)
        assert spec.tick == 100
        highest, lowest = (coin.price * 10**spec.points * n // 16 for n in (256, 1))
        assert highest * spec.scale * 1_000 < 1 << 63
        assert (QUANTA_MAX // lowest + 1) * spec.scale < 1 << 63


def test_what_decides_its_history_is_said() -> None:
    markets: list[Market] = [
        simulated([], "1h", 1),
        simulated([], "1h", 2),
        simulated([], "1h", 1, candles=1_000),
    ]
    assert len({repr(market.about) for market in markets}) == len(markets)
    assert all(market.synthetic and market.name == "simulated" for market in markets)
    assert [market.title for market in markets] == [
        "simulated market of seed 1, endless",
        "simulated market of seed 2, endless",
        "simulated market of seed 1, 1,000 closing times",
    ]
