"""What is heard of a market, and what of it is not well."""

from types import SimpleNamespace
from typing import cast

from rrr.data_pipeline.exchange_health import Health, Pulse
from rrr.data_pipeline.market import Market
from rrr.data_pipeline.simulated import simulated
from rrr.data_pipeline.venue_clock import Offset
from rrr.wiring.hearing import feed_of, heard_of

WELL = Pulse("BTC-USD", 120, 3_000, {"candles": True, "touch": True}, "websocket", 7, 0)
CLOCK = Offset(12, 40, 900)


def said(*pulses: Pulse, offset: Offset | None = CLOCK) -> str:
    market = SimpleNamespace(title="kraken by WebSocket")
    return feed_of(cast(Market, market), Health(pulses, offset))


def test_a_feed_that_is_well_is_named_and_no_more() -> None:
    assert said(WELL) == "kraken by WebSocket"
    assert said(WELL, offset=None) == "kraken by WebSocket"


def test_what_is_not_well_is_named_with_its_instrument() -> None:
    deaf = WELL._replace(symbol="ETH-USD", streams={"candles": False, "touch": False})
    assert said(WELL, deaf) == "kraken by WebSocket; ETH-USD candles and touch silent"
    odd = WELL._replace(refused=2)
    assert said(odd, WELL._replace(refused=1)).endswith("; 3 messages made no sense")
    lost = said(WELL._replace(book="the checksum is wrong"))
    assert lost.endswith("; BTC-USD order book: the checksum is wrong")
    behind = said(WELL, offset=Offset(2_040, 40, 900))
    assert behind.endswith("; this clock is at least 2 s behind")
    assert said(WELL, offset=Offset(-2_040, 40, 900)).endswith("2 s ahead")


def test_machines_are_told_by_instrument() -> None:
    told = heard_of(Health((WELL,), CLOCK))
    assert told["clock"] == {"offset_ms": 12, "uncertainty_ms": 40}
    assert told["instruments"]["BTC-USD"]["streams"] == {"candles": True, "touch": True}
    assert told["instruments"]["BTC-USD"]["data_age_ms"] == 120


def test_a_market_that_nobody_listens_to_has_no_health() -> None:
    market = simulated((), "1h", 1)
    assert feed_of(market, None) == market.title
    assert heard_of(None) == {}
