"""What a run leaves: every order, fill, refusal and halt, the equity at each close, a digest a day.

Rows are records of the core as columns of whole numbers: first the journal's number of the kind,
then the fields of the record in their order, then zeros. Candles and signals are no rows: they are
what the run was given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rrr.core.events import Flow, Halted, Refused
from rrr.core.market import Instrument
from rrr.core.orders import Amend, Cancel, Order, Report
from rrr.core.state import Law
from rrr.database.journal import KINDS
from rrr.neural_network.panel import I64
from rrr.trading.engine.paper import World

Row = Order | Cancel | Amend | Report | Refused | Halted | Flow
WIDTH: Final = 1 + len(Order._fields)  # of a row: the widest record, and its kind
_WHAT: Final = {KINDS[what]: what for what in (Order, Cancel, Amend, Report, Refused, Halted, Flow)}


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A run of one book over one history."""

    law: Law
    instruments: Sequence[Instrument]
    timeframe_ms: int
    rows: I64  # (rows, WIDTH), in the order in which they happened
    at_ms: I64  # (closes,): closing times
    equity: I64  # (closes,): quanta at each close, positions at the bid
    worth: I64  # (closes, instruments): of it, what each position is worth
    invested: I64  # (closes,): deposits less withdrawals until then, quanta
    world: World  # as the last close left it
    digests: Sequence[tuple[int, str]]  # each UTC day's number since 1970, and its digest
    refusals: dict[tuple[int, int], int]  # (instrument, refusal): how often, repeats counted

    @property
    def digest(self) -> str:
        """Of all that happened; two runs with the same one are the same."""
        return self.digests[-1][1] if self.digests else ""

    def column(self, what: type[Row], name: str) -> I64:
        """One field of all records of a kind."""
        place = 1 + what._fields.index(name)
        column: I64 = self.rows[self.rows[:, 0] == KINDS[what]][:, place]
        return column

    def records(self) -> Iterator[Row]:
        """Every row as the record that it is."""
        for row in self.rows.tolist():
            what = _WHAT[row[0]]
            yield what(*row[1 : 1 + len(what._fields)])


def no_rows() -> I64:
    return np.zeros((0, WIDTH), np.int64)
