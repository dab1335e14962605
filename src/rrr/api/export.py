"""What was bought, sold and earned leaves as files that another program can add up again.

A folder with the fills, the parcels still held, the gains and the transfers of a session, and a
page about them; of a live one also what is written at its seam. Before a byte is written its sums
have met those of the ledger.
"""

import json
import re
import sqlite3
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from rrr.api import export_live
from rrr.api import export_tables as tables
from rrr.api.export_books import Books, Tie, one_moment, read, tied, with_coin_fees
from rrr.api.export_folder import refuse_to_overwrite, write_folder
from rrr.api.export_live import coin_fees
from rrr.api.export_rates import Rates
from rrr.api.export_tables import exact, money
from rrr.api.lots import Lots, Method, fold
from rrr.core.errors import UsageError
from rrr.core.ledger import QUOTE, Place
from rrr.core.market import QUANTA
from rrr.database.sessions import Session
from rrr.monitoring import words
from rrr.monitoring.words import count, marked, printable, utc

ABOUT: Final = "about.json"
FILES: Final = ("fills.csv", "parcels.csv", "gains.csv", "transfers.csv", ABOUT)
SIMULATED: Final = "simulated"
CURRENCY: Final = re.compile(r"[A-Z0-9]{2,10}")


def export(
    connection: sqlite3.Connection,
    session: Session,
    folder: Path,
    method: str = Method.FIFO,
    reporting: str | None = None,
    rates: Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Write a session's folder and say what is in it; money is exact decimals, as text."""
    which = method_of(method)
    refuse_to_overwrite(folder, (*FILES, *export_live.FILES), force)
    with one_moment(connection):
        books = with_coin_fees(read(connection, session), coin_fees(connection, session))
        seam = export_live.tables(connection, session, books.units)
    quote = books.units[0].quote
    currency, table = currency_of(quote, reporting, rates)
    lots = fold(books.fills, which)
    tie = told = tied(books, lots)
    valued = books
    if table is not None:
        valued = books.converted(table)
        lots = fold(valued.fills, which)
        told = tied(valued, lots)
    about = {
        "session": session.name,
        "mode": session.mode,
        "market": session.market,
        "synthetic": session.market == SIMULATED,
        "folder": str(folder),
        "method": which.value,
        "currency": currency,
        "rates": table and table.name,
        "at_ms": books.at_ms,
        "rows": books.rows,
        "fills": len(books.fills),
        "gains": len(lots.gains),
        "parcels": len(lots.parcels),
        "transfers": len(books.moved),
        "live": {name: len([*table.rows]) for name, table in seam.items()} or None,
        "unvalued_fees": unvalued(books),
        **summed(lots, told),
        "tie": tie_of(books, tie, quote),
    }
    written = {
        "fills.csv": tables.fills(books, valued, currency, table),
        "parcels.csv": tables.parcels(valued, lots, currency),
        "gains.csv": tables.gains(valued, lots, currency),
        "transfers.csv": tables.transfers(books),
        **seam,
    }
    write_folder(folder, written, {ABOUT: json.dumps(about, indent=2) + "\n"})
    return about


def unvalued(books: Books) -> dict[str, str]:
    """Fees that a venue took in third coins, of which nobody wrote down what they were worth."""
    fees: Counter[str] = Counter()
    for fill in books.fills:
        if fill.coin and not fill.coin_value:
            fees[fill.coin] += int(fill.coin_amount.scaleb(export_live.COIN_PLACES))
    return {coin: exact(amount, export_live.COIN_PLACES) for coin, amount in sorted(fees.items())}


def summed(lots: Lots, tie: Tie) -> dict[str, str]:
    """Totals in the reporting currency."""
    long = sum(one.gain for one in lots.gains if one.long_term)
    cost = sum(one.cost for one in lots.parcels)
    totals = {
        "realised": tie.realised,
        "realised_short": tie.realised - long,
        "realised_long": long,
        "cost": cost,
        "worth": tie.unrealised + cost,
        "unrealised": tie.unrealised,
        "fees": tie.fees,
    }
    return {name: money(total) for name, total in totals.items()}


def tie_of(books: Books, tie: Tie, quote: str) -> dict[str, str]:
    """Both sides of the equation that held, in the currency that the ledger is kept in."""
    balances = books.balances()
    invested = -balances[Place.FLOWS, QUOTE]
    equity = balances[Place.CASH, QUOTE] + sum(one.worth for one in books.positions)
    sides = {
        "realised": tie.realised,
        "unrealised": tie.unrealised,
        "equity": equity,
        "invested": invested,
        "pnl": equity - invested,
    }
    return {"currency": quote} | {name: money(side) for name, side in sides.items()}


def method_of(name: str) -> Method:
    if name not in {*Method}:
        raise UsageError(f"There is no method {printable(name)!r}.", "There are fifo and hifo.")
    return Method(name)


def currency_of(quote: str, reporting: str | None, rates: Path | None) -> tuple[str, Rates | None]:
    """The reporting currency, and the rates that it needs: none where it is the quote."""
    currency = quote if reporting is None else reporting.upper()
    if not CURRENCY.fullmatch(currency):
        raise UsageError(f"{printable(currency)!r} names no currency.", "Write it as EUR or USD.")
    if currency == quote:
        if rates is not None:
            raise UsageError(
                f"The books are in {quote} already: --rates says nothing.",
                "Name another currency with --reporting, or leave --rates out.",
            )
        return currency, None
    if rates is None:
        raise UsageError(
            f"The books are in {quote}: gains in {currency} need the rate of each day.",
            f"Give a CSV of date,rate with --rates: how many {currency} one {quote} was.",
        )
    return currency, Rates.read(rates)


def export_in_words(about: dict[str, Any]) -> str:
    """What a person reads."""
    currency, tie = about["currency"], about["tie"]
    held = f"cost {spoken(about['cost'])}, worth {spoken(about['worth'])}"
    terms = f"short {signed(about['realised_short'])}, long {signed(about['realised_long'])}"
    by = f"{about['method'].upper()}, in {currency}"
    by += f" by the rates of {about['rates']}" if about["rates"] else ""
    rows: tuple[tuple[str, str], ...] = (
        ("session", f"{about['session']}, as of {utc(about['at_ms'])}, {about['rows']:,} rows"),
        ("folder", about["folder"]),
        ("method", by),
        ("fills", f"{about['fills']:,}, fees {spoken(about['fees'])}"),
        ("gains", f"{count(about['gains'], 'disposal')}, {signed(about['realised'])} ({terms})"),
        ("parcels", f"{about['parcels']:,} held, {held}, {signed(about['unrealised'])}"),
        ("transfers", f"{about['transfers']:,}"),
        (
            "tie",
            f"{signed(tie['realised'])} realised and {signed(tie['unrealised'])} unrealised are the"
            f" ledger's P&L, {signed(tie['pnl'])} {tie['currency']}, exactly",
        ),
    )
    if about["unvalued_fees"]:
        fees = ", ".join(f"{amount} {coin}" for coin, amount in about["unvalued_fees"].items())
        rows += (("no value", f"{fees} of fees: what they were worth is not known, and not in it"),)
    if about["live"]:
        files = ", ".join(f"{name} {number:,}" for name, number in about["live"].items())
        rows += (("venue", files),)
    lines = (f"  {name:<9}  {text}" for name, text in rows)
    return "\n".join(marked(line, about["synthetic"]) for line in lines)


def spoken(amount: str, sign: str = "") -> str:
    return words.money(int(Decimal(amount) * QUANTA), sign)


def signed(amount: str) -> str:
    return spoken(amount, "+")
