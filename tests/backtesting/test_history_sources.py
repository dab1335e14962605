"""Each market gives its history as its own arrivals would."""

import asyncio

import pytest

from rrr.backtesting import history_sources
from rrr.backtesting.history import History, closes_of, history_of, touches
from rrr.config import Settings
from rrr.core.errors import UsageError
from rrr.core.market import Source
from rrr.data_pipeline.market import Market
from rrr.data_pipeline.simulated import BEGINS_MS, HISTORY, simulated
from tests.backtesting.histories import HOUR, MINUTE, moment, named
from tests.data_pipeline.exchanges import START_MS, STEP_MS, opened
from tests.data_pipeline.loopback import KRAKEN_SERVES, Loopback, Time


@pytest.mark.parametrize(("symbols", "seed"), [(("BTC-USD",), 3), ((), 1)])
async def test_a_simulated_history_is_its_arrivals(
    symbols: tuple[str, ...], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_sources, "_CHUNK", 777)
    market = simulated(symbols, "1h", seed, 5_000)
    heard: list[tuple[int, int]] = []
    history = history_of(market, Settings(), warm=600, heard=lambda *how: heard.append(how))
    arrivals = [arrival async for arrival in market.arrivals(0)]
    assert sum(arrival.past for arrival in arrivals) == history.begins == 600
    assert list(closes_of(history, 0)) == [arrival.close for arrival in arrivals]
    assert list(touches(history, 0)) == [arrival.touches for arrival in arrivals]
    assert list(closes_of(history)) == [each.close for each in arrivals if not each.past]
    assert any(not close.candles for close in closes_of(history)) == (len(market.coins) == 1)
    assert (history.source[history.panel.there] == Source.SYNTHETIC).all() and history.synthetic
    assert heard == sorted(heard) and heard[-1] == (history.panel.there.size,) * 2


def test_a_simulated_history_goes_back_only_so_far() -> None:
    history = history_of(simulated(["BTC-USD"], "1h", 1, 5), Settings(), warm=HISTORY + 9)
    assert history.begins == HISTORY
    assert named(history, f"{HISTORY:,} of the {HISTORY + 9:,} closing times")


def test_a_market_without_end_gives_a_year_and_says_so() -> None:
    history = history_of(simulated(["BTC-USD"], "1h", 1), Settings())
    assert history.panel.times == history_sources.ENDLESS
    assert named(history, "without end", "--candles")


def test_a_span_of_the_simulated_market_is_cut_out_of_it() -> None:
    market, change = simulated(["BTC-USD", "ETH-USD"], "1h", 1), moment(BEGINS_MS + 90 * MINUTE)
    span = {"from_": change, "to": moment(BEGINS_MS + 9 * HOUR)}
    history = history_of(market, Settings().model_copy(update=span), warm=3)
    whole = history_of(market, Settings().model_copy(update={"candles": 20}))
    assert list(closes_of(history)) == list(closes_of(whole))[2:9]
    assert list(closes_of(history, 0))[3:] == list(closes_of(history))
    with pytest.raises(UsageError, match="has no candle from"):
        history_of(market, Settings().model_copy(update={"to": moment(BEGINS_MS)}))


async def exchange_history(
    name: str, warm: int, wanted: Settings, heard: list[tuple[int, int]] | None = None
) -> tuple[History, Market]:
    clock = Time(START_MS)
    told = (lambda *_: None) if heard is None else lambda *how: heard.append(how)
    with Loopback(clock) as server:
        async with opened(server, clock, name) as market:
            history = await asyncio.to_thread(history_of, market, wanted, warm=warm, heard=told)
            return history, market


async def test_an_exchange_gives_what_closed_before_now() -> None:
    heard: list[tuple[int, int]] = []
    settings = Settings(market="coinbase", timeframe="1m", candles=400)
    history, market = await exchange_history("coinbase", 50, settings, heard)
    assert history.begins == 50 and history.panel.times == 450
    assert int(history.panel.opened_at_ms[-1]) == market.begins_ms - STEP_MS
    assert (history.source == Source.REST).all()
    assert heard[-1] == (450, 450)


async def test_an_exchange_that_goes_less_far_back_warms_first_and_says_so() -> None:
    settings = Settings(market="kraken", timeframe="1m", candles=2_000)
    history, _ = await exchange_history("kraken", 100, settings)
    assert history.panel.times == KRAKEN_SERVES - 1 and history.begins == 100
    assert named(history, "kraken goes back to", "only")


async def test_a_span_of_an_exchange_is_cut_out_of_it() -> None:
    now = START_MS - START_MS % STEP_MS
    span = {"from_": moment(now - 90 * STEP_MS), "to": moment(now - 30 * STEP_MS)}
    settings = Settings(market="coinbase", timeframe="1m").model_copy(update=span)
    history, _ = await exchange_history("coinbase", 20, settings)
    begins = int(history.panel.opened_at_ms[history.begins])
    assert (begins, history.begins, history.panel.times) == (now - 90 * STEP_MS, 20, 80)
    few = settings.model_copy(update={"candles": 10})
    history, _ = await exchange_history("coinbase", 0, few)
    assert history.panel.opened_at_ms.tolist() == [begins + n * STEP_MS for n in range(10)]


async def test_an_exchange_is_not_asked_for_everything() -> None:
    settings = Settings(market="coinbase", timeframe="1m", candles=history_sources.ASKED_MAX)
    with pytest.raises(UsageError, match="record the candles to a file"):
        await exchange_history("coinbase", 1, settings)
