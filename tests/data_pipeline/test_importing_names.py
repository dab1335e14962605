from pathlib import Path

import pytest

from rrr.data_pipeline.importing_names import named

NAMES = [
    ("BTCUSDT-1m-2024-01.zip", "binance binance BTC-USDT 1m"),
    ("1000SATSFDUSD-5m-2024-01-31.csv", "binance binance 1000SATS-FDUSD 5m"),
    ("futures/um/ETHUSDT-1h-2024-01.zip", "binance binanceusdm ETH-USDT-PERP 1h"),
    ("XBTUSD_1.csv", "kraken kraken BTC-USD 1m"),
    ("XDGEUR_1440.csv", "kraken kraken DOGE-EUR 1d"),
    ("BATUSD_15.csv", "kraken kraken BAT-USD 15m"),
    ("SOLXBT_720.csv", "kraken kraken SOL-BTC 12h"),
    ("XBTUSD_7.csv", "   "),
    ("Coinbase_BTCUSD_d.csv.gz", "cryptodatadownload coinbase BTC-USD 1d"),
    ("Binance_BTCTUSD_1h.csv", "cryptodatadownload binance BTC-TUSD 1h"),
    ("Bitstamp_ARBUSD_d.csv", "cryptodatadownload bitstamp ARB-USD 1d"),
    ("Bitstamp_LTCEUR_2023_minute.csv", "cryptodatadownload bitstamp LTC-EUR 1m"),
    ("data/kraken/BTC_EUR-4h.feather", "freqtrade kraken BTC-EUR 4h"),
    ("data/binance/futures/XRP_USDT_USDT-1h-futures.feather", "freqtrade binance XRP-USDT-PERP 1h"),
    ("BTC_EUR-4h.feather", "freqtrade  BTC-EUR 4h"),
    ("kraken/BTC-USD/1h.parquet", "house kraken BTC-USD 1h"),
    ("kraken/BTC-USD/1m/2024-03.parquet", "house kraken BTC-USD 1m"),
    ("kraken/BTC-USD/1d/2024.parquet", "house kraken BTC-USD 1d"),
    ("elsewhere/1h.csv", "   1h"),
    ("2024-03.parquet", "   "),
    ("mine.csv", "   "),
]


@pytest.mark.parametrize(("name", "says"), NAMES)
def test_a_name_says_what_it_leaves_no_doubt_about(tmp_path: Path, name: str, says: str) -> None:
    found = named(tmp_path / name)
    assert " ".join((found.layout, found.venue, found.symbol, found.timeframe)) == says
