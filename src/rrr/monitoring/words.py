"""A number is written for a person in one way, and every reason has its sentence.

Tables are complete by test: a new refusal without its words does not pass.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from rrr.core.orders import Rejection
from rrr.core.rules import Refusal

SYNTHETIC: Final = "SYNTHETIC"

REFUSALS: Final[Mapping[Refusal, str]] = {
    Refusal.PENDING: "another order of this instrument still works",
    Refusal.HALTED: "the book takes no new risk until it is resumed",
    Refusal.LOSS_24H: "more was lost within 24 hours than is allowed",
    Refusal.SYNTHETIC: "a candle that nobody traded may open no position",
    Refusal.STALE: "its last candle is too old",
    Refusal.WARMUP: "too few of its candles are known yet",
    Refusal.COOLDOWN: "it is left alone for a while after its stop",
    Refusal.CAPACITY: "the position would be larger than the books can count",
    Refusal.QUANTITY_MIN: "the venue sells no quantity so small",
    Refusal.NOTIONAL_MIN: "at its stop it would be worth less than the venue takes",
    Refusal.NOTIONAL_MAX: "it is more than one order may buy",
    Refusal.EXPOSURE: "one instrument would be too large a share of the equity",
    Refusal.GROSS: "all positions together would be too large a share of the equity",
    Refusal.BOOK_VOLATILITY: "all positions together would move the equity too much",
    Refusal.CASH: "there is not enough free cash",
    Refusal.ORDER_RATE: "too many orders were opened within a minute",
}

REJECTIONS: Final[Mapping[Rejection, str]] = {
    Rejection.INSUFFICIENT: "not enough is there to cover it",
    Rejection.PRICE_GRID: "its price stands on no tick",
    Rejection.QUANTITY_GRID: "its quantity is no whole number of lots",
    Rejection.BELOW_MINIMUM: "it is smaller than the venue takes",
    Rejection.UNKNOWN_ORDER: "the order had ended before it could be called back",
    Rejection.CAPACITY: "the venue has no room for it",
    Rejection.COLLAR: "the candle opened beyond its limit",
    Rejection.NO_PRICE: "no candle opened to fill it",
    Rejection.LIQUIDITY: "less was there than it asked for",
    Rejection.POST_ONLY: "it would have taken, and was only to rest",
    Rejection.REDUCE_ONLY: "it would have added, and was only to reduce",
    Rejection.EXPIRED: "its time was over",
    Rejection.PARTNER: "the other leg was filled",
    Rejection.TERMS: "its kind, time in force and flags do not go together",
    Rejection.CAP: "a cap of live trading held it back",
    Rejection.FROZEN: "the instrument may only be reduced",
}


def utc(at_ms: int) -> str:
    """
    >>> utc(1_704_067_200_000)
    '2024-01-01 00:00:00 UTC'
    """
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def stamp(at_ms: int) -> str:
    """The same, short: seconds only where there are any.

    >>> stamp(1_704_067_200_000), stamp(1_704_067_205_000)
    ('2024-01-01 00:00Z', '2024-01-01 00:00:05Z')
    """
    return f"{utc(at_ms)[:-4].removesuffix(':00')}Z"


def span(seconds: float) -> str:
    """
    >>> span(0.41), span(59), span(180), span(7_500), span(93_600)
    ('0.4 s', '59 s', '3 min', '2 h 5 min', '1 d 2 h')
    """
    if seconds < 59.5:
        return f"{round(seconds, 0 if seconds >= 10 else 1):g} s"
    minutes = round(seconds / 60)
    hours, days = minutes // 60, minutes // 1_440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def money(quanta: int, sign: str = "") -> str:
    """Two decimals; below a tenth as many as three figures need.

    >>> money(1_234_567_000_000), money(1_234_560), money(-5), money(3 * 10**8, "+")
    ('12,345.67', '0.0123', '-0.00000005', '+3.00')
    """
    digits = len(str(abs(quanta)))
    decimals = min(11 - digits, 8) if quanta and digits < 8 else 2
    return f"{Decimal(quanta).scaleb(-8):{sign},.{decimals}f}"


def figure(amount: int, decimals: int) -> str:
    """A price or a quantity, exactly.

    >>> figure(4_228_358_000, 5), figure(2573, 8), figure(118_805_000, 0)
    ('42,283.58', '0.00002573', '118,805,000')
    """
    return f"{Decimal(amount).scaleb(-decimals).normalize():,f}"


def conviction(bps: int) -> str:
    """
    >>> conviction(4_200), conviction(-1_250), conviction(0)
    ('+42 % long', '-12.5 % short', '0 % flat')
    """
    if bps == 0:
        return "0 % flat"
    return f"{bps / 100:+.3g} % {'long' if bps > 0 else 'short'}"


def opinion(model: int) -> str:
    """Whose opinion it is, by the id that the core knows.

    >>> opinion(0), opinion(0x3F2A91C04B1D)
    ('baseline', 'model 3f2a91c04b1d')
    """
    return f"model {model:012x}" if model else "baseline"


def count(number: int, one: str) -> str:
    """
    >>> count(1, "position"), count(1_200, "row")
    ('1 position', '1,200 rows')
    """
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def marked(line: str, synthetic: bool) -> str:
    """A line that says, once, that nobody traded these candles. An empty one says nothing."""
    return f"{SYNTHETIC}  {line}" if synthetic and line and SYNTHETIC not in line else line


def printable(text: str) -> str:
    r"""What a person typed or a venue said, without what would steer a terminal.

    >>> printable("a\nb\x1b[2Jc\u202e\t✓")
    'a\\nb\\x1b[2Jc\\u202e\\t✓'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
