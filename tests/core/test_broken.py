"""A core that breaks one of its laws does not get through a few random histories."""

from collections.abc import Callable
from importlib import import_module

import pytest

from rrr.core import ledger, shelf
from rrr.core.events import Halted
from rrr.core.orders import NO_REPORT, Report
from rrr.core.pursuit import nothing
from rrr.core.rules import Refusal
from rrr.core.shelf import Assumptions
from tests.builders import LAW, LISTED
from tests.core.test_laws import play

pytestmark = pytest.mark.slow

PATIENT = LAW._replace(
    entry_maker=1, maker_offset_bps=10, target_rests=1, target_bps=100, cooldown_ms=10_000_000
)


def lose_a_transfer(honest: Callable[[Report], tuple[ledger.Transfer, ...]]) -> object:
    return lambda report: honest(report)[:-1]


def forget_a_hold(honest: Callable[..., ledger.Booked]) -> object:
    return lambda account, lane, instrument, rest: ledger.Booked(account, lane._replace(hold=0))


def drop_a_fee(honest: Callable[..., shelf.Matched]) -> object:
    def fill(*args: object) -> shelf.Matched:
        matched = honest(*args)
        return matched._replace(report=matched.report._replace(fee=0))

    return fill


def judge_nothing(honest: Callable[..., int]) -> object:
    return lambda law, account, lane, instrument, change, at_ms: Refusal.NONE


def protect_nothing(honest: Callable[..., object]) -> object:
    return lambda law, account, lane, instrument, held, at_ms: nothing(account, lane)


def call_nothing_back(honest: Callable[..., object]) -> object:
    return lambda state, at_ms: (state, (Halted(at_ms, state.account.halted),))


def flee_later(honest: Callable[..., object]) -> object:
    return lambda state, decisions, at_ms: (state, decisions)


def keep_the_old_worth(honest: Callable[..., object]) -> object:
    return lambda account, lane, instrument, half: ledger.Booked(
        account, lane._replace(half_spread=half)
    )


def hear_no_touch(honest: Callable[..., object]) -> object:
    return lambda shelf, half: shelf


def wish_in_floats(honest: Callable[..., int]) -> object:
    return lambda *args: honest(*args) * 1.0


def end_no_partner(honest: Callable[..., shelf.Matched]) -> object:
    return lambda purse, here, at_ms: shelf.Matched(purse, here, NO_REPORT)


def think_all_is_covered(honest: Callable[..., int]) -> object:
    return lambda order, quantity, instrument: 1


def keep_what_a_purchase_held(honest: Callable[..., shelf.Matched]) -> object:
    def ended(purse: shelf.Purse, *args: object) -> shelf.Matched:
        return honest(purse, *args)._replace(purse=purse)

    return ended


def let_them_rest(honest: Callable[..., object]) -> object:
    return lambda account, lane: nothing(account, lane)


@pytest.mark.parametrize(
    ("where", "mutant"),
    [
        ("ledger.transfers", lose_a_transfer),
        ("pursuit.held_for", forget_a_hold),
        ("matching.exchanged", drop_a_fee),
        ("rules.refuse", judge_nothing),
        ("pursuit.protect", protect_nothing),
        ("kernel.stopped", call_nothing_back),
        ("kernel.flattened", flee_later),
        ("ledger.touch", keep_the_old_worth),
        ("shelf.touch", hear_no_touch),
        ("arms.wish", wish_in_floats),
        ("matching.uncovered", end_no_partner),
        ("pursuit.covers", think_all_is_covered),
        ("matching.ended", keep_what_a_purchase_held),
        ("pursuit.recalled", let_them_rest),
    ],
)
def test_a_broken_core_is_caught(
    monkeypatch: pytest.MonkeyPatch, where: str, mutant: Callable[[object], object]
) -> None:
    room, _, name = where.partition(".")
    assumed = Assumptions(250, 100_000, 300_000, 0)
    honest = getattr(import_module(f"rrr.core.{room}"), name)
    monkeypatch.setattr(f"rrr.core.{where}", mutant(honest))
    with pytest.raises(AssertionError):
        for seed in range(20):
            play(seed, LAW, LISTED, 40)
            play(seed, PATIENT, LISTED, 40, assumed._replace(by_touch=seed % 2))
