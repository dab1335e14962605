"""The live code path does at a venue what paper said it would; whoever differs is named by row."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rrr.core import rules
from rrr.core.orders import Report, Side, Status
from rrr.trading.live.spelling import decimal
from rrr.wiring.trading_live import Live
from tests.parity.live import STRATEGY, judged, legs
from tests.parity.live_journals import ALLOWED, Difference, Journal
from tests.parity.live_legs import STRICT, Lived, Place, given, lived, on_paper
from tests.parity.live_market import DECIMALS

LIVELY = str(Path(__file__).parents[1] / "market_hour" / "lively.py")
FEW = given(40, 1, STRATEGY)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    return asyncio.run(on_paper(tmp_path_factory.mktemp("paper"), FEW))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return asyncio.run(lived(tmp_path_factory.mktemp("live"), FEW))


@pytest.mark.slow
async def test_live_does_what_paper_did_row_by_row(tmp_path: Path) -> None:
    verdict, _ = await legs(tmp_path, given(150, 1, STRATEGY))
    assert not verdict.differences, "\n".join(map(str, verdict.differences[:5]))
    for what in (
        "buy by take for signal",
        "sell by take for signal",
        "sell by take for target",
        "sell by stop for stop",
        "refused pending",
        "state at a close",
    ):
        assert verdict.met[what] > 5, what
    assert set(verdict.allowed) == set(ALLOWED)


@pytest.mark.slow
async def test_what_the_limits_forbid_on_paper_they_forbid_live(tmp_path: Path) -> None:
    verdict, _ = await legs(tmp_path, given(150, 1, LIVELY, STRICT))
    assert not verdict.differences, "\n".join(map(str, verdict.differences[:5]))
    for what in ("gross", "loss 24h", "order rate", "pending", "warmup"):
        assert verdict.met[f"refused {what}"], what
    assert verdict.met["sell by stop for stop"]


def test_the_two_agree_before_anybody_breaks_them(paper: Journal, live: Lived) -> None:
    assert judged(paper, live, FEW.symbols).differences == []


async def test_a_fee_of_one_ppm_more_on_paper_is_named(tmp_path: Path, live: Lived) -> None:
    dearer = await on_paper(tmp_path, FEW.paying(fee_taker_ppm=1_001))
    listed, *others = found_in(dearer, live)[: 1 + len(FEW.symbols)]
    assert (listed.where, listed.name) == ("what both are given", "listing")
    assert others[-1].name == "report.fee"


async def test_a_fee_of_one_ppm_more_at_the_venue_is_named(tmp_path: Path, paper: Journal) -> None:
    def charged(place: Place, live: Live) -> None:
        place.exchange.charge(1_001, 500, place.clock.at_ms)

    dearer = await lived(tmp_path, FEW, charged)
    assert first_row(paper, dearer).name == "report.fee"


async def test_a_collar_one_tick_further_on_paper_is_named(
    tmp_path: Path, live: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    collar: Callable[..., int] = rules.collar
    monkeypatch.setattr(rules, "collar", lambda *given: collar(*given) + 1)
    further = await on_paper(tmp_path, FEW)
    monkeypatch.undo()
    found = first_row(further, live)
    assert (found.name, found.paper) == ("order.price", found.live + 1)


async def test_a_collar_one_tick_further_on_the_wire_is_named(
    tmp_path: Path, paper: Journal
) -> None:
    def widened(place: Place, live: Live) -> None:
        create = live.ccxt.create_order

        async def further(pair: str, kind: str, side: str, amount: str, price: str, **how: object):  # type: ignore[no-untyped-def]
            if kind == "limit" and side == "buy":
                price = decimal(int(float(price) * 10**DECIMALS + 0.5) + 1, DECIMALS)
            return await create(pair, kind, side, amount, price, **how)

        live.ccxt.create_order = further

    found = first_row(paper, await lived(tmp_path, FEW, widened))
    assert found.name == "as the venue has it"
    assert found.live[3] == found.paper[3] + 1


def test_a_fill_that_either_lost_is_named(paper: Journal, live: Lived) -> None:
    assert first_row(without_the_last_sale(paper), live).name == "row"
    lost = replace(live, journal=without_the_last_sale(live.journal))
    assert first_row(paper, lost).name == "row"
    assert "fills" in names(paper, lost)


def without_the_last_sale(of: Journal) -> Journal:
    kept = list(of.ended().items)
    sales = [
        place
        for place, one in enumerate(kept)
        if isinstance(one, Report) and one.status == Status.FILLED and one.side == Side.SELL
    ]
    return Journal(kept[: sales[-1]] + kept[sales[-1] + 1 :])


def found_in(paper: Journal, live: Lived) -> list[Difference]:
    return judged(paper, live, FEW.symbols).differences


def first_row(paper: Journal, live: Lived) -> Difference:
    return found_in(paper, live)[0]


def names(paper: Journal, live: Lived) -> set[str]:
    return {one.name for one in found_in(paper, live)}
