"""Whatever becomes of an answer, the agent finds out what was done, and nothing is done twice.

    python -m tests.trading.live.answers --venue kraken --seed 1

Each fault of trading meets each sort of request at a loopback venue: an entry that takes, one that
rests, a stop, a cancel, an amendment. The real agent, engine and database then have market time to
settle, and are judged by the venue's ledger. The loop's clock is the market's, as in `hurried.py`.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from tests.market_hour.hurried import SLEPT, hurry
from tests.trading.live.answers_bench import AMOUNT, housed
from tests.venue.dialects import DIALECTS
from tests.venue.faults import TRADING
from tests.venue.process import Venue, started

WHATS: Final = ("entry", "limit", "stop", "cancel", "amend")
LASTS_S: Final = 20.0
STALE_S: Final = 12.0  # no replica of this venue is older: it shows nothing of another book's
DEPOSIT: Final = "1000000"


class Trial(NamedTuple):
    """A fault, and where it is met; `lasts_s`: it goes on behind the answer."""

    fault: str
    landing: str
    where: str | None = None
    amount: int | None = None
    lasts_s: float = 0
    beside: str = ""  # another fault of the answer


_LANDED: Final = (
    *("reply_dropped", "reply_hangs", "reply_late", "reply_html", "reply_empty", "reply_500"),
    *("reply_duplicate", "truncated"),
)
_NOT: Final = ("http_500", "html", "maintenance", "refuse", "half_open", "http_429")

TRIALS: Final = (
    *(Trial(fault, "landed", "trade") for fault in _LANDED),
    *(Trial(fault, "not landed", "trade") for fault in _NOT),
    *(Trial("accepted_late", "landed late", "trade", ms) for ms in (2_000, 20_000, 40_000)),
    Trial("partial", "landed", "trade", beside="reply_dropped"),
    Trial("cancel_race", "landed", "trade"),
    *(
        Trial(fault, "landed", "read", lasts_s=LASTS_S, beside="reply_dropped")
        for fault in ("stale", "balance_lag", "empty_pages")
    ),
    *(Trial(fault, "not landed", lasts_s=LASTS_S) for fault in ("halted", "delisted")),
)


@dataclass(slots=True)
class Tally:
    """Of all cases; what is not spoken at a venue is none."""

    venue: str
    seed: int
    cases: int = 0
    unspoken: int = 0
    second_orders: int = 0
    wrongly_rejected: int = 0
    never_settled: int = 0
    landed: dict[str, int] = field(default_factory=dict)
    settle_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        ordered = sorted(self.settle_s) or [0.0]
        at = {
            name: round(ordered[min(int(part * len(ordered)), len(ordered) - 1)], 2)
            for name, part in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
        }
        names = ("venue", "seed", "cases", "unspoken", "second_orders", "wrongly_rejected")
        said = {name: getattr(self, name) for name in (*names, "never_settled", "landed")}
        return {**said, "market_s_to_settle": at, "faults": self.faults}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trading.live.answers")
    parser.add_argument("--venue", choices=tuple(DIALECTS), default="kraken")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=30)
    parser.add_argument("--sample", type=int, help="so many of all cases, by the seed")
    parser.add_argument("--only", help="WHAT or FAULT, or both with a comma")
    given = parser.parse_args()
    cases = [(what, trial) for what in WHATS for trial in TRIALS if _meets(what, trial)]
    Random(given.seed).shuffle(cases)
    if given.only:
        wanted = given.only.split(",")
        cases = [(w, t) for w, t in cases if all(each in (w, t.fault) for each in wanted)]
    with (
        started(given.venue, seed=given.seed, speed=given.speed, tier="none") as venue,
        tempfile.TemporaryDirectory(prefix="answers_") as folder,
    ):
        slept = Path(folder) / "slept"
        slept.write_bytes(SLEPT.pack(0.0))
        begun = venue.time.begun
        hurry(venue.time.start_ms, begun, given.speed, str(slept))
        # The clock that it reads runs as fast as the market from here on.
        here = replace(venue, time=replace(venue.time, speed=1.0, begun=begun * given.speed))
        tally = Tally(given.venue, given.seed)
        asyncio.run(_all(here, Path(folder), cases[: given.sample], tally))
    sys.stdout.write(json.dumps(tally.told(), indent=2) + "\n")
    return 1 if tally.faults else 0


def _meets(what: str, trial: Trial) -> bool:
    """A race is of cancels, and what is filled in part is what takes; readers meet no amendment."""
    if trial.fault == "cancel_race":
        return what == "cancel"
    if trial.fault == "partial":
        return what == "entry"
    return what != "amend" or trial.where == "trade"


async def _all(venue: Venue, folder: Path, cases: list[tuple[str, Trial]], tally: Tally) -> None:
    from rrr.core.orders import Kind
    from rrr.trading.live.spelling import amends

    quote = venue.symbols[0].partition("/")[2]
    await venue.deposit(quote, DEPOSIT)
    for number, (what, trial) in enumerate(cases, 1):
        case = Case(venue, folder / f"{number}.db", number, what, trial)
        alone = what == "amend" and not amends(venue.name, Kind.STOP)
        await (_amended if alone else _met)(case, tally)
        await venue.heal()
        await venue.cancel()
        await venue.wait(STALE_S)


@dataclass(frozen=True, slots=True)
class Case:
    venue: Venue
    path: Path
    number: int
    what: str
    trial: Trial

    @property
    def words(self) -> str:
        amount = "" if self.trial.amount is None else f" {self.trial.amount}"
        return f"{self.what} × {self.trial.fault}{amount}, {self.trial.landing}"

    def is_meant(self, request: Any) -> bool:
        """Whether this request is the one that meets the fault."""
        from rrr.trading.live.spelling import Verb

        if request.verb is not Verb.SEND:
            return bool(self.what == request.verb.value)
        stop = any(name.startswith("stop") for name in request.params)
        return (self.what == "stop") == stop and self.what not in ("cancel", "amend")


async def _met(case: Case, tally: Tally) -> None:
    """The agent decides, meets the fault, and has time to find out."""
    from rrr.core.orders import TimeInForce
    from rrr.trading.live.spelling import SPEECHES
    from tests.storm.live_judge import judged, read

    if case.what == "limit" and TimeInForce.GTD not in SPEECHES[case.venue.name].times:
        tally.unspoken += 1
        return
    begin_ms = case.venue.clock_ms()
    resting = case.what == "limit"
    async with housed(case.venue, case.path, case.number, resting=resting) as bench:
        sprung = Trap(case, bench.wire)
        await bench.says(10_000)
        if case.what in ("cancel", "amend"):
            await bench.until(lambda: bench.is_quiet() and bench.protected)
            await bench.says(0 if case.what == "cancel" else 5_000)
        met = await bench.until(lambda: sprung.at_ms > 0)
        quiet = met and await bench.until(lambda: sprung.is_over and bench.is_quiet())
        settled_ms = case.venue.clock_ms()
        await case.venue.wait(case.trial.lasts_s)
        await bench.lookout.all()
        quiet = quiet and await bench.until(bench.is_quiet)
        frozen = [one.words for one in bench.agent.frozen]
        stop, held = bench.engine.state.lanes[0].stop, bench.engine.state.lanes[0].quantity
    entries = (await case.venue.ledger())["entries"]
    judgement = judged(entries, read(case.path), since_ms=begin_ms)
    ours = [each for each in entries if each["what"] == "order" and each["at_ms"] >= begin_ms]
    second = _second(entries, {each["id"]: each for each in ours})
    tally.cases += 1
    tally.landed[case.trial.landing] = tally.landed.get(case.trial.landing, 0) + 1
    tally.second_orders += len(second)
    tally.wrongly_rejected += len(judgement.denied)
    if quiet:
        tally.settle_s.append((settled_ms - sprung.at_ms) / 1_000)
    else:
        tally.never_settled += 1
        tally.faults.append(f"{case.words}: {'never settled' if met else 'never met'}")
    found = [*judgement.faults, *second, *(f"frozen: {words}" for words in frozen)]
    if case.what == "amend" and not (stop.quantity == held < AMOUNT):
        found.append(f"{held} are held under a stop of {stop.quantity}")
    tally.faults += [f"{case.words}: {fault}" for fault in found]


def _second(entries: list[Any], ours: dict[str, Any]) -> list[str]:
    """Purchases that were open together, coins that were offered twice, and what was bought beyond
    the wish."""
    found, working, held = [], dict[str, int](), 0
    for entry in entries:
        id = entry.get("id" if entry["what"] == "order" else "order")
        if id not in ours:
            continue
        buys = ours[id]["side"] == "buy"
        match entry["what"]:
            case "order" | "amended":
                working[id] = entry["quantity"]
            case "ended":
                working.pop(id, None)
            case "fill":
                working[id] -= entry["quantity"]
                held += entry["quantity"] if buys else -entry["quantity"]
                if held > AMOUNT:
                    found.append(f"{id} buys more than was wished for")
        alike = [each for each in working if ours[each]["side"] == ours[id]["side"]]
        if buys and len(alike) > 1:
            found.append(f"a second order that buys is open: {id}")
        if not buys and sum(working[each] for each in alike) > held:
            found.append(f"more is offered than is held: {id}")
    return found


async def _amended(case: Case, tally: Tally) -> None:
    """Of the wire alone, where a venue changes no stop: the daemon cancels, and sends anew."""
    from rrr.trading.live.outcomes import Kind
    from rrr.trading.live.spelling import Request
    from tests.venue.trading import FAR, LIMIT
    from tests.venue.trading import housed as wired

    begin_ms = case.venue.clock_ms()
    async with wired(case.venue, 1_000_000 + 10 * case.number) as house:
        outcome, named = await house.send(LIMIT, FAR)
        assert outcome.kind is Kind.CONFIRMED, outcome
        order, _, _ = house.order(LIMIT, FAR + 10)
        request = house.amending(named, order)
        if not isinstance(request, Request):
            tally.unspoken += 1
            return
        trap = Trap(case, house.wire)
        outcome = await house.wire.amend(request)
        if case.trial.amount:
            await case.venue.wait(case.trial.amount / 1_000)
        entries = (await case.venue.ledger())["entries"]
        rows = await house.look_up(named)
    since = [each for each in entries if each["at_ms"] >= begin_ms]
    done = any(each["what"] == "amended" for each in since)
    tally.cases += 1
    tally.landed[case.trial.landing] = tally.landed.get(case.trial.landing, 0) + 1
    if sum(each["what"] == "order" for each in since) != 1:
        tally.second_orders += 1
        tally.faults.append(f"{case.words}: a second order")
    if done and outcome.kind is Kind.REJECTED:
        tally.wrongly_rejected += 1
        tally.faults.append(f"{case.words}: called rejected, and it was done")
    if done != (case.trial.landing != "not landed") or not trap.is_over:
        tally.faults.append(f"{case.words}: the fault was not met as it says")
    if not isinstance(rows, list) or len(rows) != 1:
        tally.faults.append(f"{case.words}: looked up, it is {rows}")


class Trap:
    """The first request that is meant meets the fault; what follows meets what lasts."""

    def __init__(self, case: Case, wire: Any) -> None:
        self.at_ms = 0
        self.is_over = False
        self._case = case
        for name in ("send", "cancel", "amend"):
            setattr(wire, name, self._trapped(getattr(wire, name)))

    def _trapped(self, call: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
        async def met(request: Any) -> Any:
            if self.at_ms or not self._case.is_meant(request):
                return await call(request)
            venue, trial = self._case.venue, self._case.trial
            self.at_ms = venue.clock_ms()
            await self._fault()
            try:
                return await call(request)
            finally:
                await venue.heal()
                left_s = trial.lasts_s - (venue.clock_ms() - self.at_ms) / 1_000
                if left_s > 0:
                    await venue.fault(trial.fault, left_s, where=trial.where)
                self.is_over = True

        return met

    async def _fault(self) -> None:
        trial, venue = self._case.trial, self._case.venue
        await venue.fault(trial.fault, amount=trial.amount, where=trial.where)
        if trial.beside:
            await venue.fault(trial.beside, where="trade")


def unmet() -> Iterator[str]:
    """Faults of trading that no trial has."""
    met = {trial.fault for trial in TRIALS} | {trial.beside for trial in TRIALS}
    yield from sorted(TRADING.keys() - met)


if __name__ == "__main__":
    raise SystemExit(main())
