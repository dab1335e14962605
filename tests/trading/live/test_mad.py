"""A strategy that went mad spends what its caps allow, and what is no number opens nothing.

In full: `python -m tests.trading.live.mad --signals 10000 --seed 1`. That a model's NaN is no
signal is in `tests/neural_network/test_model.py`.

| mutant                                          | is caught as               |
|-------------------------------------------------|----------------------------|
| the rate of orders is not judged                | orders in a minute         |
| neither wish nor rule knows the notional's cap  | notional                   |
| a halt refuses nothing                          | purchases after the halt   |
| a strategy's answer is not looked at            | a NaN that reaches a signal|
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from rrr.core import arms, policy, rules
from rrr.core.errors import StrategyBroken
from rrr.core.events import Close, Signal
from rrr.core.rules import Refusal
from rrr.core.state import Law
from rrr.neural_network.panel import Panel
from rrr.neural_network.strategies import asked
from rrr.neural_network.strategies.strategy import FULL, Strategy
from rrr.neural_network.strategies.voice import StrategyVoice
from rrr.trading.engine.engine import Moment
from tests.builders import CAPITAL, HOUR, START, candle
from tests.storm.homes import House, made
from tests.storm.lives import ask, living, moments
from tests.trading.live.mad import UNDER, busiest, mad

SIGNALS: Final = 2_000
SANE: Final = 5  # closes before it loses its mind
NUMBERS: Final = (math.nan, math.inf, -math.inf, 1e300)


async def test_ten_signals_a_millisecond_spend_no_more_than_the_caps(tmp_path: Path) -> None:
    found = await mad(tmp_path / "paper.db", 10_000, seed=1, halts=3)
    assert found.faults(UNDER) == []
    assert found.signals > 10_000
    assert found.in_a_minute_max == UNDER.orders_per_minute_max, "It spends all that it may."
    assert found.notional_max > UNDER.order_notional_max * 9 // 10
    assert 0 < found.loss < found.loss_allowed
    assert min(found.refusals[name] for name in ("order_rate", "halted", "pending")) > 0


def grant(which: Refusal, honest: Callable[..., int]) -> Callable[..., int]:
    def refuse(*case: Any) -> int:
        refusal = honest(*case)
        return Refusal.NONE if refusal == which else refusal

    return refuse


async def faults(path: Path) -> list[str]:
    return (await mad(path / "paper.db", SIGNALS, seed=1, halts=2)).faults(UNDER)


@pytest.mark.parametrize(
    ("which", "fault"),
    [
        (Refusal.ORDER_RATE, "orders in a minute"),
        (Refusal.HALTED, "purchases after the halt"),
    ],
)
async def test_mutant_a_rule_that_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: Refusal, fault: str
) -> None:
    monkeypatch.setattr(rules, "refuse", grant(which, rules.refuse))
    assert fault in await faults(tmp_path)


async def test_mutant_nobody_knows_the_cap_of_one_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlimited(law: Law, *case: Any) -> int:
        return honest(law._replace(order_notional_max=CAPITAL), *case)

    honest = policy.wish
    monkeypatch.setattr(arms, "wish", unlimited)
    monkeypatch.setattr(rules, "refuse", grant(Refusal.NOTIONAL_MAX, rules.refuse))
    assert "notional" in await faults(tmp_path)


def test_a_minute_is_any_minute() -> None:
    assert busiest([0, 59_999, 60_000, 119_998]) == 3


@dataclass(frozen=True)
class Mad(Strategy):
    """Turns round at each close; then its answer is no number."""

    answer: float = math.nan

    @property
    def window(self) -> int:
        return SANE

    def convictions(self, panel: Panel) -> Any:
        told = np.where(panel.opened_at_ms[None] // HOUR % 2 == 0, FULL, 0.0)
        told = np.broadcast_to(told, panel.there.shape).copy()
        if panel.opened_at_ms[-1] >= START + 2 * SANE * HOUR:
            told[:, -1] = self.answer
            return told
        return told.astype(np.int64)


def closes(first: int, last: int) -> list[Close]:
    return [
        Close(START + n * HOUR, START + (n - 1) * HOUR, (candle(),), ()) for n in range(first, last)
    ]


@pytest.mark.parametrize("answer", NUMBERS)
def test_a_strategy_that_says_what_is_no_number_is_blamed_and_gives_no_signal(
    answer: float,
) -> None:
    voice = StrategyVoice(Mad(answer), 1, 1, HOUR)
    spoken = voice.meet(closes(1, 2 * SANE))
    assert {one.conviction_bps for signals in spoken for one in signals} == {0, FULL}
    with pytest.raises(StrategyBroken, match=r"mad.*"):
        for close in closes(2 * SANE, 3 * SANE):
            voice.meet([close])


def test_mutant_an_answer_that_nobody_looks_at_is_a_wrong_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unchecked(strategy: Strategy, panel: Panel, names: object) -> Any:
        with np.errstate(invalid="ignore"):
            return np.asarray(strategy.convictions(panel)).astype(np.int64)

    monkeypatch.setattr(asked, "_checked", unchecked)
    voice = StrategyVoice(Mad(math.nan), 1, 1, HOUR)
    spoken = voice.meet(closes(1, 3 * SANE))
    assert any(abs(one.conviction_bps) > FULL for signals in spoken for one in signals)


@pytest.mark.parametrize("conviction", [math.nan, math.inf, -math.inf, 0.5])
async def test_a_number_with_a_fraction_that_came_past_every_door_is_not_written_nor_obeyed(
    tmp_path: Path, conviction: float
) -> None:
    path = tmp_path / "paper.db"
    wrong: Any = conviction
    async with living(path) as engine:
        await engine.take(moments()[:5])
        before, rows = engine.world, ask(path, "SELECT count(*) FROM journal")
        with pytest.raises(AssertionError, match="No float decides anything"):
            await engine.take([Moment((Signal(engine.head.at_ms, 0, wrong, 0),))])
        assert engine.world == before
        assert ask(path, "SELECT count(*) FROM journal") == rows


@pytest.mark.slow
def test_a_daemon_whose_strategy_loses_its_mind_ends_and_has_bought_nothing_since(
    tmp_path: Path,
) -> None:
    """It says NaN from its 200th hour on: the daemon says where, and all orders came before."""
    file = tmp_path / "insane.py"
    file.write_text(INSANE, encoding="utf-8")
    house = House(tmp_path / "home", (*made(tmp_path, hours=400), "--signals", f"{file}:Insane"))
    last = house.run()
    assert last.code == StrategyBroken.exit_code, last.err
    assert "says nan at the candle of" in last.err
    ((told_ms,),) = house.ask("SELECT max(at_ms) FROM signals")
    bought = house.ask("SELECT at_ms FROM orders WHERE side = 1")
    assert len(bought) > 3
    assert max(bought) <= (told_ms,)
    assert house.ask("SELECT count(*) FROM journal WHERE core LIKE '%nan%'") == [(0,)]


INSANE: Final = """
import numpy as np
from rrr.neural_network.strategies import FULL, I64, Panel, Strategy

class Insane(Strategy):
    name = "insane"

    @property
    def window(self) -> int:
        return 3

    def convictions(self, panel: Panel) -> I64:
        hour = np.broadcast_to(panel.opened_at_ms[None] // 3_600_000, panel.there.shape)
        told = np.where(hour // 8 % 2 == 0, FULL, 0)
        return np.where(hour < 473_600, told, np.nan) if hour.max() >= 473_600 else told
"""
