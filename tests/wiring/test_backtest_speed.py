"""Who comes first with little is not kept waiting for the compiler."""

from io import StringIO
from pathlib import Path

import pytest

from rrr.backtesting.compiled import code_hash, usual_folder
from rrr.wiring.backtest_progress import Progress
from rrr.wiring.backtest_speed import COMPILING, FEW, compiles


class Watched(Progress):
    """What a terminal would show."""

    def __init__(self) -> None:
        super().__init__(StringIO())
        self.terminal.is_alive = True

    @property
    def line(self) -> str:
        return self.terminal.live or ""


# (whether it may be compiled, candles, whether it was before, whether it is, whether that takes)
CASES = [
    (True, FEW, False, False, False),
    (True, FEW + 1, False, True, True),
    (True, FEW, True, True, False),
    (True, FEW + 1, True, True, False),
    (False, FEW + 1, False, False, False),
    (False, FEW + 1, True, False, False),
]


@pytest.mark.parametrize(("may", "candles", "before", "compiled", "takes"), CASES)
def test_the_compiler_is_asked_where_it_is_sooner_done(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    may: bool,
    candles: int,
    before: bool,
    compiled: bool,
    takes: bool,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if before:
        made = usual_folder() / code_hash() / "backtesting"
        made.mkdir(parents=True)
        (made / "loops.start-97.py311.nbi").touch()
    progress = Watched()
    assert compiles(may, candles, "running", progress) == compiled
    assert progress.line == (COMPILING if takes else "running")
    progress.heard(1, 4)
    assert progress.line.startswith("running ")
    assert progress.line.endswith(" 25%  of 4")
