"""What a venue is asked about what is ours, and how the next page of an answer is asked for.

A page that could not be followed to its end is a failed question: nothing is concluded from it.
Orders are looked up by our own name. Where no list of a venue can be asked by it, all orders since
the intent are read and compared, because an order that is merely not on the first page has landed.
Binance keeps no ledger: its deposits, withdrawals, conversions and swept dust are asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from rrr.core.orders import is_stop
from rrr.trading.live.spelling import Path, Request, Verb, speech

Row = Mapping[str, Any]
Follow = Callable[[Request, Any], Request | None]

_KRAKEN_PAGE: Final = 50
_PAGE: Final = 100
_COINBASE_FILLS: Final = 250
_THOUSAND: Final = 1_000
_DAY_MS: Final = 86_400_000
_CONFIRMED_MS: Final = 7 * _DAY_MS  # what was begun so long ago may only now have come about


class Question(NamedTuple):
    """The first page, and what asks for the next one: from the page's request and its JSON."""

    request: Request
    follow: Follow
    there: Callable[[Any], list[Any]] | None = None  # the rows of a page, if not those at `proof`
    entries: Callable[[Row], list[dict[str, Any]]] | None = (
        None  # of a ledger, that a row stands for
    )

    def held(self, body: Any) -> int:
        """How many rows the venue has told on this page."""
        return len(self.there(body) if self.there else at(body, self.request.proof))

    def told(self, row: Any) -> list[Any]:
        return self.entries(row) if self.entries else [row]


def look_up(venue: str, pair: str, kind: int, client_id: str, since_ms: int) -> list[Question]:
    """What must all be asked before an order of this name can be called missing.

    Open orders before closed ones: between the two questions an order only goes that way.
    """
    speech(venue)
    match venue:
        case "kraken":
            named = {"clientOrderId": client_id}
            return [
                _listed("fetch_open_orders", (), ("result", "open"), _never, named),
                _listed("fetch_closed_orders", (), ("result", "closed"), _never, named),
            ]
        case "binance":
            return [_found(pair, ("orderId",), {"origClientOrderId": client_id})]
        case "coinbase":
            return [_orders_of_coinbase(pair, since_ms)]
        case "bybit":
            named = {"orderLinkId": client_id}
            if is_stop(kind):
                named |= {"orderFilter": "tpslOrder"}
            return [
                _listed("fetch_open_orders", (pair,), _LIST, _never, named),
                _listed("fetch_canceled_and_closed_orders", (pair,), _LIST, _never, named),
            ]
    if is_stop(kind):
        return [_found(pair, ("data", 0, "algoId"), {"clientOrderId": client_id, "trigger": True})]
    return [_found(pair, ("data", 0, "ordId"), {"clientOrderId": client_id})]


def find(venue: str, pair: str, kind: int, venue_id: str) -> Question | None:
    """One question for one order, by the venue's own name for it; None where it takes more."""
    speech(venue)
    match venue:
        case "kraken":
            path: Path = ("result", venue_id, "status")
        case "binance":
            path = ("orderId",)
        case "coinbase":
            path = ("order", "order_id")
        case _:
            return None
    return Question(Request(Verb.FIND, "fetch_order", (venue_id, pair), {}, path), _never)


def open_orders(venue: str, pairs: Sequence[str]) -> list[Question]:
    speech(venue)
    verb = "fetch_open_orders"
    match venue:
        case "kraken":
            return [_listed(verb, (), ("result", "open"), _never)]
        case "binance":
            return [_listed(verb, (pair,), (), _never) for pair in pairs]
        case "coinbase":
            return [_listed(verb, (None, None, _THOUSAND), ("orders",), _by_cursor)]
        case "bybit":
            return [
                _listed(verb, (pair, None, 50), _LIST, _by_page_cursor, {"orderFilter": kind})
                for pair in pairs
                for kind in ("Order", "tpslOrder")
            ]
    return [
        _listed(verb, (pair, None, _PAGE), ("data",), _only_if_short, kind)
        for pair in pairs
        for kind in ({}, {"ordType": "conditional"})
    ]


def closed_orders(venue: str, pairs: Sequence[str], since_ms: int) -> list[Question]:
    """Whatever was sent since then and ended: filled, cancelled or expired.

    Most venues leave out what was sent before and ended since: whoever asks begins at the oldest
    order that he still waits for.
    """
    speech(venue)
    match venue:
        case "kraken":
            return [_of_kraken("fetch_closed_orders", ("result", "closed"), since_ms)]
        case "binance":
            return [_of_binance("fetch_orders", pair, "orderId", since_ms) for pair in pairs]
        case "coinbase":
            return [_orders_of_coinbase(None, since_ms)]
        case "bybit":
            return [
                _of_bybit("fetch_canceled_and_closed_orders", pair, 50, since_ms) for pair in pairs
            ]
    return [
        _of_okx(verb, pair, since_ms)
        for pair in pairs
        for verb in ("fetch_closed_orders", "fetch_canceled_orders")
    ]


def trades(venue: str, pairs: Sequence[str], since_ms: int) -> list[Question]:
    """Our own, which are the truth about what was filled."""
    speech(venue)
    verb = "fetch_my_trades"
    match venue:
        case "kraken":
            return [_of_kraken(verb, ("result", "trades"), since_ms)]
        case "binance":
            return [_of_binance(verb, pair, "fromId", since_ms) for pair in pairs]
        case "coinbase":
            arguments = (None, None, _COINBASE_FILLS)
            begin = {"start_sequence_timestamp": _date(since_ms)}
            return [_listed(verb, arguments, ("fills",), _by_cursor, begin)]
        case "bybit":
            return [_of_bybit(verb, pair, _PAGE, since_ms) for pair in pairs]
    return [_of_okx(verb, pair, since_ms) for pair in pairs]


def accounts(venue: str) -> Question | None:
    """Where each coin has an account of its own, whoever asks for its ledger must know it."""
    if venue != "coinbase":
        return None
    return _listed("load_accounts", (True,), ("accounts",), _only_if_last)


def balances(venue: str) -> Request:
    speech(venue)
    path, params = _BALANCES[venue]
    return Request(Verb.LIST, "fetch_balance", (), params, path)


def ledger(venue: str, codes: Sequence[str], since_ms: int, now_ms: int) -> list[Question]:
    """The venue's own ledger of these currencies, since then and perhaps from before."""
    speech(venue)
    verb = "fetch_ledger"
    match venue:
        case "kraken":
            return [_of_kraken(verb, ("result", "ledger"), since_ms)]
        case "binance":
            return _moves_of_binance(since_ms - _CONFIRMED_MS, now_ms)
        case "coinbase":
            follow = _newest_first(since_ms)
            return [_listed(verb, (code, None, _PAGE), ("data",), follow) for code in codes]
        case "bybit":
            return [_of_bybit(verb, None, 50, since_ms)]
    return [_listed(verb, (None, None, _PAGE), ("data",), _only_if_short)]


def fees(venue: str, pairs: Sequence[str]) -> list[Request]:
    """The rates of the account's own tier."""
    speech(venue)
    if venue == "coinbase":
        return [Request(Verb.LIST, "fetch_trading_fees", (), {}, ("fee_tier",))]
    path = _FEES[venue]
    return [Request(Verb.LIST, "fetch_trading_fee", (pair,), {}, path) for pair in pairs]


def at(body: Any, path: Path) -> Any:
    """What lies there, or None.

    >>> at({"result": {"txid": ["O1"]}}, ("result", "txid", 0))
    'O1'
    >>> at("<html>", ("result",))
    """
    for step in path:
        if isinstance(step, int):
            body = body[step] if isinstance(body, list) and len(body) > step else None
        else:
            body = body.get(step) if isinstance(body, dict) else None
    return body


def _found(pair: str, path: Path, named: Mapping[str, Any]) -> Question:
    return Question(Request(Verb.FIND, "fetch_order", ("", pair), named, path), _never)


def _listed(
    method: str,
    arguments: tuple[Any, ...],
    path: Path,
    follow: Follow,
    params: Mapping[str, Any] = MappingProxyType({}),
) -> Question:
    """No moment is ever given to ccxt itself: it would drop rows by a stamp of its own choice."""
    return Question(Request(Verb.LIST, method, arguments, params, path), follow)


def _of_kraken(method: str, path: Path, since_ms: int) -> Question:
    begin = {"start": since_ms // 1000 - 1}  # it leaves out that very second
    return _listed(method, (), path, _by_offset, begin)


def _of_binance(method: str, pair: str, id_param: str, since_ms: int) -> Question:
    begin = {"startTime": since_ms}
    return _listed(method, (pair, None, _THOUSAND), (), _from_id(id_param), begin)


def _moves_of_binance(since_ms: int, now_ms: int) -> list[Question]:
    """In windows that it serves; the last one has no end, whatever our clock says."""
    found = []
    for verb in ("fetch_deposits", "fetch_withdrawals"):
        arguments = (None, None, _THOUSAND)
        for window in _windows(since_ms, now_ms, 90):
            found.append(_listed(verb, arguments, (), _by_row, window))
    for window in _windows(since_ms, now_ms, 30):
        arguments = (None, None, _THOUSAND)
        asked = _listed("fetch_convert_trade_history", arguments, ("list",), _only_if_last, window)
        found.append(asked._replace(entries=_converted))
    for window in _windows(since_ms, now_ms, 90):
        path = ("userAssetDribblets",)
        asked = _listed("fetch_my_dust_trades", (), path, _only_if_few, window)
        found.append(asked._replace(there=_dust, entries=_swept))
    return found


def _windows(since_ms: int, now_ms: int, days: int) -> Iterator[dict[str, int]]:
    """
    >>> list(_windows(0, 86_400_000 + 5, 1))
    [{'startTime': 0, 'endTime': 86399999}, {'startTime': 86400000}]
    """
    begin, length = max(since_ms, 0), days * _DAY_MS
    while begin + length <= now_ms:
        yield {"startTime": begin, "endTime": begin + length - 1}
        begin += length
    yield {"startTime": begin}


def _of_bybit(method: str, pair: str | None, page: int, since_ms: int) -> Question:
    begin = {"startTime": since_ms}
    return _listed(method, (pair, None, page), _LIST, _by_page_cursor, begin)


def _of_okx(method: str, pair: str, since_ms: int) -> Question:
    return _listed(method, (pair, None, _PAGE), ("data",), _only_if_short, {"begin": since_ms})


def _orders_of_coinbase(pair: str | None, since_ms: int) -> Question:
    begin = {"start_date": _date(since_ms)}
    return _listed("fetch_orders", (pair, None, _THOUSAND), ("orders",), _by_cursor, begin)


def _date(at_ms: int) -> str:
    """
    >>> _date(1_700_000_000_123)
    '2023-11-14T22:13:20.123Z'
    """
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z"


def _never(request: Request, body: Any) -> Request | None:
    return None


def _only_if_short(request: Request, body: Any) -> Request | None:
    """A full page of a venue whose pages nobody has followed yet has no end."""
    return request if len(at(body, request.proof)) >= _PAGE else None


def _by_offset(request: Request, body: Any) -> Request | None:
    """Kraken counts from the newest: what is new meanwhile comes twice, and is missed never."""
    if len(at(body, request.proof)) < _KRAKEN_PAGE:
        return None
    return _with(request, {"ofs": request.params.get("ofs", 0) + _KRAKEN_PAGE})


def _from_id(param: str) -> Follow:
    def follow(request: Request, body: Any) -> Request | None:
        if len(body) < _THOUSAND:
            return None
        last = max(int(row["id" if param == "fromId" else "orderId"]) for row in body)
        return request._replace(params={param: last + 1})

    return follow


def _by_row(request: Request, body: Any) -> Request | None:
    if len(body) < _THOUSAND:
        return None
    return _with(request, {"offset": request.params.get("offset", 0) + _THOUSAND})


def _only_if_last(request: Request, body: Any) -> Request | None:
    """Conversions, and accounts, that go on where nobody can ask for them."""
    more = body.get("moreData", body.get("has_next"))
    return request if more is not False else None


def _only_if_few(request: Request, body: Any) -> Request | None:
    """It tells the last hundred, and not whether there were more."""
    return request if len(_dust(body)) >= _PAGE else None


def _dust(body: Any) -> list[Any]:
    return [row for swept in body["userAssetDribblets"] for row in swept[_DETAILS]]


def _converted(row: Row) -> list[dict[str, Any]]:
    """What was given and what was got."""
    said = str(row["info"].get("orderStatus"))
    kind = {"type": "conversion", "id": row["id"], "timestamp": row["timestamp"]}
    kind |= {"status": {"SUCCESS": "ok", "FAIL": "failed"}.get(said, "pending")}
    return [
        kind | {"currency": row["fromCurrency"], "amount": row["fromAmount"], "direction": "out"},
        kind | {"currency": row["toCurrency"], "amount": row["toAmount"], "direction": "in"},
    ]


def _swept(row: Row) -> list[dict[str, Any]]:
    """Dust becomes BNB, from which the charge is taken already."""
    said = row["info"]
    kind = {"type": "conversion", "timestamp": row["timestamp"], "status": "ok"}
    kind |= {"id": f"{said['transId']} {said['fromAsset']}"}
    return [
        kind | {"currency": said["fromAsset"], "amount": said["amount"], "direction": "out"},
        kind | {"currency": "BNB", "amount": said["transferedAmount"], "direction": "in"},
    ]


def _by_cursor(request: Request, body: Any) -> Request | None:
    cursor = body.get("cursor")
    return _with(request, {"cursor": cursor}) if cursor and body.get("has_next", True) else None


def _by_page_cursor(request: Request, body: Any) -> Request | None:
    cursor = at(body, ("result", "nextPageCursor"))
    return _with(request, {"cursor": cursor}) if cursor else None


def _newest_first(since_ms: int) -> Follow:
    """Coinbase's ledger knows no beginning: what is older than was asked for ends it."""

    def follow(request: Request, body: Any) -> Request | None:
        cursor = at(body, ("pagination", "next_starting_after"))
        stamps = [datetime.fromisoformat(row["created_at"]) for row in body["data"]]
        older = any(stamp.timestamp() * 1000 < since_ms for stamp in stamps)
        return _with(request, {"starting_after": cursor}) if cursor and not older else None

    return follow


def _with(request: Request, params: Mapping[str, Any]) -> Request:
    return request._replace(params={**request.params, **params})


_LIST: Final[Path] = ("result", "list")
_DETAILS: Final = "userAssetDribbletDetails"

_FEES: Final[Mapping[str, Path]] = MappingProxyType(
    {"kraken": ("result", "fees"), "binance": (), "bybit": _LIST, "okx": ("data",)}
)

_BALANCES: Final[Mapping[str, tuple[Path, Mapping[str, Any]]]] = MappingProxyType(
    {
        "kraken": (("result",), {}),
        "binance": (("balances",), {"type": "spot"}),
        "coinbase": (("accounts",), {"v3": True}),  # the older list does not tell what is held
        "bybit": (_LIST, {}),
        "okx": (("data",), {}),
    }
)
