"""Two lists of trades are the same to the tick and the cent, or what happened says why not.

What may differ, and is then looked at candle by candle: one side was long where the two averages,
summed as whole numbers, are equal, because floats that were rounded on the way took sides; a book
must have a spread; a program sells what it holds when the candles end.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from bench_candles import Candles
from bench_guests import Answer, Case
from bench_terms import CASH, FEE_PPM
from numpy.typing import NDArray

from rrr.backtesting.result import Result
from rrr.core.market import PPM, QUANTA
from rrr.core.orders import Report, Side, Status
from rrr.neural_network.panel import I64
from rrr.neural_network.strategies.rolling import over

F64 = NDArray[np.float64]
CENT: Final = 0.005  # less than this apart is the same cent
TICK: Final = 0.5  # points
DUST: Final = 1e-9  # coins


class Fills(NamedTuple):
    """A fill a row."""

    at: I64  # the candle whose open it met
    side: I64
    price: F64  # points
    quantity: F64  # coins
    fee: F64

    def without_the_last(self) -> "Fills":
        return Fills(
            self.at[:-1], self.side[:-1], self.price[:-1], self.quantity[:-1], self.fee[:-1]
        )


@dataclass(slots=True)
class Verdict:
    """What was found when a peer's trades were held against ours."""

    fills: int
    equity: float
    same: bool  # fill by fill
    explained: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    def blame(self, wrong: "NDArray[np.bool_]", what: str) -> None:
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            self.unexplained.append(f"{int(wrong.sum()):,} {what}, the first at number {first:,}")


def ours(result: Result, candles: Candles) -> Fills:
    """What our engine did, from its reports."""
    filled = result.column(Report, "status") == Status.FILLED
    told = {name: result.column(Report, name)[filled] for name in ("at_ms", "side", "price")}
    at = np.searchsorted(candles.panel.opened_at_ms, told["at_ms"])
    coins = result.column(Report, "quantity")[filled] / 10**candles.lots
    fee = result.column(Report, "fee")[filled] / QUANTA
    return Fills(at, told["side"], told["price"].astype(np.float64), coins, fee)


def theirs(answer: Answer, candles: Candles) -> Fills:
    columns = [np.array(column) for column in zip(*answer.fills, strict=True)] or [np.zeros(0)] * 5
    opened, at_ms = candles.panel.opened_at_ms, columns[0].astype(np.int64)
    at = np.searchsorted(opened, at_ms)
    at = np.where(opened[np.minimum(at, len(opened) - 1)] == at_ms, at, -1)
    points = columns[2] * 10**candles.decimals
    return Fills(at, columns[1].astype(np.int64), points, columns[3], columns[4])


def compare(case: Case, mine: Fills, equity: float, answer: Answer) -> Verdict:
    """Explain every difference, or say what nothing explains."""
    candles, fills = case.candles, theirs(answer, case.candles)
    verdict = Verdict(len(fills.at), answer.equity, same=False)
    close = candles.panel.close[0]
    sold = sold_at_the_end(mine, fills, close, candles.panel.open[0])
    kept = fills.without_the_last() if sold else fills
    spread = answer.spread * 10**candles.decimals
    if answer.spread:
        verdict.explained.append(f"its book needs a spread: a purchase costs {answer.spread} more")
    priced(verdict, kept, candles, spread)
    placed(verdict, case, mine, kept)
    if sold:
        verdict.explained.append(sold)
    verdict.same = not verdict.explained and not verdict.unexplained
    worth = equity_of(fills, close, candles)
    if abs(worth - answer.equity) >= CENT:
        apart = worth - answer.equity
        verdict.unexplained.append(f"its own fills come to {apart:,.2f} more than it says")
    if verdict.same and abs(equity - answer.equity) >= CENT:
        verdict.unexplained.append(f"equity is {answer.equity - equity:,.2f} apart")
    return verdict


def priced(verdict: Verdict, fills: Fills, candles: Candles, spread: float) -> None:
    """Every fill is of one coin, at the open of its candle, for its fee."""
    verdict.blame(fills.at < 0, "fills are at no open")
    met = candles.panel.open[0][fills.at] + np.where(fills.side == Side.BUY, spread, 0)
    verdict.blame(np.abs(fills.price - met) >= TICK, "prices are off by a tick or more")
    verdict.blame(np.abs(fills.quantity - 1) > DUST, "quantities are not one coin")
    due = fills.price / 10**candles.decimals * FEE_PPM / PPM
    verdict.blame(np.abs(fills.fee - due) >= CENT, "fees are off by a cent or more")


def placed(verdict: Verdict, case: Case, mine: Fills, fills: Fills) -> None:
    """Both are long in the same candles, but where the averages are equal."""
    times = case.candles.panel.times
    differ = np.flatnonzero(long_in(mine, times) != long_in(fills, times))
    close = case.candles.panel.close[0]
    tie = over(close, case.fast) * case.slow == over(close, case.slow) * case.fast
    explained = tie[differ - 1] if len(differ) else np.zeros(0, np.bool_)
    verdict.blame(~explained, "candles are held by one side only")
    if explained.any():
        verdict.explained.append(
            f"{int(explained.sum()):,} candles are held by one side only: both averages are equal"
            " before them, and its floats, rounded on the way, say otherwise"
        )


def long_in(fills: Fills, times: int) -> I64:
    """Coins held in each candle."""
    change = np.zeros(times, np.int64)
    np.add.at(change, fills.at[fills.at >= 0], fills.side[fills.at >= 0])
    return np.cumsum(change)


def sold_at_the_end(mine: Fills, fills: Fills, close: I64, opened: I64) -> str:
    """Whether the last fill is a sale that only the end of the candles brought."""
    if not len(fills.at) or fills.side[-1] != Side.SELL or fills.at[-1] != len(close) - 1:
        return ""
    if len(mine.at) and mine.side[-1] == Side.SELL and mine.at[-1] == fills.at[-1]:
        return ""
    for name, points in (("open", opened[-1]), ("close", close[-1])):
        if abs(fills.price[-1] - points) < TICK:
            return f"it sells what is held when the candles end, at the last {name}"
    return ""


def equity_of(fills: Fills, close: I64, candles: Candles) -> float:
    """What these fills leave, reckoned by us."""
    points = 10**candles.decimals
    money = float((fills.side * fills.price * fills.quantity).sum()) / points
    held = float((fills.side * fills.quantity).sum())
    return float(CASH - money - fills.fee.sum() + held * close[-1] / points)
