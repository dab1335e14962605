"""What a session came to, against an obvious twin that reads the same from the tables."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rrr.core.events import Adopted, Close, Signal
from rrr.core.market import BPS, Source
from rrr.core.state import EMPTY, Account, Lane, State
from rrr.monitoring.summary import matched_hold, summary, told
from rrr.monitoring.words import stamp
from rrr.trading.engine.engine import Moment
from tests.builders import CAPITAL, QUANTA, account, lane
from tests.storm.lives import ask, lived, living, moments, session_of, terms

WORDS: dict[str, Any] = {
    "session": "paper-1",
    "mode": "paper",
    "market": "replay",
    "synthetic": False,
    "synthetic_ratio": 0.0,
    "signals": "baseline",
    "takeovers": [],
    "instruments": [f"made:COIN{i}-USD" for i in range(40)],
    "candles": 78_624,
    "closes": 26_208,
    "decisions": 10_753,
    "orders": 2_865,
    "fills": 1_579,
    "round_trips": 247,
    "round_trips_won": 68,
    "refusals": {"gross": 3_742, "cooldown": 1},
    "fees": 0.0123456,
    "capital": 10_000.0,
    "pnl": -192.79,
    "pnl_ratio": -0.0193,
    "time_weighted_ratio": -0.0193,
    "matched_hold_ratio": 0.3084,
    "difference_ratio": -0.3277,
    "equity": 9_807.21,
    "drawdown_ratio_max": 0.1479,
    "halted": False,
    "books_balanced": True,
    "faults": [],
    "state_hash": "d54f",
}


@pytest.fixture
async def found(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "paper.db"
    await lived(path)
    session, wanted = session_of(path), terms()
    async with living(path) as engine:
        found = await engine.db.write(
            lambda c: summary(c, session, engine.state, wanted.units, engine.state_hash)
        )
    return found | {"path": path}


async def test_money_is_what_the_tables_say(found: dict[str, Any]) -> None:
    path = found["path"]
    cash, worth, peak = ask(path, "SELECT cash, worth, peak FROM equity ORDER BY at_ms DESC")[0]
    assert found["equity"] == (cash + worth) / QUANTA
    assert found["capital"] == CAPITAL / QUANTA
    assert found["pnl"] == (cash + worth - CAPITAL) / QUANTA
    assert found["pnl_ratio"] == round((cash + worth) / CAPITAL - 1, 8)
    # Nothing was paid in or out once the first close was there.
    assert found["time_weighted_ratio"] == pytest.approx(found["pnl_ratio"], abs=2e-8)
    assert found["difference_ratio"] == pytest.approx(
        found["pnl_ratio"] - found["matched_hold_ratio"], abs=2e-8
    )
    assert 1 - (cash + worth) / peak <= found["drawdown_ratio_max"] + 1e-6
    # A fee is taken in quanta, or in grains worth the price of their fill.
    fees = sum(
        fee + grains * price // scale
        for fee, grains, price, scale in ask(
            path,
            "SELECT f.fee, f.fee_grains, f.price, s.scale FROM fills f"
            " JOIN (SELECT 0 AS i, 10000 AS scale UNION SELECT 1, 100000000"
            "  UNION SELECT 2, 1000000 UNION SELECT 3, 10000000) s ON s.i = f.instrument",
        )
    )
    assert found["fees"] * QUANTA == pytest.approx(fees, abs=100)


async def test_what_happened_is_counted(found: dict[str, Any]) -> None:
    path = found["path"]
    for name in ("orders", "fills"):
        assert found[name] == ask(path, f"SELECT count(*) FROM {name}")[0][0] > 0
    assert found["closes"] == ask(path, "SELECT count(*) FROM journal WHERE kind = 4")[0][0]
    refused = ask(path, "SELECT reason, sum(times) FROM refusals GROUP BY reason")
    assert found["refusals"] == dict(refused) != {}
    assert found["decisions"] >= found["orders"] + sum(found["refusals"].values())
    assert 0 < found["round_trips_won"] <= found["round_trips"] <= found["fills"]
    assert found["books_balanced"]


@pytest.mark.parametrize("made", [Source.SYNTHETIC, Source.BUILT])
async def test_the_share_of_candles_that_nobody_traded_is_counted(
    tmp_path: Path, made: Source
) -> None:
    path, wanted = tmp_path / "paper.db", terms()

    def told_of(source: int) -> int:
        return int(made if source == Source.SYNTHETIC else source)

    closes = [next(e for e in moment.events if isinstance(e, Close)) for moment in moments()]
    changed = [
        close._replace(candles=tuple(c._replace(source=told_of(c.source)) for c in close.candles))
        for close in closes
    ]
    async with living(path, wanted) as engine:
        await engine.take([Moment((close,)) for close in changed])
        session = engine.session
        found = await engine.db.write(
            lambda c: summary(c, session, engine.state, wanted.units, engine.state_hash)
        )
    sources = dict(ask(path, "SELECT source, count(*) FROM candles GROUP BY source"))
    assert sources.keys() == {Source.REPLAYED, made}
    assert found["candles"] == sum(sources.values())
    assert found["synthetic_ratio"] == round(sources[made] / found["candles"], 8) > 0
    assert not found["synthetic"]
    assert (found["signals"], found["takeovers"]) == ("baseline", [])


@pytest.mark.parametrize("after", [0, 5])
async def test_who_had_the_opinion_is_told_from_the_first_signal_on(
    tmp_path: Path, after: int
) -> None:
    model, path = 0x3F2A91C04B1D, tmp_path / "paper.db"
    wanted = terms()
    wanted = replace(wanted, about={**wanted.about, "market": "simulated"})
    lived_through = [[*moment.events] for moment in moments(closes=10)]
    taken_over = Adopted(lived_through[after][0].at_ms, model)
    lived_through[after].insert(1, taken_over)
    for events in lived_through[after:]:
        events[:] = [
            event._replace(model=model) if isinstance(event, Signal) else event for event in events
        ]
    async with living(path, wanted) as engine:
        await engine.take([Moment(tuple(events)) for events in lived_through])
        session = engine.session
        found = await engine.db.write(
            lambda c: summary(c, session, engine.state, wanted.units, engine.state_hash)
        )
    name = f"model 3f2a91c04b1d from {stamp(taken_over.at_ms)}"
    assert found["signals"] == (f"baseline, then {name}" if after else name)
    assert found["takeovers"] == [{"at_ms": taken_over.at_ms, "model": "model 3f2a91c04b1d"}]
    assert found["market"] == "simulated"
    assert found["synthetic"]


async def test_a_lost_transfer_is_a_fault_of_the_books(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    await lived(path)
    session, wanted = session_of(path), terms()
    async with living(path) as engine:

        def lose(connection: Any) -> dict[str, Any]:
            last = "SELECT max(number) FROM transfers"
            assert connection.execute(f"DELETE FROM transfers WHERE number = ({last})").rowcount
            return summary(connection, session, engine.state, wanted.units, "")

        found = await engine.db.write(lose)
    assert not found["books_balanced"]
    assert found["faults"]
    assert "  books         NO: " in told(found, "USD", "finished")


def test_a_matched_hold_keeps_the_mean_exposure_without_deciding() -> None:
    closes, mean = 50, 4_000
    held = lane(first_mark=100, mark=150, exposure_sum_bps=mean * closes)
    never = lane(first_mark=0, mark=0)
    state = state_of(account(closes=closes), held, never)
    assert matched_hold(state) == pytest.approx(mean / BPS * 0.5)
    assert matched_hold(state_of(account(closes=0), never)) == 0


def state_of(of: Account, *lanes: Lane) -> State:
    return EMPTY._replace(account=of, lanes=lanes)


def test_the_closing_words_are_a_table_that_fits_a_terminal() -> None:
    lines = told(WORDS, "USD", "finished").splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert all(re.match(r"  (\S.{11} {2}|\s{14})\S", line) for line in lines), lines
    assert "  fees          0.0123 USD" in lines
    assert "  P&L           -192.79 USD (-1.93%)" in lines
    assert "  refusals      gross 3,742, cooldown 1" in lines
    assert "  candles       78,624 in 26,208 closing times, 0.00% synthetic" in lines
    assert sum(line.count("made:COIN") for line in lines) == 40


def test_of_a_simulated_market_every_line_says_so_and_fits_a_terminal() -> None:
    words = told(WORDS | {"synthetic": True, "synthetic_ratio": 1.0}, "USD", "finished")
    assert all(line.startswith("SYNTHETIC    ") for line in words.splitlines())
    assert all(len(line) <= 100 for line in words.splitlines())
    assert ", 100.00% synthetic" in words


def test_nothing_is_made_yearly() -> None:
    assert not re.search("annual|year|sharpe", told(WORDS, "USD", "finished"), re.IGNORECASE)


def test_where_money_came_or_went_its_return_stands_beside_the_profit() -> None:
    assert "time-weighted" not in told(WORDS, "USD", "finished")
    lines = told(WORDS | {"time_weighted_ratio": 0.05}, "USD", "finished").splitlines()
    place = lines.index("  P&L           -192.79 USD (-1.93%)")
    assert lines[place + 1].startswith("  return        +5.00%, time-weighted: ")


def test_a_halt_is_in_the_closing_words() -> None:
    words = told(WORDS | {"halted": True, "refusals": {}}, "USD", "stopped")
    assert "  halted        no new risk" in words
    assert "  refusals      none" in words
