"""What a pass over the account makes known, in words for a person: each thing once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rrr.database.live import Outside
from rrr.database.sessions import Unit
from rrr.trading.live.claims import Claims
from rrr.trading.live.seen import Frozen, Settled, Why

Telling = tuple[str, str, dict[str, Any]]  # its name, its text, its details


def frozen_now(before: Iterable[Frozen], settled: Settled, claims: Claims) -> tuple[Frozen, ...]:
    """Only all balances thaw what a difference of balances froze."""
    kept = () if claims.balances.whole else before
    return tuple(sorted({*settled.frozen, *kept}))


def frozen_words(
    before: Iterable[Frozen], now: Sequence[Frozen], units: Sequence[Unit]
) -> Iterator[Telling]:
    known = {(one.instrument, one.why) for one in before}
    freed = {i for i, _ in known} - {one.instrument for one in now}
    for one in now:
        if (one.instrument, one.why) in known:
            continue
        known.add((one.instrument, one.why))
        symbol = units[one.instrument].symbol
        about = {"ours": one.ours, "theirs": one.theirs, "why": Why(one.why).name.lower()}
        text = f"{symbol} may only be reduced: {one.words}"
        yield "frozen", text, {"symbol": symbol, **about}
    for i in sorted(freed):
        symbol = units[i].symbol
        yield "thawed", f"{symbol} agrees with its venue again", {"symbol": symbol}


def foreign_words(settled: Settled) -> Iterator[Telling]:
    for one in settled.foreign:
        text = f"somebody else's {Outside(one.kind).name.lower()} in the account: {one.words}"
        about = {"aside": one.aside, "currency": one.currency, "flow": one.flow}
        yield "foreign", text, {"id": one.id, **about}
