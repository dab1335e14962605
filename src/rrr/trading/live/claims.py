"""What a venue says becomes the house's integers, or is refused by name.

ccxt's unified dictionaries of orders, own trades, ledger entries and balances enter; claims leave.
One that cannot be read makes its answer less than whole, and from such an answer nobody concludes
that something is not there. A number comes as text or as a float, and counts as it is written. Ids
of trades and orders are told with their symbol (Binance counts each symbol by itself), and trades
with their side, for who trades with himself has two of one id.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import IntEnum
from typing import Any, Final, Generic, NamedTuple, TypeVar

from rrr.core.errors import DataError
from rrr.core.ledger import QUOTE
from rrr.core.orders import Side
from rrr.database.sessions import Unit
from rrr.trading.live.figures import (
    ADVICE,
    UNTOLD,
    Raw,
    exact,
    floor,
    positive,
    stamp,
    text,
    told,
    whole,
)

T = TypeVar("T")

ELSEWHERE: Final = -1  # an instrument that the book does not trade
MONEY: Final = 8  # decimals of a quantum, and of a fee in a third coin


class Standing(IntEnum):
    """How an order stands at the venue."""

    OPEN = 1
    TRIGGERED = 2  # a stop, and still open
    FILLED = 3
    CANCELLED = 4
    EXPIRED = 5
    REJECTED = 6


class Leg(NamedTuple):
    """An amount of one currency of the book: 0 is its quote, 1 + i the base of instrument i."""

    currency: int
    amount: int


class OrderClaim(NamedTuple):
    venue_id: str
    sequence: int  # read from the client's id; 0: it is none of ours
    instrument: int
    filled: int  # grains
    standing: int
    words: str  # for a person
    quantity: int = UNTOLD  # grains, what is filled among them
    trigger: int = UNTOLD  # points, of a stop


class TradeClaim(NamedTuple):
    """One own trade, with the venue's own notional and fee: both rounded against us."""

    at_ms: int
    trade_id: str
    venue_id: str  # of its order
    sequence: int  # where the trade itself carries the client's id; else 0
    instrument: int
    side: int
    quantity: int  # grains
    price: int  # points
    notional: int  # quanta
    fee: int  # quanta
    fee_grains: int
    maker: int
    fee_coin: str  # of a fee that is paid in a third coin
    fee_parts: int  # 10⁻⁸ of that coin
    rounded: int  # quanta and grains that rounding may have taken
    legs: tuple[Leg, ...]  # all that it moved of the book's currencies
    extra: tuple[Leg, ...]  # what of that no report can say: a fee in another instrument's base
    words: str


class Movement(NamedTuple):
    """What entered or left the account without a trade: a deposit, a conversion, a reward."""

    at_ms: int
    id: str
    currency: int
    amount: int  # signed, its fee taken off
    words: str


class Answer(NamedTuple, Generic[T]):
    """What one kind of query said; whole: asked to its end, and all of it could be read."""

    items: tuple[T, ...]
    whole: bool
    since_ms: int = 0
    troubles: tuple[str, ...] = ()


class Claims(NamedTuple):
    at_ms: int  # when the first of these was asked
    open: Answer[OrderClaim]
    closed: Answer[OrderClaim]
    trades: Answer[TradeClaim]
    moved: Answer[Movement]
    balances: Answer[Leg]


class Reading(NamedTuple):
    """What it takes to read a venue: the book's instruments, and which ids are its own."""

    units: tuple[Unit, ...]
    sequence_of: Callable[[str], int | None]

    @property
    def decimals(self) -> dict[str, tuple[int, int]]:
        """Of each coin of the book: its currency, and the decimals of its integer."""
        bases = {unit.base: (1 + i, unit.grains) for i, unit in enumerate(self.units)}
        return {**bases, **{unit.quote: (QUOTE, MONEY) for unit in self.units}}

    def instrument(self, symbol: str) -> int:
        names = [f"{unit.base}/{unit.quote}" for unit in self.units]
        return names.index(symbol) if symbol in names else ELSEWHERE

    def sequence(self, client_id: object) -> int:
        return (self.sequence_of(client_id) or 0) if isinstance(client_id, str) else 0


FAILED: Final[Answer[Any]] = Answer((), False)

_STANDINGS: Final = {
    "open": Standing.OPEN,
    "canceling": Standing.OPEN,  # until it is
    "closed": Standing.FILLED,
    "canceled": Standing.CANCELLED,
    "expired": Standing.EXPIRED,
    "rejected": Standing.REJECTED,
}
# How each venue says, in its own words, that a stop was triggered; Kraken does not.
_TRIGGERED: Final = {"trigger_status": "STOP_TRIGGERED", "orderStatus": "Triggered"}

_TRADED: Final = {"trade", "fee", "commission", "advanced_trade_fill", "match"}  # trades say it
_MOVED: Final = {
    *("transaction", "deposit", "withdrawal", "transfer", "conversion", "spend", "receive"),
    *("staking", "reward", "rebate", "cashback", "airdrop", "dividend", "interest", "adjustment"),
    *("credit", "earn", "referral", "send"),
}
_UNDONE: Final = {"pending", "failed", "canceled", "expired", "rejected"}
_HELD: Final = {"waiting_for_clearing", "waiting_for_signature", "7", "8"}  # Coinbase's, Binance's


def orders(raws: Iterable[Raw], reading: Reading, since_ms: int = 0) -> Answer[OrderClaim]:
    return _each(order, raws, reading, since_ms)


def trades(raws: Iterable[Raw], reading: Reading, since_ms: int = 0) -> Answer[TradeClaim]:
    return _each(trade, raws, reading, since_ms)


def movements(raws: Iterable[Raw], reading: Reading, since_ms: int = 0) -> Answer[Movement]:
    """Of a ledger, of deposits, of withdrawals: what is of the book's coins and no trade."""
    return _each(movement, raws, reading, since_ms)


def balances(raw: Raw, reading: Reading) -> Answer[Leg]:
    """All that is in the account, held or free; a coin that is not named is not there.

    A coin without a figure is not nothing, and an account without any coin is not believed.
    """
    totals = raw.get("total")
    if not isinstance(totals, Mapping) or not totals:
        return FAILED._replace(troubles=("The venue's answer names no balance at all.",))
    read = reading.decimals
    try:
        legs = tuple(
            Leg(currency, floor(totals.get(coin, 0), decimals, f"the balance of {coin}"))
            for coin, (currency, decimals) in read.items()
        )
    except DataError as error:
        return FAILED._replace(troubles=(error.what,))
    return Answer(tuple(sorted(legs)), True)


def order(raw: Raw, reading: Reading) -> OrderClaim:
    """Raise DataError where an order of ours cannot be read; another's is only shown."""
    name, symbol = text(raw, "id", "An order"), str(raw.get("symbol"))
    what, instrument = f"order {name}", reading.instrument(symbol)
    sequence = reading.sequence(raw.get("clientOrderId"))
    standing = _STANDINGS.get(str(raw.get("status")))
    if standing is None:
        raise DataError(f"The venue gives {what} the state {raw.get('status')!r}.", ADVICE)
    info = raw.get("info")
    saying = info if isinstance(info, Mapping) else {}
    if standing == Standing.OPEN and any(saying.get(key) == _TRIGGERED[key] for key in _TRIGGERED):
        standing = Standing.TRIGGERED
    filled = quantity = trigger = UNTOLD
    if instrument != ELSEWHERE:
        unit = reading.units[instrument]
        filled, quantity = (told(raw, key, unit.grains, what) for key in ("filled", "amount"))
        trigger = told(raw, "stopLossPrice", unit.points, what)
    words = f"{raw.get('side')} {raw.get('amount')} {symbol} at {raw.get('price')}"
    return OrderClaim(name, sequence, instrument, filled, int(standing), words, quantity, trigger)


def trade(raw: Raw, reading: Reading) -> TradeClaim:
    """Raise DataError where it says too little, or more than the instrument's integers can."""
    symbol, name = str(raw.get("symbol")), text(raw, "id", "A trade")
    what = f"trade {name} of {symbol}"
    if raw.get("side") not in ("buy", "sell"):
        raise DataError(f"The venue gives {what} the side {raw.get('side')!r}.", ADVICE)
    side = Side.BUY if raw["side"] == "buy" else Side.SELL
    amount, price = (positive(raw.get(key), f"the {key} of {what}") for key in ("amount", "price"))
    stated = raw.get("cost")
    cost = amount * price if stated is None else positive(stated, f"the cost of {what}")
    fees = _fees(raw, what)
    claim = TradeClaim(
        at_ms=stamp(raw, what),
        trade_id=f"{symbol} {raw['side']} {name}",
        venue_id=text(raw, "order", what),
        sequence=reading.sequence(raw.get("clientOrderId")),
        instrument=reading.instrument(symbol),
        side=int(side),
        quantity=0,
        price=0,
        notional=0,
        fee=0,
        fee_grains=0,
        maker=int(raw.get("takerOrMaker") == "maker"),
        fee_coin="",
        fee_parts=0,
        rounded=0,
        legs=_legs(symbol, int(side), amount, cost, fees, reading),
        extra=(),
        words=f"{raw['side']} {amount:f} {symbol} at {price:f}",
    )
    return (
        claim if claim.instrument == ELSEWHERE else _ours(claim, amount, price, cost, fees, reading)
    )


def movement(raw: Raw, reading: Reading) -> Movement | None:
    """None where a trade says it already, it is not done yet, or moves a coin of nobody here."""
    name, kind, coin = (
        text(raw, "id", "A ledger entry"),
        str(raw.get("type")),
        raw.get("currency"),
    )
    what = f"ledger entry {name}"
    if kind in _TRADED or raw.get("status") in _UNDONE | _HELD or coin not in reading.decimals:
        return None
    if kind not in _MOVED or raw.get("status") not in (None, "ok"):
        said = f"{kind!r}, {raw.get('status')!r}"
        raise DataError(f"The venue calls {what} {said}, which nobody here knows.", ADVICE)
    currency, decimals = reading.decimals[coin]
    amount = exact(raw.get("amount"), f"the amount of {what}")
    if raw.get("direction") == "out" or kind == "withdrawal":
        amount = -abs(amount)
    fee = raw.get("fee") or {}
    if fee.get("cost") is not None and fee.get("currency") in (coin, None):
        amount -= exact(fee["cost"], f"the fee of {what}")
    moved = whole(amount, decimals, ROUND_FLOOR)
    words = f"{kind} of {amount:f} {coin}"
    return Movement(stamp(raw, what), f"{kind} {coin} {name}", currency, moved, words)


def _ours(
    claim: TradeClaim,
    amount: Decimal,
    price: Decimal,
    cost: Decimal,
    fees: Sequence[tuple[Decimal, str]],
    reading: Reading,
) -> TradeClaim:
    """A trade of one of the book's instruments, in its integers."""
    unit = reading.units[claim.instrument]
    quantity = amount.scaleb(unit.grains)
    if quantity != int(quantity):
        raise DataError(
            f"Trade {claim.trade_id} is of {amount:f}, finer than {unit.grains} decimals.", ADVICE
        )
    against = ROUND_CEILING if claim.side == Side.BUY else ROUND_FLOOR
    paid: Counter[str] = Counter()
    for fee, coin in fees:
        paid[coin] += whole(fee, unit.grains if coin == unit.base else MONEY, ROUND_CEILING)
    quote, base = paid.pop(unit.quote, 0), paid.pop(unit.base, 0)
    third = next(iter(paid), "")
    if len(paid) > 1:
        raise DataError(f"Trade {claim.trade_id} is charged in {sorted(paid)}.", ADVICE)
    others = [(fee, coin) for fee, coin in fees if coin == third]
    own = [
        (cost, MONEY),
        *((fee, unit.grains if coin == unit.base else MONEY) for fee, coin in fees),
    ]
    return claim._replace(
        quantity=int(quantity),
        price=max(whole(price, unit.points, ROUND_HALF_EVEN), 1),
        notional=whole(cost, MONEY, against),
        fee=quote,
        fee_grains=base,
        fee_coin=third,
        fee_parts=paid[third],
        rounded=sum(number.scaleb(places) % 1 != 0 for number, places in own),
        extra=_moved([(coin, -fee) for fee, coin in others], reading),
    )


def _legs(
    symbol: str,
    side: int,
    amount: Decimal,
    cost: Decimal,
    fees: Iterable[tuple[Decimal, str]],
    reading: Reading,
) -> tuple[Leg, ...]:
    base, _, quote = symbol.partition("/")
    paid = [(coin, -fee) for fee, coin in fees]
    return _moved([(base, side * amount), (quote, -side * cost), *paid], reading)


def _moved(amounts: Iterable[tuple[str, Decimal]], reading: Reading) -> tuple[Leg, ...]:
    """The sum of each of the book's currencies, rounded down."""
    known = reading.decimals
    sums: dict[str, Decimal] = {}
    for coin, amount in amounts:
        if coin in known:
            sums[coin] = sums.get(coin, Decimal(0)) + amount
    legs = (Leg(known[c][0], whole(sums[c], known[c][1], ROUND_FLOOR)) for c in sums)
    return tuple(sorted(leg for leg in legs if leg.amount))


def _fees(raw: Raw, what: str) -> list[tuple[Decimal, str]]:
    """Without its fee a fill would make the books wrong, so that none said is none known."""
    said = raw.get("fees") or [raw.get("fee")]
    fees = []
    for fee in said:
        if not isinstance(fee, Mapping) or fee.get("cost") is None:
            raise DataError(f"The venue says no fee of {what}.", ADVICE)
        cost = exact(fee["cost"], f"the fee of {what}")
        if cost and not fee.get("currency"):
            raise DataError(f"The venue does not say in which coin the fee of {what} is.", ADVICE)
        fees.append((cost, str(fee.get("currency"))))
    return [(cost, coin) for cost, coin in fees if cost]


def _each(
    read: Callable[[Raw, Reading], T | None],
    raws: Iterable[Raw],
    reading: Reading,
    since_ms: int,
) -> Answer[T]:
    found, troubles = [], []
    for raw in raws:
        try:
            claim = read(raw, reading)
        except DataError as error:
            troubles.append(error.what)
        else:
            found += [] if claim is None else [claim]
    return Answer(tuple(found), not troubles, since_ms, tuple(troubles))
