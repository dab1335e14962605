"""Whose opinion is heard, and when that changes: always between two closes, as an event.

In a replay, or at full speed, the voice is settled before the first candle, so that no clock
decides an outcome. At a human pace the baseline speaks while a model trains beside the house. A
strategy that was asked for by name speaks from the first close on.
"""

import asyncio
import json
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from rrr.config import Home, Settings
from rrr.config.round_trip import account_of
from rrr.core.errors import ModelBroken, RRRError
from rrr.core.events import Adopted, Close, Event
from rrr.data_pipeline.market import Arrival, Market
from rrr.database import sessions
from rrr.database.client import Client
from rrr.database.sessions import PRINCIPAL
from rrr.monitoring.notes import Level, Note
from rrr.monitoring.words import span, stamp
from rrr.neural_network import artefact as artefacts
from rrr.neural_network import registry
from rrr.neural_network.abstaining import Reason
from rrr.neural_network.artefact import Artefact, Scope
from rrr.neural_network.baseline import Trend
from rrr.neural_network.drift import LATELY_MAX
from rrr.neural_network.model import WINDOW, Model
from rrr.neural_network.strategies.naming import strategy_of
from rrr.neural_network.strategies.neural import filled
from rrr.neural_network.strategies.strategy import Strategy, identity
from rrr.neural_network.strategies.voice import StrategyVoice
from rrr.neural_network.terms import belief_of, terms_of
from rrr.neural_network.voice import Voice
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.venue import Work
from rrr.wiring.remembering import memory_of, together, work_of
from rrr.wiring.strategies import symbols_of
from rrr.wiring.teller import Teller

MADE = "SELECT manifest FROM models WHERE id = ?"
NAME = "SELECT name FROM models WHERE id = ?"


class Opinions:
    """The voice of one session, and the one that may take over from it."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        market: Market,
        engine: Engine,
        teller: Teller,
        names: dict[int, str],
        warmed: Callable[[int, int, int], Note],
        *,
        real_money: bool = False,
    ) -> None:
        self.real_money = real_money
        self.settings, self.market, self.engine, self.teller = settings, market, engine, teller
        self.home, self.models = home, home.data / "models"
        self.settled = settings.pace == "max" or market.name == "replay"
        self.baseline = Trend(**settings.trend.model_dump())
        self.voice: Voice = self.baseline
        self.obeyed = engine.state.account.model  # another voice is adopted before it speaks
        self.successor: tuple[Voice, Artefact | None] | None = None
        self.names = names  # of models and strategies, for people
        symbols = symbols_of(market)
        self.scope = Scope(market.name, market.timeframe_ms, symbols)
        self.terms = terms_of(settings, symbols)
        self.belief = belief_of(settings, market.timeframe_ms, settled=self.settled)
        self.ended = Reason.NONE  # why the model that speaks is not believed any more
        self.looked_ns = -1  # when what the registry says was written
        self.strategy = strategy_of(settings.opinion)
        if self.strategy is not None:
            self.strategy = filled(self.strategy, settings, symbols)
            self.voice = self._voice_of(self.strategy)
        window = max(self.baseline.window, self.voice.window, self._window_of_models())
        self.recent: deque[Close] = deque(maxlen=window)
        self.past: list[int] = []  # closing times that were only learned from
        self.training = ""  # how far it is
        self.late = False  # the last close was
        self.warmed = warmed

    async def begin(self, db: Client) -> None:
        """Find the voice of this session, warmed; a settled one trains first if it must."""
        engine = self.engine
        if self.strategy is not None:
            await self._remember(db)
        elif adopted := engine.state.account.model:
            await self._recall(db, adopted)
        elif self.settings.opinion == "model" and self.settled:
            self._next(await self._made())
        wanted = [min(lane.candles, self.recent.maxlen or 0) for lane in engine.state.lanes]
        read = partial(sessions.last_closes, session=engine.session.id, book=PRINCIPAL)
        # As many candles of each: an instrument with holes reaches further back than the others.
        closes = await db.write(lambda connection: read(connection, wanted=wanted))
        self.recent.extend(closes)
        if isinstance(model := self.voice, Model):
            memory = await db.write(lambda connection: memory_of(connection, self._key, model))
            if memory is not None:
                model.recall(memory)
        self.voice.warm(closes)

    async def learn(self) -> None:
        """Beside the trading, make the model that this session lacks; without it, go on."""
        if self.settings.opinion != "model" or self.settled or self.voice.model or self._mute:
            return
        try:
            self._next(await self._made())
        except RRRError as error:
            text = f"no model: {error.what} The baseline goes on. {error.advice}"
            self.teller.note(Note("system", "no_model", text, level=Level.WARNING))
        finally:
            self.training = ""

    @property
    def _mute(self) -> bool:
        """The baseline does not stand in where real money obeys only what was proven."""
        return self.real_money and self.settings.opinion == "model" and not self.voice.model

    @property
    def drifted(self) -> str:
        """What changed since the model that speaks was made; empty while nothing did."""
        watch = self.voice.watch if isinstance(self.voice, Model) else None
        return watch.drifted if watch is not None else ""

    @property
    def abstains(self) -> str:
        """Why the model that speaks wishes to be flat, whatever it thinks; empty while not."""
        return self.ended.value

    def told_as(self, name: str) -> str:
        """Whoever speaks, for the status: with why it is not believed, if it is not."""
        return f"{name} (flat: {self.ended.value})" if self.ended else name

    def offer(self, artefact: Artefact) -> None:
        """This model speaks from the next close on that can be traded on."""
        self._next(artefact)

    async def meet(self, arrivals: Sequence[Arrival]) -> list[Moment]:
        """The moments of these closing times: what came, then what is thought of it."""
        moments: list[Moment] = []
        for past, group in groupby(arrivals, key=lambda arrival: arrival.past):
            run = list(group)
            moments += self._heard(run) if past else await self._thought(run)
        return moments

    def _heard(self, run: Sequence[Arrival]) -> list[Moment]:
        """What nobody could have acted on teaches, and brings no opinion."""
        closes = [arrival.close for arrival in run]
        self.recent.extend(closes)
        self.voice.warm(closes)
        self.past += [close.at_ms for close in closes]
        works = [self._thoughts(), *[None] * len(run)]
        return [
            Moment((one.close, *one.depths, *one.touches), also=self._ledger(one, also))
            for one, also in zip(run, works, strict=False)
        ]

    async def _thought(self, run: Sequence[Arrival]) -> list[Moment]:
        if self.past:
            self.teller.note(self.warmed(len(self.past), self.past[0], self.past[-1]))
            self.past = []
        closes = [arrival.close for arrival in run]
        await self._look()
        events, known = self._take_over(closes[0].at_ms)
        self.recent.extend(closes)
        if self.voice.model == 0:
            told = self.voice.meet(closes)
        else:
            told = await asyncio.to_thread(self.voice.meet, closes)
        if self._mute:
            told = [[] for _ in closes]
        moments, also = [], together(known, self._thoughts())
        self._tell_late(run)
        self._tell_belief()
        for one, signals in zip(run, told, strict=True):
            if one.late:
                signals = [signal for signal in signals if signal.conviction_bps <= 0]
            said = (one.close, *one.depths, *one.touches, *events, *signals)
            moments.append(Moment(said, also=self._ledger(one, also)))
            events, also = [], None
        return moments

    def _ledger(self, one: Arrival, also: Work | None = None) -> Work | None:
        """The gaps that came with a close, in its commit, beside what else is written there."""
        if not one.gaps:
            return also
        session, run, at_ms = self.engine.session.id, self.engine.pen.run, self.engine.clock()

        def write(connection: sqlite3.Connection) -> None:
            if also is not None:
                also(connection)
            sessions.note_gaps(connection, session, run, one.gaps, at_ms)

        return write

    @property
    def _key(self) -> tuple[int, int]:
        return self.engine.session.id, PRINCIPAL

    def _thoughts(self) -> Work | None:
        """The rows of all that a model thought of the closes that it met last."""
        if not isinstance(self.voice, Model):
            return None
        return work_of(self._key, self.engine.pen.run, self.voice)

    def _tell_belief(self) -> None:
        """Once when a model is not believed any more, and once when it is again."""
        ended = self.voice.disbelieved if isinstance(self.voice, Model) else Reason.NONE
        if ended == self.ended:
            return
        self.ended = ended
        if not ended:
            text = f"{self.voice.name} is believed again"
            self.teller.note(Note("system", "model_believed", text))
            return
        why = f" ({self.drifted})" if ended is Reason.DRIFTED else ""
        text = f"{self.voice.name} wishes to be flat: {ended.value}{why}"
        self.teller.note(Note("system", "model_disbelieved", text, level=Level.WARNING))

    async def _look(self) -> None:
        """Somebody may have promoted a model since: it takes over before the next close."""
        if self.settled or self.settings.opinion != "model":
            return
        try:
            written_ns = (self.models / registry.FILE).stat().st_mtime_ns
        except FileNotFoundError:
            return
        if written_ns == self.looked_ns:
            return
        self.looked_ns = written_ns
        try:
            found = await asyncio.to_thread(registry.champion, self.models, self.scope)
            if found is not None and found.id != self.voice.model and await self._may(found):
                self._next(found)
        except RRRError as error:
            text = f"{error.what} {self.voice.name} speaks on. {error.advice}"
            self.teller.note(Note("system", "champion_lost", text, level=Level.WARNING))

    async def _may(self, champion: Artefact) -> bool:
        """With real money only whom `rrr --mode live` would begin with; why not is told."""
        if not self.real_money:
            return True
        from rrr.api.arming import unproven

        about = self.home, self.settings, self.scope
        lacks = await asyncio.to_thread(lambda: list(unproven(*about)))
        if lacks:
            text = f"{champion.name} is not obeyed with real money:"
            text = " ".join([text, *(lack.what for lack in lacks)])
            text = f"{text} {self.voice.name} speaks on."
            self.teller.note(Note("system", "champion_unproven", text, level=Level.WARNING))
        return not lacks

    def _tell_late(self, run: Sequence[Arrival]) -> None:
        """Once for each time that it begins: nothing is opened on what has passed."""
        for one in run:
            if one.late and not self.late:
                limit = span(self.settings.risk.late_ms / 1000)
                text = f"the close of {stamp(one.close.at_ms)} is known more than {limit} late"
                text = f"{text}: it opens nothing, exits stay"
                self.teller.note(Note("system", "late_close", text, level=Level.WARNING))
            self.late = one.late

    def _take_over(self, at_ms: int) -> tuple[list[Event], Work | None]:
        """The event of a takeover, and the row that it refers to."""
        said: dict[str, Any] = {}
        if self.successor is not None:
            (self.voice, artefact), self.successor = self.successor, None
            if artefact is not None:
                self.voice.warm(self.recent)
                said = {**artefact.manifest, "folder": artefact.name}
        elif self.strategy is not None and self.voice.model != self.obeyed:
            about = {"strategy": self.strategy.text, "source": self.strategy.source}
            said = {**about, "window": self.voice.window}
        else:
            return [], None
        self.obeyed = self.voice.model
        if not said:
            return [Adopted(at_ms, self.obeyed)], None
        known = (self.obeyed, self.voice.name, self.engine.clock(), json.dumps(said))
        return [Adopted(at_ms, self.obeyed)], lambda c: sessions.know_model(c, *known)

    def _next(self, artefact: Artefact) -> None:
        """This model speaks from the next close on that can be traded on, unless it does anyway."""
        last = self.voice if self.successor is None else self.successor[0]
        if artefact.id == last.model:
            return
        voice = self._voice(artefact)
        self.successor = voice, artefact
        metrics = artefact.manifest.get("metrics", {})
        shown = f", validation IC {metrics['ic']:+.3f}" if "ic" in metrics else ""
        standing = registry.standing(self.models, artefact.name)
        proven = standing.state == "champion" and not registry.lacking(
            self.models, artefact, account_of(self.settings, self.scope.symbols)
        )
        word = "it passed its gate" if proven else "it is unproven"
        if artefact.bps_per_unit == 0:
            word = "it showed nothing that chance does not show, and will wish to be flat"
        text = f"{voice.name} is ready{shown}; {word}"
        detail = {"model": voice.name, "folder": artefact.name, "metrics": metrics}
        self.teller.note(Note("system", "model_ready", text, detail=detail))

    def _voice(self, artefact: Artefact) -> Voice:
        market = self.market
        about = len(market.instruments), market.timeframe_ms, self.terms, self.belief
        voice = Model(artefact, *about, watched=True)
        self.names[voice.model] = voice.name
        return voice

    def _voice_of(self, strategy: Strategy) -> Voice:
        market = self.market
        symbols = [one.spec.symbol for one in market.instruments]
        voice = StrategyVoice(
            strategy, identity(strategy), len(symbols), market.timeframe_ms, symbols
        )
        self.names[voice.model] = voice.name
        return voice

    async def _remember(self, db: Client) -> None:
        """Whom this session obeyed so far; a strategy whose file changed is another one."""
        if self.obeyed in (0, self.voice.model):
            return
        found = await db.read_one(NAME, (self.obeyed,))
        assert found is not None, "What was adopted is known: one commit wrote both."
        self.names[self.obeyed] = found[0]
        text = f"this session obeyed {found[0]}; {self.voice.name} takes over at the next close"
        self.teller.note(Note("system", "strategy_changed", text, level=Level.WARNING))

    def _window_of_models(self) -> int:
        if self.settings.opinion != "model":
            return 0
        return WINDOW + LATELY_MAX

    async def _recall(self, db: Client, adopted: int) -> None:
        """The model that this session has adopted speaks on; if it is gone, its time is over."""
        found = await db.read_one(MADE, (adopted,))
        assert found is not None, "What was adopted is known: one commit wrote both."
        folder = self.models / Path(json.loads(found[0])["folder"]).name
        try:
            artefact = await asyncio.to_thread(artefacts.load, folder)
            if artefact.id != adopted:
                raise ModelBroken(f"The model in {folder} is another one.", "Train anew.")
            if not self.settled:
                await self._unretired(artefact)
            self.voice = self._voice(artefact)
        except ModelBroken as error:
            if self.settled:
                raise
            who = "Nobody speaks" if self.real_money else "The baseline speaks"
            text = f"{error.what} {who} until there is another one."
            self.teller.note(Note("system", "model_lost", text, level=Level.WARNING))
            self.successor = self.baseline, None

    async def _made(self) -> Artefact:
        """The model for this market: the one there is, or a new one."""
        for damaged in await asyncio.to_thread(artefacts.clear, self.models):
            text = f"{damaged.what} {damaged.advice}"
            self.teller.note(Note("system", "model_damaged", text, level=Level.WARNING))
        found = await asyncio.to_thread(registry.obeyed, self.models, self.scope)
        if found is not None and self._serves(*found):
            return found[0]
        from rrr.wiring.learning import job_of, trained

        job = await job_of(self.market, self.settings)
        made = await asyncio.to_thread(artefacts.find, self.models, job.recipe())
        if made is not None:
            await self._unretired(made)
            return made
        return await trained(job, self.models, self.teller, self._progress)

    async def _unretired(self, artefact: Artefact) -> None:
        said = await asyncio.to_thread(registry.standing, self.models, artefact.name)
        if said.state == "retired":
            raise ModelBroken(
                f"{artefact.name} is retired: {said.why}.",
                f"`rrr models promote {artefact.name} --paper` lets paper obey it again.",
            )

    def _serves(self, artefact: Artefact, standing: registry.Standing) -> bool:
        """A champion does. A candidate of an exchange, whose history is another one each day, does
        if it was trained as the settings, which name this session, say."""
        if standing.state == "champion":
            return True
        if not self.settings.real:
            return False
        asked = {"seed": self.settings.seed, "horizon": self.settings.train.horizon_candles}
        return all(artefact.manifest.get(name) == value for name, value in asked.items())

    def _progress(self, text: str) -> None:
        self.training = text
