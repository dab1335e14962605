import subprocess
import sys

import pytest

from rrr.data_pipeline import lean_ccxt

# What a fresh interpreter does: this one may have imported ccxt before.
LEAN = """
import asyncio, sys
from rrr.data_pipeline import lean_ccxt
async def main():
    for name in {names}:
        kind, why = lean_ccxt.load(name)
        exchange = kind({{}})
        assert (exchange.id, why) == (name, ""), why
        assert exchange.has["fetchOHLCV"] is True and exchange.timeframes["1m"]
        await exchange.close()
asyncio.run(main())
others = {{"ccxt.gemini", "ccxt.async_support.gemini", "ccxt.kraken"}} & sys.modules.keys()
assert not others, others
assert len([name for name in sys.modules if name.startswith("ccxt.")]) < 60
"""

BROKEN = """
import sys
from rrr.data_pipeline import lean_ccxt
bare = lean_ccxt._bare_packages
lean_ccxt._bare_packages = lambda: (bare(), sys.modules["ccxt"].gone)
kind, why = lean_ccxt.load("kraken")
assert why == "AttributeError: module 'ccxt' has no attribute 'gone'", why
assert kind({}).id == "kraken"
assert "ccxt.async_support.gemini" in sys.modules
import ccxt
assert ccxt.kraken().id == "kraken"
"""


def run(program: str) -> None:
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_one_exchange_is_imported_and_no_other() -> None:
    run(LEAN.format(names=("kraken", "coinbase", "binance", "bybit", "okx")))


@pytest.mark.slow
def test_where_the_lean_way_fails_the_plain_one_is_taken() -> None:
    run(BROKEN)


def test_the_names_are_those_of_exchanges() -> None:
    names = lean_ccxt.names()
    assert names == sorted(set(names))
    assert {"kraken", "coinbase", "binance", "bybit", "okx"} <= set(names)
    assert not {"base", "__init__", "async_support", "errors"} & set(names)
