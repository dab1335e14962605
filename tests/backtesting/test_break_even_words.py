"""A page of costs names its sources, marks what no model reaches, and fits a terminal."""

from decimal import Decimal

import pytest

from rrr.backtesting.break_even import costs, stated
from rrr.backtesting.break_even_words import WIDTH, costs_in_words
from rrr.config.venue_costs import profile, profiles, schedules

MONEY = Decimal(10_000)
TRADED = [stated("BTC-USD"), stated("WIF-USD", 15_000)]
VENUES = list(schedules().venue)


@pytest.mark.parametrize("venue", [None, *VENUES])
def test_a_page_fits_a_terminal_and_ends_without_blanks(venue: str | None) -> None:
    lines = costs_in_words(costs(profiles(venue), TRADED, MONEY)).split("\n")
    assert all(line == line.rstrip() for line in lines)
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("venue", VENUES)
def test_one_profile_is_told_with_its_sources_and_all_tiers(venue: str) -> None:
    [found] = profiles(f"{venue}:tier2")
    page = costs_in_words(costs([found], TRADED, MONEY))
    told = " ".join(page.split())
    assert page.startswith(f"{venue}:tier2: {found.schedule.title}, {found.tier.name} (from ")
    assert found.schedule.evidence in told
    assert found.schedule.fee_note in told
    assert all(f"{s}, {found.schedule.checked_on}" in told for s in found.schedule.sources)
    assert found.width("WIF-USD").how in told
    ladder = [line for line in page.split("\n") if line[2:].startswith("tier")]
    assert [line.startswith("▸") for line in ladder] == [
        tier == found.tier for tier in found.schedule.tiers
    ]


def test_each_horizon_says_the_ic_and_marks_what_is_beyond() -> None:
    found = costs([profile("kraken")], TRADED[:1], MONEY)
    [one] = found["profiles"][0]["instruments"]
    page = costs_in_words(found).split("\n")
    for horizon in ("5m", "15m", "1h", "4h", "1d", "1w"):
        [row] = [line for line in page if line.split()[:1] == [horizon]]
        beyond = [horizon in way["beyond_honest"] for way in one["ways"]]
        assert row.count("×") == sum(beyond)
        assert ("┿" in row) is beyond[-1], "The line crosses the limit where the IC does."
    [day] = [line for line in page if line.split()[:1] == ["1d"]]
    assert day.split()[1:] == ["0.29", "×", "0.22", "×", "0.15", "×", "━━━━━┿━━━"]


def test_several_profiles_stand_beside_each_other_in_a_table_for_each_instrument() -> None:
    page = costs_in_words(costs(profiles(), TRADED, MONEY)).split("\n")
    rows = [line.split() for line in page if line.partition(":")[0] in VENUES]
    assert [row[0] for row in rows] == [f"{venue}:tier1" for venue in VENUES] * len(TRADED)
    assert " ".join(rows[0][1:]) == "0.6 % 1.2 % 241.4 19 d 180.7 11 d 120.0 4.7 d"
