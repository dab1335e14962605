"""All that a daemon keeps lies in one folder, and it can be written before anything begins."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rrr.core.errors import HomeUnusable, RRRError, StorageFailed

ENOUGH: Final = 4096  # bytes that the probe writes: a full disk still makes empty files


@dataclass(frozen=True, slots=True)
class Home:
    root: Path

    @classmethod
    def at(cls, path: Path | None = None) -> "Home":
        """The home at `path`, or `$RRR_HOME`, or the checkout that runs, or else `~/.rrr`.

        >>> Home.at(Path("/tmp/somewhere")).data.as_posix()
        '/tmp/somewhere/data'
        """
        named = path or _named()
        with _told(named or Path("~/.rrr")):
            return cls((named or _checkout() or Path("~/.rrr")).expanduser().absolute())

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def config(self) -> Path:
        return self.root / "config"

    def prepare(self) -> None:
        """Make the folders and prove them writable; what fails leaves nothing behind."""
        made: list[Path] = []
        try:
            for folder in (self.data, self.logs, self.backups, self.config):
                with _told(folder):
                    _make(folder, made)
            for folder in (self.data, self.logs, self.backups):
                with _told(folder):
                    _probe(folder)
        except RRRError:
            for folder in reversed(made):
                with suppress(OSError):
                    folder.rmdir()
            raise


def _named() -> Path | None:
    name = os.environ.get("RRR_HOME")
    return Path(name) if name else None


def _checkout() -> Path | None:
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "pyproject.toml").is_file() else None


def _make(folder: Path, made: list[Path]) -> None:
    """Make the folder and what is missing above it, and note each."""
    for path in reversed([folder, *folder.parents]):
        if not path.exists():
            path.mkdir(exist_ok=True)
            made.append(path)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def _probe(folder: Path) -> None:
    probe = folder / f".probe-{os.getpid()}"
    try:
        with probe.open("wb") as file:
            file.write(bytes(ENOUGH))
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say what the system says, in the words of the error tree."""
    try:
        yield
    except RuntimeError as error:
        raise HomeUnusable(
            f"There is no home folder to find {folder} in.", "Name a home with --home."
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise StorageFailed(
                f"{folder} cannot be written: {error.strerror}.",
                "Free some space or mend the drive, then start again.",
            ) from error
        raise HomeUnusable(
            f"{folder} cannot be used: {error.strerror}.",
            "Name a folder that can be written with --home.",
        ) from error


def synced(folder: Path) -> None:
    """Make the names in a folder durable, as `fsync` does what a file holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
