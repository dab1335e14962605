"""Unmodified ccxt with keys and markets, whose network is a list of what left and what returns."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from rrr.core.market import Instrument
from rrr.core.orders import NO_ORDER, Kind, Side, TimeInForce
from rrr.data_pipeline import lean_ccxt
from rrr.trading.live.ids import session_tag
from rrr.trading.live.spelling import Rules
from rrr.trading.live.wire import Wire

PROVEN: Final = ("kraken", "coinbase", "binance")
VENUES: Final = (*PROVEN, "bybit", "okx")

PAIR: Final = "BTC/USD"
TAG: Final = session_tag("home", "key", 1)

# One point is a cent's hundredth, one grain 10⁻⁸ coins; ticks are dimes.
BTC: Final = Instrument(0, 1, 10**4, 1_000, 10_000, 10_000, 10**8, 0, 0, 0, 0, 0, 0)
RULES: Final = Rules(PAIR, points=4, grains=8, instrument=BTC)
PRICE: Final = 971_234_000  # 97123.40
AMOUNT: Final = 1_230_000  # 0.0123

SELL: Final = NO_ORDER._replace(
    sequence=7, side=int(Side.SELL), quantity=AMOUNT, price=PRICE, reduce_only=1
)
BUY: Final = SELL._replace(side=int(Side.BUY), reduce_only=0)
TAKE: Final = BUY._replace(kind=int(Kind.TAKE), time_in_force=int(TimeInForce.IOC))
EXIT: Final = SELL._replace(kind=int(Kind.TAKE), time_in_force=int(TimeInForce.IOC))
LIMIT: Final = BUY._replace(kind=int(Kind.LIMIT))
STOP: Final = SELL._replace(kind=int(Kind.STOP))
STOP_LIMIT: Final = SELL._replace(kind=int(Kind.STOP_LIMIT), limit=PRICE - 1_000_000)

# Bybit is asked what account it is before the first order; here it has been.
_OPTIONS: Final = {
    "defaultType": "spot",
    "enableUnifiedMargin": False,
    "enableUnifiedAccount": True,
}
_SIGNING: Final = {"nonce", "timestamp", "recvWindow", "signature"}

Answer = tuple[int, str] | BaseException


class Sent(NamedTuple):
    """One request as it left: signed, on its way to the venue."""

    method: str
    path: str
    said: dict[str, Any]
    signed: bool


@dataclass
class Ether:
    """In place of the network: it keeps what leaves, and gives the next answer; the last stays."""

    answers: list[Answer] = field(default_factory=lambda: [(200, "{}")])
    sent: list[Sent] = field(default_factory=list)

    def session(self) -> Any:
        return _Session(self)

    def heard(self, method: str, url: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        place = urlsplit(url)
        said = _said(place.query, data)
        signed = "signature" in said or any("SIGN" in name.upper() for name in headers)
        what = {name: value for name, value in said.items() if name not in _SIGNING}
        self.sent.append(Sent(method, place.path, what, signed))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Session:
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, ether: Ether) -> None:
        self._ether = ether

    def __getattr__(self, method: str) -> Callable[..., "_Response"]:
        def request(
            url: Any, data: bytes | None, headers: dict[str, str], **more: Any
        ) -> _Response:
            return _Response(self._ether.heard(method.upper(), str(url), data, headers))

        return request


class _Response:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.headers = {"Content-Type": "application/json"}
        self.reason = "said"

    async def __aenter__(self) -> Self:
        if isinstance(self._answer, BaseException):
            raise self._answer
        self.status, self._text = self._answer
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def text(self, errors: str) -> str:
        return self._text


def instance(venue: str, ether: Ether, rules: Rules = RULES) -> Any:
    """ccxt's own class, as it comes; only its session is ours."""
    kind, _ = lean_ccxt.load(venue)
    keys = {"apiKey": "key", "secret": "c2VjcmV0", "password": "word"}
    ccxt = kind({**keys, "enableRateLimit": False, "options": _OPTIONS})
    ccxt.own_session, ccxt.session = False, ether.session()
    ccxt.logger.disabled = True  # it warns of sessions that nobody closes, and ours is none
    ccxt.set_markets([_market(ccxt, rules)])
    ccxt.accounts = [{"id": "1", "code": "USD", "type": None, "info": {}}]
    return ccxt


def wire(venue: str, *answers: Answer) -> tuple[Wire, Ether]:
    ether = Ether(list(answers) or [(200, "{}")])
    return Wire(instance(venue, ether), [PAIR]), ether


def _said(query: str, data: bytes | None) -> dict[str, Any]:
    text = data.decode() if data else ""
    if text[:1] in ("{", "["):
        body = json.loads(text)
        return dict(body[0] if isinstance(body, list) else body)
    return dict(parse_qsl(query, keep_blank_values=True)) | dict(
        parse_qsl(text, keep_blank_values=True)
    )


def _market(ccxt: Any, rules: Rules) -> Any:
    base, quote = rules.pair.split("/")
    kinds = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT")
    return ccxt.safe_market_structure(
        {
            "id": f"{base}-{quote}",
            "symbol": rules.pair,
            "base": base,
            "quote": quote,
            "baseId": base,
            "quoteId": quote,
            "type": "spot",
            "spot": True,
            "contract": False,
            "active": True,
            "precision": {
                "amount": rules.instrument.lot / 10**rules.grains,
                "price": rules.instrument.tick / 10**rules.points,
            },
            "info": {"orderTypes": list(kinds)},
        }
    )
