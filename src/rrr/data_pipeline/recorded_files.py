"""A file of candles is picked by its name and place, and never by a guess.

What enters is a path, the symbols and the timeframe asked for; what leaves names each file, its
venue, its symbol and its step. Trades, quotes, funding and depth lie in the same folders and are
never picked; two files that could both be meant are an error that names both. A folder named after
its timeframe, of the months or years of a store, is one file in parts.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path

from rrr.core.errors import NotFound, UsageError

MINUTE_MS = 60_000
TIMEFRAMES = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": 1440 * MINUTE_MS,
    "1w": 7 * 1440 * MINUTE_MS,
}
MONDAY_MS = 4 * TIMEFRAMES["1d"]  # weeks begin on Mondays, the epoch on a Thursday
UNKNOWN_VENUE = "recorded"  # of a file that does not lie in a venue's tree

_SYMBOL = re.compile(r"[A-Z0-9]+-[A-Z0-9]+(-[A-Z0-9]+)*")
_CANDLES = re.compile(
    rf"({'|'.join(TIMEFRAMES)})(-.+)?\.(parquet|csv|csv\.gz|csv\.utf16|csv\.utf16\.gz)"
)
_PARTITION = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?\.parquet")
_OTHER = re.compile(r"(trade|quote|funding|depth|book|mark|index)", re.IGNORECASE)
_SHAPE = "Give one parquet or CSV file, or a tree <venue>/<SYMBOL>/<timeframe>.parquet."


@dataclass(frozen=True, slots=True)
class Found:
    path: Path  # a file, or a folder of partitions
    venue: str
    symbol: str
    timeframe_ms: int


def find(path: Path, symbols: Sequence[str], timeframe: str) -> list[Found]:
    """Name the files that hold these symbols; without symbols, all that have the timeframe."""
    step = timeframe_ms(timeframe)
    asked = list(dict.fromkeys(symbol_name(symbol) for symbol in symbols))
    if path.is_file():
        venue, symbol = _of_single(path, asked)
        return [Found(path, venue, symbol, step)]
    if not path.is_dir():
        raise NotFound(f"{path} does not exist.", _SHAPE)
    if partitions(path):
        name = _absolute(path).name
        if name != timeframe:
            raise NotFound(f"{path} holds no {timeframe} candles.", f"It has {name}.")
        return [Found(path, *_of_single(path, asked), step)]

    folders = _folders(path)
    if not folders:
        raise NotFound(f"{path} holds no files of candles.", _SHAPE)
    known = sorted({_symbol_of(folder) for folder in folders})
    for symbol in asked:
        if symbol not in known:
            raise NotFound(f"{path} holds no {symbol}.", _nearest(symbol, known))

    found = []
    for symbol in asked or known:
        places = [folder for folder in folders if _symbol_of(folder) == symbol]
        having = [place for place in places if timeframe in _candles(place)]
        if len(having) > 1:
            names = ", ".join(_venue_of(place) for place in having)
            raise UsageError(
                f"{path} holds {symbol} of several venues: {names}.", "Give the folder of one."
            )
        if asked and not having:
            there = _listed({name for place in places for name in _candles(place)})
            raise NotFound(f"{path} holds no {timeframe} candles of {symbol}.", f"It has {there}.")
        for place in having:
            file = _only(_candles(place)[timeframe], place, timeframe)
            found.append(Found(file, _venue_of(place), symbol, step))
    if not found:
        there = _listed({name for folder in folders for name in _candles(folder)})
        raise NotFound(f"{path} holds no {timeframe} candles.", f"It has {there}.")
    return found


def partitions(folder: Path) -> list[Path]:
    """The months or years of a timeframe's folder, the oldest first; none in any other folder."""
    if _absolute(folder).name not in TIMEFRAMES or not folder.is_dir():
        return []
    return [path for path in _children(folder) if _PARTITION.fullmatch(path.name)]


def timeframe_ms(text: str) -> int:
    """
    >>> timeframe_ms("5m")
    300000
    """
    if text not in TIMEFRAMES:
        raise UsageError(f"{text!r} is no timeframe.", f"Known: {', '.join(TIMEFRAMES)}.")
    return TIMEFRAMES[text]


def timeframe_name(step_ms: int) -> str:
    """
    >>> timeframe_name(300_000), timeframe_name(420_000)
    ('5m', '7 minutes')
    """
    names = {length: name for name, length in TIMEFRAMES.items()}
    return names.get(step_ms) or f"{step_ms / MINUTE_MS:g} minutes"


def grid_begin_ms(step_ms: int) -> int:
    """An opening time of this timeframe: the others lie whole steps from it."""
    return MONDAY_MS if step_ms == TIMEFRAMES["1w"] else 0


def timeframe_in_name(path: Path) -> str | None:
    """
    >>> timeframe_in_name(Path("1d-2020.csv.gz")), timeframe_in_name(Path("mine.csv"))
    ('1d', None)
    """
    match = _CANDLES.fullmatch(path.name)
    return match[1] if match else None


def symbol_name(text: str) -> str:
    """
    >>> symbol_name("btc/usd"), symbol_name("BTC-USDT-PERP")
    ('BTC-USD', 'BTC-USDT-PERP')
    """
    name = text.strip().upper().replace("/", "-")
    if not _SYMBOL.fullmatch(name):
        raise UsageError(f"{text!r} is no symbol.", "Write BASE-QUOTE, such as BTC-USD.")
    return name


def symbol_parts(symbol: str) -> tuple[str, str]:
    """
    >>> symbol_parts("BTC-USDT-PERP")
    ('BTC', 'USDT')
    """
    base, quote, *_ = symbol_name(symbol).split("-")
    return base, quote


def _of_single(path: Path, asked: Sequence[str]) -> tuple[str, str]:
    if len(asked) > 1:
        raise UsageError(
            f"{path} is one file, {len(asked)} symbols are asked for.",
            "Name one symbol, or give a tree <venue>/<SYMBOL>/<timeframe>.parquet.",
        )
    folder = _absolute(path).parent
    if path.is_file() and path in partitions(path.parent):
        folder = folder.parent
    in_tree = _is_symbol(folder)
    if not in_tree and not asked:
        raise UsageError(
            f"{path} does not lie in a folder named after its symbol.",
            "Say what it holds: --symbols BTC-USD.",
        )
    if not in_tree:
        return UNKNOWN_VENUE, asked[0]
    symbol = _symbol_of(folder)
    if asked and asked[0] != symbol:
        raise UsageError(f"{path} lies in the folder of {symbol}, not of {asked[0]}.", _SHAPE)
    return _venue_of(folder), symbol


def _folders(path: Path) -> list[Path]:
    """The folders of symbols in a symbol's own folder, in a venue's, or in a root of venues."""
    level = [path]
    for _ in ("symbol", "venue", "root"):
        held = [folder for folder in level if _is_symbol(folder)]
        if held:
            return held
        level = [child for folder in level for child in _children(folder) if child.is_dir()]
    return []


def _is_symbol(folder: Path) -> bool:
    return _SYMBOL.fullmatch(_symbol_of(folder)) is not None and bool(_candles(folder))


def _candles(folder: Path) -> dict[str, list[Path]]:
    """All candles by timeframe: the plain `1h.parquet`, the folder `1h`, or each `1h-*.parquet`."""
    plain: dict[str, list[Path]] = {}
    variants: dict[str, list[Path]] = {}
    for file in _children(folder):
        match = _CANDLES.fullmatch(file.name)
        if match and not _OTHER.search(match[2] or "") and file.is_file():
            (variants if match[2] else plain).setdefault(match[1], []).append(file)
        elif partitions(file):
            plain.setdefault(file.name, []).append(file)
    return variants | plain


def _only(files: Sequence[Path], folder: Path, timeframe: str) -> Path:
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise UsageError(
            f"{folder} has several files of {timeframe} candles: {names}.", "Give one as the path."
        )
    return files[0]


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise NotFound(f"{folder} cannot be read: {error.strerror}.", _SHAPE) from error


def _symbol_of(folder: Path) -> str:
    return _absolute(folder).name.upper()


def _venue_of(folder: Path) -> str:
    name = _absolute(folder).parent.name.lower()
    return name.encode("utf-8", "replace").decode()  # a name of any bytes, as text


def _absolute(path: Path) -> Path:
    """Links are not followed: a link may be named after its symbol, its target need not be."""
    return Path(normpath(path.absolute()))


def _listed(timeframes: Collection[str]) -> str:
    return ", ".join(name for name in TIMEFRAMES if name in timeframes)


def _nearest(symbol: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(symbol, known, n=3, cutoff=0.5)
    if near:
        return f"Nearest: {', '.join(near)}."
    return f"It has {', '.join(known[:8])}{' and others' if len(known) > 8 else ''}."
