"""What has no candle has a reason, and what is doubtful about one is remembered."""

from enum import StrEnum
from typing import NamedTuple


class Why(StrEnum):
    NO_TRADES = "no_trades"  # missing: the exchange has none, or its stream was whole and silent
    GAP = "gap"  # missing: nobody knows whether anybody traded
    REFUSED = "refused"  # missing: what the exchange says makes no sense
    DIFFERS = "differs"  # what REST says, the socket said otherwise
    UNCONFIRMED = "unconfirmed"  # it is the socket's: REST was in trouble


class Gap(NamedTuple):
    """A row of the ledger of gaps, which is written with the close that brings it."""

    symbol: str
    opened_at_ms: int
    why: Why
