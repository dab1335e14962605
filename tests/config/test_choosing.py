"""What nobody chose gives way, to a venue or a strategy; and a run's settings come back as told."""

from pathlib import Path

import pytest

from rrr.config import Home, Loaded, load
from rrr.config.choosing import made_for, restored
from rrr.config.showing import show_json
from rrr.core.errors import ConfigError
from tests.house.source import ROOT

SHIPPED = ROOT / "config" / "trading_config.yml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "config").mkdir()
    return Home(tmp_path)


def loaded(home: Home, **overrides: object) -> Loaded:
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    return load(home, SHIPPED, given, environ={}, past=True)


def test_a_profile_stands_behind_what_somebody_chose(home: Home) -> None:
    costs = loaded(home, costs__profile="kraken:tier1", costs__maker_fee_ppm=7).settings.costs
    deep, thin = costs.of("BTC-USD"), costs.of("NEW-USD")
    assert (deep.maker_fee_ppm, deep.taker_fee_ppm) == (7, 8_000)
    assert deep.half_spread_ppm < thin.half_spread_ppm
    plain = loaded(home).settings.costs
    assert plain.of("BTC-USD") == plain


def test_what_somebody_says_wins_even_where_it_is_the_default(home: Home) -> None:
    costs = loaded(home, costs__profile="kraken", costs__taker_fee_ppm="1000").settings.costs
    assert costs.of("BTC-USD").taker_fee_ppm == 1_000


def test_a_home_may_know_venues_of_its_own(home: Home) -> None:
    text = (ROOT / "config" / "venue_costs.toml").read_text(encoding="utf-8")
    mine = text.replace("[venue.kraken]", "[venue.mine]")
    (home.config / "venue_costs.toml").write_text(mine, encoding="utf-8")
    costs = loaded(home, costs__profile="mine").settings.costs
    assert costs.of("BTC-USD").taker_fee_ppm == 8_000


def test_a_venue_that_nobody_knows_is_told_with_its_line(home: Home) -> None:
    with pytest.raises(ConfigError, match=r"command line: There is no cost profile 'moon'"):
        loaded(home, costs__profile="moon")
    (home.config / "trading_config.yml").write_text("costs:\n  profile: moon\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"trading_config.yml line 2: There is no cost profile"):
        load(home, environ={})


# (settings that differ, whether somebody chose policy.stop_bps)
CHOSEN: list[tuple[dict[str, object], bool]] = [
    ({}, False),
    ({"policy__stop_bps": 300}, True),
    ({"policy__stop_bps": 299}, True),
    ({"policy__target_bps": 1}, False),
]


@pytest.mark.parametrize(("overrides", "chosen"), CHOSEN)
def test_a_line_that_says_the_default_chooses_nothing(
    home: Home, overrides: dict[str, object], chosen: bool
) -> None:
    found = loaded(home, **overrides)
    assert found.origin("policy.stop_bps") != "default"
    assert found.chosen("policy.stop_bps") == chosen
    made = made_for(found, {"policy.stop_bps": "77"}, "mine").settings.policy.stop_bps
    assert (made == 77) == (not chosen)


def test_the_last_strategy_is_the_one_that_it_is_made_for(home: Home) -> None:
    one = made_for(loaded(home), {"policy.stop_bps": "77"}, "one")
    assert one.origin("policy.stop_bps") == "strategy one"
    assert not one.chosen("policy.stop_bps")
    other = made_for(one, {"policy.stop_bps": "78"}, "other")
    assert (other.settings.policy.stop_bps, other.origin("policy.stop_bps")) == (
        78,
        "strategy other",
    )


def test_the_settings_of_a_run_come_back_as_they_were_told(home: Home) -> None:
    given = {"symbols": "BTC-USD,ETH-USD", "from": "2024-01-01", "costs__profile": "binance"}
    before = loaded(home, costs__slippage_ppm=9, capital="12.5", **given)
    usual = made_for(before, {"policy.entry": "maker"}, "mine")
    told = show_json(usual) | {"costs of BTC-USD": {"value": "?", "origin": "binance"}}
    after = restored(told, home)
    assert after.settings == before.settings
    assert after.settings.costs.of("ETH-USD") == before.settings.costs.of("ETH-USD")
    assert made_for(after, {"policy.entry": "maker"}, "mine").settings == usual.settings
    assert after.chosen("costs.slippage_ppm") and not after.chosen("costs.taker_fee_ppm")


def test_settings_that_are_none_any_more_are_told(home: Home) -> None:
    told = show_json(loaded(home, policy__stop_bps=9))
    told["policy.stop_bps"]["value"] = 0
    with pytest.raises(ConfigError, match=r"none any more: policy.stop_bps"):
        restored(told, home)
