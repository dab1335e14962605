"""Real money moves only when nothing on this list is missing, and each thing has its way out.

`missing` is pure but for the files of the keys and models: whatever the world must be asked (the
venue, the doctor, a person) comes as an answer or as somebody to ask. What cannot be proven is
missing. Everything is said at once, so that nobody arms in ten attempts.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from rrr.api.permissions import Allowed
from rrr.config import Home, Settings
from rrr.config.keys import Keys, keys_of
from rrr.config.round_trip import account_of
from rrr.config.schema import text
from rrr.core.errors import NotArmed, NotFound, RRRError
from rrr.core.orders import Kind, TimeInForce
from rrr.data_pipeline.private_client import is_bare
from rrr.data_pipeline.recorded_files import timeframe_ms
from rrr.database.client import database_path
from rrr.database.opening import MODES, connect_read_only, told
from rrr.monitoring.words import count
from rrr.neural_network import artefact, registry
from rrr.trading.live.spelling import SPEECHES, Speech

APART_MS_MAX: Final = 1_000
DAY_MS: Final = 86_400_000
SHADOW_DAYS: Final = 7
TABLE: Final = "SELECT 1 FROM pragma_table_info('shadows')"
WATCHED: Final = """SELECT count(DISTINCT e.at_ms) FROM shadows s
    JOIN journal j ON j.session = s.session AND j.book = 0 AND j.number = s.opens
    JOIN equity e ON e.session = s.session AND e.book = s.book AND e.at_ms >= j.at_ms
    WHERE s.folder = ?"""
CAPS: Final = ("orders_per_minute_max", "order_notional_max", "day_notional_max")


class Lack(NamedTuple):
    name: str
    what: str
    way_out: str


@dataclass(frozen=True, slots=True)
class World:
    """Who can be asked."""

    has_sandbox: Callable[[str], bool]
    allowed: Callable[[Keys], Allowed]
    apart_ms: Callable[[Keys], int]
    ailing: Callable[[], Sequence[str]]  # checks of the doctor that failed
    confirmed: str  # the venue that a person, or the service, named


def missing(home: Home, settings: Settings, world: World) -> list[Lack]:
    """All that keeps real money from moving."""
    said = chain(
        _enabled(settings),
        _venue(settings),
        _market(settings),
        _sandbox(settings, world),
        _instruments(settings),
        _caps(settings),
        _orders(settings),
        _opinion(home, settings),
        _keys(home, settings, world),
        _house(world),
        _confirmation(settings, world),
    )
    return list(said)


def refusal(lacks: Sequence[Lack]) -> NotArmed:
    """The whole list, in the words of an error."""
    width = max(len(lack.name) for lack in lacks)
    lines = "".join(
        f"\n  {lack.name:<{width}}  {lack.what}\n  {'':<{width}}  → {lack.way_out}"
        for lack in lacks
    )
    return NotArmed(
        f"Live trading lacks {count(len(lacks), 'thing')}, and nothing was sent:{lines}",
        "docs/live.md explains each; --mode paper needs none of them.",
    )


def _enabled(settings: Settings) -> Iterator[Lack]:
    if not settings.live.enabled:
        yield Lack("enabled", "live.enabled is false.", "Set live.enabled to true, if you mean it.")


def _venue(settings: Settings) -> Iterator[Lack]:
    venue = settings.live.venue
    if venue is None:
        yield Lack("venue", "live.venue names none.", f"Set it to one of {', '.join(SPEECHES)}.")
    elif venue not in SPEECHES:
        yield Lack(
            "venue",
            f"Nobody has written down how orders are spelled at {venue}.",
            f"Set live.venue to one of {', '.join(SPEECHES)}.",
        )
    elif not SPEECHES[venue].proven and settings.live.unproven_venue != venue:
        yield Lack(
            "venue",
            f"{venue} is unproven: its requests were checked, no order was ever sent there.",
            f"Set live.unproven_venue to {venue}, or trade at {', '.join(_proven())}.",
        )


def _market(settings: Settings) -> Iterator[Lack]:
    if settings.source != settings.live.venue:
        yield Lack(
            "market",
            f"The candles are of {settings.source}, the orders would go to"
            f" {settings.live.venue or 'nowhere'}.",
            "Let market and live.venue name the same.",
        )
    if is_bare(settings.address):
        yield Lack(
            "market",
            "Keys would cross the network unencrypted: address begins with http:.",
            "Leave address out, or let it begin with https:.",
        )
    if settings.may_open_synthetic:
        yield Lack(
            "market",
            "Candles that nobody traded may open positions.",
            "Leave risk.synthetic_may_open out.",
        )


def _sandbox(settings: Settings, world: World) -> Iterator[Lack]:
    venue = settings.live.venue or ""
    if settings.live.sandbox and venue in SPEECHES and not world.has_sandbox(venue):
        others = (each for each in SPEECHES if each != venue and world.has_sandbox(each))
        yield Lack(
            "sandbox",
            f"{venue} has no test network that ccxt knows.",
            f"Leave out --sandbox; {', '.join(others)} have one.",
        )


def _instruments(settings: Settings) -> Iterator[Lack]:
    named, wanted = settings.live.instruments, settings.symbols
    if not named:
        yield Lack(
            "instruments",
            "live.instruments allows none.",
            "List those that may be ordered, such as [BTC-USD].",
        )
    if not wanted:
        yield Lack(
            "instruments",
            "symbols names none, which means all that the market has.",
            "List in symbols what is to be traded.",
        )
    others = [symbol for symbol in wanted if symbol not in named]
    if named and others:
        yield Lack(
            "instruments",
            f"symbols holds {', '.join(others)}, which live.instruments does not allow.",
            "Take them from symbols, or allow them.",
        )


def _caps(settings: Settings) -> Iterator[Lack]:
    live, risk = settings.live, settings.risk
    open_ = [f"live.{name}" for name in CAPS if getattr(live, name) is None]
    if open_:
        yield Lack(
            "caps",
            f"No cap is set by {', '.join(open_)}.",
            "Set each to what you can bear to lose by a mistake.",
        )
    for name in ("orders_per_minute_max", "order_notional_max"):
        cap, asked = getattr(live, name), getattr(risk, name)
        if cap is not None and asked > cap:
            yield Lack(
                "caps",
                f"risk.{name} ({text(asked)}) asks for more than live.{name} ({text(cap)}).",
                f"Lower risk.{name} to {text(cap)} or less.",
            )
    if live.ramp_notional_max is None:
        yield Lack(
            "ramp",
            f"live.ramp_notional_max does not say how small the first"
            f" {count(live.ramp_round_trips, 'round trip')} are.",
            "Set it to just above the venue's minimum, 15 for most.",
        )


def _orders(settings: Settings) -> Iterator[Lack]:
    """What this policy would send and the venue's table cannot spell."""
    policy, venue = settings.policy, settings.live.venue or ""
    if not policy.collar_bps:
        yield Lack(
            "orders",
            "policy.collar_bps is 0: orders would be naked market orders.",
            "Set it to 100 or less, but not to 0.",
        )
    if policy.target == "rests":
        yield Lack(
            "orders",
            "policy.target rests, and the stop holds the coins.",
            "Set policy.target to watched.",
        )
    if venue in SPEECHES:
        yield from _unspelled(settings, venue, SPEECHES[venue])


def _unspelled(settings: Settings, venue: str, speech: Speech) -> Iterator[Lack]:
    policy = settings.policy
    if policy.trail_bps:
        if Kind.TRAILING not in speech.kinds:
            yield Lack("orders", f"{venue} has no trailing stop.", "Set policy.trail_bps to 0.")
    elif not policy.stop_limit_bps and Kind.STOP not in speech.kinds:
        yield Lack(
            "orders",
            f"{venue} has no stop that sells at any price, only stop-limits.",
            "Set policy.stop_limit_bps, to 200 for example.",
        )
    if policy.fill_or_kill and TimeInForce.FOK not in speech.times:
        yield Lack("orders", f"{venue} has no fill-or-kill.", "Set policy.fill_or_kill to false.")
    if policy.entry == "maker" and TimeInForce.GTD not in speech.times:
        yield Lack(
            "orders",
            f"{venue} has no orders that end by themselves.",
            "Set policy.entry to take.",
        )


def _opinion(home: Home, settings: Settings) -> Iterator[Lack]:
    """A model that passed its gate; or a strategy that is named once more, word for word."""
    opinion = settings.opinion
    if opinion != "model":
        if settings.live.unproven_strategy != opinion:
            yield Lack(
                "strategy",
                f"{opinion} passed no gate.",
                f"Set live.unproven_strategy to {opinion}, if you mean it;"
                " or signals to model, once one is proven.",
            )
        return
    scope = artefact.Scope(
        settings.source, timeframe_ms(settings.timeframe), tuple(sorted(settings.symbols))
    )
    try:
        yield from unproven(home, settings, scope)
    except RRRError as error:
        yield Lack("model", error.what, error.advice)


def unproven(home: Home, settings: Settings, scope: artefact.Scope) -> Iterator[Lack]:
    """A champion whose verdict is of this account, and that was watched on paper."""
    models = home.data / "models"
    found = registry.champion(models, scope)
    if found is None:
        yield Lack(
            "model",
            "No model of these instruments and this timeframe is the champion.",
            "`rrr models list` shows what there is, `rrr models gate` judges one, and"
            " `rrr models promote` lets it be obeyed; or name a strategy.",
        )
        return
    lacks = registry.lacking(models, found, account_of(settings, scope.symbols))
    if lacks and settings.live.unproven_strategy != f"model:{found.name}":
        yield Lack(
            "model",
            f"{found.name} is not proven for this account. {' '.join(lacks)}",
            f"`rrr models gate {found.name}` with these settings judges it; or set"
            f" live.unproven_strategy to model:{found.name}, if you mean it.",
        )
    days = watched_ms(home, found, models) / DAY_MS
    if days < SHADOW_DAYS:
        yield Lack(
            "shadow",
            f"{found.name} was watched on paper for {days:.1f} of {SHADOW_DAYS} days, which is a"
            " test of plumbing.",
            f"`rrr models shadow {found.name}`, let paper run, and promote it again.",
        )


def watched_ms(home: Home, of: artefact.Artefact, models: Path) -> int:
    """How long a model had a paper book of its own: by its closes, else by the registry."""
    try:
        connection = connect_read_only(database_path("paper", home.root), MODES["paper"])
    except NotFound:
        return registry.standing(models, of.name).shadow_ms
    with closing(connection), told(database_path("paper", home.root)):
        if not connection.execute(TABLE).fetchone():
            return registry.standing(models, of.name).shadow_ms
        closes, *_ = connection.execute(WATCHED, (of.name,)).fetchone()
    return int(closes) * of.scope.timeframe_ms


def _keys(home: Home, settings: Settings, world: World) -> Iterator[Lack]:
    """Whether there are any, and what the venue says of them and of the time."""
    live, venue = settings.live, settings.live.venue or ""
    if venue not in SPEECHES:
        return
    try:
        keys = keys_of(home.config, venue, sandbox=live.sandbox, where=live.keys)
    except NotArmed as error:
        yield Lack("keys", error.what, error.advice)
        return
    if live.sandbox and not world.has_sandbox(venue):
        return
    if is_bare(settings.address) or not live.enabled:
        return  # no key leaves that need not
    yield from _permissions(keys, settings, world)
    yield from _clock(keys, world)


def _permissions(keys: Keys, settings: Settings, world: World) -> Iterator[Lack]:
    try:
        found = world.allowed(keys)
    except RRRError as error:
        yield Lack("permissions", error.what, error.advice)
        return
    anew = f"Make new keys at {keys.venue}"
    if found.withdraws:
        yield Lack(
            "permissions",
            f"The keys of {keys.place} may move money out.",
            f"{anew} that may trade and read, and nothing else; delete these.",
        )
    if not found.trades:
        yield Lack(
            "permissions", f"The keys of {keys.place} may not trade.", f"{anew} that may trade."
        )
    if found.bound is False and not settings.live.unbound_keys:
        yield Lack(
            "permissions",
            f"The keys of {keys.place} work from any address on the internet.",
            "Bind them to this machine's address; or set live.unbound_keys to true.",
        )


def _clock(keys: Keys, world: World) -> Iterator[Lack]:
    try:
        apart_ms = world.apart_ms(keys)
    except RRRError as error:
        yield Lack("clock", error.what, error.advice)
        return
    if apart_ms > APART_MS_MAX:
        yield Lack(
            "clock",
            f"The clock of this machine is {apart_ms / 1000:.1f} s or more from {keys.venue}'s.",
            "Let the clock be kept by NTP.",
        )


def _house(world: World) -> Iterator[Lack]:
    ailing = world.ailing()
    if ailing:
        yield Lack("doctor", f"Not well: {', '.join(ailing)}.", "Mend what `rrr doctor` names.")


def _confirmation(settings: Settings, world: World) -> Iterator[Lack]:
    venue = settings.live.venue
    if world.confirmed and world.confirmed != venue:
        yield Lack(
            "confirmation",
            f"--confirm names {world.confirmed}, live.venue {venue or 'nothing'}.",
            "Let both name the same.",
        )
    elif not world.confirmed:
        yield Lack(
            "confirmation",
            "Nobody said that real money is meant.",
            f"Add --confirm {venue or 'VENUE'}, here and in the service.",
        )


def _proven() -> Iterator[str]:
    return (venue for venue, speech in SPEECHES.items() if speech.proven)
