"""Files as others write them, of candles that every test knows."""

import gzip
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

FIRST_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC
MINUTE_MS = 60_000
DAY = 1440

Cells = Sequence[object]


def candle(minute: int) -> tuple[float, float, float, float, float]:
    """Open, high, low, close, volume: a function of the minute."""
    opened, closed = 100 + minute % 7 / 100, 100 + (minute + 1) % 7 / 100
    return opened, max(opened, closed) + 0.5, min(opened, closed) - 0.25, closed, minute % 11 / 8


def at(minute: int) -> int:
    return FIRST_MS + minute * MINUTE_MS


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def plain(minute: int, stamp: Callable[[int], object] = lambda at_ms: at_ms) -> Cells:
    return stamp(at(minute)), *candle(minute)


def binance(minute: int, per_ms: int = 1) -> Cells:
    """The twelve columns of Binance's public data; microseconds since 2025."""
    closes = (at(minute) + MINUTE_MS) * per_ms - 1
    return at(minute) * per_ms, *candle(minute), closes, "1.5", 7, "0.5", "50.1", 0


def kraken(minute: int) -> Cells:
    return at(minute) // 1000, *candle(minute), 3


def text(rows: Iterable[Cells], header: str = "", separator: str = ",") -> str:
    lines = [separator.join(map(str, row)) for row in rows]
    return "\n".join([header, *lines] if header else lines) + "\n"


def written(path: Path, content: str | bytes) -> Path:
    """The file, packed as the ending of its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode() if isinstance(content, str) else content
    if path.suffix == ".gz":
        raw = gzip.compress(raw)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{path.stem}.csv", raw)
    else:
        path.write_bytes(raw)
    return path
