"""A promise that somebody broke is noticed: some mutants here, all by the command."""

import pytest

from tests.trading.live.mutants import MUTANTS, ROOT, Mutant, caught_by


@pytest.mark.parametrize("mutant", MUTANTS, ids=[one.change for one in MUTANTS])
def test_each_mutant_is_a_change_of_what_is_there(mutant: Mutant) -> None:
    text = (ROOT / "src" / "rrr" / mutant.file).read_text("utf-8")
    assert text.count(mutant.was) == 1
    file, _, named = mutant.test.partition("::")
    tests = (ROOT / "tests" / file).read_text("utf-8")
    assert all(f"def {name}" in tests for name in named.split(" or "))


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutant", [one for one in MUTANTS if one.quick], ids=[o.change for o in MUTANTS if o.quick]
)
def test_a_broken_promise_is_caught(mutant: Mutant) -> None:
    assert caught_by(mutant)
