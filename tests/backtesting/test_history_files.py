"""Hours can be asked for where only minutes were recorded."""

from pathlib import Path

import pytest

from rrr.backtesting.history_files import readable
from rrr.config import Settings
from rrr.core.errors import DataError, NotFound
from tests.backtesting.histories import HOUR, asked, made, tree


def test_the_longest_candles_that_make_those_asked_are_read(tmp_path: Path) -> None:
    tree(tree(tree(tmp_path, "1m", BTC_USD=range(9)), "15m", BTC_USD=range(9)), "4h", BTC_USD=[0])
    asking = asked(tmp_path, "1h", candles=3)
    assert readable(asking).timeframe == "15m" and readable(asking).candles is None
    assert readable(asked(tmp_path, "15m", candles=3)) == asked(tmp_path, "15m", candles=3)
    assert readable(asked(tmp_path, "12h")).timeframe == "4h"
    assert readable(Settings()) == Settings()


def test_all_instruments_are_made_of_one_timeframe(tmp_path: Path) -> None:
    tree(tree(tmp_path, "1m", BTC_USD=range(130), ETH_USD=range(130)), "1h", BTC_USD=range(2))
    assert readable(asked(tmp_path, symbols="BTC-USD,ETH-USD")).timeframe == "1m"
    assert readable(asked(tmp_path, symbols="BTC-USD")).timeframe == "1h"


def test_what_no_file_can_make_is_refused_as_it_was_asked(tmp_path: Path) -> None:
    tree(tmp_path, "4h", BTC_USD=range(9))
    with pytest.raises(NotFound, match=r"holds no 1h candles of BTC-USD\. It has 4h"):
        readable(asked(tmp_path, symbols="BTC-USD"))


@pytest.mark.parametrize("name", ["1m.csv", "mine.csv"])
def test_one_file_makes_longer_candles_whatever_its_name(tmp_path: Path, name: str) -> None:
    file = tree(tmp_path, "1m", BTC_USD=range(180)) / "made/BTC-USD/1m.csv"
    file = file.rename(file.with_name(name))
    history = made(asked(file, symbols="BTC-USD"))
    assert history.panel.times == 3 and history.panel.timeframe_ms == HOUR


@pytest.mark.parametrize("name", ["4h.csv", "mine.csv"])
def test_one_file_makes_no_shorter_candles(tmp_path: Path, name: str) -> None:
    file = tree(tmp_path, "4h", BTC_USD=range(180)) / "made/BTC-USD/4h.csv"
    file = file.rename(file.with_name(name))
    with pytest.raises(DataError, match="looks like 4h candles"):
        made(asked(file, symbols="BTC-USD"))
