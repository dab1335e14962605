"""Yes, no, or nobody knows: only what a venue has surely refused is rejected, by an allow-list.

What enters is an error of any kind, or what was heard of an answer; what leaves is an `Outcome`. A
class that is not in the table, a subclass, an answer without an id, HTML in place of JSON, a broken
connection, a cancelled task: UNKNOWN, to be looked up. What never left cannot have landed. A status
of 500 and above proves nothing, whatever the body says: Binance answers "Unknown error" with the
code of a rate limit. A duplicate id means that the first one landed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from rrr.core.orders import Rejection
from rrr.trading.live.asking import at
from rrr.trading.live.spelling import Request, Verb

WORDS_MAX: Final = 200

_SERVER_FAILED: Final = 500
_CCXT: Final = "ccxt.base.errors"


class Kind(Enum):
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Outcome(NamedTuple):
    """Of a cancel or an amendment it speaks of that alone, never of the order that it was for."""

    kind: Kind
    rejection: Rejection = Rejection.NONE
    words: str = ""
    venue_id: str = ""


@dataclass(slots=True)
class Heard:
    """What passed on the wire during one call: what left, and each answer as it came."""

    left: int = 0
    answers: list[tuple[int, str]] = field(default_factory=list)  # status, body

    @property
    def status(self) -> int | None:
        """Of the answer to what left last, or None: nobody has answered it."""
        return self.answers[-1][0] if 0 < self.left == len(self.answers) else None

    @property
    def text(self) -> str:
        return self.answers[-1][1] if self.answers else ""

    @property
    def body(self) -> Any:
        """The last answer's JSON, or None."""
        return _json(self.text)

    def whole(self, request: Request) -> bool:
        """Whether everything that left came back, as JSON that holds what it must hold.

        Where a call asks for several things in turn, the last answer is the one it is about.
        """
        if self.status is None:
            return False
        if any(status >= 300 or _json(text) is None for status, text in self.answers):
            return False
        found = at(self.body, request.proof)
        if request.verb is not Verb.LIST:
            return bool(found) and found != "0"
        # Where the answer itself is the list, an object is none.
        return isinstance(found, dict | list if request.proof else list)


def judged(error: BaseException | None, request: Request, heard: Heard) -> Outcome:
    """What became of a request that ended with this error, or with an answer."""
    if error is None:
        return _answered(request, heard)
    words = _words(request, error)
    rejection = _refused(error, request, heard)
    if rejection is None:
        return Outcome(Kind.UNKNOWN, words=words)
    return Outcome(Kind.REJECTED, rejection, words)


def missing(error: BaseException, request: Request, heard: Heard) -> bool:
    """Whether the venue has said, of an order that was asked for by name, that there is none."""
    asked = request.verb is Verb.FIND and _class_of(error) == "OrderNotFound"
    return asked and _spoken(heard)


def _answered(request: Request, heard: Heard) -> Outcome:
    if not heard.whole(request):
        return Outcome(Kind.UNKNOWN, words=f"{request.method}: the answer says nothing of it")
    found = at(heard.body, request.proof)
    venue_id = str(found) if request.verb is Verb.SEND else ""
    return Outcome(Kind.CONFIRMED, venue_id=venue_id)


def _refused(error: BaseException, request: Request, heard: Heard) -> Rejection | None:
    """Why the venue, or ccxt before it left, surely said no; None where that is not sure."""
    name, text = _class_of(error), f"{error} {heard.text}"
    if name is None or name not in CLASSES:
        return None
    if not heard.left:
        return _said(text) or CLASSES[name] or Rejection.TERMS
    if not _spoken(heard) or _DUPLICATE.search(text):
        return None
    if request.verb is Verb.SEND and at(heard.body, request.proof):
        return None
    if name == "OrderNotFound" or _GONE.search(text):
        return None if request.verb is Verb.SEND else Rejection.UNKNOWN_ORDER
    if name in STATED:
        return _said(heard.text)
    return (_said(text) or CLASSES[name]) if CLASSES[name] else None


def _spoken(heard: Heard) -> bool:
    """Whether the venue itself has answered, and not what stands before it or has failed."""
    status = heard.status
    return status is not None and status < _SERVER_FAILED and heard.body is not None


def _said(text: str) -> Rejection | None:
    return next((rejection for said, rejection in _SAID if said.search(text)), None)


def _class_of(error: BaseException) -> str | None:
    """The name of a class of ccxt's own tree, never of a subclass that somebody else made."""
    kind = type(error)
    return kind.__name__ if kind.__module__ == _CCXT else None


def _json(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _words(request: Request, error: BaseException) -> str:
    """For a person: no addresses, because some carry a signature."""
    said = re.sub(r"\w+://\S+", "", str(error))
    told = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return f"{request.method}: {type(error).__name__}: {told}"[:WORDS_MAX]


_N: Final = Rejection.NONE  # nobody knows

# Each class of ccxt's tree: why it surely refuses, or that it proves nothing.
_CLASSES: Final[Mapping[str, Rejection]] = {
    "BaseError": _N,
    "ExchangeError": _N,
    "AuthenticationError": Rejection.TERMS,
    "PermissionDenied": Rejection.TERMS,
    "AccountNotEnabled": Rejection.TERMS,
    "AccountSuspended": Rejection.TERMS,
    "ArgumentsRequired": _N,
    "BadRequest": _N,
    "BadSymbol": Rejection.TERMS,
    "OperationRejected": _N,
    "NoChange": _N,
    "MarginModeAlreadySet": _N,
    "MarketClosed": Rejection.NO_PRICE,
    "ManualInteractionNeeded": _N,
    "RestrictedLocation": Rejection.TERMS,
    "InsufficientFunds": Rejection.INSUFFICIENT,
    "InvalidAddress": _N,
    "AddressPending": _N,
    "InvalidOrder": Rejection.TERMS,
    "OrderNotFound": _N,
    "OrderNotCached": _N,
    "OrderImmediatelyFillable": Rejection.POST_ONLY,
    "OrderNotFillable": Rejection.LIQUIDITY,
    "DuplicateOrderId": _N,
    "ContractUnavailable": Rejection.TERMS,
    "NotSupported": _N,
    "InvalidProxySettings": _N,
    "ExchangeClosedByUser": _N,
    "OperationFailed": _N,
    "NetworkError": _N,
    "DDoSProtection": Rejection.CAPACITY,
    "RateLimitExceeded": Rejection.CAPACITY,
    "ExchangeNotAvailable": _N,
    "OnMaintenance": _N,
    "InvalidNonce": Rejection.TERMS,
    "ChecksumError": _N,
    "RequestTimeout": _N,
    "BadResponse": _N,
    "NullResponse": _N,
    "CancelPending": _N,
    "UnsubscribeError": _N,
}
CLASSES: Final = MappingProxyType(_CLASSES)

# They prove nothing by themselves; a refusal in the venue's own words does.
STATED: Final = frozenset({"ExchangeError", "BadRequest", "OperationRejected", "OnMaintenance"})

_DUPLICATE: Final = re.compile(r"duplicat|already (?:exist|been used|in use|used)|not unique", re.I)
_GONE: Final = re.compile(
    r"EOrder:Unknown order|Unknown order sent|UNKNOWN_CANCEL_ORDER|ORDER_IS_FULLY_FILLED"
)
_SAID: Final = tuple(
    (re.compile(said), rejection)
    for said, rejection in (
        (r"(?i)insufficient[ _](?:fund|balance)", Rejection.INSUFFICIENT),
        (r"(?i)trigger immediately|stop_price", Rejection.TERMS),
        (r"(?i)post[ _]only|immediately match", Rejection.POST_ONLY),
        (r"limit exceeded", Rejection.CAPACITY),
        (r"minimum not met|NOTIONAL|SIZE_TOO_SMALL|BELOW_MIN", Rejection.BELOW_MINIMUM),
        (r"LOT_SIZE|Invalid arguments:volume|SIZE_PRECISION", Rejection.QUANTITY_GRID),
        (r"Invalid price|arguments:price|PRICE_FILTER|PERCENT_PRICE", Rejection.PRICE_GRID),
        (r"INVALID_LIMIT_PRICE|INVALID_PRICE", Rejection.PRICE_GRID),
        (r"EOrder:|EGeneral:Invalid arguments|EGeneral:Permission", Rejection.TERMS),
        (r"EService:Market in|EQuery:Unknown asset pair", Rejection.NO_PRICE),
        (r'Filter failure|"code":-1(?:013|1\d\d)\b', Rejection.TERMS),
        (r'"error":\s?"(?!UNKNOWN|INTERNAL)[A-Z]+_[A-Z_]+"', Rejection.TERMS),
    )
)
