"""What real fills cost is said beside what paper assumed, and with how little so few can tell.

Books enter; leaves what `rrr costs --fit` prints and what the ramp of live trading remembers: per
instrument, side and way (take, stop, rest) the fees as they were paid and the slippage against the
price that decided, the verdict over all takes, and the settings that these fills ask for. All
figures are parts per million of what was exchanged, worse for us above zero.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from math import ceil, fsum
from typing import Any, Final

from rrr.backtesting import fit_books
from rrr.backtesting.fit_books import REST, TAKE, WAYS, Books, Met, side_of
from rrr.backtesting.fit_numbers import estimated
from rrr.core.market import PPM, QUANTA
from rrr.core.orders import Side
from rrr.database import live_fits
from rrr.database.sessions import PRINCIPAL, Session

FEE_PPM: Final = {"maker_fee_ppm": (-1_000, 100_000), "taker_fee_ppm": (0, 100_000)}
WIDTH_PPM_MAX: Final = 100_000
LEAST_PPM: Final = 1.0  # no setting is finer
KIND, HARSH, WITHIN, UNKNOWN = "too kind", "too harsh", "within", "unknown"

Found = dict[str, Any]


def fitted(connection: sqlite3.Connection, session: Session) -> Found:
    """Compare all that a session's book exchanged with what the paper venue charges."""
    books = fit_books.read(connection, session)
    return {
        "session": session.name,
        "market": session.market,
        "quote": books.units[0].quote if books.units else "",
        "round_trips": live_fits.round_trips(connection, (session.id, PRINCIPAL)),
        **compared(books),
    }


def compared(books: Books) -> Found:
    takes = [one for one in books.met if one.way == TAKE]
    beyond = _estimate(takes, lambda one: one.beyond_ppm)
    return {
        "fills": sum(len(one.fills) for one in books.met),
        "groups": [_group(books, together) for together in _grouped(books.met)],
        "takes": _whole(takes),
        "latency": {
            "assumed_ms": books.assumed.latency_ms,
            "measured_ms": _estimate(takes, lambda one: one.latency_ms),
        },
        "unpriced": _unpriced(books.met),
        "beyond_ppm": beyond,
        "verdict": _verdict(beyond),
        "settings": _settings(books),
    }


def _grouped(met: Iterable[Met]) -> Iterable[list[Met]]:
    def name(one: Met) -> tuple[int, int, int]:
        return one.order.instrument, -one.order.side, WAYS.index(one.way)

    return (list(together) for _, together in groupby(sorted(met, key=name), key=name))


def _group(books: Books, met: Sequence[Met]) -> Found:
    first = met[0]
    priced = [one for one in met if one.fee is not None and one.notional]
    return {
        "instrument": books.units[first.order.instrument].symbol,
        "side": side_of(first),
        "way": first.way,
        "orders": len(met),
        "fills": sum(len(one.fills) for one in met),
        "round_trips": sum(fill.ends for one in met for fill in one.fills),
        "notional": sum(one.notional for one in met) / QUANTA,
        "fee_ppm": _rate(priced),
        "fee_assumed_ppm": _mean(priced, lambda one: one.fee_assumed_ppm),
        "slippage_ppm": _estimate(met, lambda one: one.slippage_ppm),
        "slippage_assumed_ppm": _mean(
            [one for one in met if one.slippage_ppm is not None], lambda one: one.assumed_ppm
        ),
        "dearer_ppm": _estimate(met, lambda one: one.dearer_ppm),
    }


def _estimate(met: Iterable[Met], of: Callable[[Met], float | None]) -> Found | None:
    values = [(one.order.at_ms, value) for one in met if (value := of(one)) is not None]
    found = estimated(values)
    return None if found is None else found.rounded()


def _rate(met: Iterable[Met]) -> float | None:
    """All fees of all notional: what is small weighs little."""
    paid = [(one.fee or 0.0, one.notional) for one in met]
    notional = sum(notional for _, notional in paid)
    return round(fsum(fee for fee, _ in paid) / notional * PPM, 3) if notional else None


def _mean(met: Sequence[Met], of: Callable[[Met], float]) -> float | None:
    return round(fsum(map(of, met)) / len(met), 3) if met else None


def _whole(takes: Iterable[Met]) -> Found:
    """Of takes that met the market: how many did not get all, or nothing."""
    over = [one for one in takes if one.over]
    short = sum(one.order.filled < one.order.quantity for one in over)
    return {
        "number": len(over),
        "not_whole": short,
        "nothing": sum(not one.order.filled for one in over),
        "not_whole_ratio": round(short / len(over), 4) if over else None,
    }


def _unpriced(met: Iterable[Met]) -> dict[str, float]:
    """Of each coin without a price in these books, how much of it was paid in fees."""
    paid: dict[str, int] = {}
    for one in met:
        for fill in one.fills if one.fee is None else ():
            if fill.parts:
                paid[fill.coin] = paid.get(fill.coin, 0) + fill.parts
    return {coin: parts / QUANTA for coin, parts in sorted(paid.items())}


def _verdict(beyond: Mapping[str, Any] | None) -> str:
    if beyond is None or beyond["low"] is None:
        return UNKNOWN
    if beyond["low"] >= LEAST_PPM:
        return KIND
    return HARSH if beyond["high"] <= -LEAST_PPM else WITHIN


def _settings(books: Books) -> dict[str, int | bool]:
    """What `costs` would have to say for paper to charge what was paid.

    Latency is not among it: what it cost is in the slippage.
    """
    asked: dict[str, int | bool] = {}
    for name, (least, most) in FEE_PPM.items():
        rests = name == "maker_fee_ppm"
        rate = _rate(one for one in books.met if (one.way == REST) is rests and one.fee is not None)
        if rate is not None:
            asked[name] = min(max(round(rate), least), most)
    asked |= _width(books)
    bought = [fill for one in books.met if one.order.side == Side.BUY for fill in one.fills]
    if bought:
        asked["fee_in_base"] = any(fill.fee_grains for fill in bought)
    return asked


def _width(books: Books) -> dict[str, int | bool]:
    """Half the spread is believed, as touches bring it; what is dearer is slippage."""
    paired = [one for one in books.met if one.dearer_ppm is not None]
    slippage = _mean(paired, lambda one: one.instrument.slippage_ppm + (one.dearer_ppm or 0.0))
    half = _mean(paired, lambda one: one.instrument.half_spread_ppm)
    if slippage is None or half is None:
        return {}
    if slippage >= 0:
        return {"slippage_ppm": min(ceil(slippage), WIDTH_PPM_MAX)}
    return {"half_spread_ppm": max(ceil(half + slippage), 0), "slippage_ppm": 0}
