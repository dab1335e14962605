"""What is in force and where it comes from; a secret shows that it is there, never what it is."""

from .loading import HIDDEN, Loaded
from .schema import flat, text


def show(loaded: Loaded) -> str:
    """A table for a person: name, value, origin."""
    values = flat(loaded.settings) | dict.fromkeys(loaded.secrets, HIDDEN)
    rows = [(name, text(value) or "–", loaded.origin(name)) for name, value in values.items()]
    names, shown, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(f"{name:<{names}}  {value:<{shown}}  {origin}" for name, value, origin in rows)


def show_json(loaded: Loaded) -> dict[str, dict[str, object]]:
    """The same for a program: value and origin of each dotted name."""
    values = flat(loaded.settings, "json") | dict.fromkeys(loaded.secrets, HIDDEN)
    return {name: {"value": value, "origin": loaded.origin(name)} for name, value in values.items()}
