"""Where real money is enabled, all that keeps it from moving is a finding."""

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
