"""Whatever the process was about to do when it died, the next start goes on as if it had not."""

from pathlib import Path

import pytest

from tests.storm import doomed
from tests.storm.homes import ROOT, Ended, House, faults, made

pytestmark = pytest.mark.slow

HOURS = 300
STOPPED = """
import asyncio, os, signal
from rrr import cli
from rrr.wiring.opinions import Opinions

async def begin(self, db):
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()

Opinions.begin = begin
cli.run()
"""
DOOMS = [
    (name, times, times != point.times[0])
    for name, point in doomed.POINTS.items()
    for times in point.times
] + [(doomed.COMMIT, times, times != 4) for times in (1, 2, 3, 4, 6)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home whose daemon nobody knocked over."""
    folder = tmp_path_factory.mktemp("whole")
    house = House(folder / "home", made(folder / "market", seed=3, hours=HOURS))
    assert house.run().code == 0
    return house


def die(house: House, point: str, times: int) -> Ended:
    return house.run(str(ROOT / "tests" / "storm" / "doomed.py"), point, str(times))


@pytest.mark.parametrize(
    ("point", "times"),
    [
        pytest.param(name, times, marks=[pytest.mark.slow] if again else [])
        for name, times, again in DOOMS
    ],
)
def test_who_dies_there_goes_on_to_the_same_end(
    whole: House, tmp_path: Path, point: str, times: int
) -> None:
    house = House(tmp_path / "home", whole.market)
    died = die(house, point, times)
    assert died.code == doomed.DIED, died.err
    if house.state_hash() is None:
        again = house.run()
        assert again.code == 0, again.err
        assert again.told["books_balanced"], again.told["faults"]
        assert again.told["state_hash"] == whole.state_hash()
    assert faults(house, whole.says(), str(whole.state_hash())) == []


def test_who_is_stopped_before_its_voice_is_warm_decides_nothing(
    whole: House, tmp_path: Path
) -> None:
    house = House(tmp_path / "home", whole.market)
    assert die(house, "announced", 1).code == doomed.DIED
    rows = house.rows()
    stopped = house.run("-c", STOPPED)
    assert stopped.code == 0, stopped.err
    assert house.rows() == rows
    assert house.run().code == 0
    assert faults(house, whole.says(), str(whole.state_hash())) == []
