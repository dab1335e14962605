"""A record is what one book made of opinions over a history, candle by candle, after its costs.

Everybody is played by the same core over the same closes: fills, stops, minimums and the house's
caps are those of a backtest. The fall that halts a book is lifted, that no record ends in the
middle; the gate has a rule of its own for falls. What rests is filled only by a price that goes
beyond it: that is its adverse selection, and at twice the costs it pays so much more. Long or flat:
no funding is paid or earned.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from rrr.backtesting.book import Book
from rrr.backtesting.gate_returns import Record, matched
from rrr.backtesting.growth import F64
from rrr.backtesting.history import History
from rrr.backtesting.hold import known
from rrr.backtesting.result import Result
from rrr.backtesting.runner import run
from rrr.core.market import BPS, Instrument
from rrr.neural_network.panel import I64

APART: Final = 10  # a twin's opinions are a tenth of the record away, or more


def played(
    history: History, said: I64, book: Book, adverse_ppm: int = 0, *, dear: bool = True
) -> Record:
    """What opinions (instruments, times) earned beside the hold of their own exposure.

    Without the `dear` run, twice the costs are taken for once: good enough to refuse a twin.
    """
    book = unhalted(book)
    once = run(history, said, book, digests=False)
    net = _returns(once)
    twice = (
        _returns(run(history, said, charged(book, 2, adverse_ppm), digests=False)) if dear else net
    )
    return Record(net, twice, matched(_held(once), moves(history, once)))


def twins(said: I64, begins: int, number: int, seed: int) -> Iterator[I64]:
    """The same opinions at other times, all instruments together: a circular shift each.

    Of equal turnover and exposure, but for what the market does to a book on its way.
    """
    places = said.shape[1] - begins
    apart = max(places // APART, 1)
    dice = np.random.Generator(np.random.Philox(seed))
    distances = np.arange(apart, max(places - apart, apart) + 1)
    for distance in dice.choice(distances, number, replace=number > len(distances)).tolist():
        other = said.copy()
        other[:, begins:] = np.roll(said[:, begins:], distance, axis=1)
        yield other


def charged(book: Book, times: int, adverse_ppm: int = 0) -> Book:
    """The same where everything that trading takes costs so many times as much.

    A rebate is no cost: who pays twice gets it once. What rests meets its adverse selection in the
    candles; each time more is charged.
    """
    dear = [_dear(one, times, adverse_ppm) for one in book.instruments]
    return replace(book, instruments=dear)


def unhalted(book: Book) -> Book:
    return replace(book, law=book.law._replace(drawdown_max_bps=BPS))


def moves(history: History, result: Result) -> F64:
    """(instruments, closes): the return of each candle, 0 where none is known."""
    panel = history.panel
    closes = panel.opened_at_ms + panel.timeframe_ms
    columns = np.searchsorted(closes, result.at_ms)
    rows = []
    for i in range(panel.instruments):
        level = known(panel, i).astype(np.float64)
        before = level[np.maximum(columns - 1, 0)]
        rows.append(np.where(before > 0, level[columns] / np.maximum(before, 1) - 1, 0.0))
    return np.stack(rows)


def _returns(result: Result) -> F64:
    equity = result.equity.astype(np.float64)
    before = np.append(float(result.invested[0]), equity[:-1])
    made: F64 = equity / np.maximum(before, 1) - 1
    return made


def _held(result: Result) -> F64:
    """(instruments, closes): the share of equity that each close found held before it."""
    share = result.worth / np.maximum(result.equity, 1)[:, None]
    return np.vstack([np.zeros((1, share.shape[1])), share[:-1]]).T


def _dear(one: Instrument, times: int, adverse_ppm: int) -> Instrument:
    rests = one.fee_maker_ppm
    rests *= times if rests > 0 else min(times, 1)
    return one._replace(
        fee_maker_ppm=rests + max(times - 1, 0) * adverse_ppm,
        fee_taker_ppm=times * one.fee_taker_ppm,
        half_spread_ppm=times * one.half_spread_ppm,
        slippage_ppm=times * one.slippage_ppm,
    )
