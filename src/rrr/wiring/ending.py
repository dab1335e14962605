"""A market that ended finishes its session; a stopped one can go on. Both end with the summary."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from rrr import __version__
from rrr.core.errors import JournalBroken
from rrr.core.ledger import equity
from rrr.data_pipeline.recorded_files import timeframe_name
from rrr.database.journal import RESTORE
from rrr.database.sessions import Life
from rrr.monitoring.notes import Note
from rrr.monitoring.summary import summary, told
from rrr.monitoring.words import money
from rrr.trading.engine.opening import Terms
from rrr.wiring.tasks import House


async def farewell(house: House, terms: Terms) -> tuple[dict[str, Any], str]:
    """The summary, and its words."""
    engine, session = house.engine, house.engine.session
    over = terms.ends_at_ms is not None and engine.head.at_ms >= terms.ends_at_ms
    state_hash = engine.state_hash

    def words(connection: sqlite3.Connection) -> dict[str, Any]:
        found = summary(connection, session, engine.state, terms.units, state_hash)
        if not found["books_balanced"]:
            raise JournalBroken("The books do not balance: " + "; ".join(found["faults"]), RESTORE)
        return found

    found = await engine.end(over, words)
    outcome = "finished" if over else "stopped: the same command, without --new, goes on"
    text = told(found, terms.units[0].quote, outcome)
    house.teller.note(
        Note("trading", "summary", f"{session.name} {outcome}", None, found, aloud=False)
    )
    house.teller.note(Note("audit", "ended", f"{session.name} {outcome}", aloud=False))
    return found, text


def greeting(house: House, terms: Terms, life: Life) -> Iterator[Note]:
    """What a person should know before the first decision."""
    session, head, settings = house.engine.session, house.engine.head, house.settings
    symbols = ", ".join(f"{unit.venue}:{unit.symbol}" for unit in terms.units)
    timeframe = timeframe_name(house.market.timeframe_ms)
    pace = "as fast as it can" if settings.pace == "max" else f"speed {settings.pace:g}"
    if house.live is not None:
        yield house.live.banner()
    text = (
        f"RRR {__version__}, {session.mode}, {house.market.title}, {timeframe}, {pace}: {symbols}"
    )
    yield Note("system", "started", text, detail={"version": __version__, "pid": life.pid})
    fresh = len(terms.instruments) + 3  # the law, what is assumed, the first money
    begun = "begins" if head.number <= fresh else f"goes on after row {head.number:,}"
    quote, account = terms.units[0].quote, house.engine.state.account
    usual = {"baseline": "the baseline", "model": "a model, once there is one"}
    who = usual.get(settings.opinion) or f"{house.opinions.voice.name} (unproven)"
    if account.model:
        who = f"{house.story.name(account.model)} (unproven)"
    text = (
        f"session {session.name} {begun}, equity {money(equity(account))} {quote}, signals: {who}"
    )
    yield Note("trading", "session", text, detail={"session": session.name, "row": head.number})
    risk = settings.risk
    text = (
        f"limits: {risk.exposure_max_bps / 100:g} % of equity in one instrument,"
        f" {risk.gross_max_bps / 100:g} % in all, stop {settings.policy.stop_bps / 100:g} % below,"
        f" nothing new after {risk.loss_24h_max_bps / 100:g} % lost in 24 h, halt at"
        f" {risk.drawdown_max_bps / 100:g} % drawdown"
    )
    yield Note("trading", "limits", text)
    for name, detail in life.notes:
        words = [f"{key} {value}" if key != "note" else str(value) for key, value in detail.items()]
        text = f"{name}: " + ", ".join(words)
        yield Note("system", name, text, detail=detail)
    told = {name: value for name, value, _ in life.settings}
    yield Note("audit", "settings", f"{session.name}: settings in force", None, told, aloud=False)
