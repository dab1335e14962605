"""Whoever asks for hours where only minutes were recorded gets hours made of those minutes."""

from pathlib import Path

from rrr.config import Settings
from rrr.core.errors import NotFound
from rrr.data_pipeline.recorded import TIMEFRAMES, find, timeframe_ms, usual_step_ms
from rrr.data_pipeline.recorded_files import timeframe_in_name, timeframe_name


def readable(settings: Settings) -> Settings:
    """What to open the market with: of recorded candles, the longest step that makes those asked.

    `history_of` is given what was asked, and makes them.
    """
    if settings.source != "replay":
        return settings
    assert settings.replay is not None, "Checked with the settings."
    if settings.replay.is_file():
        name = _of_file(settings.replay, settings)
    else:
        name = _of_tree(settings.replay, settings)
    if name == settings.timeframe:
        return settings
    # So many candles of the longer timeframe are more of the shorter one.
    return settings.model_copy(update={"timeframe": name, "candles": None})


def _of_file(path: Path, settings: Settings) -> str:
    name = timeframe_in_name(path)
    if name is None:
        found = find(path, settings.symbols, settings.timeframe)[0]
        name = timeframe_name(usual_step_ms(found))
    return name if name in _makers(settings.timeframe) else settings.timeframe


def _of_tree(path: Path, settings: Settings) -> str:
    missing: NotFound | None = None
    for name in _makers(settings.timeframe):
        try:
            find(path, settings.symbols, name)
        except NotFound as error:
            missing = missing or error
        else:
            return name
    assert missing is not None, "What was asked for is the first to be looked for."
    raise missing


def _makers(timeframe: str) -> list[str]:
    """
    >>> _makers("15m")
    ['15m', '5m', '3m', '1m']
    """
    asked_ms = timeframe_ms(timeframe)
    return [name for name, each in reversed(TIMEFRAMES.items()) if asked_ms % each == 0]
