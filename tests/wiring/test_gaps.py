"""The ledger of gaps is as durable as the closes that it is about: one commit writes both, once."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from rrr.core.events import Close
from rrr.data_pipeline.exchange_gaps import Gap, Why
from rrr.data_pipeline.market import Arrival
from rrr.data_pipeline.simulated import BEGINS_MS
from rrr.trading.engine.engine import Moment
from tests.data_pipeline.loopback import Loopback, Row
from tests.storm import homes, lives
from tests.storm.homes import House
from tests.wiring.daemons import CLOSE, living, rows
from tests.wiring.rooms import housed
from tests.wiring.test_exchanges import ELSEWHEN, MINUTE_MS, SETTINGS, ahead_ms, rising

HOUR_MS = 3_600_000
KEPT = "SELECT symbol, opened_at_ms, why FROM gaps ORDER BY opened_at_ms, symbol, why"


def gap(number: int, why: Why, symbol: str = "BTC-USD") -> Gap:
    return Gap(symbol, BEGINS_MS + number * HOUR_MS, why)


def arrival(number: int, *gaps: Gap, past: bool = False) -> Arrival:
    at_ms = BEGINS_MS + number * HOUR_MS
    return Arrival(Close(at_ms + HOUR_MS, at_ms, (), (0, 1, 2)), past=past, gaps=gaps)


async def kept(
    folder: Path, arrivals: Sequence[Arrival], signals: str = "baseline"
) -> list[tuple[str, int, str]]:
    """The ledger after a life that met these."""
    async with housed(folder, speed="max", signals=signals) as house:
        await house.engine.take(await house.opinions.meet(arrivals))
    return lives.ask(folder / "paper.db", KEPT)


@pytest.mark.parametrize("past", [True, False])
async def test_gaps_are_written_with_their_close_or_not_at_all(tmp_path: Path, past: bool) -> None:
    path, (first, second) = tmp_path / "paper.db", (gap(0, Why.NO_TRADES), gap(1, Why.REFUSED))
    met = [arrival(0, first, past=past), arrival(1, second, past=past)]

    def fails(connection: sqlite3.Connection) -> None:
        raise OSError("the plug is pulled")

    async with housed(tmp_path, speed="max") as house:
        told = house.engine.decide(await house.opinions.meet(met))
        assert lives.ask(path, KEPT) == []
        await house.engine.commit(told)
        assert lives.ask(path, KEPT) == [first, second]

        (third,) = await house.opinions.meet([arrival(2, gap(2, Why.GAP), past=past)])
        with pytest.raises(OSError, match="plug"):
            await house.engine.take([third, Moment(third.events, also=fails)])
    assert lives.ask(path, KEPT) == [first, second]
    assert len(lives.ask(path, "SELECT 1 FROM journal WHERE kind = ?", CLOSE)) == len(met)


async def test_what_another_life_says_again_is_one_row_and_what_it_learnt_another(
    tmp_path: Path,
) -> None:
    unknown = gap(0, Why.GAP)
    assert await kept(tmp_path, [arrival(0, unknown), arrival(1, unknown)]) == [unknown]
    learnt = gap(0, Why.NO_TRADES)
    other = gap(0, Why.GAP, "ETH-USD")
    again = [arrival(2, unknown, other), arrival(3, learnt, unknown)]
    assert await kept(tmp_path, again) == [unknown, learnt, other]


async def test_a_takeover_at_the_same_close_is_written_too(tmp_path: Path) -> None:
    at_it = gap(0, Why.DIFFERS)
    assert await kept(tmp_path, [arrival(0, at_it)], signals="champion") == [at_it]
    assert len(lives.ask(tmp_path / "paper.db", "SELECT 1 FROM models WHERE id")) == 1


@pytest.mark.slow
def test_whoever_is_killed_leaves_the_gaps_of_all_closes_that_it_decided_on_and_no_other(
    tmp_path: Path,
) -> None:
    """ETH is not traded every third minute, and talks nonsense at every seventh."""

    def candle(symbol: str, at: int) -> Row | None:
        minutes = at // MINUTE_MS
        if symbol == "ETH-USD" and minutes % 3 == 0:
            return None
        row = rising(symbol, at)
        return row._replace(close="1") if symbol == "ETH-USD" and minutes % 7 == 0 else row

    def why(at: int) -> str:
        return "no_trades" if at // MINUTE_MS % 3 == 0 else "refused"

    def strikes(server: Loopback) -> str:
        """Its clock is about to strike a full minute: so must ours."""
        ahead = ahead_ms() + len(dead) * MINUTE_MS
        server.clock_ms = lambda: time.time_ns() // 1_000_000 + ahead
        return str(ahead)

    dead = list[int]()
    with Loopback(candle=candle) as server:
        symbols = ("--address", server.address, "--symbols", "BTC-USD,ETH-USD")
        house = House(tmp_path, ("--market", "kraken", *symbols, *SETTINGS), speed="1")
        for _ in range(2):
            with living(house, "signal BTC-USD", ELSEWHEN, strikes(server)) as process:
                dead.append(homes.kill(process).code)
            closes = rows(house, CLOSE)
            missing = [at for _, at, _, absent in closes if absent]
            assert house.ask(KEPT) == [("ETH-USD", at, why(at)) for at in missing]
            assert len(missing) > len(closes) // 3
    assert dead == [-9, -9]
