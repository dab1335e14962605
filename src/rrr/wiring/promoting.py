"""Only what passed its gate on this account's terms is made champion; paper may obey the rest.

A person moves models between states; a training never does. Weeks of shadow prove that data,
signals and orders flow as they should: a test of plumbing, and no proof of skill.
"""

from typing import Any, Final

from rrr.config import Home, Settings
from rrr.config.round_trip import account_of
from rrr.core.errors import NotProven
from rrr.monitoring.words import count, printable
from rrr.neural_network import registry
from rrr.wiring.beginning import clean, now_ms

PROVEN: Final = "passed its gate"
PAPER: Final = "a person's word, on paper only"


def promote(home: Home, settings: Settings, name: str, *, paper: bool) -> dict[str, Any]:
    """Raise NotProven with all that it lacks, unless only paper is to obey it."""
    models = home.data / "models"
    of = registry.named(models, name)
    lacks = registry.lacking(models, of, account_of(settings, of.scope.symbols))
    if lacks and not paper:
        raise NotProven(
            f"{of.name} is not proven for this account. {' '.join(lacks)}",
            f"`rrr models gate {of.name}` with this account's settings judges it;"
            " --paper lets paper obey it as it is.",
        )
    why = PAPER if lacks else PROVEN
    registry.promote(models, of.name, now_ms(), why)
    said = f"{of.name} is obeyed from the next close on, by full speed from its next start: {why}."
    if lacks:
        said += f" Real money does not: {' '.join(lacks)}"
    return _tidied(home, {"model": of.name, "state": "champion", "proven": not lacks, "said": said})


def shadow(home: Home, name: str) -> dict[str, Any]:
    models = home.data / "models"
    of = registry.named(models, name)
    was = registry.standing(models, of.name).state
    registry.shadow(models, of.name, now_ms(), "a test of plumbing")
    said = (
        f"{of.name} is watched on a paper book of its own, beside the one that is obeyed. A week of"
        " that is a test of plumbing: whether it has skill, only its gate says."
    )
    if was == "champion":
        said += " It is the champion no more: `rrr models promote` makes it that again."
    return {"model": of.name, "state": "shadow", "said": said}


def retire(home: Home, name: str, reason: str) -> dict[str, Any]:
    models = home.data / "models"
    name = registry.named_folder(models, name)
    registry.retire(models, name, now_ms(), clean(reason) or "a person's word")
    said = f"{name} is retired: it is watched no more, and from the next start on not obeyed."
    return _tidied(home, {"model": name, "state": "retired", "said": said})


def _tidied(home: Home, told: dict[str, Any]) -> dict[str, Any]:
    """The last retired ones stay; older folders are gone."""
    gone = registry.tidy(home.data / "models", now_ms())
    if gone:
        told["said"] += f" {count(len(gone), 'old model')} went: {printable(', '.join(gone))}."
    return told | {"removed": gone}
