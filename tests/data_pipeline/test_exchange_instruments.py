from typing import Any

import pytest

from rrr.core.errors import DataError, NotFound, RRRError, UsageError
from rrr.core.market import INSTRUMENTS_MAX
from rrr.data_pipeline.exchange_instruments import Chosen, choose, spec
from rrr.data_pipeline.instruments import Spec
from tests.data_pipeline.exchanges import START_MS, SYMBOLS, opened
from tests.data_pipeline.loopback import Loopback, Time

ROWS = [[0, 100.5, 101.25, 99.5, 100.75, 2.125]]


def market(symbol: str, **more: Any) -> dict[str, Any]:
    base, _, quote = symbol.partition("/")
    return {"symbol": symbol, "base": base, "quote": quote, "spot": True, "active": True} | more


def markets(*symbols: str) -> dict[str, dict[str, Any]]:
    return {symbol: market(symbol) for symbol in symbols}


def ruled(precision: dict[str, Any], limits: dict[str, Any] | None = None) -> Chosen:
    return Chosen("BTC-USD", market("BTC/USD", precision=precision, limits=limits))


async def test_the_rules_are_the_exchanges_own() -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with opened(server, clock, symbols=["eth/usd", "BTC-USD"]) as exchange:
            btc, eth = exchange.instruments
    assert btc.spec == Spec(
        venue="kraken",
        symbol="BTC-USD",
        base="BTC",
        quote="USD",
        points=1 + 2,
        grains=8,
        tick=10**2,
        lot=1,
        quantity_min=5 * 10**3,
        notional_min=5 * 10**7,
        inferred=False,
    )
    assert (eth.spec.symbol, eth.spec.points) == ("ETH-USD", 2 + 2)
    assert (btc.source, btc.notes) == ("rest", ())


@pytest.mark.parametrize("name", ["kraken", "coinbase"])
async def test_who_names_nothing_gets_the_usual_three(name: str) -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with opened(server, clock, name, symbols=[]) as exchange:
            assert [one.spec.symbol for one in exchange.instruments] == list(SYMBOLS)


def chosen(there: dict[str, dict[str, Any]], *asked: str) -> list[str]:
    return [one.symbol for one in choose("here", there, asked)]


def test_the_usual_are_paid_in_dollars_else_in_tethers() -> None:
    both = markets("BTC/USD", "ETH/USD", "SOL/USD", "BTC/USDT", "ETH/USDT", "SOL/USDT")
    assert chosen(both) == list(SYMBOLS)
    fewer = markets("BTC/USD", "BTC/USDT", "ETH/USDT", "SOL/USDT")
    assert chosen(fewer) == ["BTC-USDT", "ETH-USDT", "SOL-USDT"]
    paused = both | {"SOL/USD": market("SOL/USD", active=False)}
    assert chosen(paused) == ["BTC-USDT", "ETH-USDT", "SOL-USDT"]
    with pytest.raises(UsageError, match=r"none of BTC, ETH, SOL .* --symbols; it has ADA-EUR"):
        chosen(markets("ADA/EUR"))


def test_only_spot_is_traded() -> None:
    perpetual = market("BTC/USD:USD", spot=False) | {"base": "BTC", "quote": "USD"}
    with pytest.raises(NotFound, match="here has no BTC-USD on its spot market"):
        chosen({"BTC/USD:USD": perpetual, "BTC/USD": market("BTC/USD", spot=False)}, "BTC-USD")
    with pytest.raises(NotFound, match="here has no BTC-USD-PERP"):
        chosen(markets("BTC/USD"), "BTC-USD-PERP")


@pytest.mark.parametrize("odd", ["Z0\x1b[31m", "Z\n", "Z 0", "\u202eZ", "", "Z" * 41, 7])
def test_what_is_no_name_names_no_instrument(odd: Any) -> None:
    """A venue's words are shown to people: none may steer a terminal."""
    there = markets("ADA/EUR")
    for base, quote in ((odd, "EUR"), ("ADA", odd)):
        symbol = f"{base}/{quote}"
        there[symbol] = market(symbol) | {"base": base, "quote": quote}
    with pytest.raises(UsageError, match=r"it has ADA-EUR\.$"):
        chosen(there)
    with pytest.raises(NotFound, match=r"Known: ADA-EUR\.$"):
        chosen(there, "XYZ-ABC")


WRONG: list[tuple[dict[str, Any], type[RRRError], tuple[str, ...]]] = [
    ({"name": "krakn"}, UsageError, ("'krakn' is no exchange that ccxt knows.", "kraken")),
    ({"name": "../x"}, UsageError, ("'../x' is no exchange", "Known: alpaca")),
    ({"name": ""}, UsageError, ("'' is no exchange",)),
    ({"name": "base"}, UsageError, ("'base' is no exchange",)),
    ({"name": "bitflyer"}, UsageError, ("bitflyer gives no candles.", "kraken")),
    (
        {"timeframe": "3m"},
        UsageError,
        ("kraken has no 3m candles.", "It has 1m, 5m, 15m, 30m, 1h, 4h, 1d."),
    ),
    ({"timeframe": "2w"}, UsageError, ("'2w' is no timeframe.",)),
    ({"symbols": ["BTC-USX"]}, NotFound, ("kraken has no BTC-USX", "Nearest: BTC-USD")),
    ({"symbols": ["XYZW"]}, UsageError, ("'XYZW' is no symbol.",)),
    ({"symbols": ["BTC-USD", "BTC-EUR"]}, UsageError, ("one cash account", "EUR, USD")),
]


@pytest.mark.parametrize(("asked", "kind", "words"), WRONG)
async def test_what_is_not_there_is_refused_with_what_is(
    asked: dict[str, Any], kind: type[RRRError], words: tuple[str, ...]
) -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server, pytest.raises(kind) as caught:
        async with opened(server, clock, **asked):
            raise AssertionError("It must not open.")
    for word in words:
        assert word in str(caught.value)


ODD = ("127.0.0.1:80", "ftp://here", "", "kraken", "http://[::1", "http://:80", "http://a:b")
PORTS = ("http://127.0.0.1:99999", "http://127.0.0.1:0")


@pytest.mark.parametrize("address", [*ODD, *PORTS])
async def test_an_address_is_one_of_the_web(address: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        async with opened(address, Time(START_MS)):
            raise AssertionError("It must not open.")


async def test_the_name_of_an_exchange_may_be_written_large() -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with opened(server, clock, " Kraken ", symbols=["BTC-USD"]) as exchange:
            assert exchange.name == exchange.instruments[0].spec.venue == "kraken"


async def test_what_is_paused_is_told() -> None:
    clock = Time(START_MS)
    with Loopback(clock) as server:
        async with opened(server, clock, symbols=["ADA-USD"]) as exchange:
            assert exchange.instruments[0].notes == ("kraken does not trade it now",)


def test_more_instruments_than_a_book_holds_are_refused() -> None:
    there = markets(*(f"A{number}/USD" for number in range(INSTRUMENTS_MAX + 1)))
    with pytest.raises(UsageError, match="more than the 64 that a book has room for"):
        chosen(there, *(symbol.replace("/", "-") for symbol in there))


def test_minimums_that_are_not_stated_are_a_lot_and_nothing() -> None:
    made, notes = spec("here", ruled({"price": 0.25, "amount": 0.001}), True, ROWS)
    assert (made.points, made.tick) == (4, 25 * 10**2)
    assert made.quantity_min == made.lot == 10**5
    assert (made.notional_min, made.inferred, notes) == (0, False, ())


def test_a_minimum_finer_than_a_quantum_is_rounded_up() -> None:
    limits = {"amount": {"min": 0.002}, "cost": {"min": 1.123456781}}
    made, _ = spec("here", ruled({"price": 0.01, "amount": 0.001}, limits), True, ROWS)
    assert (made.quantity_min, made.notional_min) == (2 * 10**5, 112_345_679)


@pytest.mark.parametrize(
    ("precision", "tick_sizes"),
    [
        ({"price": None, "amount": 0.1}, True),
        ({"price": float("nan"), "amount": 0.1}, True),
        ({"price": 0, "amount": 0.1}, True),
        ({"price": 5, "amount": 8}, False),
    ],
)
def test_steps_that_are_not_stated_are_inferred_and_told(
    precision: dict[str, Any], tick_sizes: bool
) -> None:
    made, notes = spec("here", ruled(precision), tick_sizes, ROWS)
    assert (made.points, made.tick, made.lot) == (2 + 2, 10**2, 10**5)
    assert made.inferred
    assert notes == ("here states no tick and lot: inferred from its candles",)


def test_what_does_not_fit_into_64_bits_is_refused() -> None:
    with pytest.raises(DataError, match=r"here: BTC-USD .* 64 bits .* --symbols"):
        spec("here", ruled({"price": 1e-12, "amount": 1e-8}), True, ROWS)
