"""What a backtest is run on is what a paper session would have seen, and nothing is silent."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.backtesting import history_columns
from rrr.backtesting.history import closes_of, closing, history_of, touches
from rrr.core.errors import DataError, RRRError, UsageError
from rrr.core.market import Source
from rrr.data_pipeline.replay import CHUNK
from rrr.neural_network.panel import panel_of
from tests.backtesting.histories import (
    FIRST,
    GAPPY,
    HOUR,
    MINUTE,
    SHARED,
    asked,
    line,
    made,
    market_of,
    minutes,
    moment,
    named,
    tree,
)

with_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared market data is not here")


@pytest.mark.parametrize(
    "cut",
    [
        {},
        {"begin": moment(FIRST + 10 * HOUR)},
        {"begin": moment(FIRST + 41 * HOUR), "to": moment(FIRST + 60 * HOUR)},
        {"candles": 30},
    ],
)
def test_it_gives_back_the_arrivals_of_a_replay(tmp_path: Path, cut: dict[str, Any]) -> None:
    settings = asked(tree(tmp_path, **GAPPY), **cut)
    market, history = market_of(settings), made(settings, warm=7)
    assert list(closes_of(history)) == list(market.closes())
    before = list(closes_of(history, 0))[: -len(list(market.closes()))]
    assert before == market.history(7)
    assert set(touches(history)) == {()}
    assert [one.spec for one in history.quoted] == [one.spec for one in market.instruments]


def test_it_is_the_panel_of_its_closes(tmp_path: Path) -> None:
    market = market_of(asked(tree(tmp_path, **GAPPY)))
    history = history_of(market, asked(tmp_path))
    assert history.panel.digest() == panel_of(market.closes(), 2, HOUR).digest()
    assert (history.source[history.panel.there] == Source.REPLAYED).all()
    assert not history.synthetic and not history.bid.any() and not history.ask.any()


@pytest.mark.parametrize("times", [CHUNK, CHUNK + 1, CHUNK + 20])
def test_closes_go_on_from_chunk_to_chunk(tmp_path: Path, times: int) -> None:
    places = [at for at in range(CHUNK - 5) if at % 1_000]
    settings = asked(tree(tmp_path, BTC_USD=places, ETH_USD=range(times)))
    history, market = made(settings), market_of(settings)
    assert list(closes_of(history)) == list(market.closes())


def test_a_time_at_which_nobody_has_a_candle_is_a_column_and_no_close(tmp_path: Path) -> None:
    history = made(asked(tree(tmp_path, BTC_USD=(0, 1, 4), ETH_USD=(0, 4, 5))))
    assert closing(history).tolist() == [True, True, False, False, True, True]
    assert [close.missing for close in closes_of(history)] == [(), (1,), (), (0,)]


@with_shared
@pytest.mark.parametrize(
    ("place", "symbols", "timeframe"),
    [
        ("binance", ("BTC-USDT", "ETH-USDT", "SOL-USDT"), "5m"),
        ("binance", ("BOME-USDT", "BTC-USDT", "MKR-USDT"), "1h"),
        ("binanceusdm", ("BTC-USDT-PERP", "SOL-USDT-PERP"), "1h"),
        ("bitstamp", ("BTC-USD",), "1m"),
    ],
)
def test_real_candles_come_back_as_they_arrive(
    place: str, symbols: tuple[str, ...], timeframe: str
) -> None:
    settings = asked(SHARED / place, timeframe, symbols=symbols)
    market, history = market_of(settings), made(settings)
    assert list(closes_of(history)) == list(market.closes())
    again = panel_of(closes_of(history), len(symbols), market.timeframe_ms)
    assert again.digest() == history.panel.digest()


@with_shared
def test_real_candles_are_made_of_their_finer_ones() -> None:
    for coarse, fine in (("15m", "5m"), ("1h", "15m"), ("4h", "5m"), ("1d", "1h")):
        fills = {"detail": fine}
        symbols = ("BTC-USDT", "DOGE-USDT")
        history = made(asked(SHARED / "binance", coarse, symbols=symbols, fills=fills))
        assert history.detail is not None and history.detail.there.all()
        assert not named(history, f"their {fine}")


REFUSED: Final[Sequence[tuple[str, str, type[RRRError], str]]] = (
    ("nothing", "", DataError, "holds no candle"),
    ("one candle", line(0), DataError, "one closing time is too little"),
    ("unsorted", line(0) + line(2) + line(1) + line(3), DataError, "line 4: .* out of order"),
    ("twice", line(0) + line(1) + line(1), DataError, "line 4: it repeats line 3"),
    ("twice, another", line(0) + line(1) + line(1, volume=9), DataError, "contradicts line 3"),
    ("zero", line(0) + f"{FIRST + HOUR},0,1,0,1,1\n", DataError, "line 3: open is 0"),
    ("negative", line(0) + f"{FIRST + HOUR},-1,1,-2,1,1\n", DataError, "line 3: open is -1"),
    ("volume", line(0) + f"{FIRST + HOUR},1,1,1,1,-1\n", DataError, "line 3: volume is -1"),
    ("beyond", line(0) + f"{FIRST + HOUR},1,1e13,1,1,1\n", DataError, "does not fit into 64 bits"),
    ("off", line(0) + line(1) + f"{FIRST + 2 * HOUR + 1},1,1,1,1,1\n", DataError, "off the grid"),
    ("no number", line(0) + f"{FIRST + HOUR},1,nan,1,1,1\n", DataError, "high is nan"),
)


@pytest.mark.parametrize(("lines", "error", "words"), [one[1:] for one in REFUSED])
def test_what_no_history_can_be_made_of_is_refused(
    tmp_path: Path, lines: str, error: type[RRRError], words: str
) -> None:
    with pytest.raises(error, match=words):
        made(asked(tree(tmp_path, BTC_USD=lines)))


def test_candles_of_two_currencies_are_no_history(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="paid in EUR, USD"):
        made(asked(tree(tmp_path, BTC_USD=range(3), ETH_EUR=range(3))))


def test_two_closing_times_are_enough(tmp_path: Path) -> None:
    assert made(asked(tree(tmp_path, BTC_USD=range(2)))).panel.times == 2
    with pytest.raises(DataError, match="one closing time"):
        made(asked(tmp_path, begin=moment(FIRST + HOUR)), warm=1)


def test_what_is_missing_is_counted_and_named(tmp_path: Path) -> None:
    path = tree(tmp_path, BTC_USD=(0, 1, 4, 6, 7, 8, 9), ETH_USD=range(2, 8), SOL_USD=range(8, 10))
    history = made(asked(path), warm=5)
    assert named(history, "BTC-USD: 2 gaps, 3 candles missing, the first after 2024-01-01 01:00")
    assert named(history, "ETH-USD: its first candle is that of 2024-01-01 02:00")
    assert named(history, "ETH-USD: its last candle is that of 2024-01-01 07:00")
    assert named(history, "0 of the 5 closing times to learn from")
    assert named(history, "BTC-USD: rules inferred from its decimals")
    late = made(asked(path, begin=moment(FIRST + 4 * HOUR), to=moment(FIRST + 8 * HOUR)))
    assert named(late, "BTC-USD: 1 gap, 1 candle missing, the first after 2024-01-01 04:00")
    assert not named(late, "2 gaps") and not named(late, "closing times to learn from")
    assert named(late, "SOL-USD: no candle in this span")


def test_candles_without_volume_are_counted_and_named(tmp_path: Path) -> None:
    still = line(2).replace("3.5\n", "0\n") + line(3).replace("4.5\n", "0\n")
    history = made(asked(tree(tmp_path, BTC_USD=line(0) + line(1) + still)))
    assert named(history, "2 of 4 candles (the first: 2024-01-01 02:00 UTC) without volume")


def test_no_memory_is_asked_for_what_is_mostly_holes(tmp_path: Path) -> None:
    far = minutes(range(10)) + f"{FIRST + 66 * 365 * 24 * HOUR},1,1,1,1,1\n"
    path = tree(tmp_path, "1m", **{f"C{n}_USD": far for n in range(4)})
    with pytest.raises(UsageError, match=f"more than the {history_columns.PLACES_MAX:,} candles"):
        made(asked(path, "1m"))


def test_a_price_far_down_a_long_file_sets_the_tick(tmp_path: Path) -> None:
    """Decimals are looked at in blocks: none is left out."""
    lines = [line(at, step_ms=MINUTE) for at in range(40_000)]
    lines[-2] = lines[-2].replace(".25,", ".250625,")
    history = made(asked(tree(tmp_path, "1m", BTC_USD="".join(lines)), "1m"))
    points = history.quoted[0].spec.points
    assert history.quoted[0].spec.tick == 10 ** (points - 6)
    prices = [line(at).split(",")[1] for at in range(40_000)]
    whole = [int(price.replace(".", "")) * 10 ** (points - 2) for price in prices]
    whole[-2] += 625 * 10 ** (points - 6)
    assert history.panel.open[0].tolist() == whole
