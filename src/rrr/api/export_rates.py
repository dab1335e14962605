"""A sum is worth in another currency what the rate of its day made it, or nothing is said at all.

The table is a person's own: a CSV of `date,rate`, where a rate is how much of the reporting
currency one unit of the quote was on that UTC day. No day is guessed from its neighbours.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final

from rrr.api.lots import day
from rrr.core.errors import DataError, NotFound

HEADER: Final = ["date", "rate"]
DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
RATE: Final = re.compile(r"\d{1,12}(\.\d{1,18})?")
FORM: Final = "Each line is a day and a rate, such as 2024-01-31,0.9212."


@dataclass(frozen=True, slots=True)
class Rates:
    """Exact rates by UTC day."""

    name: str
    by_day: Mapping[date, Decimal]

    @classmethod
    def read(cls, path: Path) -> "Rates":
        """Raise NotFound or DataError; the line is named."""
        by_day: dict[date, Decimal] = {}
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = csv.reader(file)
                if [name.strip() for name in next(lines, [])] != HEADER:
                    raise DataError(f"{path} does not begin with the line date,rate.", FORM)
                for line in lines:
                    if line:
                        at, rate = _parsed(line, f"{path}, line {lines.line_num}")
                        if at in by_day:
                            raise DataError(f"{path} has two rates for {at}.", "Keep one of them.")
                        by_day[at] = rate
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} is no CSV text: {error}.", FORM) from error
        except OSError as error:
            raise NotFound(
                f"{path} cannot be read: {error.strerror}.", "Name a file of rates with --rates."
            ) from error
        return cls(str(path), by_day)

    def need(self, times_ms: Iterable[int]) -> None:
        """Raise NotFound where the day of one of these times has no rate."""
        missing = sorted({day(at_ms) for at_ms in times_ms} - self.by_day.keys())
        if missing:
            more = f" and {len(missing) - 1:,} other days" if len(missing) > 1 else ""
            raise NotFound(
                f"{self.name} has no rate for {missing[0]}{more}.",
                f"Add a line for it: {missing[0]},RATE. Weekends are days too.",
            )

    def at(self, at_ms: int) -> Decimal:
        return self.by_day[day(at_ms)]

    def converted(self, amount: int, at_ms: int) -> int:
        """Quanta of the quote as quanta of the reporting currency, to the nearest, ties to even."""
        return round(amount * Fraction(self.at(at_ms)))


def _parsed(line: list[str], place: str) -> tuple[date, Decimal]:
    if len(line) != len(HEADER):
        raise DataError(f"{place} has {len(line)} columns.", FORM)
    at, rate = (text.strip() for text in line)
    if not RATE.fullmatch(rate) or not Decimal(rate):
        raise DataError(f"{place} has no rate: {rate!r}.", FORM)
    try:
        if not DATE.fullmatch(at):
            raise ValueError("it is not written YYYY-MM-DD")
        return date.fromisoformat(at), Decimal(rate)
    except ValueError as error:
        raise DataError(f"{place} has no date: {at!r} ({error}).", FORM) from error
