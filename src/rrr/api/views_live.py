"""Where real money is, nothing that is open, frozen, foreign or different goes unsaid.

What the seam to a real venue has written of a session, beside its books: the last tie-out, orders
whose fate is not known, what is not ours, what may only be reduced. A living daemon has looked more
lately than the tables have: where it answers, its word on what is frozen counts.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rrr.core.ledger import QUOTE
from rrr.core.market import QUANTA
from rrr.core.orders import Side
from rrr.database import live_fits, sessions
from rrr.database.journal import REPORT
from rrr.database.sessions import PRINCIPAL, Session, Unit
from rrr.monitoring.terminal import BOLD_RED, paint
from rrr.monitoring.words import count, figure, printable, utc
from rrr.trading.engine.venue import SPEAKERS

TIED: Final = """SELECT at_ms, currency, ours, aside, theirs, slack, difference, differs
    FROM last_tie_out WHERE session = ? AND book = ? ORDER BY currency"""
ASIDE: Final = """SELECT kind, id, currency, instrument, aside, flow, at_ms, seen_at_ms,
    released_at_ms, words FROM quarantine
    WHERE session = ? AND book = ? ORDER BY at_ms, kind, id, currency"""
SUMS: Final = """SELECT currency, sum(aside) FROM quarantine
    WHERE session = ? AND book = ? GROUP BY currency HAVING sum(aside) <> 0 ORDER BY currency"""
ORDERS: Final = """SELECT l.sequence, l.instrument, l.state, o.kind, l.side, l.quantity, o.price,
    o.cause, o.filled, l.client_id, l.venue_id, l.intent_at_ms, l.sending_at_ms, l.attempts
    FROM live_orders l JOIN orders o USING (session, book, sequence)
    WHERE l.session = ? AND l.book = ? AND l.state NOT IN ('ended', 'rejected')
    ORDER BY l.sequence"""
SETTING: Final = """SELECT value FROM settings WHERE name = ?
    AND run IN (SELECT id FROM runs WHERE session = ?) ORDER BY run DESC LIMIT 1"""

MONEY: Final = len(str(QUANTA)) - 1
RESTS: Final = "placed"
FATES: Final = {"new": "to send", "sending": "on its way", "unknown": "UNKNOWN"}
ASK_AGAIN: Final = "it is looked up, and never sent again"


def afar(session: Session) -> bool:
    """Whether the reports of a session came from outside: from a venue that is far away."""
    return REPORT in SPEAKERS[session.mode][1]


def seam(connection: sqlite3.Connection, session: Session) -> dict[str, Any]:
    """All that is written at the seam of a session, in a person's units."""
    key, coins = (session.id, PRINCIPAL), Coins(sessions.units(connection, session.id))
    tied = tied_out(connection, key, coins)
    aside = quarantined(connection, key, coins)
    orders = open_orders(connection, key, coins)
    return {
        "venue": session.market,
        "sandbox": bool(session.about.get("sandbox")),
        "tie_out": tied,
        "frozen": [*foreign(aside), *mismatched(tied, coins)],
        "aside": {coins.name(c): coins.amount(c, n) for c, n in connection.execute(SUMS, key)},
        "quarantine": aside,
        "orders": [one for one in orders if one["state"] != RESTS],
        "resting": sum(one["state"] == RESTS for one in orders),
        "ramp": ramp(connection, session),
    }


class Coins(NamedTuple):
    """The names and the decimals of what a book counts in."""

    units: Sequence[Unit]

    def name(self, currency: int) -> str:
        return self.units[0].quote if currency == QUOTE else self.units[currency - 1].base

    def amount(self, currency: int, amount: int) -> str:
        return plain(amount, MONEY if currency == QUOTE else self.units[currency - 1].grains)

    def symbol(self, instrument: int) -> str | None:
        return self.units[instrument].symbol if instrument >= 0 else None


def tied_out(
    connection: sqlite3.Connection, key: tuple[int, int], coins: Coins
) -> dict[str, Any] | None:
    """Each balance of the last tie-out: the book's, what is not ours, the venue's."""
    rows = connection.execute(TIED, key).fetchall()
    names = ("ours", "aside", "theirs", "slack", "difference")
    balances = [
        {"currency": coins.name(currency)}
        | {name: coins.amount(currency, sum_) for name, sum_ in zip(names, sums, strict=True)}
        | {"tied": not differs}
        for _, currency, *sums, differs in rows
    ]
    if not rows:
        return None
    tied = all(one["tied"] for one in balances)
    return {"at_ms": rows[0][0], "tied": tied, "balances": balances}


def quarantined(
    connection: sqlite3.Connection, key: tuple[int, int], coins: Coins
) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "id": id,
            "currency": coins.name(currency),
            "instrument": coins.symbol(instrument),
            "aside": coins.amount(currency, aside),
            "flow": coins.amount(QUOTE, flow),
            "at_ms": at_ms,
            "seen_at_ms": seen_at_ms,
            "released_at_ms": released_at_ms,
            "words": words,
        }
        for kind, id, currency, instrument, aside, flow, at_ms, seen_at_ms, released_at_ms, words
        in connection.execute(ASIDE, key)
    ]  # fmt: skip


def open_orders(
    connection: sqlite3.Connection, key: tuple[int, int], coins: Coins
) -> list[dict[str, Any]]:
    """Orders that are not over, as far as the seam knows."""
    found = []
    for sequence, i, state, kind, side, quantity, price, cause, filled, *ids in connection.execute(
        ORDERS, key
    ):
        unit = coins.units[i]
        client_id, venue_id, intent_at_ms, sending_at_ms, attempts = ids
        found.append(
            {
                "order": sequence,
                "instrument": unit.symbol,
                "state": state,
                "kind": kind,
                "side": Side(side).name.lower(),
                "quantity": coins.amount(1 + i, quantity),
                "filled": coins.amount(1 + i, filled),
                "price": plain(price, unit.points),
                "cause": cause,
                "client_id": client_id,
                "venue_id": venue_id or None,
                "since_ms": sending_at_ms or intent_at_ms,
                "attempts": attempts,
                "text": f"{Side(side).name.lower()} {figure(quantity, unit.grains)} {unit.base}"
                f" at {figure(price, unit.points)} ({kind}, {cause})",
            }
        )
    return found


def foreign(aside: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What something that is not ours has touched, and nobody released."""
    for one in aside:
        if one["instrument"] is not None and one["released_at_ms"] is None:
            why = f"somebody else's {one['kind']}: {one['words']}"
            yield {"instrument": one["instrument"], "why": why, "ours": "", "theirs": ""}


def mismatched(tied: Mapping[str, Any] | None, coins: Coins) -> Iterator[dict[str, Any]]:
    """Where the last tie-out differed; money that differs freezes all."""
    for one in tied["balances"] if tied else ():
        if one["tied"]:
            continue
        name = one["currency"]
        apart = "" if one["aside"] == "0" else f" and {commas(one['aside'])} not the book's"
        ours = f"{commas(one['ours'])} {name}{apart}"
        both = {"ours": ours, "theirs": f"{commas(one['theirs'])} {name}"}
        for unit in coins.units:
            if name not in (unit.base, unit.quote):
                continue
            why = "the venue's balance was another at the last tie-out"
            yield {"instrument": unit.symbol, "why": why, **both}


def ramp(connection: sqlite3.Connection, session: Session) -> dict[str, Any]:
    """How many round trips are booked of those that are to be small, and whether they are known."""
    key = (session.id, PRINCIPAL)
    asked = connection.execute(SETTING, ("live.ramp_round_trips", session.id)).fetchone()
    of = int(asked[0]) if asked else None
    compared = of is not None and live_fits.fitted(connection, key, of)
    trips = live_fits.round_trips(connection, key)
    return {"round_trips": trips, "of": of, "compared": compared}


def banner(seam: Mapping[str, Any], colour: bool) -> str:
    """
    >>> banner({"venue": "binance", "sandbox": True}, False)
    'LIVE binance, its test network'
    """
    text = f"LIVE {seam['venue']}" + (", its test network" if seam["sandbox"] else "")
    return paint(text, BOLD_RED) if colour else text


def in_words(
    seam: Mapping[str, Any], trading: Mapping[str, Any] | None
) -> Iterator[tuple[str, str]]:
    """What a person must see first comes first. `trading`: what the daemon says, if it answers."""
    for one in frozen_now(seam, trading):
        yield "FROZEN", frozen(one)
    for symbol in (trading or {}).get("unprotected_now", ()):
        yield "NO STOP", f"{printable(symbol)} is held, and nothing protects it just now"
    for one in seam["orders"]:
        yield FATES[one["state"]], fate(one)
    if trading:
        yield from spoken(trading)
    yield "resting", count(seam["resting"], "order") + " at the venue"
    if apart := set_aside(seam):
        yield "aside", apart
    yield from balances(seam["tie_out"])
    if seam["ramp"]["of"]:
        yield "ramp", climbed(**seam["ramp"])


def climbed(round_trips: int, of: int, compared: bool) -> str:
    """
    >>> climbed(3, 30, False)
    '3 of 30 round trips booked: each order is small'
    """
    if round_trips < of:
        until = "each order is small"
    elif not compared:
        until = "each order is small until `rrr costs --fit` has compared them"
    else:
        until = "it is over"
    return f"{round_trips:,} of {of:,} round trips booked: {until}"


def frozen_now(
    seam: Mapping[str, Any], trading: Mapping[str, Any] | None
) -> Sequence[Mapping[str, Any]]:
    """The daemon's word once it has looked; or else what is written."""
    said: Sequence[Mapping[str, Any]] = (trading or {}).get("frozen", ())
    return said if trading and trading.get("reconciled_at_ms") else seam["frozen"]


def frozen(one: Mapping[str, Any]) -> str:
    """Why, with both versions where there are two, and how it ends."""
    symbol, ours, theirs, why = (
        printable(str(one[name])) for name in ("instrument", "ours", "theirs", "why")
    )
    text = f"{symbol} may only be reduced: {why}"
    if ours != theirs:
        return f"{text} (ours {ours}, theirs {theirs}), until both agree"
    return f"{text}; `rrr release {symbol}` once you have looked"


def fate(one: Mapping[str, Any]) -> str:
    """An order that nobody may forget: its names on both sides, and since when."""
    theirs = f"the venue's {printable(one['venue_id'])}" if one["venue_id"] else "no word of it yet"
    text = f"order {one['order']} since {utc(one['since_ms'])}: {one['text']};"
    text += f" ours {printable(one['client_id'])}, {theirs}"
    return text + (f"; {ASK_AGAIN}" if one["state"] == "unknown" else "")


def spoken(trading: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What only the daemon knows; a part that it does not say is left out."""
    at_ms = trading.get("reconciled_at_ms")
    yield "venue", f"agreed with it at {utc(at_ms)}" if at_ms else "not reconciled yet"
    said = {
        "unprotected_s": "{:.3g} s unprotected so far",
        "unfilled_stops": "{:,} triggered stops that did not fill",
        "orders_today_notional": "orders of 24 hours {}",
        "switch": "dead-man's switch {}",
        "hints": "hints {}",
    }
    told = [
        words.format(printable(value) if isinstance(value, str) else value)
        for name, words in said.items()
        if (value := trading.get(name)) not in (None, "")
    ]
    if told:
        yield "venue", ", ".join(told)


def set_aside(seam: Mapping[str, Any]) -> str:
    """What the account holds that is not the book's, and how it came."""
    amounts = [f"{commas(amount)} {name}" for name, amount in seam["aside"].items()]
    kinds = Counter(one["kind"] for one in seam["quarantine"] if one["kind"] != "beginning")
    came = ", ".join(count(number, kind) for kind, number in sorted(kinds.items()))
    apart = f"{', '.join(amounts)} of the account not the book's" if amounts else ""
    return ", ".join(part for part in (apart, came) if part)


def balances(tied: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if tied is None:
        yield "tie-out", "none yet"
        return
    differ = [one["currency"] for one in tied["balances"] if not one["tied"]]
    what = f"DIFFERS in {', '.join(differ)}" if differ else "tied out"
    yield "tie-out", f"{what}, {utc(tied['at_ms'])}"
    for one in tied["balances"]:
        if one["tied"] and one["ours"] == one["aside"] == one["theirs"] == "0":
            continue
        sides = (f"{side} {commas(one[side])}" for side in ("ours", "aside", "theirs"))
        text = f"{one['currency']} {', '.join(sides)}"
        yield "balance", text if one["tied"] else f"{text}: {commas(one['difference'])} apart"


def plain(amount: int, places: int) -> str:
    """Exactly, as a program reads it.

    >>> plain(123_456_789_000, 8), commas("1234.56789")
    ('1234.56789', '1,234.56789')
    """
    return figure(amount, places).replace(",", "")


def commas(text: str) -> str:
    return f"{Decimal(text):,f}"
