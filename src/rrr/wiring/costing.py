"""Where only costs are asked for, an instrument is what a market shows, or what somebody states."""

import sys
from collections.abc import Sequence

from rrr.backtesting.break_even import VOLATILITY_BPS, Traded, measured, stated
from rrr.config import Home, Loaded
from rrr.wiring.backtest_given import seen
from rrr.wiring.backtest_progress import Progress

USUAL = "BTC-USD"


def traded(home: Home, loaded: Loaded, yearly_percent: float | None) -> Sequence[Traded]:
    """Instruments as a market moves them, if one is named; or as somebody says that they move."""
    settings = loaded.settings
    if yearly_percent is None and (settings.market or settings.replay):
        progress = Progress(sys.stderr)
        with progress.shows():
            progress.stage("loading")
            _, history = seen(home, loaded, progress)
        return measured(history.panel.cut(history.begins), history.quoted)
    bps = VOLATILITY_BPS if yearly_percent is None else yearly_percent * 100
    return [stated(symbol, bps) for symbol in settings.symbols or (USUAL,)]
