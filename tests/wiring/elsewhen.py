"""A daemon whose wall clock is ahead by so many milliseconds, to meet a closing time soon.

python tests/wiring/elsewhen.py MS [the arguments of rrr]
"""

import sys

from rrr import cli, main
from rrr.wiring import beginning

if __name__ == "__main__":
    ahead_ms, *arguments = sys.argv[1:]
    now_ms = beginning.now_ms

    def then_ms() -> int:
        return now_ms() + int(ahead_ms)

    for module in (beginning, main):
        setattr(module, "now_ms", then_ms)  # noqa: B010
    sys.argv = ["rrr", *arguments]
    cli.run()
