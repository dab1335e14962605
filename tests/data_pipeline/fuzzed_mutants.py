"""Two kinds of wrong: nonsense, which anybody can tell from a message, and what might be true.

Nonsense is text that is no message, or a message in which a number or a time that the house reads
is none, or is impossible. Anything else that may happen to a message (a digit, a field, a symbol, a
stamp is another) says something that might be: a liar's word, which only another witness refutes.
"""

import json
import random
from collections.abc import Iterator
from typing import Any, Final

from tests.data_pipeline.fuzzed_ether import Said
from tests.venue.wire import Answer

Values = tuple[Any, ...]

DEEP: Final = 5_000
FUTURE: Final = {"iso": "2199-01-01T00:00:00.000000Z", "s": 7_226_582_400, "ms": 7_226_582_400_000}

# Where the house reads a number, and where a time: what a field is called, or its place in a row.
_NUMBERS: Final[dict[str, set[object]]] = {
    "kraken": {"open", "high", "low", "close", "volume", "bid", "ask", 1, 2, 3, 4, 6},
    "coinbase": {
        *("open", "high", "low", "close", "volume", "price", "size", "best_bid", "best_ask"),
    },
    "binance": {"o", "h", "l", "c", "v", "b", "a", 1, 2, 3, 4, 5},
    "kraken's book": {"price", "qty"},
    "coinbase's book": {"price_level", "new_quantity"},
    "binance's book": {0, 1},
}
_TIMES: Final[dict[str, set[object]]] = {
    "kraken": {"interval_begin", 0},
    "coinbase": {"time", "start"},
    "binance": {"t", 0},
}
_NAMES: Final[Values] = ("trade_id",)
_MAY_BE_ZERO: Final[set[object]] = {"volume", "v", 5, 6}
_ROW: Final = 6  # the least that a candle's has

_NO_NUMBERS: Final[Values] = (
    None,
    "",
    "many",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "1e10000000",
    [],
    {},
)
_NO_PRICES: Final[Values] = (0, "0", "0.00", "0.0000000000001")
_NO_TIMES: Final[Values] = (None, "", "soon", [], {}, -1, "-1", "NaN")
_NO_JSON: Final = (
    *("", " ", "null", "true", "0", '"text"', "{", "NaN", "\x00", "pong", '{"a":1}{"b":2}'),
    *("<html><title>Just a moment...</title></html>", '{"channel":', "[" * DEEP),
)
_NO_MESSAGES: Final = (
    *_NO_JSON,
    *("[]", "{}", "[[]]", '{"price":' + "9" * 5_000 + "}"),
    "[" * DEEP + "]" * DEEP,
    '{"data":' * DEEP + "1" + "}" * DEEP,
)
_SCALARS: Final[Values] = (
    *(None, True, False, 0, -0.0, 1, -1, 1e-12, 1e18, 1e300, 10**18, 10**30, 10**400, "0", "-1"),
    *(
        "1e-9",
        "1e400",
        "-1E99999999",
        "NaN",
        "１２",
        "1_000",
        " 7 ",
        "text",
        "\ud800",
        "x" * 10_000,
        [],
        {},
    ),
    *([[]], [None], {"a": {"b": []}}),
)
_SYMBOLS: Final = ("BTC/USD", "ETH-USD", "BTCUSDT", "DOGE/USD", "DOGE-USD", "", "../..", "BTC/BTC")


class Mutants:
    """Of one venue's messages."""

    def __init__(self, what: str, chance: random.Random) -> None:
        self._chance = chance
        self._numbers, self._times = _NUMBERS[what], _TIMES.get(what, set())
        self._is_book = what.endswith("book")

    def nonsense(self, said: str) -> Said:
        """Never what anybody could believe."""
        match self._chance.randrange(8):
            case 0:
                return self._chance.choice(_NO_MESSAGES)
            case 1:
                return said[: self._chance.randrange(len(said))]
            case 2:
                return said.encode("utf-16")
            case 3:
                return b"\xff" + said.encode()
        return self._senseless(json.loads(said)) or said[:-1]

    def noticed(self, said: str) -> Said:
        """Nonsense that nobody can take for no message at all."""
        senseless = self._senseless(json.loads(said), times=False)
        return senseless if senseless and self._chance.random() < 0.8 else b"\xff" + said.encode()

    def anything(self, said: str) -> Said:
        match self._chance.randrange(8):
            case 0 | 1:
                return self.nonsense(said)
            case 2:
                return self._bytes(said.encode())
            case 3 | 4:
                return _written(self._changed(json.loads(said)))
            case 5:
                return _written(self._named(json.loads(said)))
            case 6:
                return self._digit(said)
        return said  # twice, or late

    def senseless(self, answer: Answer) -> Answer:
        """An answer that nobody could believe."""
        match self._chance.randrange(6):
            case 0:
                status = self._chance.choice((400, 403, 404, 418, 429, 500, 502, 503))
                return Answer("", status, {"Retry-After": "2"} if status in (418, 429) else {})
            case 1:
                return Answer("<html>Just a moment...</html>", kind="text/html")
            case 2:
                return answer._replace(body=answer.body[: self._chance.randrange(len(answer.body))])
            case 3:
                return answer._replace(body=self._chance.choice(_NO_MESSAGES))
        said = self._senseless(json.loads(answer.body))
        return answer._replace(body=answer.body[:-1] if said is None else said)

    def any_answer(self, answer: Answer) -> Answer:
        if self._chance.randrange(3) == 0:
            return self.senseless(answer)
        said = self.anything(answer.body)
        body = said if isinstance(said, str) else said.decode(errors="replace")
        headers = dict(answer.headers)
        if self._chance.randrange(8) == 0:
            dates = ("", "yesterday", "Mon, 01 Jan 1990 12:00:00 GMT", "Tue, 01 Jan 2199 12:00 GMT")
            headers["Date"] = self._chance.choice(dates)
        return answer._replace(body=body, headers=headers)

    def _senseless(self, message: Any, *, times: bool = True) -> str | None:
        """With a number or a time that is none; None: there is none to spoil."""
        places = [place for place in _places(message) if self._is_read(*place)]
        places = [(holder, key) for holder, key in places if times or key not in self._times]
        if not places:
            return None
        holder, key = self._chance.choice(places)
        if key in _NAMES:
            holder[key] = None
        elif key in self._times:
            holder[key] = self._chance.choice((*_NO_TIMES, _future(holder[key])))
        else:
            zero = () if self._is_book or key in _MAY_BE_ZERO else _NO_PRICES
            negative = f"-{holder[key]}" if float(holder[key]) else "-1"
            holder[key] = self._chance.choice((*_NO_NUMBERS, *zero, negative))
        return _written(message)

    def _is_read(self, holder: Any, key: Any) -> bool:
        least = 2 if self._is_book else _ROW
        if isinstance(key, int) and len(holder) < least:
            return False
        wanted = key in self._numbers or key in self._times or key in _NAMES
        return wanted and isinstance(holder[key], str | int | float)

    def _bytes(self, said: bytes) -> Said:
        spoilt = bytearray(said)
        for _ in range(self._chance.randrange(1, 4)):
            spoilt[self._chance.randrange(len(spoilt))] = self._chance.randrange(256)
        return bytes(spoilt) if self._chance.random() < 0.3 else spoilt.decode(errors="replace")

    def _digit(self, said: str) -> str:
        digits = [at for at, each in enumerate(said) if each.isdigit()]
        if not digits:
            return said
        at = self._chance.choice(digits)
        return said[:at] + str(self._chance.randrange(10)) + said[at + 1 :]

    def _changed(self, message: Any) -> Any:
        """Somewhere in it, whatever it means."""
        places = list(_places(message))
        if not places:
            return message
        holder, key = self._chance.choice(places)
        match self._chance.randrange(5):
            case 0:
                del holder[key]
            case 1:
                holder[key] = self._chance.choice(_SCALARS)
            case 2:
                plain = [each for each in places if not isinstance(each[0][each[1]], dict | list)]
                holder, key = self._chance.choice(plain or places)
                other, name = self._chance.choice(plain or places)
                holder[key], other[name] = other[name], holder[key]
            case 3 if isinstance(holder, list):
                holder.insert(key, holder[key])
            case _ if isinstance(holder[key], int | float):
                holder[key] = holder[key] * self._chance.choice((-1, 10, 1_000, 0.1, 1 + 2**-20))
            case _:
                holder[key] = str(holder[key])
        return message

    def _named(self, message: Any) -> Any:
        """Of another instrument."""
        names = ("symbol", "s", "product_id", "channel", "type", "e", "interval", "i")
        places = [(holder, key) for holder, key in _places(message) if key in names]
        if places:
            holder, key = self._chance.choice(places)
            holder[key] = self._chance.choice(_SYMBOLS)
        return message


def _places(message: Any) -> Iterator[tuple[Any, Any]]:
    """Whatever stands in something."""
    waiting = [message]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list):
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            for key in keys:
                yield holder, key
                waiting.append(holder[key])


def _future(time: Any) -> Any:
    if isinstance(time, str):
        return str(FUTURE["s"]) if time.isdigit() else FUTURE["iso"]
    return FUTURE["ms" if time > FUTURE["s"] else "s"]


def _written(message: Any) -> str:
    return json.dumps(message, separators=(",", ":"))
