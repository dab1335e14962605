"""A run that could have been, and the few things that tests do with the research of a home."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from rrr.database import research
from rrr.database.opening import plain
from rrr.database.research import Run

RUN = Run(
    trial=1,
    name="backtest-1",
    parent=None,
    at_ms=1_700_000_000_000,
    family="replay BTC-USD 1h",
    command="rrr backtest --strategy hold",
    strategy="hold",
    settings={"seed": {"value": 1, "origin": "default"}},
    history={"source": ["abc"], "span": [1, 2]},
    data_digest="d" * 64,
    core_hash="c" * 32,
    strategy_hash="s" * 64,
    seed=1,
    version="0.4.0",
    digest="e" * 64,
    in_sample=False,
    synthetic=True,
    candles=8_760,
    seconds=0.25,
    trades_path="data/backtests/backtest-1/trades.csv",
    report_path=None,
    sharpe=0.05,
    metrics={
        "total_ratio": 0.12,
        "sharpe": None,
        "drawdown_depth_ratio": 0.0789,
        "round_trips": 1_234,
    },
    days={"2024-01-01": "0123456789abcdef", "2024-01-02": "fedcba9876543210"},
)


def look(path: Path, *recipes: str, family: str = RUN.family) -> list[int]:
    with research.writing(path) as connection:
        return research.looked(connection, family, recipes, RUN.at_ms)


def keep(path: Path, *runs: Run) -> None:
    with research.writing(path) as connection:
        for run in runs:
            research.keep(connection, run)


def ask(path: Path, sql: str) -> list[Any]:
    with research.reading(path) as connection:
        return connection.execute(sql).fetchall()


def numbered(trial: int, **changes: Any) -> Run:
    return replace(RUN, trial=trial, name=f"backtest-{trial}", **changes)


def dump(path: Path) -> str:
    with closing(plain(f"file:{path}?mode=ro")) as connection:
        return "\n".join(connection.iterdump())
