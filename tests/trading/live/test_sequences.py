"""No word of a venue breaks a law of the book, and a core or a seam that is broken on purpose does.

In full: `python -m tests.trading.live.sequences --examples 5000 --steps 50 --seed 1`.

| mutant                                         | is caught as                               |
|------------------------------------------------|--------------------------------------------|
| a fill that was told before is booked again    | books that differ from what was told       |
| the fill of an order that is over is forgotten | books that differ from what was told       |
| an unknown order is taken for one that failed  | coins that are sold twice                  |
| a stop is not set                              | a position that is silently bare           |
| a stop that is called back counts as gone      | an order that works and nobody knows       |
| more is bought while a stop is unknown         | a purchase beside an order of unknown fate |
| a halt calls nothing off                       | a purchase under a halt                    |
| an end of a purchase keeps what it held        | cash that nobody frees                     |
| a stop that would not change is asked again    | a stop that is asked more than once        |
| what is due is sold before the stop is less    | coins that are sold twice                  |
| a stop is asked for all, whatever is due       | a stop of more than stays                  |
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from rrr.api import why_words
from rrr.core import arms, kernel, orders, pursuit, rules
from rrr.core.market import Instrument
from rrr.core.orders import Kind, Order, Report, Side, Stage, Status
from rrr.core.rules import Refusal
from rrr.core.state import Account, Lane, Law
from rrr.database.sessions import Unit
from tests.builders import BTC, LAW, RICH, START, lane, order
from tests.trading.live.sequences import broken, played, sequences, shortened

EXAMPLES: Final = 250
SEED: Final = 7
HEARD: Final = (
    *("accepted", "filled", "cancelled", "rejected", "triggered", "unknown", "a cancel refused"),
    *("a flow", "again", "filled, after its end"),
    *("amended", "amended, by a look", "an amendment refused", "an amendment expired"),
)
AMENDMENTS: Final = (
    *("sent: amend", "lost: an amendment", "lost: the answer to an amendment"),
    *(f"an amendment comes: {how}" for how in ("late", "too late", "filled", "before its cancel")),
)


def test_no_word_in_any_order_breaks_a_law_and_all_is_settled_at_the_end() -> None:
    told = Counter[str]()
    for steps in sequences(EXAMPLES, 50, SEED):
        assert broken(steps, told) == "", shortened(steps)
    assert {f"told: {word}" for word in HEARD} <= set(told), "The venue is not dull."
    assert min(told[f"sent: {slot}"] for slot in ("order", "stop", "target", "cancel")) > 50
    assert min(told[f"looked up: {how}"] for how in ("found", "not placed")) > 0
    assert min(told[word] for word in AMENDMENTS) > 0, "Amendments meet all that may happen."


def test_the_same_seed_is_the_same_sequence() -> None:
    (steps,) = sequences(1, 80, SEED)
    one, other = played(steps), played(steps)
    assert (one.state, one.told) == (other.state, other.told)


@pytest.mark.parametrize("leg", ["stop", "target"])
@pytest.mark.parametrize("stage", [Stage.SENDING, Stage.CANCELLING, Stage.UNKNOWN])
def test_nobody_adds_to_what_may_stand_bare_and_everybody_may_leave(leg: str, stage: Stage) -> None:
    guard = order(sequence=3, kind=int(Kind.STOP), side=int(Side.SELL), stage=int(stage))
    bare = lane(volatility_ppm=10_000, **{leg: guard})
    assert rules.refuse(LAW, RICH, bare, BTC, 10**8, START) == Refusal.PENDING
    assert rules.refuse(LAW, RICH, bare, BTC, -(10**8), START) == Refusal.NONE
    sure = lane(volatility_ppm=10_000, **{leg: guard._replace(stage=int(Stage.WORKING))})
    assert rules.refuse(LAW, RICH, sure, BTC, 10**8, START) == Refusal.NONE
    unit = Unit("made", "BTC-USD", "BTC", "USD", 4, 8, 0, "")
    assert why_words.pending(unit, bare) == "order 3, which protects what is held, is not confirmed"


def book_twice(honest: Callable[..., int]) -> object:
    return lambda lane, report: 0


def forget_the_end(honest: Callable[..., object]) -> object:
    """The fill of an order that is over is no fill."""

    def on_report(law: object, account: object, lane: object, of: object, said: Report) -> object:
        if said.status == Status.FILLED and not any(
            one.sequence == said.sequence
            for one in (lane.order, lane.stop, lane.target)  # type: ignore[attr-defined]
        ):
            return pursuit.nothing(account, lane)  # type: ignore[arg-type]
        return honest(law, account, lane, of, said)

    return on_report


def take_silence_for_a_no(honest: Callable[[Order, Report], Order]) -> object:
    def told(order: Order, report: Report) -> Order:
        if report.status == Status.UNKNOWN:
            return order._replace(stage=int(Stage.REJECTED))
        return honest(order, report)

    return told


def protect_nothing(honest: Callable[..., object]) -> object:
    return lambda law, account, lane, *rest: pursuit.nothing(account, lane)


def sell_beside_the_stop(honest: Callable[..., object]) -> object:
    """A stop that is called back is gone, whatever the venue still fills."""

    def defend(law: object, account: object, lane: object, *rest: object) -> object:
        out = honest(law, account, lane, *rest)
        if out.cancel and out.lane.stop.sequence == out.cancel:  # type: ignore[attr-defined]
            gone = out.lane._replace(stop=orders.NO_ORDER)  # type: ignore[attr-defined]
            return out._replace(lane=gone)  # type: ignore[attr-defined]
        return out

    return defend


def trust_the_unknown(honest: Callable[[Order], int]) -> object:
    return lambda order: 0


def judge_no_halt(honest: Callable[..., int]) -> object:
    def refuse(*case: object) -> int:
        refusal = honest(*case)
        return Refusal.NONE if refusal == Refusal.HALTED else refusal

    return refuse


def keep_the_hold(honest: Callable[..., object]) -> object:
    return lambda account, lane, of, rest: honest(account, lane, of, rest or lane.order.quantity)


def ask_again(honest: Callable[[Lane, Instrument], int]) -> object:
    def amends(lane: Lane, of: Instrument) -> int:
        return honest(lane._replace(stop=lane.stop._replace(attempt=0)), of)

    return amends


def sell_first(honest: Callable[..., object]) -> object:
    """What is due leaves at once, and the stop is asked for the rest afterwards."""

    def amend(law: Law, account: Account, lane: Lane, of: Instrument, at_ms: int) -> object:
        if lane.due < 0 and lane.stop.stage == Stage.WORKING:
            return pursuit.take(law, account, lane, of, at_ms)
        return honest(law, account, lane, of, at_ms)

    return amend


def ask_for_all(honest: Callable[..., int]) -> object:
    return lambda lane, of: honest(lane._replace(due=0), of)


Break = Callable[..., object]
MUTANTS: Final[list[tuple[object, str, Break, str]]] = [
    (arms, "booked", book_twice, "each_fill_is_booked_once|settle"),
    (kernel, "on_report", forget_the_end, "each_fill_is_booked_once"),
    (arms, "told", take_silence_for_a_no, "no_order_is_lost_or_doubled|covered"),
    (pursuit, "protect", protect_nothing, "bare|all_is_settled"),
    (pursuit, "defend", sell_beside_the_stop, "no_order_is_lost_or_doubled|covered"),
    (rules, "awaited", trust_the_unknown, "what_leaves_is_legal"),
    (rules, "refuse", judge_no_halt, "what_leaves_is_legal"),
    (arms, "held_for", keep_the_hold, "the_account_is_the_sum|all_is_settled|held"),
    (pursuit, "amends", ask_again, "what_is_amended"),
    (pursuit, "amend", sell_first, "covered"),
    (pursuit, "kept", ask_for_all, "what_is_amended"),
]


@pytest.mark.parametrize(("owner", "name", "break_it", "laws"), MUTANTS)
def test_a_broken_core_is_caught(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, break_it: Break, laws: str
) -> None:
    monkeypatch.setattr(owner, name, break_it(getattr(owner, name)))
    found = next(filter(None, map(broken, sequences(200, 50, SEED))), "")
    assert any(law in found for law in laws.split("|")), found
