"""What happened inside a candle is believed only where it makes that candle."""

from pathlib import Path

import pytest

from rrr.backtesting.history import history_of
from rrr.config import Settings
from rrr.core.errors import NotFound, RRRError, UsageError
from rrr.data_pipeline.simulated import simulated
from tests.backtesting.histories import asked, detailed, made, minutes, named, tree


def test_finer_candles_stand_beside_those_that_they_make(tmp_path: Path) -> None:
    places = [at for at in range(240) if at != 70]
    history = detailed(tmp_path, minutes(places))
    fine = made(asked(tmp_path, "1m")).panel
    assert history.detail is not None
    assert history.detail.digest() == fine.digest()
    assert not named(history, "1m")


@pytest.mark.parametrize("what", range(1, 5))
def test_where_they_make_another_candle_they_are_left_out(tmp_path: Path, what: int) -> None:
    """One price of the second hour is another: open, high, low, close."""
    detailed(tmp_path, minutes(range(180)))
    file = tmp_path / "made/BTC-USD/1h.csv"
    lines = file.read_text().splitlines()
    cells = lines[2].split(",")
    cells[what] = str(float(cells[what]) + {1: 0.01, 2: 0.01, 3: -0.01, 4: 0.01}[what])
    lines[2] = ",".join(cells)
    file.write_text("\n".join(lines) + "\n")
    history = made(asked(tmp_path, fills={"detail": "1m"}))
    assert history.detail is not None
    assert history.detail.there[0].tolist() == [at // 60 != 1 for at in range(180)]
    assert not history.detail.high[0, 60:120].any()
    assert named(history, "1 of 3 candles (the first: 2024-01-01 01:00 UTC) unlike what their 1m")


def test_where_there_are_none_the_candle_decides_and_it_is_said(tmp_path: Path) -> None:
    detailed(tmp_path, minutes(range(240)))
    tree(tmp_path, "1m", BTC_USD=minutes([*range(60), *range(180, 240)]))
    history = made(asked(tmp_path, fills={"detail": "1m"}))
    assert history.detail is not None and int(history.detail.there.sum()) == 120
    assert named(history, "2 of 4 candles (the first: 2024-01-01 01:00 UTC) without 1m candles")


def test_finer_candles_where_no_candle_is_are_left_out(tmp_path: Path) -> None:
    detailed(tmp_path, minutes(range(240)))
    file = tmp_path / "made/BTC-USD/1h.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:2] + lines[3:]))
    history = made(asked(tmp_path, fills={"detail": "1m"}))
    assert history.detail is not None and not history.detail.there[0, 60:120].any()


def test_another_volume_is_said(tmp_path: Path) -> None:
    detailed(tmp_path, minutes(range(120)))
    file = tmp_path / "made/BTC-USD/1h.csv"
    lines = file.read_text().splitlines()
    lines[1] = ",".join([*lines[1].split(",")[:5], "7"])
    file.write_text("\n".join(lines) + "\n")
    history = made(asked(tmp_path, fills={"detail": "1m"}))
    assert history.detail is not None and history.detail.there.all()
    assert named(history, "1 of 2 candles", "of another volume")


@pytest.mark.parametrize(
    ("timeframe", "detail", "error", "words"),
    [
        ("1h", "1h", UsageError, "do not show what is inside"),
        ("1h", "4h", UsageError, "do not show what is inside"),
        ("1m", "1h", UsageError, "do not show what is inside"),
        ("1h", "5m", NotFound, "holds no 5m candles of BTC-USD"),
    ],
)
def test_no_detail_that_is_none(
    tmp_path: Path, timeframe: str, detail: str, error: type[RRRError], words: str
) -> None:
    tree(tmp_path, "1m", BTC_USD=range(120))
    with pytest.raises(error, match=words):
        made(asked(tmp_path, timeframe, fills={"detail": detail}))


def test_only_recorded_candles_have_finer_ones() -> None:
    settings = Settings.model_validate({"fills": {"detail": "1m"}})
    with pytest.raises(UsageError, match="the market is simulated"):
        history_of(simulated(["BTC-USD"], "1h", 1, 9), settings)
