"""A daemon in which a law is broken at one named place: it must end, loudly, and never hang.

    python tests/wiring/lawless.py PLACE TIMES [the arguments of rrr]

The TIMES-th call there fails as a false assertion does.
"""

import sys
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any, Final

from rrr import cli
from rrr.core import rules
from rrr.database.ledger import Tables
from rrr.monitoring.story import Story
from rrr.neural_network.baseline import Trend
from rrr.wiring import ending, learning, watching
from rrr.wiring.pace import Pace

BROKEN: Final = "a law is broken here"
PLACES: Final[dict[str, tuple[Any, str]]] = {
    "feed": (Pace, "until"),
    "signals": (Trend, "meet"),
    "core": (rules, "watch"),
    "commit": (Tables, "write"),
    "story": (Story, "tell"),
    "guard": (watching, "look"),
    "training": (learning, "panel_of"),
    "end": (ending, "summary"),
}


def broken(owner: Any, name: str, times: int) -> None:
    function: Callable[..., Any] = getattr(owner, name)
    numbers = count(1)

    @wraps(function)
    def checked(*given: Any, **named: Any) -> Any:
        assert next(numbers) != times, BROKEN
        return function(*given, **named)

    setattr(owner, name, checked)


if __name__ == "__main__":
    place, nth, *arguments = sys.argv[1:]
    broken(*PLACES[place], int(nth))
    sys.argv = ["rrr", *arguments]
    cli.run()
