"""A venue that is far away answers later: the kernel meets each event, and nobody speaks for it.

Its reports come from outside, as all else does; a replay meets them where the journal has them.
"""

from typing import Final

from rrr.core.events import Assumed, Event
from rrr.core.kernel import step
from rrr.database import journal
from rrr.trading.engine.paper import Record, World

OUTSIDE: Final = journal.OUTSIDE | {journal.REPORT}


def advance(world: World, event: Event, record: Record) -> World:
    """Meet one event from outside; what leaves is carried once it is committed."""
    record.append(event)
    state, decisions = step(world.state, event)
    record.extend(decisions)
    if isinstance(event, Assumed):
        world = world._replace(assumed=event.assumptions)
    return world._replace(state=state)
