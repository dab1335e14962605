"""What was finished is not made again: a piece of a training is a file that is whole or not there.

Pieces lie in `.unfinished-RECIPE` beside the models, each named by what it is and by the sha256 of
its bytes: whoever begins the same training again goes on from them. What does not match its name
is removed and made anew. Who does the same training meanwhile may end first, and take the folder
away. A quick training has no folder and keeps nothing.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray

from rrr.core.errors import StorageFailed

DAYS: Final = 7  # after which nobody goes on with another recipe's
MARK: Final = ".unfinished-"

Tensors: TypeAlias = Mapping[str, NDArray[Any]]


class Unfinished:
    def __init__(self, models: Path, recipe: str, kept: bool) -> None:
        self.folder: Final = models / f"{MARK}{recipe[:12]}" if kept else None

    def has(self, name: str) -> bool:
        return self._found(name) is not None

    def piece(self, name: str, make: Callable[[], Tensors]) -> Tensors:
        """The tensors that were kept under this name, or new ones; the same bytes either way."""
        from safetensors.numpy import load, save

        content = self._found(name)
        if content is None:
            content = save(dict(make()))
            self._keep(name, content)
        pieces: Tensors = load(content)
        return pieces

    def clear(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _found(self, name: str) -> bytes | None:
        if self.folder is None or not self.folder.is_dir():
            return None
        for path in sorted(self.folder.glob(f"{name}-*.safetensors")):
            with suppress(FileNotFoundError):
                content = path.read_bytes()
                if path.name == _named(name, content):
                    return content
                path.unlink()
        return None

    def _keep(self, name: str, content: bytes) -> None:
        if self.folder is None:
            return
        partial = self.folder / f".partial-{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileNotFoundError):
                partial.replace(self.folder / _named(name, content))
        except OSError as error:
            raise StorageFailed(
                f"{self.folder} cannot be written: {error.strerror}.",
                "Free some space or mend the drive, then train again: it goes on from here.",
            ) from error


def sweep(models: Path, recipe: str, desk: Path) -> None:
    """Remove what other trainings left and nobody touched for days before this desk was made."""
    since = desk.stat().st_mtime - DAYS * 86_400
    for folder in models.glob(f"{MARK}*"):
        with suppress(FileNotFoundError):
            if folder.name != f"{MARK}{recipe[:12]}" and folder.stat().st_mtime < since:
                shutil.rmtree(folder, ignore_errors=True)


def _named(name: str, content: bytes) -> str:
    return f"{name}-{hashlib.sha256(content).hexdigest()}.safetensors"
