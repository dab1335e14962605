"""What a session once decided, backtest and paper decide still; one other candle is found."""

import shutil
from pathlib import Path

import pytest

from rrr.backtesting.certificate import Certificate, certified
from rrr.config import Home
from rrr.core.events import Adopted, Halted, Refused
from rrr.core.orders import Cancel, Kind, Order, Report, Status
from rrr.database.journal import Row, decode, traced
from rrr.wiring.certifying import gathered
from tests.parity.golden import HERE, JOURNAL, loaded, recorded, written

pytestmark = pytest.mark.slow


def compared(home: Home, rows: list[Row], candles: Path = HERE) -> Certificate:
    """A journal, held against what both cores make of these candles."""
    of = gathered(home, loaded(home, candles))
    return certified(rows, of.history, of.opinions(), of.book, model=of.model)


def test_both_cores_write_the_golden_journal(tmp_path: Path) -> None:
    rows, trace = recorded(), bytes(32)
    for row in rows:
        trace = traced(trace, row.kind, row.core.encode())
    found = compared(Home(tmp_path), rows)
    assert found.identical, found.in_words()
    assert found.rows == len(rows)
    assert {leg.trace for leg in found.legs if not leg.missing} == {trace.hex()}


def test_a_paper_session_writes_the_golden_journal(tmp_path: Path) -> None:
    assert written(Home(tmp_path)) == JOURNAL.read_text(encoding="ascii").splitlines(keepends=True)


def test_one_changed_candle_is_named(tmp_path: Path) -> None:
    candles = shutil.copytree(HERE, tmp_path / "candles")
    file = candles / "ETH-USD" / "1h.csv"
    lines = file.read_text(encoding="ascii").splitlines(keepends=True)
    at_ms, first, high, low, last, volume = lines[150].split(",")
    lines[150] = ",".join([at_ms, first, f"{float(high) + 0.01:.2f}", low, last, volume])
    file.write_text("".join(lines), encoding="ascii")

    found = compared(Home(tmp_path), recorded(), candles)
    assert found.difference is not None
    assert found.difference.kind in ("close", "report")
    [row] = [row for row in recorded() if row.kind == 4 and row.at_ms == int(at_ms) + 3_600_000]
    points = round(float(high) * 10_000)
    assert found.difference.number == row.number
    assert found.difference.fields == {"candles.ETH-USD.high": (points, points + 100)}
    assert not found.identical
    assert "candles.ETH-USD.high" in found.in_words()


def test_the_golden_journal_is_not_dull() -> None:
    items = [decode(row) for row in recorded() if row.kind != 21]
    orders = [item for item in items if isinstance(item, Order)]
    fills = [i for i in items if isinstance(i, Report) and i.status == Status.FILLED]
    assert {Kind.TAKE, Kind.LIMIT, Kind.TRAILING} <= {Kind(order.kind) for order in orders}
    assert {fill.maker for fill in fills} == {0, 1}
    assert {fill.instrument for fill in fills} == {0, 1}
    assert max(fill.fill for fill in fills) > 5
    assert any(order.partner for order in orders)
    for kind in (Adopted, Halted, Refused, Cancel):
        assert any(isinstance(item, kind) for item in items), kind
