"""What was counted in whole numbers is written in decimals, and a file is whole or not there."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import decimal128, parquet, string, timestamp

from rrr.backtesting import trade_list
from rrr.backtesting.trades import Trades
from rrr.core.errors import HomeUnusable, StorageFailed, UsageError
from rrr.core.orders import Cause
from rrr.data_pipeline.instruments import Spec
from tests.builders import HOUR, QUANTA

BEGINS = 1_704_067_200_000  # 2024-01-01
BTC = Spec("made", "BTC-USD", "BTC", "USD", 4, 8, 100, 1_000, 1_000, 0, False)
SHIB = Spec("made", "SHIB-USD", "SHIB", "USD", 10, 2, 100, 1, 1, 0, False)
# In the order of the columns: of BTC two purchases at prices of their own, of SHIB one still held.
ROWS = (
    (0, BEGINS, BEGINS + HOUR, 150_000_000, 423_456_700 + 1 / 3, 430_000_000.0),
    (1, BEGINS + HOUR + 250, BEGINS + 9 * HOUR, 10**15 + 1, 81_700.0, 81_650.0),
)
MONEY = ((63_518 * QUANTA + 1, 64_500 * QUANTA, 12_801_850_001, 5), (7 * QUANTA, 6 * QUANTA, 0, -3))
HEAD = (
    "instrument,side,opened,closed,entry_price,exit_price,quantity,notional,fees,slippage,pnl,"
    "return_ratio,reason"
)


def trades(*rows: int) -> Trades:
    number = rows or (0, 1)
    of, opened, closed, quantity, entry, exit_ = zip(*(ROWS[i] for i in number), strict=True)
    notional, proceeds, fees, slippage = (
        np.array(column) for column in zip(*(MONEY[i] for i in number), strict=True)
    )
    pnl = proceeds - notional - fees
    none, held = np.zeros(len(number)), np.array(of) == 1
    return Trades(
        instrument=np.array(of),
        opened_ms=np.array(opened),
        closed_ms=np.array(closed),
        quantity=np.array(quantity),
        entry_price=np.array(entry),
        exit_price=np.array(exit_),
        notional=notional,
        proceeds=proceeds,
        fees=fees,
        slippage=slippage,
        pnl=pnl,
        ratio=pnl / notional,
        reason=np.where(held, Cause.NONE, Cause.STOP),
        fills=np.full(len(number), 2),
        adverse_ratio=none,
        favourable_ratio=none,
        open=held,
        dust=np.zeros(2, np.int64),
    )


def nothing() -> Trades:
    one = trades(0)
    return Trades(**{name: getattr(one, name)[:0] for name in Trades.__slots__})


def written(path: Path, of: Trades) -> Path:
    trade_list.write(path, of, [BTC, SHIB])
    return path


def test_every_figure_is_exact_and_none_is_longer_than_it_is(tmp_path: Path) -> None:
    text = written(tmp_path / "trades.csv", trades()).read_text()
    assert text.splitlines() == [
        HEAD,
        "BTC-USD,long,2024-01-01T00:00:00Z,2024-01-01T01:00:00Z,42345.670033,43000,1.5,"
        "63518.00000001,128.01850001,0.00000005,853.98149998,0.01344472,stop",
        "SHIB-USD,long,2024-01-01T01:00:00.250Z,2024-01-01T09:00:00Z,0.00000817,0.000008165,"
        "10000000000000.01,7,0,-0.00000003,-1,-0.14285714,open",
    ]


def test_the_rows_add_up_to_the_whole_to_the_quantum(tmp_path: Path) -> None:
    of = trades()
    rows = list(csv.DictReader(io.StringIO(written(tmp_path / "a.csv", of).read_text())))
    for name in ("notional", "fees", "slippage", "pnl"):
        total = sum(Decimal(row[name]) for row in rows)
        assert total * QUANTA == int(getattr(of, name).sum()), name


def test_parquet_says_the_same_in_types_that_lose_nothing(tmp_path: Path) -> None:
    text = written(tmp_path / "trades.csv", trades()).read_text()
    table = parquet.read_table(written(tmp_path / "trades.parquet", trades()))
    assert table.column_names == HEAD.split(",")
    kinds = {name: table.schema.field(name).type for name in table.column_names}
    assert {kinds[name] for name in ("instrument", "side", "reason")} == {string()}
    assert {kinds[name] for name in ("opened", "closed")} == {timestamp("ms", tz="UTC")}
    assert kinds["entry_price"] == decimal128(38, SHIB.points + 2)
    assert kinds["quantity"] == decimal128(38, BTC.grains)
    assert kinds["pnl"] == kinds["fees"] == decimal128(38, 8)
    read = [list(map(plain, row.values())) for row in table.to_pylist()]
    assert read == [list(map(typed, row)) for row in csv.reader(io.StringIO(text))][1:]


def plain(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def typed(text: str) -> Any:
    if text[:4] == "2024":
        return datetime.fromisoformat(text)
    return text if text[-1].isalpha() else Decimal(text)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_same_trades_are_the_same_bytes(tmp_path: Path, ending: str) -> None:
    one = written(tmp_path / f"one.{ending}", trades()).read_bytes()
    assert one == written(tmp_path / f"other.{ending}", trades()).read_bytes()


def test_without_a_round_trip_there_are_only_the_names(tmp_path: Path) -> None:
    assert written(tmp_path / "trades.csv", nothing()).read_text() == f"{HEAD}\n"
    table = parquet.read_table(written(tmp_path / "trades.parquet", nothing()))
    assert (table.num_rows, table.column_names) == (0, HEAD.split(","))


def test_a_name_that_ends_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Let it end in \.csv or \.parquet"):
        written(tmp_path / "trades.xlsx", trades())


# In its place.


def test_a_file_is_replaced_whole_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "backtest-1" / "trades.csv"
    written(path, trades(0))
    before = path.read_bytes()
    with path.open("rb") as reader:
        written(path, trades())
        assert reader.read() == before  # who reads it goes on with the old one
    assert path.read_bytes() != before
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing_behind_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(HomeUnusable, match=r"taken\.csv cannot be written: Is a directory"):
        written(tmp_path / "taken.csv", trades())
    with pytest.raises(HomeUnusable, match=r"a\.csv/b\.csv cannot be written"):
        written(written(tmp_path / "a.csv", trades()) / "b.csv", trades())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "taken.csv"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_drive_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def full(path: Path, *arguments: Any, **more: Any) -> Any:
        return opened(Path("/dev/full"), *arguments, **more)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageFailed, match="No space left on device"):
        written(tmp_path / "trades.csv", trades())
    assert list(tmp_path.iterdir()) == []
