"""Beside every picture of a model stand a sentence and a table of the same figures."""

from typing import Final

from rrr.backtesting.report import tables
from rrr.backtesting.report.html import Html, el
from rrr.backtesting.report.model import Table, Why

NOTHING: Final = Html("")
KEPT_BACK: Final = "kept back for the gate"


def picture(
    title: str, words: str, drawn: Html, table: Table | None, *keys: Html, note: str = ""
) -> Html:
    return el(
        "figure",
        el("figcaption", el("h3", title), *keys, el("p", tables.value(words), class_="said")),
        drawn,
        el("p", tables.value(note), class_="note") if note else NOTHING,
        el("details", el("summary", "as a table"), tables.table(table, sortable=False))
        if table
        else NOTHING,
    )


def absent(title: str, why: Why) -> Html:
    return el(
        "figure", el("figcaption", el("h3", title)), el("p", why, class_="note"), class_="absent"
    )


def key(text: str, class_: str) -> Html:
    """What a mark of this class stands for."""
    return el("span", text, class_=f"key {class_}")


def signed(value: float | None, decimals: int = 4) -> str:
    """
    >>> signed(-0.01234), signed(0.25, 2), signed(None)
    ('−0.0123', '+0.25', '–')
    """
    return "–" if value is None else tables.value(f"{value:+.{decimals}f}")


def doubtful(value: float, error: float | None) -> str:
    """
    >>> doubtful(0.021, 0.008), doubtful(-0.5, None)
    ('+0.021 ± 0.008', '−0.500')
    """
    return signed(value, 3) + (f" ± {error:.3f}" if error else "")


def candles(number: int) -> str:
    return f"{number:,} candle{'' if number == 1 else 's'}"
