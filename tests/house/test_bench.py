"""What compares us with others must see every difference, and explain none away.

No peer is installed here: a stand-in answers in its place, and the core trades interpreted.
"""

import json
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house.source import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import bench_guests
from bench_agree import Fills, compare, ours
from bench_backtest import summed
from bench_candles import Candles, made
from bench_floors import Costs, _bare, _same
from bench_guests import Answer, Case, Guest, ask, environment, invited, write
from bench_terms import CASH, FEE_PPM, everything, one_coin
from peers.errand import Errand, Fill, Told, carry_out, read

from rrr.backtesting.book import Book
from rrr.backtesting.result import Result
from rrr.backtesting.runner import run
from rrr.backtesting.trades import fills_of
from rrr.core.market import PPM, QUANTA
from rrr.core.orders import Cause, Side
from rrr.neural_network.panel import I64
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.averages import MovingAverageCross

CASE = Case(made(1_500), 10, 50)
TICK = 10.0**-CASE.candles.decimals


@cache
def traded(case: Case = CASE) -> tuple[Fills, float]:
    result, _ = ran(case, one_coin(case.candles))
    return ours(result, case.candles), float(result.equity[-1]) / QUANTA


def ran(case: Case, book: Book) -> tuple[Result, I64]:
    history = case.candles.history()
    convictions = asked(MovingAverageCross(case.fast, case.slow), history.panel)
    return run(history, convictions, book, compiled=False), convictions


def answer(fills: list[Fill], case: Case = CASE, **changes: Any) -> Answer:
    """What a peer with these fills tells, its equity included."""
    panel, decimals = case.candles.panel, case.candles.decimals
    coins = sum(fill.side * fill.quantity for fill in fills)
    money = sum(fill.side * fill.price * fill.quantity + fill.fee for fill in fills)
    equity = CASH - money + coins * float(panel.close[0, -1]) / 10**decimals
    return replace(Answer("1", [], [], fills, equity, 0, 0), **changes)


def agreeing(case: Case = CASE) -> list[Fill]:
    """Our own fills, as a peer would tell them."""
    mine, opened = traded(case)[0], case.candles.panel.opened_at_ms
    return [
        bought_or_sold(int(opened[at]), side, price / 10**case.candles.decimals)
        for at, side, price in zip(mine.at, mine.side.tolist(), mine.price.tolist(), strict=True)
    ]


def bought_or_sold(at_ms: int, side: int, price: float) -> Fill:
    return Fill(at_ms, side, price, 1.0, price * FEE_PPM / PPM)


def test_a_peer_with_our_trades_has_the_same() -> None:
    fills = agreeing()
    verdict = compare(CASE, *traded(), answer(fills))
    assert len(fills) > 10
    assert (verdict.same, verdict.explained, verdict.unexplained) == (True, [], [])


WRONGS: list[tuple[str, dict[str, Any], str]] = [
    ("a candle late", {"at_ms": 60_000}, "prices are off"),
    ("between two opens", {"at_ms": 1}, "at no open"),
    ("a tick dearer", {"price": TICK}, "prices are off"),
    ("half a coin more", {"quantity": 0.5}, "not one coin"),
    ("a cent of fee more", {"fee": 0.01}, "fees are off"),
]


@pytest.mark.parametrize(("name", "change", "said"), WRONGS, ids=[name for name, *_ in WRONGS])
def test_one_fill_that_differs_is_seen(name: str, change: dict[str, Any], said: str) -> None:
    fills = agreeing()
    ((field, more),) = change.items()
    fills[4] = fills[4]._replace(**{field: getattr(fills[4], field) + more})
    verdict = compare(CASE, *traded(), answer(fills))
    assert not verdict.same
    assert any(said in line for line in verdict.unexplained)


def test_a_round_trip_that_only_we_made_is_seen() -> None:
    fills = agreeing()
    verdict = compare(CASE, *traded(), answer(fills[:4] + fills[6:]))
    assert any("held by one side only" in line for line in verdict.unexplained)


def test_an_equity_that_its_fills_do_not_come_to_is_seen() -> None:
    told = answer(agreeing())
    verdict = compare(CASE, *traded(), replace(told, equity=told.equity + 0.01))
    assert any("its own fills come to" in line for line in verdict.unexplained)


def test_a_book_that_needs_a_spread_is_explained_by_it_and_by_no_other() -> None:
    def dearer(by: float) -> list[Fill]:
        return [
            bought_or_sold(fill.at_ms, fill.side, fill.price + by * (fill.side == Side.BUY))
            for fill in agreeing()
        ]

    right = compare(CASE, *traded(), answer(dearer(TICK), spread=TICK))
    assert (len(right.explained), right.unexplained) == (1, [])
    assert compare(CASE, *traded(), answer(dearer(2 * TICK), spread=TICK)).unexplained


@pytest.mark.parametrize("at", ["open", "close"])
def test_a_sale_that_the_end_brings_is_explained(at: str) -> None:
    case = held_at_the_end()
    panel = case.candles.panel
    last = float(getattr(panel, at)[0, -1]) / 10**case.candles.decimals
    sale = bought_or_sold(int(panel.opened_at_ms[-1]), int(Side.SELL), last)
    verdict = compare(case, *traded(case), answer([*agreeing(case), sale], case))
    assert (len(verdict.explained), verdict.unexplained) == (1, [])
    assert at in verdict.explained[0]


def held_at_the_end() -> Case:
    """The candles of a purchase, and two more."""
    mine = traded()[0]
    bought = mine.at[(mine.side == Side.BUY) & np.append(np.diff(mine.at) > 3, False)]
    return Case(CASE.candles.cut(int(bought[-1]) + 3), CASE.fast, CASE.slow)


def test_only_equal_averages_explain_who_is_long() -> None:
    """Three closes tie both averages: whole numbers say flat, and rounded floats may say long."""
    case = Case(closing([100, 100, 100, 100, 103, 103, 99, 99, 100, 100]), 1, 2)
    opened = case.candles.panel.opened_at_ms.tolist()
    mine, equity = traded(case)
    assert mine.at.tolist() == [5, 6, 9]  # at 6 both averages are 103

    longer = [*agreeing(case)[:1], sold_at(case, 7), *agreeing(case)[2:]]
    right = compare(case, mine, equity, answer(longer, case))
    assert (len(right.explained), right.unexplained) == (1, [])

    longest = [*agreeing(case)[:1], sold_at(case, 8), *agreeing(case)[2:]]
    assert compare(case, mine, equity, answer(longest, case)).unexplained
    assert len(opened) == 10


def sold_at(case: Case, candle: int) -> Fill:
    panel = case.candles.panel
    price = float(panel.open[0, candle]) / 10**case.candles.decimals
    return bought_or_sold(int(panel.opened_at_ms[candle]), int(Side.SELL), price)


def closing(closes: list[int]) -> Candles:
    """Dollars; each candle opens where the last one closed."""
    few = made(len(closes))
    prices = np.array([closes], np.int64) * 10**few.decimals
    opens = np.concatenate([prices[:, :1], prices[:, :-1]], axis=1)
    both = np.maximum(opens, prices), np.minimum(opens, prices)
    panel = replace(few.panel, open=opens, high=both[0], low=both[1], close=prices)
    return replace(few, panel=panel)


def test_the_floor_without_an_engine_reckons_every_number_of_the_core() -> None:
    case = Case(made(8_000), 10, 50)
    book, panel = everything(case.candles), case.candles.panel
    result, convictions = ran(case, book)
    causes = set(fills_of(result).cause.tolist())
    assert causes == {Cause.SIGNAL, Cause.STOP, Cause.TARGET}, "Stops and targets are met."

    equity, one = np.empty(panel.times, np.int64), book.instruments[0]
    fees = one.fee_taker_ppm, one.half_spread_ppm, one.slippage_ppm
    reckon: Callable[..., None] = _same  # it has a law of its own to numba
    reckon(
        panel.opened_at_ms.tolist(),
        panel.timeframe_ms,
        *(column[0].tolist() for column in (panel.open, panel.high, panel.low, panel.close)),
        convictions[0].tolist(),
        book.law,
        Costs(*fees, book.assumptions.latency_ms),
        one.scale,
        book.capital,
        equity,
    )
    assert (equity == result.equity).all()


def test_the_bare_loop_makes_our_trades() -> None:
    panel, scale = CASE.candles.panel, 10**CASE.candles.decimals
    fills, equity = np.empty((panel.times, 3)), np.empty(panel.times)
    opens, closes = panel.open[0] / scale, panel.close[0] / scale
    n = _bare(opens, closes, 10, 50, FEE_PPM / PPM, float(CASH), fills, equity)
    mine, last = traded()
    assert fills[:n, 0].tolist() == mine.at.tolist()
    assert equity[-1] == pytest.approx(last, abs=0.005)


def test_opens_stand_away_from_the_last_close_and_on_the_grid_of_prices() -> None:
    candles = made(3_000, instruments=2)
    panel = candles.panel
    assert candles.away > 0.9
    assert (panel.high >= np.maximum(panel.open, panel.close)).all()
    assert (panel.low <= np.minimum(panel.open, panel.close)).all()
    assert (panel.close[0] != panel.close[1]).any()


def test_a_peer_is_given_the_prices_that_we_trade(tmp_path: Path) -> None:
    write(CASE, tmp_path / "errand.npz")
    errand, panel = read(tmp_path / "errand.npz", "rust"), CASE.candles.panel
    for name in ("open", "high", "low", "close"):
        points = np.rint(getattr(errand, name) * 10**errand.decimals)
        assert (points == getattr(panel, name)[0]).all()
    assert (errand.fast, errand.slow, errand.engine) == (10, 50, "rust")
    assert (errand.fee, errand.cash) == (FEE_PPM / PPM, CASH)


def test_a_peer_trades_as_often_as_asked_and_tells_of_the_last_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(replace(CASE, rounds=3), tmp_path / "errand.npz")
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "errand.npz"), str(tmp_path / "told")])
    times: list[int] = []

    def trade(errand: Errand) -> int:
        times.append(len(errand.close))
        return len(times)

    carry_out("numpy", lambda errand: errand, trade, lambda _, last: Told([], float(last)))
    told = json.loads((tmp_path / "told").read_text())
    assert times == [CASE.candles.panel.times] * 3
    assert (told["equity"], len(told["trade_s"]), told["version"]) == (3.0, 3, np.__version__)


def test_an_answer_comes_back_and_silence_says_why(tmp_path: Path) -> None:
    told = {"version": "1", "load_s": [1], "trade_s": [2], "fills": [], "equity": 5, "spread": 0}
    (tmp_path / "told").write_text(json.dumps(told))
    heard = ask(stand_in(tmp_path, f'cp "{tmp_path}/told" "$6"'), CASE, tmp_path)
    assert (heard.equity, heard.trade_s) == (5, [2])
    assert heard.peak_mb > 0

    with pytest.raises(SystemExit, match=r"peer did not answer\.\nno such market"):
        ask(stand_in(tmp_path, "echo no such market >&2; exit 1"), CASE, tmp_path)


def stand_in(folder: Path, does: str) -> Guest:
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{does}\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return Guest("peer", "backtrader", "", python)


def test_what_cannot_be_installed_is_left_out_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    makes = "import sys, pathlib; pathlib.Path(sys.argv[1]).mkdir(parents=True)"
    breaks = "; sys.exit('No matching distribution')"

    def installs(code: str) -> None:
        def steps(folder: Path, _: Any) -> list[list[str]]:
            return [[sys.executable, "-c", code, str(folder)]]

        monkeypatch.setattr(bench_guests, "steps", steps)

    installs(makes + breaks)
    assert invited(["nautilus"]) == ([], {"nautilus": "No matching distribution"})
    installs(makes)  # what was left half made is made again
    ((name, module, engine, python),), absent = invited(["vectorbt-rust"])
    assert (name, module, engine, absent) == ("vectorbt-rust", "vectorbt", "rust", {})
    assert invited(["nautilus"])[1] == {}
    installs(breaks[2:])  # what is there is not made again
    assert python == environment("vectorbt")


def test_a_ratio_is_of_one_round_with_its_range() -> None:
    names = ("everything", "run", "one_coin", "signals", "same", "bare", "interpreted", "vectorbt")
    quick, busy = dict.fromkeys(names, 2.0), dict.fromkeys(names, 6.0)
    figures = summed([quick, busy | {"vectorbt": 3.0}, quick | {"vectorbt": 8.0}])
    assert figures["everything_candles_s"] == 0.5
    ratio = "ratio_vectorbt_to_everything"
    assert [figures[f"{ratio}{end}"] for end in ("", "_least", "_most")] == [1.0, 0.25, 2.0]
