"""One command from a fresh checkout to a running house, and again, and after whatever went wrong.

The scripts are the real ones, in a checkout of their own; a stand-in plays Python, so that no test
needs a network. It notes each call, makes a `.venv` of itself, and breaks where it is told to.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.source import ROOT

# The Python that is asked for first.
FIRST = "python3.13" if sys.platform == "darwin" else "python3.11"
PYTHON = """#!/usr/bin/env bash
echo "$*" >>"$CALLS"
case "$*" in
    -V) echo "Python 3.12.0" ;;
    "-c import ensurepip"*) exit "${UNFIT:-0}" ;;
    "-c import pip, setuptools") ;;
    *fcntl*) exec "$REAL" "$@" ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip "*)
        if [ -e "$CALLS.break" ]; then
            echo "WARNING: Retrying" >&2
            echo "ERROR: No matching distribution" >&2
            exit 1
        fi
        if [ -e "$CALLS.strange" ] && [[ $* == *train.lock ]]; then exit 1; fi
        if [ -e "$CALLS.kill" ]; then kill -9 $PPID; fi
        echo "Collecting numpy==2.4.6" ;;
    "-m rrr"*) shift 2; printf '<%s>' "$@" ;;
    *) exit 99 ;;
esac
"""


class Checkout:
    """A copy of what the scripts need, in a folder with a space in its name."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "a check out"
        self.calls = tmp_path / "calls"
        self.bin = tmp_path / "bin"
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        (self.root / "config").mkdir()
        for lock in (ROOT / "config").glob("*.lock"):
            shutil.copy(lock, self.root / "config")
        shutil.copy(ROOT / "pyproject.toml", self.root)
        self.bin.mkdir()
        (self.bin / FIRST).write_text(PYTHON)
        (self.bin / FIRST).chmod(0o755)

    def start(
        self, *arguments: str, script: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        process = self.begin(*arguments, script=script, **environment)
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def begin(
        self, *arguments: str, script: Path | None = None, **environment: str
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [script or self.root / "scripts" / "start", *arguments],
            cwd=self.bin,
            env={
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "HOME": str(self.bin),
                "CALLS": str(self.calls),
                "REAL": sys.executable,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def called(self, beginning: str) -> list[str]:
        calls = self.calls.read_text().splitlines()
        return [call for call in calls if call.startswith(beginning)]

    def make(self, what: str) -> Callable[[], None]:
        """Break things in that way from now on; what is returned mends them."""
        marker = self.calls.with_name(f"calls.{what}")
        marker.touch()
        return marker.unlink


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_without_arguments_paper_trading_starts(checkout: Checkout) -> None:
    assert checkout.start().stdout == "<--mode><paper>"


def test_arguments_are_passed_on_exactly(checkout: Checkout) -> None:
    arguments = ["status", "--home", "a  b", "", "*", "'\"$HOME", "two\nlines"]
    assert checkout.start(*arguments).stdout == "".join(f"<{each}>" for each in arguments)


def test_setting_up_speaks_on_standard_error_alone(checkout: Checkout) -> None:
    answer = checkout.start("status")
    assert answer.stdout == "<status>"
    assert "first time only" in answer.stderr


def test_what_is_installed_is_pinned_by_hash_and_built_without_a_download(
    checkout: Checkout,
) -> None:
    checkout.start()
    packages, project, training = checkout.called("-m pip install")
    assert "--require-hashes" in packages
    assert packages.endswith("/config/requirements.lock")
    assert "--no-build-isolation" in project
    assert "--require-hashes" in training
    assert training.endswith("/config/requirements-train.lock")
    assert all("--no-deps" in call for call in (packages, project, training))


def test_a_computer_that_cannot_train_trades_all_the_same_and_is_told_once(
    checkout: Checkout,
) -> None:
    checkout.make("strange")
    answer = checkout.start()
    assert answer.stdout == "<--mode><paper>"
    assert "No model can be trained here: the baseline trades." in answer.stderr
    assert checkout.start().stderr == ""


def test_the_second_start_installs_nothing_and_says_nothing(checkout: Checkout) -> None:
    checkout.start()
    answer = checkout.start()
    assert (answer.stdout, answer.stderr) == ("<--mode><paper>", "")
    assert checkout.calls.read_text().splitlines() == ["-V", "-m rrr --mode paper"]


@pytest.mark.parametrize(
    "changed", ["config/requirements.lock", "config/requirements-train.lock", "pyproject.toml"]
)
def test_a_changed_pin_is_installed_into_the_same_environment(
    checkout: Checkout, changed: str
) -> None:
    checkout.start()
    with (checkout.root / changed).open("a") as file:
        file.write("# a new pin\n")
    assert "pins have changed" in checkout.start().stderr
    assert checkout.called("-m pip install")
    assert not checkout.called("-m venv")
    assert checkout.start().stderr == ""


def test_a_moved_checkout_is_installed_again(checkout: Checkout) -> None:
    checkout.start()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert checkout.start().stdout == "<--mode><paper>"
    assert checkout.called("-m pip install")


def test_a_failed_installation_says_why_and_the_next_start_begins_afresh(
    checkout: Checkout,
) -> None:
    mend = checkout.make("break")
    answer = checkout.start()
    assert answer.returncode == 69
    assert "ERROR: No matching distribution" in answer.stderr
    assert answer.stdout == ""

    mend()
    assert checkout.start().stdout == "<--mode><paper>"
    assert checkout.called("-m venv")


def test_a_killed_installation_leaves_nothing_that_the_next_start_trusts(
    checkout: Checkout,
) -> None:
    mend = checkout.make("kill")
    assert checkout.start().returncode == -signal.SIGKILL

    mend()
    (checkout.root / ".venv" / "half-written").touch()
    assert checkout.start().stdout == "<--mode><paper>"
    assert checkout.called("-m venv")
    assert not (checkout.root / ".venv" / "half-written").exists()


def test_a_change_that_was_cut_short_is_not_trusted_either(checkout: Checkout) -> None:
    checkout.start()
    (checkout.root / "pyproject.toml").write_text("[project]\n")
    mend = checkout.make("kill")
    checkout.start()

    mend()
    checkout.start()
    assert checkout.called("-m venv")


def test_two_starts_at_once_install_once(checkout: Checkout) -> None:
    (checkout.root / ".venv").mkdir()
    with (checkout.root / ".venv" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        both = [checkout.begin(), checkout.begin()]
        assert all("waiting" in process.stderr.readline() for process in both if process.stderr)

    assert [process.communicate()[0] for process in both] == ["<--mode><paper>"] * 2
    assert len(checkout.called("-m venv")) == 1
    assert len(checkout.called("-m pip install")) == 3  # the packages, the project, torch


def test_an_environment_whose_python_is_gone_is_made_again(checkout: Checkout) -> None:
    checkout.start()
    (checkout.root / ".venv" / "bin" / "python").unlink()
    assert checkout.start().stdout == "<--mode><paper>"
    assert checkout.called("-m venv")


def test_it_starts_through_a_symlink(checkout: Checkout) -> None:
    absolute, relative = checkout.bin / "absolute", checkout.bin / "relative"
    absolute.symlink_to(checkout.root / "scripts" / "start")
    relative.symlink_to(Path("absolute"))
    assert checkout.start(script=relative).stdout == "<--mode><paper>"


@pytest.mark.parametrize(
    ("system", "one_installer"),
    [("Darwin", "https://www.python.org/downloads/macos/"), ("Linux", "python3-venv")],
)
def test_without_a_fitting_python_it_names_the_one_installer(
    checkout: Checkout, system: str, one_installer: str
) -> None:
    uname = checkout.bin / "uname"
    uname.write_text(f"#!/bin/sh\necho {system}\n")
    uname.chmod(0o755)
    environment = checkout.root / "scripts" / "_environment.sh"
    nowhere = f'candidates() {{ echo "{checkout.bin}/{FIRST}"; }}\n'
    environment.write_text(f"{environment.read_text()}\n{nowhere}")

    answer = checkout.start(UNFIT="1")

    assert answer.returncode == 69
    assert one_installer in answer.stderr
    assert not (checkout.root / ".venv").exists()


def test_a_folder_that_cannot_hold_it_is_refused(checkout: Checkout) -> None:
    (checkout.root / ".venv").write_text("in the way")
    assert checkout.start().returncode == 73


@pytest.mark.parametrize(
    "script",
    [path for path in [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"] if path.is_file()],
    ids=lambda path: path.name,
)
def test_the_shell_understands_every_script(script: Path) -> None:
    first = script.read_bytes().splitlines()[0]
    if script.suffix == ".sh" or first.endswith(b"sh"):
        subprocess.run(["bash", "-n", script], check=True)
