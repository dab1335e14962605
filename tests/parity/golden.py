"""One journal that a session wrote once, and that every version must write again, row for row.

Whoever changes on purpose what is decided writes it anew, and the commit shows what changed:
`python -m tests.parity.golden --write`. The candles are made up: no venue ever saw them.
"""

import argparse
import sys
from pathlib import Path
from random import Random
from typing import Any, Final

from rrr.config import Home, Loaded, load
from rrr.database.journal import Row
from rrr.main import session
from rrr.wiring.certifying import traded

HERE: Final = Path(__file__).parent / "golden"
JOURNAL: Final = HERE / "journal.txt"
FIRST: Final = 1_704_067_200_000  # 2024-01-01
HOUR: Final = 3_600_000
HOURS: Final = 300
PRICES: Final = {"BTC-USD": 42_000.0, "ETH-USD": 2_300.0}
SETTINGS: Final[dict[str, Any]] = {
    "replay": HERE,
    "signals": "moving-average-cross:fast=3,slow=10",
    "policy.warmup_candles": 5,
    "policy.entry": "maker",
    "policy.maker_offset_bps": 10,
    "policy.stop_bps": 150,
    "policy.target_bps": 250,
    "policy.target": "rests",
    "policy.trail_bps": 120,
    "risk.loss_24h_max_bps": 100,
    "risk.drawdown_max_bps": 300,
}


def loaded(home: Home, candles: Path = HERE) -> Loaded:
    return load(home, None, {**SETTINGS, "replay": candles})


def recorded() -> list[Row]:
    """The journal, less what belongs to one life of one process."""
    rows = []
    for number, line in enumerate(JOURNAL.read_text(encoding="ascii").splitlines(), 1):
        kind, at_ms, core = line.split(" ", 2)
        rows.append(Row(number, int(kind), int(at_ms), core, 0, 0, "", b""))
    return rows


def written(home: Home) -> list[str]:
    """What a paper session writes today, a line a row."""
    with traded(home, loaded(home), session) as rows:
        return [f"{row.kind} {row.at_ms} {row.core}\n" for row in rows]


def candles(random: Random, price: float) -> str:
    """A walk with jumps, holes, and hours in which nobody traded."""
    lines = ["ts,open,high,low,close,volume\n"]
    for hour in range(HOURS):
        bold = 0.03 if random.random() < 0.04 else 0.006
        first, last = (price := price * (1 + random.uniform(-bold, bold)) for _ in "ab")
        ends = [max(first, last) * (1 + random.uniform(0, 0.003))]
        ends += [min(first, last) * (1 - random.uniform(0, 0.003))]
        figures = ",".join(f"{each:.2f}" for each in (first, *ends, last))
        volume = random.choice([0, 0.311, 4.027, 300.005])
        if random.random() > 0.03 or hour == 0:
            lines.append(f"{FIRST + hour * HOUR},{figures},{volume}\n")
    return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the journal")
    parser.add_argument("--candles", action="store_true", help="make the candles anew, too")
    asked = parser.parse_args()
    if asked.candles:
        for seed, (symbol, price) in enumerate(PRICES.items(), 60):
            (HERE / symbol).mkdir(parents=True, exist_ok=True)
            text = candles(Random(seed), price)
            (HERE / symbol / "1h.csv").write_text(text, encoding="ascii")
    lines = written(Home(Path("nowhere")))
    if asked.write:
        JOURNAL.write_text("".join(lines), encoding="ascii")
    same = lines == JOURNAL.read_text(encoding="ascii").splitlines(keepends=True)
    print(f"{len(lines):,} rows, {'as' if same else 'NOT as'} recorded")  # noqa: T201
    sys.exit(not same)


if __name__ == "__main__":
    main()
