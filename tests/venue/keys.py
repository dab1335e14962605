"""Whoever asks for an account signs with a key, and a key may only what it was made for."""

import base64
import hashlib
import hmac
from typing import Final, NamedTuple

READS: Final = frozenset({"query-funds", "query-open-trades", "query-closed-trades"})
MORE: Final = frozenset({"query-ledger", "create-ws-token"})
TRADES: Final = frozenset({"modify-trades", "close-trades"})
WITHDRAWS: Final = frozenset({"withdraw-funds", "add-funds"})


class Key(NamedTuple):
    """Permissions are in Kraken's words."""

    name: str
    key: str
    secret: str  # base64, as Kraken gives them
    may: frozenset[str]

    def signature(self, path: str, nonce: str, body: str) -> str:
        """As Kraken wants it."""
        inner = hashlib.sha256((nonce + body).encode()).digest()
        secret = base64.b64decode(self.secret)
        digest = hmac.new(secret, path.encode() + inner, hashlib.sha512).digest()
        return base64.b64encode(digest).decode()

    def plain_signature(self, body: str) -> str:
        """As Binance and Coinbase want it."""
        return hmac.new(self.secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def _key(name: str, may: frozenset[str]) -> Key:
    # Without padding: what ends in "=" is another kind of key at Coinbase.
    words = f"what only the loopback's {name} knows".ljust(48)
    secret = base64.b64encode(words.encode()).decode()
    return Key(name, f"loopback-{name}", secret, may)


TRADER: Final = _key("trader", READS | MORE | TRADES)
WITHDRAWER: Final = _key("withdrawer", READS | MORE | TRADES | WITHDRAWS)
READER: Final = _key("reader", READS | MORE)
KEYS: Final = {each.key: each for each in (TRADER, WITHDRAWER, READER)}
