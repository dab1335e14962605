"""What is installed is what was asked for, explained, and hashed."""

import re
import tomllib
from itertools import chain

import pytest

from tests.house.source import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUN: list[str] = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
EXTRA: list[str] = list(chain(*EXTRAS.values()))

LOCKS = [f"requirements{what}.lock" for what in ("", "-dev", "-train", "-keychain")]
PIN = re.compile(r"^([\w.-]+)==([^ ;]+)", re.MULTILINE)
ROW = re.compile(r"^\| ([\w-]+) \| (\d[\w.]*) \| \S.* \| \S.* \|$", re.MULTILINE)


def test_every_dependency_is_pinned_exactly_and_explained() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert sorted("==".join(row) for row in ROW.findall(page)) == sorted(RUN + EXTRA)


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        (LOCKS[0], RUN),
        (LOCKS[1], RUN + EXTRAS["dev"]),
        (LOCKS[2], EXTRAS["train"]),
        (LOCKS[3], EXTRAS["keychain"]),
    ],
)
def test_a_lock_holds_what_was_asked_for(lock: str, asked: list[str]) -> None:
    wanted = {requirement.lower() for requirement in asked}
    assert wanted <= {f"{name}=={version}" for name, version in pins(lock).items()}


def test_the_tools_run_on_the_very_packages_that_trade() -> None:
    assert pins(LOCKS[0]).items() <= pins(LOCKS[1]).items()
    for extra in LOCKS[2:]:
        assert not pins(LOCKS[0]).keys() & pins(extra).keys()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_all_hashes_and_names_no_place(lock: str) -> None:
    text = (ROOT / "config" / lock).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(PIN.findall(text))
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert not re.search(r"^-|[@/]", text, flags=re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / "config" / lock).read_text(encoding="utf-8")))
