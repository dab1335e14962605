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


PRO = """
import asyncio, sys
from rrr.data_pipeline import lean_ccxt
async def main():
    for name in {names}:
        kind, why = lean_ccxt.load_pro(name)
        exchange = kind({{}})
        assert (exchange.id, why, kind.__module__) == (name, "", f"ccxt.pro.{{name}}"), why
        assert exchange.has["ws"] is True and exchange.has["watchTrades"] is True
        await exchange.close()
asyncio.run(main())
assert not {{"ccxt.pro.gemini", "ccxt.async_support.gemini"}} & sys.modules.keys()
assert len([name for name in sys.modules if name.startswith("ccxt.")]) < 60
"""

BROKEN_PRO = """
from rrr.data_pipeline import lean_ccxt
lean_ccxt._bare_pro = lambda: [].gone
kind, why = lean_ccxt.load_pro("kraken")
assert why == "AttributeError: 'list' object has no attribute 'gone'", why
assert kind({}).has["watchOHLCV"] is True
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


def test_one_exchange_with_sockets_is_imported_and_no_other() -> None:
    run(PRO.format(names=("kraken", "coinbase", "binance", "binanceus", "bybit", "okx")))


@pytest.mark.slow
def test_where_the_lean_way_to_sockets_fails_the_plain_one_is_taken() -> None:
    run(BROKEN_PRO)


def test_some_exchanges_have_sockets() -> None:
    there = {name for name in lean_ccxt.names() if lean_ccxt.has_pro(name)}
    assert {"kraken", "coinbase", "binance"} < there < set(lean_ccxt.names())


def test_the_names_are_those_of_exchanges() -> None:
    names = lean_ccxt.names()
    assert names == sorted(set(names))
    assert {"kraken", "coinbase", "binance", "bybit", "okx"} <= set(names)
    assert not {"base", "__init__", "async_support", "errors"} & set(names)
