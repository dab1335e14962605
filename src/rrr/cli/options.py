"""Options that many commands have: those that are settings, and what a number may be."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

MODE: Final[dict[str, Any]] = {"choices": ["paper", "live"], "default": "paper"}
MARKET: Final = (
    ("market", "NAME", "simulated, replay, or an exchange such as kraken"),
    ("address", "URL", "where the exchange is asked, if not at its own"),
    ("replay", "PATH", "recorded candles: one parquet or CSV file, or a tree"),
    ("symbols", "LIST", "BTC-USD,ETH-USD …; or else all there are"),
    ("timeframe", "SPAN", "of one candle: 1m, 5m, 1d …; or else 1h"),
    ("from", "TIME", "the first candle opens at this UTC date or later"),
    ("to", "TIME", "no candle opens at this UTC date or later"),
    ("candles", "N", "end after so many closing times"),
)

Option = tuple[str, str, str]  # name, metavar, meaning


def configured(
    one: argparse.ArgumentParser, title: str, settings: Sequence[Option]
) -> tuple[Any, Any]:
    """Add the options that are settings: the group of the market, and that of these others."""
    one.add_argument("--config", type=Path, metavar="FILE", help="another trading_config.yml")
    one.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting"
    )
    market, others = one.add_argument_group("the market"), one.add_argument_group(title)
    for group, these in ((market, MARKET), (others, settings)):
        for name, value, meaning in these:
            group.add_argument(f"--{name}", metavar=value, help=meaning, dest=f"set_{name}")
    return market, others


def number(most: int, least: int = 0) -> Callable[[str], int]:
    """What reads a whole number between these."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no whole number from {least} to {most:,}"
            )
        return int(text)

    return read
