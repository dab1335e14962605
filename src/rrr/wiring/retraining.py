"""A model grows old and the market changes: another is made beside the trading, and asks to serve.

On a schedule, or once the one that speaks has drifted, never twice within a gap, and never where no
clock may decide an outcome. A child process does it, so that the loop goes on. What it makes is a
candidate: on paper, and where no champion stands, it is obeyed; else it waits for a person and the
gate, and is trained in full for it. A training that fails is told, and tried again after the gap.
Time is the market's: what matters is how old the candles are that a model has seen.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from rrr.config import Settings
from rrr.core.errors import RRRError
from rrr.core.events import Close
from rrr.database.sessions import PRINCIPAL
from rrr.monitoring.notes import Level, Note
from rrr.monitoring.words import span
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact

if TYPE_CHECKING:
    from rrr.wiring.tasks import House

HOUR_MS: Final = 3_600_000
DAY_HOURS: Final = 24
CLOSES: Final = """SELECT core FROM journal WHERE session = ? AND book = ? AND kind = 4
    ORDER BY number DESC LIMIT ?"""


class Plan(NamedTuple):
    """How often models are made, in milliseconds of the market."""

    every_ms: int  # 0: never
    gap_ms: int

    def due(self, now_ms: int, learned_ms: int, tried_ms: int, drifted: str) -> str:
        """Why another model is made now; empty while none is.

        `learned_ms` is the last candle that any model has seen, `tried_ms` the last try.

        >>> plan = Plan(24, 6)
        >>> plan.due(100, 76, 0, ""), plan.due(100, 90, 0, "volume"), plan.due(100, 95, 0, "volume")
        ('the newest model is old', 'volume', '')
        """
        if now_ms - max(learned_ms, tried_ms) < self.gap_ms:
            return ""
        if drifted:
            return drifted
        if now_ms - learned_ms < self.every_ms:
            return ""
        return "the newest model is old" if learned_ms else "there is none"


def plan_of(settings: Settings, timeframe_ms: int) -> Plan:
    """
    >>> plan_of(Settings(market="kraken"), HOUR_MS).every_ms // HOUR_MS
    24
    >>> plan_of(Settings(), HOUR_MS)
    Plan(every_ms=0, gap_ms=21600000)
    """
    hours, gap_ms = settings.train.every_hours, settings.train.gap_hours * HOUR_MS
    if hours is None:
        hours = DAY_HOURS if settings.real and timeframe_ms >= HOUR_MS else 0
    return Plan(hours * HOUR_MS, gap_ms)


async def retrain(house: "House") -> None:
    """Make models as they are due, until somebody stops us."""
    trainings = Trainings(house)
    while trainings.wanted:
        await house.closed.wait()
        house.closed.clear()
        await trainings.look()


class Trainings:
    """When a house trained last, and what it has learned from."""

    def __init__(self, house: "House") -> None:
        self.house, self.plan = house, plan_of(house.settings, house.market.timeframe_ms)
        self.tried_ms, self.learned_ms = house.engine.closed_at_ms, 0

    @property
    def wanted(self) -> bool:
        opinions = self.house.opinions
        asked = opinions.settings.opinion == "model" and self.plan.every_ms > 0
        return asked and not opinions.settled

    async def look(self) -> None:
        """Train, if it is due; a failure is told."""
        house, opinions, plan = self.house, self.house.opinions, self.plan
        now_ms = house.engine.closed_at_ms
        if not plan.due(now_ms, self.learned_ms, self.tried_ms, opinions.drifted):
            return
        try:
            # Somebody may have trained meanwhile.
            self.learned_ms = await asyncio.to_thread(_learned_ms, house)
            why = plan.due(now_ms, self.learned_ms, self.tried_ms, opinions.drifted)
            if why:
                self.tried_ms = now_ms
                await _another(house, why)
        except RRRError as error:
            self.tried_ms = now_ms
            again = f"Another try follows after {span(plan.gap_ms / 1000)} of the market."
            text = f"no new model: {error.what} Whoever serves goes on. {again}"
            house.teller.note(Note("system", "not_retrained", text, level=Level.WARNING))
        finally:
            opinions.training = ""


async def _another(house: "House", why: str) -> None:
    """One training, and what becomes of it."""
    from rrr.wiring.learning import job_of, trained

    opinions, crowned = house.opinions, await asyncio.to_thread(_is_crowned, house)
    house.teller.note(Note("system", "retraining", f"another model is trained: {why}"))
    lately = await _lately(house)
    job = await job_of(house.market, house.settings, full=crowned, lately=lately)

    def progress(text: str) -> None:
        opinions.training = text

    made = await trained(job, opinions.models, house.teller, progress)
    await asyncio.to_thread(registry.tidy, opinions.models, house.engine.clock())
    if crowned or house.live is not None or await asyncio.to_thread(_is_crowned, house):
        house.teller.note(_waits(made, crowned))
    else:
        opinions.offer(made)


def _waits(made: Artefact, crowned: bool) -> Note:
    whom = "the champion goes on" if crowned else "nothing unproven is obeyed with real money"
    text = f"candidate {made.name} waits, {whom}: `rrr models gate {made.name}` judges it"
    return Note("system", "candidate", text, detail={"folder": made.name})


def _learned_ms(house: "House") -> int:
    """The last candle that any model of this market has seen; 0 where there is none."""
    known = registry.standings(house.opinions.models)
    mine = (one.artefact for one in known if one.artefact)
    return max((one.ends_ms for one in mine if one.scope == house.opinions.scope), default=0)


def _is_crowned(house: "House") -> bool:
    return registry.champion(house.opinions.models, house.opinions.scope) is not None


async def _lately(house: "House") -> Sequence[Close]:
    """The closes of this session, which the market's history does not have."""
    about = house.engine.session.id, PRINCIPAL, house.settings.train.history_candles
    found = await house.db.read(CLOSES, about)
    return await asyncio.to_thread(_decoded, [core for (core,) in found])


def _decoded(cores: Sequence[str]) -> list[Close]:
    read = msgspec.json.Decoder(Close).decode
    return [read(core) for core in reversed(cores)]
