"""A stop is changed where it rests: said once, and believed when the venue shows it.

While an amendment is under way, and for a while after its answer, an older answer may still come:
`standing` names what is wished until then. Where nobody answers, the time is over soon after the
venue would refuse it by itself; what lands later all the same is found by the next look.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from rrr.core.orders import Amend, Order, Rejection, Stage, amended, is_stop
from rrr.trading.live.claims import OrderClaim
from rrr.trading.live.figures import UNTOLD
from rrr.trading.live.outcomes import Kind, Outcome
from rrr.trading.live.seen import CLOCKS_MS, OPEN

SILENCE_MS: Final = 12_000  # a little longer than the deadline that it bears


@dataclass(slots=True)
class Amendments:
    _until_ms: dict[int, tuple[Amend, float]] = field(default_factory=dict)  # by sequence

    def begun(self, wanted: Amend) -> None:
        self._until_ms[wanted.sequence] = (wanted, inf)

    def answered(self, wanted: Amend, outcome: Outcome, now_ms: int) -> None:
        patience_ms = {
            Kind.CONFIRMED: CLOCKS_MS,
            Kind.REJECTED: 0,
            Kind.UNKNOWN: SILENCE_MS,
        }
        standing, _ = self._until_ms.get(wanted.sequence, (None, 0))
        if standing == wanted:
            self._until_ms[wanted.sequence] = (wanted, now_ms + patience_ms[outcome.kind])

    def standing(self, at_ms: int) -> Mapping[int, Amend]:
        """What was asked at this time may show these, or what was before them."""
        self._until_ms = {s: one for s, one in self._until_ms.items() if one[1] > at_ms}
        return {sequence: wanted for sequence, (wanted, _) in self._until_ms.items()}


def became(stop: Order, wanted: Amend, outcome: Outcome) -> dict[str, int]:
    """The figures of the report that the book is owed; none where it is not, or not yet.

    A look at the account may have told it before. That the venue does not know the stop any more
    says nothing of the amendment: the stop's last word is on its way. That it has become less is
    looked at before coins are sold by it: a part may have filled.
    """
    waits = stop.sequence == wanted.sequence and stop.stage in (Stage.AMENDING, Stage.CANCELLING)
    if not waits or is_silent(outcome):
        return {}
    if is_less(stop, wanted, outcome):
        return {}
    done = outcome.kind is Kind.CONFIRMED
    now = amended(stop, wanted.quantity, wanted.price) if done else stop
    return {
        "quantity": now.quantity,
        "price": now.price,
        "rejection": int(Rejection.NONE if done else outcome.rejection or Rejection.TERMS),
    }


def shown(
    stop: Order | None, claim: OrderClaim, wished: Amend | None, filled: int
) -> dict[str, int]:
    """The same, by what the venue shows of a stop that works in the book, so much of it filled.

    While an amendment is under way only what it wished is its word, and less filled than is booked
    is never: all else may be from before it.
    """
    if stop is None or not is_stop(stop.kind) or claim.quantity == UNTOLD or claim.filled < filled:
        return {}
    over = claim.standing not in OPEN
    if wished is not None and claim.quantity != wished.quantity and not over:
        return {}
    # A venue that is asked for less than is filled says yes, and ends what is left.
    quantity = max(claim.quantity, claim.filled)
    landed = quantity != stop.quantity or claim.trigger not in (UNTOLD, stop.price)
    if not landed and (wished is not None or stop.stage != Stage.AMENDING):
        return {}
    usual = stop.price if wished is None else wished.price
    return {
        "quantity": quantity,
        "price": usual if claim.trigger == UNTOLD else claim.trigger,
        "rejection": int(Rejection.NONE if landed else Rejection.EXPIRED),
    }


def is_silent(outcome: Outcome) -> bool:
    """Whether it says nothing of what the stop is now."""
    return outcome.kind is Kind.UNKNOWN or outcome.rejection == Rejection.UNKNOWN_ORDER


def is_less(stop: Order, wanted: Amend, outcome: Outcome) -> bool:
    return outcome.kind is Kind.CONFIRMED and wanted.quantity < stop.quantity
