"""What happens to an account without whoever trades: deposits, withdrawals, the owner's own hand.

POST /control/deposit and withdraw (coin, amount), order (symbol, side, quantity, and perhaps kind,
price, trigger, client_id), sell (symbol, quantity: at the market), cancel (id, or all), fees
(taker_ppm, maker_ppm). GET /control/ledger: all that is written, and what it comes to. Amounts are
text.
"""

from collections import Counter
from typing import Any, Final

from tests.venue.matching import Exchange, Wanted
from tests.venue.refusals import No, Refused
from tests.venue.tape import GRAINS
from tests.venue.wire import digits, units

_MOVES: Final = {"deposit": ("deposit", 1), "withdraw": ("withdrawal", -1)}


def told(exchange: Exchange, now_ms: int) -> dict[str, Any]:
    exchange.advance(now_ms)
    account, sums = exchange.account, Counter[str]()
    for (_, coin), parts in account.balances.items():
        sums[coin] += parts
    return {
        "entries": exchange.ledger.entries,
        "balances": {coin: digits(account.balance(coin), GRAINS) for coin in account.coins},
        "held": {coin: digits(account.held(coin), GRAINS) for coin in account.coins},
        "sums": sums,  # over all owners: zeros
    }


def done(exchange: Exchange, what: str, said: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Raise `Refused` where it cannot be, KeyError or ValueError where it is nothing."""
    match what:
        case "deposit" | "withdraw":
            kind, way = _MOVES[what]
            amount, fee = units(said["amount"], GRAINS), units(said.get("fee", "0"), GRAINS)
            return {"id": exchange.move(said["coin"], way * amount, kind, now_ms, fee)}
        case "order" | "sell":
            return {"id": exchange.place(_wanted(exchange, said), now_ms).id}
        case "cancel":
            orders = exchange.account.open
            for order in orders:
                if said.get("id") in (None, order.id):
                    exchange.cancel(order, now_ms)
            return {}
        case "fees":
            exchange.charge(int(said["taker_ppm"]), int(said["maker_ppm"]), now_ms)
            return {}
    raise KeyError(what)


def _wanted(exchange: Exchange, said: dict[str, Any]) -> Wanted:
    symbol = said["symbol"]
    if symbol not in exchange.tape.coins:
        raise Refused(No.SYMBOL)
    decimals = exchange.tape.coin(symbol).decimals
    price, trigger = (units(said.get(each) or "0", decimals) for each in ("price", "trigger"))
    return Wanted(
        client_id=said.get("client_id", ""),
        symbol=symbol,
        side=said.get("side", "sell"),
        kind=said.get("kind") or ("limit" if price else "market"),
        quantity=units(said["quantity"], GRAINS),
        price=price,
        trigger=trigger,
    )
