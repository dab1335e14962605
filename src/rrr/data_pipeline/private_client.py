"""Whoever holds the keys of an account speaks for it: signed, at the venue's pace, one stamp each.

Stamps never repeat and never go back, whatever the clock does: venues that count by them take a
request that comes with an older one for a replay, and refuse it.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from rrr.config.keys import Keys
from rrr.core.errors import NotArmed, RRRError, Unavailable
from rrr.data_pipeline import lean_ccxt
from rrr.data_pipeline.exchange_client import MISREAD, Manner, lead, only_spot, pause_asked_s
from rrr.data_pipeline.exchange_pace import BAN_S, Requests, is_exit
from rrr.data_pipeline.exchange_troubles import Trouble

RECEIVE_MS: Final = 5_000  # how old a request may be when it arrives; Binance advises no more
PAUSE_S: Final = 5.0  # after a 429 that names no time
# docs.kraken.com, "Spot REST rate limits": a counter of 15 points that falls by a third of one a
# second (Starter); ccxt counts three weights a point.
BURSTS: Final[Mapping[str, int]] = {"kraken": 45}
HERE: Final = ("127.0.0.1", "::1", "localhost")
TIMEOUT_MS: Final = 10_000

Dressed = Callable[[Any], None]


def is_bare(address: str | None) -> bool:
    """Whether what is said there can be read on its way.

    >>> is_bare("http://192.0.2.2:80"), is_bare("http://127.0.0.1:80"), is_bare(None)
    (True, False, False)
    """
    place = urlsplit(address or "")
    return place.scheme == "http" and place.hostname not in HERE


def signed(
    keys: Keys,
    address: str | None = None,
    dressed: Dressed = lambda ccxt: None,
    *,
    sockets: bool = False,
) -> Any:
    """An instance of ccxt's that signs with these keys. It has asked for nothing yet.

    Raise NotArmed where keys would cross a network unencrypted.
    """
    if is_bare(address):
        raise NotArmed(
            f"Keys would cross the network unencrypted: {address} begins with http:.",
            "Leave address out, or let it begin with https:.",
        )
    pro = sockets and lean_ccxt.has_pro(keys.venue)
    kind, _ = (lean_ccxt.load_pro if pro else lean_ccxt.load)(keys.venue)
    password = {"password": keys.password.get_secret_value()} if keys.password else {}
    ccxt = kind(
        {
            "apiKey": keys.key.get_secret_value(),
            "secret": keys.secret.get_secret_value(),
            "timeout": TIMEOUT_MS,
            "options": {"defaultType": "spot"},
            **password,
        }
    )
    lead(ccxt, address, sandbox=keys.network == "sandbox")
    dressed(ccxt)
    return ccxt


@asynccontextmanager
async def account(
    keys: Keys,
    address: str | None,
    clock_ms: Callable[[], int],
    manner: Manner,
) -> AsyncIterator[Any]:
    """An instance that knows its markets, at the venue's pace, until the block ends.

    `clock_ms` is the venue's clock, as far as it is known. Raise Unavailable where it does not
    answer.
    """
    ccxt = signed(keys, address, manner.dressed, sockets=manner.sockets)
    ccxt.milliseconds = clock_ms
    ccxt.nonce = _rising(ccxt.nonce)
    ccxt.options["recvWindow"] = RECEIVE_MS
    only_spot(ccxt)
    requests = Requests(
        keys.venue,
        ccxt.rateLimit,
        manner.monotonic_ms,
        manner.wait,
        burst=BURSTS.get(keys.venue, 0),
    )
    _pace(ccxt, requests)
    try:
        await _markets(ccxt, keys.venue)
        yield ccxt
    finally:
        await ccxt.close()


@contextmanager
def exits() -> Iterator[None]:
    """What is asked inside may spend the reserve of the pace."""
    token = is_exit.set(True)
    try:
        yield
    finally:
        is_exit.reset(token)


async def _markets(ccxt: Any, venue: str) -> None:
    from ccxt.base.errors import BaseError

    failed: RRRError
    try:
        await ccxt.load_markets()
        return
    except (BaseError, OSError, *MISREAD) as error:
        failed = Unavailable(
            f"{venue} does not name its instruments ({type(error).__name__}).", "Start again later."
        )
    raise failed


def _pace(ccxt: Any, requests: Requests) -> None:
    """Our budget stands in for ccxt's limiter; a pause that the venue wants is its refusal."""
    strip = ccxt.on_rest_response

    async def throttle(weight: float | None = None) -> None:
        from ccxt.base.errors import RateLimitExceeded

        try:
            await requests.turn(weight)
        except Trouble as trouble:
            raise RateLimitExceeded(f"{ccxt.id} {trouble}") from trouble

    def answered(
        status: int, reason: str, url: str, method: str, headers: Any, body: str, *more: Any
    ) -> Any:
        requests.answered(headers)
        if status in (418, 429):
            usual_s = BAN_S if status == 418 else PAUSE_S
            requests.pause(pause_asked_s(headers) or usual_s)
        return strip(status, reason, url, method, headers, body, *more)

    ccxt.throttle, ccxt.on_rest_response = throttle, answered


def _rising(stamp: Callable[[], int]) -> Callable[[], int]:
    last = 0

    def nonce() -> int:
        nonlocal last
        last = max(stamp(), last + 1)
        return last

    return nonce
