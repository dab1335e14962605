"""Every line on the terminal is worth reading: fills, refusals, halts, and each day's end.

At full speed the days go by and only they are told; at a human pace every decision is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from rrr.core.events import Close, Decision, Event, Halted, Limits, Listing, Refused
from rrr.core.ledger import equity
from rrr.core.market import share_ppm
from rrr.core.orders import Cause, Kind, Order, Rejection, Report, Side, Status
from rrr.core.rules import Refusal
from rrr.core.state import Halt, State
from rrr.database.journal import day
from rrr.database.sessions import Unit

QUANTA = 10**8


class Story:
    """Turns records into lines. It remembers orders, so that a fill can say why."""

    def __init__(self, units: Sequence[Unit], signals: str, every_decision: bool) -> None:
        self.units, self.signals, self.every = units, signals, every_decision
        self.causes: dict[int, str] = {}
        self.fills = self.refusals = self.last_close_ms = self.equity = self.drawdown_ppm = 0
        self.gain_ratio = 0.0

    def tell(self, record: Sequence[Event | Decision], state: State) -> list[str]:
        """The lines of what one event caused, with the state that it left."""
        lines = []
        for item in record:
            match item:
                case Close():
                    lines += self._day(item, state)
                case Order():
                    self.causes[item.sequence] = Cause(item.cause).name.lower()
                    if self.every and item.kind == Kind.STOP:
                        lines.append(self._stop(item, state))
                case Report() if item.status == Status.FILLED:
                    self.fills += 1
                    if self.every:
                        lines.append(self._fill(item))
                case Report() if item.status == Status.REJECTED and self.every:
                    why = Rejection(item.rejection).name.lower()
                    lines.append(f"{utc(item.at_ms)}  rejected by the venue: {why}")
                case Refused():
                    self.refusals += 1
                    if self.every and item.times == 1:
                        lines.append(self._refused(item))
                case Halted():
                    why = Halt(item.halt).name.lower().replace("_", " ")
                    peak = money(equity(state.account))
                    lines.append(
                        f"{utc(item.at_ms)}  HALT: {why}: no new risk until `rrr resume`"
                        if item.halt
                        else f"{utc(item.at_ms)}  resumed: the new peak is {peak}"
                    )
                case Limits() | Listing() if item.at_ms and self.every:
                    lines.append(f"{utc(item.at_ms)}  {type(item).__name__.lower()} in force")
                case _:
                    pass
        return lines

    def _day(self, close: Close, state: State) -> list[str]:
        """The line of the day before, once a new one begins."""
        lines = []
        if self.last_close_ms and day(close.at_ms) != day(self.last_close_ms):
            lines.append(self._yesterday())
            self.fills = self.refusals = 0
        account = state.account
        self.last_close_ms, self.equity = close.at_ms, equity(account)
        self.gain_ratio = self.equity / account.invested - 1 if account.invested else 0.0
        self.drawdown_ppm = share_ppm(max(account.peak - self.equity, 0), max(account.peak, 1))
        return lines

    def _yesterday(self) -> str:
        date = utc(self.last_close_ms - 1)[:10]
        quote = self.units[0].quote
        return (
            f"{date}  equity {money(self.equity)} {quote} ({self.gain_ratio:+.2%})"
            f"  drawdown {self.drawdown_ppm / 1e6:.2%}"
            f"  fills {self.fills}  refusals {self.refusals}  {self.signals}"
        )

    def _fill(self, report: Report) -> str:
        unit = self.units[report.instrument]
        side = Side(report.side).name
        cause = self.causes.get(report.sequence, "?")
        fee = money(report.fee) if report.fee else f"{report.fee_grains / 10**unit.grains:f}"
        return (
            f"{utc(report.at_ms)}  {side:<4} {report.quantity / 10**unit.grains:,g} {unit.symbol}"
            f" at {report.price / 10**unit.points:,g} for {money(report.notional)} {unit.quote},"
            f" fee {fee}  ({cause}, {self.signals})"
        )

    def _stop(self, order: Order, state: State) -> str:
        unit = self.units[order.instrument]
        at_ms = state.lanes[order.instrument].marked_at_ms
        target = state.lanes[order.instrument].target_price / 10**unit.points
        return (
            f"{utc(at_ms)}  stop {order.quantity / 10**unit.grains:,g} {unit.symbol}"
            f" at {order.price / 10**unit.points:,g}, target {target:,g} watched"
        )

    def _refused(self, item: Refused) -> str:
        symbol = self.units[item.instrument].symbol
        reason = Refusal(item.refusal).name.lower()
        return f"{utc(item.at_ms)}  refused {symbol}: {reason}  ({self.signals})"


def utc(at_ms: int) -> str:
    """
    >>> utc(1_704_067_200_000)
    '2024-01-01 00:00:00 UTC'
    """
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def money(quanta: int) -> str:
    """
    >>> money(1_234_567_000_000)
    '12,345.67'
    """
    return f"{quanta / QUANTA:,.2f}"
