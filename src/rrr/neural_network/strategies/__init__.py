"""All that a strategy of one's own imports; docs/strategies.md shows how to write one."""

from ..panel import I64, Panel
from .rolling import earlier, exact, highest, lowest, over
from .strategy import FLAT, FULL, SILENT, Strategy

__all__ = [
    "FLAT",
    "FULL",
    "I64",
    "SILENT",
    "Panel",
    "Strategy",
    "earlier",
    "exact",
    "highest",
    "lowest",
    "over",
]
