"""Which model is obeyed stands in one file, sealed and replaced whole; who is not named waits.

`data/models/registry.json` gives a folder its state: candidate, shadow, champion or retired. A
market, timeframe and instruments have one champion, who serves until another is made it; so the
last proven model serves until a better one is. Writers take turns by a lock; readers need none. A
verdict is a pair of files under `verdicts`, and counts while its sha256 is the one that stands in
the registry. Of what is retired the last ten stay.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from rrr.core.errors import HomeUnusable, ModelBroken, NotFound
from rrr.home import synced

from .artefact import NAME, Artefact, Scope, foreign, load

FILE: Final = "registry.json"
VERDICTS: Final = "verdicts"
FORMAT: Final = 1
KEPT: Final = 10  # of each scope: retired ones, and trainings that wait
SIMPLEST: Final = ("ridge", "boosting", "network")

State = Literal["candidate", "shadow", "champion", "retired"]


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the registry says of a model."""

    state: State = "candidate"
    since_ms: int = 0
    why: str = ""
    verdict: str = ""  # sha256 of its file; empty: no gate judged it
    serves: bool = False  # of its training the simplest that is not beaten
    shadow_ms: int = 0  # how long it was a shadow before
    scope: Scope | None = None  # of who was promoted: its folder may be damaged, or gone


class Known(NamedTuple):
    """A folder, and what is known of it."""

    name: str
    standing: Standing
    artefact: Artefact | None  # none where it is damaged, gone or of another version
    trouble: str = ""
    foreign: bool = False  # of another version


class _File(msgspec.Struct, frozen=True):
    format: int
    models: dict[str, Standing]
    seal: str


def champion(models: Path, scope: Scope) -> Artefact | None:
    """Who was proven, or is obeyed on paper by a person's word. ModelBroken if it is damaged."""
    for name, standing in _read(models).items():
        if standing.state == "champion" and standing.scope == scope:
            try:
                return load(models / name)
            except ModelBroken as error:
                raise ModelBroken(
                    f"The champion {name} is lost: {error.what}",
                    f"Restore it from a backup; or `rrr models retire {name}` lets it go, and"
                    " `rrr models promote` makes another one champion.",
                ) from error
    return None


def obeyed(models: Path, scope: Scope) -> tuple[Artefact, Standing] | None:
    """The champion; or else the newest candidate, of a full training the one that serves."""
    mine = [(one.artefact, one.standing) for one in _of(models, scope) if one.artefact]
    crowned = [one for one in mine if one[1].state == "champion"]
    waiting = [one for one in mine if one[1].state == "candidate"]
    return max(crowned or waiting, key=_rank, default=None)


def shadows(models: Path, scope: Scope) -> list[Artefact]:
    """Whoever is to be watched on paper beside the one that is obeyed."""
    return [
        one.artefact
        for one in _of(models, scope)
        if one.artefact and one.standing.state == "shadow"
    ]


def standings(models: Path) -> list[Known]:
    """Every model that there is, by name; one that is damaged, or obeyed and gone, says so."""
    said = _read(models)
    return [_known(models, name, said.get(name, Standing())) for name in _named(models, said)]


def standing(models: Path, name: str) -> Standing:
    return _read(models).get(name, Standing())


def named(models: Path, word: str) -> Artefact:
    """The model whose folder's name begins so. Raise NotFound or ModelBroken."""
    return load(models / named_folder(models, word))


def named_folder(models: Path, word: str) -> str:
    """The whole name of a model, be it damaged or gone. Raise NotFound."""
    names, begins = _named(models, _read(models)), Path(word).name
    found = [name for name in names if begins and name.startswith(begins)]
    if len(found) == 1:
        return found[0]
    there = f"There are {', '.join(names)}." if names else "`rrr train` makes one."
    said = "names several models" if found else "is no model"
    raise NotFound(f"{word!r} {said}.", there)


def siblings(models: Path, of: Artefact) -> dict[str, Artefact]:
    """The models of one full training by their kinds, the simplest first."""
    training = of.manifest.get("training")
    found = {
        str(one.artefact.manifest.get("kind")): one.artefact
        for one in standings(models)
        if one.artefact and one.artefact.manifest.get("training") == training
    }
    return {kind: found[kind] for kind in SIMPLEST if kind in found}


def promote(models: Path, name: str, at_ms: int, why: str) -> Standing:
    """Let this one be obeyed; whoever was until now is retired."""
    scope = load(models / name).scope
    with _writing(models) as said:
        before = msgspec.structs.replace(said.get(name, Standing()), scope=scope)
        for other, was in said.items():
            if other != name and was.state == "champion" and was.scope == scope:
                said[other] = _now(was, "retired", at_ms, f"{name} took its place")
        said[name] = _now(before, "champion", at_ms, why)
        return said[name]


def shadow(models: Path, name: str, at_ms: int, why: str) -> Standing:
    return _moved(models, name, "shadow", at_ms, why)


def retire(models: Path, name: str, at_ms: int, why: str) -> Standing:
    return _moved(models, name, "retired", at_ms, why)


def judged(models: Path, name: str, content: bytes, page: str, serves: str) -> None:
    """Keep a verdict; `serves` is the folder of the simplest that is not beaten."""
    with _writing(models) as said:
        folder = models / VERDICTS
        folder.mkdir(exist_ok=True)
        _replace(folder / f"{name}.txt", page.encode())
        _replace(folder / f"{name}.json", content)
        hashed = hashlib.sha256(content).hexdigest()
        said[name] = msgspec.structs.replace(said.get(name, Standing()), verdict=hashed)
        for sibling in siblings(models, load(models / name)).values():
            was = said.get(sibling.name, Standing())
            said[sibling.name] = msgspec.structs.replace(was, serves=sibling.name == serves)


def verdict(models: Path, name: str) -> dict[str, Any] | None:
    """What the gate said of it last. ModelBroken where that is not what stands there now."""
    again = f"`rrr models gate {name}` judges it anew; or restore the file from a backup."
    hashed = standing(models, name).verdict
    if not hashed:
        return None
    path = models / VERDICTS / f"{name}.json"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelBroken(f"{path} cannot be read: {error.strerror}.", again) from error
    if hashlib.sha256(content).hexdigest() != hashed:
        raise ModelBroken(f"{path} is not what the gate wrote.", again)
    found: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
    return found


def stands(models: Path, name: str, terms: str) -> dict[str, Any] | None:
    """The verdict on these very terms, if it is whole."""
    try:
        found = verdict(models, name)
    except ModelBroken:
        return None
    return found if found is not None and found["terms"] == terms else None


def lacking(models: Path, of: Artefact, account: Mapping[str, Any]) -> list[str]:
    """Why this model is not proven for this account, in sentences; nothing if it is."""
    try:
        found = verdict(models, of.name)
    except ModelBroken as error:
        return [error.what]
    if found is None:
        return ["No gate judged it."]
    if found["model"] != f"{of.id:012x}":
        return ["Its verdict is of another model."]
    if not found["passed"]:
        rules = [check["name"] for check in found["verdict"]["checks"] if not check["passed"]]
        return [f"Its gate refused it: {', '.join(rules)}."]
    return [
        f"It was judged with {name} {was}, and this account says {now}."
        for name, was, now in _apart(found["account"], account)
    ]


def page(models: Path, name: str) -> str:
    path = models / VERDICTS / f"{name}.txt"
    return path.read_text("utf-8") if path.is_file() else ""


def tidy(models: Path, at_ms: int, kept: int = KEPT) -> list[str]:
    """Retire what waits behind so many newer trainings, remove what was retired before the last
    so many; the folders that are gone."""
    gone = []
    with _writing(models) as said:
        known = [_known(models, name, said.get(name, Standing())) for name in _names(models)]
        for scope in {one.artefact.scope for one in known if one.artefact}:
            mine = [(one.artefact, one.standing) for one in known if one.artefact]
            mine = [one for one in mine if one[0].scope == scope]
            waiting = sorted((o for o in mine if o[1].state == "candidate"), key=_rank)
            recent = list(dict.fromkeys(_training(one) for one, _ in reversed(waiting)))[:kept]
            for one, was in waiting:
                if _training(one) not in recent:
                    said[one.name] = _now(was, "retired", at_ms, "newer trainings took its place")
            old = [one for one, _ in mine if said.get(one.name, Standing()).state == "retired"]
            old.sort(key=lambda one: (said[one.name].since_ms, one.name), reverse=True)
            gone += [one.name for one in old[kept:]]
        for name in gone:
            del said[name]
    for name in gone:
        aside = models / f".partial-{os.getpid()}-{name}"
        (models / name).rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    return gone


def _apart(was: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every figure that two accounts do not share."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for each in sorted(was.keys() | now.keys()):
            yield from _apart(was.get(each), now.get(each), f"{name}.{each}".lstrip("."))
    elif was != now:
        yield name, was, now


def _of(models: Path, scope: Scope) -> list[Known]:
    return [one for one in standings(models) if one.artefact and one.artefact.scope == scope]


def _rank(one: tuple[Artefact, Standing]) -> tuple[int, bool, bool, int, int]:
    """The newest; of one span the full training, of that the one that serves, or the simplest."""
    artefact, standing = one
    manifest, kind = artefact.manifest, str(artefact.manifest.get("kind"))
    full = bool(manifest.get("full"))
    plain = -SIMPLEST.index(kind) if full and kind in SIMPLEST else 0
    serves = standing.serves or bool(manifest.get("serves"))
    made_ns = artefact.folder.stat().st_mtime_ns
    return int(manifest["data"]["ends_ms"]), full, serves, plain, made_ns


def _training(artefact: Artefact) -> str:
    return str(artefact.manifest.get("training") or artefact.manifest["recipe"])


def _known(models: Path, name: str, standing: Standing) -> Known:
    try:
        return Known(name, standing, load(models / name))
    except ModelBroken as error:
        return Known(name, standing, None, error.what, foreign(models / name))


def _named(models: Path, said: Mapping[str, Standing]) -> list[str]:
    """The folders, and whoever is obeyed or watched and has none any more."""
    meant = (name for name, one in said.items() if one.state in ("champion", "shadow"))
    return sorted({*_names(models), *meant})


def _names(models: Path) -> list[str]:
    return sorted(f.name for f in models.glob("*") if NAME.fullmatch(f.name) and f.is_dir())


def _moved(models: Path, name: str, state: State, at_ms: int, why: str) -> Standing:
    with _writing(models) as said:
        said[name] = _now(said.get(name, Standing()), state, at_ms, why)
        return said[name]


def _now(was: Standing, state: State, at_ms: int, why: str) -> Standing:
    watched_ms = max(at_ms - was.since_ms, 0) if was.state == "shadow" else 0
    return msgspec.structs.replace(
        was, state=state, since_ms=at_ms, why=why, shadow_ms=was.shadow_ms + watched_ms
    )


def _read(models: Path) -> dict[str, Standing]:
    path = models / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _broken(path, f"cannot be read: {error.strerror}") from error
    try:
        held = msgspec.json.decode(content, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _broken(path, f"cannot be read: {str(error).rstrip('.')}") from error
    if held.format != FORMAT or held.seal != _seal(held.models):
        raise _broken(path, "is not what was written")
    return held.models


def _seal(said: Mapping[str, Standing]) -> str:
    return hashlib.sha256(msgspec.json.encode(dict(sorted(said.items())))).hexdigest()


@contextmanager
def _writing(models: Path) -> Iterator[dict[str, Standing]]:
    """One writer at a time; what raises leaves the file as it was."""
    try:
        models.mkdir(parents=True, exist_ok=True)
        with (models / "registry.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            said = _read(models)
            yield said
            told = {name: msgspec.to_builtins(one) for name, one in sorted(said.items())}
            content = {"format": FORMAT, "models": told, "seal": _seal(said)}
            _replace(models / FILE, json.dumps(content, indent=1).encode() + b"\n")
    except OSError as error:
        raise HomeUnusable(
            f"{models} cannot be written: {error.strerror}.",
            "See that there is space and that the folder is yours.",
        ) from error


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    synced(path.parent)


def _broken(path: Path, how: str) -> ModelBroken:
    return ModelBroken(
        f"{path} {how}.",
        "Restore it from a backup; or take it away: then every model is an unproven candidate.",
    )
