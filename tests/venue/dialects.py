"""Which venues are spoken, what their coins are paid in, and at which of them one can trade."""

from collections.abc import Callable
from typing import Final

from tests.venue.binance import Binance
from tests.venue.binance_desk import BinanceDesk
from tests.venue.coinbase import Coinbase
from tests.venue.coinbase_desk import CoinbaseDesk
from tests.venue.dialect import Desk, Dialect
from tests.venue.faults import Faults
from tests.venue.kraken import Kraken
from tests.venue.kraken_desk import KrakenDesk
from tests.venue.ledger import Ledger
from tests.venue.rates import Tier
from tests.venue.tape import Tape

DIALECTS: Final[dict[str, tuple[Callable[[Tape], Dialect], str]]] = {
    "kraken": (Kraken, "USD"),
    "coinbase": (Coinbase, "USD"),
    "binance": (Binance, "USDT"),
}


def desk(dialect: Dialect, ledger: Ledger, faults: Faults, tier: Tier) -> Desk | None:
    match dialect:
        case Kraken():
            return KrakenDesk(dialect, ledger, faults, tier)
        case Binance():
            return BinanceDesk(dialect, ledger, faults, tier)
        case Coinbase():
            return CoinbaseDesk(dialect, ledger, faults, tier)
    return None
