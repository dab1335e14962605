"""What stands between a decision and its venue, at a loopback Kraken in a process of its own.

A book of one instrument enters, adds, reduces and leaves, again and again, in real time: engine,
agent, lookout, ccxt and HTTP are the house's, the touch and the depth are the venue's. The pace (60
requests a minute at Kraken) is lifted, or it alone would be measured; `start_paced` keeps it.

`close_to_wire` begins when a close reaches the engine, and ends when ccxt's fetch has the signed
order; `commit` is the part of the journal's FULL commit in it, beside one row of plain SQLite on
the same disk. `bare` windows are the venue's own ledger's, in its milliseconds: coins that no open
stop sells, after an entry, while a stop changes, while an exit is under way.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from bench_decide import commit as plain_commit
from bench_decide import plain_database
from bench_figures import Aim, Figures, arguments, medians, quantiles, report
from bench_live_house import CAPITAL, PAIR, PRICE, Room, Times, at, at_no_venue, keys, terms

from rrr.core.orders import Side
from rrr.core.state import NO_ACCOUNT, NO_LANE, State
from rrr.database import live as rows
from rrr.database.live import Known, Progress, Traded
from rrr.database.sessions import PRINCIPAL
from rrr.trading.live.claims import Answer, Claims, Leg, OrderClaim, Standing
from rrr.trading.live.ids import client_id, session_tag
from rrr.trading.live.memory import Memory
from rrr.trading.live.reconcile import reconciled
from rrr.trading.live.seen import Seen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.venue.process import Venue, started

WISHES: Final = (100, 200, 100, 0)  # bps of equity: enter, add, reduce, leave
TURNS: Final = 12  # of a visit: what a minute's trades come to fits on one page
OPEN: Final = (0, 10, 100)
KNOWN: Final = (0, 1_000, 10_000)
PASSES: Final = (100, 1_000, 10_000)
LANES: Final = (1, 32)
FAR: Final = "10000"  # dollars: nothing comes there
AIMS: Final = (
    Aim("ratio_commit_p50_to_plain_commit", 3),
    Aim("bare_change_ms_p99", 500),
    Aim("start_open_100_known_10000_ms", 10_000),
)


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--visits", type=int, default=6, help="of fresh venues, a round")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_live_") as name:
        folder = Path(name)
        rounds = [
            asyncio.run(one_round(folder / str(n), asked.visits)) for n in range(asked.rounds)
        ]
    report(medians(rounds), AIMS, asked.json)


async def one_round(folder: Path, visits: int) -> Figures:
    figures = await on_the_way(folder / "way", visits)
    figures |= await starts(folder / "starts")
    figures |= await seam(folder / "seam")
    return figures | passes()


async def on_the_way(folder: Path, visits: int) -> Figures:
    """Orders from their close to the wire and to their fill, and what stood bare meanwhile."""
    commits, requests, times = list[float](), list[float](), list[Times]()
    windows: dict[str, list[int]] = defaultdict(list)
    for visit in range(visits):
        here = folder / str(visit)
        here.mkdir(parents=True)
        with (
            closing(plain_database(here / "plain.db")) as plain,
            started("kraken", speed=1, tier="none", ledger=here / "ledger") as venue,
        ):
            await venue.deposit("USD", str(2 * CAPITAL))
            async with at(venue, here, key=keys()) as (room, ccxt):
                await turn(room, venue)  # to warm up
                room.engine.times.clear()
                before = len((await venue.ledger())["entries"])
                for _ in range(TURNS):
                    await turn(room, venue)
                    commits += [plain_commit(plain) for _ in WISHES]
                    requests += [await plain_request(ccxt, venue) for _ in WISHES]
            for why, found in bare((await venue.ledger())["entries"][before:]):
                windows[why].append(found)
        times += room.engine.times.values()
    figures = on_the_wire(times) | quantiles("plain_commit", commits)
    figures |= quantiles("plain_request", requests)
    for ours, floor in (("commit", "plain_commit"), ("wire_to_acknowledged", "plain_request")):
        ratio = figures[f"{ours}_us_p50"] / figures[f"{floor}_us_p50"]
        figures[f"ratio_{ours}_p50_to_{floor}"] = ratio
    for why, all_of_it in windows.items():
        ordered = sorted(all_of_it)
        figures[f"bare_{why}_times"] = len(ordered)
        figures[f"bare_{why}_ms_p50"] = ordered[len(ordered) // 2]
        figures[f"bare_{why}_ms_p99"] = ordered[len(ordered) * 99 // 100]
    return figures


async def turn(room: Room, venue: Venue) -> None:
    for wish in WISHES:
        touch = venue.tape.touch(PAIR, venue.clock_ms())
        await room.wish(wish, (touch.bid + touch.ask) // 2)


def on_the_wire(times: Sequence[Times]) -> Figures:
    bought = [one for one in times if one.by_close and one.side == Side.BUY]
    sold = [one for one in times if one.side == Side.SELL and not one.rests]
    taken = bought + sold
    return {
        **quantiles("close_to_wire", [one.wire - one.came for one in bought]),
        **quantiles("close_to_decided", [one.decided - one.came for one in bought]),
        **quantiles("commit", [one.durable - one.decided for one in bought]),
        **quantiles("durable_to_wire", [one.wire - one.durable for one in bought]),
        **quantiles("close_to_sale_on_wire", [one.wire - one.close for one in sold]),
        **quantiles("wire_to_acknowledged", [one.accepted - one.wire for one in times]),
        **quantiles("wire_to_fill_booked", [one.filled - one.wire for one in taken]),
    }


async def plain_request(ccxt: Any, venue: Venue) -> float:
    began = time.perf_counter()
    async with ccxt.session.get(f"{venue.address}/0/public/Time") as answer:
        await answer.read()
    return time.perf_counter() - began


def bare(entries: Iterable[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """Milliseconds without an open stop while something was held, and what they were for."""
    held, since_ms, guarded, stops = 0, 0, False, set[str]()
    for entry in entries:
        stood = bool(stops)
        if entry["what"] == "order" and entry["kind"] == "stop-loss":
            stops.add(entry["id"])
        elif entry["what"] == "ended":
            stops.discard(entry["order"])
        elif entry["what"] == "fill":
            was, held = held, held + entry["quantity"] * (1 if entry["side"] == "buy" else -1)
            since_ms = since_ms if was else entry["at_ms"]
            guarded = guarded and was > 0
            if not held:
                yield "exit", entry["at_ms"] - since_ms
        if stood and not stops:
            since_ms = entry["at_ms"]
        elif stops and not stood:
            yield "change" if guarded else "entry", entry["at_ms"] - since_ms
            guarded = True


async def starts(folder: Path) -> Figures:
    """From the first look into the tables to a book that agrees with its venue."""
    figures: Figures = {}
    for open_orders in OPEN:
        for known in KNOWN:
            here = folder / f"{open_orders}-{known}"
            here.mkdir(parents=True)
            with started("kraken", speed=1, tier="none", ledger=here / "ledger") as venue:
                await venue.deposit("USD", str(2 * CAPITAL))
                async with at(venue, here, key=keys(), runs=False) as (room, _):
                    tag = room.agent.tag
                orders = [past(tag, 1 + n, Progress.PLACED) for n in range(open_orders)]
                for one in orders:
                    named = {"client_id": one.client_id, "price": FAR}
                    await venue.foreign(PAIR, "buy", "0.0001", **named)
                ended = range(1_001, 1_001 + known)
                remember(here, orders + [past(tag, n, Progress.ENDED) for n in ended])
                async with at(venue, here, key=keys(), runs=False) as (room, _):
                    assert not room.agent.frozen, room.agent.frozen
                    name = f"start_open_{open_orders}_known_{known}_ms"
                    figures[name] = 1_000 * room.took_s
                if not open_orders and not known:
                    async with at(venue, here, key=keys(), runs=False, paced=True) as (room, _):
                        figures["start_paced_ms"] = 1_000 * room.took_s
    return figures


def remember(folder: Path, orders: list[Known]) -> None:
    """Orders of another life; those that ended had a trade each."""
    key = (1, PRINCIPAL)
    over = [one for one in orders if one.progress == Progress.ENDED]
    trades = [traded(one) for one in over]
    with closing(sqlite3.connect(folder / "data" / "live.db")) as connection, connection:
        rows.know(connection, key, "kraken", orders)
        rows.book(connection, key, "kraken", trades)


def past(tag: str, sequence: int, progress: Progress) -> Known:
    name = client_id("kraken", tag, sequence)
    ended_ms = 2 if progress == Progress.ENDED else 0
    named = f"O{sequence}" if ended_ms else ""
    filled = (10_000, 1) if ended_ms else (0, 0)
    kept = (int(progress), name, named, 1, 1, ended_ms, 1, *filled)
    return Known(sequence, 0, int(Side.BUY), 10_000, *kept)


def traded(one: Known) -> Traded:
    return Traded(
        f"{PAIR} buy T{one.sequence}",
        one.sequence,
        1,
        1,
        one.venue_id,
        10_000,
        PRICE,
        10**9,
        10**6,
        0,
        "",
        0,
        0,
    )


async def seam(folder: Path) -> Figures:
    """Orders a second through intend, commit, carry and the answer's own commit; no network."""
    figures: Figures = {}
    for lanes in LANES:
        async with at_no_venue(folder / str(lanes), lanes) as room:
            began = time.perf_counter()
            for wish in WISHES * TURNS:
                await room.wish(wish, PRICE)
            spent = time.perf_counter() - began
        figures[f"seam_{lanes}_orders_s"] = len(room.engine.times) / spent
    with closing(plain_database(folder / "plain.db")) as plain:
        commits = sorted(plain_commit(plain) for _ in range(500))
    figures["plain_commits_s"] = floor = 1 / commits[len(commits) // 2]
    for lanes in LANES:
        figures[f"ratio_seam_{lanes}_to_plain_commits"] = figures[f"seam_{lanes}_orders_s"] / floor
    return figures


def passes() -> Figures:
    """One look at an account that agrees: nothing is new, all that is known is walked through."""
    figures: Figures = {}
    of, tag = terms(1), session_tag("passes")
    state = State(of.law, NO_ACCOUNT, tuple(of.instruments), (NO_LANE,))
    for known in PASSES:
        orders = [past(tag, n, Progress.ENDED) for n in range(1, known)]
        orders.append(past(tag, known, Progress.PLACED)._replace(venue_id="O"))
        memory = Memory((1, PRINCIPAL), "kraken", {one.sequence: one for one in orders})
        memory.trades = {f"{PAIR} buy T{n}" for n in range(known)}
        working = OrderClaim("O", known, 0, 0, int(Standing.OPEN), "")
        nothing: Answer[Any] = Answer((), True)
        balances = Answer((Leg(0, 0), Leg(1, 0)), True)
        claims = Claims(1, Answer((working,), True), nothing, nothing, nothing, balances)
        spent = []
        for _ in range(9):
            began = time.perf_counter()
            settled = reconciled(Seen(state, memory.notes, 1, False, False, at_ms=1), claims)
            spent.append(time.perf_counter() - began)
            assert settled.nothing and settled.whole, settled
        figures[f"pass_known_{known}_ms"] = 1_000 * sorted(spent)[len(spent) // 2]
    return figures


if __name__ == "__main__":
    main()
