"""The keys of a venue come from a place that nobody else can read, or they do not come at all.

One TOML file a venue, `config/api_keys/kraken.toml`, mode 0600, in a folder of mode 0700, both of
this user, no symbolic link, unknown to git; or the keychain of macOS. It says `key`, `secret`,
`password` where the venue has one, and `network` ("sandbox" for the venue's test network). A value
is a SecretStr from the first moment, and known to `secrecy` before anybody can tell it.
"""

import os
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from pydantic import SecretStr

from rrr.core.errors import NotArmed
from rrr.secrecy import learn

FOLDER: Final = "api_keys"
PASSWORDS: Final = frozenset({"okx"})  # venues whose keys have a passphrase as well
FIELDS: Final = ("key", "secret", "password", "network")
NETWORKS: Final = ("live", "sandbox")
LENGTH_MIN: Final = 8
BYTES_MAX: Final = 1 << 16
MISTAKEN: Final = re.compile(r"line \d+")


class Keychain(Protocol):
    """What is asked of `keyring`; who it raises of is silent or locked."""

    def get_password(self, service: str, username: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Keys:
    """They are valid words; whether the venue knows them is the venue's to say."""

    venue: str
    network: str
    place: str  # where they were found, for people
    key: SecretStr
    secret: SecretStr
    password: SecretStr | None = None


def keys_of(
    config: Path, venue: str, *, sandbox: bool = False, where: Literal["file", "keychain"] = "file"
) -> Keys:
    """The keys of this venue and network. Raise NotArmed, with what to type against it."""
    if where == "keychain":
        return from_keychain(keychain(), venue, sandbox=sandbox)
    path = config / FOLDER / f"{venue}.toml"
    _private(path.parent, venue)
    said, mistake = _parsed(path, _read(path))
    if said is None:
        raise NotArmed(
            f"{path} is no TOML: see {mistake}.", 'Each line is `name = "…"`: docs/live.md.'
        )
    _unknown_to_git(path)
    return _valid(said, str(path), venue, sandbox)


def from_keychain(chain: Keychain, venue: str, *, sandbox: bool = False) -> Keys:
    """The keys that `keyring set rrr.kraken key` and its like have put there."""
    service = f"rrr.{venue}"
    told = {name: chain.get_password(service, name) for name in FIELDS}
    said = {name: value for name, value in told.items() if value is not None}
    learn(*(value for name, value in said.items() if name != "network"))
    if not said:
        raise NotArmed(
            f"The keychain shows no keys of {venue}: they are not there, or it is locked.",
            f"Unlock it, or put them in: `keyring set {service} key`, `keyring set {service}"
            " secret`.",
        )
    return _valid(said, f"the keychain, {service}", venue, sandbox)


def keychain() -> Keychain:
    """The keychain of macOS, and no other store that `keyring` may have been set up with."""
    advice = 'Set live.keys to "file": docs/live.md.'
    if sys.platform != "darwin":
        raise NotArmed("live.keys is keychain, and only macOS has one.", advice)
    try:
        from keyring.backends import macOS
    except ImportError as error:
        raise NotArmed(
            "live.keys is keychain, and keyring is not installed.",
            "pip install -r config/requirements-keychain.lock",
        ) from error
    return _Careful(macOS.Keyring())


@dataclass(frozen=True, slots=True)
class _Careful:
    """A keychain whose every way to fail is a refusal."""

    chain: Keychain

    def get_password(self, service: str, username: str) -> str | None:
        from keyring.errors import KeyringError

        try:
            return self.chain.get_password(service, username)
        except KeyringError as error:
            raise NotArmed(
                f"The keychain does not answer for {service}: {type(error).__name__}.",
                "Unlock it, and start from a session that has a screen.",
            ) from None


def _private(folder: Path, venue: str) -> None:
    make = f"mkdir -m 700 -p {folder}, and write {venue}.toml there: docs/live.md."
    try:
        about = folder.lstat()
    except OSError as error:
        raise NotArmed(f"{folder} cannot be looked at: {error.strerror}.", make) from error
    if not stat.S_ISDIR(about.st_mode):
        raise NotArmed(f"{folder} is no folder of its own.", f"Move it away; then {make}")
    _ours(folder, about, "chmod 700")


def _ours(path: Path, about: os.stat_result, mend: str) -> None:
    if about.st_uid != os.getuid():
        raise NotArmed(
            f"{path} belongs to another user (uid {about.st_uid}).",
            f"chown {os.getuid()} {path}",
        )
    mode, allowed = stat.S_IMODE(about.st_mode), int(mend.split()[-1], 8)
    if mode & ~allowed:
        raise NotArmed(
            f"{path} has mode {mode:04o}: others may read it, or more.", f"{mend} {path}"
        )


def _read(path: Path) -> bytes:
    """What is examined is what is read: one descriptor for both, and no link is followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise NotArmed(
                f"{path} is a symbolic link: who could say where it leads tomorrow.",
                "Put the file itself there.",
            ) from error
        raise NotArmed(
            f"{path} cannot be read: {error.strerror}.",
            "Write key and secret into it, and chmod 600 it: docs/live.md.",
        ) from error
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise NotArmed(f"{path} is no plain file.", "Put a file with the keys there.")
        _ours(path, about, "chmod 600")
        content = os.read(descriptor, BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(content) > BYTES_MAX:
        raise NotArmed(f"{path} has more than {BYTES_MAX:,} bytes.", "Only keys belong there.")
    return content


def _parsed(path: Path, content: bytes) -> tuple[dict[str, object] | None, str]:
    """What it says, or the line where it is wrong: the parser's own error holds all of it."""
    try:
        said: dict[str, object] = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        lines = content[: error.start].count(b"\n") + 1
        return None, f"line {lines}"
    except tomllib.TOMLDecodeError as error:
        found = MISTAKEN.search(str(error))
        return None, found[0] if found else "its last line"
    secrets = (value for name, value in said.items() if name != "network")
    learn(*(value for value in secrets if isinstance(value, str) and len(value) >= LENGTH_MIN))
    return said, ""


def _unknown_to_git(path: Path) -> None:
    """Refuse what git knows, or may know: a history is read by many, and for ever."""
    if not any((folder / ".git").exists() for folder in path.resolve().parents):
        return
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    asked = ["git", "-C", str(path.parent), "ls-files", "--error-unmatch", "--", path.name]
    try:
        answer = subprocess.run(
            asked, capture_output=True, text=True, env=environ | {"LC_ALL": "C"}, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotArmed(
            f"Whether git tracks {path} cannot be told: {type(error).__name__}.",
            "Install git, or choose a home outside any checkout.",
        ) from error
    if answer.returncode == 0:
        raise NotArmed(
            f"git tracks {path}.",
            f"git rm --cached {path}; then make new keys at the venue: git remembers these.",
        )
    if answer.returncode != 1:
        raise NotArmed(
            f"Whether git tracks {path} cannot be told: {answer.stderr.strip()}.",
            "Mend the checkout, or choose a home outside any.",
        )


def _valid(said: Mapping[str, object], place: str, venue: str, sandbox: bool) -> Keys:
    unknown = sorted(said.keys() - set(FIELDS))
    if unknown:
        raise NotArmed(f"{place} says {_named(unknown[0])}.", f"It says {', '.join(FIELDS)}.")
    network = said.get("network", "live")
    if network not in NETWORKS:
        raise NotArmed(f"The network of {place} is none.", f"It is {' or '.join(NETWORKS)}.")
    wanted = NETWORKS[sandbox]
    if network != wanted:
        raise NotArmed(
            f"{place} holds keys of the {network} network, and {wanted} is asked for.",
            f"Put keys of the {wanted} network there, or {'leave out' if sandbox else 'say'}"
            " --sandbox.",
        )
    needed = ("key", "secret", *(("password",) if venue in PASSWORDS else ()))
    for name in needed:
        _filled(said.get(name), name, place)
    password = said.get("password")
    if password is not None:
        _filled(password, "password", place)
    return Keys(
        venue,
        wanted,
        place,
        SecretStr(str(said["key"]).strip()),
        SecretStr(str(said["secret"])),
        SecretStr(str(password)) if password is not None else None,
    )


def _filled(value: object, name: str, place: str) -> None:
    advice = f"Copy the {name} there as the venue showed it, in quotes."
    if value is None:
        raise NotArmed(f"{place} says no {name}.", advice)
    if not isinstance(value, str) or not value.strip():
        raise NotArmed(f"The {name} of {place} is empty.", advice)
    if len(value.strip()) < LENGTH_MIN or (name == "key" and re.search(r"\s", value.strip())):
        raise NotArmed(f"The {name} of {place} is no whole one.", advice)


def _named(name: str) -> str:
    """A field that nobody knows may be a secret in the wrong place: only a plain word is told."""
    return name if re.fullmatch(r"[a-z_]{1,20}", name) else "something that is no field"
