"""A person's word moves models between states; who trades heeds it, at once or as it begins."""

import json
from pathlib import Path
from typing import Any

import pytest

from rrr.core.events import Close, Event, Signal
from rrr.data_pipeline.market import Arrival
from rrr.database import sessions
from rrr.monitoring.notes import Note
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact
from rrr.wiring.opinions import Opinions
from tests.neural_network.markets import network, trained
from tests.wiring.rooms import housed

ASKED = {"signals": "model", "speed": "3600"}


def crowned(opinions: Opinions) -> Artefact:
    scope = opinions.scope
    about: dict[str, Any] = {"market": scope.market, "timeframe_ms": scope.timeframe_ms}
    made = trained(opinions.models, network(), symbols=list(scope.symbols), **about)
    registry.promote(opinions.models, made.name, 1, "a person's word, on paper only")
    return made


@pytest.mark.parametrize("real", [False, True])
async def test_real_money_never_obeys_who_is_promoted_without_proof_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: bool
) -> None:
    async with housed(tmp_path, **ASKED) as house:
        told: list[Note] = []
        monkeypatch.setattr(house.teller, "note", told.append)
        house.opinions.real_money = real
        made, opinions = crowned(house.opinions), house.opinions
        await opinions._look()
    if not real:
        assert opinions.successor is not None
        assert opinions.successor[1] == made
        return
    assert opinions.successor is None
    [note] = told
    assert note.name == "champion_unproven"
    assert f"{made.name} is not obeyed with real money" in note.text
    assert "No gate judged it." in note.text
    assert "0.0 of 7 days" in note.text


@pytest.mark.parametrize("retired", [False, True])
async def test_who_is_retired_does_not_speak_from_the_next_start_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retired: bool
) -> None:
    async with housed(tmp_path, **ASKED) as house:
        told: list[Note] = []
        monkeypatch.setattr(house.teller, "note", told.append)
        made, opinions = crowned(house.opinions), house.opinions
        known = made.id, "a model", 1, json.dumps({"folder": made.name})
        await house.db.write(lambda connection: sessions.know_model(connection, *known))
        if retired:
            registry.retire(opinions.models, made.name, 2, "no use")
        await opinions._recall(house.db, made.id)
    assert (opinions.voice.model == made.id) is not retired
    assert [note.text.partition(". ")[0] for note in told] == [
        f"{made.name} is retired: no use"
    ] * retired


async def test_who_is_about_to_speak_or_speaks_does_not_take_over_from_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with housed(tmp_path, **ASKED) as house:
        told: list[Note] = []
        monkeypatch.setattr(house.teller, "note", told.append)
        made, opinions = crowned(house.opinions), house.opinions
        await opinions.learn()
        await opinions._look()
        assert [note.name for note in told] == ["model_ready"]
        opinions._take_over(1)
        opinions.offer(made)
        assert opinions.successor is None


async def test_the_baseline_never_speaks_for_a_proven_model_with_real_money(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with housed(tmp_path, **ASKED) as house:
        opinions, closes = house.opinions, house.market.history(300)
        arrivals = [Arrival(close) for close in closes]
        assert any(isinstance(event, Signal) for event in await said(opinions, arrivals[:250]))
        house.opinions.real_money = True
        events = await said(opinions, arrivals[250:])
        assert {type(event) for event in events} == {Close}
        await opinions.learn()
        assert opinions.successor is None, "No model is made for it beside the gate."


async def said(opinions: Opinions, arrivals: list[Arrival]) -> list[Event]:
    return [event for moment in await opinions.meet(arrivals) for event in moment.events]
