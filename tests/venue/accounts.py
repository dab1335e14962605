"""An account is the fold of its ledger: what is written there, and nothing else, makes a balance.

All amounts are parts, 10^-8 of a coin; a price is in points, as on the tape. Coins are moved, never
made: what is ours came from outside or from the market, and each coin sums to zero over all owners.
An open order holds what it may spend.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tests.venue.ledger import Entry

OURS: Final = "ours"
MARKET: Final = "market"
FEES: Final = "fees"
OUTSIDE: Final = "outside"

STOPS: Final = ("stop-loss", "stop-loss-limit", "take-profit", "take-profit-limit", "trailing-stop")
LIMITS: Final = ("limit", "stop-loss-limit", "take-profit-limit")
KINDS: Final = ("market", "limit", *STOPS)


@dataclass(slots=True)
class Order:
    id: str
    client_id: str
    symbol: str
    side: str
    kind: str
    quantity: int
    price: int  # its limit; 0 where it has none
    trigger: int  # of a stop: the price, or how far a trailing one trails
    time: str  # GTC, IOC, FOK, GTD
    expires_ms: int
    post: bool
    fee_in_base: bool
    userref: int
    by: str  # whose key it came with, or a hand
    at_ms: int
    hold: int
    best: int  # the price that a trailing stop trails
    triggered_ms: int = 0
    status: str = "open"
    reason: str = ""
    ended_ms: int = 0
    filled: int = 0
    cost: int = 0
    worth: int = 0  # of its fees, in the quote
    trades: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        return self.quantity - self.filled

    @property
    def waits(self) -> bool:
        """For its trigger."""
        return self.kind in STOPS and not self.triggered_ms

    @property
    def held_coin(self) -> str:
        base, quote = coins(self.symbol)
        return quote if self.side == "buy" else base

    @property
    def stop_price(self) -> int:
        if self.kind != "trailing-stop":
            return self.trigger
        return self.best - self.trigger if self.side == "sell" else self.best + self.trigger


class Fill(NamedTuple):
    id: str
    order: str
    symbol: str
    side: str
    kind: str
    quantity: int
    price: int
    cost: int
    fee: int
    fee_coin: str
    worth: int  # of the fee, in the quote
    maker: bool
    at_ms: int
    number: int


class Booking(NamedTuple):
    """One coin of the account moved: what its owner can read of the ledger."""

    ref: str  # the trade, the deposit
    kind: str
    coin: str
    amount: int  # signed, before the fee
    fee: int
    balance: int  # afterwards
    at_ms: int


class Account:
    def __init__(self, fees_ppm: tuple[int, int], entries: Iterable[Entry] = ()) -> None:
        self.taker_ppm, self.maker_ppm = fees_ppm
        self.balances: Counter[tuple[str, str]] = Counter()
        self.orders: dict[str, Order] = {}
        self.fills: dict[str, Fill] = {}
        self.bookings: list[Booking] = []
        self.deadline_ms = 0  # all is cancelled then; 0: never
        self.at_ms = 0
        for entry in entries:
            self.apply(entry)

    @property
    def open(self) -> list[Order]:
        """The oldest first."""
        return [order for order in self.orders.values() if order.status == "open"]

    @property
    def coins(self) -> list[str]:
        return sorted({coin for owner, coin in self.balances if owner == OURS})

    def balance(self, coin: str) -> int:
        return self.balances[OURS, coin]

    def held(self, coin: str) -> int:
        return sum(order.hold for order in self.open if order.held_coin == coin)

    def free(self, coin: str) -> int:
        return self.balance(coin) - self.held(coin)

    def apply(self, entry: Entry) -> None:
        said = {name: value for name, value in entry.items() if name not in ("n", "what")}
        self.at_ms = max(self.at_ms, entry["at_ms"])
        match entry["what"]:
            case "order":
                self.orders[entry["id"]] = Order(**said)
            case "triggered":
                self.orders[entry["order"]].triggered_ms = entry["at_ms"]
            case "amended":
                order = self.orders[entry["order"]]
                order.quantity, order.hold = entry["quantity"], entry["hold"]
                order.price, order.trigger = entry["price"], entry["trigger"]
            case "fill":
                self.orders[entry["order"]].hold = said.pop("hold")
                self._filled(Fill(**said))
            case "ended":
                order = self.orders[entry["order"]]
                order.status, order.reason = entry["status"], entry["reason"]
                order.ended_ms = entry["at_ms"]
            case "moved":
                self._move(entry["coin"], entry["amount"], entry["fee"], OUTSIDE)
                self._booked(entry["id"], entry["kind"], entry["coin"], entry)
            case "fees":
                self.taker_ppm, self.maker_ppm = entry["taker_ppm"], entry["maker_ppm"]
            case "armed":
                self.deadline_ms = entry["deadline_ms"]

    def _filled(self, fill: Fill) -> None:
        base, quote = coins(fill.symbol)
        way = 1 if fill.side == "buy" else -1
        order = self.orders[fill.order]
        order.filled += fill.quantity
        order.cost += fill.cost
        order.worth += fill.worth
        order.trades.append(fill.id)
        self.fills[fill.id] = fill
        for coin, amount in ((base, way * fill.quantity), (quote, -way * fill.cost)):
            moved = {"amount": amount, "fee": fill.fee if coin == fill.fee_coin else 0}
            self._move(coin, amount, moved["fee"], MARKET)
            self._booked(fill.id, "trade", coin, moved | {"at_ms": fill.at_ms})

    def _move(self, coin: str, amount: int, fee: int, partner: str) -> None:
        self.balances[partner, coin] -= amount
        self.balances[FEES, coin] += fee
        self.balances[OURS, coin] += amount - fee

    def _booked(self, ref: str, kind: str, coin: str, moved: Entry) -> None:
        figures = (moved["amount"], moved["fee"], self.balance(coin), moved["at_ms"])
        self.bookings.append(Booking(ref, kind, coin, *figures))


def coins(symbol: str) -> tuple[str, str]:
    base, _, quote = symbol.partition("/")
    return base, quote
