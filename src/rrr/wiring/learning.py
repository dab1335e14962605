"""A model is made of the history before the market begins, and of nothing after it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from rrr.config import Home, Loaded, Settings
from rrr.core.errors import ModelBroken, Unavailable
from rrr.data_pipeline.market import Market
from rrr.monitoring.notes import Note
from rrr.neural_network.artefact import Artefact
from rrr.neural_network.job import Job, needed
from rrr.neural_network.panel import panel_of
from rrr.neural_network.training import Progress, train
from rrr.wiring.beginning import market_of
from rrr.wiring.stopping import stop_when_asked, unless
from rrr.wiring.teller import Teller


async def train_now(home: Home, loaded: Loaded, stream: TextIO) -> dict[str, Any]:
    """Train, and nothing else. Somebody who stops it leaves all models as they were."""
    settings, stop, teller = loaded.settings, stop_when_asked(), Teller(stream, loaded)
    made: list[Artefact] = []

    async def work() -> None:
        async with market_of(home, settings, teller, asyncio.Event()) as market:
            job = await job_of(market, settings)
            home.prepare()
            # The logs of the home belong to its daemon.
            made.append(await trained(job, home.data / "models", teller, shown(teller)))

    if not await unless(stop, work()):
        raise Unavailable("The training was stopped.", "All models are as they were.")
    found = made[0]
    report = (found.folder / "report.txt").read_text(encoding="utf-8")
    return {"model": f"model {found.id:012x}", "folder": str(found.folder), "report": report} | {
        "metrics": found.manifest.get("metrics", {})
    }


def shown(teller: Teller) -> Callable[[str], None]:
    """How far a training is: on the live line of a terminal, or a line whenever it changes."""
    last = ""

    def progress(text: str) -> None:
        nonlocal last
        if teller.terminal.is_alive:
            teller.terminal.status(f"training {text}")
        elif text != last:
            last = text
            teller.plain(f"training {text}")

    return progress


async def job_of(market: Market, settings: Settings) -> Job:
    """What there is to learn from. Raise ModelBroken where it is too little."""
    return await asyncio.to_thread(_job, market, settings)


def _job(market: Market, settings: Settings) -> Job:
    asked = settings.train
    closes = market.history(asked.history_candles)
    least = needed(asked.horizon_candles)
    if len(closes) < least and market.name == "replay":
        raise ModelBroken(
            f"{len(closes):,} closing times before the replay begins are too little to train on:"
            f" {least:,} are needed.",
            "--from leaves history before it; or ask for --signals baseline.",
        )
    panel = panel_of(closes, len(market.instruments), market.timeframe_ms)
    symbols = tuple(one.spec.symbol for one in market.instruments)
    return Job(
        panel,
        symbols,
        market.name,
        settings.seed,
        asked.horizon_candles,
        asked.epochs,
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
    text = f"training a model on {candles:,} candles of {len(job.symbols)} instruments"
    teller.note(Note("system", "training", text, detail={"recipe": job.recipe()[:12]}))

    def told(now: Progress) -> None:
        share = min(now.epoch / max(now.epochs, 1), 1.0)
        progress(f"{share:.0%}" if now.epoch else now.phase)

    return await train(job, models, told)
