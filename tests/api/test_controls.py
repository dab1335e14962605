"""Commands from outside come through one private socket: one line asks, one line answers."""

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rrr.api import controls
from rrr.core.errors import HomeUnusable, Unavailable


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of this test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


async def echo(asked: dict[str, Any]) -> dict[str, Any]:
    if asked["verb"] == "never":
        raise Unavailable("That is never done.", "Ask for something else.")
    return {"said": asked}


@pytest.fixture
async def listened(runtime: Path) -> AsyncIterator[Path]:
    path = controls.socket_path(runtime / "home")
    async with controls.listening(path, echo):
        yield path


async def said(path: Path, line: bytes) -> dict[str, Any]:
    """What is answered to these very bytes."""

    def talk() -> bytes:
        with closing(socket.socket(socket.AF_UNIX)) as one:
            one.connect(str(path))
            one.sendall(line)
            one.shutdown(socket.SHUT_WR)
            return one.makefile("rb").readline()

    told: dict[str, Any] = json.loads(await asyncio.to_thread(talk))
    return told


async def test_what_is_asked_is_answered(runtime: Path, listened: Path) -> None:
    told = await asyncio.to_thread(controls.ask, runtime / "home", "halt", reason="é ✓")
    assert told == {"said": {"verb": "halt", "reason": "é ✓"}}


async def test_a_refusal_of_the_house_is_told(runtime: Path, listened: Path) -> None:
    with pytest.raises(Unavailable, match="That is never done"):
        await asyncio.to_thread(controls.ask, runtime / "home", "never")


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"halt\n", b"[]\n", b"{}\n", b'{"verb": 7}\n', b"\xff\xfe\n", b"[" * 70_000],
)
async def test_what_is_no_question_is_told_how_to_ask(listened: Path, line: bytes) -> None:
    told = await said(listened, line)
    assert told["error"].startswith("Ask with one")
    assert await said(listened, b'{"verb": "status"}\n') == {"said": {"verb": "status"}}


async def test_who_leaves_before_the_answer_harms_nobody(listened: Path) -> None:
    for _ in range(5):
        with closing(socket.socket(socket.AF_UNIX)) as one:
            one.connect(str(listened))
            one.sendall(b'{"verb": "status"}\n')
    assert await said(listened, b'{"verb": "status"}\n')


async def test_who_never_asks_does_not_hold_up_the_end(runtime: Path) -> None:
    path = controls.socket_path(runtime / "home")
    silent = socket.socket(socket.AF_UNIX)
    async with controls.listening(path, echo):
        silent.connect(str(path))
        assert await said(path, b'{"verb": "status"}\n')
    silent.close()
    assert not path.exists()


async def test_who_waits_for_an_answer_does_not_hold_up_an_end_by_a_fault(runtime: Path) -> None:
    waiting: asyncio.Future[asyncio.Task[Any] | None] = asyncio.Future()

    async def never(_: dict[str, Any]) -> dict[str, Any]:
        waiting.set_result(asyncio.current_task())
        return await asyncio.Future()

    path = controls.socket_path(runtime / "home")
    with closing(socket.socket(socket.AF_UNIX)) as one, pytest.raises(ZeroDivisionError):
        async with controls.listening(path, never):
            one.connect(str(path))
            one.sendall(b'{"verb": "halt"}\n')
            await waiting
            raise ZeroDivisionError
    talk = waiting.result()
    assert talk is not None
    assert talk.cancelling(), "Before Python 3.12 it only stays behind; since then it hangs."
    assert not path.exists()


async def test_the_socket_of_a_process_that_died_is_no_obstacle(runtime: Path) -> None:
    path = controls.socket_path(runtime / "home")
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
    async with controls.listening(path, echo):
        assert await said(path, b'{"verb": "status"}\n')


async def test_only_its_owner_may_ask(runtime: Path, listened: Path) -> None:
    assert stat.S_IMODE(listened.stat().st_mode) == 0o600
    assert stat.S_IMODE(listened.parent.stat().st_mode) == 0o700


def test_a_folder_that_others_may_enter_is_refused(runtime: Path) -> None:
    folder = controls.socket_path(runtime / "home").parent
    folder.chmod(0o755)
    with pytest.raises(HomeUnusable, match="not a private folder"):
        controls.socket_path(runtime / "home")


def test_a_link_in_place_of_the_folder_is_refused(runtime: Path) -> None:
    folder = controls.socket_path(runtime / "home").parent
    folder.rmdir()
    (runtime / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(runtime / "elsewhere")
    with pytest.raises(HomeUnusable):
        controls.socket_path(runtime / "home")


def test_each_home_has_its_own_and_names_of_any_length_fit(runtime: Path) -> None:
    one = controls.socket_path(runtime / "home")
    assert one == controls.socket_path(runtime / "other" / ".." / "home")
    long = controls.socket_path(runtime / ("long" * 50) / "home")
    assert one != long
    assert len(one.name) == len(long.name)


def test_nobody_answers_where_nobody_lives(runtime: Path) -> None:
    with pytest.raises(Unavailable, match="No daemon answers"):
        controls.ask(runtime / "home", "status")
