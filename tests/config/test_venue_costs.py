"""A profile is a tier with its source; what the file says was recorded is what the records say."""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from rrr.config.sections import Costs
from rrr.config.venue_costs import FILE, Schedule, profile, profiles, schedules
from rrr.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
VENUES = list(schedules().venue)
SYMBOLS = ("BTC-USD", "ETH-USD", "WIF-USD")

# What a file of one venue must at least say.
SMALL = """
[venue.mine]
title = "Mine"
fee_in_base = false
fee_note = "the fee is paid in the quote"
checked_on = 2026-01-31
sources = ["https://example.org/fees"]
evidence = "Mine."
tiers = [
    { name = "Tier 1", volume_from = 0, maker_ppm = 100, taker_ppm = 200 },
    { name = "Gold", volume_from = 1_000, maker_ppm = -10, taker_ppm = 100 },
]
deep = { half_spread_ppm = 1, slippage_ppm = 2, how = "guessed" }
large = { half_spread_ppm = 3, slippage_ppm = 4, how = "guessed" }
thin = { half_spread_ppm = 5, slippage_ppm = 6, how = "guessed" }
"""


@pytest.mark.parametrize(
    ("text", "name", "tier"),
    [
        ("kraken", "kraken:tier1", "Tier 1"),
        (" Kraken : TIER5 ", "kraken:tier5", "Tier 5"),
        ("kraken:50000", "kraken:tier5", "Tier 5"),
        ("kraken:50k", "kraken:tier5", "Tier 5"),
        ("kraken:49_999.9", "kraken:tier4", "Tier 4"),
        ("kraken:2.5m", "kraken:tier10", "Tier 10"),
        ("kraken:9,000,000,000", "kraken:tier17", "Pro 5"),
        ("kraken:0", "kraken:tier1", "Tier 1"),
        ("coinbase:tier3", "coinbase:tier3", "Advanced 1"),
        ("coinbase:Advanced 1", "coinbase:tier3", "Advanced 1"),
        ("coinbase:vip-1", "coinbase:tier6", "VIP 1"),
        ("binance:regular", "binance:tier1", "Regular"),
    ],
)
def test_a_tier_is_named_by_its_place_its_name_or_a_volume(text: str, name: str, tier: str) -> None:
    found = profile(text)
    assert (found.name, found.tier.name) == (name, tier)
    assert profile(found.name) == found


@pytest.mark.parametrize(
    ("text", "what", "advice"),
    [
        ("krakn", "There is no cost profile 'krakn'.", "Did you mean kraken? Known: coinbase, "),
        ("", "There is no cost profile ''.", "Known: coinbase, "),
        ("kraken:tier18", "kraken has no tier 'tier18'.", "also called tier1 to tier17"),
        ("kraken:tier0", "kraken has no tier 'tier0'.", "It has Tier 1, Tier 2"),
        ("coinbase:vip 9", "coinbase has no tier 'vip 9'.", "coinbase:50000"),
        ("coinbase:-5", "coinbase has no tier '-5'.", "coinbase:50000"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(text: str, what: str, advice: str) -> None:
    with pytest.raises(ConfigError) as caught:
        profile(text)
    assert caught.value.what == what
    assert advice in caught.value.advice


@pytest.mark.parametrize("venue", VENUES)
def test_every_volume_has_one_tier(venue: str) -> None:
    tiers = schedules().venue[venue].tiers
    for place, tier in enumerate(tiers):
        assert profile(f"{venue}:{tier.volume_from}").place == place
        to = profile(f"{venue}:tier{place + 1}").volume_to
        assert to is None if place + 1 == len(tiers) else to == tiers[place + 1].volume_from
        assert to is None or profile(f"{venue}:{to - 1}").place == place


@pytest.mark.parametrize("venue", VENUES)
def test_more_volume_never_costs_more(venue: str) -> None:
    tiers = schedules().venue[venue].tiers
    assert all(
        later.maker_ppm <= tier.maker_ppm and later.taker_ppm <= tier.taker_ppm
        for tier, later in pairwise(tiers)
    )


@pytest.mark.parametrize("venue", VENUES)
def test_what_a_profile_charges_could_stand_in_the_settings(venue: str) -> None:
    for place in range(len(schedules().venue[venue].tiers)):
        for symbol in SYMBOLS:
            rates = asdict(profile(f"{venue}:tier{place + 1}").rates(symbol))
            assert Costs.model_validate(rates).model_dump().items() >= rates.items()


def test_the_base_tells_how_wide_the_book_is() -> None:
    kraken = profile("kraken")
    assert [kraken.depth(symbol) for symbol in SYMBOLS] == ["deep", "large", "thin"]
    halves = [kraken.rates(symbol).half_spread_ppm for symbol in SYMBOLS]
    assert halves == sorted(halves)


def test_nothing_named_means_the_first_tier_of_every_venue() -> None:
    assert [found.name for found in profiles()] == [f"{venue}:tier1" for venue in VENUES]
    assert profiles("kraken:50k") == (profile("kraken:tier5"),)


def test_fees_paid_in_bnb_are_three_quarters_rounded_up() -> None:
    known = schedules().venue
    for plain, paid in zip(known["binance"].tiers, known["binancebnb"].tiers, strict=True):
        assert paid.maker_ppm == ceil(plain.maker_ppm * 3 / 4)
        assert paid.taker_ppm == ceil(plain.taker_ppm * 3 / 4)


def test_a_home_may_have_venues_and_classes_of_its_own(tmp_path: Path) -> None:
    own = SMALL + '[classes]\ndeep = ["WIF"]\n' + SMALL.replace("mine", "kraken")
    (tmp_path / FILE).write_text(own, "utf-8")
    assert profile("mine:gold", tmp_path).rates("WIF-USD").maker_fee_ppm == -10
    assert profile("mine:gold", tmp_path).rates("WIF-USD").half_spread_ppm == 1
    assert profile("kraken:5m", tmp_path).tier.name == "Gold"
    assert profile("binance", tmp_path).schedule == profile("binance").schedule
    assert list(schedules(tmp_path).venue) == [*VENUES, "mine"]


def test_a_home_without_a_file_has_ours(tmp_path: Path) -> None:
    assert schedules(tmp_path) == schedules()


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("[venue.mine]", "[venue.mine", "is no TOML"),
        ("[venue.mine]", "[venue.Mine]", "venue.Mine.[key]: 'Mine': string should match"),
        ("taker_ppm = 200", 'taker_ppm = "200"', "tiers.0.taker_ppm: '200': input should be a val"),
        ("taker_ppm = 200", "taker_ppm = 0.2", "tiers.0.taker_ppm: 0.2: input should be a valid"),
        ("taker_ppm = 200", "taker_ppm = 200_000", "tiers.0.taker_ppm: 200000: input should be le"),
        ("maker_ppm = -10", "maker_ppm = -2_000", "tiers.1.maker_ppm: -2000: input should be grea"),
        ("maker_ppm = 100", "maker_ppm = 300", "venue.mine: value error, a maker pays more than a"),
        ("maker_ppm = 100,", "", "tiers.0.maker_ppm: field required"),
        (
            "maker_ppm = 100",
            "maker = 1, maker_ppm = 1",
            "tiers.0.maker: 1: extra inputs are not pe",
        ),
        ("volume_from = 0", "volume_from = 1", "venue.mine: value error, tiers begin at a volume"),
        ("volume_from = 1_000", "volume_from = 0", "venue.mine: value error, tiers begin at a"),
        ('name = "Gold"', 'name = "tier-1"', "venue.mine: value error, tiers have names, each"),
        ('name = "Gold"', 'name = "50k"', "venue.mine: value error, tiers have names, each anoth"),
        ('name = "Gold"', 'name = "Tier 7"', "venue.mine: value error, a tier called `Tier 5` is"),
        ("fee_in_base = false", 'fee_in_base = "no"', "venue.mine.fee_in_base: 'no': input should"),
        ("checked_on = 2026-01-31", "", "venue.mine.checked_on: field required"),
        ('sources = ["https://example.org/fees"]', "sources = []", "sources: tuple should have at"),
        ('how = "guessed"', 'how = ""', "venue.mine.deep.how: '': string should have at least 1"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    assert right in SMALL
    (tmp_path / FILE).write_text(SMALL.replace(right, wrong, 1), "utf-8")
    with pytest.raises(ConfigError) as caught:
        profile("mine", tmp_path)
    assert str(tmp_path / FILE) in caught.value.what
    assert told in caught.value.what


@pytest.mark.parametrize("venue", VENUES)
def test_the_page_has_every_tier_and_width_as_the_file_has_it(venue: str) -> None:
    page = (ROOT / "docs" / "costs.md").read_text("utf-8")
    section = re.search(rf"^### `{venue}`.*?(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert section is not None
    rows = [
        line for line in section[0].splitlines() if re.match(r"\| (tier\d|deep|large|thin)", line)
    ]
    assert rows == list(documented(schedules().venue[venue]))


def documented(schedule: Schedule) -> Iterator[str]:
    for number, tier in enumerate(schedule.tiers, 1):
        asks = f"{tier.volume_from:,}" + (f", {tier.also}" if tier.also else "")
        rates = f"{tier.maker_ppm / 10_000:g} % | {tier.taker_ppm / 10_000:g} %"
        yield f"| tier{number} | {tier.name} | {asks} | {rates} |"
    for depth in ("deep", "large", "thin"):
        width = getattr(schedule, depth)
        yield f"| {depth} | {width.half_spread_ppm} | {width.slippage_ppm} | {width.how} |"


@pytest.fixture(scope="module")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED.name}, the recorded touches and books, is not beside this checkout.")
    return SHARED


@pytest.mark.parametrize(
    ("file", "columns", "venue", "depth"),
    [
        (
            "coinbase/BTC-USD/quotes-1m-lean-20180404",
            ("bid_close", "ask_close"),
            "coinbase",
            "deep",
        ),
        (
            "coinbase/LTC-USD/quotes-1m-lean-20180404",
            ("bid_close", "ask_close"),
            "coinbase",
            "large",
        ),
        ("binance/BTC-USDT/quotes-20210108", ("bid", "ask"), "binance", "deep"),
    ],
)
def test_half_the_spread_is_the_mean_of_the_recorded_touches(
    shared: Path, file: str, columns: tuple[str, str], venue: str, depth: str
) -> None:
    from pyarrow import parquet

    table = parquet.read_table(shared / f"{file}.parquet", columns=list(columns)).to_pydict()
    touches = list(zip(*table.values(), strict=True))
    assert half(touches) == getattr(schedules().venue[venue], depth).half_spread_ppm


def test_half_the_spread_of_a_thin_book_is_the_mean_over_recorded_pairs(shared: Path) -> None:
    for venue, known in tickers(shared).items():
        pairs = [half_spreads(touches) for touches in known.values()]
        assert ceil(mean(pairs)) == schedules().venue[venue].thin.half_spread_ppm


def test_slippage_is_what_10_000_pays_beyond_the_best_price_of_recorded_books(shared: Path) -> None:
    slipped = defaultdict(list)
    for venue, pair, sides in books(shared):
        base, quote = pair[:3], pair.removesuffix("USDT")
        if quote != pair or pair[-3:] in ("USD", "EUR", "GBP", "CHF"):
            kind = {"XBT": "deep", "ETH": "large"}.get(base, "thin")
            slipped[venue, kind].append(mean(beyond(side, 10_000) for side in sides))
    known = schedules().venue
    assert set(slipped) == {
        *(("kraken", kind) for kind in ("deep", "large", "thin")),
        *((venue, "thin") for venue in ("coinbase", "binance")),
    }
    for (venue, kind), means in slipped.items():
        assert ceil(mean(means)) == getattr(known[venue], kind).slippage_ppm, (venue, kind)


def half(touches: Sequence[tuple[float, float]]) -> int:
    return ceil(half_spreads(touches))


def half_spreads(touches: Sequence[tuple[float, float]]) -> float:
    """The mean, in ppm of the middle; a crossed touch is no touch."""
    return mean((ask - bid) / (ask + bid) * 1e6 for bid, ask in touches if 0 < bid < ask)


def beyond(side: Sequence[tuple[float, float]], notional: float) -> float:
    """What so much pays beyond the best price, in ppm."""
    left, quantity = notional, 0.0
    for price, there in side:
        taken = min(left, price * there)
        left, quantity = left - taken, quantity + taken / price
    assert left < 1e-6, "The book is deep enough."
    return abs(notional / quantity / side[0][0] - 1) * 1e6


def tickers(shared: Path) -> dict[str, dict[str, list[tuple[float, float]]]]:
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for frame in frames(shared, "binance"):
        if str(frame.get("stream")).endswith("@bookTicker"):
            told = frame["data"]
            found["binance"][told["s"]].append((float(told["b"]), float(told["a"])))
    for frame in frames(shared, "coinbaseexchange"):
        if frame.get("type") == "ticker":
            touch = float(frame["best_bid"]), float(frame["best_ask"])
            found["coinbase"][frame["product_id"]].append(touch)
    for frame in frames(shared, "kraken"):
        if isinstance(frame, list) and frame[-2] == "ticker":
            told = frame[1]
            found["kraken"][frame[-1]].append((float(told["b"][0]), float(told["a"][0])))
    return found


def books(shared: Path) -> Iterator[tuple[str, str, list[list[tuple[float, float]]]]]:
    """Venue, pair, and bids and asks, each from its best price on."""
    for line in lines(shared, "binance"):
        if line["kind"] == "http" and "/depth" in line["url"]:
            told, pair = json.loads(line["raw"]), re.search(r"symbol=(\w+)", line["url"])
            assert pair is not None
            yield "binance", pair[1], sides(told["bids"], told["asks"])
    for frame in frames(shared, "coinbaseexchange"):
        if frame.get("type") == "snapshot":
            yield "coinbase", frame["product_id"], sides(frame["bids"], frame["asks"])
    for frame in frames(shared, "kraken"):
        if isinstance(frame, list) and frame[-2] == "book-1000" and "as" in frame[1]:
            yield "kraken", frame[-1], sides(frame[1]["bs"], frame[1]["as"])
    later = json.loads((shared / "fixtures/kraken/nautilus/http_order_book.json").read_text())
    for pair, told in later["result"].items():
        yield "kraken", pair, sides(told["bids"], told["asks"])


def sides(bids: Sequence[Any], asks: Sequence[Any]) -> list[list[tuple[float, float]]]:
    levels = [[(float(price), float(there)) for price, there, *_ in side] for side in (bids, asks)]
    return [sorted(levels[0], reverse=True), sorted(levels[1])]


def frames(shared: Path, venue: str) -> Iterator[Any]:
    return (json.loads(line["raw"]) for line in lines(shared, venue) if line["kind"] == "ws_recv")


def lines(shared: Path, venue: str) -> Iterator[dict[str, Any]]:
    recording = shared / "fixtures" / venue / "cryptofeed_recording.jsonl.gz"
    with gzip.open(recording, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)
