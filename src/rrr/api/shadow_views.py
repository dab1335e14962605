"""The books beside the principal one are shown where it is, each as far as it can be believed."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from rrr.database import shadows as books
from rrr.database.sessions import Session


def shadows(connection: sqlite3.Connection, session: Session) -> list[dict[str, Any]]:
    """How each did beside the principal; a session without them costs no library."""
    if not books.of(connection, session.id):
        return []
    from rrr.monitoring.shadowed import shadowed

    return shadowed(connection, session)


def in_words(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    if not found:
        return []
    from rrr.monitoring.shadowed import told

    return told(found)
