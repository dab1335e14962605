"""Two programs that never saw each other agree on every fill, to the last quantum."""

from collections import Counter

import pytest

from rrr.core import market, matching, shelf
from rrr.core.market import lots
from rrr.core.orders import Kind
from tests.core.trials import differing

FILLS = 20_000


@pytest.mark.slow
def test_oracle_and_core_tell_the_same_story_of_every_order() -> None:
    heard = Counter[str]()
    assert next(differing(FILLS, 1, heard), None) is None
    for kind in [*Kind][1:]:
        assert heard[f"{kind.name.lower()}: fill"] > FILLS // 50
    for kind in (Kind.LIMIT, Kind.STOP_LIMIT):
        assert heard[f"{kind.name.lower()}: fill that rested"] > FILLS // 50
    ends = {what.removeprefix("said: ") for what in heard if what.startswith("said")}
    assert ends == {
        *("collar", "expired", "insufficient", "liquidity", "no_price", "post_only", "triggered"),
    }


def never(*_: object) -> int:
    return 0


def lower(price: int, side: int, of: market.Instrument, half_spread: int) -> int:
    return shelf.slip(price, side, of, half_spread) - side * of.tick


@pytest.mark.parametrize(
    ("where", "mutant"),
    [
        (matching, ("slip", lower)),
        (matching, ("up", market.down)),
        (matching, ("root", lambda number: number // 1_000)),
        (matching, ("followed", lambda of, trail, best: best - trail)),
        (matching, ("crossing", never)),
        (matching, ("unpaid", never)),
        (matching, ("lots", lambda of, quantity: quantity)),
        (shelf, ("lots", lambda of, quantity: lots(of, quantity) + of.lot)),
        (shelf, ("up", market.down)),
        (shelf, ("cost", market.worth)),
        (shelf, ("worth", market.cost)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value.__name__.rpartition(".")[2],
)
def test_the_oracle_sees_a_venue_that_rounds_the_other_way(
    monkeypatch: pytest.MonkeyPatch, where: object, mutant: tuple[str, object]
) -> None:
    monkeypatch.setattr(where, *mutant)
    assert next(differing(FILLS, 2, Counter()), None) is not None
