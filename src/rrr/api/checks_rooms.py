"""Each room does a little of its own work, and what comes out is looked at.

The core decides a small known market; its orders and reports have a known hash on every machine.
The same market goes through the engine into a real file, and is replayed from there.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import blake2b
from importlib import metadata
from importlib.util import find_spec
from itertools import count as numbered
from pathlib import Path
from statistics import median
from typing import Any, Final

from rrr.api import controls
from rrr.api.checks import Finding, Patient, existing, files, probed, size
from rrr.core.events import Close, Command, Flow, Limits, Listing, Signal, Verb
from rrr.core.market import QUANTA, Candle, Instrument, Source
from rrr.core.orders import Order, Report
from rrr.core.shelf import NO_ASSUMPTIONS
from rrr.core.state import Law, Sizing
from rrr.database import sessions
from rrr.database.client import Client
from rrr.database.holder import is_held
from rrr.database.journal import encode
from rrr.database.opening import PAPER, connect_read_only
from rrr.database.sessions import Life, Unit
from rrr.monitoring.words import count
from rrr.trading.engine import paper
from rrr.trading.engine.engine import Moment
from rrr.trading.engine.opening import Terms, opened
from rrr.trading.engine.paper import NO_WORLD, Record
from rrr.trading.engine.venue import Paper

HOUR_MS: Final = 3_600_000
BEGIN_MS: Final = 1_704_067_200_000
CAPITAL: Final = 10_000 * QUANTA
CLOSES: Final = 96
DECIDED: Final = "3963f3507c0bc258d2cc201c8571a9e6"  # what the core makes of `known_market`
SOCKET_PATH_MAX: Final = 103  # bytes: macOS has the shortest, 104 with the zero at its end
ARCHIVES_MANY_BYTES: Final = 10**9
ASKED: Final = 9  # times, for a median
NO_MODEL: Final = Finding("none yet: the baseline trades", "`rrr train` makes one.")
NO_MODEL_OURS: Final = Finding(
    "all are retired or of another version: the baseline trades", "`rrr train` makes one."
)

LAW: Final = Law(
    conviction_min_bps=1_000,
    volatility_target_ppm=5_000,
    band_bps=1_000,
    warmup_candles=8,
    collar_bps=100,
    stop_bps=150,
    target_bps=120,
    exposure_max_bps=5_000,
    gross_max_bps=9_000,
    book_volatility_max_ppm=20_000,
    orders_per_minute_max=5,
    order_notional_max=CAPITAL,
    loss_24h_max_bps=1_000,
    drawdown_max_bps=2_500,
    cooldown_ms=2 * HOUR_MS,
    stale_ms=2 * HOUR_MS,
    synthetic_may_open=0,
    sizing=int(Sizing.VOLATILITY),
    entry_maker=0,
    maker_offset_bps=0,
    patience_ms=0,
    chase=0,
    fill_or_kill=0,
    stop_limit_bps=0,
    trail_bps=0,
    target_rests=0,
)
COIN: Final = Instrument(
    id=0,
    version=1,
    scale=10**4,
    tick=100,
    lot=1_000,
    quantity_min=1_000,
    notional_min=QUANTA,
    fee_maker_ppm=500,
    fee_taker_ppm=1_000,
    half_spread_ppm=50,
    slippage_ppm=100,
    fee_in_base=0,
    unit=0,
)
UNIT: Final = Unit("made", "COIN-USD", "COIN", "USD", 4, 8, 0, "made up")


def known_market() -> Iterator[tuple[Close, Signal]]:
    """A walk of whole numbers: the same everywhere, without any library's dice."""
    dice, price = 1, 400_000_000
    for k in range(1, CLOSES + 1):
        dice = (dice * 1_103_515_245 + 12_345) % (1 << 31)
        close = price + price * ((dice >> 8) % 401 - 200) // 10_000
        reach = price // 500
        candle = Candle(
            *(0, price, max(price, close) + reach, min(price, close) - reach, close, 1),
            int(Source.REPLAYED),
        )
        at_ms, price = BEGIN_MS + k * HOUR_MS, close
        yield (
            Close(at_ms, at_ms - HOUR_MS, (candle,), ()),
            Signal(at_ms, 0, (dice >> 17) % 20_001 - 10_000, 0),
        )


def core(patient: Patient) -> Finding:
    """Same events, same decisions, on every machine."""
    begun = time.perf_counter()
    world, record = NO_WORLD, list[Any]()
    for event in (Limits(0, LAW), Listing(0, COIN), Flow(0, CAPITAL)):
        world = paper.advance(world, event, record)
    for close, signal in known_market():
        world = paper.advance(world, close, record)
        world = paper.advance(world, signal, record)
    ms = (time.perf_counter() - begun) * 1000
    found = decided(record, world.state.account.cash)
    orders = sum(isinstance(item, Order) for item in record)
    figure = f"{CLOSES} candles, {orders} orders in {ms:.1f} ms, hash {found[:12]}"
    if found == DECIDED:
        return Finding(f"{figure} as everywhere")
    return Finding(
        f"{figure}, and {DECIDED[:12]} was expected",
        "This program does not decide as it was tested to: install it anew, and do not trade.",
        ok=False,
    )


def decided(record: Record, cash: int) -> str:
    """What left and what came back; the shape of the state may change, these may not."""
    moved = [item for item in record if isinstance(item, Order | Report)]
    return blake2b(encode((cash, moved)), digest_size=16).hexdigest()


def data_pipeline(patient: Patient) -> Finding:
    """The simulated market brings its first closes, and the same ones twice."""
    begun = time.perf_counter()
    first, again = asyncio.run(first_closes()), asyncio.run(first_closes())
    ms = (time.perf_counter() - begun) * 500
    figure = f"simulated market: {count(len(first), 'close')} in {ms:.0f} ms"
    if first == again and all(close.candles for close in first):
        return Finding(f"{figure}, the same twice")
    return Finding(f"{figure}, another time others", "Install it anew.", ok=False)


async def first_closes(number: int = 24) -> list[Close]:
    from rrr.data_pipeline.simulated import simulated

    market = simulated((), "1h", 1, number)
    return [arrival.close async for arrival in market.arrivals(market.begins_ms)]


def neural_network(patient: Patient) -> Finding:
    """The baseline has an opinion, the runtime of models runs, and training is possible or not."""
    import onnxruntime

    from rrr.neural_network.baseline import Trend

    said = Trend(4, 8, 4).meet([close for close, _ in known_market()])
    opinions = sum(map(len, said))
    assert opinions == CLOSES - 8, "One opinion for each close, once the window is full."
    figure = f"baseline: {opinions} opinions; onnxruntime {onnxruntime.__version__}"
    if find_spec("torch") is None or find_spec("onnx") is None:
        advice = "To train models: pip install 'rrr[train]'; without, the baseline trades."
        return Finding(f"{figure}, no torch", advice)
    return Finding(f"{figure}, torch {metadata.version('torch')}")


def model(patient: Patient) -> Finding:
    """No model is damaged, and the champion, or else the newest, answers."""
    import numpy as np

    from rrr.neural_network import registry
    from rrr.neural_network.features import FEATURES, STEPS
    from rrr.neural_network.model import Network

    known = registry.standings(patient.home.data / "models")
    meant = [one for one in known if one.standing.state != "retired"]
    for one in meant:
        if one.artefact is None and not one.foreign:
            advice = f"`rrr models retire {one.name}` lets it go, `rrr train` makes a new one."
            return Finding(f"the {one.standing.state} {one.name}: {one.trouble}", advice, ok=False)
    whole = [(one.standing, one.artefact) for one in meant if one.artefact]
    if not whole:
        return NO_MODEL_OURS if known else NO_MODEL
    stands, found = max(whole, key=lambda one: (one[0].state == "champion", one[1].ends_ms))
    network = Network(found, len(found.scope.symbols))
    rows = np.zeros((len(found.scope.symbols), STEPS, len(FEATURES)), np.float32)
    took_ms = []
    for _ in range(ASKED):
        begun = time.perf_counter()
        network.asked(rows)
        took_ms.append((time.perf_counter() - begun) * 1000)
    why = stands.why if stands.state == "champion" else "unproven"
    return Finding(
        f"{found.name} ({stands.state}: {why}), {figures(found.manifest)}, answers for"
        f" {count(len(found.scope.symbols), 'instrument')} in {median(took_ms):.2f} ms"
    )


def figures(manifest: Mapping[str, Any]) -> str:
    """
    >>> figures({"metrics": {"ic": 0.0612, "rows": 9}})
    'validation IC +0.061'
    """
    ic = manifest.get("metrics", {}).get("ic")
    return f"validation IC {ic:+.3f}" if isinstance(ic, int | float) else "no validation IC"


def trading(patient: Patient) -> Finding:
    """The engine decides and commits in a file that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        rows, ms = asyncio.run(traded(Path(folder) / "trading.db"))
    return Finding(f"{CLOSES + 1} moments, {rows} rows decided and committed in {ms:.0f} ms")


def backtesting(patient: Patient) -> Finding:
    """What the engine wrote is made again from its journal, row for row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "backtesting.db"
        rows, _ = asyncio.run(traded(path))
        begun = time.perf_counter()
        with closing(connect_read_only(path, PAPER)) as connection:
            same = patient.replays(connection, sessions.named(connection, None))
        ms = (time.perf_counter() - begun) * 1000
    if same:
        return Finding(f"{rows} rows replayed identical in {ms:.0f} ms")
    return Finding(f"{rows} rows replayed, and not identical", "Do not trade: report it.", ok=False)


async def traded(path: Path) -> tuple[int, float]:
    """The known market, then a halt: rows in the journal, and how long they took."""
    about = {"mode": "paper", "market": "replay", "signals": "baseline"}
    ends_ms = BEGIN_MS + (CLOSES + 1) * HOUR_MS
    terms = Terms(about, [UNIT], LAW, NO_ASSUMPTIONS, [COIN], CAPITAL, BEGIN_MS, ends_ms)
    life = Life(os.getpid(), "doctor", [], [])
    async with Client.open(path, application_id=PAPER) as db:
        engine = await opened(db, terms, life, Paper(), numbered(1).__next__, new=True)
        begun = time.perf_counter()
        await engine.take(Moment(events) for events in known_market())
        await engine.take([Moment((Command(engine.head.at_ms, Verb.HALT),), "examined")])
        return engine.head.number, (time.perf_counter() - begun) * 1000


def monitoring(patient: Patient) -> Finding:
    """Logs can be written, and do not fill the drive."""
    logs = patient.home.logs
    probed(existing(logs))
    archive = logs / "archive"
    kept = [file for file in files(logs) if archive not in file.parents]
    packed = list(files(archive))
    live, old = (sum(file.stat().st_size for file in some) for some in (kept, packed))
    figure = f"{count(len(kept), 'log file')}, {size(live)}; {count(len(packed), 'archive')},"
    large = f"{archive} may be emptied." if old > ARCHIVES_MANY_BYTES else ""
    return Finding(f"{figure} {size(old)}", large)


def api(patient: Patient) -> Finding:
    """The socket has a path that every system takes, and the daemon answers through it."""
    root = patient.home.root
    path = controls.socket_path(root)
    long = len(os.fsencode(path))
    if long > SOCKET_PATH_MAX:
        return Finding(
            f"the socket's path has {long} bytes, {SOCKET_PATH_MAX} are possible: {path}",
            "Let XDG_RUNTIME_DIR or TMPDIR name a folder with a shorter path.",
            ok=False,
        )
    figure = f"the socket's path has {long} of {SOCKET_PATH_MAX} bytes"
    if not is_held(patient.home.data):
        return Finding(f"{figure}; no daemon listens")
    begun = time.perf_counter()
    said = controls.ask(root, "status")
    ms = (time.perf_counter() - begun) * 1000
    return Finding(f"{figure}; the daemon, pid {said['pid']}, answers in {ms:.1f} ms")
