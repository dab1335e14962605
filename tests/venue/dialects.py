"""Which venues are spoken, and what their coins are paid in."""

from collections.abc import Callable
from typing import Final

from tests.venue.binance import Binance
from tests.venue.coinbase import Coinbase
from tests.venue.dialect import Dialect
from tests.venue.kraken import Kraken
from tests.venue.tape import Tape

DIALECTS: Final[dict[str, tuple[Callable[[Tape], Dialect], str]]] = {
    "kraken": (Kraken, "USD"),
    "coinbase": (Coinbase, "USD"),
    "binance": (Binance, "USDT"),
}
