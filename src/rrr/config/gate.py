"""What a person decides of the gate; what luck may show is arithmetic and no setting."""

from .kinds import whole
from .sections import Section


class Gate(Section):
    """What a model must overcome before it is believed; docs/models.md explains the rest."""

    prior_trials: int = whole(
        21, "recipes", 0, 100_000, "Failures from before there was a ledger: they count as tried."
    )
    random_twins: int = whole(
        200, "twins", 20, 10_000, "Records made of its own opinions at other times: all must fail."
    )
    adverse_ppm: int = whole(
        200, "ppm", 0, 100_000, "How far the price goes beyond an order that rested and is filled."
    )
    drawdown_refused_bps: int = whole(
        2_500, "bps", 1, 10_000, "A deeper fall of equity out of sample is refused."
    )
