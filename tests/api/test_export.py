"""What is exported adds up to the ledger, to the last quantum, or is not exported."""

import asyncio
import csv
import json
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.api.export import ABOUT, FILES, export, export_in_words
from rrr.api.export_books import FILLS, read, tied
from rrr.api.export_tables import EPOCH, fills
from rrr.api.lots import Method, fold
from rrr.core.errors import DataError, JournalBroken, NotFound, RRRError, UsageError
from rrr.core.events import Flow
from rrr.core.ledger import Place
from rrr.database import sessions
from rrr.database.opening import PAPER, connect_read_only
from rrr.trading.engine.engine import Moment
from tests.builders import CAPITAL, QUANTA, START
from tests.storm.lives import NAMES, ask, living, moments, spoil

BUSY: Final = 80  # closes, after which there are many fills
FIRST: Final = "number = (SELECT min(number) FROM fills)"
METHODS: Final = tuple(method.value for method in Method)
DAYS: Final = 10  # more than there are in a session


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that has sold much, and holds at least two instruments."""
    path = tmp_path_factory.mktemp("made") / "paper.db"

    async def live() -> None:
        async with living(path) as engine:
            await engine.take(moments()[:BUSY])
            for moment in moments()[BUSY:]:
                if sum(lane.worth > QUANTA for lane in engine.state.lanes) >= 2:
                    return
                await engine.take([moment])
        raise AssertionError("Nothing is held.")

    asyncio.run(live())
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """Its file, to be spoiled at will."""
    return Path(shutil.copyfile(made, tmp_path / made.name))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "taxes"


def exported(path: Path, folder: Path, **more: Any) -> dict[str, Any]:
    with closing(connect_read_only(path, PAPER)) as connection:
        return export(connection, sessions.named(connection, None), folder, **more)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert all(None not in row and None not in row.values() for row in found)
    return found


def total(folder: Path, name: str, column: str) -> Decimal:
    return sum((Decimal(row[column]) for row in rows(folder, name)), Decimal(0))


def quanta(amount: Any) -> Decimal:
    return Decimal(amount).scaleb(-8)


def rates(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["date,rate", *lines]) + "\n")
    return path


def daily(path: Path, *figures: str) -> Path:
    """A rate for each day that a session lives, these in turn."""
    first = (EPOCH + timedelta(milliseconds=START)).date()
    days = [f"{first + timedelta(days=n)},{figures[n % len(figures)]}" for n in range(DAYS)]
    return rates(path, *days)


def last_pnl(path: Path) -> Decimal:
    sql = "SELECT cash + worth - invested FROM equity ORDER BY at_ms DESC LIMIT 1"
    return quanta(ask(path, sql)[0][0])


@pytest.mark.parametrize("method", METHODS)
def test_gains_and_what_is_unrealised_are_the_books_pnl(
    path: Path, folder: Path, method: str
) -> None:
    about = exported(path, folder, method=method)
    pnl = total(folder, "gains", "gain") + total(folder, "parcels", "unrealised")
    assert pnl == last_pnl(path) == Decimal(about["tie"]["pnl"])
    assert total(folder, "gains", "gain") == Decimal(about["realised"])
    assert total(folder, "parcels", "cost") == Decimal(about["cost"]) > 1_000
    assert total(folder, "fills", "fee_value") == Decimal(about["fees"]) > 0
    assert Decimal(about["realised"]) == sum(
        Decimal(about[f"realised_{term}"]) for term in ("short", "long")
    )
    assert json.loads((folder / ABOUT).read_text()) == about


def test_parcels_are_what_the_positions_hold(path: Path, folder: Path) -> None:
    exported(path, folder)
    held: dict[str, Decimal] = {}
    for row in rows(folder, "parcels"):
        held[row["instrument"]] = held.get(row["instrument"], 0) + Decimal(row["quantity"])
    positions = ask(path, "SELECT instrument, quantity FROM positions WHERE quantity > 0")
    assert held == {f"{NAMES[i]}-USD": quanta(quantity) for i, quantity in positions}
    worths = ask(path, "SELECT worth FROM positions")
    assert total(folder, "parcels", "worth") == quanta(sum(worth for (worth,) in worths))


def test_every_figure_of_a_fill_is_exact(path: Path, folder: Path) -> None:
    exported(path, folder)
    kept = ask(path, FILLS, 1, 0)
    for row, (number, *_, side, quantity, price, notional, fee, grains, _, order, cause) in zip(
        rows(folder, "fills"), kept, strict=True
    ):
        assert [row["fill"], row["order"], row["cause"]] == [str(number), str(order), cause]
        assert row["side"] == {1: "buy", -1: "sell"}[side]
        assert Decimal(row["price"]) == Decimal(price).scaleb(-4)
        for column, value in zip(
            ("quantity", "notional", "fee", "fee_in_base"),
            (quantity, notional, fee, grains),
            strict=True,
        ):
            assert Decimal(row[column]) == quanta(value)
        assert Decimal(row["fee_value"]) == quanta(fee + notional * grains // quantity)
    assert any(Decimal(row["fee_in_base"]) for row in rows(folder, "fills"))
    assert any(Decimal(row["fee"]) for row in rows(folder, "fills"))


def test_a_fill_says_whether_its_order_had_rested(path: Path, folder: Path) -> None:
    spoil(path, f"UPDATE fills SET maker = 1 WHERE {FIRST}")
    exported(path, folder)
    first, *others = (row["liquidity"] for row in rows(folder, "fills"))
    assert (first, {*others}) == ("maker", {"taker"})


def test_the_transfers_are_the_ledger(path: Path, folder: Path) -> None:
    exported(path, folder)
    kept = ask(path, "SELECT number, part, source, target, currency, amount FROM transfers")
    names = ["USD", *NAMES]
    assert [
        (row["row"], row["part"], row["source"], row["target"], row["currency"])
        + (Decimal(row["amount"]),)
        for row in rows(folder, "transfers")
    ] == [
        (str(number), str(part), Place(source).name.lower(), Place(target).name.lower())
        + (names[currency], quanta(amount))
        for number, part, source, target, currency, amount in kept
    ]


def test_gains_name_the_fills_they_come_from(path: Path, folder: Path) -> None:
    exported(path, folder, method="hifo")
    known = {row["fill"]: row for row in rows(folder, "fills")}
    for row in rows(folder, "gains"):
        bought, sold = known[row["bought_by_fill"]], known[row["sold_by_fill"]]
        assert (bought["side"], sold["side"]) == ("buy", "sell")
        assert bought["instrument"] == sold["instrument"] == row["instrument"]
        assert (bought["at_utc"], sold["at_utc"]) == (row["acquired_utc"], row["disposed_utc"])
        assert row["term"] == "short"
        assert Decimal(row["gain"]) == Decimal(row["proceeds"]) - Decimal(row["cost"])


async def test_deposits_and_withdrawals_are_no_gain(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "paper.db"
    async with living(path) as engine:
        await engine.take(moments()[:60])
        for amount in (CAPITAL, -CAPITAL // 10):
            await engine.take([Moment((Flow(engine.head.at_ms, amount),))])
        await engine.take(moments()[60:120])
    about = exported(path, folder)
    assert Decimal(about["tie"]["invested"]) == quanta(2 * CAPITAL - CAPITAL // 10)
    pnl = total(folder, "gains", "gain") + total(folder, "parcels", "unrealised")
    assert pnl == last_pnl(path)


async def test_a_session_without_fills_exports_empty_tables(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "paper.db"
    async with living(path):
        about = exported(path, folder)
    assert [rows(folder, name) for name in ("fills", "parcels", "gains")] == [[], [], []]
    assert (folder / "gains.csv").read_text().startswith("instrument,quantity,acquired_utc,")
    assert about["tie"]["pnl"] == "0.00000000"


WRONGS: Final = {
    "UPDATE fills SET notional = notional + 1 WHERE " + FIRST: "its P&L is",
    "UPDATE fills SET fee = fee + 1 WHERE fee > 0": "the fills paid",
    "UPDATE fills SET fee_grains = fee_grains - 1 WHERE fee_grains > 0": "the parcels of",
    "UPDATE transfers SET amount = amount + 1 WHERE target = 3 AND currency = 0": "its P&L is",
    "UPDATE transfers SET amount = amount + 1 WHERE target = 2": "its account",
    "UPDATE positions SET quantity = quantity + 1 WHERE quantity > 0": "its position",
    "DELETE FROM fills WHERE side = 1": "that no fill before it bought",
    "DELETE FROM fills WHERE number = (SELECT max(number) FROM fills)": "its P&L is",
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_what_does_not_tie_is_not_written(path: Path, folder: Path, wrong: str) -> None:
    spoil(path, wrong)
    with pytest.raises(JournalBroken, match=WRONGS[wrong]):
        exported(path, folder)
    assert not folder.exists()
    assert [one.name for one in folder.parent.iterdir() if one.name.startswith(".")] == []


def test_a_daemon_that_goes_on_writing_is_not_half_seen(path: Path, folder: Path) -> None:
    """Its next fill comes between our look at the fills and our look at the transfers."""
    with closing(connect_read_only(path, PAPER)) as connection:
        seen: list[str] = []

        def meanwhile(sql: str) -> None:
            if "FROM transfers" in sql and not seen:
                seen.append(sql)
                spoil(path, "UPDATE transfers SET amount = amount + 1 WHERE target = 3")

        connection.set_trace_callback(meanwhile)
        export(connection, sessions.named(connection, None), folder)
        assert seen
        with pytest.raises(JournalBroken):
            export(connection, sessions.named(connection, None), folder, force=True)
        assert not connection.in_transaction


# The reporting currency.


@pytest.mark.parametrize("method", METHODS)
def test_at_one_rate_every_sum_is_that_much_larger(path: Path, folder: Path, method: str) -> None:
    plain = exported(path, folder, method=method)
    other = folder.with_name("twice")
    table = daily(folder.with_name("rates.csv"), "2")
    twice = exported(path, other, method=method, reporting="eur", rates=table)
    assert (twice["currency"], twice["tie"]) == ("EUR", plain["tie"])
    for name in ("realised", "unrealised", "fees", "cost", "worth"):
        # A part of a parcel is a whole number of quanta in each currency by itself.
        parts = plain["gains"] + plain["fills"]
        assert abs(Decimal(twice[name]) - 2 * Decimal(plain[name])) <= quanta(parts), name
    pnl = Decimal(twice["realised"]) + Decimal(twice["unrealised"])
    assert pnl == 2 * Decimal(plain["tie"]["pnl"])
    assert {row["currency"] for row in rows(other, "gains")} == {"EUR"}
    assert {row["quote"] for row in rows(other, "fills")} == {"USD"}
    assert (other / "transfers.csv").read_text() == (folder / "transfers.csv").read_text()


def test_each_sum_is_converted_at_the_rate_of_its_own_day(path: Path, folder: Path) -> None:
    table = daily(folder.with_name("rates.csv"), "0.9", "1.1", "1.000000001")
    about = exported(path, folder, reporting="EUR", rates=table)
    with table.open(newline="") as file:
        known = {row["date"]: row["rate"] for row in csv.DictReader(file)}
    moved = Decimal(about["worth"])
    for row in rows(folder, "fills"):
        rate, value = Decimal(row["rate"]), Decimal(row["value"])
        assert row["rate"] == known[row["at_utc"][:10]]
        assert abs(value - Decimal(row["notional"]) * rate) <= quanta("0.5")
        moved += -value if row["side"] == "buy" else value
        if Decimal(row["fee"]):  # one in coins is in the value of the purchase already
            moved -= Decimal(row["fee_value"])
    assert {row["rate"] for row in rows(folder, "fills")} == set(known.values())
    assert total(folder, "gains", "gain") + total(folder, "parcels", "unrealised") == moved


def test_days_without_a_rate_are_named(path: Path, folder: Path) -> None:
    first = (EPOCH + timedelta(milliseconds=START)).date()
    table = rates(folder.with_name("rates.csv"), f"{first},1", f"{first + timedelta(days=2)},1")
    missing = first + timedelta(days=1)
    with pytest.raises(NotFound, match=f"no rate for {missing} and [1-9] other days") as caught:
        exported(path, folder, reporting="EUR", rates=table)
    assert f"Add a line for it: {missing},RATE" in caught.value.advice
    assert not folder.exists()


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("", DataError, "does not begin with the line date,rate"),
        ("day,eur\n2024-01-01,1\n", DataError, "does not begin with the line date,rate"),
        ("date,rate\n2024-01-01\n", DataError, "line 2 has 1 columns"),
        ("date,rate\n2024-01-01,0,92\n", DataError, "line 2 has 3 columns"),
        ("date,rate\n2024-01-01,1\n2024-13-01,1\n", DataError, "line 3 has no date: '2024-13-01'"),
        ("date,rate\n01.02.2024,1\n", DataError, "no date: '01.02.2024'"),
        ("date,rate\n20240101,1\n", DataError, "no date: '20240101'"),
        ("date,rate\n2024-01-01,nan\n", DataError, "no rate: 'nan'"),
        ("date,rate\n2024-01-01,-1\n", DataError, "no rate: '-1'"),
        ("date,rate\n2024-01-01,0.000\n", DataError, "no rate: '0.000'"),
        ("date,rate\n2024-01-01,1e999999\n", DataError, "no rate: '1e999999'"),
        ("date,rate\n2024-01-01,1\n\n2024-01-01,2\n", DataError, "two rates for 2024-01-01"),
    ],
)
def test_a_table_of_rates_is_read_strictly(
    path: Path, folder: Path, text: str, kind: type[RRRError], said: str
) -> None:
    table = folder.with_name("rates.csv")
    table.write_text(text)
    with pytest.raises(kind, match=said):
        exported(path, folder, reporting="EUR", rates=table)


def test_a_table_of_rates_that_is_none_is_named(path: Path, folder: Path) -> None:
    with pytest.raises(NotFound, match=r"rates\.csv cannot be read: No such file"):
        exported(path, folder, reporting="EUR", rates=folder.with_name("rates.csv"))
    folder.with_name("rates.csv").write_bytes(b"date,rate\n\xff\xfe")
    with pytest.raises(DataError, match=r"rates.csv is no CSV text"):
        exported(path, folder, reporting="EUR", rates=folder.with_name("rates.csv"))


def test_a_spreadsheets_mark_and_spaces_are_no_fault(path: Path, folder: Path) -> None:
    table = daily(folder.with_name("rates.csv"), "2")
    text = table.read_text().replace(",", " , ").replace("\n", "\r\n")
    table.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert exported(path, folder, reporting="EUR", rates=table)["currency"] == "EUR"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"method": "lifo"}, "There is no method 'lifo'"),
        ({"reporting": "EUR"}, "gains in EUR need the rate of each day"),
        ({"reporting": "€"}, "names no currency"),
        ({"rates": Path("rates.csv")}, "The books are in USD already"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    path: Path, folder: Path, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        exported(path, folder, **more)
    assert not folder.exists()


def test_a_fee_in_a_third_coin_is_named_and_valued(path: Path) -> None:
    with closing(connect_read_only(path, PAPER)) as connection:
        books = read(connection, sessions.named(connection, None))
    first, *others = books.fills
    paid = first._replace(coin="BNB", coin_amount=Decimal("1E-8"), coin_value=7)
    books = replace(books, fills=[paid, *others])
    tied(books, fold(books.fills, Method.FIFO))
    table = fills(books, books, "USD", None)
    row = dict(zip(table.header, next(iter(table.rows)), strict=True))
    assert (row["fee_coin"], row["fee_coin_amount"]) == ("BNB", "0.00000001")
    assert Decimal(row["fee_value"]) == quanta(first.fee_value + 7)


# The folder, and the words.


def test_an_export_is_replaced_only_when_asked(path: Path, folder: Path) -> None:
    exported(path, folder)
    assert sorted(one.name for one in folder.iterdir()) == sorted(FILES)
    (folder / "gains.csv").write_text("mine")
    with pytest.raises(UsageError, match="holds an export already"):
        exported(path, folder)
    assert (folder / "gains.csv").read_text() == "mine"
    exported(path, folder, force=True)
    assert (folder / "gains.csv").read_text() != "mine"


def test_two_exports_of_the_same_session_are_the_same_bytes(path: Path, folder: Path) -> None:
    texts = []
    for _ in range(2):
        exported(path, folder, force=True)
        texts.append([(folder / name).read_bytes() for name in FILES])
    assert texts[0] == texts[1]


def test_a_person_reads_what_was_found(path: Path, folder: Path) -> None:
    about = exported(path, folder, method="hifo")
    words = export_in_words(about)
    assert f"  folder     {folder}" in words
    assert "  method     HIFO, in USD" in words
    assert words.splitlines()[-1].startswith("  tie        ")
    assert words.endswith(" USD, exactly")
    made_up = export_in_words(about | {"synthetic": True})
    assert all(line.startswith("SYNTHETIC") for line in made_up.splitlines())
