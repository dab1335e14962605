"""What numba makes of the core decides what the core decides: every row, digest and number of it.

More of them: `python -m tests.backtesting.test_compiled --examples 5000 --seed 1`.
"""

import argparse
from collections import Counter
from typing import Any, Final

import pytest
from hypothesis import given, seed, settings

from rrr.backtesting.book import Book
from rrr.backtesting.history import closing
from rrr.backtesting.runner import run
from rrr.core.events import Halted, Refused
from rrr.core.market import PPM
from rrr.core.orders import (
    Amend,
    Cancel,
    Cause,
    Kind,
    Order,
    Rejection,
    Report,
    Status,
    TimeInForce,
)
from rrr.core.rules import Refusal
from rrr.core.shelf import Assumptions
from rrr.core.state import Law, Sizing
from rrr.neural_network.strategies.asked import asked as opinions
from rrr.neural_network.strategies.naming import named
from rrr.trading.engine.terms import assumptions_of, instrument_of, law_of
from tests.backtesting.histories import SHARED, asked, made
from tests.backtesting.madeup import Case, case, cases
from tests.builders import CAPITAL, HOUR, LAW, LISTED, QUANTA, Listed

pytestmark = pytest.mark.slow

LAWS: Final = (
    LAW._replace(cooldown_ms=3 * HOUR, warmup_candles=3, loss_24h_max_bps=300),
    LAW._replace(collar_bps=0, stop_limit_bps=20, drawdown_max_bps=400, band_bps=2_500),
    LAW._replace(
        entry_maker=1, maker_offset_bps=10, target_rests=1, fill_or_kill=1, chase=1, trail_bps=100
    ),
    LAW._replace(
        sizing=int(Sizing.EQUITY),
        entry_maker=1,
        patience_ms=HOUR,
        exposure_max_bps=800,
        stop_amends=1,
    ),
    LAW._replace(
        sizing=int(Sizing.UNITS),
        stop_bps=9_999,
        target_rests=1,
        synthetic_may_open=1,
        stop_amends=1,
    ),
)
ASSUMED: Final = (
    Assumptions(0, 0, 0, 0),
    Assumptions(250, 100_000, 300_000, 0),
    Assumptions(HOUR // 2, 1_000, PPM, 0),
)
FIVE: Final = (*LISTED, LISTED[0]._replace(instrument=LISTED[0].instrument._replace(id=4)))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(cases())
def test_compiled_and_interpreted_leave_the_same(of: Case) -> None:
    assert of.outcome(compiled=True) == of.outcome(compiled=False)


@pytest.mark.parametrize("assumed", ASSUMED)
@pytest.mark.parametrize("law", LAWS)
def test_long_histories_of_every_law_are_the_same(law: Law, assumed: Assumptions) -> None:
    of = dull_no_more(LAWS.index(law) * 10 + ASSUMED.index(assumed), law, assumed)
    assert of.outcome(compiled=True) == of.outcome(compiled=False)


def dull_no_more(number: int, law: Law, assumed: Assumptions, closes: int = 250) -> Case:
    on = tuple(
        Listed(
            one.instrument._replace(
                unit=one.instrument.lot * 10**5,
                fee_maker_ppm=(-100, 0, 500)[number % 3],
                fee_taker_ppm=(1_000, -50)[number % 2],
            ),
            one.price,
        )
        for one in FIVE[: 1 + number % 5]
    )
    return case(number, closes, on, law, assumed, CAPITAL)


def test_they_are_not_dull() -> None:
    """Every word that an order, a report and a refusal can say is said in some of them."""
    items = list[Any]()
    for i, law in enumerate(LAWS):
        for j, assumed in enumerate(ASSUMED):
            of = dull_no_more(10 * i + j, law, assumed)
            result = run(of.history, of.convictions, of.book, flows=of.flows, compiled=False)
            items += result.records()
    orders = [one for one in items if isinstance(one, Order)]
    reports = [one for one in items if isinstance(one, Report)]
    fills = [one for one in reports if one.status == Status.FILLED]
    assert len(fills) > 1_000
    assert {one.kind for one in orders} == {*Kind} - {Kind.NONE}
    assert {one.time_in_force for one in orders} == {*TimeInForce}
    assert {one.cause for one in orders} >= {Cause.SIGNAL, Cause.STOP, Cause.TARGET}
    assert {one.maker for one in fills} == {0, 1}
    assert max(one.fill for one in fills) > 3
    assert any(one.fee_grains for one in fills)
    assert any(one.fee < 0 for one in fills)
    assert any(one.attempt > 2 for one in orders)
    assert any(one.partner for one in orders)
    assert any(isinstance(one, Cancel) for one in items)
    assert any(isinstance(one, Amend) for one in items)
    assert any(isinstance(one, Halted) for one in items)
    assert {one.status for one in reports} >= {*Status} - {Status.REJECTED, Status.UNKNOWN}
    assert {one.rejection for one in reports} >= {
        *(Rejection.COLLAR, Rejection.NO_PRICE, Rejection.LIQUIDITY, Rejection.POST_ONLY),
        *(Rejection.EXPIRED, Rejection.PARTNER, Rejection.NONE),
    }
    assert {one.refusal for one in items if isinstance(one, Refused)} >= {
        *(Refusal.PENDING, Refusal.HALTED, Refusal.LOSS_24H, Refusal.SYNTHETIC),
        *(Refusal.WARMUP, Refusal.COOLDOWN, Refusal.GROSS),
    }


REAL: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "three coins": ("binance", "1h", {"symbols": "BTC-USDT,ETH-USDT,SOL-USDT"}),
    "all that have hours": ("binance", "1h", {}),
    "minutes inside": ("binance", "4h", {"symbols": "BTC-USDT", "fills": {"detail": "5m"}}),
    "years of days": ("coinbase", "1d", {}),
    "perpetuals": ("bybit", "1h", {}),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared market data is not here")
@pytest.mark.parametrize("name", REAL)
def test_real_candles_are_traded_the_same(name: str) -> None:
    of = real(name)
    assert of.outcome(compiled=True) == of.outcome(compiled=False)


def real(name: str) -> Case:
    """As `rrr backtest` takes them, with all that the law has switched on."""
    folder, timeframe, more = REAL[name]
    policy = {"entry": "maker", "trail_bps": 300, "target": "rests", "maker_offset_bps": 5}
    given = asked(SHARED / folder, timeframe, policy=policy, **more)
    history = made(given)
    assert closing(history).any()
    return Case(
        history,
        opinions(named("moving-average-cross:fast=5,slow=20"), history.panel),
        Book(
            law_of(given, history.panel.timeframe_ms, [one.spec.venue for one in history.quoted]),
            [instrument_of(given, i, 1, one.spec) for i, one in enumerate(history.quoted)],
            assumptions_of(given),
            100_000 * QUANTA,
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    asked_for = parser.parse_args()
    said = Counter[str]()

    @seed(asked_for.seed)
    @settings(max_examples=asked_for.examples, deadline=None, database=None)
    @given(cases(closes=200))
    def all_the_same(of: Case) -> None:
        told = of.outcome(compiled=True)
        assert told == of.outcome(compiled=False)
        said["histories"] += 1
        if isinstance(told, str):
            said[told] += 1
            return
        said["closes"] += len(told[1])
        said["candles"] += int(of.history.panel.there.sum())
        said["rows"] += len(told[0])
        said["fills"] += sum(row[0] == 6 and row[4] == Status.FILLED for row in told[0])
        said["days"] += len(told[-2])

    all_the_same()
    print(", ".join(f"{count:,} {what}" for what, count in said.items()), "all equal")  # noqa: T201


if __name__ == "__main__":
    main()
