from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrr.core.errors import ConfigError, DataError, NotFound
from rrr.data_pipeline.instruments import (
    Known,
    Spec,
    decimal_text,
    infer,
    load,
    spec_for,
    symbol_parts,
    whole,
)
from rrr.data_pipeline.recorded import Found, Recorded

OURS = Path(__file__).parents[2] / "config" / "instruments.toml"
INTEGER_END = 1 << 63


def recorded(
    *closes: float, volume: float = 1.0, symbol: str = "BTC-USD", venue: str = "coinbase"
) -> Recorded:
    prices = np.array(closes)
    return Recorded(
        Found(Path("candles.csv"), venue, symbol, 60_000),
        1_704_067_200_000 + np.arange(len(closes)) * 60_000,
        *(prices,) * 4,
        volume=np.full(len(closes), volume),
        sha256="",
        notes=(),
    )


def known(tmp_path: Path, text: str) -> Known:
    file = tmp_path / "instruments.toml"
    file.write_text(text)
    return load(file)


def test_our_own_rules_load_and_name_the_first_instruments() -> None:
    rules = load(OURS)
    for venue in ("coinbase", "kraken"):
        for symbol in ("BTC-USD", "ETH-USD", "SOL-USD"):
            assert (venue, symbol) in rules
    assert str(rules["binance", "BTC-USDT"].tick) == "0.01"


def test_a_known_instrument_has_its_rules_in_points_grains_and_quanta() -> None:
    candles = recorded(42283.58, venue="binance", symbol="BTC-USDT")
    assert spec_for(candles, load(OURS)) == Spec(
        venue="binance",
        symbol="BTC-USDT",
        base="BTC",
        quote="USDT",
        points=4,
        grains=8,
        tick=10**2,
        lot=10**3,
        quantity_min=10**3,
        notional_min=5 * 10**8,
        inferred=False,
    )


def test_the_venue_any_speaks_where_a_venue_has_no_rules(tmp_path: Path) -> None:
    rules = known(
        tmp_path,
        '[any."BTC-USD"]\ntick = "0.5"\nlot = "0.001"\n[Kraken."btc/usd"]\ntick = "1"\nlot = "1"',
    )
    spec = spec_for(recorded(42283.5, venue="recorded"), rules)
    assert (spec.venue, spec.tick, spec.points) == ("recorded", 500, 3)
    assert spec.quantity_min == spec.lot == 10**5
    assert spec.notional_min == 0
    assert spec_for(recorded(42283.5, venue="kraken"), rules).tick == 10**spec.points // 10


def test_unknown_rules_are_inferred_from_the_decimals_in_use() -> None:
    spec = infer(recorded(100, 99.5, 101.25, volume=0.003))
    assert (spec.tick, spec.points) == (10**2, 4)
    assert spec.lot == spec.quantity_min == 10 ** (spec.grains - 3)
    assert spec.inferred


def test_float_noise_is_no_decimal() -> None:
    assert infer(recorded(0.1 + 0.2, volume=1.1 * 3)).points == 1 + 2


@pytest.mark.parametrize(
    ("symbol", "price", "volume", "points", "grains"),
    [
        ("BTC-USD", 42283.58, 349.53847, 4, 8),
        ("ETH-BTC", 0.040411, 31.9485, 8, 6),
        ("SHIB-USDT", 0.00003074, 4e12, 10, 3),
        ("BTC-JPY", 15_000_000, 2.5, 2, 8),
        ("ETH-USD", 2000.25, 1e12, 4, 6),
    ],
)
def test_grains_are_as_fine_as_64_bits_allow(
    symbol: str, price: float, volume: float, points: int, grains: int
) -> None:
    spec = infer(recorded(price, symbol=symbol, volume=volume))
    assert (spec.points, spec.grains) == (points, grains)
    assert price * 10**points * spec.scale * 1000 < INTEGER_END
    assert (1 << 56) / (price * 10**points) * spec.scale < INTEGER_END


def test_what_cannot_fit_into_64_bits_is_refused(tmp_path: Path) -> None:
    rules = known(tmp_path, '[any."BTC-USD"]\ntick = "0.0000000001"\nlot = "0.00000001"')
    with pytest.raises(DataError, match="does not fit into 64 bits"):
        spec_for(recorded(42283.58), rules)


def test_a_venues_lot_outweighs_the_headroom(tmp_path: Path) -> None:
    rules = known(tmp_path, '[any."ETH-BTC"]\ntick = "0.000001"\nlot = "0.00000001"')
    spec = spec_for(recorded(0.040411, symbol="ETH-BTC"), rules)
    assert (spec.grains, spec.lot) == (8, 1)


def test_an_inferred_lot_is_coarsened_where_a_venues_lot_is_refused(tmp_path: Path) -> None:
    candles = recorded(0.00003074, symbol="SHIB-USD", volume=0.12345678)
    assert (infer(candles).grains, infer(candles).lot) == (3, 1)
    rules = known(tmp_path, '[any."SHIB-USD"]\ntick = "0.00000001"\nlot = "0.00000001"')
    with pytest.raises(DataError, match="does not fit into 64 bits"):
        spec_for(candles, rules)


def test_the_floats_become_exactly_their_decimals() -> None:
    candles = recorded(42283.58, 0.07, 1.1, volume=0.1 + 0.2)
    integers = whole(candles, infer(candles))
    assert integers.close.tolist() == [422_835_800, 700, 11_000]
    assert integers.volume.tolist() == [3 * 10 ** (integers.spec.grains - 1)] * 3
    assert integers.close.dtype == integers.volume.dtype == np.int64


def test_volumes_are_cut_to_whole_grains_never_rounded_up() -> None:
    candles = recorded(100.0, volume=0.123456789)
    assert whole(candles, infer(candles)).volume.tolist() == [12_345_678]


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (100.123456, "100.123456 has more decimals than its points, 4"),
        (1e13, "10000000000000 does not fit into 64 bits"),
        (0.00001, "more decimals"),
    ],
)
def test_a_price_that_its_points_do_not_hold_is_refused_with_its_candle(
    price: float, words: str
) -> None:
    spec = infer(recorded(100.25, volume=0.12345678))
    late = recorded(100.25, price)
    with pytest.raises(DataError) as caught:
        whole(late, spec)
    assert words in caught.value.what
    assert "candle of 2024-01-01 00:01 UTC" in caught.value.what


def test_a_volume_beyond_64_bits_is_refused() -> None:
    spec = infer(recorded(100.25))
    with pytest.raises(DataError, match="volume 1000000000000 does not fit"):
        whole(recorded(100.25, volume=1e12), spec)


def test_a_large_volume_does_not_lose_a_grain_on_the_way_through_floats() -> None:
    candles = recorded(1.0, volume=70384408.60)
    assert whole(candles, infer(candles)).volume.tolist() == [7038440860 * 10**6]


@given(st.integers(1, 10**9), st.integers(0, 6), st.integers(0, 10**12), st.integers(0, 8))
def test_every_decimal_survives_the_way_through_floats(
    price: int, price_decimals: int, volume: int, volume_decimals: int
) -> None:
    """The float nearest to a decimal gives that decimal back."""
    candles = recorded(
        float(decimal_text(price, price_decimals)),
        volume=float(decimal_text(volume, volume_decimals)),
    )
    try:
        spec = infer(candles)
    except DataError:  # Sub-penny coins in the billions: 64 bits are full.
        return
    integers = whole(candles, spec)
    assert integers.close[0] * 10**price_decimals == price * 10**spec.points
    cut = volume * 10**spec.grains // 10**volume_decimals
    assert integers.volume[0] == cut


WRONG = [
    ('[any."BTC-USD"]\ntik = "1"', "has an unknown key 'tik'"),
    ('[any."BTC-USD"]\ntick = "1"', "lacks 'lot'"),
    ('[any."BTC-USD"]\ntick = 0.01\nlot = "1"', "tick: 0.01 is float, not text"),
    ('[any."BTC-USD"]\ntick = "one"\nlot = "1"', "tick: 'one' is no decimal"),
    ('[any."BTC-USD"]\ntick = "0"\nlot = "1"', "tick: it must be above 0"),
    ('[any."BTC-USD"]\ntick = "1"\nlot = "-1"', "lot: '-1' is no decimal from 0 up"),
    ('[any."BTC-USD"]\ntick = "nan"\nlot = "1"', "tick: 'nan' is no decimal"),
    ('[any."BTC-USD"]\ntick = "1"\nlot = "1"\nnotional_min = "1e-9"', "more than 8 decimals"),
    ('[any.BTCUSD]\ntick = "1"\nlot = "1"', "'BTCUSD' is no symbol"),
    ('[any]\nBTC-USD = "1"', "'1' is no section"),
    ('any = "1"', "'1' is no section"),
    ("[any", "is no TOML"),
    ('[a."B-C"]\ntick="1"\nlot="1"\n[A."B-C"]\ntick="1"\nlot="1"', "stands there twice"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_wrong_rule_is_refused_with_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        known(tmp_path, text)
    assert words in caught.value.what
    assert "instruments.toml" in caught.value.what


def test_missing_rules_are_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No such file"):
        load(tmp_path / "instruments.toml")


def test_a_perpetual_has_the_parts_of_its_pair() -> None:
    assert symbol_parts("eth/usdt-perp") == ("ETH", "USDT")
