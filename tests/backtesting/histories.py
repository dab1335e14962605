"""Recorded candles in a tree, and the history that a backtest makes of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from rrr.backtesting.history import History, closes_of, history_of
from rrr.backtesting.history_files import readable
from rrr.config import Settings
from rrr.data_pipeline.recorded import timeframe_ms
from rrr.data_pipeline.replay import Replay, replay

HOUR: Final = 3_600_000
MINUTE: Final = 60_000
FIRST: Final = 1_704_067_200_000  # 2024-01-01
HEADER: Final = "ts,open,high,low,close,volume\n"
SHARED: Final = Path(__file__).parents[2].parent / "shared" / "data"

Places: TypeAlias = Iterable[int] | str  # of candles, or their lines

GAPPY: Final[Mapping[str, Sequence[int]]] = {
    "BTC_USD": (*range(40), *range(43, 60)),
    "ETH_USD": (*range(5, 41), *range(50, 70)),
}


def line(at: int, price: int = 0, volume: int = 0, step_ms: int = HOUR) -> str:
    price, volume = price or 1_000 + at * 7 % 90, volume or at + 1
    figures = f"{price}.25,{price + at % 9 + 1}.5,{price - at % 5 - 1}.75,{price + 1},{volume}.5"
    return f"{FIRST + at * step_ms},{figures}\n"


def minutes(places: Iterable[int]) -> str:
    return "".join(line(at, step_ms=MINUTE) for at in places)


def tree(folder: Path, timeframe: str = "1h", /, **symbols: Places) -> Path:
    """Candles of each symbol (BTC_USD)."""
    for symbol, places in symbols.items():
        place = folder / "made" / symbol.replace("_", "-")
        place.mkdir(parents=True, exist_ok=True)
        step_ms = timeframe_ms(timeframe)
        if not isinstance(places, str):
            places = "".join(line(at, step_ms=step_ms) for at in places)
        (place / f"{timeframe}.csv").write_text(HEADER + places, encoding="utf-8")
    return folder


def asked(path: Path, timeframe: str = "1h", *, begin: object = None, **more: Any) -> Settings:
    given = {"replay": path, "timeframe": timeframe, "from": begin, **more}
    return Settings.model_validate(given)


def market_of(settings: Settings) -> Replay:
    """As the wiring opens it."""
    path, begin, end = settings.replay, settings.from_, settings.to
    assert path is not None
    return replay(
        path,
        settings.symbols,
        settings.timeframe,
        {},
        from_ms=int(begin.timestamp() * 1000) if begin else None,
        to_ms=int(end.timestamp() * 1000) if end else None,
        limit=settings.candles,
    )


def made(settings: Settings, warm: int = 0) -> History:
    return history_of(market_of(readable(settings)), settings, warm=warm)


def detailed(folder: Path, fine: str, coarse: str | None = None) -> History:
    """Hours beside these minutes; if they are not said, those that the minutes make."""
    tree(folder, "1m", BTC_USD=fine)
    if coarse is None:
        history = made(asked(folder))
        coarse = "".join(
            f"{close.opened_at_ms},"
            + ",".join(str(price / 10_000) for price in candle[1:5])
            + f",{candle.volume / 10**8}\n"
            for close in closes_of(history)
            for candle in close.candles
        )
    tree(folder, "1h", BTC_USD=coarse)
    return made(asked(folder, fills={"detail": "1m"}))


def moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def named(history: History, *words: str) -> bool:
    """Whether one note has all these words."""
    return any(all(word in note for word in words) for note in history.notes)
