"""Where a venue serves only its last candles, older ones are made of its prints, and are whole.

Kraken numbers its prints and serves a thousand at once from any moment on: two requests tell how
many it would take. A candle leaves once a print from after its close was seen; the others wait.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from rrr.core.market import Candle
from rrr.data_pipeline.download_answered import opening
from rrr.data_pipeline.exchange_client import Client
from rrr.data_pipeline.exchange_troubles import Trouble
from rrr.data_pipeline.instruments import Spec
from rrr.data_pipeline.prints import Print, candles_of, printed

SERVES_LAST: Final = {"kraken": 720}  # candles, the unfinished one among them
PAGE: Final = 1000

_NS = 1_000_000  # in a millisecond


class Page(NamedTuple):
    prints: list[Print]
    refused: dict[int, str]  # by time: why a print is none
    cursor: int


@dataclass(slots=True)
class Prints:
    """The prints of one instrument from `begin_ms` on, as candles that open before `end_ms`."""

    client: Client
    pair: str
    spec: Spec
    begin_ms: int
    end_ms: int
    done_ms: int = field(init=False)  # before it, all candles have left
    _cursor: int = field(init=False)
    _waiting: list[Print] = field(default_factory=list)
    _doubted: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.done_ms, self._cursor = self.begin_ms, _cursor_of(self.begin_ms)

    async def requests(self) -> int:
        """About how many it will take."""
        first = await _page(self.client, self.pair, self.spec, _cursor_of(self.begin_ms))
        if len(first.prints) < PAGE or first.prints[-1].at_ms >= self.end_ms:
            return 1
        after = await _page(self.client, self.pair, self.spec, _cursor_of(self.end_ms))
        ids = first.prints[0].id, after.prints[0].id if after.prints else ""
        if all(each.isdecimal() for each in ids):
            return max(int(ids[1]) - int(ids[0]), 0) // PAGE + 1
        covered = first.prints[-1].at_ms - first.prints[0].at_ms
        return (self.end_ms - self.begin_ms) // max(covered, 1) + 1

    async def more(self) -> tuple[dict[int, Candle], dict[int, str]]:
        """The candles that one more request completes, by opening time; and those refused."""
        page = await _page(self.client, self.pair, self.spec, self._cursor)
        heard = [*(one.at_ms for one in page.prints), *page.refused]
        if heard and page.cursor <= self._cursor:
            raise Trouble("nonsense", "repeats its prints")
        self._cursor = max(page.cursor, self._cursor)
        self._waiting += page.prints
        self._doubted |= page.refused
        step_ms = self.client.step_ms
        # Nothing more is there: what has not been traded by now was not traded.
        whole_ms = min(opening(max(heard), step_ms), self.end_ms) if heard else self.end_ms
        ripe = [one for one in self._waiting if one.at_ms < whole_ms]
        self._waiting = [one for one in self._waiting if one.at_ms >= whole_ms]
        doubted = {opening(at, step_ms): why for at, why in self._doubted.items() if at < whole_ms}
        self._doubted = {at: why for at, why in self._doubted.items() if at >= whole_ms}
        candles = await asyncio.to_thread(candles_of, ripe, step_ms)
        self.done_ms = max(whole_ms, self.done_ms)
        return {at: one for at, one in candles.items() if at not in doubted}, doubted


async def _page(client: Client, pair: str, spec: Spec, cursor: int) -> Page:
    """A request of Kraken's Trades."""
    trades, answer = await client.prints(pair, PAGE, cursor)
    result = answer.get("result") if isinstance(answer, dict) else None
    last = str(result.get("last", "")) if isinstance(result, dict) else ""
    if not last.isdecimal():
        raise Trouble("nonsense", "answers without saying where its prints go on")
    prints, refused = [], {}
    for trade in trades:
        one = printed(trade, spec)
        at_ms = trade.get("timestamp")
        if isinstance(one, Print):
            prints.append(one)
        elif isinstance(at_ms, int):
            refused[at_ms] = f"a print in it is none: {one}"
        else:
            raise Trouble("nonsense", f"answers with a print that is none: {one}")
    return Page(prints, refused, int(last))


def _cursor_of(at_ms: int) -> int:
    """Prints come from after it."""
    return at_ms * _NS - 1
