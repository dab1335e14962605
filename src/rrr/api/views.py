"""What a reader of the database sees: a session as of its last commit; nothing is written."""

import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rrr.api import shadow_views
from rrr.core.market import QUANTA
from rrr.database import sessions
from rrr.database.ledger import ENDS
from rrr.database.sessions import PRINCIPAL
from rrr.monitoring.words import marked, money, span, utc

LAST_EQUITY = """SELECT at_ms, cash, worth, invested, peak FROM equity
    WHERE session = ? AND book = ? ORDER BY at_ms DESC LIMIT 1"""
POSITIONS = """SELECT instrument, quantity, mark, worth, paid, stop_price, target_price, at_ms
    FROM positions WHERE session = ? AND book = ? ORDER BY instrument"""
LAST_NUMBER = """SELECT number FROM journal
    WHERE session = ? AND book = ? ORDER BY number DESC LIMIT 1"""
LAST_HALT = """SELECT reason, at_ms, note FROM halts
    WHERE session = ? AND book = ? ORDER BY number DESC LIMIT 1"""
LAST_REFUSALS = """SELECT reason, times, last_at_ms FROM refusals
    WHERE session = ? AND book = ? AND instrument = ? ORDER BY number DESC LIMIT 1"""
LAST_RUN = """SELECT pid, version, started_at_ms, outcome, id = (SELECT max(id) FROM runs)
    FROM runs WHERE session = ? ORDER BY id DESC LIMIT 1"""
SESSIONS = """SELECT name, mode, market, signals, started_at_ms, finished_at_ms, state_hash, key
    FROM sessions ORDER BY id DESC"""

HEARD_SHOWN = 5


def status(
    connection: sqlite3.Connection, name: str | None = None, held: bool = False
) -> dict[str, Any]:
    """The books of a session, the last one if none is named; `held`: a daemon lives here."""
    session = sessions.named(connection, name)
    key = (session.id, PRINCIPAL)
    units = sessions.units(connection, session.id)
    found = connection.execute(LAST_EQUITY, key).fetchone()
    at_ms, cash, worth, invested, peak = found or (0, 0, 0, 0, 0)
    number = connection.execute(LAST_NUMBER, key).fetchone()
    halt = connection.execute(LAST_HALT, key).fetchone()
    halted = halt is not None and halt[0] not in ENDS
    run = connection.execute(LAST_RUN, (session.id,)).fetchone()
    running = bool(held and run and run[4] and run[3] is None)
    positions = []
    for i, quantity, mark, value, paid, stop, target, seen_ms in connection.execute(POSITIONS, key):
        unit = units[i]
        refused = connection.execute(LAST_REFUSALS, (*key, i)).fetchone()
        refusal = zip(("reason", "times", "last_at_ms"), refused or (), strict=False)
        positions.append(
            {
                "instrument": unit.symbol,
                "quantity": quantity / 10**unit.grains,
                "mark": mark / 10**unit.points,
                "worth": value / QUANTA,
                "unrealised_pnl": (value - paid) / QUANTA if quantity else 0.0,
                "stop": stop / 10**unit.points if stop else None,
                "target": target / 10**unit.points if target else None,
                "at_ms": seen_ms,
                "last_refusal": dict(refusal) or None,
            }
        )
    names = ("pid", "version", "started_at_ms", "outcome")
    return {
        "session": session.name,
        "mode": session.mode,
        "market": session.market,
        "signals": session.signals,
        "synthetic": session.market == "simulated",
        "state": _state(session.finished, bool(session.state_hash), running, run and run[3]),
        "running": running,
        "finished": session.finished,
        "quote": units[0].quote if units else "",
        "at_ms": at_ms,
        "equity": (cash + worth) / QUANTA,
        "cash": cash / QUANTA,
        "pnl": (cash + worth - invested) / QUANTA,
        "pnl_ratio": round((cash + worth) / invested - 1, 8) if invested else 0.0,
        "drawdown_ratio": round((peak - cash - worth) / peak, 6) if peak else 0.0,
        "halt": dict(zip(("reason", "at_ms", "note"), halt, strict=True)) if halted else None,
        "rows": number[0] if number else 0,
        "positions": positions,
        "shadows": shadow_views.shadows(connection, session),
        "run": run and dict(zip(names, run[:4], strict=True)),
    }


def _state(finished: bool, sealed: bool, running: bool, outcome: str | None) -> str:
    """
    >>> _state(False, False, False, "stopped"), _state(True, False, False, None)
    ('stopped', 'left unfinished')
    """
    if finished:
        return "finished" if sealed else "left unfinished"
    return "running" if running else outcome or "died"


def in_words(found: dict[str, Any], colour: bool = False) -> str:
    """What a person reads. Where money is real, that is said first, and in red."""
    state, seam, live = found["state"], found.get("seam"), found.get("live")
    if state in ("stopped", "died"):
        state += " (the same command goes on)"
    about = f"{found['mode']} · {found['market']} · {found['signals']}"
    lines = [("", f"{found['session']}  {state}  {about}")]
    if found["running"]:
        lines.append(("daemon", _pulse(live)))
        lines += _heard(live)
    if found["at_ms"]:
        lines += _books(found)
    else:
        lines.append(("as of", "before its first candle"))
    lines += shadow_views.in_words(found["shadows"])
    if seam:
        from rrr.api import views_live

        lines += views_live.in_words(seam, live and live.get("trading"))
        lines.insert(0, ("", views_live.banner(seam, colour)))
    width = max(len(name) for name, _ in lines)
    said = (f"  {name:<{width}}  {text}" if name else text for name, text in lines)
    return "\n".join(marked(line, found["synthetic"]) for line in said)


def _books(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    quote = found["quote"]
    yield "as of", f"{utc(found['at_ms'])}, {found['rows']:,} rows"
    pnl = f"{_money(found['pnl'], '+')} ({found['pnl_ratio']:+.2%})"
    drawdown = f"{found['drawdown_ratio']:.2%}"
    yield "equity", f"{_money(found['equity'])} {quote}, P&L {pnl}, drawdown {drawdown}"
    yield "cash", f"{_money(found['cash'])} {quote}"
    if halt := found["halt"]:
        note = f" ({halt['note']})" if halt["note"] else ""
        until = "" if found["finished"] else " until `rrr resume`"
        yield "HALT", f"{halt['reason']}{note}, {utc(halt['at_ms'])}: no new risk{until}"
    for position in found["positions"]:
        yield position["instrument"], _position(position)


def _pulse(live: dict[str, Any] | None) -> str:
    if live is None:
        return "holds the home, and does not answer just now"
    training = f", training {live['training']}" if live["training"] else ""
    if " (flat: " in live.get("signals", ""):
        training += f", {live['signals']}"
    return (
        f"pid {live['pid']}, up {span(live['up_s'])}, last candle {_oldest(live['ages_s'])} ago,"
        f" memory {live['memory_mb']:.0f} MB, loop lag p99 {live['lag_p99_ms']:.0f} ms{training}"
    )


def _heard(live: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    """What is known of each instrument, the one that was silent for longest first."""
    if live is None or not live.get("heard"):
        return
    yield "feed", live["feed"]
    heard = live["heard"]["instruments"].items()
    oldest = sorted(heard, key=lambda one: -(one[1]["data_age_ms"] or 0))
    for symbol, pulse in oldest[:HEARD_SHOWN]:
        candle, heard_of = pulse["candle_age_ms"], pulse["data_age_ms"]
        by = f" by {pulse['source']}"
        yield "data", f"{symbol} {_ago('candle', candle)}{by}, {_ago('heard of', heard_of)}"
    if len(oldest) > HEARD_SHOWN:
        yield "data", f"and {len(oldest) - HEARD_SHOWN} more, heard of since then"


def _ago(what: str, age_ms: int | None) -> str:
    return f"{what} never" if age_ms is None else f"{what} {span(age_ms / 1000)} ago"


def _oldest(ages_s: dict[str, float]) -> str:
    """How long ago the instrument that waits longest had its last candle."""
    name = max(ages_s, key=lambda one: ages_s[one])
    return f"{span(ages_s[name])} ({name})"


def _position(position: dict[str, Any]) -> str:
    refusal = position["last_refusal"]
    why = ""
    if refusal:
        why = f"; refused {refusal['reason']} ×{refusal['times']:,}, {utc(refusal['last_at_ms'])}"
    if not position["mark"]:
        return "no candle yet"
    if not position["quantity"]:
        return f"flat, last close {_figure(position['mark'])}{why}"
    stop, target = (_figure(position[name]) or "none" for name in ("stop", "target"))
    return (
        f"{_figure(position['quantity'])} at {_figure(position['mark'])},"
        f" worth {_money(position['worth'])}, unrealised {_money(position['unrealised_pnl'], '+')},"
        f" stop {stop}, target {target}{why}"
    )


def sessions_of(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """All sessions, the last first."""
    names = ("session", "mode", "market", "signals", "started_at_ms", "finished_at_ms")
    found = []
    for *row, key in connection.execute(SESSIONS):
        about = json.loads(key)
        one = dict(zip((*names, "state_hash"), row, strict=True))
        instruments = [":".join(text.split(":")[:2]) for text in about["instruments"]]
        found.append(one | {"timeframe": about["timeframe"], "instruments": instruments})
    return found


def sessions_in_words(found: list[dict[str, Any]]) -> str:
    if not found:
        return "There is no session yet."
    width = max(len(one["session"]) for one in found)
    return "\n".join(f"{one['session']:<{width}}  {_session(one)}" for one in found)


def _session(one: dict[str, Any]) -> str:
    outcome = "unfinished"
    if one["finished_at_ms"]:
        outcome = f"finished {one['state_hash'][:16]}" if one["state_hash"] else "left unfinished"
    number = len(one["instruments"])
    what = one["instruments"][0] if number == 1 else f"{number} instruments"
    about = f"{one['market']} · {one['signals']} · {what} · {one['timeframe']}"
    return f"{utc(one['started_at_ms'])}  {about}  {outcome}"


def _money(amount: float, sign: str = "") -> str:
    return money(round(amount * QUANTA), sign)


def _figure(value: float | None) -> str:
    """
    >>> _figure(2.81e-05), _figure(118805000.0), _figure(None)
    ('0.0000281', '118,805,000', '')
    """
    return "" if value is None else f"{Decimal(repr(value)).normalize():,f}"
