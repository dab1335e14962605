"""When a forecast is too small, too unsure or too old to be traded on."""

from typing import Annotated

from pydantic import Field

from .kinds import setting, whole
from .sections import Section

HOURS_MAX = 100_000


class Abstain(Section):
    """What a model must promise before it is followed, and how long it is believed."""

    margin_ppm: int = whole(
        0, "ppm", 0, 1_000_000, "What a rise must promise beyond the cost of a round trip."
    )
    hold_bps: int = whole(
        2_500, "bps", 0, 10_000, "Less than this share of that cost promised: what is held goes."
    )
    probability_min_bps: int = whole(
        5_200, "bps", 5_000, 10_000, "How likely a rise must be before anything is opened."
    )
    expire_hours: Annotated[int, Field(ge=1, le=HOURS_MAX)] | None = setting(
        None,
        "hours",
        f"a whole number from 1 to {HOURS_MAX}",
        "An older model wishes to be flat; none: of an exchange, three times the retraining.",
    )
