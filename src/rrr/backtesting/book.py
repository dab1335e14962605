"""The terms that a book begins with."""

from collections.abc import Sequence
from dataclasses import dataclass

from rrr.core.market import Instrument
from rrr.core.shelf import Assumptions
from rrr.core.state import Law


@dataclass(frozen=True, slots=True)
class Book:
    """Whose rules, what is listed, what is assumed of the venue, and the money."""

    law: Law
    instruments: Sequence[Instrument]
    assumptions: Assumptions
    capital: int  # quanta
