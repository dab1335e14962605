"""One champion a scope, replaced whole; what is not as it was written is refused with its name."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from rrr.core.errors import ModelBroken, NotFound
from rrr.neural_network import registry
from rrr.neural_network.artefact import Artefact
from tests.builders import HOUR, START
from tests.neural_network.markets import network, scope, trained

NETWORK = network()
ACCOUNT = {"costs": {"BTC-USD": {"taker_fee_ppm": 100}}, "policy": {"stop_bps": 300}}


def model(models: Path, number: int, **more: Any) -> Artefact:
    data = {"digest": "d" * 64, "begins_ms": START, "ends_ms": START + number * HOUR}
    return trained(models, NETWORK, data=data, training=f"{number:064x}", **more)


def verdict(of: Artefact, **more: object) -> bytes:
    said = {"model": f"{of.id:012x}", "passed": True, "account": ACCOUNT} | more
    return json.dumps(said).encode()


def states(models: Path) -> dict[str, str]:
    return {one.name: one.standing.state for one in registry.standings(models)}


def test_without_a_word_every_model_is_a_candidate_and_the_newest_is_obeyed(tmp_path: Path) -> None:
    assert registry.standings(tmp_path) == []
    assert registry.champion(tmp_path, scope()) is None
    assert registry.obeyed(tmp_path, scope()) is None
    old, new = (model(tmp_path, number) for number in (5, 9))
    other = model(tmp_path, 20, symbols=["BTC-USD"])
    assert states(tmp_path) == dict.fromkeys((old.name, new.name, other.name), "candidate")
    found = registry.obeyed(tmp_path, scope())
    assert found is not None
    assert found[0].name == new.name
    assert registry.champion(tmp_path, scope()) is None


def test_a_champion_serves_until_another_takes_its_place(tmp_path: Path) -> None:
    old, new = (model(tmp_path, number) for number in (5, 9))
    registry.promote(tmp_path, old.name, 1, "passed its gate")
    for found in (registry.champion(tmp_path, scope()), registry.obeyed(tmp_path, scope())):
        assert (found[0] if isinstance(found, tuple) else found) == old
    registry.promote(tmp_path, new.name, 2, "passed its gate")
    assert registry.champion(tmp_path, scope()) == new
    assert states(tmp_path) == {old.name: "retired", new.name: "champion"}
    assert new.name in registry.standing(tmp_path, old.name).why
    other = model(tmp_path, 20, symbols=["BTC-USD"])
    registry.promote(tmp_path, other.name, 3, "another scope")
    assert registry.champion(tmp_path, scope()) == new
    registry.retire(tmp_path, new.name, 4, "no use")
    assert registry.champion(tmp_path, scope()) is None


def test_of_a_full_training_the_one_that_serves_is_obeyed_or_else_the_simplest(
    tmp_path: Path,
) -> None:
    kinds = ("network", "ridge", "boosting")
    made = {kind: model(tmp_path, 9, kind=kind, full=True) for kind in kinds}
    quick = model(tmp_path, 9, kind="network")

    def obeyed() -> str:
        found = registry.obeyed(tmp_path, scope())
        assert found is not None
        return found[0].name

    assert obeyed() == made["ridge"].name != quick.name
    registry.judged(tmp_path, made["ridge"].name, b"{}", "", made["boosting"].name)
    assert obeyed() == made["boosting"].name
    assert list(registry.siblings(tmp_path, quick)) == ["ridge", "boosting", "network"]


def test_shadows_are_watched_and_their_time_is_counted(tmp_path: Path) -> None:
    one = model(tmp_path, 5)
    registry.shadow(tmp_path, one.name, 1_000, "a test of plumbing")
    assert registry.shadows(tmp_path, scope()) == [one]
    assert registry.obeyed(tmp_path, scope()) is None
    registry.promote(tmp_path, one.name, 5_000, "passed its gate")
    registry.retire(tmp_path, one.name, 9_000, "no use")
    assert registry.standing(tmp_path, one.name).shadow_ms == 4_000
    assert registry.shadows(tmp_path, scope()) == []


def test_a_verdict_counts_for_its_model_its_account_and_only_as_it_was_written(
    tmp_path: Path,
) -> None:
    one, other = model(tmp_path, 5), model(tmp_path, 6)
    assert registry.lacking(tmp_path, one, ACCOUNT) == ["No gate judged it."]
    registry.judged(tmp_path, one.name, verdict(one), "A page.\n", one.name)
    assert registry.lacking(tmp_path, one, ACCOUNT) == []
    assert registry.page(tmp_path, one.name) == "A page.\n"
    dear = {**ACCOUNT, "costs": {"BTC-USD": {"taker_fee_ppm": 900}}}
    assert registry.lacking(tmp_path, one, dear) == [
        "It was judged with costs.BTC-USD.taker_fee_ppm 100, and this account says 900."
    ]
    registry.judged(tmp_path, other.name, verdict(one), "", other.name)
    assert registry.lacking(tmp_path, other, ACCOUNT) == ["Its verdict is of another model."]
    checks = [{"name": "holdout", "passed": False}, {"name": "days", "passed": True}]
    refused = verdict(one, passed=False, verdict={"checks": checks})
    registry.judged(tmp_path, one.name, refused, "", one.name)
    assert registry.lacking(tmp_path, one, ACCOUNT) == ["Its gate refused it: holdout."]
    path = tmp_path / "verdicts" / f"{one.name}.json"
    path.write_bytes(path.read_bytes().replace(b"false", b"true "))
    with pytest.raises(ModelBroken, match="is not what the gate wrote") as caught:
        registry.verdict(tmp_path, one.name)
    assert f"rrr models gate {one.name}" in caught.value.advice
    assert registry.lacking(tmp_path, one, ACCOUNT) == [caught.value.what]
    assert registry.stands(tmp_path, one.name, "terms") is None, "It can be judged anew."
    path.unlink()
    [lack] = registry.lacking(tmp_path, one, ACCOUNT)
    assert "cannot be read" in lack


def test_a_flipped_byte_of_the_registry_is_refused_wherever_it_is(tmp_path: Path) -> None:
    one = model(tmp_path, 5)
    registry.promote(tmp_path, one.name, 1, "passed its gate")
    path = tmp_path / registry.FILE
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 2
        path.write_bytes(damaged)
        try:
            found = registry.champion(tmp_path, scope())
        except ModelBroken as error:
            assert "registry.json" in error.what
            assert "take it away" in error.advice
        else:
            assert found == one, "Only spaces may differ."
    path.unlink()
    assert registry.champion(tmp_path, scope()) is None


def test_a_damaged_model_is_told_and_never_obeyed(tmp_path: Path) -> None:
    old, new = (model(tmp_path, number) for number in (5, 9))
    registry.promote(tmp_path, new.name, 1, "passed its gate")
    (new.folder / "model.onnx").write_bytes(b"another")
    with pytest.raises(ModelBroken, match="is not what was trained"):
        registry.champion(tmp_path, scope())
    known = {one.name: one for one in registry.standings(tmp_path)}
    assert known[new.name].artefact is None
    assert "sha256" in known[new.name].trouble
    assert known[old.name].artefact == old


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_a_champion_that_is_lost_is_named_and_can_be_replaced_or_retired(
    tmp_path: Path, how: str
) -> None:
    made = sorted((model(tmp_path, number) for number in (5, 9)), key=lambda one: one.name)
    lost, other = made[0], model(tmp_path, 20, symbols=["BTC-USD"])
    registry.promote(tmp_path, lost.name, 1, "passed its gate")
    registry.promote(tmp_path, other.name, 1, "passed its gate")
    (lost.folder / "model.onnx").write_bytes(b"another")
    if how == "gone":
        shutil.rmtree(lost.folder)
    with pytest.raises(ModelBroken, match=lost.name) as caught:
        registry.champion(tmp_path, scope())
    assert f"rrr models retire {lost.name}" in caught.value.advice
    assert registry.champion(tmp_path, other.scope) == other, "It is not its market's fault."
    assert states(tmp_path)[lost.name] == "champion", "Whoever looks sees it."
    assert registry.named_folder(tmp_path, lost.name[:8]) == lost.name
    registry.promote(tmp_path, made[1].name, 2, "passed its gate")
    assert registry.champion(tmp_path, scope()) == made[1]
    assert registry.standing(tmp_path, lost.name).state == "retired"


def test_a_model_is_named_by_the_beginning_of_its_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="rrr train"):
        registry.named(tmp_path, "abc")
    one = model(tmp_path, 5)
    model(tmp_path, 6)
    assert registry.named(tmp_path, one.name[:6]) == one
    assert registry.named(tmp_path, str(one.folder)) == one
    with pytest.raises(NotFound, match=one.name):
        registry.named(tmp_path, "zzz")
    with pytest.raises(NotFound, match="'' is no model"):
        registry.named(tmp_path, "")
    for word in ("/", "."):
        with pytest.raises(NotFound, match="is no model"):
            registry.named_folder(tmp_path, word)


def test_writers_take_turns_and_none_is_lost(tmp_path: Path) -> None:
    made = [model(tmp_path, number) for number in range(6)]
    moves = [
        threading.Thread(target=registry.shadow, args=(tmp_path, one.name, 1, "")) for one in made
    ]
    for move in moves:
        move.start()
    for move in moves:
        move.join()
    assert set(states(tmp_path).values()) == {"shadow"}


def test_the_last_retired_ones_stay_and_older_folders_go(tmp_path: Path) -> None:
    made = [model(tmp_path, number) for number in range(7)]
    registry.promote(tmp_path, made[0].name, 1, "passed its gate")
    registry.shadow(tmp_path, made[1].name, 1, "")
    for number in (2, 3):
        registry.retire(tmp_path, made[number].name, number, "no use")
    assert registry.tidy(tmp_path, 10, kept=2) == [made[2].name]
    assert states(tmp_path) == {
        made[0].name: "champion",
        made[1].name: "shadow",
        made[3].name: "retired",
        made[4].name: "retired",
        made[5].name: "candidate",
        made[6].name: "candidate",
    }
    assert registry.tidy(tmp_path, 11, kept=2) == []
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".partial")]
