"""A run is the same however it is cut, and a flow, a silence and a hole each have their place."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from rrr.backtesting import ledgers, runner
from rrr.backtesting.book import Book
from rrr.backtesting.history import History
from rrr.backtesting.result import Result
from rrr.backtesting.runner import run
from rrr.core.events import Flow
from rrr.core.orders import Cause, Order, Report, Status
from rrr.core.shelf import Assumptions
from rrr.neural_network.panel import I64
from rrr.neural_network.strategies.strategy import SILENT
from tests.backtesting.madeup import case
from tests.backtesting.runs import of_closes
from tests.builders import BTC, CAPITAL, HOUR, LAW, LISTED, PRICE, QUANTA, START

NONE: tuple[Flow, ...] = ()
BUSY = LAW._replace(entry_maker=1, maker_offset_bps=10, target_rests=1, trail_bps=100, band_bps=500)
COMPILED = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])

pytestmark = pytest.mark.slow  # the first of them may have to compile


def rising(closes: int = 10, instruments: int = 1, every_ms: int = HOUR) -> History:
    steps = PRICE + PRICE // 500 * np.arange(closes, dtype=np.int64)
    return of_closes(np.tile(steps, (instruments, 1)), every_ms)


def told(
    history: History,
    convictions: Sequence[int] | I64 = (),
    flows: Sequence[Flow] = NONE,
    assumed: Assumptions | None = None,
    *,
    compiled: bool = True,
) -> Result:
    """A run of full conviction, unless another is told."""
    m, n = history.panel.there.shape
    said = np.array(convictions) if len(convictions) else np.full(n, 10_000)
    book = Book(LAW, [BTC._replace(id=i) for i in range(m)], assumed or NOTHING_ASSUMED, CAPITAL)
    return run(history, np.tile(said, (m, 1)), book, flows=flows, compiled=compiled)


NOTHING_ASSUMED = Assumptions(0, 0, 0, 0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("candles", "rows"), [(1, 1 << 14), (7, 40), (1 << 16, 1), (64, 300)])
def test_a_run_does_not_depend_on_how_it_is_cut(
    monkeypatch: pytest.MonkeyPatch, candles: int, rows: int, seed: int
) -> None:
    of = case(seed, 150, LISTED[: 1 + seed % 4], BUSY, Assumptions(250, 100_000, 0, 0), CAPITAL)
    whole = of.outcome(compiled=False)
    monkeypatch.setattr(runner, "CANDLES", candles)
    monkeypatch.setattr(ledgers, "ROWS", rows)
    assert of.outcome(compiled=True) == whole
    assert of.outcome(compiled=False) == whole


@COMPILED
def test_more_days_than_the_loop_has_room_for_are_all_told(compiled: bool) -> None:
    found = told(rising(200, every_ms=24 * HOUR), compiled=compiled)
    assert len(found.digests) == 200
    assert len({digest for _, digest in found.digests}) == 200
    assert [day for day, _ in found.digests] == [(at - 1) // (24 * HOUR) for at in found.at_ms]


@COMPILED
def test_a_flow_at_a_closing_time_belongs_to_that_close(compiled: bool) -> None:
    at_ms = START + 4 * HOUR
    found = told(rising(), flows=[Flow(at_ms, 5 * QUANTA)], compiled=compiled)
    after = found.at_ms >= at_ms
    assert (found.invested == CAPITAL + 5 * QUANTA * after).all()
    without = told(rising(), compiled=compiled)
    assert (found.equity - without.equity)[found.at_ms <= at_ms].tolist() == [0, 0, 0, 5 * QUANTA]


@COMPILED
def test_a_flow_between_two_closes_belongs_to_the_later_one(compiled: bool) -> None:
    flows = [Flow(START + 4 * HOUR + 1, 5 * QUANTA), Flow(START - HOUR, QUANTA)]
    found = told(rising(), flows=flows, compiled=compiled)
    assert found.invested.tolist() == [CAPITAL + QUANTA] * 4 + [CAPITAL + 6 * QUANTA] * 6
    assert found.column(Flow, "amount").tolist() == [CAPITAL, QUANTA, 5 * QUANTA]


@COMPILED
def test_nothing_is_traded_before_the_history_begins(compiled: bool) -> None:
    found = told(replace(rising(), begins=6), compiled=compiled)
    assert found.column(Order, "at_ms")[0] == START + 7 * HOUR
    assert found.at_ms.tolist() == [START + HOUR * i for i in (7, 8, 9, 10)]
    assert found.world.state.account.closes == 10, "What came before was learned from."


@COMPILED
def test_silence_keeps_what_is_held(compiled: bool) -> None:
    found = told(rising(), [10_000] + [SILENT] * 9, compiled=compiled)
    assert found.world.state.lanes[0].quantity > 0
    assert {*found.column(Order, "cause")} == {Cause.SIGNAL, Cause.STOP}
    sold = told(rising(), [10_000] + [0] * 9, compiled=compiled)
    assert sold.world.state.lanes[0].quantity == 0


@COMPILED
def test_a_time_in_which_nobody_traded_is_no_close_unless_the_market_is_made_up(
    compiled: bool,
) -> None:
    history = rising()
    history.panel.there[:, 4] = False
    assert len(told(history, compiled=compiled).at_ms) == 9
    assert len(told(replace(history, synthetic=True), compiled=compiled).at_ms) == 10


def test_what_touches_fill_is_interpreted() -> None:
    history, by_touch = rising(), NOTHING_ASSUMED._replace(by_touch=1)
    seen = replace(history, bid=history.panel.close - 400, ask=history.panel.close + 400)
    found = told(seen, assumed=by_touch)
    assert found.digest == told(seen, assumed=by_touch, compiled=False).digest
    assert Status.FILLED in found.column(Report, "status")


@COMPILED
def test_columns_that_only_can_be_read_are_enough(compiled: bool) -> None:
    history = rising(instruments=2)
    for column in (history.panel.open, history.panel.close, history.panel.there):
        column.flags.writeable = False
    none = np.broadcast_to(np.int64(0), history.bid.shape)
    thin = replace(history, bid=none, ask=none, source=np.broadcast_to(2, history.bid.shape))
    assert told(thin, compiled=compiled).digest == told(rising(instruments=2)).digest


@COMPILED
def test_one_candle_is_a_run_in_which_nothing_happens(compiled: bool) -> None:
    found = told(rising(1), compiled=compiled)
    assert found.equity.tolist() == [CAPITAL]
    assert [type(one) for one in found.records()][:1] == [Flow]
    assert found.digest


def test_no_candle_at_all_is_a_run_without_a_digest() -> None:
    history = rising(1)
    history.panel.there[:] = False
    found = told(history)
    assert (len(found.at_ms), found.digest) == (0, "")


@COMPILED
def test_a_withdrawal_of_what_is_not_there_breaks_the_law(compiled: bool) -> None:
    with pytest.raises(AssertionError, match="Nobody withdraws what is not there"):
        told(rising(), flows=[Flow(START + HOUR, -2 * CAPITAL)], compiled=compiled)


@COMPILED
def test_progress_is_told_to_the_end(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CANDLES", 4)
    heard: list[tuple[int, int]] = []
    book = Book(LAW, [BTC], NOTHING_ASSUMED, CAPITAL)
    opinions = np.full((1, 10), 10_000)
    run(rising(), opinions, book, compiled=compiled, progress=lambda *done: heard.append(done))
    assert heard == [(4, 10), (8, 10), (10, 10)]


@COMPILED
def test_a_digest_knows_every_number_of_the_days_before(compiled: bool) -> None:
    base, convictions = rising(60), [10_000] * 60
    found = told(base, convictions, compiled=compiled).digests
    other = told(base, [*convictions[:30], 0, *convictions[31:]], compiled=compiled).digests
    same = [one == two for one, two in zip(found, other, strict=True)]
    changed = same.index(False)
    assert same == [True] * changed + [False] * (len(same) - changed)
    assert 0 < changed < len(same)
