"""A limit that was broken stays broken, whoever dies, whatever day it becomes, wherever one lives.

Every hour of these markets is a life of its own: an engine that is dropped with what it has decided
and not written, and another that recovers from the file. The strategy would always buy.

| mutant                                     | is caught as                                     |
|--------------------------------------------|--------------------------------------------------|
| a new UTC day forgets the last one         | a purchase after midnight                        |
| a recovery resumes, as a person would      | a purchase after the first restart               |
| hours are those of the wall                | a journal that differs from the one kept in UTC  |
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.core import rules
from rrr.core.errors import JournalBroken
from rrr.core.events import Close, Command, Event, Signal, Verb
from rrr.core.state import Account, Law
from rrr.trading.engine.engine import Engine, Moment
from rrr.trading.engine.opening import Terms
from tests.builders import BTC, HOUR, LAW, PRICE, candle
from tests.storm import homes
from tests.storm.homes import House, begun, ended, kill, made
from tests.storm.lives import ask, living, terms

BEGINS: Final = 500_000 * HOUR  # 08:00 UTC
FALLS: Final = 12  # the hour in which the market falls, at 20:00 UTC
LOSS: Final = LAW._replace(loss_24h_max_bps=300)  # two fifths are held, and an eighth of it lost
DRAWDOWN: Final = LAW._replace(drawdown_max_bps=300)
BOUGHT: Final = "SELECT at_ms FROM orders WHERE side = 1 ORDER BY sequence"
ROWS: Final = "SELECT number, kind, at_ms, core FROM journal ORDER BY number"
SUMMER: Final = (datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 11, 3, tzinfo=UTC))
ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York")
STRICT: Final = ("--set", "risk.loss_24h_max_bps=100", "--set", "risk.drawdown_max_bps=600")


def market(hours: int, begins_ms: int = BEGINS) -> list[Moment]:
    """It stands, falls by an eighth at once, and stands; at each close somebody wants to buy."""
    told = []
    for hour in range(1, hours + 1):
        at_ms, price = begins_ms + hour * HOUR, PRICE if hour < FALLS else PRICE * 7 // 8
        close = Close(at_ms, at_ms - HOUR, (candle(price),), ())
        told.append(Moment((close, Signal(at_ms, 0, 10_000, 0))))
    return told


def under(law: Law, begins_ms: int = BEGINS) -> Terms:
    wanted = replace(terms(law=law, instruments=(BTC,)), at_ms=begins_ms, ends_at_ms=None)
    return replace(wanted, units=wanted.units[:1])


async def lived(path: Path, wanted: Terms, moments: Sequence[Moment]) -> None:
    """Each moment in a life of its own; each dies with the next one decided, and not written."""
    for number, moment in enumerate(moments):
        async with living(path, wanted) as engine:
            await engine.take([moment])
            engine.decide(moments[number + 1 : number + 2])


def bought(path: Path) -> list[int]:
    """In which hours somebody bought."""
    return [(at_ms - BEGINS) // HOUR for (at_ms,) in ask(path, BOUGHT)]


async def test_who_lost_too_much_buys_nothing_for_24_hours_however_often_he_dies(
    tmp_path: Path,
) -> None:
    path, whole, moments = tmp_path / "killed.db", tmp_path / "whole.db", market(FALLS + 30)
    await lived(path, under(LOSS), moments)
    held, *later = bought(path)
    assert held == 1
    assert min(later) == FALLS - 1 + 25, "The last good hour and the 24 after it are over."
    assert ask(path, "SELECT sum(times) FROM refusals WHERE reason = 'loss_24h'") == [(24,)]
    async with living(whole, under(LOSS)) as engine:
        await engine.take(moments)
    assert ask(path, ROWS) == ask(whole, ROWS)


async def test_a_person_may_resume_before(tmp_path: Path) -> None:
    path, moments = tmp_path / "paper.db", market(FALLS + 8)
    resumed = FALLS + 5
    command: Event = Command(BEGINS + resumed * HOUR, int(Verb.RESUME))
    moments.insert(resumed, Moment((command,), "I have seen it"))
    await lived(path, under(LOSS), moments)
    assert bought(path)[:2] == [1, resumed + 1]


async def test_a_drawdown_halts_over_days_and_lives_until_a_person_resumes(tmp_path: Path) -> None:
    path, days = tmp_path / "paper.db", 4 * 24
    await lived(path, under(DRAWDOWN), market(FALLS + days))
    assert bought(path) == [1]
    assert ask(path, "SELECT reason FROM halts") == [("drawdown",)]
    async with living(path, under(DRAWDOWN)) as engine:
        at_ms = engine.head.at_ms
        await engine.take([Moment((Command(at_ms, int(Verb.RESUME)),), "enough")])
        await engine.take(market(FALLS + days + 1)[-1:])
    assert bought(path) == [1, FALLS + days + 1]


def forgetful(honest: Callable[[Account, int], Account]) -> Callable[[Account, int], Account]:
    """A new day begins with a clean slate."""

    def struck(account: Account, at_ms: int) -> Account:
        if at_ms // (24 * HOUR) != account.hour // 24:
            account = rules.resume(account)
        return honest(account, at_ms)

    return struck


async def test_mutant_a_new_day_that_forgets_the_last_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "struck", forgetful(rules.struck))
    path = tmp_path / "paper.db"
    await lived(path, under(LOSS), market(FALLS + 10))
    assert bought(path)[1] == 16, "At midnight."


async def test_mutant_a_recovery_that_resumes_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Engine.recover

    async def recover(engine: Engine) -> Any:
        fold = await honest(engine)
        state = engine.world.state
        state = state._replace(account=rules.resume(state.account))
        engine.world = engine.decided = engine.world._replace(state=state)
        return fold

    monkeypatch.setattr(Engine, "recover", recover)
    path = tmp_path / "paper.db"
    with pytest.raises(JournalBroken, match=r"\(order\) is not what this version makes"):
        await lived(path, under(LOSS), market(FALLS + 3))
    assert bought(path)[1] == FALLS + 1


@contextmanager
def living_in(zone: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


async def journals(folder: Path, day: datetime) -> list[list[tuple[Any, ...]]]:
    """Three days around a change of the clocks, lived in each zone."""
    begins_ms, told = int(day.timestamp() * 1000) - 16 * HOUR, []
    for zone in ZONES:
        with living_in(zone):
            path = folder / f"{zone.partition('/')[2]}{day:%m}.db"
            async with living(path, under(LOSS, begins_ms)) as engine:
                await engine.take(market(72, begins_ms))
        told.append(ask(path, ROWS))
    return told


@pytest.mark.parametrize("day", SUMMER, ids=["to summer", "to winter"])
async def test_summer_time_decides_nothing(tmp_path: Path, day: datetime) -> None:
    utc, *others = await journals(tmp_path, day)
    assert len(utc) > 150
    assert others == [utc, utc]


async def test_mutant_the_hours_of_the_wall_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = rules.struck

    def struck(account: Account, at_ms: int) -> Account:
        return honest(account, at_ms + time.localtime(at_ms // 1000).tm_gmtoff * 1000)

    monkeypatch.setattr(rules, "struck", struck)
    for day in SUMMER:
        utc, *others = await journals(tmp_path, day)
        assert all(one != utc for one in others)


@pytest.mark.slow
@pytest.mark.parametrize("day", SUMMER, ids=["to summer", "to winter"])
def test_daemons_of_three_zones_decide_the_same_rows_and_one_of_them_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: datetime
) -> None:
    monkeypatch.setattr(homes, "BEGINS_MS", int(day.timestamp() * 1000) - 48 * HOUR)
    trades = (*made(tmp_path, seed=5, hours=144), *STRICT)
    told = []
    for zone in ZONES:
        house = House(tmp_path / zone.partition("/")[2], trades)
        process = house.start(environment={"TZ": zone})
        if zone == ZONES[1]:
            begun(process)
            kill(process)
            process = house.start(environment={"TZ": zone})
        last = ended(process)
        assert last.code == 0, last.err
        told.append((house.state_hash(), house.says()))
    assert told[1:] == [told[0], told[0]]
    _, says = told[0]
    assert {one[2] for one in says["journal"]} >= {int(day.timestamp() * 1000)}
    assert len(says["fills"]) > 10
    refused = house.ask("SELECT DISTINCT reason FROM refusals")
    assert {reason for (reason,) in refused} & {"loss_24h", "halted"}
