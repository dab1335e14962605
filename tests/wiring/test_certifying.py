"""A real paper session and a backtest agree on every row; what cannot be certified is refused."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO

import pytest

from rrr.backtesting.certificate import Certificate
from rrr.config import Home, Loaded, load
from rrr.core.errors import UsageError
from rrr.main import session
from rrr.wiring.backtest_progress import Progress
from rrr.wiring.certifying import CANDLES, certify, gathered, repeatable
from tests.backtesting.histories import SHARED, tree

pytestmark = pytest.mark.slow

BUSY: Final = {"policy.entry": "maker", "policy.target": "rests", "policy.trail_bps": 150}
AVERAGES: Final = "moving-average-cross:fast=2,slow=6"


def certificate(home: Path, trade: Any = session, **asked: Any) -> Certificate:
    with Path(os.devnull).open("w", encoding="ascii") as nobody:
        return certify(Home(home), settings(home, **asked), trade, Progress(nobody))


def settings(home: Path, **asked: Any) -> Loaded:
    named = {name.replace("__", "."): value for name, value in asked.items()}
    return load(Home(home), None, {"policy.warmup_candles": 3, **named})


@pytest.mark.parametrize("signals", ["baseline", AVERAGES, "champion"])
@pytest.mark.parametrize("policy", [{}, BUSY], ids=["usual", "busy"])
def test_a_simulated_market_is_traded_the_same(
    tmp_path: Path, signals: str, policy: dict[str, str]
) -> None:
    found = certificate(tmp_path, candles=300, signals=signals, seed=4, **policy)
    assert found.identical, found.in_words()
    assert found.closes == 900, "What arrived before the beginning is a part of it."
    assert found.rows > 3_000
    assert not (tmp_path / "data").exists(), "The session had a home of its own."


def test_recorded_candles_with_holes_are_traded_the_same(tmp_path: Path) -> None:
    hours = {"BTC_USD": (*range(40), *range(43, 160)), "ETH_USD": (*range(5, 41), *range(50, 160))}
    found = certificate(tmp_path, replay=tree(tmp_path / "candles", **hours), signals=AVERAGES)
    assert found.identical, found.in_words()
    assert found.closes == 158, "In two of the hours nobody traded."


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared market data is not here")
@pytest.mark.parametrize("signals", ["baseline", "mean-reversion"])
def test_real_candles_are_traded_the_same(tmp_path: Path, signals: str) -> None:
    symbols = "BTC-USDT,ETH-USDT,SOL-USDT"
    found = certificate(tmp_path, replay=SHARED / "binance", symbols=symbols, signals=signals)
    assert found.identical, found.in_words()
    assert found.closes == 2_184


def test_a_home_has_rules_of_its_own(tmp_path: Path) -> None:
    """Both legs know them: else every order would be another one."""
    candles = tree(tmp_path / "candles", BTC_USD=range(60))
    usual = gathered(Home(tmp_path), settings(tmp_path, replay=candles)).book.instruments[0]
    rules = '[made."BTC-USD"]\ntick = "0.25"\nlot = "0.25"\nquantity_min = "0.25"\n'
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "instruments.toml").write_text(rules + 'notional_min = "1"\n')
    mine = gathered(Home(tmp_path), settings(tmp_path, replay=candles)).book.instruments[0]
    assert mine.lot != usual.lot
    found = certificate(tmp_path, replay=candles, signals=AVERAGES)
    assert found.identical, found.in_words()


def test_a_session_of_other_settings_is_found_out(tmp_path: Path) -> None:
    async def otherwise(home: Home, loaded: Loaded, *, new: bool, stream: TextIO) -> Any:
        poorer = loaded.settings.model_copy(update={"capital": loaded.settings.capital - 1})
        return await session(home, replace(loaded, settings=poorer), new=new, stream=stream)

    found = certificate(tmp_path, otherwise, candles=50, signals="baseline")
    assert found.difference is not None
    assert (found.difference.kind, found.difference.number) == ("flow", 7)
    assert [*found.difference.fields] == ["amount"]


def test_a_session_that_somebody_stopped_certifies_nothing(tmp_path: Path) -> None:
    async def stopped(home: Home, loaded: Loaded, *, new: bool, stream: TextIO) -> Any:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
        return await session(home, loaded, new=new, stream=stream)

    with pytest.raises(KeyboardInterrupt):
        certificate(tmp_path, stopped, candles=50, signals="baseline")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"market": "kraken"}, "cannot be had twice"),
        ({"fills.detail": "5m"}, "no session meets finer candles"),
    ],
)
def test_what_cannot_be_certified_is_refused(
    tmp_path: Path, asked: dict[str, str], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        certificate(tmp_path, **asked)


def test_a_market_without_end_is_cut(tmp_path: Path) -> None:
    assert repeatable(settings(tmp_path)).settings.candles == CANDLES
    assert repeatable(settings(tmp_path, candles=7)).settings.candles == 7
