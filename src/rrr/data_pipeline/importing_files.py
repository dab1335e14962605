"""A file is unpacked whole, or it is said what is wrong with its packing.

gzip and zip are known by their first bytes, not by their names: what comes out are the bytes of one
file and the name that it had inside.
"""

import gzip
import io
import zipfile
import zlib
from pathlib import Path
from typing import Final, NamedTuple

from rrr.core.errors import DataError, NotFound, StorageFailed, UsageError

BYTES_MAX: Final = 4 << 30  # eleven years of minutes are a tenth of it

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_PIECE = 1 << 24
_NAMED_MAX = 3
_AGAIN: Final = "Download it again."
_NOT_CANDLES = ("/", ".checksum", ".txt", ".md", ".ds_store")


class Unpacked(NamedTuple):
    path: Path
    name: str  # of the file inside; its own, if it was not packed
    content: bytes
    written_ms: int  # when the file was last written, as far as it knows


def unpacked(path: Path) -> Unpacked:
    content = _read(path)
    name, written_ms = path.name, int(path.stat().st_mtime * 1000)
    try:
        if content[:4] == _ZIP:
            name, content = _from_zip(path, content)
        if content[:2] == _GZIP:
            written_ms = min(written_ms, _gzipped_ms(content) or written_ms)
            content = _from_gzip(path, content)
            name = name.removesuffix(".gz")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is no whole gzip file: {error}.", _AGAIN) from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(f"{path} is no whole zip file: {error}.", _AGAIN) from error
    if not content.strip():
        raise DataError(f"{path} is empty.", _AGAIN)
    return Unpacked(path, name, content, written_ms)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", "Name the files in it.")
    try:
        if path.stat().st_size > BYTES_MAX:
            raise _too_large(path)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"{path} does not exist.", "Check the path.") from error
    except OSError as error:
        raise NotFound(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error


def _from_zip(path: Path, content: bytes) -> tuple[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [
            member
            for member in archive.infolist()
            if not member.filename.lower().endswith(_NOT_CANDLES)
            and not member.filename.startswith("__MACOSX/")
        ]
        if len(members) != 1:
            listed = ", ".join(member.filename for member in members[:_NAMED_MAX])
            more = " and others" if len(members) > _NAMED_MAX else ""
            raise UsageError(
                f"{path} holds {len(members)} files: {listed}{more}."
                if members
                else f"{path} holds no file of candles.",
                "Unpack it, and import the files of your instruments.",
            )
        if members[0].file_size > BYTES_MAX:
            raise _too_large(path)
        return Path(members[0].filename).name, archive.read(members[0])


def _from_gzip(path: Path, content: bytes) -> bytes:
    pieces = []
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        left = BYTES_MAX
        while piece := file.read(_PIECE):
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                raise _too_large(path)
    return b"".join(pieces)


def _gzipped_ms(content: bytes) -> int:
    """When what is inside was written, as its packer noted; 0, if it did not."""
    return int.from_bytes(content[4:8], "little") * 1000


def _too_large(path: Path) -> StorageFailed:
    return StorageFailed(
        f"{path} is larger than {BYTES_MAX >> 30} GiB.", "Split it by year, and import each part."
    )
