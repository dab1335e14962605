"""Whoever holds is long wherever there is a candle, whatever was missing before it."""

from rrr.neural_network.panel import panel_of
from rrr.neural_network.strategies import FULL, SILENT
from rrr.neural_network.strategies.asked import asked
from rrr.neural_network.strategies.hold import Hold
from tests.builders import HOUR
from tests.neural_network.strategies.candles import holey


def test_it_survives_every_gap() -> None:
    panel = panel_of(holey(1, 400), 3, HOUR)
    told = asked(Hold(), panel)
    assert not panel.there.all()
    assert (told[panel.there] == FULL).all()
    assert (told[~panel.there] == SILENT).all()
