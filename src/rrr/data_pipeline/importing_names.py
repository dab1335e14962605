"""A file's name says what it may hold; what it holds is said by its rows.

The names that freqtrade, Binance's public data, CryptoDataDownload, Kraken's archive and this house
give their files: venue, symbol and timeframe, each of them only where the name leaves no doubt.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rrr.data_pipeline.recorded_files import TIMEFRAMES, UNKNOWN_VENUE

# The longest first. Only Binance has coins paid in BUSD and TUSD, and none paid in USD: elsewhere
# ARBUSD and BATUSD end in USD.
_DOLLARS: Final = ("FDUSD", "BUSD", "TUSD")
_QUOTES: Final = (
    *("USDT", "USDC", "USDP", "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "TRY", "BRL"),
    *("DAI", "PAX", "BTC", "XBT", "ETH", "BNB", "XRP", "TRX"),
)

_STEPS = "|".join(TIMEFRAMES)
_FREQTRADE = re.compile(rf"([A-Z0-9]+)_([A-Z0-9]+)(_[A-Z0-9]+)?-({_STEPS})(-futures)?\.\w+")
_BINANCE = re.compile(
    rf"([A-Z0-9]+)-({_STEPS})-(\d{{4}}-\d{{2}}(?:-\d{{2}})?)\.(?:zip|csv)(?:\.gz)?"
)
_CRYPTO_DATA_DOWNLOAD = re.compile(
    r"([A-Za-z.]+)_([A-Z0-9]+)_(?:\d{4}_)?(d|1h|h|minute|1m)\.csv(?:\.gz)?"
)
_KRAKEN = re.compile(r"([A-Z0-9.]+)_(\d+)\.csv(?:\.gz)?")
_HOUSE = re.compile(rf"({_STEPS})(-.+)?\.\w+(\.\w+)*")
_MONTH = re.compile(r"\d{4}(-\d{2})?\.parquet")
_WORDS = {"d": "1d", "1h": "1h", "h": "1h", "minute": "1m", "1m": "1m"}
_MINUTES = {str(length // 60_000): name for name, length in TIMEFRAMES.items()}
_KRAKENS = {"XBT": "BTC", "XDG": "DOGE"}
_SYMBOL = re.compile(r"[A-Z0-9]+-[A-Z0-9]+(-[A-Z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says; empty where it says nothing."""

    layout: str = ""  # freqtrade, binance, cryptodatadownload, kraken, house
    venue: str = ""
    symbol: str = ""
    timeframe: str = ""


def named(path: Path) -> Named:
    """
    >>> named(Path("BTCUSDT-1m-2024-01.zip"))
    Named(layout='binance', venue='binance', symbol='BTC-USDT', timeframe='1m')
    >>> named(Path("XBTUSD_60.csv"))
    Named(layout='kraken', venue='kraken', symbol='BTC-USD', timeframe='1h')
    >>> named(Path("user_data/data/okx/XRP_USDT_USDT-1h-futures.feather"))
    Named(layout='freqtrade', venue='okx', symbol='XRP-USDT-PERP', timeframe='1h')
    >>> named(Path("mine.csv"))
    Named(layout='', venue='', symbol='', timeframe='')
    """
    if match := _FREQTRADE.fullmatch(path.name):
        base, quote, settled, timeframe, futures = match.groups()
        ending = "-PERP" if settled or futures else ""
        return Named("freqtrade", _folder_venue(path), f"{base}-{quote}{ending}", timeframe)
    if match := _BINANCE.fullmatch(path.name):
        perpetual = "futures" in path.parts
        symbol = together(match[1], "binance")
        symbol += "-PERP" if symbol and perpetual else ""
        venue = "binanceusdm" if perpetual else "binance"
        return Named("binance", venue, symbol, match[2])
    if match := _CRYPTO_DATA_DOWNLOAD.fullmatch(path.name):
        venue = match[1].lower()
        symbol = together(match[2], venue)
        return Named("cryptodatadownload", venue, symbol, _WORDS[match[3]])
    if (match := _KRAKEN.fullmatch(path.name)) and match[2] in _MINUTES:
        return Named("kraken", "kraken", together(match[1]), _MINUTES[match[2]])
    if match := _HOUSE.fullmatch(path.name):
        return _in_tree(path.absolute().parent, match[1])
    folder = path.absolute().parent
    if _MONTH.fullmatch(path.name) and folder.name in TIMEFRAMES:
        return _in_tree(folder.parent, folder.name)
    return Named()


def together(pair: str, venue: str = "") -> str:
    """A pair written as one word, apart; empty where nobody can tell.

    >>> together("BTCUSDT"), together("XBTUSD"), together("BTC/EUR"), together("EURUSDX")
    ('BTC-USDT', 'BTC-USD', 'BTC-EUR', '')
    >>> together("ARBUSD"), together("ARBUSD", "binance")
    ('ARB-USD', 'AR-BUSD')
    """
    plain = pair.strip().upper().replace("/", "-").replace("_", "-")
    if _SYMBOL.fullmatch(plain):
        return plain
    for quote in (*_DOLLARS, *_QUOTES) if venue == "binance" else _QUOTES:
        base = plain.removesuffix(quote)
        if base and base != plain and base.isalnum():
            return f"{_KRAKENS.get(base, base)}-{_KRAKENS.get(quote, quote)}"
    return ""


def _folder_venue(path: Path) -> str:
    """freqtrade keeps the files of a venue in a folder of its name, futures one deeper."""
    folders = [name for name in path.absolute().parent.parts if name != "futures"]
    known = folders[-1:] if folders[-2:-1] == ["data"] else []
    return known[0].lower() if known else ""


def _in_tree(folder: Path, timeframe: str) -> Named:
    if not _SYMBOL.fullmatch(folder.name):
        return Named(timeframe=timeframe)
    return Named("house", folder.parent.name.lower() or UNKNOWN_VENUE, folder.name, timeframe)
