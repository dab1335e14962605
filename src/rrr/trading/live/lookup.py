"""What nobody answered is looked for until it is found, or until nothing could hide it any more.

An order whose sending had no definitive answer enters; at each round of questions (by its id, the
open orders, the closed ones, own trades from before it was sent) it stays unknown, has landed, or
was not placed. Not placed is said after several misses over a time longer than an order may be on
its way and a replica may lag: a round that failed, was cut short, did not reach back far enough, or
saw a trade that may be its own is no miss. Pure: the time comes with the round.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from rrr.database.live import Known
from rrr.trading.live.claims import Claims
from rrr.trading.live.seen import CLOCKS_MS, unanswered

_FIRST_MS: Final = 500  # from one round to the next: doubled, up to what one miss takes


class Patience(NamedTuple):
    """Longer than recvWindow and the lag of the venue's replicas together.

    What was sent twice as long ago is on no way and behind no replica any more: two misses do.
    """

    misses: int = 4
    span_ms: int = 60_000
    old_misses: int = 2
    old_apart_ms: int = 5_000

    @property
    def apart_ms(self) -> int:
        """Misses that are closer than this are one."""
        return self.span_ms // self.misses


class Verdict(IntEnum):
    UNKNOWN = 1
    LANDED = 2
    NOT_PLACED = 3


class Round(NamedTuple):
    """What all questions of one round said of one order."""

    asked_at_ms: int  # when the first of them was
    whole: bool  # each was answered to its end, and reached back to before the sending
    found: bool  # an order or a trade that is certainly its own
    maybe: bool  # a trade that may be


class Search(NamedTuple):
    sent_at_ms: int  # or when an order that was placed was first missed
    rounds: int = 0
    asked_at_ms: int = 0  # the last round
    misses: int = 0
    missed_at_ms: int = 0  # the last miss
    verdict: int = Verdict.UNKNOWN


PATIENCE: Final = Patience()


def heard(search: Search, round: Round, patience: Patience = PATIENCE) -> Search:
    """The search after one more round. A verdict stays; but what is found was placed after all.

    >>> search = Search(sent_at_ms=0)
    >>> for second in (15, 30, 45, 60):
    ...     search = heard(search, Round(second * 1_000, whole=True, found=False, maybe=False))
    >>> Verdict(search.verdict).name, search.misses
    ('NOT_PLACED', 4)
    >>> search = heard(Search(0), Round(300_000, whole=True, found=False, maybe=False))
    >>> Verdict(heard(search, Round(305_000, True, False, False)).verdict).name
    'NOT_PLACED'
    """
    now = search._replace(rounds=search.rounds + 1, asked_at_ms=round.asked_at_ms)
    if round.found:
        return now._replace(verdict=int(Verdict.LANDED))
    if search.verdict != Verdict.UNKNOWN or not round.whole or round.maybe:
        return now
    since_ms = round.asked_at_ms - search.sent_at_ms
    apart_ms, misses = patience.apart_ms, patience.misses
    if since_ms >= 2 * patience.span_ms:
        apart_ms, misses = patience.old_apart_ms, patience.old_misses
    if round.asked_at_ms < max(search.missed_at_ms, search.sent_at_ms) + apart_ms:
        return now
    now = now._replace(misses=search.misses + 1, missed_at_ms=round.asked_at_ms)
    if now.misses >= misses and since_ms >= patience.span_ms:
        return now._replace(verdict=int(Verdict.NOT_PLACED))
    return now


def next_at_ms(search: Search, patience: Patience = PATIENCE) -> int:
    """When to ask again: soon at first, for most that landed are found at once."""
    wait = min(_FIRST_MS << min(search.rounds, 16), patience.apart_ms)
    return max(search.asked_at_ms, search.sent_at_ms) + wait


def round_of(order: Known, venue: Claims) -> Round:
    """What the claims of one round say of one order."""
    since = max(venue.closed.since_ms, venue.trades.since_ms)
    answers = (venue.open.whole, venue.closed.whole, venue.trades.whole)
    orders = [o for o in venue.open.items + venue.closed.items if o.instrument == order.instrument]
    trades = [one for one in venue.trades.items if one.instrument == order.instrument]
    names = {one.venue_id for one in orders}
    ours = {one.venue_id for one in orders if one.sequence == order.sequence} | {order.venue_id}
    known = any(one.venue_id in ours for one in orders)
    traded = any(one.venue_id in ours or one.sequence == order.sequence for one in trades)
    return Round(
        asked_at_ms=venue.at_ms,
        whole=all(answers) and since <= order.sending_at_ms - CLOCKS_MS,
        found=known or traded,
        maybe=any(unanswered(order, one) and one.venue_id not in names for one in trades),
    )
