"""A note becomes one line, whatever it says, and no secret is in it."""

import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import pytest

from rrr import secrecy
from rrr.monitoring.lines import TEXT_MAX, Redaction, Rendering, plain
from rrr.monitoring.notes import Level, Note

WALL_MS = 1_795_374_004_123
AT_MS = 1_704_423_600_000
HOSTILE = [
    "two\nlines",
    "a carriage\rreturn",
    "an \x1b[31mescape\x1b[0m",
    "next\x85line, line\u2028separator, paragraph\u2029separator",
    "turned \u202eround\u202c",
    "a bell\a, a null\0, a rubout\x7f, a tab\t, a C1 \x9b31m",
    "half a pair \ud83d",
    'a "quote" and a \\ backslash',
]


class Pixel(NamedTuple):
    x: int
    y: float


@dataclass(frozen=True)
class Thing:
    path: Path


def endless() -> list[Any]:
    one: list[Any] = [1]
    one.append(one)
    return one


def rendered(
    note: Note,
    *,
    synthetic: bool = False,
    market_clock: bool = False,
    secrets: tuple[str, ...] = (),
) -> tuple[str, dict[str, Any]]:
    """What a person reads, and what a program does."""
    fields: Any = {"event": note.name, "wall_ms": WALL_MS, "synthetic": synthetic}
    fields |= {
        name: value for name, value in note._asdict().items() if name not in {"name", "aloud"}
    }
    fields = Redaction(secrets)(None, "append", plain(None, "append", fields))
    (human, machine), _ = Rendering(market_clock)(None, "append", fields)
    for line in (human, machine):
        assert len(f"{line}".splitlines()) == 1
        assert line.isprintable() or "\ud83d" in line
    told: dict[str, Any] = json.loads(machine.encode("utf-8", "backslashreplace"))
    return human, told


def note(text: str = "bought", **more: Any) -> Note:
    return Note("trading", "fill", text, **more)


def test_a_plain_note_is_a_time_and_its_text() -> None:
    human, told = rendered(note())
    assert human == "2026-11-22 19:00:04.123Z  bought"
    assert told == {
        "ts": "2026-11-22T19:00:04.123Z",
        "level": "info",
        "log": "trading",
        "event": "fill",
        "text": "bought",
    }


def test_a_line_says_what_is_special_about_it() -> None:
    one = note(at_ms=AT_MS, level=Level.WARNING, detail={"price": 7})
    human, told = rendered(one, synthetic=True, market_clock=True)
    assert human == (
        "2026-11-22 19:00:04.123Z  SYNTHETIC  market 2024-01-05 03:00Z  WARNING  bought"
    )
    assert (told["at"], told["level"]) == ("2024-01-05T03:00:00.000Z", "warning")
    assert (told["synthetic"], told["detail"]) == (True, {"price": 7})


def test_the_time_of_the_market_is_told_once_where_it_is_that_of_the_wall() -> None:
    human, told = rendered(note(at_ms=AT_MS))
    assert "market" not in human
    assert told["at"]


@pytest.mark.parametrize("level", Level)
def test_only_what_is_more_than_news_names_its_level(level: Level) -> None:
    human, told = rendered(note(level=level))
    assert (level.name in human) == (level > Level.INFO)
    assert told["level"] == level.name.lower()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_one_line_and_the_program_reads_it_exactly(text: str) -> None:
    human, told = rendered(note(text, detail={text: [text]}))
    assert "\x1b" not in human
    assert told["text"] == text
    assert told["detail"] == {text: [text]}


def test_a_person_is_spared_a_whole_page_and_the_program_is_not() -> None:
    human, told = rendered(note("x" * (TEXT_MAX + 1234)))
    assert human.endswith("x … and 1,234 more characters")
    assert told["text"] == "x" * (TEXT_MAX + 1234)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Decimal("42.10"), "42.10"),
        (Path("a/b"), "a/b"),
        (b"raw \xff", "raw \\xff"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (Level.ERROR, "ERROR"),
        (True, True),
        (None, None),
        (2**80, 2**80),
        (numpy.int64(5), 5),
        (numpy.float32(0.5), 0.5),
        (Pixel(1, math.nan), {"x": 1, "y": "nan"}),
        (Thing(Path("a")), f"{Thing(Path('a'))}"),
        (OrderedDict({1: (2, {3})}), {"1": [2, [3]]}),
        (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01 00:00:00+00:00"),
        (KeyError("no"), "KeyError: 'no'"),
    ],
)
def test_an_odd_value_is_told_too(value: object, said: object) -> None:
    assert rendered(note(detail={"odd": value}))[1]["detail"] == {"odd": said}


def test_what_holds_itself_ends() -> None:
    assert "…" in json.dumps(rendered(note(detail={"odd": endless()}))[1], ensure_ascii=False)


@pytest.mark.parametrize(
    "secret", ["hunter2", "a/b+c=", 'quo"te\\', "-----BEGIN\nKEY\n-----", "4123"]
)
def test_a_secret_is_stars_wherever_it_stands(secret: str) -> None:
    escaped = json.dumps(secret)
    one = note(
        f"GET /?key={secret} said {escaped}",
        detail={
            secret: {"deep": [f"-{secret}-", secret.encode()]},
            "error": ValueError(secret),
            "address": "a%2Fb%2Bc%3D hunter2 %31",
            "number": 4123,
        },
    )
    human, told = rendered(one, secrets=(secret, "", " "))
    assert human.endswith('GET /?key=******** said "********"')
    assert secret not in json.dumps(told, ensure_ascii=False)
    assert secret not in told["detail"]["address"]
    assert told["detail"]["********"] == {"deep": ["-********-", "********"]}
    assert told["detail"]["error"] == "ValueError: ********"
    assert told["detail"]["number"] == ("********" if secret == "4123" else 4123)
    assert ("%2B" in told["detail"]["address"]) == (secret != "a/b+c=")


def test_of_two_secrets_the_longer_one_leaves_no_end_of_it() -> None:
    human, _ = rendered(note("see abcdef"), secrets=("abc", "abcdef"))
    assert human.endswith("see ********")


def test_a_secret_that_is_read_after_the_logs_began_is_stars_too() -> None:
    redaction = Redaction(["hunter2"])
    secrecy.learn("c4n4ry-key")
    fields: Any = {"text": "hunter2 c4n4ry-key", "detail": {"a": ["hunter2", "c4n4ry-key"]}}
    stars = "********"
    assert redaction(None, "append", fields) == {
        "text": f"{stars} {stars}",
        "detail": {"a": [stars, stars]},
    }
