"""Whatever a bad drive did to the file, nobody sees a traceback, and no wrong book is believed."""

import asyncio
import json
from pathlib import Path
from random import Random

import pytest

from rrr import cli
from rrr.core.errors import DatabaseRefused, JournalBroken, RRRError, StorageFailed
from tests.storm.homes import House
from tests.storm.lives import lived

pytestmark = pytest.mark.slow

REFUSED = {DatabaseRefused.exit_code, JournalBroken.exit_code, StorageFailed.exit_code}
CLOSES = 40


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """A file that no daemon has open, and the state hash of its only session."""
    path = tmp_path_factory.mktemp("written") / "paper.db"
    state_hash = asyncio.run(lived(path, until=CLOSES))
    return path.read_bytes(), state_hash


def flipped(content: bytes, seed: int) -> bytes:
    """One bit, or some bytes in a row, anywhere."""
    dice, spoilt = Random(seed), bytearray(content)
    place, length = dice.randrange(len(content)), dice.choice((0, 0, 1, 8, 64, 512))
    spoilt[place] ^= 1 << dice.randrange(8)
    spoilt[place : place + length] = dice.randbytes(min(length, len(content) - place))
    return bytes(spoilt)


@pytest.mark.parametrize("seed", range(60))
async def test_bytes_flipped_in_the_file_are_refused_or_harmless(
    written: tuple[bytes, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    content, state_hash = written
    house = House(tmp_path, ())
    house.path.parent.mkdir()
    house.path.write_bytes(flipped(content, seed))

    code = cli.command(["replay", "--home", str(tmp_path), "--json"])
    told = json.loads(capsys.readouterr().out)
    if code == 0:
        assert told["identical"]
        assert told["state_hash"] == state_hash
    else:
        assert code in {*REFUSED, 3}
        assert "Traceback" not in json.dumps(told)

    try:
        assert await lived(house.path, until=CLOSES) == state_hash
    except RRRError as error:
        assert error.exit_code in REFUSED
        assert error.what.endswith(".")
