"""Whatever a venue's connection does to a book: what is shown of it is the tape's, or nothing."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import pytest

from rrr.core.errors import UsageError
from rrr.core.events import Depth, Level, Touch
from rrr.data_pipeline.books import STALE, Books, News, refuse_depth, touch_of
from rrr.data_pipeline.books_dialects import DIALECTS
from rrr.data_pipeline.instruments import price_end
from rrr.data_pipeline.intake import TOUCH_AGE_MS_MAX
from rrr.data_pipeline.orderbook import NO_SNAPSHOT
from tests.data_pipeline.booked import (
    LEVELS,
    REST,
    SPARE,
    SUBSCRIPTIONS,
    URL,
    Booked,
    truth,
)
from tests.venue.faults import Fault
from tests.venue.tape import MINUTE_MS, SLOT_MS

FIXTURES: Final = Path(__file__).parents[2].parent / "shared/data/fixtures"
real = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the shared messages are not here")

EACH = pytest.mark.parametrize("name", sorted(DIALECTS))
STEPS: Final = MINUTE_MS // SLOT_MS
REASONS: Final = {
    "kraken": ("its checksum is ", "it is crossed"),
    "coinbase": ("messages ", "message "),
    "binance": ("updates ", "the snapshot is older"),
}


def during(kind: str) -> Fault:
    return Fault(kind, STEPS * SLOT_MS, 2 * STEPS * SLOT_MS)


async def opened(name: str, levels: int = LEVELS) -> Booked:
    """Every book is shown."""
    booked = Booked(name, levels=levels)
    await booked.subscribe()
    for _ in range(3):
        await booked.step()
    assert reasons(booked) == {""}
    return booked


def reasons(booked: Booked) -> set[str]:
    return {booked.books.untradable(pair) for pair in booked.books.wanted}


@EACH
@pytest.mark.parametrize("kind", ["bad_checksum", "lost", "reordered", "duplicated", "truncated"])
async def test_under_every_fault_a_book_is_the_tapes_or_not_shown_and_comes_back(
    name: str, kind: str
) -> None:
    booked = Booked(name, [during(kind)], many=1 if kind == "reordered" else 4)
    await booked.subscribe()
    for _ in range(2 * STEPS):
        await booked.step()
    shown = booked.shown
    lost = booked.reasons - {"", NO_SNAPSHOT}
    if kind in ("bad_checksum", "lost", "reordered"):
        assert lost
        assert all(why.startswith(REASONS[name]) for why in lost), lost
    if kind == "duplicated":
        assert not lost
    for _ in range(STEPS // 2):
        await booked.step()
    assert reasons(booked) == {""}
    assert booked.shown > shown > 0


@EACH
async def test_what_is_shown_is_the_book_of_now_as_deep_as_was_asked(name: str) -> None:
    booked = await opened(name, levels=7)
    at_ms = booked.venue.at_ms
    for one in booked.wanted:
        depth = booked.books.seen(one.pair, at_ms + 5)
        assert depth == truth(booked.venue.tape, one, at_ms + 5, at_ms, 7)


async def test_no_more_of_a_kraken_book_is_shown_than_its_checksum_proves() -> None:
    booked = await opened("kraken", levels=LEVELS)
    deeper = Booked("kraken", levels=25)
    await deeper.subscribe()
    for _ in range(3):
        for text in await deeper.venue.step():
            deeper.books.frame(URL, text)
    assert deeper.books.depth == booked.books.depth == LEVELS
    for one in booked.wanted:
        at_ms = booked.venue.at_ms
        assert booked.books.seen(one.pair, at_ms) == deeper.books.seen(one.pair, at_ms)


@EACH
async def test_a_book_of_which_nothing_new_is_said_is_not_shown(name: str) -> None:
    booked = await opened(name)
    booked.venue.at_ms += TOUCH_AGE_MS_MAX
    assert reasons(booked) == {""}
    booked.venue.at_ms += 1
    assert reasons(booked) == {STALE}
    assert booked.books.seen(booked.wanted[0].pair, 0) is None
    await booked.step()
    assert reasons(booked) == {""}


@EACH
async def test_what_is_said_again_and_again_is_nothing_new(name: str) -> None:
    booked = await opened(name)
    *others, last = await booked.venue.step()
    assert all(booked.books.frame(URL, text).pairs for text in (*others, last))
    booked.venue.at_ms += TOUCH_AGE_MS_MAX + 1
    assert booked.books.frame(URL, last) == News(ours=True)
    assert STALE in reasons(booked)


@EACH
async def test_a_connection_that_ended_takes_its_books_and_another_brings_them(name: str) -> None:
    booked = await opened(name)
    booked.books.ended("ws://another")
    assert reasons(booked) == {""}
    booked.books.ended(URL)
    assert reasons(booked) == {NO_SNAPSHOT}
    assert not any(booked.books.heard(one.pair) for one in booked.wanted)
    booked.venue.reconnect()
    await booked.subscribe()
    for _ in range(8):
        await booked.step()
    assert reasons(booked) == {""}


@EACH
async def test_frames_of_no_book_are_somebody_elses(name: str) -> None:
    booked = await opened(name)
    pair = booked.wanted[0]
    more: dict[str, dict[str, Any]] = {
        "kraken": {"method": "subscribe", "params": {"channel": "ticker", "symbol": [pair.pair]}},
        "coinbase": {"type": "subscribe", "channel": "ticker", "product_ids": [pair.id]},
        "binance": {
            "method": "SUBSCRIBE",
            "params": [f"{pair.id.lower()}@bookTicker"],
            "id": 99,
        },
    }
    await booked.venue.say(more[name])
    await booked.venue.say(SUBSCRIPTIONS[name](pair))  # the answer names the channel of books
    ours = [booked.books.frame(URL, text).ours for text in await booked.venue.step()]
    assert ours.count(True) == len(booked.wanted)
    assert ours.count(False) >= 2
    assert reasons(booked) == {""}


@EACH
@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '"', "[" * 100_000, '{"data":[{}]}', '{"result":{}}', "7" * 9_999],
)
async def test_nonsense_is_nobodys_and_changes_no_book(name: str, text: str) -> None:
    booked = await opened(name)
    assert booked.books.frame(URL, text) == News()
    assert reasons(booked) == {""}


@EACH
async def test_a_frame_of_a_book_that_is_broken_anywhere_never_shows_a_wrong_book(
    name: str,
) -> None:
    """Cut at each place, and each of its parts replaced in turn."""
    booked = await opened(name)
    [*_, text] = await booked.venue.step()
    nonsense: list[Any] = [None, [], {}, -1, "x", 10**30, "9" * 400]
    broken = [text[:end] for end in range(0, len(text), 17)]
    for path in _paths(json.loads(text)):
        for wrong in nonsense:
            broken.append(json.dumps(_put(json.loads(text), path, wrong)))
    whole, told = booked.books, set[str]()
    for each in broken:
        booked.books = deepcopy(whole, {id(booked.venue): booked.venue})
        booked.books.frame(URL, each)
        for one in booked.wanted:
            depth = booked.books.seen(one.pair, booked.venue.at_ms)
            if depth is not None:
                assert 0 < depth.bids[0].price < depth.asks[0].price < price_end(one.spec)
                assert all(level.quantity > 0 for side in depth[2:] for level in side)
                assert name != "kraken" or depth in booked.truths(one)
        told |= reasons(booked)
    assert len(told) > 2


@EACH
async def test_answers_to_other_questions_are_no_snapshots(name: str) -> None:
    booked = await opened(name)
    one = booked.wanted[0]
    for url in (f"{REST}?symbol=XXX&limit=5", f"{REST}?limit=x", f"{REST}?", "http://venue/klines"):
        booked.books.answered(url, "{}")
    assert reasons(booked) == {""}
    booked.books.answered(f"{REST}?symbol={one.id}&limit=1000", "<html>")
    assert booked.books.untradable(one.pair) == (
        "the snapshot has another shape" if name == "binance" else ""
    )


async def test_prices_that_the_core_has_no_room_for_are_left_out() -> None:
    booked = await opened("coinbase")
    one = booked.wanted[0]
    shown = booked.books.seen(one.pair, 0)
    assert shown is not None
    narrow = replace(one.spec, grains=one.spec.grains + 7)
    booked.books.wanted[one.pair] = replace(one, spec=narrow)
    end = price_end(narrow)
    assert shown.bids[0].price >= end
    assert booked.books.seen(one.pair, 0) is None


async def test_quantities_that_no_float_holds_are_exact() -> None:
    booked = await opened("kraken")
    one = booked.wanted[0]
    depth = booked.books.seen(one.pair, 0)
    assert depth is not None
    text, quantity = "90071992.54740993", 9007199254740993
    assert repr(float(text)) != text
    price = f"{depth.bids[0].price // 10**SPARE}"
    point = f"{price[:-1]}.{price[-1]}"
    said = f'{{"symbol":"{one.pair}","bids":[{{"price":{point},"qty":{text}}}],"asks":[]}}'
    booked.books.frame(URL, f'{{"channel":"book","type":"snapshot","data":[{said}]}}')
    assert booked.books.dialect.books[one.pair].untradable.startswith("its checksum is")
    sides = Depth(0, 0, (Level(depth.bids[0].price, quantity),), ())
    checksum = crc32(f"{price}{quantity}".encode())
    said = said.replace("[]", "[]" + f',"checksum":{checksum}')
    booked.books.frame(URL, f'{{"channel":"book","type":"snapshot","data":[{said}]}}')
    assert booked.books.dialect.books[one.pair].bids() == sides.bids


def test_a_touch_is_the_best_of_both_sides() -> None:
    depth = Depth(7, 2, (Level(99, 5), Level(98, 1)), (Level(101, 6),))
    assert touch_of(depth) == Touch(7, 2, 99, 101, 5, 6)


def test_coinbase_calls_a_book_in_usdc_by_its_name_in_usd() -> None:
    usd = Booked("coinbase").wanted[0]
    usdc = replace(usd, pair="BTC/USDC", market={**usd.market, "id": "BTC-USDC"})
    books = Books("coinbase", [usdc], LEVELS, lambda: 0)
    update = {"side": "bid", "price_level": "9", "new_quantity": "1"}
    offer = {**update, "side": "offer", "price_level": "11"}
    event = {"type": "snapshot", "product_id": "BTC-USD", "updates": [update, offer]}
    said = {"channel": "l2_data", "sequence_num": 0, "events": [event]}
    assert books.frame(URL, json.dumps(said)) == News(frozenset({"BTC/USDC"}), ours=True)
    assert books.untradable("BTC/USDC") == ""


@pytest.mark.parametrize(
    ("name", "levels", "sockets"), [("bitstamp", 1, True), ("kraken", 10, False)]
)
def test_depth_of_a_venue_that_nobody_can_verify_is_refused(
    name: str, levels: int, sockets: bool
) -> None:
    refuse_depth(name, 0, sockets)
    refuse_depth("kraken", levels, True)
    with pytest.raises(UsageError, match=f"no verified order book for {name}") as told:
        refuse_depth(name, levels, sockets)
    assert "binance, coinbase, kraken" in told.value.advice


@real
def test_the_shared_messages_are_books() -> None:
    wanted = {name: Booked(name).wanted[0] for name in DIALECTS}
    coinbase = Books("coinbase", [wanted["coinbase"]], LEVELS, lambda: 1 << 41)
    for kind in ("snapshot", "update"):
        text = (FIXTURES / f"coinbase/nautilus/ws_l2_data_{kind}.json").read_text()
        assert coinbase.frame(URL, text) == News(frozenset({"BTC/USD"}), ours=True)
    kraken = Books("kraken", [wanted["kraken"]], LEVELS, lambda: 1 << 41)
    text = (FIXTURES / "kraken/nautilus/ws_book_snapshot.json").read_text()
    assert kraken.frame(URL, text) == News(frozenset({"BTC/USD"}), ours=True)
    assert kraken.untradable("BTC/USD").startswith("its checksum is ")  # an example's is made up
    binance = Books("binance", [wanted["binance"]], LEVELS, lambda: 1 << 41)
    folder = FIXTURES / "binance/nautilus_py/ws_messages"
    text = (folder / "ws_futures_depth_update.json").read_text()
    assert binance.frame(URL, text).ours == ('"BTCUSDT"' in text)


def _paths(value: Any) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, ...]] = []
    for key, each in list(inner)[:6]:
        found.append((key,))
        if isinstance(each, dict | list):
            found += [(key, *path) for path in _paths(each)]
    return found


def _put(value: Any, path: tuple[Any, ...], wrong: object) -> Any:
    place = value
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong
    return value
