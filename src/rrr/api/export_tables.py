"""A table says what the books say, in decimals that lose nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from rrr.api.export_books import MONEY_PLACES, Books, Moved
from rrr.api.export_folder import Table
from rrr.api.export_rates import Rates
from rrr.api.lots import Gain, Lots, Parcel, days_held, long_term, split
from rrr.core.ledger import QUOTE, Place
from rrr.core.orders import Side

EPOCH: Final = datetime.fromtimestamp(0, UTC)
Row = tuple[str | int, ...]


def fills(books: Books, valued: Books, currency: str, rates: Rates | None) -> Table:
    """Each fill as it was, and beside it what it was worth in the reporting currency."""
    header = (
        *("fill", "at_utc", "instrument", "side", "quantity", "price", "quote", "notional", "fee"),
        *("fee_in_base", "fee_coin", "fee_coin_amount", "liquidity", "order", "cause"),
        *("rate", "currency", "value", "fee_value"),
    )

    def rows() -> Iterator[Row]:
        for fill, worth, origin in zip(books.fills, valued.fills, books.origins, strict=True):
            unit = books.units[fill.instrument]
            yield (
                *(fill.number, moment(fill.at_ms), unit.symbol, Side(fill.side).name.lower()),
                *(exact(fill.quantity, unit.grains), exact(fill.price, unit.points), unit.quote),
                *(money(fill.notional), money(fill.fee), exact(fill.fee_grains, unit.grains)),
                *(fill.coin, f"{fill.coin_amount:f}" if fill.coin else ""),
                *("maker" if origin.maker else "taker", origin.sequence, origin.cause),
                *(f"{rates.at(fill.at_ms):f}" if rates else "1", currency),
                *(money(worth.notional), money(worth.fee_value)),
            )

    return Table(header, rows())


def gains(books: Books, lots: Lots, currency: str) -> Table:
    """Each parcel, or part of one, that a sale ended."""
    header = (
        *("instrument", "quantity", "acquired_utc", "disposed_utc", "days_held", "term"),
        *("currency", "proceeds", "cost", "gain", "bought_by_fill", "sold_by_fill"),
    )

    def row(one: Gain) -> Row:
        unit, times = books.units[one.instrument], (one.acquired_ms, one.disposed_ms)
        return (
            *(unit.symbol, exact(one.quantity, unit.grains), *map(moment, times)),
            *(days_held(*times), term(*times), currency),
            *(money(one.proceeds), money(one.cost), money(one.gain), one.bought, one.sold),
        )

    return Table(header, map(row, lots.gains))


def parcels(books: Books, lots: Lots, currency: str) -> Table:
    """What is still held, at its last price; a position's worth is shared out by quantity."""
    header = (
        *("instrument", "quantity", "acquired_utc", "valued_utc", "days_held", "term"),
        *("currency", "cost", "worth", "unrealised", "bought_by_fill"),
    )

    def row(one: Parcel, valued_ms: int, worth: int) -> Row:
        unit, times = books.units[one.instrument], (one.acquired_ms, valued_ms)
        return (
            *(unit.symbol, exact(one.quantity, unit.grains), *map(moment, times)),
            *(days_held(*times), term(*times), currency),
            *(money(one.cost), money(worth), money(worth - one.cost), one.bought),
        )

    def rows() -> Iterator[Row]:
        for position in books.positions:
            held = [one for one in lots.parcels if one.instrument == position.instrument]
            worths = split(position.worth, [one.quantity for one in held])
            for one, worth in zip(held, worths, strict=True):
                yield row(one, position.at_ms, worth)

    return Table(header, rows())


def transfers(books: Books) -> Table:
    """The ledger as it is: every amount, and the two accounts that it went between."""
    header = ("row", "part", "at_utc", "source", "target", "currency", "amount")

    def row(one: Moved) -> Row:
        if one.currency == QUOTE:
            currency, places = books.units[0].quote, MONEY_PLACES
        else:
            unit = books.units[one.currency - 1]
            currency, places = unit.base, unit.grains
        ends = (Place(end).name.lower() for end in (one.source, one.target))
        amount = exact(one.amount, places)
        return (one.number, one.part, moment(one.at_ms), *ends, currency, amount)

    return Table(header, map(row, books.moved))


def exact(amount: int, places: int) -> str:
    """
    >>> exact(-5, 8), exact(123_456, 2), exact(7, 0)
    ('-0.00000005', '1234.56', '7')
    """
    whole, part = divmod(abs(amount), 10**places)
    return f"{'-' if amount < 0 else ''}{whole}" + (f".{part:0{places}}" if places else "")


def money(quanta: int) -> str:
    return exact(quanta, MONEY_PLACES)


def moment(at_ms: int) -> str:
    """
    >>> moment(1_704_067_205_000)
    '2024-01-01T00:00:05.000Z'
    """
    at = EPOCH + timedelta(milliseconds=at_ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z"


def term(acquired_ms: int, disposed_ms: int) -> str:
    return "long" if long_term(acquired_ms, disposed_ms) else "short"
