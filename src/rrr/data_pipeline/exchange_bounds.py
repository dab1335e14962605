"""Nothing that an exchange says is larger than there is room for: what is packed counts unpacked.

Answers are unpacked piece by piece, and given up beyond the bound. ccxt bounds the frames of a
socket, but not what some exchanges packed into them: that is unpacked here too. Imported once ccxt
is: it leans on its insides, and on aiohttp, which it brings.
"""

import zlib
from gzip import GzipFile
from io import BytesIO
from typing import Any, Final

import aiohttp

from rrr.data_pipeline.exchange_troubles import Trouble

ANSWER_MB: Final = 32  # lists of instruments have up to 20
FRAME_MB: Final = 16

_MB: Final = 1_000_000
_UNREADABLE: Final = "{?"  # whoever reads it drops it as what it is


def bound(ccxt: Any) -> None:
    """Give this exchange a session whose answers are bounded, whenever it makes one."""
    from ccxt.async_support.base.ws import client

    client.gunzip, client.inflate = gunzip, inflate
    opened, bounded = ccxt.open, None

    def open_bounded(lazy: bool = False) -> None:
        nonlocal bounded
        opened(lazy)
        if ccxt.own_session and ccxt.session is not bounded:
            ccxt.session.detach()
            ccxt.session = bounded = aiohttp.ClientSession(
                connector=ccxt.tcp_connector,
                response_class=_Bounded,
                trust_env=ccxt.aiohttp_trust_env,
            )

    ccxt.open = open_bounded


class _Bounded(aiohttp.ClientResponse):
    async def read(self) -> bytes:
        if self._body is None:
            self._body = await self._pieces()
        return await super().read()

    async def _pieces(self) -> bytes:
        body = bytearray()
        async for piece in self.content.iter_any():
            body += piece
            if len(body) > ANSWER_MB * _MB:
                self.close()
                raise Trouble("nonsense", f"answers with more than {ANSWER_MB} MB")
        return bytes(body)


def gunzip(data: bytes) -> str:
    """As ccxt's own, but for what is broken or too large."""
    try:
        with GzipFile(fileobj=BytesIO(data)) as packed:
            return _within(packed.read(FRAME_MB * _MB + 1))
    except (OSError, EOFError, zlib.error):
        return _UNREADABLE


def inflate(data: bytes) -> str:
    """As ccxt's own, but for what is broken or too large."""
    try:
        return _within(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, FRAME_MB * _MB + 1))
    except zlib.error:
        return _UNREADABLE


def _within(unpacked: bytes) -> str:
    return unpacked.decode(errors="replace") if len(unpacked) <= FRAME_MB * _MB else _UNREADABLE
