"""A live daemon that dies, as by `kill -9`, at one named point on the way of an order.

    python tests/storm/live_doomed.py POINT TIMES CLOCK [the arguments of rrr]

CLOCK is what `hurried.py` is told. It dies the TIMES-th time that it comes to the point. Requests
are known by the call that they serve, batches by what was decided in them.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import wraps
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from tests.market_hour.hurried import hurry

if TYPE_CHECKING:
    from rrr.trading.engine.engine import Batch

DIED: Final = 9
SOON_S: Final = 0.002  # of the world: about half the way of a request on the loopback

_serving: ContextVar[str] = ContextVar("serving", default="")


class Point(NamedTuple):
    """Before a call, after it came back, or a moment after it began."""

    owner: str  # module, or module:class
    name: str
    when: Literal["before", "after", "soon"]
    times: tuple[int, ...] = (1, 4)  # worth dying at
    only: Callable[..., bool] = lambda *_: True  # by what it is given, or after it by what it made
    serving: str = ""  # only while this call of the wire's runs


def _ordered(batch: "Batch") -> bool:
    from rrr.core.orders import Order

    return any(isinstance(item, Order) for record, _ in batch.told for item in record)


def _says(name: str) -> Callable[..., bool]:
    """Whether a batch has a report of this status in it."""

    def only(*given: Any) -> bool:
        from rrr.core.orders import Report, Status

        items = (item for record, _ in given[-1].told for item in record)
        return any(isinstance(item, Report) and item.status == Status[name] for item in items)

    return only


def _leaves(agent: Any, record: Any, *more: Any) -> bool:
    from rrr.core.orders import Order

    return any(isinstance(item, Order) for item in record)


def _trades(*given: Any) -> bool:
    """Whether what was settled, or is to be booked, has any."""
    return bool(getattr(given[-1], "trades", given[-1]))


_ENGINE: Final = "rrr.trading.engine.engine:Engine"
_AGENT: Final = "rrr.trading.live.agent"
_WIRE: Final = "rrr.trading.live.wire:Wire"
_LIVE: Final = "rrr.database.live"
_LOOKOUT: Final = "rrr.trading.live.lookout:Lookout"
_STARTING: Final = (1,)

POINTS: Final = {
    "decided, not written": Point(_ENGINE, "decide", "after", only=_ordered),
    "the intent is written, not committed": Point(_LIVE, "know", "after"),
    "committed, not adopted": Point("rrr.database.client:Client", "_answer", "before", (3, 9, 21)),
    "the intent is adopted, not carried": Point(f"{_AGENT}:Agent", "carry", "before", only=_leaves),
    "carried, not sent": Point(_WIRE, "send", "before"),
    "on its way": Point(_WIRE, "_leaves", "soon", serving="send"),
    "answered, not read": Point(_WIRE, "_comes", "before", serving="send"),
    "read, not told": Point(_WIRE, "send", "after"),
    "told, not committed": Point(f"{_AGENT}:Agent", "_heard", "after"),
    "acknowledged, not committed": Point(_ENGINE, "commit", "before", only=_says("ACCEPTED")),
    "acknowledged and committed": Point(_ENGINE, "commit", "after", only=_says("ACCEPTED")),
    "a fill is heard, not booked": Point(_AGENT, "reconciled", "after", only=_trades),
    "a fill is booked, not committed": Point(_LIVE, "book", "after"),
    "a fill is committed, not announced": Point(_ENGINE, "commit", "after", only=_says("FILLED")),
    "a cancel is due": Point(_WIRE, "cancel", "before"),
    "a cancel is on its way": Point(_WIRE, "_leaves", "soon", serving="cancel"),
    "a cancel is answered": Point(_WIRE, "cancel", "after"),
    "an amendment is due": Point(_WIRE, "amend", "before"),
    "an amendment is on its way": Point(_WIRE, "_leaves", "soon", serving="amend"),
    "an amendment is answered": Point(_WIRE, "amend", "after"),
    "an amendment is told, not committed": Point(
        _ENGINE, "commit", "before", only=_says("AMENDED")
    ),
    "before a look-up": Point(_WIRE, "look_up", "before"),
    "a look-up is answered": Point(_WIRE, "look_up", "after"),
    "before it reconciles": Point(_LOOKOUT, "start", "before", _STARTING),
    "it asks for open orders": Point(_WIRE, "open_orders", "before", _STARTING),
    "it asks for closed orders": Point(_WIRE, "closed_orders", "before", _STARTING),
    "it asks for trades": Point(_WIRE, "trades", "before", _STARTING),
    "it asks for the ledger": Point(_WIRE, "ledger", "before", _STARTING),
    "it asks for balances": Point(_WIRE, "balances", "before", _STARTING),
    "all is answered, nothing settled": Point(_WIRE, "balances", "after", _STARTING),
    "settled, not written": Point(_AGENT, "reconciled", "after", _STARTING),
    "a tie-out is written, not committed": Point(_LIVE, "tie_out", "after", _STARTING),
    "reconciled, and nobody was told": Point(_LOOKOUT, "start", "after", _STARTING),
    "a snapshot is written, not committed": Point("rrr.database.sessions", "snap", "after", (1, 2)),
}


def doom(point: Point, times: int) -> None:
    """Die there."""
    owner = _found(point.owner)
    function: Callable[..., Any] = getattr(owner, point.name)
    numbers = count(1)

    def meets(*given: Any) -> bool:
        if point.serving not in ("", _serving.get()) or not point.only(*given):
            return False
        return next(numbers) == times

    @wraps(function)
    def doomed(*given: Any, **named: Any) -> Any:
        if point.when != "after" and meets(*given):
            if point.when == "before":
                _die()
            threading.Timer(SOON_S, _die).start()
        made = function(*given, **named)
        if point.when == "after":
            if hasattr(made, "__await__"):
                return awaited(made)
            if meets(made if made is not None else given):
                _die()
        return made

    async def awaited(made: Any) -> Any:
        value = await made
        if meets(value):
            _die()
        return value

    setattr(owner, point.name, doomed)
    if point.serving:
        _mark(_found(_WIRE), point.serving)


def _mark(wire: Any, name: str) -> None:
    """Whatever leaves while this call runs is known to serve it."""
    call = getattr(wire, name)

    @wraps(call)
    async def serving(*given: Any, **named: Any) -> Any:
        with _set(name):
            return await call(*given, **named)

    setattr(wire, name, serving)


def _set(name: str) -> AbstractContextManager[None]:
    @contextmanager
    def serving() -> Iterator[None]:
        token = _serving.set(name)
        try:
            yield
        finally:
            _serving.reset(token)

    return serving()


def _found(owner: str) -> Any:
    from importlib import import_module

    module, _, name = owner.partition(":")
    found: Any = import_module(module)
    return getattr(found, name) if name else found


def _die() -> None:
    os._exit(DIED)


def main() -> None:
    named, nth, clock, *arguments = sys.argv[1:]
    hurry(**json.loads(clock))
    from rrr import cli
    from rrr.trading.engine import engine

    engine.SNAPSHOT_ROWS = 60  # so that a short life has something to die at
    doom(POINTS[named], int(nth))
    sys.argv = ["rrr", *arguments]
    cli.run()


if __name__ == "__main__":
    main()
