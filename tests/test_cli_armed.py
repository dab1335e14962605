"""Real money moves for whoever types where it goes, on a terminal of his own, and nobody else."""

import asyncio
import os
import pty
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import rrr.main
from rrr import cli
from rrr.api import doctor
from rrr.cli.armed import typed
from rrr.config.keys import Keys
from tests.storm.live_homes import Place, arm
from tests.venue.keys import TRADER
from tests.venue.process import Venue, started

VENUE: Final = "kraken"


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    """Its clock is the world's."""
    with started(VENUE, speed=1, start_ms=time.time_ns() // 1_000_000, tier="none") as running:
        yield running


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Keys | None]:
    """Whose sessions were begun; none of them trades."""
    keys: list[Keys | None] = []

    async def session(*given: Any, **named: Any) -> tuple[dict[str, Any], str]:
        keys.append(named["keys"])
        return {"session": None}, "it would have traded"

    monkeypatch.setattr(rrr.main, "session", session)
    monkeypatch.setattr(doctor, "HOUSE", ())  # this machine may be ill: that is tried elsewhere
    return keys


@pytest.fixture
def say(
    tmp_path: Path, venue: Venue, begun: list[Keys | None], capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    place = Place(tmp_path, VENUE, seed=1, speed=1)
    place.venue = venue
    arm(place)

    def said(*words: str) -> Said:
        live = ("--mode", "live", "--market", VENUE, "--address", venue.address)
        code = cli.command([*live, *words, "--home", str(place.home)])
        return Said(code, *capsys.readouterr())

    return said


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """At a terminal of his own."""
    main, terminal = pty.openpty()

    def types(text: str) -> None:
        os.write(main, text.encode())

    with os.fdopen(terminal, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield types
    os.close(main)


def orders(venue: Venue) -> list[Any]:
    """All that anybody ever sent there."""
    return [each for each in asyncio.run(venue.ledger())["entries"] if each["what"] == "order"]


def test_the_name_of_the_venue_and_only_that_is_a_confirmation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for line, meant in {
        "kraken\n": True,
        "  kraken \r\n": True,
        "Kraken\n": False,
        "yes\n": False,
        "krakenx\n": False,
        "\n": False,
        "": False,
    }.items():
        assert typed("kraken", lambda line=line: line) is meant  # type: ignore[misc]
    assert "Real money moves at kraken" in capsys.readouterr().err


def test_who_types_the_venue_is_obeyed(
    say: Callable[..., Said], person: Callable[[str], None], begun: list[Keys | None]
) -> None:
    person("kraken\n")
    said = say()
    assert (said.code, said.out) == (0, "\nit would have traded\n"), said.err
    (keys,) = begun
    assert keys is not None
    assert keys.key.get_secret_value() == TRADER.key
    assert TRADER.secret not in said.out + said.err


@pytest.mark.parametrize("word", ["yes\n", "binance\n", "\n", "\x04"])
def test_any_other_word_ends_it_with_2_and_nothing_is_sent(
    say: Callable[..., Said],
    person: Callable[[str], None],
    begun: list[Keys | None],
    venue: Venue,
    word: str,
) -> None:
    person(word)
    said = say()
    assert said.code == 2, said.err
    assert "Nothing was sent: the venue was not typed." in said.err
    assert begun == []
    assert orders(venue) == []


def test_who_is_not_there_must_have_said_it_before(
    say: Callable[..., Said], begun: list[Keys | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        said = say()
        assert said.code == 4
        assert "--confirm kraken" in said.err
        assert begun == []
        assert say("--confirm", "kraken").code == 0
    assert len(begun) == 1


def test_another_name_on_the_command_line_is_refused_and_asks_nobody(
    say: Callable[..., Said], begun: list[Keys | None]
) -> None:
    said = say("--confirm", "binance")
    assert said.code == 4
    assert "--confirm names binance" in said.err
    assert begun == []
