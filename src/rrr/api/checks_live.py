"""Where real money is enabled, what keeps it from moving is a finding, and what moved amiss too."""

from contextlib import closing

from rrr.api.checks import Finding, Patient
from rrr.monitoring.words import count


def live(patient: Patient) -> Finding:
    """The list of `--mode live`; the rest of the house has checks of its own."""
    from rrr.config import load

    settings = load(patient.home, patient.settings).settings
    if not settings.live.enabled:
        return Finding("not enabled: orders go to the paper venue")
    from rrr.api.account import Account, has_sandbox
    from rrr.api.arming import World, missing

    account, venue = Account(settings.address), settings.live.venue or ""
    world = World(has_sandbox, account.allowed, account.apart_ms, lambda: (), venue)
    lacks = missing(patient.home, settings, world)
    if not lacks:
        return Finding(f"{venue} could be armed: rrr --mode live --confirm {venue}")
    said = " ".join(f"({at}) {lack.name}: {lack.what}" for at, lack in enumerate(lacks, 1))
    ways = " ".join(f"({at}) {lack.way_out}" for at, lack in enumerate(lacks, 1))
    return Finding(f"lacks {count(len(lacks), 'thing')}: {said}", ways, ok=False)


def seam(patient: Patient) -> Finding:
    """What stands open between the books and the venue; a daemon goes on about it by itself."""
    from rrr.api import views_live
    from rrr.core.errors import NotFound
    from rrr.database import sessions
    from rrr.database.client import database_path
    from rrr.database.opening import LIVE, connect_read_only, told

    path = database_path("live", patient.home.root)
    if not path.exists():
        return Finding("nothing was traded live here")
    with closing(connect_read_only(path, LIVE)) as connection, told(path):
        try:
            session = sessions.named(connection, None)
        except NotFound:
            return Finding("nothing was traded live here")
        found = views_live.seam(connection, session)
    doubt = [f"order {one['sequence']} is {one['state']}" for one in found["orders"]]
    doubt += [f"{one['instrument']} is frozen" for one in found["frozen"]]
    tied = found["tie_out"]
    if tied is not None and not tied["tied"]:
        doubt.append("the last tie-out differs")
    if doubt:
        return Finding(f"{session.name}: {', '.join(doubt)}", "rrr status --mode live says more.")
    return Finding(f"{session.name}: nothing is in doubt, {count(found['resting'], 'order')} rest")
