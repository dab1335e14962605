"""The whole program trades an hour of a market under every fault: `python -m tests.market_hour`.

It exits with 1 where anything does not hold. `--keep` leaves the home for whoever wants to look.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.market_hour.hour import Asked, lived
from tests.market_hour.table import report, told
from tests.venue.dialects import DIALECTS


def main() -> int:
    usual = Asked()
    parser = argparse.ArgumentParser(prog="python -m tests.market_hour", description=__doc__)
    parser.add_argument("--venue", choices=tuple(DIALECTS), default=usual.venue)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--speed", type=float, default=usual.speed)
    parser.add_argument("--minutes", type=int, default=usual.minutes)
    parser.add_argument("--sleep", type=int, default=usual.sleep_minutes, help="minutes; 0: none")
    parser.add_argument("--faultless", action="store_true", help="and nothing goes wrong")
    parser.add_argument("--keep", type=Path, metavar="HOME")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    kinds = () if given.faultless else None
    asked = Asked(given.venue, given.seed, given.speed, given.minutes, given.sleep, kinds)
    with TemporaryDirectory() as folder:
        said = asyncio.run(_reported(asked, given.keep or Path(folder) / "home"))
    sys.stdout.write(json.dumps(said) if given.json else "\n".join(told(said)))
    sys.stdout.write("\n")
    return 1 if said["failed"] else 0


async def _reported(asked: Asked, home: Path) -> dict[str, object]:
    return report(await lived(asked, home))


if __name__ == "__main__":
    raise SystemExit(main())
