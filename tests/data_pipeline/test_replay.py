"""Every recorded candle comes back once, at its closing time, and nothing else does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.core.errors import DataError, NotFound, UsageError
from rrr.core.events import Close
from rrr.core.market import INSTRUMENTS_MAX, Source
from rrr.data_pipeline.replay import CHUNK, Replay, replay

HOUR: Final = 3_600_000
FIRST: Final = 473_400 * HOUR
HEADER: Final = "ts,open,high,low,close,volume\n"


def recorded(folder: Path, **hours: Sequence[int]) -> Path:
    """A tree in which each symbol (BTC_USD) has candles at these hours, priced by their hour."""
    for symbol, opened in hours.items():
        place = folder / "made" / symbol.replace("_", "-")
        place.mkdir(parents=True)
        lines = "".join(
            f"{FIRST + h * HOUR},{100 + h}.25,{102 + h}.5,{99 + h}.75,{101 + h},{h + 1}\n"
            for h in opened
        )
        (place / "1h.csv").write_text(HEADER + lines, encoding="utf-8")
    return folder


def market(folder: Path, *symbols: str, **more: Any) -> Replay:
    return replay(folder, symbols, "1h", {}, **more)


def hours(closes: Sequence[Close]) -> list[int]:
    return [(close.opened_at_ms - FIRST) // HOUR for close in closes]


def test_one_closing_time_is_one_event(tmp_path: Path) -> None:
    folder = recorded(tmp_path, BTC_USD=range(4), ETH_USD=range(2, 6))
    closes = list(market(folder).closes())
    assert hours(closes) == list(range(6))
    assert all(close.at_ms == close.opened_at_ms + HOUR for close in closes)
    assert [len(close.candles) for close in closes] == [1, 1, 2, 2, 1, 1]
    assert [close.missing for close in closes] == [(1,), (1,), (), (), (0,), (0,)]
    assert {candle.source for close in closes for candle in close.candles} == {Source.REPLAYED}


def test_candles_keep_every_figure(tmp_path: Path) -> None:
    one = market(recorded(tmp_path, BTC_USD=range(3)))
    points, grains = one.columns[0].spec.points, one.columns[0].spec.grains
    for hour, close in enumerate(one.closes()):
        (candle,) = close.candles
        figures = (100.25, 102.5, 99.75, 101)
        assert candle[1:5] == tuple(round((value + hour) * 10**points) for value in figures)
        assert candle.volume == (hour + 1) * 10**grains


def test_instruments_stand_in_the_order_of_their_symbols(tmp_path: Path) -> None:
    folder = recorded(tmp_path, BTC_USD=range(3), ETH_USD=range(3), ADA_USD=range(3))
    asked = market(folder, "ETH-USD", "ADA-USD", "BTC-USD")
    assert [one.spec.symbol for one in asked.columns] == ["ADA-USD", "BTC-USD", "ETH-USD"]
    turned = market(folder, "BTC-USD", "ETH-USD", "ADA-USD")
    assert list(asked.closes()) == list(turned.closes())


def test_a_gap_stays_a_gap(tmp_path: Path) -> None:
    one = market(recorded(tmp_path, BTC_USD=(0, 1, 5, 6)))
    assert hours(list(one.closes())) == [0, 1, 5, 6]
    assert any("1 gap, 3 candles missing" in note for note in one.recorded[0].notes)


@pytest.mark.parametrize("after", [0, 1, 7, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 9])
def test_it_goes_on_after_any_close(tmp_path: Path, after: int) -> None:
    one = market(recorded(tmp_path, BTC_USD=range(CHUNK + 10), ETH_USD=range(5, CHUNK)))
    closes = list(one.closes())
    assert len(closes) == CHUNK + 10
    assert list(one.closes(closes[after].at_ms)) == closes[after + 1 :]


def test_a_span_takes_its_first_and_leaves_its_last(tmp_path: Path) -> None:
    folder = recorded(tmp_path, BTC_USD=range(10))
    span = market(folder, from_ms=FIRST + 2 * HOUR, to_ms=FIRST + 5 * HOUR)
    assert hours(list(span.closes())) == [2, 3, 4]
    assert hours(list(market(folder, from_ms=FIRST + 2 * HOUR, limit=2).closes())) == [2, 3]
    assert hours(list(market(folder, limit=99).closes())) == list(range(10))


async def test_what_from_cut_off_is_history_and_the_rest_arrives(tmp_path: Path) -> None:
    folder = recorded(tmp_path, BTC_USD=range(10))
    whole, cut = market(folder), market(folder, from_ms=FIRST + 4 * HOUR)
    closes = list(whole.closes())
    assert cut.history(99) == closes[:4]
    assert cut.history(2) == closes[2:4]
    assert cut.history(0) == whole.history(99) == []
    assert [arrival.close async for arrival in cut.arrivals(0)] == closes[4:]
    assert cut.begins_ms == closes[4].opened_at_ms
    assert cut.ends_ms == closes[-1].at_ms


def test_a_span_without_a_candle_is_refused(tmp_path: Path) -> None:
    folder = recorded(tmp_path, BTC_USD=range(10))
    for span in ({"from_ms": FIRST + 10 * HOUR}, {"to_ms": FIRST}):
        with pytest.raises(DataError, match="no candle between"):
            market(folder, **span)


def test_one_book_has_one_quote(tmp_path: Path) -> None:
    folder = recorded(tmp_path, BTC_USD=range(3), ETH_EUR=range(3))
    with pytest.raises(UsageError, match="paid in EUR, USD"):
        market(folder)
    assert market(folder, "ETH-EUR").instruments[0].spec.quote == "EUR"


def test_a_book_has_room_for_so_many_and_says_so(tmp_path: Path) -> None:
    names = {f"C{number}_USD": range(2) for number in range(INSTRUMENTS_MAX + 1)}
    folder = recorded(tmp_path, **names)
    with pytest.raises(UsageError, match=f"more than the {INSTRUMENTS_MAX}"):
        market(folder)
    asked = [name.replace("_", "-") for name in names][:INSTRUMENTS_MAX]
    assert len(market(folder, *asked).instruments) == INSTRUMENTS_MAX


def test_an_unknown_symbol_names_the_nearest(tmp_path: Path) -> None:
    folder = recorded(tmp_path, BTC_USD=range(3), DOGE_USD=range(3))
    with pytest.raises(NotFound, match=r"holds no BTC-USDT\. Nearest: BTC-USD"):
        market(folder, "BTC-USDT")
