"""A model is made of the history before the market begins, and of nothing after it."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from rrr.config import Home, Loaded, Settings
from rrr.core.errors import ModelBroken, Unavailable
from rrr.core.events import Close
from rrr.data_pipeline.market import Market
from rrr.monitoring.notes import Note
from rrr.monitoring.words import count
from rrr.neural_network.artefact import Artefact
from rrr.neural_network.job import FOLDS, NETS, Job, needed
from rrr.neural_network.panel import leader_of, panel_of
from rrr.neural_network.training import Progress, train
from rrr.wiring.beginning import market_of, quick_epochs
from rrr.wiring.judging import tried
from rrr.wiring.stopping import stop_when_asked, unless
from rrr.wiring.teller import Teller
from rrr.wiring.train_page import train_page


async def train_now(
    home: Home, loaded: Loaded, stream: TextIO, *, full: bool = False
) -> dict[str, Any]:
    """Train, and nothing else. Somebody who stops it leaves all models as they were.

    What is told is the model that serves; its siblings lie beside it.
    """
    settings, stop, teller = loaded.settings, stop_when_asked(), Teller(stream, loaded)
    made: list[Artefact] = []
    pages: list[Path] = []

    async def work() -> None:
        async with market_of(home, settings, teller, asyncio.Event()) as market:
            job = await job_of(market, settings, full=full)
            home.prepare()
            # The logs of the home belong to its daemon.
            models, live = home.data / "models", shown(teller)
            made.append(await trained(job, models, teller, live))
            await asyncio.to_thread(tried, home, loaded, made[0])
            if full:
                page = partial(train_page, models, loaded, market, job.panel, made[0])
                pages.append(
                    await asyncio.to_thread(page, lambda n, of: live(f"page {n / of:.0%}"))
                )

    if not await unless(stop, work()):
        again = " Begun again, it goes on from here." if full else ""
        raise Unavailable("The training was stopped.", f"All models are as they were.{again}")
    found = made[0]
    report = (found.folder / "report.txt").read_text(encoding="utf-8")
    return {"model": f"model {found.id:012x}", "folder": str(found.folder), "report": report} | {
        "metrics": found.manifest.get("metrics", {}),
        "pictures": str(pages[0]) if pages else "",
    }


def shown(teller: Teller) -> Callable[[str], None]:
    """How far a training is: on the live line of a terminal, or a line whenever it changes."""
    last = ""

    def progress(text: str) -> None:
        nonlocal last
        if teller.terminal.is_alive:
            teller.terminal.status(f"training {text}")
        elif (place := _place(text)) != last:
            last = place
            teller.plain(f"training {text}")

    return progress


def _drawn(twins: int, of: int) -> str:
    return f"the page: {twins} of {of} twins are played"


def said(now: Progress) -> str:
    """Where it is, how much of the work that is, and about how long the rest will take.

    >>> said(Progress("learning", 3, 16, None, 251.0, 0.43, "network", 4, 8, 332.0))
    '43 %, fold 4 of 8, network, about 6 min left'
    >>> said(Progress("learning", 4, 8, 0.01, 20.0, 0.5, "network", left_s=20.0))
    '50 %, about 20 s left'
    >>> said(Progress("judging", 8, 8, 0.01, 40.0, 1.0))
    'judging'
    """
    if now.phase != "learning":
        return now.phase
    where = [f"fold {now.fold} of {now.folds}" if now.fold else "to serve", now.kind]
    left = [] if now.left_s is None else [f"about {_about(now.left_s)} left"]
    return ", ".join([f"{now.share:.0%}".replace("%", " %"), *where * (now.folds > 0), *left])


def _about(seconds: float) -> str:
    """
    >>> [_about(each) for each in (0.2, 89, 91, 7000)]
    ['1 s', '89 s', '2 min', '1.9 h']
    """
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"


def _place(text: str) -> str:
    """What is told only once where lines stay: the fold and the kind, or all that there is.

    >>> _place("43 %, fold 4 of 8, network, about 6 min left"), _place("page 2%")
    ('fold 4 of 8 network', 'page')
    """
    parts = [part for part in text.split(", ") if not part.endswith((" %", " left"))]
    words = " ".join(parts).split()
    return " ".join(word for word in words if not word.endswith("%")) or text


async def job_of(
    market: Market, settings: Settings, *, full: bool = False, lately: Sequence[Close] = ()
) -> Job:
    """What there is to learn from: history, and what came lately. ModelBroken if too little."""
    return await asyncio.to_thread(_job, market, settings, full, lately)


def _job(market: Market, settings: Settings, full: bool, lately: Sequence[Close]) -> Job:
    asked = settings.train
    closes = market.history(asked.history_candles)
    if lately:
        before = [close for close in closes if close.at_ms < lately[0].at_ms]
        closes = [*before, *lately][-asked.history_candles :]
    least = needed(asked.horizon_candles, FOLDS if full else 0)
    if len(closes) < least and market.name == "replay":
        raise ModelBroken(
            f"{len(closes):,} closing times before the replay begins are too little to train on:"
            f" {least:,} are needed.",
            "--from leaves history before it; or ask for --signals baseline.",
        )
    symbols = tuple(one.spec.symbol for one in market.instruments)
    panel = panel_of(closes, len(symbols), market.timeframe_ms, leader_of(symbols))
    return Job(
        panel,
        symbols,
        market.name,
        settings.seed,
        asked.horizon_candles,
        asked.epochs if full else quick_epochs(asked.epochs),
        asked.patience_epochs,
        FOLDS if full else 0,
        NETS if full else 1,
        seconds_max=asked.minutes_max * 60,
    )


async def trained(
    job: Job,
    models: Path,
    teller: Teller,
    progress: Callable[[str], None],
) -> Artefact:
    """Train in a child process; how far it is shows on the status line."""
    candles = int(job.panel.there.sum())
    whose = count(len(job.symbols), "instrument")
    text = f"training a model on {candles:,} candles of {whose}"
    teller.note(Note("system", "training", text, detail={"recipe": job.recipe()[:12]}))

    def told(now: Progress) -> None:
        progress(said(now) if now.epoch or now.folds else now.phase)

    return await train(job, models, told)
