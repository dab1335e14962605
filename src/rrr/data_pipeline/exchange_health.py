"""Liveness is when each instrument was last heard of, not that somebody looked."""

from collections.abc import Mapping
from typing import NamedTuple

from rrr.data_pipeline.venue_clock import Offset


class Pulse(NamedTuple):
    """Of one instrument."""

    symbol: str
    data_age_ms: int | None  # since anything was known of it, if only that nobody traded
    candle_age_ms: int | None  # since its last candle closed; None: there was none
    streams: Mapping[str, bool]  # which of its sockets carry data; none without sockets
    source: str  # where its last candle came from: websocket, rest, built
    conflated: int  # touches that nobody saw, because a later one came
    refused: int  # messages that made no sense
    book: str | None = None  # why its order book is not shown; empty: it is; None: nobody keeps it


class Health(NamedTuple):
    pulses: tuple[Pulse, ...]
    offset: Offset | None  # of the exchange's clock; None: not known
