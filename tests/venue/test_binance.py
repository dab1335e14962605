"""ccxt and ccxt.pro, as they are, against the loopback's Binance."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.venue.binance import SERVES
from tests.venue.binance_socket import BinanceSession, update_id
from tests.venue.process import Venue, started
from tests.venue.talking import as_levels, as_row, as_trade, get, raises, sides, talk, trade, traded
from tests.venue.tape import HOUR_MS, LEVELS, LISTED_MS, MINUTE_MS, Tape
from tests.venue.venue_time import NOON_MS

SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "OXT/USDT"]


@pytest.fixture(scope="module")
def running() -> Iterator[Venue]:
    with started("binance", speed=600) as venue:
        yield venue


async def test_instruments_have_their_real_filters(venue: Venue) -> None:
    async with traded(venue) as exchange:
        markets = await exchange.load_markets()
    assert list(markets) == SYMBOLS
    btc = markets["BTC/USDT"]
    assert (btc["id"], btc["active"], btc["spot"]) == ("BTCUSDT", True, True)
    assert (btc["precision"]["amount"], btc["precision"]["price"]) == (1e-8, 0.1)
    assert btc["limits"]["cost"]["min"] == 5


async def test_time_is_the_markets(venue: Venue) -> None:
    async with traded(venue) as exchange:
        before = venue.clock_ms()
        assert before <= await exchange.fetch_time() <= venue.clock_ms()


@pytest.mark.parametrize("symbol", SYMBOLS)
async def test_candles_are_the_tapes(venue: Venue, symbol: str) -> None:
    end = venue.clock_ms() // MINUTE_MS * MINUTE_MS
    begin = end - 100 * MINUTE_MS
    async with traded(venue) as exchange:
        rows = await exchange.fetch_ohlcv(symbol, "1m", begin, 100)
    on_tape = venue.tape.filled(symbol, MINUTE_MS, begin, end)
    assert rows == [as_row(venue, symbol, each) for each in on_tape]
    assert [row[0] for row in rows] == list(range(begin, end, MINUTE_MS))


async def test_a_page_has_a_thousand_candles_and_the_newest_is_unfinished(venue: Venue) -> None:
    async with traded(venue) as exchange:
        rows = await exchange.fetch_ohlcv("ETH/USDT", "1m", LISTED_MS + HOUR_MS, 5_000)
        assert (len(rows), rows[0][0]) == (SERVES, LISTED_MS + HOUR_MS)
        newest = await exchange.fetch_ohlcv("ETH/USDT", "1h", None, 2)
        now = venue.clock_ms()
    assert newest[-1][0] <= now < newest[-1][0] + 2 * HOUR_MS


async def test_prints_are_found_by_time_and_by_id(venue: Venue) -> None:
    begin = venue.clock_ms() - HOUR_MS
    printed = venue.tape.prints("BTC/USDT", begin, begin + HOUR_MS)
    expected = [as_trade(venue, "BTC/USDT", each) for each in printed]
    async with traded(venue) as exchange:
        by_time = await exchange.fetch_trades("BTC/USDT", begin, 1_000)
        by_id = await exchange.fetch_trades("BTC/USDT", None, 50, {"fromId": printed[7].id})
    assert list(map(trade, by_time))[: len(expected)] == expected
    assert list(map(trade, by_id)) == expected[7:57]


async def test_the_depth_and_the_ticker_are_the_tapes(venue: Venue) -> None:
    async with traded(venue) as exchange:
        await exchange.load_markets()
        before = venue.clock_ms()
        book = await exchange.fetch_order_book("SOL/USDT")
        ticker = await exchange.fetch_ticker("SOL/USDT")
        after = venue.clock_ms()
    depths = [venue.tape.depth("SOL/USDT", at) for at in range(before, after + 1_000, 1_000)]
    levels = [as_levels(venue, "SOL/USDT", each, LEVELS) for each in depths]
    assert sides(book) in levels
    assert [ticker["bid"], ticker["ask"]] in [[side[0][0] for side in each] for each in levels]


async def test_errors_have_their_codes_and_answers_their_weight(venue: Venue) -> None:
    for path, code in {
        "/api/v3/klines?symbol=NOPE&interval=1m": -1121,
        "/api/v3/klines?interval=1m": -1102,
        "/api/v3/klines?symbol=BTCUSDT&interval=7m": -1120,
    }.items():
        status, headers, body = await get(venue, path)
        assert (status, f'"code":{code}' in body) == (400, True)
        assert int(headers["x-mbx-used-weight-1m"]) >= 2


async def test_the_socket_prints_the_tape(venue: Venue) -> None:
    found: dict[str, dict[str, Any]] = {}
    async with traded(venue) as exchange:
        while len(found) < 40:
            found |= {each["id"]: each for each in await exchange.watch_trades("BTC/USDT")}
    printed = list(found.values())
    begin, end = printed[0]["timestamp"], printed[-1]["timestamp"] + 1
    on_tape = venue.tape.prints("BTC/USDT", begin, end)
    assert list(map(trade, printed)) == [as_trade(venue, "BTC/USDT", each) for each in on_tape]


async def test_every_candle_is_said_to_be_final_once_also_where_nobody_traded(venue: Venue) -> None:
    async with talk(venue, "/ws/oxtusdt@kline_1m") as client:
        said = [(await client.hear())["k"] for _ in range(25)]
    final = [each for each in said if each["x"]]
    begin, end = final[0]["t"], final[-1]["t"] + MINUTE_MS
    assert [each["t"] for each in final] == list(range(begin, end, MINUTE_MS))
    on_tape = venue.tape.filled("OXT/USDT", MINUTE_MS, begin, end)
    assert [each["n"] for each in final] == [each.prints for each in on_tape]


async def test_the_candles_that_ccxt_keeps_are_the_tapes(venue: Venue) -> None:
    last_words: dict[int, list[float]] = {}
    async with traded(venue) as exchange:
        while len(last_words) < 12:
            await exchange.watch_ohlcv("SOL/USDT", "1m")
            last_words |= {row[0]: row for row in exchange.ohlcvs["SOL/USDT"]["1m"]}
    *closed, _ = sorted(last_words)
    on_tape = venue.tape.filled("SOL/USDT", MINUTE_MS, closed[0], closed[-1] + MINUTE_MS)
    assert [last_words[at] for at in closed] == [as_row(venue, "SOL/USDT", c) for c in on_tape]


async def test_the_book_that_ccxt_keeps_and_proves_is_the_tapes_depth(venue: Venue) -> None:
    """ccxt checks the chain of update ids by itself, and raises where it is broken."""
    async with traded(venue) as exchange:
        for _ in range(60):
            book = await exchange.watch_order_book("ETH/USDT")
            if (at := book["timestamp"]) is not None:
                depth = venue.tape.depth("ETH/USDT", at)
                assert sides(book) == as_levels(venue, "ETH/USDT", depth, LEVELS)


def test_an_update_leads_from_any_snapshot_within_it_to_its_end() -> None:
    tape, name = Tape(1, "USDT"), "btcusdt@depth@100ms"
    for begin in range(NOON_MS, NOON_MS + 20 * 60_000, 60_000):
        session = BinanceSession(tape, f"/ws/{name}", begin)
        (frame,) = session.news(begin + 8_000)
        snapshot, wanted = (
            tape.depth("BTC/USDT", begin + 4_000),
            tape.depth("BTC/USDT", begin + 8_000),
        )
        assert frame.body["U"] <= update_id(begin + 4_000) + 1 <= frame.body["u"]
        for said, held, expected in zip("ba", snapshot, wanted, strict=True):
            levels = {f"{price / 10:.8f}": f"{q / 10**8:.8f}" for price, q in held}
            levels |= dict(frame.body[said])
            resting = {price: q for price, q in levels.items() if float(q)}
            assert resting == {f"{price / 10:.8f}": f"{q / 10**8:.8f}" for price, q in expected}


@pytest.mark.parametrize(("kind", "amount"), [("bad_checksum", None), ("lost", 2)])
async def test_ccxt_sees_a_broken_chain_of_updates(
    venue: Venue, kind: str, amount: int | None
) -> None:
    import ccxt

    async with traded(venue) as exchange:
        for _ in range(3):
            await exchange.watch_order_book("ETH/USDT")
        await venue.fault(kind, amount=amount)
        with pytest.raises(ccxt.ChecksumError):
            while True:
                await exchange.watch_order_book("ETH/USDT")


async def test_the_touch_is_told_when_it_changes(venue: Venue) -> None:
    async with traded(venue) as exchange:
        said = [await exchange.watch_bids_asks(["ETH/USDT"]) for _ in range(10)]
        assert (await exchange.watch_ticker("ETH/USDT"))["symbol"] == "ETH/USDT"
    touches = [(each["ETH/USDT"]["bid"], each["ETH/USDT"]["ask"]) for each in said]
    assert len(set(touches)) > 5
    assert all(bid < ask for bid, ask in touches)


async def test_streams_are_listed_ended_and_a_strange_one_stays_silent(venue: Venue) -> None:
    async with talk(venue, "/ws") as client:
        await client.say(method="SUBSCRIBE", params=["btcusdt@trade", "nope@trade"], id=1)
        assert await client.hear() == {"result": None, "id": 1}
        await client.say(method="UNSUBSCRIBE", params=["btcusdt@trade"], id=2)
        while (said := await client.hear()).get("id") != 2:
            assert said["s"] == "BTCUSDT"
        await client.say(method="LIST_SUBSCRIPTIONS", id=3)
        assert (await client.hear())["result"] == []
        await client.say(method="DANCE")
        assert (await client.hear())["error"]["code"] == 2


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refuse", "ExchangeNotAvailable"),
        ("http_429", "DDoSProtection"),
        ("http_418", "DDoSProtection"),
        ("http_500", "OperationFailed"),
        ("maintenance", "ExchangeNotAvailable"),
    ],
)
async def test_ccxt_raises_what_it_raises_in_the_world(venue: Venue, kind: str, error: str) -> None:
    await raises(venue, kind, error, "BTC/USDT")
