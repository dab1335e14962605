"""Whoever may write the live database remembers a comparison; where nobody can, it is said."""

import asyncio
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.api import controls
from rrr.config import Home
from rrr.core.errors import NotFound, Unavailable
from rrr.database import live_fits
from rrr.database.client import Client, database_path
from rrr.database.holder import held, is_held
from rrr.database.live_fits import Fit
from rrr.database.opening import LIVE, connect_read_only
from rrr.wiring.fitting import remember_for, remembered
from tests.backtesting.fits import near, read, traded

KEY: Final = (1, 0)


async def home_of(tmp_path: Path) -> tuple[Home, dict[str, Any]]:
    """A home whose live book made ten round trips or more, and its comparison."""
    home = Home.at(tmp_path)
    home.data.mkdir(parents=True)
    path = database_path("live", home.root)
    await traded(path, near(500, 100), closes=24)
    _, found = read(path)
    assert found["round_trips"] >= 10
    return home, found


def last(home: Home) -> Fit | None:
    with closing(connect_read_only(database_path("live", home.root), LIVE)) as connection:
        return live_fits.last(connection, KEY)


async def test_without_a_daemon_the_command_writes_and_holds_the_home_meanwhile(
    tmp_path: Path,
) -> None:
    home, found = await home_of(tmp_path)
    said = remembered(home, found)
    assert said["done"] is True
    fit = last(home)
    assert fit is not None
    assert fit.round_trips == found["round_trips"]
    assert fit.figures == {name: value for name, value in found.items() if name != "groups"}
    assert not is_held(home.data)


async def test_with_a_daemon_it_is_told_through_the_socket_and_writes_itself(
    tmp_path: Path,
) -> None:
    home, found = await home_of(tmp_path)
    with held(home.data, {"mode": "live"}):
        async with Client.open(database_path("live", home.root), application_id=LIVE) as db:
            answer = partial(remember_for, db, at_ms=123)
            async with controls.listening(controls.socket_path(home.root), answer):
                said = await asyncio.to_thread(remembered, home, found)
    assert said["done"] is True
    fit = last(home)
    assert fit is not None
    assert (fit.at_ms, fit.round_trips) == (123, found["round_trips"])


async def test_a_daemon_that_does_not_answer_is_told_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    home, found = await home_of(tmp_path)
    with held(home.data, {"mode": "live"}):
        said = remembered(home, found)
    assert said["done"] is False
    assert "the ramp does not count it: No daemon answers" in said["said"]
    assert last(home) is None


async def test_the_daemon_of_another_database_refuses(tmp_path: Path) -> None:
    home, found = await home_of(tmp_path)
    await traded(tmp_path / "another.db", near(0, 0), closes=1)
    with held(home.data, {"mode": "paper"}):
        async with Client.open(tmp_path / "another.db", application_id=LIVE) as db:
            with pytest.raises(NotFound, match="no session 'live-7'"):
                await remember_for(db, {**found, "session": "live-7", "figures": found}, 1)
    assert last(home) is None


@pytest.mark.parametrize("counted", [-1, 10_000, None, "30", True])
async def test_no_comparison_has_seen_more_round_trips_than_are_booked(
    tmp_path: Path, counted: object
) -> None:
    home, found = await home_of(tmp_path)
    async with Client.open(database_path("live", home.root), application_id=LIVE) as db:
        figures = {**found, "round_trips": counted}
        with pytest.raises(Unavailable, match="are booked"):
            await remember_for(db, {"session": found["session"], "figures": figures}, 1)
    assert last(home) is None


@pytest.mark.parametrize("asked", [{}, {"session": 1, "figures": {}}, {"session": "live-1"}])
async def test_what_is_no_comparison_is_refused(tmp_path: Path, asked: dict[str, Any]) -> None:
    home, _ = await home_of(tmp_path)
    async with Client.open(database_path("live", home.root), application_id=LIVE) as db:
        with pytest.raises(Unavailable, match="has a session and figures"):
            await remember_for(db, asked, 1)
