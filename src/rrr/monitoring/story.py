"""Every line on the terminal is worth reading: fills, refusals, halts, and each day's end.

At full speed the days go by and only they are told; at a human pace every decision is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from rrr.core.events import Close, Decision, Event, Halted, Limits, Listing, Refused
from rrr.core.ledger import equity
from rrr.core.market import share_ppm
from rrr.core.orders import Cause, Kind, Order, Rejection, Report, Side, Status
from rrr.core.rules import Refusal
from rrr.core.state import Halt, State
from rrr.database.journal import DAY_MS, day
from rrr.database.sessions import Unit


class Story:
    """Turns records into lines. It remembers orders, so that a fill can say why."""

    def __init__(self, units: Sequence[Unit], signals: str, every_decision: bool) -> None:
        self.units, self.signals, self.every = units, signals, every_decision
        self.causes: dict[int, str] = {}
        self.fills = self.refusals = self.equity = self.drawdown_ppm = 0
        self.day: int | None = None  # whose line is not told yet
        self.gain_ratio = 0.0

    def tell(self, record: Sequence[Event | Decision], state: State) -> list[str]:
        """The lines of what one event caused, with the state that it left."""
        lines, at_ms = [], 0
        for item in record:
            if not isinstance(item, Order):
                at_ms = item.at_ms  # an order leaves when the event before it enters
            match item:
                case Close():
                    lines += self._days(item, state)
                case Order():
                    self.causes[item.sequence] = Cause(item.cause).name.lower()
                    if self.every and item.kind == Kind.STOP:
                        lines.append(self._stop(item, state, at_ms))
                case Report() if item.status == Status.FILLED:
                    self.fills += 1
                    if self.every:
                        lines.append(self._fill(item))
                case Report() if item.status == Status.REJECTED and self.every:
                    lines.append(self._rejected(item))
                case Refused():
                    self.refusals += 1
                    if self.every and item.times == 1:
                        lines.append(self._refused(item))
                case Halted():
                    lines.append(self._halted(item, state))
                case Limits() | Listing() if item.at_ms and self.every:
                    lines.append(f"{utc(item.at_ms)}  {type(item).__name__.lower()} in force")
                case _:
                    pass
        return lines

    def _days(self, close: Close, state: State) -> list[str]:
        """The line of a day, at its midnight; or late, where the candles before it are missing."""
        today, lines = day(close.at_ms), []
        if self.day is not None and self.day != today:
            lines.append(self._ended(self.day))
        account = state.account
        self.day, self.equity = today, equity(account)
        self.gain_ratio = self.equity / account.invested - 1 if account.invested else 0.0
        self.drawdown_ppm = share_ppm(max(account.peak - self.equity, 0), max(account.peak, 1))
        if close.at_ms % DAY_MS == 0:
            lines.append(self._ended(today))
        return lines

    def _ended(self, ended: int) -> str:
        line = (
            f"{utc(ended * DAY_MS)[:10]}  equity {money(self.equity):>10} {self.units[0].quote}"
            f" ({self.gain_ratio:+.2%})  drawdown {self.drawdown_ppm / 1e6:6.2%}"
            f"  fills {self.fills:2}  refusals {self.refusals:3}  {self.signals}"
        )
        self.day, self.fills, self.refusals = None, 0, 0
        return line

    def _fill(self, report: Report) -> str:
        unit = self.units[report.instrument]
        cause = self.causes.get(report.sequence, "ordered before this start")
        fee = f"{money(report.fee)} {unit.quote}"
        if report.fee_grains:
            fee = f"{figure(report.fee_grains, unit.grains)} {unit.base}"
        return (
            f"{utc(report.at_ms)}  {Side(report.side).name:<4}"
            f" {figure(report.quantity, unit.grains)} {unit.symbol}"
            f" at {figure(report.price, unit.points)} for {money(report.notional)} {unit.quote},"
            f" fee {fee}  ({cause}, {self.signals})"
        )

    def _stop(self, order: Order, state: State, at_ms: int) -> str:
        unit, lane = self.units[order.instrument], state.lanes[order.instrument]
        target = figure(lane.target_price, unit.points)
        # What the same candle stopped out has no target left.
        watched = f", target {target} watched" if lane.target_price else ""
        return (
            f"{utc(at_ms)}  stop {figure(order.quantity, unit.grains)} {unit.symbol}"
            f" at {figure(order.price, unit.points)}{watched}  ({self.signals})"
        )

    def _rejected(self, report: Report) -> str:
        why = Rejection(report.rejection).name.lower()
        symbol = self.units[report.instrument].symbol
        return f"{utc(report.at_ms)}  rejected by the venue {symbol}: {why}  ({self.signals})"

    def _refused(self, item: Refused) -> str:
        symbol = self.units[item.instrument].symbol
        reason = Refusal(item.refusal).name.lower()
        return f"{utc(item.at_ms)}  refused {symbol}: {reason}  ({self.signals})"

    def _halted(self, item: Halted, state: State) -> str:
        at, why = utc(item.at_ms), Halt(item.halt).name.lower()
        if item.halt == Halt.NONE:
            return f"{at}  resumed: the new peak is {money(equity(state.account))}"
        return f"{at}  HALT: {why}: no new risk until `rrr resume`"


def utc(at_ms: int) -> str:
    """
    >>> utc(1_704_067_200_000)
    '2024-01-01 00:00:00 UTC'
    """
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def money(quanta: int, sign: str = "") -> str:
    """Two decimals; below a tenth as many as three figures need.

    >>> money(1_234_567_000_000), money(1_234_560), money(-5), money(3 * 10**8, "+")
    ('12,345.67', '0.0123', '-0.00000005', '+3.00')
    """
    digits = len(str(abs(quanta)))
    decimals = min(11 - digits, 8) if quanta and digits < 8 else 2
    return f"{Decimal(quanta).scaleb(-8):{sign},.{decimals}f}"


def figure(amount: int, decimals: int) -> str:
    """A price or a quantity, exactly.

    >>> figure(4_228_358_000, 5), figure(2573, 8), figure(118_805_000, 0)
    ('42,283.58', '0.00002573', '118,805,000')
    """
    return f"{Decimal(amount).scaleb(-decimals).normalize():,f}"
