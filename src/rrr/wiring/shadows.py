"""Null shadows and candidates run on paper beside the principal, and nobody waits for them.

Which there are: as soon as a model or a strategy is obeyed, `random` says its words at another time
and `hold` what it held on average, `shuffled` is the network that learned from shuffled labels, and
each model that the registry calls a shadow has a book of its own. Each is a task that nothing hangs
on: it follows what is committed (`following`), and one that fails is told once. A session that is
finished is met to its end; a stopped one goes on, and whoever is far behind rests where it is.
"""

import asyncio
import json
import traceback
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

from rrr.config import Settings
from rrr.core.errors import ModelBroken
from rrr.data_pipeline.market import Market
from rrr.database import shadows
from rrr.database.shadows import Shadow
from rrr.monitoring.notes import Level, Note
from rrr.neural_network import artefact as artefacts
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact, Scope
from rrr.neural_network.model import WINDOW, Model
from rrr.neural_network.twins import Companion, Delayed, Flat, Held, Own
from rrr.neural_network.voice import Voice
from rrr.trading.engine.engine import Engine
from rrr.wiring.following import Follower, Known
from rrr.wiring.opinions import Opinions
from rrr.wiring.teller import Teller

PAST_CLOSES: Final = 1_000  # that a new book learns from before it speaks
HORIZONS: Final = 10  # a delay is longer than so many of them
PATIENCE_S: Final = 3.0  # with who is behind when somebody stops us: the next life goes on there
MADE: Final = "SELECT manifest FROM models WHERE id = ?"


class Shadows:
    """All shadows of one session."""

    def __init__(
        self,
        settings: Settings,
        market: Market,
        principal: Engine,
        teller: Teller,
        opinions: Opinions,
    ) -> None:
        self.settings, self.market, self.principal = settings, market, principal
        self.teller, self.opinions, self.models = teller, opinions, opinions.models
        asked, settled = settings.shadows.enabled, settings.pace == "max"
        self.wanted = asked if asked is not None else not (settled or market.name == "replay")
        self.followers: dict[int, Follower] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.news = asyncio.Event()
        self.seen: tuple[int, int] = (0, 0)  # the model that was obeyed, and the registry's age
        symbols = tuple(one.spec.symbol for one in market.instruments)
        self.scope = Scope(market.name, market.timeframe_ms, symbols)
        risk = settings.risk
        stale_ms = risk.stale_candles * market.timeframe_ms
        self.known = Known(market.begins_ms, stale_ms, risk.late_ms, settings.real)

    def tell(self) -> None:
        """The principal has committed."""
        self.news.set()
        for follower in self.followers.values():
            follower.tell()

    async def run(self, over: asyncio.Event) -> None:
        """Follow until nothing is decided any more, and all of it was met."""
        if not self.wanted:
            return
        try:
            await self._apart("the shadows", self._watch(over))
            for follower in self.followers.values():
                follower.tell(over=True)
            if self.tasks:
                await asyncio.wait(self.tasks, timeout=None if self._finished else PATIENCE_S)
            for follower in self.followers.values():
                follower.leave()
            if self.tasks:
                await asyncio.wait(self.tasks)
        finally:
            for task in self.tasks:
                task.cancel()
            if self.tasks:
                await asyncio.wait(self.tasks)

    @property
    def _finished(self) -> bool:
        ends_ms = self.market.ends_ms
        return ends_ms is not None and self.principal.head.at_ms >= ends_ms

    async def _watch(self, over: asyncio.Event) -> None:
        """Begin what is to be begun, and end what nobody watches any more."""
        for shadow in await self._all():
            if shadow.ended_at_ms is None:
                self._begin(shadow)
        ending = asyncio.create_task(over.wait())
        try:
            while True:
                self.news.clear()
                now = await self._now()
                if now != self.seen:
                    self.seen = now
                    await self._apart("a look at the shadows", self._look())
                if over.is_set():
                    return
                waiting = asyncio.create_task(self.news.wait())
                try:
                    await asyncio.wait({waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
        finally:
            ending.cancel()

    async def _now(self) -> tuple[int, int]:
        """What may call for another shadow, cheap enough to be asked at each commit."""
        return self.principal.state.account.model, await asyncio.to_thread(
            _age_ns, self.models / registry.FILE
        )

    async def _look(self) -> None:
        there = await self._all()
        kinds = {shadow.kind for shadow in there}
        for number, model in await self._takeovers():
            if "random" not in kinds:
                await self._open("random", number, delay=self._delay())
                await self._open("hold", number)
                kinds |= {"random", "hold"}
            if "shuffled" not in kinds and await self._has_twin(model):
                await self._open("shuffled", number)
                kinds |= {"shuffled"}
        wanted = await asyncio.to_thread(registry.shadows, self.models, self.scope)
        names = {one.name for one in wanted}
        known = {one.folder: one for one in there if one.kind == "model" and not one.ended_at_ms}
        for name in sorted(names - known.keys()):
            await self._open("model", self.principal.committed.number + 1, folder=name)
        for name in known.keys() - names:
            await self._end(known[name])

    async def _all(self) -> list[Shadow]:
        found = await self.principal.db.read(shadows.ALL, (self.principal.session.id,))
        return [Shadow(*row) for row in found]

    async def _takeovers(self) -> list[tuple[int, int]]:
        """The rows at which somebody but the baseline took over, and who it was."""
        found = await self.principal.db.read(shadows.TAKEOVERS, (self.principal.session.id,))
        return [(number, model) for number, model in found if model]

    async def _open(self, kind: str, opens: int, *, delay: int = 0, folder: str = "") -> None:
        session = self.principal.session.id
        found = await self.principal.db.read(shadows.BACK, (session, opens, PAST_CLOSES))
        rows = (int(found[0][0]) - 1 if found else 0, opens)
        at_ms = self.principal.clock()
        shadow = await self.principal.db.write(
            lambda connection: shadows.opened(
                connection, session, kind, rows, at_ms, folder=folder, delay=delay
            )
        )
        self._begin(shadow)

    async def _end(self, shadow: Shadow) -> None:
        if (follower := self.followers.pop(shadow.book, None)) is not None:
            follower.tell(over=True)
        at_ms = self.principal.clock()
        await self.principal.db.write(lambda connection: shadows.ended(connection, shadow, at_ms))
        text = f"{shadow.name} is no shadow any more, or cannot be read: its book ends here"
        self.teller.note(Note("system", "shadow_ended", text))

    def _begin(self, shadow: Shadow) -> None:
        follower = Follower(shadow, self.principal, self.known, self._cast)
        self.followers[shadow.book] = follower
        task = asyncio.create_task(self._apart(f"the shadow {shadow.name}", follower.run()))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _apart(self, who: str, work: Awaitable[None]) -> None:
        """Do this work; a failure of it is told, and goes no further."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            why = str(error).rstrip(".") or type(error).__name__
            text = f"{who} cannot go on: {why}. Trading is untouched."
            detail = {"error": traceback.format_exception(error)[-3:]}
            self.teller.note(
                Note("system", "shadow_lost", text, detail=detail, level=Level.WARNING)
            )

    async def _cast(
        self, shadow: Shadow, number: int, engine: Engine
    ) -> tuple[Companion, dict[str, Any]]:
        about: dict[str, Any] = {"shadow": shadow.kind}
        if shadow.kind == "random":
            return Delayed(shadow.delay), about | {"delay": shadow.delay}
        if shadow.kind == "hold":
            held = await engine.db.read(shadows.HELD, (shadow.session, shadow.follows))

            def scales() -> list[int]:
                return [one.scale for one in engine.decided.state.instruments]

            return Held(scales, dict(held), shadow.memory), about
        if shadow.kind == "model":
            found = await asyncio.to_thread(artefacts.load, self.models / shadow.folder)
            voice = await asyncio.to_thread(self._voiced, found)
            return Own(voice), {**found.manifest, "folder": found.name}
        before = [model for row, model in await self._takeovers() if row <= number]
        made = await self._made(before[-1]) if before else None
        if made is None or not made.twin:
            return Flat("nobody's twin"), about
        voice = await asyncio.to_thread(self._voiced, replace(made, network=made.twin))
        return Own(voice, f"shuffled twin of {voice.name}"), about | {"folder": made.name}

    async def _made(self, model: int) -> Artefact | None:
        """The artefact of a model that was obeyed; none of a strategy."""
        found = await self.principal.db.read_one(MADE, (model,))
        folder = json.loads(found[0]).get("folder") if found else None
        if folder is None:
            return None
        return await asyncio.to_thread(artefacts.load, self.models / Path(folder).name)

    async def _has_twin(self, model: int) -> bool:
        """A model that is gone has none, and keeps no other shadow from its book."""
        try:
            made = await self._made(model)
        except ModelBroken:
            return False
        return made is not None and bool(made.twin)

    def _voiced(self, artefact: Artefact) -> Voice:
        """Not watched: what it says is a function of the journal and of its own bytes."""
        market, of = self.market, self.opinions
        return Model(artefact, len(market.instruments), market.timeframe_ms, of.terms, of.belief)

    def _delay(self) -> int:
        """Drawn once; beyond any horizon and any memory, so that it foresees nothing."""
        voice, horizon = self.opinions.voice, self.settings.train.horizon_candles
        remembered = voice.window
        if isinstance(voice, Model):
            remembered, horizon = WINDOW, voice.artefact.horizon
        least = max(HORIZONS * horizon, remembered) + 1
        return Random(f"shadow {self.settings.seed}").randrange(least, 2 * least)


def _age_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
