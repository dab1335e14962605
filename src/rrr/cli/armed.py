"""Whoever wants real money to move hears everything that is missing, and types where it goes."""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from rrr.core.errors import UsageError

from .speaking import say

if TYPE_CHECKING:
    from rrr.api.checks import Replays
    from rrr.config import Home, Settings
    from rrr.config.keys import Keys


def armed(
    options: argparse.Namespace, home: "Home", settings: "Settings", replays: "Replays"
) -> "Keys":
    """The keys of whoever may trade. Raise NotArmed with the whole list of what is missing."""
    from rrr.api import arming
    from rrr.api import doctor as doctors
    from rrr.api.account import Account, has_sandbox
    from rrr.config.keys import keys_of

    def ailing() -> list[str]:
        found = doctors.doctor(
            home, options.mode, replays, settings=options.config, among=doctors.HOUSE
        )
        return [check.name for check in found if not check.ok]

    account, venue = Account(settings.address), settings.live.venue or ""
    asks = not options.confirm and sys.stdin.isatty()
    confirmed = venue if asks else options.confirm
    world = arming.World(has_sandbox, account.allowed, account.apart_ms, ailing, confirmed)
    lacks = arming.missing(home, settings, world)
    if lacks:
        raise arming.refusal(lacks)
    if asks and not typed(venue, sys.stdin.readline):
        raise UsageError("Nothing was sent: the venue was not typed.", "Use --mode paper.")
    return keys_of(home.config, venue, sandbox=settings.live.sandbox, where=settings.live.keys)


def typed(venue: str, line: Callable[[], str]) -> bool:
    """Whether a person types the name of the venue."""
    say(f"Real money moves at {venue} from here on. Type its name to go on: ", sys.stderr, end="")
    return line().strip() == venue
