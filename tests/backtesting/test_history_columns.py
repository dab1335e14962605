"""A longer candle is made of what there is, and nothing is invented."""

from pathlib import Path

import pytest

from rrr.backtesting.history import closes_of
from rrr.core.errors import DataError
from rrr.neural_network.panel import NUMBERS
from tests.backtesting.histories import FIRST, HOUR, MINUTE, asked, line, made, named, tree


def test_hours_are_made_of_minutes_and_it_says_so(tmp_path: Path) -> None:
    places = [at for at in range(300) if at not in (61, 62, 150)]
    history = made(asked(tree(tmp_path, "1m", BTC_USD=places)))
    minutes = made(asked(tmp_path, "1m")).panel
    assert history.panel.times == 5
    for hour in range(5):
        inside = [at for at in places if at // 60 == hour]
        one = {name: getattr(history.panel, name)[0, hour] for name in NUMBERS}
        assert one["open"] == minutes.open[0, inside[0]]
        assert one["close"] == minutes.close[0, inside[-1]]
        assert one["high"] == minutes.high[0, inside].max()
        assert one["low"] == minutes.low[0, inside].min()
        assert one["volume"] == minutes.volume[0, inside].sum()
    assert named(history, "1h candles are made of those of 1m")
    assert named(
        history, "2 of 5 candles (the first: 2024-01-01 01:00 UTC) made of less than 60 1m"
    )


def test_no_longer_candle_is_invented(tmp_path: Path) -> None:
    """Of the hours in which nobody traded there is none; the ends are whole or left out."""
    places = [*range(17, 60), *range(60, 120), *range(240, 330)]
    history = made(asked(tree(tmp_path, "1m", BTC_USD=places)))
    assert [(close.opened_at_ms - FIRST) // HOUR for close in closes_of(history)] == [1, 4]
    assert named(history, "the first and last of the 1h candles would not be whole")


@pytest.mark.parametrize(("cut", "hours"), [("00:30", [1, 2, 3]), ("01:00", [1, 2, 3])])
def test_longer_candles_begin_with_their_span(tmp_path: Path, cut: str, hours: list[int]) -> None:
    path = tree(tmp_path, "1m", BTC_USD=range(250))
    history = made(asked(path, begin=f"2024-01-01T{cut}", candles=3), warm=9)
    assert [(close.opened_at_ms - FIRST) // HOUR for close in closes_of(history)] == hours
    assert history.begins == 1


def test_a_longer_volume_beyond_64_bits_is_refused(tmp_path: Path) -> None:
    def lines(volume: int) -> str:
        return "".join(line(at, volume=volume, step_ms=MINUTE) for at in range(120))

    most = (1 << 63) // (60 * 10**8)  # coins a minute, and a half: then an hour has no room
    history = made(asked(tree(tmp_path, "1m", BTC_USD=lines(most))))
    assert history.panel.volume[0, 0] == 60 * (most * 10**8 + 10**8 // 2)
    with pytest.raises(DataError, match=r"volume of BTC-USD in the 1h from 2024.* 64 bits"):
        made(asked(tree(tmp_path, "1m", BTC_USD=lines(most + 1))))


def test_a_span_without_a_whole_candle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="make no whole one of 1h"):
        made(asked(tree(tmp_path, "1m", BTC_USD=range(7, 62))))
