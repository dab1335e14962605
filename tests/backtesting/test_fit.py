"""What fills cost is told to the ppm; paper beside itself differs nowhere; few fills prove little.

The oracle counts in fractions, from what the test's own venue dealt.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from fractions import Fraction
from functools import partial
from math import ceil, floor
from pathlib import Path
from random import Random
from typing import Final

import pytest
import yaml

from rrr.backtesting import fit_books
from rrr.backtesting.fit import HARSH, KIND, UNKNOWN, WITHIN, Found, fitted
from rrr.backtesting.fit_books import REST, STOP, TAKE
from rrr.backtesting.fit_numbers import estimated
from rrr.backtesting.fit_words import WIDTH, fit_in_words, verdict
from rrr.config.sections import Costs
from rrr.core.events import Close
from rrr.core.market import PPM, cost, worth
from rrr.core.orders import Cause, Order, Side
from rrr.core.shelf import NO_ASSUMPTIONS, Assumptions
from rrr.database import sessions
from rrr.database.opening import PAPER, connect_read_only
from rrr.trading.engine.engine import Moment
from tests.backtesting.fits import (
    LATE_MS,
    LISTED,
    ON_WIRE_MS,
    UNITS,
    Deal,
    Dealer,
    Dealt,
    near,
    read,
    traded,
    worse,
)
from tests.builders import MODELS, eventful, history
from tests.storm.lives import INSTRUMENTS, living, terms

AT_CLOSE: Final = (Cause.SIGNAL, Cause.TARGET)
GROUPED: Final = 0.0006  # figures leave with three decimals

MINUTES: Final = 60_000
ASSUMED: Final = {
    "nothing": NO_ASSUMPTIONS,
    "as usual": Assumptions(250, 100_000, 0, 0),
    "late, and few": Assumptions(40 * MINUTES, 1_000, 500_000, 0),
    "later than a candle": Assumptions(90 * MINUTES, 0, 0, 0),
}


@pytest.mark.parametrize("assumed", ASSUMED.values(), ids=ASSUMED)
@pytest.mark.parametrize("seed", [4, 7])  # without touches, with them
async def test_paper_beside_itself_differs_nowhere(
    tmp_path: Path, seed: int, assumed: Assumptions
) -> None:
    found, met = await lived(tmp_path / "paper.db", seed, assumed)
    takes = [one for one in met if one.way == TAKE and one.order.cause in AT_CLOSE]
    assert len(takes) > 100
    assert {one.paper.price - one.fills[0].price for one in takes} == {0}
    assert {one.paper.notional - one.notional for one in takes} == {0}
    assert {one.beyond_ppm for one in takes} == {0.0}
    assert found["verdict"] == WITHIN
    for one in met:
        assert one.fee_ppm is not None
        least = sum(max(1, fill.price / one.instrument.scale) for fill in one.fills)
        rounded = one.fee_ppm - one.fee_assumed_ppm
        assert abs(rounded) <= least / one.notional * PPM, "But for a quantum, or a grain."
    between = [one for one in met if one.way == TAKE and one.order.cause not in AT_CLOSE]
    assert {one.slippage_ppm for one in between} <= {None}, "No close decided those."
    assert between or assumed is not ASSUMED["late, and few"]
    stops = [one for one in met if one.way == STOP]
    assert stops
    assert {one.mark - one.order.price for one in stops} == {0}, "Its trigger decided."


async def test_a_paper_venue_that_listens_to_touches_is_compared_with_the_price_that_decided(
    tmp_path: Path,
) -> None:
    _, met = await lived(tmp_path / "paper.db", 7, Assumptions(0, 0, 0, 1))
    takes = [one for one in met if one.way == TAKE]
    assert len(takes) > 100
    for one in takes:
        assert one.paper_slippage_ppm == pytest.approx(one.assumed_ppm)


async def lived(
    path: Path, seed: int, assumed: Assumptions, closes: int = 250
) -> tuple[Found, list[fit_books.Met]]:
    """A paper session over a made history; what was found, and what was filled."""
    moments: list[Moment] = []
    for event in eventful(seed, history(seed, closes)):
        if isinstance(event, Close):
            moments.append(Moment(()))
        moments[-1] = Moment((*moments[-1].events, event))
    async with living(path, terms(seed, assumed=assumed, instruments=INSTRUMENTS)) as engine:
        for model in MODELS:
            await engine.db.write(partial(know, model=model))
        for first in range(0, closes, 16):
            await engine.take(moments[first : first + 16])
    with closing(connect_read_only(path, PAPER)) as connection:
        session = sessions.named(connection, None)
        books = fit_books.read(connection, session)
        found = fitted(connection, session)
    return found, [one for one in books.met if one.fills]


def know(connection: sqlite3.Connection, model: int) -> None:
    sessions.know_model(connection, model, f"model {model}", 0, "{}")


def mixed(order: Order, mark: int, dice: Random) -> Sequence[Dealt]:
    """Two fills or one, whole or not; fees in each of the coins that a venue may take."""
    whole = order.quantity
    if order.attempt == 0 and dice.random() < 0.2:
        whole = whole // 2 if dice.random() < 0.5 else 0
    first = whole // 3 if dice.random() < 0.5 else whole
    dealt = []
    for quantity in filter(None, (first, whole - first)):
        price = worse(mark, order.side, dice.randint(-300, 900))
        money = worth(LISTED[order.instrument], price, quantity)
        paid = Dealt(quantity, price)
        match dice.randint(0, 3):
            case 0:
                dealt.append(Dealt(quantity, price, fee=money * 26 // 10_000 + 1))
            case 1 if order.side == Side.BUY:
                dealt.append(Dealt(quantity, price, fee_grains=quantity * 40 // 10_000 + 1))
            case 2 if order.instrument == 1:
                dealt.append(
                    Dealt(quantity, price, fee=5, coin="BTC", parts=dice.randint(1, 10**6))
                )
            case _:
                dealt.append(paid)
    return dealt


async def test_fees_and_slippage_are_those_of_the_oracle_to_the_last_decimal(
    tmp_path: Path,
) -> None:
    silent = (5, 9, 10, 23, 37)
    deals = await traded(tmp_path / "live.db", mixed, closes=60, silent=silent)
    assert sum(not deal.opens for deal in deals) > 3, "Some fills are in candles of nobody."
    books, found = read(tmp_path / "live.db")
    assert found["unpriced"] == {}
    assert found["fills"] == sum(len(deal.dealt) for deal in deals) > 60
    for group in found["groups"]:
        i = [unit.symbol for unit in UNITS].index(group["instrument"])
        side = Side[group["side"].upper()]
        mine = [d for d in deals if (d.order.instrument, d.order.side) == (i, side)]
        met = [deal for deal in mine if deal.dealt]
        fees = sum(fee_of(deal, one) for deal in met for one in deal.dealt)
        notional = sum(money(deal, one) for deal in met for one in deal.dealt)
        assert group["orders"] == len(mine)
        assert group["fee_ppm"] == pytest.approx(float(fees / notional * PPM), abs=GROUPED)
        slippage = [slippage_of(deal) for deal in met]
        assert group["slippage_ppm"]["mean"] == pytest.approx(mean(slippage), abs=GROUPED)
        assert group["slippage_ppm"]["median"] == pytest.approx(median(slippage), abs=GROUPED)
        dearer = [slippage_of(deal) - paper_of(deal)[0] for deal in met if deal.opens]
        assert group["dearer_ppm"]["mean"] == pytest.approx(mean(dearer), abs=GROUPED)
    beyond = [
        (deal.order.at_ms, float(beyond_of(deal))) for deal in deals if deal.dealt and deal.opens
    ]
    expected = estimated(beyond)
    assert expected is not None
    assert found["beyond_ppm"] == pytest.approx(expected.rounded(), abs=2 * GROUPED)
    short = [deal for deal in deals if sum(o.quantity for o in deal.dealt) < deal.order.quantity]
    assert found["takes"] == {
        "number": len(deals),
        "not_whole": len(short),
        "nothing": sum(not deal.dealt for deal in short),
        "not_whole_ratio": round(len(short) / len(deals), 4),
    }
    assert 0 < found["takes"]["nothing"] < len(short)
    assert {one.latency_ms for one in books.met if one.fills} == {ON_WIRE_MS}
    assert {one.arrived_ms - one.order.at_ms for one in books.met} <= {LATE_MS, -ON_WIRE_MS}


def money(deal: Deal, one: Dealt) -> int:
    """The notional, rounded against us."""
    rounds = cost if deal.order.side == Side.BUY else worth
    return rounds(LISTED[deal.order.instrument], one.price, one.quantity)


def fee_of(deal: Deal, one: Dealt) -> Fraction:
    """In quanta: coins at the price of the fill, another's at its own close."""
    scale = LISTED[deal.order.instrument].scale
    other = Fraction(one.parts * deal.coin_mark, LISTED[0].scale) if one.parts else Fraction(0)
    return one.fee + Fraction(one.fee_grains * one.price, scale) + other


def slippage_of(deal: Deal) -> Fraction:
    quantity = sum(one.quantity for one in deal.dealt)
    price = Fraction(sum(one.quantity * one.price for one in deal.dealt), quantity)
    return deal.order.side * (price / deal.mark - 1) * PPM


def paper_of(deal: Deal) -> tuple[Fraction, Fraction]:
    """Slippage and fee of the paper venue, in ppm: at the open, which came at once."""
    listed, side = LISTED[deal.order.instrument], deal.order.side
    width = Fraction(deal.opens * (listed.half_spread_ppm + listed.slippage_ppm), PPM)
    ticks = Fraction(deal.opens + side * ceil(width), listed.tick)
    price = (ceil(ticks) if side == Side.BUY else floor(ticks)) * listed.tick
    paid = money(deal, Dealt(sum(one.quantity for one in deal.dealt), price))
    fee = ceil(Fraction(paid * listed.fee_taker_ppm, PPM))
    return side * (Fraction(price, deal.mark) - 1) * PPM, Fraction(fee, paid) * PPM


def beyond_of(deal: Deal) -> Fraction:
    slippage, fee = paper_of(deal)
    paid = sum(fee_of(deal, one) for one in deal.dealt)
    rate = paid / sum(money(deal, one) for one in deal.dealt) * PPM
    return Fraction(slippage_of(deal) - slippage + rate - fee)


def mean(values: Sequence[Fraction]) -> float:
    return float(sum(values) / len(values))


def median(values: Iterable[Fraction]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return float((ordered[half] + ordered[-half - 1]) / 2)


VERDICTS: Final = [
    (near(200, 0, fee_ppm=2_600), 40, KIND, "Paper is too kind: "),
    (near(900, 100), 40, KIND, "Paper is too kind: "),
    (near(-600, 100), 40, HARSH, "Paper is too harsh: "),
    (near(200, 0, fee_ppm=0), 40, HARSH, "Paper is too harsh: "),
    (near(180, 2_000), 24, WITHIN, "Paper is within what so few fills can tell: "),
    (near(250, 2_500), 16, WITHIN, " ppm more than it charges"),
    (near(-100, 2_500), 16, WITHIN, " ppm less than it charges"),
    (near(180, 0), 2, UNKNOWN, "one close alone tells nothing."),
]


@pytest.mark.parametrize(("dealer", "closes", "expected", "words"), VERDICTS)
async def test_a_verdict_is_as_sure_as_its_fills_are_many(
    tmp_path: Path, dealer: Dealer, closes: int, expected: str, words: str
) -> None:
    await traded(tmp_path / "live.db", dealer, closes)
    _, found = read(tmp_path / "live.db")
    assert found["verdict"] == expected
    said = verdict(found)
    assert words in said
    if expected == WITHIN:
        beyond = found["beyond_ppm"]
        assert beyond["low"] < 0 < beyond["high"]
        assert f"A difference of {beyond['shows']:,.0f} ppm would show" in said


async def test_what_is_asked_of_paper_is_what_was_paid_and_can_be_pasted(tmp_path: Path) -> None:
    deals = await traded(tmp_path / "live.db", near(900, 100, fee_ppm=2_600))
    _, found = read(tmp_path / "live.db")
    paired = [deal for deal in deals if deal.opens]
    dearer = [
        slippage_of(d) - paper_of(d)[0] + LISTED[d.order.instrument].slippage_ppm for d in paired
    ]
    asked = found["settings"]
    assert asked == {
        "taker_fee_ppm": 2_600,
        "slippage_ppm": ceil(sum(dearer) / len(dearer)),
        "fee_in_base": False,
    }
    page = fit_in_words(found)
    pasted = yaml.safe_load(page[page.index("costs:\n") :])
    assert pasted == {"costs": asked}
    Costs.model_validate(pasted["costs"])


async def test_a_take_cheaper_than_half_the_spread_asks_for_a_narrower_one(tmp_path: Path) -> None:
    await traded(tmp_path / "live.db", near(0, 0))
    _, found = read(tmp_path / "live.db")
    assert found["settings"]["slippage_ppm"] == 0
    assert 0 <= found["settings"]["half_spread_ppm"] < LISTED[0].half_spread_ppm


def rebated(order: Order, mark: int, dice: Random) -> Sequence[Dealt]:
    """A half rests and is paid for it, a half takes and pays in a coin that nobody here knows."""
    half = order.quantity // 2
    money = worth(LISTED[order.instrument], mark, half)
    return [
        Dealt(half, mark, fee=-(money // 10_000), maker=1),
        Dealt(order.quantity - half, mark, coin="BNB", parts=700),
    ]


async def test_what_rested_is_told_apart_and_a_coin_without_a_price_is_not_made_up(
    tmp_path: Path,
) -> None:
    deals = await traded(tmp_path / "live.db", rebated, closes=12)
    _, found = read(tmp_path / "live.db")
    assert {group["way"] for group in found["groups"]} == {TAKE, REST}
    assert found["takes"]["not_whole"] == 0
    assert found["unpriced"] == {"BNB": pytest.approx(len(deals) * 700 / 10**8)}
    for group in found["groups"]:
        assert group["fills"] == group["orders"]
        if group["way"] == REST:
            assert group["fee_ppm"] == pytest.approx(-100, abs=0.01)
            assert group["fee_assumed_ppm"] == LISTED[0].fee_maker_ppm
            assert group["slippage_ppm"] is None
        else:
            assert group["fee_ppm"] is None
    assert found["beyond_ppm"] is None
    assert found["settings"]["maker_fee_ppm"] == -100
    assert "taker_fee_ppm" not in found["settings"]
    page = fit_in_words(found)
    assert "BNB, which has no price in these books" in page
    assert "No take can be compared yet" in page


@pytest.mark.parametrize("dealer", [mixed, rebated, near(90_000, 50_000, fee_ppm=99_000)])
async def test_a_page_fits_a_terminal(tmp_path: Path, dealer: Dealer) -> None:
    await traded(tmp_path / "live.db", dealer, closes=24)
    _, found = read(tmp_path / "live.db")
    lines = fit_in_words(found).splitlines()
    assert [line for line in lines if len(line) > WIDTH or line != line.rstrip()] == []
    assert json.loads(json.dumps(found)) == found


async def test_a_book_that_did_nothing_is_told_so(tmp_path: Path) -> None:
    await traded(tmp_path / "live.db", mixed, closes=0)
    _, found = read(tmp_path / "live.db")
    assert (found["groups"], found["verdict"], found["settings"]) == ([], UNKNOWN, {})
    assert fit_in_words(found).splitlines()[0] == "live-1 on kraken: 0 fills, 0 round trips."
