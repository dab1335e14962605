"""Commands from outside come through one private socket, never through a second writer.

One line of JSON asks, one line answers. The socket lies in a folder that only its owner can enter,
under a name made from the home's path: short enough for macOS, whose socket paths end at 104 bytes.
"""

import asyncio
import json
import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rrr.core.errors import HomeUnusable, RRRError, Unavailable

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
LINE_MAX = 65_536
PATIENCE_S = 5.0


def socket_path(root: Path) -> Path:
    """Where the daemon of this home listens; its folder is made, and is nobody else's."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    folder = base / f"rrr-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
    except OSError as error:
        raise HomeUnusable(
            f"{folder} cannot be made: {error.strerror}.",
            "Let XDG_RUNTIME_DIR or TMPDIR name a folder of this user.",
        ) from error
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise HomeUnusable(
            f"{folder} is not a private folder of this user.", "Remove it, then start again."
        )
    name = blake2b(os.fsencode(root.resolve()), digest_size=8).hexdigest()
    return folder / f"{name}.sock"


@asynccontextmanager
async def listening(path: Path, answer: Answer) -> AsyncIterator[None]:
    """Answer whoever asks, until the block ends."""

    talks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            said = await _said(reader, answer)
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            return  # who asked has left, or we do: asyncio would tell of a cancelled talk
        finally:
            talks.discard(task)
            writer.close()

    with suppress(FileNotFoundError):
        path.unlink()  # of a process that died: we hold its home
    server = await asyncio.start_unix_server(serve, path, limit=LINE_MAX)
    path.chmod(0o600)
    try:
        async with server:
            try:
                yield
            finally:
                for talk in talks:
                    talk.cancel()  # nobody who waits for an answer holds up the end
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


async def _said(reader: asyncio.StreamReader, answer: Answer) -> dict[str, Any]:
    try:
        line = await asyncio.wait_for(reader.readline(), PATIENCE_S)
        asked = json.loads(line)
        if not isinstance(asked, dict) or not isinstance(asked.get("verb"), str):
            return {"error": "Ask with one JSON object that has a verb."}
        return await answer(asked)
    except (ValueError, TimeoutError):
        return {"error": "Ask with one line of JSON, at most 64 kB, within 5 seconds."}
    except RRRError as error:
        return {"error": str(error)}


def ask(root: Path, verb: str, **more: Any) -> dict[str, Any]:
    """Ask the daemon of this home. Raise Unavailable where nobody listens."""
    path = socket_path(root)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(PATIENCE_S)
            line.connect(str(path))
            line.sendall(json.dumps({"verb": verb, **more}).encode() + b"\n")
            with line.makefile("rb") as file:
                said = json.loads(file.readline())
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"No daemon answers for {root}.", "Start one: rrr --mode paper … or rrr --mode live."
        ) from error
    if "error" in said:
        raise Unavailable(f"The daemon refused: {said['error']}", "Ask for something else.")
    assert isinstance(said, dict)
    return said
