"""What a session came to, beside what holding as much of the same would have.

The exposure-matched hold buys, at the first signal, the share of capital that the session held on
average, and keeps it, without costs: Σ mean exposure × (last mark ÷ first mark − 1). Skill is the
difference; the rest is beta. Nothing here is made yearly, and how much of it nobody traded is said.
"""

import sqlite3
import textwrap
from collections.abc import Sequence
from typing import Any

from rrr.core.ledger import QUOTE, Place, equity
from rrr.core.market import BPS, QUANTA
from rrr.core.state import State
from rrr.database import balance
from rrr.database.sessions import PRINCIPAL, Session, Unit
from rrr.monitoring.words import count, marked, money, opinion, stamp

COUNTS = "SELECT count(*) FROM {} WHERE session = ? AND book = ?"
TRIPS = """SELECT count(*), sum(profit > 0) FROM fills
    WHERE session = ? AND book = ? AND profit IS NOT NULL"""
REFUSALS = """SELECT reason, sum(times) FROM refusals
    WHERE session = ? AND book = ? GROUP BY reason ORDER BY 2 DESC"""
KINDS = """SELECT count(*) FROM journal WHERE session = ? AND book = ? AND kind IN (12, 14)
    AND kind NOT IN (4, 5)"""
FEES = """SELECT amount FROM transfers
    WHERE session = ? AND book = ? AND target = ? AND currency = ?"""
BASE_FEES = """SELECT instrument, fee_grains, price FROM fills
    WHERE session = ? AND book = ? AND fee_grains > 0"""
ADOPTED = """SELECT at_ms, json_extract(core, '$[1]'), number,
    (SELECT name FROM models WHERE id = json_extract(core, '$[1]'))
    FROM journal INDEXED BY journal_by_kind WHERE session = ? AND book = ? AND kind = 9
    AND kind NOT IN (4, 5) ORDER BY number"""
EARLIER_SIGNAL = """SELECT 1 FROM journal
    WHERE session = ? AND book = ? AND number < ? AND kind = 5 LIMIT 1"""
# Most closes hold no candle that we made: their text tells it, and only the others are read.
MADE = """SELECT count(*) FROM journal j, json_each(j.core, '$[2]') c
    WHERE j.session = ? AND j.book = ? AND j.kind = 4
    AND (j.core LIKE '%,3]%' OR j.core LIKE '%,4]%') AND json_extract(c.value, '$[6]') IN (3, 4)"""
SIMULATED = "simulated"
WIDTH = 73  # characters of a value


def summary(
    connection: sqlite3.Connection,
    session: Session,
    state: State,
    units: Sequence[Unit],
    state_hash: str,
) -> dict[str, Any]:
    """Money in the quote currency, ratios between 0 and 1."""
    from rrr.monitoring import shadowed

    key = (session.id, PRINCIPAL)
    account = state.account

    def number(sql: str, *more: int) -> int:
        return int(connection.execute(sql, (*key, *more)).fetchone()[0] or 0)

    refusals = dict(connection.execute(REFUSALS, key).fetchall())
    orders, fills = number(COUNTS.format("orders")), number(COUNTS.format("fills"))
    trips, won = connection.execute(TRIPS, key).fetchone()
    now, pnl = equity(account), equity(account) - account.invested
    matched, pnl_ratio = matched_hold(state), pnl / account.invested
    paid = connection.execute(FEES, (*key, Place.FEES, QUOTE))
    faults = balance.faults(connection, *key, state)
    candles = sum(lane.candles for lane in state.lanes)
    adopted = [
        (at_ms, name or opinion(model), row)
        for at_ms, model, row, name in connection.execute(ADOPTED, key)
    ]
    return {
        "session": session.name,
        "mode": session.mode,
        "market": session.market,
        "synthetic": session.market == SIMULATED,
        "synthetic_ratio": round(number(MADE) / max(candles, 1), 8),
        "signals": _signals(connection, key, adopted),
        "takeovers": [{"at_ms": at_ms, "model": name} for at_ms, name, _ in adopted],
        "instruments": [f"{unit.venue}:{unit.symbol}" for unit in units],
        "candles": candles,
        "closes": account.closes,
        "decisions": orders + number(KINDS) + sum(refusals.values()),
        "orders": orders,
        "fills": fills,
        "round_trips": trips,
        "round_trips_won": won or 0,
        "refusals": refusals,
        "fees": (sum(fee for (fee,) in paid) + base_fees(connection, key, state)) / QUANTA,
        "capital": account.invested / QUANTA,
        "pnl": pnl / QUANTA,
        "pnl_ratio": round(pnl_ratio, 8),
        "time_weighted_ratio": round(time_weighted_ratio(connection, session), 8),
        "matched_hold_ratio": round(matched, 8),
        "difference_ratio": round(pnl_ratio - matched, 8),
        "equity": now / QUANTA,
        "drawdown_ratio_max": account.drawdown_ppm_max / 1_000_000,
        "halted": bool(account.halted),
        "shadows": shadowed.shadowed(connection, session),
        "books_balanced": not faults,
        "faults": faults,
        "state_hash": state_hash,
    }


def time_weighted_ratio(connection: sqlite3.Connection, session: Session) -> float:
    """What a unit made that was there from the first close on, whatever came and went beside it."""
    from rrr.monitoring.returns import linked, session_returns

    return linked(session_returns(connection, session))


def base_fees(connection: sqlite3.Connection, key: tuple[int, int], state: State) -> int:
    """Fees that were taken in coins, valued at the price of their fills, in quanta."""
    rows = connection.execute(BASE_FEES, key)  # in Python: their sums may need more than 64 bits
    return sum(grains * price // state.instruments[i].scale for i, grains, price in rows)


def matched_hold(state: State) -> float:
    """The return of holding each instrument, from its first signal on, at its mean exposure."""
    closes = state.account.closes
    return sum(
        lane.exposure_sum_bps
        / max(closes - lane.quiet, 1)
        / BPS
        * (lane.mark / lane.first_mark - 1)
        for lane in state.lanes
        if lane.first_mark
    )


def _signals(
    connection: sqlite3.Connection, key: tuple[int, int], adopted: Sequence[tuple[int, str, int]]
) -> str:
    """Who had the opinion, and since when; the baseline until somebody took over."""
    names = [f"{name} from {stamp(at_ms)}" for at_ms, name, _ in adopted]
    first = connection.execute(EARLIER_SIGNAL, (*key, adopted[0][2])).fetchone() if adopted else 1
    return ", then ".join([opinion(0), *names] if first else names)


def told(told: dict[str, Any], quote: str, outcome: str) -> str:
    """The closing words, for a terminal; of a simulated market every line says so."""
    from rrr.monitoring import shadowed

    def paid(name: str, sign: str = "") -> str:
        return f"{money(round(told[name] * QUANTA), sign)} {quote}"

    refusals = ", ".join(f"{name} {times:,}" for name, times in told["refusals"].items()) or "none"
    balanced = "every currency sums to zero, ledger and state agree"
    if not told["books_balanced"]:
        balanced = "NO: " + "; ".join(told["faults"])
    trips = told["round_trips"]
    synthetic = f"{told['synthetic_ratio']:.2%} synthetic"
    rows = [
        ("session", f"{told['session']} {outcome} · {told['mode']} · {told['market']}"),
        ("instruments", ", ".join(told["instruments"])),
        ("signals", told["signals"]),
        ("candles", f"{told['candles']:,} in {told['closes']:,} closing times, {synthetic}"),
        ("decisions", f"{told['decisions']:,}, of these {told['orders']:,} orders"),
        (
            "fills",
            f"{told['fills']:,} · {count(trips, 'round trip')}, {told['round_trips_won']:,} won",
        ),
        ("refusals", refusals),
        ("fees", paid("fees")),
        ("P&L", f"{paid('pnl', '+')} ({told['pnl_ratio']:+.2%})"),
        ("matched hold", f"{told['matched_hold_ratio']:+.2%}, the same exposure without skill"),
        ("difference", f"{told['difference_ratio']:+.2%}, what the decisions added to it"),
        *shadowed.told(told.get("shadows", ())),
        ("equity", f"{paid('equity')} from {paid('capital')}"),
        ("drawdown", f"{told['drawdown_ratio_max']:.2%} at most"),
        ("books", balanced),
        ("state hash", told["state_hash"]),
    ]
    alone = f"{told['time_weighted_ratio']:+.2%}"
    if alone != f"{told['pnl_ratio']:+.2%}":
        place = next(place for place, (name, _) in enumerate(rows) if name == "P&L") + 1
        words = f"{alone}, time-weighted: whatever was paid in or out meanwhile"
        rows.insert(place, ("return", words))
    if told["halted"]:
        rows.insert(-2, ("halted", "no new risk was taken from then on"))
    lines = (line for name, value in rows for line in _row(name, value))
    return "\n".join(marked(line, told["synthetic"]) for line in lines)


def _row(name: str, value: str) -> list[str]:
    """A long value goes on below its beginning."""
    first, *more = textwrap.wrap(value, WIDTH, break_on_hyphens=False) or [""]
    return [f"  {name:<13} {first}", *(f"  {'':<13} {line}" for line in more)]
