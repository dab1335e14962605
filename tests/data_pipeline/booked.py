"""Books that hear a venue's connection step by step, and are held against its tape."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from rrr.core.events import Depth, Level
from rrr.data_pipeline.books import Books
from rrr.data_pipeline.books_dialects import Wanted
from rrr.data_pipeline.instruments import Spec
from tests.venue import tape as tapes
from tests.venue.faults import Fault
from tests.venue.stepped import Stepped
from tests.venue.tape import GRAINS, SLOT_MS, Tape

LEVELS: Final = 10
URL: Final = "ws://venue"
REST: Final = "http://venue/api/v3/depth"
SPARE: Final = 2  # decimals below the tick, as instruments have them
PATIENCE_STEPS: Final = 5  # before who lost a book asks again

SUBSCRIPTIONS: Final[dict[str, Callable[[Wanted], dict[str, Any]]]] = {
    "kraken": lambda one: {
        "method": "subscribe",
        "params": {"channel": "book", "symbol": [one.pair], "depth": LEVELS},
    },
    "coinbase": lambda one: {"type": "subscribe", "channel": "level2", "product_ids": [one.id]},
    "binance": lambda one: {
        "method": "SUBSCRIBE",
        "params": [f"{one.id.lower()}@depth@100ms"],
        "id": one.index,
    },
}
IDS: Final[dict[str, Callable[[str], str]]] = {
    "kraken": lambda pair: pair,
    "coinbase": lambda pair: pair.replace("/", "-"),
    "binance": lambda pair: pair.replace("/", ""),
}


class Booked:
    """A client of one venue, that asks as the house does."""

    def __init__(
        self, name: str, faults: Sequence[Fault] = (), levels: int = LEVELS, many: int = 4
    ) -> None:
        self.venue = Stepped(name, faults)
        self.wanted = listed(name, self.venue.tape)[:many]
        self.books = Books(name, self.wanted, levels, self.venue.now_ms)
        self.name, self.levels, self.shown, self.reasons = name, levels, 0, set[str]()
        self._lost = dict.fromkeys(self.books.wanted, 0)  # for so many steps

    async def subscribe(self) -> None:
        for one in self.wanted:
            await self.venue.say(SUBSCRIPTIONS[self.name](one))

    async def step(self) -> None:
        """All that is heard in a moment; each book that is shown is the tape's at its last word."""
        for text in await self.venue.step():
            self.books.frame(URL, text)
            self.hold_against_the_tape()
        for one in self.wanted:
            why = self.books.untradable(one.pair)
            self._lost[one.pair] = self._lost[one.pair] + 1 if why else 0
            self.reasons.add(why)
            if self._lost[one.pair] % PATIENCE_STEPS == 1:
                await self.ask(one)

    async def ask(self, one: Wanted) -> None:
        if levels := self.books.dialect.answers:
            body = self.venue.answer("/api/v3/depth", symbol=one.id, limit=str(levels))
            self.books.answered(f"{REST}?symbol={one.id}&limit={levels}", body)
            self.hold_against_the_tape()
        else:
            await self.venue.say(self.books.dialect.farewell(one))
            await self.venue.say(SUBSCRIPTIONS[self.name](one))

    def hold_against_the_tape(self) -> None:
        for one in self.wanted:
            depth = self.books.seen(one.pair, self.venue.at_ms)
            if depth is not None:
                self.shown += 1
                assert depth in self.truths(one), (one.symbol, depth)

    def truths(self, one: Wanted) -> list[Depth]:
        """What the tape said within the last steps: a message may be on its way."""
        at_ms, tape = self.venue.at_ms, self.venue.tape
        seen = (at_ms - back * SLOT_MS for back in range(3))
        return [truth(tape, one, at_ms, seen_ms, self.levels) for seen_ms in seen]


def truth(tape: Tape, one: Wanted, at_ms: int, seen_ms: int, levels: int) -> Depth:
    deep = tape.depth(one.pair, seen_ms)
    return Depth(at_ms, one.index, *(_levels(side, one, levels) for side in deep))


def _levels(side: tuple[tapes.Level, ...], one: Wanted, levels: int) -> tuple[Level, ...]:
    return tuple(Level(price * 10**SPARE, quantity) for price, quantity in side[:levels])


def listed(name: str, tape: Tape) -> list[Wanted]:
    found = []
    for index, (pair, coin) in enumerate(tape.coins.items()):
        symbol, (base, quote) = pair.replace("/", "-"), pair.split("/")
        points = coin.decimals + SPARE
        spec = Spec(name, symbol, base, quote, points, GRAINS, 100, 1, 1, 0, inferred=False)
        info = {"pair_decimals": coin.decimals, "lot_decimals": GRAINS}
        market = {"id": IDS[name](pair), "info": info}
        found.append(Wanted(index, symbol, pair, spec, market))
    return found
