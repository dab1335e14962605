"""Who says too much is given up, and costs no more room than there is."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from aiohttp import WSCloseCode, web

from rrr.data_pipeline import exchange_bounds
from rrr.data_pipeline.exchange_bounds import ANSWER_MB, FRAME_MB, gunzip, inflate
from rrr.data_pipeline.exchange_client import Client, Manner, connect
from rrr.data_pipeline.exchange_troubles import Trouble
from tests.data_pipeline.exchanges import Teller

MB = 1_000_000
ROOM_MB = 4 * ANSWER_MB  # what grows moves


def bomb(megabytes: int) -> bytes:
    """Deflated zeros, without an end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head * megabytes


def zipped(deflated: bytes) -> bytes:
    return gzip.compress(b"")[:10] + deflated


@contextmanager
def little_room() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < ROOM_MB * MB
    finally:
        tracemalloc.stop()


@asynccontextmanager
async def served(handler: object) -> AsyncIterator[Client]:
    """Kraken, where every path answers so."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    manner = Manner(rate_limited=False, sockets=True)
    client = connect("kraken", "1m", f"http://{host}:{port}", manner, Teller())
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


async def packed(request: web.Request) -> web.Response:
    body = zipped(bomb(10 * ANSWER_MB))
    assert len(body) < MB
    return web.Response(body=body, headers={"Content-Encoding": "gzip"})


async def endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(10 * ANSWER_MB):
        await answer.write(bytes(MB))
    return answer


@pytest.mark.parametrize("handler", [packed, endless])
async def test_an_answer_beyond_all_bounds_is_given_up(handler: object) -> None:
    async with served(handler) as client:
        with little_room(), pytest.raises(Trouble, match="answers with more than 32 MB") as caught:
            await client.markets()
    assert caught.value.kind == "nonsense"


async def test_a_long_answer_that_is_packed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"error": ["EGeneral:' + b"so " * 100_000 + b'"]}'

    async def long(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(text), headers={"Content-Encoding": "gzip"})

    async with served(long) as client:
        with pytest.raises(Trouble, match=r"refuses to answer .*so so so"):
            await client.markets()
        monkeypatch.setattr(exchange_bounds, "ANSWER_MB", 0.2)
        with pytest.raises(Trouble, match="answers with more than"):
            await client.markets()


async def test_a_frame_beyond_all_bounds_ends_its_connection() -> None:
    codes = asyncio.Queue[int | None]()

    async def shouting(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert socket.compress, "It was packed."
        await socket.send_str(" " * FRAME_MB * MB)
        await socket.receive()
        codes.put_nowait(socket.close_code)
        return socket

    async with served(shouting) as client:
        from ccxt.base.errors import NetworkError

        with pytest.raises(NetworkError):
            await client.ccxt.watch("ws" + client.ccxt.urls["api"]["public"][4:], "anything")
        assert await codes.get() == WSCloseCode.MESSAGE_TOO_BIG


def test_what_ccxt_unpacks_of_a_frame_is_bounded() -> None:
    from ccxt.async_support.base.ws import client

    connect("htx", "1m", None, Manner(sockets=True), Teller())
    assert (client.gunzip, client.inflate) == (gunzip, inflate)
    with little_room():
        assert gunzip(zipped(bomb(1_000))) == inflate(bomb(1_000)) == gunzip(b"?") == inflate(b"?")


def test_what_fits_is_unpacked_as_ccxt_does() -> None:
    from ccxt.async_support.base.ws import functions

    text = '{"ping": 1, "é": "…"}'.encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = packer.compress(text) + packer.flush()
    assert gunzip(gzip.compress(text)) == functions.gunzip(gzip.compress(text))
    assert inflate(deflated) == functions.inflate(deflated).decode()
