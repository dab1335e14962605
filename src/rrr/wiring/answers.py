"""Who asks through the socket is answered; who commands gets the row that the command became."""

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from rrr.api import controls
from rrr.api.checks_database import round_trip_ms
from rrr.config import Home
from rrr.core.errors import Unavailable
from rrr.core.events import Verb
from rrr.monitoring.notes import Note
from rrr.wiring.beginning import clean
from rrr.wiring.fitting import remember_for
from rrr.wiring.hearing import heard_of
from rrr.wiring.tasks import House, command
from rrr.wiring.watching import figures_of, look

if TYPE_CHECKING:
    from rrr.wiring.trading_live import Live

COMMANDS = {
    "halt": (Verb.HALT, "halted: no new risk"),
    "resume": (Verb.RESUME, "resumed"),
    "panic": (Verb.PANIC, "panic: halted, and all that is held goes at the next price"),
}


async def socket(house: House, home: Home) -> None:
    """Listen until somebody stops us."""
    async with controls.listening(controls.socket_path(home.root), partial(answer, house)):
        await house.stop.wait()


async def answer(house: House, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer a question from outside. Raise Unavailable for what cannot be asked."""
    match asked["verb"]:
        case "status":
            return pulse(house)
        case "release" if house.live is not None:
            return {"said": await released(house, house.live, asked)}
        case "fit" if house.live is not None:
            return await remember_for(house.db, asked, house.engine.clock())
        case "doctor":
            return {"round_trip_ms": await round_trip_ms(house.db)}
        case verb if verb in COMMANDS:
            if house.stop.is_set():
                raise Unavailable("It is about to end.", "Ask again once it runs.")
            meant, words = COMMANDS[verb]
            reason = clean(str(asked.get("reason", "")))
            row = await command(house, meant, reason)
            told = f"{verb} through the socket" + (f": {reason}" if reason else "")
            house.teller.note(Note("audit", verb, told, detail={"row": row}, aloud=False))
            return {"said": f"{words} (row {row:,} of the journal)"}
        case verb:
            known = ", ".join(["status", "doctor", *COMMANDS])
            raise Unavailable(f"{verb!r} is no command.", f"Ask for one of {known}.")


async def released(house: House, live: "Live", asked: dict[str, Any]) -> str:
    """A person has looked at what touched an instrument: it may be bought again."""
    named, reason = str(asked.get("instrument", "")), clean(str(asked.get("reason", "")))
    symbols = [unit.symbol for unit in live.agent.units]
    if named not in symbols:
        raise Unavailable(f"{named!r} is not traded.", f"Name one of {', '.join(symbols)}.")
    await house.inbox.put(live.release(symbols.index(named), reason))
    told = f"released {named}" + (f": {reason}" if reason else "")
    house.teller.note(Note("audit", "release", told))
    live.lookout.look_at_all()
    return f"{named} is released; it is bought again once books and venue agree"


def pulse(house: House) -> dict[str, Any]:
    """What only the living daemon knows."""
    seen, health = look(house), house.market.health()
    figures = figures_of(house, seen, health)
    return {
        "pid": os.getpid(),
        "up_s": figures.uptime_s,
        "rows": figures.rows,
        "at_ms": figures.at_ms,
        "ages_s": {name: round(age, 1) for name, age in seen.ages_s.items()},
        "feed": figures.feed,
        "heard": heard_of(health),
        "signals": figures.signals,
        "training": figures.training,
        "memory_mb": figures.memory_mb,
        "lag_p99_ms": figures.lag_p99_ms,
        "lag_max_ms": figures.lag_max_ms,
        "disk_free_mb": round(seen.disk_mb),
        "trading": house.live and house.live.told(house.engine.state, house.story.units),
    }
