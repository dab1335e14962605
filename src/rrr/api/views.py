"""What a reader of the database sees: a session as of its last commit; nothing is written."""

import sqlite3
from datetime import UTC, datetime
from typing import Any

from rrr.database import sessions
from rrr.database.sessions import PRINCIPAL

QUANTA = 10**8
LAST_EQUITY = """SELECT at_ms, cash, worth, invested, peak FROM equity
    WHERE session = ? AND book = ? ORDER BY at_ms DESC LIMIT 1"""
POSITIONS = """SELECT instrument, quantity, mark, worth, paid, stop_price, target_price, at_ms
    FROM positions WHERE session = ? AND book = ? ORDER BY instrument"""
LAST_NUMBER = """SELECT number FROM journal
    WHERE session = ? AND book = ? ORDER BY number DESC LIMIT 1"""
LAST_HALT = """SELECT reason, at_ms, note FROM halts
    WHERE session = ? AND book = ? ORDER BY number DESC LIMIT 1"""
LAST_REFUSALS = """SELECT instrument, reason, times, last_at_ms FROM refusals
    WHERE session = ? AND book = ? AND instrument = ? ORDER BY number DESC LIMIT 1"""
LAST_RUN = """SELECT pid, version, started_at_ms, outcome FROM runs
    WHERE session = ? ORDER BY id DESC LIMIT 1"""


def status(connection: sqlite3.Connection, name: str | None = None) -> dict[str, Any]:
    """The books of a session, the last one if none is named."""
    session = sessions.named(connection, name)
    key = (session.id, PRINCIPAL)
    units = sessions.units(connection, session.id)
    found = connection.execute(LAST_EQUITY, key).fetchone()
    at_ms, cash, worth, invested, peak = found or (0, 0, 0, 0, 0)
    number = connection.execute(LAST_NUMBER, key).fetchone()
    halt = connection.execute(LAST_HALT, key).fetchone()
    run = connection.execute(LAST_RUN, (session.id,)).fetchone()
    positions = []
    for i, quantity, mark, value, paid, stop, target, marked in connection.execute(POSITIONS, key):
        unit = units[i]
        refused = connection.execute(LAST_REFUSALS, (*key, i)).fetchone()
        positions.append(
            {
                "instrument": unit.symbol,
                "quantity": quantity / 10**unit.grains,
                "mark": mark / 10**unit.points,
                "worth": value / QUANTA,
                "unrealised_pnl": (value - paid) / QUANTA if quantity else 0.0,
                "stop": stop / 10**unit.points if stop else None,
                "target": target / 10**unit.points if target else None,
                "at_ms": marked,
                "last_refusal": refused and {"reason": refused[1], "times": refused[2]},
            }
        )
    return {
        "session": session.name,
        "mode": session.mode,
        "market": session.market,
        "signals": session.signals,
        "finished": session.finished,
        "quote": units[0].quote if units else "",
        "at_ms": at_ms,
        "equity": (cash + worth) / QUANTA,
        "cash": cash / QUANTA,
        "pnl": (cash + worth - invested) / QUANTA,
        "drawdown_ratio": round((peak - cash - worth) / peak, 6) if peak else 0.0,
        "halt": halt[0] if halt and halt[0] != "resumed" else None,
        "rows": number[0] if number else 0,
        "positions": positions,
        "run": run and dict(zip(("pid", "version", "started_at_ms", "outcome"), run, strict=True)),
    }


def in_words(found: dict[str, Any]) -> str:
    """What a person reads."""
    state = "finished" if found["finished"] else "unfinished"
    if found["running"]:
        state = "running"
    quote = found["quote"]
    lines = [
        f"{found['session']}  {state}  {found['mode']} · {found['market']} · {found['signals']}",
        f"  as of     {_utc(found['at_ms'])}",
        f"  equity    {found['equity']:,.2f} {quote}  P&L {found['pnl']:+,.2f}"
        f"  drawdown {found['drawdown_ratio']:.2%}",
        f"  cash      {found['cash']:,.2f} {quote}",
    ]
    if found["halt"]:
        lines.append(f"  HALT      {found['halt']}: no new risk until `rrr resume`")
    for position in found["positions"]:
        lines.append(f"  {position['instrument']:<9} {_position(position)}")
    if found["live"]:
        live = found["live"]
        lines.append(f"  daemon    pid {live['pid']}, up {live['up_s']} s, {live['rows']:,} rows")
    return "\n".join(lines)


def _position(position: dict[str, Any]) -> str:
    refusal = position["last_refusal"]
    why = f"; last refused: {refusal['reason']} ×{refusal['times']}" if refusal else ""
    if not position["quantity"]:
        return f"flat, last close {position['mark']:,g}{why}"
    stop = f"{position['stop']:,g}" if position["stop"] else "none"
    return (
        f"{position['quantity']:,g} at {position['mark']:,g} worth {position['worth']:,.2f},"
        f" unrealised {position['unrealised_pnl']:+,.2f}, stop {stop},"
        f" target {position['target'] or 0:,g}{why}"
    )


def sessions_of(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """All sessions, the last first."""
    rows = connection.execute(
        "SELECT name, mode, market, signals, started_at_ms, finished_at_ms, state_hash"
        " FROM sessions ORDER BY id DESC"
    )
    names = ("session", "mode", "market", "signals", "started_at_ms", "finished_at_ms")
    return [dict(zip((*names, "state_hash"), row, strict=True)) for row in rows]


def sessions_in_words(found: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"{one['session']:<12} {_utc(one['started_at_ms'])}  {one['market']} · {one['signals']}  "
        + (f"finished {one['state_hash'][:16]}" if one["state_hash"] else "unfinished")
        for one in found
    )


def _utc(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
