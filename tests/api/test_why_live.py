"""Where orders leave the house, `rrr why` tells what became of them, and what is not known."""

from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.api import why_words
from rrr.api.why import why, why_in_words
from rrr.core.orders import Kind, Side, Stage
from rrr.database import live, sessions
from rrr.database.live import Foreign, Outside, Tied
from rrr.database.opening import LIVE, connect_read_only
from rrr.database.sessions import Unit
from rrr.trading.engine.opening import core_hash
from tests.api.afar import KEY, Desk, Fate, ask, buys, living, trade, traded, write
from tests.builders import LAW, QUANTA, START, lane, order
from tests.storm.lives import moments

FIRST: Final = """SELECT s.at_ms, s.sequence FROM order_states s
    JOIN orders o USING (session, book, sequence)
    WHERE s.state = ? AND o.instrument = 0 ORDER BY s.number LIMIT 1"""
DOLLARS: Final = Unit("kraken", "BTC-USD", "BTC", "USD", 4, 8, 0, "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def told(path: Path, at_ms: int | None = None, symbol: str = "BTC-USD") -> dict[str, Any]:
    with closing(connect_read_only(path, LIVE)) as connection:
        return why(connection, sessions.named(connection, None), symbol, at_ms, core_hash())


def words(path: Path, at_ms: int | None = None, symbol: str = "BTC-USD") -> str:
    """As one line: what is broken at 80 columns is one sentence."""
    return " ".join(why_in_words(told(path, at_ms, symbol)).split())


async def test_a_purchase_at_a_venue_far_away_goes_at_once_and_is_told_to_its_stop(
    path: Path,
) -> None:
    await traded(path)
    bought = "SELECT at_ms FROM fills WHERE instrument = 0 AND side = 1 ORDER BY number LIMIT 1"
    found = told(path, ask(path, bought)[0][0])
    assert found["verdict"]["text"] == "approved: buys at once"
    assert [one["what"] for one in found["after"]] == ["take", "fill", "fill", "stop"]


async def test_an_order_that_nobody_answered_is_unknown_then_and_now(path: Path) -> None:
    await traded(path, buys(20, Fate.SILENCE))
    at_ms, sequence = ask(path, FIRST, "unknown")[0]
    then = words(path, at_ms)
    assert f"order {sequence} unknown: nobody said what became of it; it is looked up" in then
    assert told(path, at_ms)["seam"] is None, "What lies at the venue now, did not then."
    now = words(path)
    assert f"now UNKNOWN: order {sequence} since 20" in now
    assert f"ours ours-{sequence}, no word of it yet" in now


async def test_what_follows_is_refused_because_that_order_is_unknown(path: Path) -> None:
    await traded(path, buys(20, Fate.SILENCE))
    refused = "SELECT first_at_ms FROM refusals WHERE reason = 'pending' AND instrument = 0 LIMIT 1"
    said = words(path, ask(path, refused)[0][0])
    sequence = ask(path, FIRST, "unknown")[0][1]
    assert f"refused: pending, order {sequence} is UNKNOWN: buy " in said


@pytest.mark.parametrize(
    ("fate", "why_not"),
    [
        (Fate.CAPPED, "a cap of live trading held it back (live.day_notional_max)"),
        (Fate.FROZEN, "the instrument may only be reduced"),
    ],
)
async def test_what_the_last_wall_held_back_is_told_with_its_reason(
    path: Path, fate: Fate, why_not: str
) -> None:
    await traded(path, buys(20, fate))
    at_ms, sequence = ask(path, FIRST, "rejected")[0]
    assert f"order {sequence} rejected: {why_not}" in words(path, at_ms)


async def test_a_frozen_instrument_says_why_and_how_it_ends(path: Path) -> None:
    await traded(path, closes=20)
    order = Foreign(Outside.ORDER, "0 O9", 0, 0, 0, 0, START, "sell 0.1 BTC")
    write(path, lambda c: live.set_aside(c, KEY, [order], START))
    write(path, lambda c: live.tie_out(c, KEY, START, [Tied(1, QUANTA, 0, 0, 0)]))
    said = words(path)
    assert "FROZEN BTC-USD may only be reduced: somebody else's order: sell 0.1 BTC;" in said
    assert "(ours 1 BTC, theirs 0 BTC), until both agree" in said
    assert told(path)["seam"]["quarantine"][0]["id"] == "0 O9"
    assert "FROZEN" not in words(path, symbol="ETH-USD")
    width = max(map(len, why_in_words(told(path)).splitlines()))
    assert width <= why_words.WIDTH


async def test_a_frozen_instrument_is_told_before_any_candle(path: Path) -> None:
    async with living(path):
        order = Foreign(Outside.ORDER, "0 O9", 0, 0, 0, 0, START, "sell 0.1 BTC")
        write(path, lambda c: live.set_aside(c, KEY, [order], START))
        said = words(path)
    assert "signal none: no candle has closed yet FROZEN BTC-USD" in said


async def test_the_core_is_asked_in_the_state_that_the_reports_left(path: Path) -> None:
    """Each verdict of a life with a venue far away is the one that its rows hold."""
    desk = Desk()
    async with living(path, desk) as engine:
        for moment in moments()[:16]:
            await trade(engine, desk, [moment])
            for position in range(2):
                found = told(path, symbol=("BTC-USD", "ETH-USD")[position])
                held = engine.state.lanes[position].quantity / QUANTA
                orders = [one for one in found["after"] if one["what"] in ("take", "fill")]
                if found["signal"] and found["verdict"] and not orders:
                    assert found["held"]["quantity"] == held


async def test_every_kind_of_order_has_its_words(path: Path) -> None:
    """A patient law on a venue without plain stops: limits that rest, stop-limits."""
    patient = LAW._replace(entry_maker=1, stop_limit_bps=50)
    desk = Desk()
    async with living(path, desk, patient) as engine:
        await trade(engine, desk, moments()[:10])
    kinds = {kind for (kind,) in ask(path, "SELECT DISTINCT kind FROM orders")}
    assert "limit" in kinds
    at_ms = ask(path, "SELECT at_ms FROM orders WHERE kind = 'limit' ORDER BY number LIMIT 1")
    symbol = ask(
        path,
        "SELECT symbol FROM orders o JOIN units u USING (session, instrument)"
        " WHERE o.kind = 'limit' ORDER BY o.number LIMIT 1",
    )
    assert ": buy " in words(path, at_ms[0][0], symbol[0][0])
    assert "not enough is there" not in words(path, at_ms[0][0], symbol[0][0])


@pytest.mark.parametrize("kind", [*Kind][1:])
@pytest.mark.parametrize("side", [*Side])
def test_no_order_is_taken_for_an_end(kind: Kind, side: Side) -> None:
    name = kind.name.lower()
    text = why_words.happened(DOLLARS, name, 7, int(side), QUANTA, 500_000, "signal")
    assert text.startswith("order 7: ")
    assert " 1 BTC " in text
    assert " 50" in text


def test_a_stop_without_a_word_of_the_venue_is_what_is_waited_for() -> None:
    stop = order(kind=int(Kind.STOP), sequence=9, stage=int(Stage.UNKNOWN))
    assert why_words.pending(DOLLARS, lane(stop=stop)).startswith("order 9, which protects")
    resting = lane(stop=stop._replace(stage=int(Stage.WORKING)))
    assert why_words.pending(DOLLARS, resting) == "nothing is on its way"
