"""What a key may do is read from the venue's own words; what cannot be read may do everything.

A word that nobody has written down here is a danger, not a detail: the answer is then refused.
The spellings of Binance, Bybit, Coinbase and OKX are those of their documents; Kraken's list of
words is recalled, and another one would be refused.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from rrr.core.errors import NotArmed

_KRAKEN_HARMLESS: Final = frozenset(
    {
        *("query-funds", "query-open-trades", "query-closed-trades", "query-ledger"),
        *("modify-trades", "close-trades", "export-data", "create-ws-token"),
    }
)
_KRAKEN_MOVES: Final = frozenset(
    {
        *("withdraw-funds", "add-funds", "earn-funds"),
        *("add-withdraw-address", "update-withdraw-address"),
    }
)
_MISREAD: Final = (KeyError, IndexError, TypeError, AttributeError, ValueError)


class Allowed(NamedTuple):
    """What a key may do."""

    trades: bool
    withdraws: bool  # or moves money in any other way
    bound: bool | None  # to certain addresses; None: the venue does not say


def allowed(venue: str, answer: object) -> Allowed:
    """Raise NotArmed where the answer does not prove what the key may do.

    >>> allowed("coinbase", {"can_view": True, "can_trade": True, "can_transfer": False})
    Allowed(trades=True, withdraws=False, bound=None)
    """
    with suppress(*_MISREAD):
        return _READERS[venue][1](answer)
    raise NotArmed(
        f"{venue} did not say what these keys may do.",
        "Make keys that may read their own permissions, and may not withdraw.",
    )


def question(venue: str) -> str:
    """The call of ccxt that asks for it."""
    if venue not in _READERS:
        raise NotArmed(
            f"Nobody has written down how {venue} tells what a key may do.",
            f"Trade at {', '.join(_READERS)}.",
        )
    return _READERS[venue][0]


def _kraken(answer: Any) -> Allowed:
    result = answer["result"]
    words = frozenset(map(_text, _list(result["permissions"])))
    if words - _KRAKEN_HARMLESS - _KRAKEN_MOVES:
        raise ValueError("a word that nobody knows")
    return Allowed(
        "modify-trades" in words, bool(words & _KRAKEN_MOVES), _ips(result, "ipAllowlist")
    )


def _coinbase(answer: Any) -> Allowed:
    return Allowed(_bool(answer["can_trade"]), _bool(answer["can_transfer"]), None)


def _binance(answer: Any) -> Allowed:
    moves = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
    return Allowed(
        _bool(answer["enableSpotAndMarginTrading"]),
        True in [_bool(answer[name]) for name in moves],
        _bool(answer["ipRestrict"]),
    )


def _bybit(answer: Any) -> Allowed:
    result = answer["result"]
    permissions = result["permissions"]
    trades = "SpotTrade" in _list(permissions["Spot"]) and int(result["readOnly"]) == 0
    ips = _list(result["ips"])
    return Allowed(trades, bool(_list(permissions["Wallet"])), bool(ips) and "*" not in ips)


def _okx(answer: Any) -> Allowed:
    (account,) = _list(answer["data"])
    words = {word.strip() for word in _text(account["perm"]).split(",")}
    if not words <= {"read_only", "trade", "withdraw"}:
        raise ValueError("a word that nobody knows")
    return Allowed("trade" in words, "withdraw" in words, bool(_text(account["ip"]).strip()))


def _ips(result: Mapping[str, Any], name: str) -> bool | None:
    return bool(_list(result[name])) if name in result else None


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("no truth value")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


_READERS: Final[Mapping[str, tuple[str, Callable[[Any], Allowed]]]] = {
    "kraken": ("private_post_getapikeyinfo", _kraken),
    "coinbase": ("v3_private_get_brokerage_key_permissions", _coinbase),
    "binance": ("sapi_get_account_apirestrictions", _binance),
    "bybit": ("private_get_v5_user_query_api", _bybit),
    "okx": ("private_get_account_config", _okx),
}
