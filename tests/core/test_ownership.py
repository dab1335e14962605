"""Every field of the state is written by one module: the one that is named beside it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rrr.core import state
from rrr.core.state import Account, Lane
from tests.house.source import Module, core, mutant

RECORDS = {"Account": Account._fields, "Lane": Lane._fields}
FIELDS = {*Account._fields, *Lane._fields}

# Records of other files. Whatever else is replaced is taken for an account or a lane.
OTHERS = {
    *("order", "stop", "target", "lane.order", "lane.stop", "lane.target", "report", "NO_REPORT"),
    *("purse", "shelf", "matched", "matched.shelf", "instrument", "state", "account.memory"),
    *("ended", "kept", "NO_ENDED", "NO_ORDER", "wanted"),
}
OTHERS_CALLED = {"said", "drafted", "NO_REPORT._replace"}
KERNEL = {"kernel", "arms", "pursuit"}  # one machine in three files


def owners() -> dict[str, dict[str, str]]:
    """Of each record, who owns each field: read from the words beside it."""
    source = Path(state.__file__).read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = {record: {} for record in RECORDS}
    record = ""
    for line in source.splitlines():
        if opened := re.match(r"class (\w+)\(", line):
            record = opened[1]
        owned = re.match(r"    (\w+): \S.*?  # (\w+)(?::|$)", line)
        if record in found and owned:
            found[record][owned[1]] = owned[2]
    return found


OWNERS = {field: owner for record in owners().values() for field, owner in record.items()}
OWNED_TWICE = {"worth", "risk"}  # of the account, the sums of the lanes': the same owner


def foreign(module: Module) -> Iterator[str]:
    """Each write of a field that belongs to another module."""
    here = module.name.rpartition(".")[2]
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in RECORDS and here != "state":
            yield f"{node.lineno}: {called} is made here, not replaced."
        if not called.endswith("._replace"):
            continue
        target = called.removesuffix("._replace")
        if target in OTHERS or target.partition("(")[0] in OTHERS_CALLED:
            continue
        for word in node.keywords:
            if word.arg is None:
                yield f"{node.lineno}: nobody can read which fields ** writes."
            elif OWNERS.get(word.arg) != ("kernel" if here in KERNEL else here):
                owner = OWNERS.get(word.arg, "nobody")
                yield f"{node.lineno}: {target}.{word.arg} belongs to {owner}."


def test_every_field_names_its_owner() -> None:
    for record, fields in RECORDS.items():
        assert tuple(owners()[record]) == fields


def test_every_owner_is_a_module_of_the_core() -> None:
    assert {f"rrr.core.{owner}" for owner in OWNERS.values()} <= {one.name for one in core()}


def test_a_field_of_both_records_has_one_owner() -> None:
    both = set(Account._fields) & set(Lane._fields)
    assert both == OWNED_TWICE
    assert {owners()[record][field] for record in RECORDS for field in both} == {"ledger"}


@pytest.mark.parametrize("module", core(), ids=lambda module: module.name)
def test_a_field_is_written_by_its_owner_alone(module: Module) -> None:
    assert [f"{module.path}:{line}" for line in foreign(module)] == []


def test_every_field_is_written_by_somebody() -> None:
    written = {
        word.arg
        for module in core()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("._replace")
        for word in node.keywords
    }
    assert written >= FIELDS


@pytest.mark.parametrize(
    "text",
    [
        "account = account._replace(cash=0)",
        "lane = lane._replace(due=0, quantity=1)",
        "other = first(lane)._replace(due=0)",
        "account = account._replace(**changes)",
        "lane = Lane(1, 2, 3)",
        "account = account._replace(unheard_of=1)",
    ],
)
def test_a_write_from_another_room_is_seen(text: str) -> None:
    assert list(foreign(mutant(text, "rrr.core.rules")))
