"""Names of orders: legal at each venue, the same for ever, ours or not ours.

python -m tests.trading.live.test_ids --ids 1000000 --lives 100 --seed 1
"""

import argparse
import re
from random import Random
from typing import Final
from uuid import UUID

import pytest

from rrr.core.errors import UsageError
from rrr.trading.live.ids import SEQUENCE_END, SPELLINGS, client_id, sequence_of, session_tag
from tests.trading.live.wires import TAG, VENUES

# What each venue says of its field.
LEGAL: Final = {
    "kraken": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[ -~]{1,18}",
    "binance": r"[\.A-Z\:/a-z0-9_-]{1,36}",
    "coinbase": r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "bybit": r"[A-Za-z0-9_-]{1,36}",
    "okx": r"[A-Za-z0-9]{1,32}",
}


def named(ids: int, lives: int, seed: int) -> dict[str, int]:
    """How many names each venue would be sent over so many lives, each asserted new and legal.

    A life goes on in its session, or begins another: of the same key, at the same moment in another
    home, or later. Sessions number their orders from one, so only the tag tells them apart.
    """
    chance = Random(seed)
    seen: dict[str, set[str]] = {venue: set() for venue in VENUES}
    home, created_at_ms, sequence = 1, 1, 0
    for _ in range(lives):
        match chance.randrange(3):
            case 0:
                home, sequence = home + 1, 0
            case 1:
                created_at_ms, sequence = created_at_ms + 1, 0
        tag = session_tag(f"home {home}", "key", created_at_ms)
        for _ in range(ids // lives):
            sequence += 1
            for venue in VENUES:
                name = client_id(venue, tag, sequence)
                assert name not in seen[venue]
                assert re.fullmatch(LEGAL[venue], name), name
                assert sequence_of(venue, tag, name) == sequence
                seen[venue].add(name)
    return {venue: len(names) for venue, names in seen.items()}


def test_no_name_is_given_twice_over_many_lives() -> None:
    assert named(2_000, 20, 1) == dict.fromkeys(VENUES, 2_000)


def test_each_venue_has_a_spelling() -> None:
    assert set(SPELLINGS) == set(VENUES)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("sequence", [1, 2**31, SEQUENCE_END - 1])
def test_the_least_and_the_greatest_number_are_legal_and_read_again(
    venue: str, sequence: int
) -> None:
    name = client_id(venue, TAG, sequence)
    assert re.fullmatch(LEGAL[venue], name)
    assert sequence_of(venue, TAG, name) == sequence


@pytest.mark.parametrize("venue", VENUES)
def test_what_others_wrote_is_never_ours(venue: str) -> None:
    ours, chance = client_id(venue, TAG, 7), Random(1)
    strangers = ["", "7", "rrr-", "x-TKT5PX2F", "0" * 32, "é" * 12, ours[:-1], ours + "0", ours[1:]]
    strangers += [ours.upper(), ours.replace("5", "4", 1), f" {ours}", ours[:-2] + "_7"]
    strangers += [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(100)]
    strangers += [client_id(venue, session_tag("another"), 7), client_id(venue, TAG, 7)[:-12]]
    assert [each for each in strangers if sequence_of(venue, TAG, each) is not None] == []


def test_the_name_of_an_order_never_changes_with_a_version_of_ours() -> None:
    """Orders that rest while the daemon is updated would be taken for somebody else's."""
    tag = session_tag("home", "key", 1)
    assert client_id("okx", tag, 7) == "811ca8dedc0f5b3c89d5000000000007"


def test_sessions_that_differ_in_anything_have_different_tags() -> None:
    births: list[tuple[str | int, ...]] = [("a", "bc", 1), ("ab", "c", 1), ("a", "bc", 2), ("a", 1)]
    births += [("a", "bc1"), ("a", "bc", "1"), ("abc1",)]
    assert len({session_tag(*birth) for birth in births}) == len(births)


def test_a_venue_without_a_spelling_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="mtgox"):
        client_id("mtgox", TAG, 7)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ids", type=int, default=1_000_000)
    parser.add_argument("--lives", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for venue, names in named(asked.ids, asked.lives, asked.seed).items():
        print(f"{venue}: {names} names over {asked.lives} lives, collisions 0, illegal 0")  # noqa: T201
