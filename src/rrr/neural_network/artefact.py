"""A model is a folder that is whole or not there, and whose every byte is the one that was trained.

`manifest.json` names each other file with its sha256, `manifest.sha256` seals the manifest, and the
seal is who the model is: its first six bytes are the id in the journal. No wall clock is in it, so
the same training gives the same id. The folder is named by the recipe, what the model was made
from; it is written beside its place and renamed. What does not hold together is set aside: never
repaired, never believed.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from rrr.core.errors import HomeUnusable, ModelBroken, StorageFailed
from rrr.home import synced

from .calibration import LOGIT_MAX, Platt
from .features import FEATURES, FEATURES_VERSION, STEPS, WINDOW
from .learned import CONFORMAL, DRIFT, Learned, learned

FORMAT: Final = 2
NETWORK: Final = "model.onnx"
TWIN: Final = "twin.onnx"  # the same, learned from labels shuffled in blocks of time
NETWORKS: Final = (NETWORK, TWIN)
NEEDED: Final = {NETWORK, CONFORMAL, DRIFT}
MANIFEST: Final = "manifest.json"
SEAL: Final = "manifest.sha256"  # as sha256sum writes and checks it
OURS: Final = {MANIFEST, SEAL}
NAME: Final = re.compile(r"[0-9a-f]{12}")
FILE: Final = re.compile(r"[a-z][a-z0-9_]{0,40}\.[a-z0-9]{1,12}")
FILES_MAX: Final = 16
FILE_BYTES_MAX: Final = 32 << 20
MANIFEST_BYTES_MAX: Final = 256 << 10
BPS_PER_UNIT_MAX: Final = 1e12
SLOPE_MAX: Final = 1e6
HORIZON_MAX: Final = 10_000


class Scope(NamedTuple):
    """What a model was made for."""

    market: str
    timeframe_ms: int
    symbols: tuple[str, ...]  # canonical order


class Data(msgspec.Struct, frozen=True):
    digest: str
    begins_ms: int
    ends_ms: int  # closing time of the last candle learned from


class Calibration(msgspec.Struct, frozen=True):
    """Platt's two numbers; why they are nothing, where they are. It may say what they are worth."""

    slope: float
    intercept: float
    why: str = ""


class Fold(msgspec.Struct, frozen=True):
    """A test of a full training; it says more to the gate."""

    begins_ms: int
    ends_ms: int
    ic: float = 0.0


Recipe: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Manifest(msgspec.Struct, frozen=True):
    """What every manifest says; it may say more."""

    format: int
    files: dict[str, str]
    recipe: Recipe
    kind: Literal["ridge", "boosting", "network"]
    training: Recipe  # of its siblings too
    full: bool
    horizon: int  # candles
    calibration: Calibration
    market: str
    timeframe_ms: int
    symbols: tuple[str, ...]
    seed: int
    data: Data
    features: tuple[str, ...]
    features_version: int
    window: int
    steps: int
    bps_per_unit: float
    proven: bool
    made_with: dict[str, str] = {}
    metrics: dict[str, float | None] = {}
    folds: tuple[Fold, ...] = ()
    folds_shown: int = 0
    serves: bool = False

    @property
    def scope(self) -> Scope:
        return Scope(self.market, self.timeframe_ms, self.symbols)


@dataclass(frozen=True, slots=True)
class Artefact:
    """A model that was read whole."""

    folder: Path
    id: int
    manifest: Mapping[str, Any]
    scope: Scope
    kind: str
    horizon: int  # candles that an opinion looks ahead
    ends_ms: int  # closing time of the last candle learned from
    bps_per_unit: float
    platt: Platt
    learned: Learned
    network: bytes  # ONNX, `x` (n, STEPS, features) to `y` (n,); these bytes are the trained ones
    twin: bytes  # the same of shuffled labels; empty where there is none

    @property
    def name(self) -> str:
        return self.folder.name


def write(
    models: Path, name: str, files: Mapping[str, bytes], manifest: Mapping[str, Any]
) -> Artefact:
    """Put a model in its place; a whole one that is there already stays.

    The caller's manifest says all that `Manifest` asks for, but the format, the hashes of the files
    and what the features are.
    """
    assert files.keys() >= NEEDED and all(map(FILE.fullmatch, files)) and OURS.isdisjoint(files)
    assert NAME.fullmatch(name) and manifest["recipe"].startswith(name), "Named by its recipe."
    hashes = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    said = {**manifest, **_features(), "format": FORMAT, "files": hashes}
    content = json.dumps(said, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"
    sealed = {MANIFEST: content, SEAL: _seal(content)}
    partial = models / f".partial-{os.getpid()}-{name}"
    with _told(models):
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for file, written in {**files, **sealed}.items():
                _put(partial / file, written)
            synced(partial)
            _place(partial, models / name)
            synced(models)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return load(models / name)


def load(folder: Path) -> Artefact:
    """Read a model whole, and believe none of it before its hashes hold."""
    content, said, manifest = _manifest(folder)
    held: dict[str, bytes] = {}
    for name, hashed in manifest.files.items():
        kept = _read(folder / name, FILE_BYTES_MAX)
        if hashlib.sha256(kept).hexdigest() != hashed:
            raise _broken(folder / name, "is not what was trained: its sha256 is another")
        if name in NEEDED | {TWIN}:
            held[name] = kept
    for name in NETWORKS:
        # A network that keeps its weights elsewhere names the place so: no hash holds them.
        if b"location" in held.get(name, b""):
            raise _broken(folder / name, "keeps data outside itself")
    try:
        about = learned(held[CONFORMAL], held[DRIFT], len(manifest.symbols))
    except ValueError as error:
        name, _, how = str(error).partition(" ")
        raise _broken(folder / name, how) from error
    identity = int.from_bytes(hashlib.sha256(content).digest()[:6], "big")
    assert identity, "0 is the baseline."
    return Artefact(
        folder,
        identity,
        said,
        manifest.scope,
        manifest.kind,
        manifest.horizon,
        manifest.data.ends_ms,
        manifest.bps_per_unit,
        Platt(manifest.calibration.slope, manifest.calibration.intercept),
        about,
        held[NETWORK],
        held.get(TWIN, b""),
    )


def find(models: Path, recipe: str) -> Artefact | None:
    """The model of this recipe, if it was made; ModelBroken if it is there and damaged."""
    folder = models / recipe[:12]
    artefact = load(folder) if folder.is_dir() else None
    return artefact if artefact and artefact.manifest["recipe"] == recipe else None


def foreign(folder: Path) -> bool:
    """Whether a program of another version made it, and it is as that left it."""
    try:
        return _is_foreign(_sealed(folder)[1])
    except ModelBroken:
        return False


def clear(models: Path) -> list[ModelBroken]:
    """Set aside every model that does not hold together, and tell of each."""
    told = []
    for folder in _folders(models):
        try:
            load(folder)
        except ModelBroken as error:
            if foreign(folder):
                continue
            aside = set_aside(folder)
            told.append(ModelBroken(error.what, f"It is set aside as {aside.name}. {NEW}"))
    return told


def set_aside(folder: Path) -> Path:
    """Move a damaged model out of the way; of each name only the last one is kept."""
    aside = folder.with_name(f"damaged-{folder.name}")
    with _told(folder):
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    return aside


def sweep(models: Path) -> None:
    """Remove what writers that are no more have left unfinished."""
    for partial in models.glob(".partial-*-*"):
        pid = partial.name.split("-")[1]
        if not (pid.isdecimal() and _alive(int(pid))):
            shutil.rmtree(partial, ignore_errors=True)


NEW: Final = "`rrr train` makes a new one."


def _features() -> dict[str, Any]:
    version = {"features_version": FEATURES_VERSION}
    return version | {"features": FEATURES, "window": WINDOW, "steps": STEPS}


def _folders(models: Path) -> list[Path]:
    """The models, in the order of their names."""
    return sorted(f for f in models.glob("*") if NAME.fullmatch(f.name) and f.is_dir())


def _seal(content: bytes) -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n".encode()


def _is_foreign(said: Mapping[str, Any]) -> bool:
    mine = _features() | {"format": FORMAT, "features": list(FEATURES)}
    return isinstance(said.get("format"), int) and any(said.get(n) != mine[n] for n in mine)


def _sealed(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a manifest, and all that it says."""
    path = folder / MANIFEST
    content = _read(path, MANIFEST_BYTES_MAX)
    if _read(folder / SEAL, MANIFEST_BYTES_MAX) != _seal(content):
        raise _broken(path, f"is not what {SEAL} seals")
    try:
        return content, msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(path, f"cannot be read: {str(error).rstrip('.')}") from error


def _manifest(folder: Path) -> tuple[bytes, dict[str, Any], Manifest]:
    """Its bytes, all that it says, and what every manifest says."""
    path = folder / MANIFEST
    content, said = _sealed(folder)
    if _is_foreign(said):
        raise _broken(path, "is of another version of this program, which makes other features")
    try:
        manifest = msgspec.convert(said, Manifest)
    except msgspec.ValidationError as error:
        raise _broken(path, f"cannot be read: {str(error).rstrip('.')}") from error
    names = manifest.files
    if not names.keys() >= NEEDED or OURS & names.keys() or not all(map(FILE.fullmatch, names)):
        raise _broken(path, "names files that no training writes")
    if len(names) > FILES_MAX:
        raise _broken(path, f"names {len(names)} files, a model has at most {FILES_MAX}")
    if not 0 <= manifest.bps_per_unit <= BPS_PER_UNIT_MAX:
        raise _broken(path, f"says bps_per_unit is {manifest.bps_per_unit}")
    slope, intercept = manifest.calibration.slope, manifest.calibration.intercept
    if not (0 <= slope <= SLOPE_MAX and abs(intercept) <= LOGIT_MAX):
        raise _broken(path, f"says its calibration is {slope} and {intercept}")
    if not 0 < manifest.horizon <= HORIZON_MAX:
        raise _broken(path, f"says its horizon is {manifest.horizon} candles")
    return content, said, manifest


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        if not path.exists():
            raise _broken(path, "is missing")
        if path.is_symlink() or not path.is_file():
            raise _broken(path, "is no plain file")
        if path.stat().st_size > bytes_max:
            raise _broken(path, f"has more than {bytes_max:,} bytes")
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except OSError as error:
        raise _broken(path, f"cannot be read: {error.strerror}") from error


def _broken(path: Path, how: str) -> ModelBroken:
    return ModelBroken(f"{path.name} of the model in {path.parent} {how}.", NEW)


def _put(path: Path, content: bytes) -> None:
    assert len(content) <= FILE_BYTES_MAX
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _place(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        try:
            load(folder)
        except ModelBroken:
            set_aside(folder)
            partial.rename(folder)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what the system says, in the words of the error tree."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise StorageFailed(
                f"{path} cannot be written: {error.strerror}.",
                "Free some space or mend the drive, then train again.",
            ) from error
        raise HomeUnusable(
            f"{path} cannot be written: {error.strerror}.",
            "See that the folder belongs to whoever runs this, then train again.",
        ) from error
