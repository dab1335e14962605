"""What a test says to a venue, with ccxt and without, and the tape in the words of ccxt."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from rrr.data_pipeline.lean_ccxt import load_pro
from tests.venue.keys import Key
from tests.venue.process import Venue
from tests.venue.tape import GRAINS, Candle, Depth, Print


@dataclass(frozen=True, slots=True)
class Talk:
    socket: ClientWebSocketResponse

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def hear(self) -> Any:
        """The next message; decimals are text."""
        message = await self.socket.receive()
        if message.type is not WSMsgType.TEXT:
            raise ConnectionError(message.type.name)
        return json.loads(message.data, parse_float=str)

    async def hear_text(self) -> str:
        return (await self.socket.receive()).data or ""


@asynccontextmanager
async def talk(venue: Venue, path: str) -> AsyncIterator[Talk]:
    async with (
        ClientSession() as session,
        session.ws_connect(venue.socket_address + path, autoping=False) as socket,
    ):
        yield Talk(socket)


@asynccontextmanager
async def traded(venue: Venue, key: Key | None = None, **options: Any) -> AsyncIterator[Any]:
    """ccxt.pro as it is, but for its addresses; imported as the house does, once for all tests."""
    kind, _ = load_pro(venue.name)
    settings = {"enableRateLimit": False} | options
    if key is not None:
        settings |= {"apiKey": key.key, "secret": key.secret}
    exchange = venue.wire(kind(settings))
    exchange.timeout_on_exit = 0  # Only encrypted connections need time to end.
    try:
        yield exchange
    finally:
        await exchange.close()


async def get(venue: Venue, path: str) -> tuple[int, dict[str, str], str]:
    async with ClientSession() as session, session.get(venue.address + path) as answer:
        return answer.status, dict(answer.headers), await answer.text()


def as_row(venue: Venue, symbol: str, candle: Candle) -> list[float]:
    prices = [_price(venue, symbol, points) for points in candle[1:5]]
    return [candle.opened_at_ms, *prices, _quantity(candle.volume)]


def as_trade(venue: Venue, symbol: str, each: Print) -> tuple[Any, ...]:
    price = _price(venue, symbol, each.price)
    return str(each.id), each.at_ms, each.side, price, _quantity(each.quantity)


def trade(said: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(said[name] for name in ("id", "timestamp", "side", "price", "amount"))


def as_levels(venue: Venue, symbol: str, depth: Depth, count: int) -> list[list[list[float]]]:
    return [
        [[_price(venue, symbol, price), _quantity(quantity)] for price, quantity in side[:count]]
        for side in depth
    ]


def sides(book: dict[str, Any]) -> list[list[list[float]]]:
    return [[level[:2] for level in book[side]] for side in ("bids", "asks")]


def _price(venue: Venue, symbol: str, points: int) -> float:
    return float(Decimal(points).scaleb(-venue.tape.coin(symbol).decimals))


def _quantity(grains: int) -> float:
    return float(Decimal(grains).scaleb(-GRAINS))


async def raises(venue: Venue, kind: str, error: str, *asked: Any) -> None:
    """Under this fault a question for candles ends as ccxt says it does in the world."""
    import ccxt

    async with traded(venue) as exchange:
        await exchange.load_markets()
        await venue.fault(kind)
        with pytest.raises(getattr(ccxt, error)):
            await exchange.fetch_ohlcv(*asked)
        await venue.heal()
        assert await exchange.fetch_ohlcv(*asked)
