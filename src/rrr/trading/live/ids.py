"""An order's name at a venue is a function of its session and number: never random, never reused.

A name is 32 hexadecimal digits in the shape of a UUID of version 5, which every venue's check of
characters and lengths lets pass in one of five spellings: 72 bits of the session's tag, 48 of the
order's number. Ours are recognised by writing them again; what was written by anybody else is not.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

from rrr.core.errors import UsageError

SEQUENCE_END: Final = 1 << 48

_TAG_BYTES: Final = 9
_SEQUENCE_DIGITS: Final = 12


def client_id(venue: str, session_tag: str, sequence: int) -> str:
    """
    >>> client_id("kraken", "0123456789abcdef01", 7)
    '01234567-89ab-5cde-8f01-000000000007'
    >>> client_id("okx", "0123456789abcdef01", 7)
    '0123456789ab5cde8f01000000000007'
    """
    assert 0 < sequence < SEQUENCE_END, "A book numbers its orders from one."
    assert len(session_tag) == 2 * _TAG_BYTES, "A tag comes from `session_tag`."
    first, second, third = session_tag[:12], session_tag[12:15], session_tag[15:]
    return _spelling(venue)(f"{first}5{second}8{third}{sequence:0{_SEQUENCE_DIGITS}x}")


def sequence_of(venue: str, session_tag: str, text: str) -> int | None:
    """The number of our order of this name, or None: somebody else's, or of another session.

    >>> sequence_of("binance", "0123456789abcdef01", "rrr-0123456789ab5cde8f01000000000007")
    7
    >>> sequence_of("binance", "ffffffffffffffffff", "rrr-0123456789ab5cde8f01000000000007")
    """
    try:
        sequence = int(text[-_SEQUENCE_DIGITS:], 16)
    except ValueError:
        return None
    if not 0 < sequence < SEQUENCE_END or client_id(venue, session_tag, sequence) != text:
        return None
    return sequence


def session_tag(*birth: str | int) -> str:
    """A tag of what no two sessions share: the home, the session's key, when it was created.

    >>> session_tag("home", "key", 1) == session_tag("home", "key1")
    False
    """
    return blake2b(repr(birth).encode(), digest_size=_TAG_BYTES).hexdigest()


def _spelling(venue: str) -> Callable[[str], str]:
    if venue not in SPELLINGS:
        raise UsageError(
            f"Nobody has written down how orders are named at {venue!r}.",
            f"Trade live at {', '.join(SPELLINGS)}.",
        )
    return SPELLINGS[venue]


def _dashed(digits: str) -> str:
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts)


def _marked(digits: str) -> str:
    return f"rrr-{digits}"


def _bare(digits: str) -> str:
    return digits


SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "kraken": _dashed,  # a UUID, or else at most 18 characters
        "binance": _marked,  # at most 36 of .A-Z:/a-z0-9_-
        "coinbase": _dashed,  # a UUID
        "bybit": _marked,  # at most 36 of A-Za-z0-9_-
        "okx": _bare,  # at most 32 letters and digits
    }
)
