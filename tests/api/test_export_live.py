"""What a venue said leaves beside the books, to the last digit, and only of a live session."""

import csv
import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.api import export_live
from rrr.api.export import ABOUT, FILES, export, export_in_words
from rrr.core.errors import UsageError
from rrr.database import live, sessions
from rrr.database.live import Foreign, Outside, Tied
from rrr.database.opening import LIVE, connect_read_only
from tests.api.afar import KEY, ask, traded, write
from tests.builders import QUANTA, START

MOVEMENT: Final = Foreign(Outside.MOVEMENT, "L1", 0, -1, 0, -5 * QUANTA, START, "withdrawal")
COINS: Final = Foreign(Outside.TRADE, "T;x", 1, 0, QUANTA // 2, 0, START, 'a "sale", by hand')


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "live.db"
    await traded(path, closes=40)
    write(path, lambda c: live.set_aside(c, KEY, [MOVEMENT, COINS], START + 1))
    write(path, lambda c: live.release(c, KEY, 0, START + 2))
    write(path, lambda c: live.tie_out(c, KEY, START, [Tied(0, 7, 1, 9, 2), Tied(1, 5, 0, 5, 0)]))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "taxes"


def exported(path: Path, folder: Path, **more: Any) -> dict[str, Any]:
    with closing(connect_read_only(path, LIVE)) as connection:
        return export(connection, sessions.named(connection, None), folder, **more)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        found = list(csv.DictReader(file))
    assert all(None not in row and None not in row.values() for row in found)
    return found


def test_every_table_of_the_seam_is_a_file(path: Path, folder: Path) -> None:
    about = exported(path, folder)
    assert {one.name for one in folder.iterdir()} == {*FILES, *export_live.FILES}
    for name in export_live.FILES:
        (kept,) = ask(path, f"SELECT count(*) FROM {name.removesuffix('.csv')}")[0]
        assert len(rows(folder, name)) == about["live"][name] == kept > 0
    assert json.loads((folder / ABOUT).read_text()) == about
    assert "  venue      live_orders.csv " in export_in_words(about)
    with pytest.raises(UsageError, match="holds an export already"):
        exported(path, folder)
    exported(path, folder, force=True)


def test_each_trade_of_the_venue_is_the_fill_that_it_became(path: Path, folder: Path) -> None:
    exported(path, folder)
    orders = {row["order"]: row for row in rows(folder, "live_orders.csv")}
    fills = rows(folder, "fills.csv")
    trades = rows(folder, "live_trades.csv")
    assert {trade["fill_of_order"] for trade in trades} == {"1", "2"}
    for fill, trade in zip(sorted(fills, key=lambda row: int(row["order"])), trades, strict=True):
        for name in ("instrument", "side", "quantity", "price", "notional", "fee", "fee_in_base"):
            assert number_or_text(fill[name]) == number_or_text(trade[name]), name
        for name in ("at_utc", "fee_coin", "fee_coin_amount", "order", "quote"):
            assert fill[name] == trade[name], name
        assert orders[trade["order"]]["venue_id"] == trade["venue_id"]
        assert orders[trade["order"]]["state"] == "ended"


def number_or_text(cell: str) -> Decimal | str:
    return Decimal(cell) if cell[-1:].isdecimal() and not cell[:1].isalpha() else cell


def test_a_fee_in_a_third_coin_is_beside_its_fill_and_named_as_not_valued(
    path: Path, folder: Path
) -> None:
    about = exported(path, folder)
    paid = [row for row in rows(folder, "fills.csv") if row["fee_coin"]]
    (parts,) = ask(path, "SELECT sum(fee_parts) FROM live_trades")[0]
    total = sum(Decimal(row["fee_coin_amount"]) for row in paid)
    assert total == Decimal(parts).scaleb(-8) > 0
    assert about["unvalued_fees"] == {"BNB": f"{total:f}"}
    assert f"{total:f} BNB of fees: what they were worth is not known" in export_in_words(about)


def test_what_is_not_ours_and_what_was_compared_are_exact(path: Path, folder: Path) -> None:
    exported(path, folder)
    first, second = rows(folder, "quarantine.csv")
    assert (first["kind"], first["currency"], first["flow"]) == ("movement", "USD", "-5.00000000")
    assert (first["instrument"], first["released_utc"]) == ("", "")
    assert (second["id"], second["words"]) == ("T;x", 'a "sale", by hand')
    assert (second["aside"], second["instrument"]) == ("0.50000000", "BTC-USD")
    assert second["released_utc"].endswith(":00:00.002Z")
    money, coins = rows(folder, "tie_outs.csv")
    assert (money["currency"], money["difference"], money["rounding"]) == (
        *("USD", "0.00000001", "0.00000002"),
    )
    assert (coins["currency"], coins["ours"], coins["difference"]) == (
        *("BTC", "0.00000005", "0.00000000"),
    )
