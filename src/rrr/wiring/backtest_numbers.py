"""A figure has one way to be written, wherever it is shown.

What a row keeps of a run enters. A figure that cannot be told is a dash, and has its reason.
"""

from collections.abc import Sequence
from typing import Final

from rrr.core.market import QUANTA
from rrr.database.research import Run
from rrr.monitoring.words import money

NONE: Final = "–"
LARGE: Final = 1_000  # of which nobody counts the cents


class Numbers:
    """The figures of one run, by their names in JSON."""

    def __init__(self, run: Run) -> None:
        self.run, self.told = run, run.metrics
        self.quote: str = run.metrics["about"]["quote"]
        self.days: float = run.metrics["days"]

    def ratio(self, name: str, sign: str = "+") -> str:
        value = self.told[name]
        return NONE if value is None else f"{value * 100:{sign},.2f} %"

    def number(self, name: str) -> str:
        value = self.told[name]
        return NONE if value is None else f"{value:,.2f}"

    def amount(self, value: float, sign: str = "") -> str:
        return money(round(value * QUANTA), sign)

    def paid(self, name: str, sign: str = "") -> str:
        return f"{self.amount(self.told[name], sign)} {self.quote}"

    def short(self, value: float, sign: str = "") -> str:
        """An amount in a narrow column."""
        return f"{value:{sign},.0f}" if abs(value) >= LARGE else self.amount(value, sign)

    def reason(self, name: str) -> str:
        """Why a figure cannot be told; nothing if it can."""
        return str(self.told["reasons"].get(name, ""))

    def interval(self) -> str:
        """Of the Sharpe ratio; nothing where there is none."""
        low, high = self.told["sharpe_low"], self.told["sharpe_high"]
        return "" if low is None else f"95 % between {low:.2f} and {high:.2f}"

    def won(self) -> str:
        """Of the round trips that are over."""
        told = self.told
        still = f", {told['round_trips_open']:,} still open" if told["round_trips_open"] else ""
        if told["won_ratio"] is None:
            return f"{self.reason('won_ratio')}{still}"
        return f"{told['round_trips_won']:,} won, {share(told['won_ratio'])}{still}"


def signed(ratio: float) -> str:
    """
    >>> signed(0.0123), signed(-12.5)
    ('+1.23 %', '-1,250.00 %')
    """
    return f"{ratio * 100:+,.2f} %"


def share(ratio: float, sign: str = "") -> str:
    """
    >>> share(0.0123), share(0.5, "+")
    ('1.2 %', '+50.0 %')
    """
    return f"{ratio * 100:{sign},.1f} %"


def whole(ratio: float) -> str:
    """
    >>> whole(0.714)
    '71 %'
    """
    return f"{ratio * 100:.0f} %"


def within(interval: dict[str, float], sign: str = "+") -> str:
    """
    >>> within({"low": -0.1, "high": 0.25}), within({"low": 0.1, "high": 0.25}, "")
    ('-10 to +25 %', '10 to 25 %')
    """
    return f"{interval['low'] * 100:{sign},.0f} to {interval['high'] * 100:{sign},.0f} %"


def names(symbols: Sequence[str]) -> str:
    """
    >>> names(["A", "B"]), names(list("ABCDEFG"))
    ('A, B', '7 instruments')
    """
    return ", ".join(symbols) if len(symbols) <= 6 else f"{len(symbols)} instruments"
