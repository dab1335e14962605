"""The books balance, or the account that does not is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rrr.core.state import State
from rrr.database import balance
from rrr.database.sessions import PRINCIPAL
from tests.storm.homes import House
from tests.storm.lives import ask, lived, living, spoil


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path, ())
    house.path.parent.mkdir()
    return house


async def state_of(path: Path) -> State:
    await lived(path, until=80)
    async with living(path) as engine:
        return engine.state


def faults(house: House, state: State) -> list[str]:
    with house.reading() as connection:
        return balance.faults(connection, 1, PRINCIPAL, state)


async def test_every_currency_sums_to_zero_and_ledger_and_state_agree(house: House) -> None:
    state = await state_of(house.path)
    assert faults(house, state) == []
    sums = ask(house.path, "SELECT currency, sum(amount) FROM postings GROUP BY currency")
    assert len(sums) == 1 + len(state.lanes)
    assert all(amount == 0 for _, amount in sums)


CHANGES: dict[str, Callable[[State], State]] = {
    "account cash of currency 0": lambda s: s._replace(
        account=s.account._replace(cash=s.account.cash + 1)
    ),
    "account flows of currency 0": lambda s: s._replace(
        account=s.account._replace(invested=s.account.invested - 1)
    ),
    "account position of currency 2": lambda s: s._replace(
        lanes=(s.lanes[0], s.lanes[1]._replace(quantity=s.lanes[1].quantity + 1), *s.lanes[2:])
    ),
}


@pytest.mark.parametrize("account", CHANGES)
async def test_an_account_that_differs_by_one_is_named(house: House, account: str) -> None:
    state = await state_of(house.path)
    assert faults(house, CHANGES[account](state))[0].startswith(account)


async def test_mutant_a_lost_transfer_names_its_account(house: House) -> None:
    state = await state_of(house.path)
    spoil(
        house.path,
        "DELETE FROM transfers WHERE target = 4 AND currency = 0"
        " AND number = (SELECT max(number) FROM fills WHERE fee > 0)",
    )
    assert any("account cash of currency 0" in fault for fault in faults(house, state))


async def test_mutant_sums_beyond_64_bits_name_their_account(house: House) -> None:
    state = await state_of(house.path)
    spoil(house.path, f"UPDATE transfers SET amount = {2**63 - 1} WHERE currency = 0")
    assert any("account cash of currency 0" in fault for fault in faults(house, state))
