from functools import partial
from pathlib import Path

import pytest

from rrr.core.errors import DataError
from rrr.data_pipeline.importing import Said, Understanding, imported, understood
from rrr.data_pipeline.importing_stamps import Stamps
from tests.data_pipeline.foreign import DAY, MINUTE_MS, at, candle, iso, text, written

HEADER = "timestamp,open,high,low,close,volume"
mine = partial(Said, "kraken", "BTC-USD")


def known(
    folder: Path,
    minutes: range,
    shift_ms: int = 0,
    header: str = HEADER,
    stamps: Stamps | None = None,
) -> Understanding:
    rows = [(at(minute) + shift_ms, *candle(minute)) for minute in minutes]
    path = written(folder / "mine.csv", text(rows, header))
    return understood(path, mine(stamps=stamps))


HOUR = 60
PROOFS = [
    (range(0, DAY), 0, HEADER, "open"),
    (range(0, DAY), MINUTE_MS, HEADER, "close"),
    (range(0, DAY - 1), 0, HEADER, None),
    (range(1, DAY), 0, HEADER, None),
    (range(0, DAY - 1), MINUTE_MS, HEADER, None),
    (range(7, 99), MINUTE_MS - 1, HEADER, "close"),
    (range(7, 99), MINUTE_MS - 1000, HEADER, "close"),
    (range(7, 99), 0, HEADER.replace("timestamp", "Open Time"), "open"),
    (range(7, 99), MINUTE_MS, HEADER.replace("timestamp", "Close Time"), "close"),
    (range(0, DAY, HOUR), 0, HEADER, None),  # one whole day of hours may be an accident
    (range(0, 31 * DAY, HOUR), 0, HEADER, "open"),
    (range(0, 31 * DAY, HOUR), HOUR * MINUTE_MS, HEADER, "close"),
]


@pytest.mark.parametrize(("minutes", "shift_ms", "header", "stamps"), PROOFS)
def test_a_stamp_means_what_the_file_proves(
    tmp_path: Path, minutes: range, shift_ms: int, header: str, stamps: Stamps | None
) -> None:
    found = known(tmp_path, minutes, shift_ms, header)
    assert found.stamps == stamps
    assert bool(found.asks) == (stamps is None)
    said = found if stamps else known(tmp_path, minutes, shift_ms, header, "open")
    begins = imported(tmp_path / "mine.csv", said).ts.tolist()
    assert begins == [at(minute) + (shift_ms if stamps is None else 0) for minute in minutes]


def test_a_column_of_closes_proves_what_the_other_means(tmp_path: Path) -> None:
    for late, stamps in ((MINUTE_MS, "open"), (2 * MINUTE_MS, None)):
        rows = [(at(m), *candle(m), at(m) + late - 1) for m in range(7, 99)]
        path = written(tmp_path / "mine.csv", text(rows, f"{HEADER},close_time"))
        assert understood(path, mine()).stamps == stamps


def test_a_date_names_its_day(tmp_path: Path) -> None:
    rows = [(iso(at(DAY * day))[:10], *candle(day)) for day in range(3, 8)]
    found = understood(written(tmp_path / "mine.csv", text(rows, HEADER)), mine())
    assert (found.stamps, found.timeframe_ms, found.time_unit) == ("open", DAY * MINUTE_MS, "dates")


def test_half_days_of_cryptodatadownload_are_read(tmp_path: Path) -> None:
    hours = [f"2024-01-01 {hour}" for hour in ("12-AM", "01-AM", "11-AM", "12-PM", "11-PM")]
    rows = [(hour, *candle(index)) for index, hour in enumerate(hours)]
    path = written(tmp_path / "Gemini_BTCUSD_1h.csv", text(rows, HEADER))
    found = understood(path, mine(stamps="open"))
    ts = imported(path, found).ts
    assert ((ts - at(0)) // (60 * MINUTE_MS)).tolist() == [0, 1, 11, 12, 23]


@pytest.mark.parametrize(
    ("minutes", "timeframe_ms"),
    [
        ([0, 1, 2, 9, 10], MINUTE_MS),
        ([0, 5, 10, 15, 40], 5 * MINUTE_MS),
        ([0, 5, 10, 11, 16], None),  # five minutes, or one with holes
        ([0, 7, 14, 21], None),
        ([0], None),
    ],
)
def test_a_timeframe_is_what_all_steps_agree_upon(
    tmp_path: Path, minutes: list[int], timeframe_ms: int | None
) -> None:
    rows = [(at(minute), *candle(minute)) for minute in minutes]
    path = written(tmp_path / "mine.csv", text(rows, HEADER))
    found = understood(path, mine(stamps="open"))
    assert found.timeframe_ms == timeframe_ms
    assert bool(found.asks) == (timeframe_ms is None)


def test_a_person_may_say_the_timeframe_of_a_thin_market(tmp_path: Path) -> None:
    rows = [(at(minute), *candle(minute)) for minute in (0, 5, 10, 11, 16)]
    path = written(tmp_path / "mine.csv", text(rows, HEADER))
    found = understood(path, mine(timeframe="1m", stamps="open"))
    assert (found.timeframe_ms, found.asks) == (MINUTE_MS, ())


def test_a_thin_market_is_no_other_timeframe(tmp_path: Path) -> None:
    rows = [(at(m) // 1000, *candle(m), 1) for m in (0, 5, 10, 11, 16, 31)]
    path = written(tmp_path / "XBTUSD_1.csv", text(rows))
    assert understood(path).timeframe_ms == MINUTE_MS
    written(path, text(rows[:3]))
    with pytest.raises(DataError, match="looks like 5m candles"):
        understood(path)
    assert understood(path, mine(timeframe="1m")).timeframe_ms == MINUTE_MS
