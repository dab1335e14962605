"""Why a book holds what it holds: the core is asked again, in the state of that very moment.

The journal is folded to the state just before the last signal, from the nearest snapshot; then
`policy.wish` and `rules.refuse` judge that signal anew. What another version of the core decided
only that version can tell: then the tables say what they know.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from rrr.api import views_live
from rrr.api import why_words as words
from rrr.api.why_rules import Case, Wish, judged, wished
from rrr.core.errors import JournalBroken, NotFound
from rrr.core.events import Refused, Signal
from rrr.core.ledger import equity
from rrr.core.market import QUANTA, worth
from rrr.core.orders import Order
from rrr.core.rules import Refusal
from rrr.core.state import Halt, Lane, State
from rrr.database import sessions, signals
from rrr.database.journal import Row, decode
from rrr.database.sessions import PRINCIPAL, Session, Unit
from rrr.monitoring.words import opinion, stamp
from rrr.trading.engine.engine import until, world_of
from rrr.trading.engine.fold import Fold
from rrr.trading.engine.paper import NO_WORLD, Record, World
from rrr.trading.engine.venue import SPEAKERS

ROW = "number, kind, at_ms, core, run, arrived_at_ms, note, chain"
BOOK = "FROM journal WHERE session = ? AND book = ?"
LAST_SIGNAL = f"""SELECT {ROW} {BOOK} AND number <= ? AND kind = 5
    AND json_extract(core, '$[1]') = ? ORDER BY number DESC LIMIT 1"""
FIRST_CLOSE = f"SELECT number, at_ms {BOOK} AND number > ? AND kind = 4 ORDER BY number LIMIT 1"
LAST_CLOSE = f"""SELECT at_ms, (SELECT count(*) FROM json_each(core, '$[2]') candle
    WHERE json_extract(candle.value, '$[0]') = ?)
    {BOOK} AND number <= ? AND kind = 4 ORDER BY number DESC LIMIT 1"""
CANDLES = """SELECT count(*) FROM journal, json_each(core, '$[2]') candle
    WHERE session = ? AND book = ? AND number <= ? AND kind = 4
    AND json_extract(candle.value, '$[0]') = ?"""
WRITTEN_BY = "SELECT core_hash, version FROM runs WHERE id = ?"
SETTING = views_live.SETTING
ADOPTED = f"""SELECT json_extract(core, '$[1]') {BOOK} AND number <= ? AND kind = 9
    AND kind NOT IN (4, 5) ORDER BY number DESC LIMIT 1"""
MODEL = "SELECT name, proven FROM models WHERE id = ?"
STRATEGY = """SELECT name, json_extract(manifest, '$.window') FROM models
    WHERE id = ? AND json_extract(manifest, '$.strategy') IS NOT NULL"""
HALT = """SELECT reason, at_ms, note FROM halts
    WHERE session = ? AND book = ? AND number < ? ORDER BY number DESC LIMIT 1"""
STOPPED = """SELECT f.at_ms FROM fills f JOIN orders o USING (session, book, sequence)
    WHERE f.session = ? AND f.book = ? AND f.number < ? AND f.instrument = ? AND o.kind = 'stop'
    ORDER BY f.number DESC LIMIT 1"""
LAST_REFUSAL = """SELECT reason, times, first_at_ms, last_at_ms FROM refusals
    WHERE session = ? AND book = ? AND instrument = ? AND first_at_ms <= ?
    ORDER BY number DESC LIMIT 1"""
ORDERS = """SELECT number, o.at_ms, o.kind, sequence, side, json_extract(j.core, '$[4]'),
        json_extract(j.core, '$[5]'), cause
    FROM orders o JOIN journal j USING (session, book, number)
    WHERE session = ? AND book = ? AND instrument = ? AND number > ? AND number < ?"""
AMENDED = """SELECT number, at_ms, 'amended', json_extract(core, '$[2]'),
        json_extract(core, '$[5]'), json_extract(core, '$[6]'), json_extract(core, '$[10]')
    FROM journal WHERE session = ? AND book = ? AND kind = 6 AND kind NOT IN (4, 5)
    AND json_extract(core, '$[3]') = 7 AND json_extract(core, '$[1]') = ?
    AND number > ? AND number < ?"""
FILLS = """SELECT number, at_ms, 'fill', sequence, side, quantity, price, fee, fee_grains,
    profit FROM fills
    WHERE session = ? AND book = ? AND instrument = ? AND number > ? AND number < ?"""
ENDED = """SELECT s.number, s.at_ms, s.state, s.sequence, s.rejection, j.note
    FROM order_states s JOIN orders o USING (session, book, sequence)
    JOIN journal j ON (j.session, j.book, j.number) = (s.session, s.book, s.number)
    WHERE s.session = ? AND s.book = ? AND o.instrument = ? AND s.number > ? AND s.number < ?
    AND s.state IN ('cancelled', 'rejected', 'unknown')"""
HALTS = """SELECT number, at_ms, 'halt', reason, note FROM halts
    WHERE session = ? AND book = ? AND number > ? AND number < ?"""


class Lookup(NamedTuple):
    """One instrument of one session's principal book."""

    connection: sqlite3.Connection
    session: Session
    number: int
    unit: Unit

    @property
    def book(self) -> tuple[int, int]:
        return self.session.id, PRINCIPAL

    def one(self, sql: str, *parameters: object) -> Any:
        return self.connection.execute(sql, parameters).fetchone()

    def all(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters).fetchall()


def why(
    connection: sqlite3.Connection,
    session: Session,
    symbol: str,
    at_ms: int | None,
    core_hash: str,
) -> dict[str, Any]:
    """What the last signal at or before a time led to, and why; without a time, the last one."""
    look = lookup(connection, session, symbol)
    first = look.one(FIRST_CLOSE, *look.book, 0)
    if first is not None and at_ms is not None and at_ms < first[1]:
        raise NotFound(
            f"{session.name} saw its first close at {stamp(first[1])},"
            f" and {stamp(at_ms)} is before it.",
            "Ask for a time from then on, or for another session: rrr sessions lists them.",
        )
    here, now_ms = last_row(look, at_ms)
    found: dict[str, Any] = {
        "session": session.name,
        "synthetic": session.market == "simulated",
        "instrument": look.unit.symbol,
        "base": look.unit.base,
        "quote": look.unit.quote,
        "at_ms": now_ms if at_ms is None else at_ms,
        "signal": None,
        "silence": "no candle has closed yet",
        "other_core": None,
        "held": None,
        "wish": None,
        "verdict": None,
        "halted": None,
        "rules": [],
        "after": [],
        "seam": seam(look) if at_ms is None or at_ms >= now_ms else None,
    }
    if first is None:
        return found
    row = look.one(LAST_SIGNAL, *look.book, here, look.number)
    if row is None:
        return found | {"silence": silence(look, here)}
    return found | told(look, Row(*row), here, core_hash)


def why_in_words(found: Mapping[str, Any]) -> str:
    """What a person reads."""
    return words.laid_out(found)


def told(look: Lookup, row: Row, here: int, core_hash: str) -> dict[str, Any]:
    """A signal, what the core makes of it, and what came of it."""
    signal = decode(row)
    assert isinstance(signal, Signal)
    name, proven = look.one(MODEL, signal.model) or (opinion(signal.model), False)
    found: dict[str, Any] = {
        "signal": {
            "at_ms": signal.at_ms,
            "conviction_bps": signal.conviction_bps,
            "model": signal.model,
            "name": name,
            "proven": bool(proven),
            "because": thought(look, signal.at_ms),
        },
        "silence": quiet(look, here, signal.at_ms),
        "after": after(look, row.number, here),
    }
    written, version = look.one(WRITTEN_BY, row.run)
    if written != core_hash:
        names = ("reason", "times", "first_at_ms", "last_at_ms")
        known = look.one(LAST_REFUSAL, *look.book, look.number, signal.at_ms)
        refusal = known and dict(zip(names, known, strict=True))
        other = {"core_hash": written, "version": version, "last_refusal": refusal}
        return found | {"other_core": other}
    return found | judgement(look, folded(look, row.number), signal, row.number)


def folded(look: Lookup, number: int) -> World:
    """The world just before a row that this core wrote. Raise JournalBroken where it is not so."""
    advance, outside = SPEAKERS[look.session.mode]
    fold = Fold(advance, NO_WORLD, sessions.head_of(look.session), outside)
    for saved in sessions.snapshots(look.connection, *look.book):
        if saved.head.number < number:  # one stands wherever the core changed
            fold.world, fold.head = world_of(saved), saved.head
    rows = sessions.journal(look.connection, *look.book, fold.head.number)
    fold.walk(until(rows, number - 1))
    if fold.difference is not None:
        raise JournalBroken(
            f"Row {fold.difference.number:,} of the journal ({fold.difference.kind}) is not what"
            " this version makes of the rows before it.",
            f"rrr replay {look.session.name} says more.",
        )
    return fold.world


def judgement(look: Lookup, world: World, signal: Signal, number: int) -> dict[str, Any]:
    """What the core wishes, refuses or orders, from the state before the signal."""
    state = world.state
    record: Record = []
    law, account = state.law, state.account
    lane, instrument = state.lanes[look.number], state.instruments[look.number]
    wish = wished(law, account, lane, instrument, signal.conviction_bps)
    SPEAKERS[look.session.mode][0](world, signal, record)
    refused = next((item for item in record if isinstance(item, Refused)), None)
    order = next((item.sequence for item in record if isinstance(item, Order)), None)
    refusal = Refusal(refused.refusal if refused else Refusal.NONE)
    case = Case(law, account, lane, instrument, wish.judged, signal.at_ms)
    seen = words.Seen(look.unit, state, lane, halt(look, number), stopped(look, number))
    rules = []
    for rule in judged(case) if wish.judged else ():
        decided = refusal != Refusal.NONE and rule.refusal > refusal
        mark = "not reached" if decided else "broken" if rule.refusal == refusal else "kept"
        told = {"rule": rule.refusal.name.lower(), "mark": mark, "would_refuse": rule.broken}
        rules.append(told | words.figures(rule, seen))
    return {
        "held": held(look, state, lane),
        "wish": wish_of(look, state, lane, wish, signal.conviction_bps),
        "verdict": {
            "refusal": refusal.name.lower() if refused else None,
            "times": refused.times if refused else 0,
            "order": order,
            "text": words.verdict(wish, refused, order is not None, rules, when(look)),
        },
        "halted": seen.halt if account.halted != Halt.NONE else None,
        "rules": rules,
    }


def when(look: Lookup) -> str:
    """When what is approved meets the market."""
    return "at once" if views_live.afar(look.session) else "at the next open"


def seam(look: Lookup) -> dict[str, Any] | None:
    """Where orders leave the house: what is open there of this instrument, and why it is frozen."""
    if not views_live.afar(look.session):
        return None
    found = views_live.seam(look.connection, look.session)
    parts = ("frozen", "orders", "quarantine")
    mine = {p: [one for one in found[p] if one["instrument"] == look.unit.symbol] for p in parts}
    return {"venue": found["venue"], "sandbox": found["sandbox"], **mine}


def held(look: Lookup, state: State, lane: Lane) -> dict[str, Any]:
    unit = look.unit
    return {
        "quantity": lane.quantity / 10**unit.grains,
        "worth": lane.worth / QUANTA,
        "equity_ratio": round(lane.worth / max(equity(state.account), 1), 6),
        "stop": lane.stop_price / 10**unit.points if lane.stop_price else None,
        "target": lane.target_price / 10**unit.points if lane.target_price else None,
        "text": words.held(unit, state.account, lane),
    }


def wish_of(look: Lookup, state: State, lane: Lane, wish: Wish, conviction_bps: int) -> Any:
    grains, instrument = 10**look.unit.grains, state.instruments[look.number]
    value = worth(instrument, lane.mark, wish.target) if wish.target else 0
    return {
        "quantity": wish.target / grains,
        "change": wish.change / grains,
        "equity_ratio": round(value / max(equity(state.account), 1), 6),
        "because": wish.because.value,
        "text": words.wish(look.unit, state, wish, value, conviction_bps),
    }


def halt(look: Lookup, number: int) -> dict[str, Any] | None:
    """The last word on a halt before a row: who, since when, why."""
    row = look.one(HALT, *look.book, number)
    return row and dict(zip(("reason", "at_ms", "note"), row, strict=True))


def stopped(look: Lookup, number: int) -> int:
    """When a stop of this instrument last filled before a row; 0: never."""
    row = look.one(STOPPED, *look.book, number, look.number)
    return int(row[0]) if row else 0


def after(look: Lookup, number: int, here: int) -> list[dict[str, Any]]:
    """What became of it, up to the next close, or to the time that was asked for if that is later:
    orders, fills, what ended unfilled, halts."""
    following = look.one(FIRST_CLOSE, *look.book, number)
    end = max(following[0], here + 1) if following else 1 << 62
    rows = look.all(HALTS, *look.book, number, end)
    for sql in (ORDERS, FILLS, AMENDED, ENDED):
        rows += look.all(sql, *look.book, look.number, number, end)
    return [
        {"row": row, "at_ms": at_ms, "what": what, "text": words.happened(look.unit, what, *more)}
        for row, at_ms, what, *more in sorted(rows, key=lambda row: int(row[0]))
    ]


def quiet(look: Lookup, here: int, signal_ms: int) -> str | None:
    """Why the closes since the last signal brought none."""
    at_ms, candles = look.one(LAST_CLOSE, look.number, *look.book, here)
    if at_ms <= signal_ms:
        return None
    why = "had an opinion" if candles else "could have one: the market brought no candle of it"
    because = thought(look, at_ms) if candles else ""
    return f"nobody {why} at the last close, {stamp(at_ms)}" + (f": {because}" if because else "")


def thought(look: Lookup, at_ms: int) -> str:
    """Why a model said nothing at a close, or wished to be flat; empty where it just spoke."""
    found = signals.last(look.connection, look.book, look.number, at_ms)
    return str(found["reason"]) if found and found["closed_at_ms"] == at_ms else ""


def silence(look: Lookup, here: int) -> str:
    """Why there is no signal at all."""
    (known,) = look.one(CANDLES, *look.book, here, look.number)
    if known == 0:
        return f"no candle of {look.unit.symbol} has closed yet"
    model = look.one(ADOPTED, *look.book, here)
    needed = window(look, model[0] if model else 0)
    if known < needed:
        return f"warming up: {known:,} of the {needed:,} candles that an opinion needs"
    if look.session.signals == "model" and model is None:
        return "no model has taken over yet: `rrr train` makes one"
    if model and (speaker := look.one(STRATEGY, *model)):
        return f"{speaker[0]} has had no opinion of it so far"
    if because := thought(look, look.one(LAST_CLOSE, look.number, *look.book, here)[0]):
        return because
    return f"the {known:,} candles so far are the market's history: learned from, never acted on"


def window(look: Lookup, model: int) -> int:
    """How many candles whoever has the opinion must know."""
    if strategy := look.one(STRATEGY, model):
        return int(strategy[1])
    if model:
        from rrr.neural_network.features import STEPS, WINDOW

        return WINDOW + STEPS - 1
    if look.session.signals not in ("baseline", "model"):
        return 1  # a strategy is adopted with its first close, and says then how many
    slow = look.one(SETTING, "trend.slow_candles", look.session.id)
    return int(slow[0]) + 1 if slow else 1


def last_row(look: Lookup, at_ms: int | None) -> tuple[int, int]:
    """The last row at or before a time, and the time of the journal's last; times never fall."""
    sql = f"SELECT number, at_ms {BOOK} AND number <= ? ORDER BY number DESC LIMIT 1"
    last, now_ms = look.one(sql, *look.book, 1 << 62) or (0, 0)
    if at_ms is None or at_ms >= now_ms:
        return last, now_ms
    times = range(1, last + 1)
    return bisect_right(times, at_ms, key=lambda n: look.one(sql, *look.book, n)[1]), now_ms


def lookup(connection: sqlite3.Connection, session: Session, symbol: str) -> Lookup:
    """`btc/usd` and, where one base has one market here, `btc` are BTC-USD."""
    units = sessions.units(connection, session.id)
    wanted = symbol.strip().upper().replace("/", "-")
    named = [i for i, unit in enumerate(units) if wanted == unit.symbol]
    bases = [i for i, unit in enumerate(units) if wanted == unit.base]
    for number in named or (bases if len(bases) == 1 else ()):
        return Lookup(connection, session, number, units[number])
    names = nearest(wanted, [unit.symbol for unit in units])
    raise NotFound(f"{session.name} has no instrument {symbol!r}.", f"It has {', '.join(names)}.")


def nearest(wanted: str, names: Sequence[str]) -> list[str]:
    """All names, what looks most like the wanted one first.

    >>> nearest("ETHUSD", ["BTC-USD", "ETH-USD", "DOGE-EUR"])[0]
    'ETH-USD'
    """
    alike = get_close_matches(wanted, names, n=len(names) or 1, cutoff=0.5)
    return [*alike, *(name for name in names if name not in alike)]
