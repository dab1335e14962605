"""The compiler is asked where Python would take longer than it does, and a person hears of it.

The core is compiled once for each version; both ways come to the same, to the last digit.
"""

from typing import Final

from rrr.backtesting.compiled import is_cold
from rrr.wiring.backtest_progress import Progress

FEW: Final = 150_000  # candles that take Python some seconds, and the compiler a minute
COMPILING: Final = "compiling the core, once for this version: about a minute"


def compiles(may: bool, candles: int, stage: str, progress: Progress) -> bool:
    """Whether so many candles are run compiled, if they may be. Begins their stage."""
    new = may and is_cold()
    progress.stage(stage, COMPILING if new and candles > FEW else "")
    return may and (candles > FEW or not new)
