"""Keys come from a private place, whole and of the right network, or what to type is told."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rrr import secrecy
from rrr.config.keys import FOLDER, Keys, from_keychain, keychain, keys_of
from rrr.core.errors import NotArmed

KEY, SECRET = "c4n4ry-key-9f8e7d", "c4n4ry/secret+coal=="
GOOD = f'key = "{KEY}"\nsecret = "{SECRET}"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    config = tmp_path / "config"
    (config / FOLDER).mkdir(parents=True)
    (config / FOLDER).chmod(0o700)
    return config


def written(config: Path, text: str = GOOD, venue: str = "kraken", mode: int = 0o600) -> Path:
    path = config / FOLDER / f"{venue}.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(mode)
    return path


def refused(config: Path, venue: str = "kraken", *, sandbox: bool = False) -> NotArmed:
    """Nothing of what was read is in the error, nor behind it."""
    with pytest.raises(NotArmed) as caught:
        keys_of(config, venue, sandbox=sandbox)
    error = caught.value
    assert error.exit_code == 4
    behind = [error.what, error.advice, repr(error.__cause__), repr(error.__context__)]
    assert "c4n4ry" not in " ".join(behind)
    return error


def test_keys_of_a_private_file_are_read_and_never_shown(config: Path) -> None:
    path = written(config)
    keys = keys_of(config, "kraken")
    assert (keys.key.get_secret_value(), keys.secret.get_secret_value()) == (KEY, SECRET)
    assert (keys.venue, keys.network, keys.place, keys.password) == (
        "kraken",
        "live",
        str(path),
        None,
    )
    assert "c4n4ry" not in repr(keys) + str(keys)
    assert "c4n4ry" not in secrecy.hushed(f"{KEY} {SECRET}")


def test_a_secret_of_several_lines_and_a_passphrase_are_read_as_they_are(config: Path) -> None:
    pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n"
    written(config, f'key = "{KEY}"\npassword = "pass phrase"\nsecret = """{pem}"""', "okx")
    keys = keys_of(config, "okx")
    assert keys.secret.get_secret_value() == pem
    assert keys.password is not None
    assert keys.password.get_secret_value() == "pass phrase"


# (what the file says, what the refusal says)
MISTAKES = [
    ("", "says no key"),
    (f'key = "{KEY}"', "says no secret"),
    (f'secret = "{SECRET}"', "says no key"),
    (f'key = ""\nsecret = "{SECRET}"', "The key of"),
    (f'key = "  "\nsecret = "{SECRET}"', "is empty"),
    (f'key = "{KEY}"\nsecret = ""', "The secret of"),
    (f'key = "c4n4ry"\nsecret = "{SECRET}"', "is no whole one"),
    (f'key = "{KEY} {KEY}"\nsecret = "{SECRET}"', "is no whole one"),
    (f'key = 12345678\nsecret = "{SECRET}"', "is empty"),
    (f'key = "{KEY}"\nsecret = ["{SECRET}"]', "is empty"),
    (f'{GOOD}password = ""', "The password of"),
    (f'{GOOD}apikey = "{KEY}"', "says apikey."),
    (f'{GOOD}"{SECRET}" = "key"', "says something that is no field."),
    (f'{GOOD}network = "{SECRET}"', "The network of"),
    (f'{GOOD}network = "sandbox"', "holds keys of the sandbox network, and live is asked for"),
    (f"{GOOD}{SECRET}", "is no TOML: see line 3."),
    (f'key = "{KEY}\nsecret = "{SECRET}"', "is no TOML: see line 1."),
    (f'{GOOD}key = "{KEY}"', "is no TOML: see its last line."),
    (f'{GOOD}note = "\udcff"', "is no TOML: see line 3."),
    (f"{GOOD}# {'x' * (1 << 16)}", "has more than 65,536 bytes"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_what_is_wrong_with_a_file_is_named_without_a_letter_of_it(
    config: Path, text: str, words: str
) -> None:
    written(config, text)
    assert words in refused(config).what


def test_a_venue_with_passphrases_needs_one(config: Path) -> None:
    written(config, venue="okx")
    assert "says no password" in refused(config, "okx").what


def test_live_keys_are_no_keys_of_the_test_network(config: Path) -> None:
    written(config, venue="binance")
    error = refused(config, "binance", sandbox=True)
    assert "holds keys of the live network, and sandbox is asked for" in error.what
    written(config, f'{GOOD}network = "sandbox"', "binance")
    assert keys_of(config, "binance", sandbox=True).network == "sandbox"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666, 0o601, 0o700, 0o4600])
def test_a_file_that_others_could_read_is_refused_with_the_chmod_to_type(
    config: Path, mode: int
) -> None:
    path = written(config, mode=mode)
    error = refused(config)
    assert f"mode {mode:04o}" in error.what
    subprocess.run(error.advice.split(), check=True)
    assert error.advice == f"chmod 600 {path}"
    keys_of(config, "kraken")


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777])
def test_a_folder_that_others_could_enter_is_refused_with_the_chmod_to_type(
    config: Path, mode: int
) -> None:
    written(config)
    (config / FOLDER).chmod(mode)
    error = refused(config)
    assert f"mode {mode:04o}" in error.what
    subprocess.run(error.advice.split(), check=True)
    keys_of(config, "kraken")


def test_stricter_modes_than_asked_for_are_well(config: Path) -> None:
    written(config, mode=0o400)
    (config / FOLDER).chmod(0o500)
    assert isinstance(keys_of(config, "kraken"), Keys)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("given", ["the file", "the folder"])
def test_what_belongs_to_another_user_is_refused(config: Path, given: str) -> None:
    path = written(config)
    os.chown(path if given == "the file" else path.parent, 12345, -1)
    error = refused(config)
    assert "belongs to another user (uid 12345)" in error.what
    assert error.advice.startswith(f"chown {os.getuid()} ")


def no_folder(config: Path) -> None:
    (config / FOLDER).rmdir()


def a_file_for_a_folder(config: Path) -> None:
    no_folder(config)
    (config / FOLDER).touch()


def a_linked_folder(config: Path) -> None:
    (config / FOLDER).rename(config / "elsewhere")
    (config / FOLDER).symlink_to(config / "elsewhere")


def a_linked_file(config: Path) -> None:
    outside = config / "outside.toml"
    outside.write_text(GOOD)
    outside.chmod(0o600)
    (config / FOLDER / "kraken.toml").symlink_to(outside)


def a_pipe(config: Path) -> None:
    os.mkfifo(config / FOLDER / "kraken.toml", 0o600)


def a_folder_for_a_file(config: Path) -> None:
    (config / FOLDER / "kraken.toml").mkdir()


@pytest.mark.parametrize(
    ("spoil", "words", "advice"),
    [
        (no_folder, "cannot be looked at: No such file", "mkdir -m 700 -p "),
        (a_file_for_a_folder, "is no folder of its own", "Move it away; then mkdir"),
        (a_linked_folder, "is no folder of its own", "Move it away; then mkdir"),
        (lambda config: None, "cannot be read: No such file", "chmod 600 it"),
        (a_linked_file, "is a symbolic link", "Put the file itself there."),
        (a_pipe, "is no plain file", "Put a file"),
        (a_folder_for_a_file, "is no plain file", "Put a file"),
    ],
)
def test_what_is_no_file_of_its_own_in_a_folder_of_its_own_is_refused(
    config: Path, spoil: Callable[[Path], None], words: str, advice: str
) -> None:
    spoil(config)
    error = refused(config)
    assert words in error.what
    assert advice in error.advice


def test_what_git_tracks_is_refused_and_what_it_ignores_is_not(config: Path) -> None:
    path = written(config)
    git(config.parent, "init", "-q")
    keys_of(config, "kraken")
    git(config.parent, "add", "-f", str(path))
    error = refused(config)
    assert error.what == f"git tracks {path}."
    assert error.advice.startswith(f"git rm --cached {path}; then make new keys")
    git(config.parent, "rm", "-q", "--cached", str(path))
    keys_of(config, "kraken")


def test_a_broken_checkout_is_no_proof_that_git_does_not_know_it(config: Path) -> None:
    written(config)
    (config.parent / ".git").write_text("gitdir: nowhere\n")
    assert "cannot be told" in refused(config).what


def test_without_git_nothing_is_proven(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(config)
    git(config.parent, "init", "-q")
    monkeypatch.setenv("PATH", str(config))
    assert "Install git" in refused(config).advice


class Chain:
    """A keychain as `keyring` is one."""

    def __init__(self, **items: str) -> None:
        self.items = {("rrr.kraken", name): value for name, value in items.items()}

    def get_password(self, service: str, username: str) -> str | None:
        return self.items.get((service, username))


def test_keys_may_lie_in_the_keychain() -> None:
    keys = from_keychain(Chain(key=KEY, secret=SECRET), "kraken")
    assert (keys.key.get_secret_value(), keys.secret.get_secret_value()) == (KEY, SECRET)
    assert keys.place == "the keychain, rrr.kraken"
    assert "c4n4ry" not in secrecy.hushed(f"{KEY} {SECRET}")


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (Chain(), "they are not there, or it is locked"),
        (Chain(key=KEY), "says no secret"),
        (Chain(key=KEY, secret=SECRET, network="sandbox"), "keys of the sandbox network"),
    ],
)
def test_a_keychain_without_the_keys_is_refused(chain: Chain, words: str) -> None:
    with pytest.raises(NotArmed) as caught:
        from_keychain(chain, "kraken")
    assert words in caught.value.what


@pytest.mark.skipif(sys.platform == "darwin", reason="this is where there is one")
def test_only_macos_has_a_keychain() -> None:
    with pytest.raises(NotArmed, match="only macOS has one"):
        keychain()


def git(place: Path, *words: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", "-C", str(place), *words], check=True, env=environ)
