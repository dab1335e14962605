"""From exec to the first decided close, durable, and where the time goes.

The daemon runs at the market's own pace, so that its first close is a commit of its own; another
connection watches for it to arrive. Files and bytecode are warm: the first round is thrown away.
"""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from bench_figures import Aim, Figures, arguments, medians, megabytes, report

AIMS = (Aim("fresh_first_close_ms", 1_000), Aim("fresh_peak_mb", 200))
ROWS_BEFORE_THE_KILL = 50_000
PATIENCE_S = 60
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


class Begun(NamedTuple):
    first_line_ms: float
    first_close_ms: float
    peak_mb: float


def main() -> None:
    parser = arguments(__doc__ or "", rounds=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_start_") as name:
        folder = Path(name)
        market = the_market(folder, asked.replay, asked.symbols, asked.timeframe)
        killed = killed_home(folder / "killed", market)
        rounds = [one_round(folder, market, killed) for _ in range(asked.rounds + 1)][1:]
        figures = medians(rounds)
        figures["ratio_first_close_to_interpreter"] = (
            figures["fresh_first_close_ms"] / figures["bare_interpreter_ms"]
        )
        figures["killed_rows"] = rows(killed)
        imports = import_costs([*command(folder / "imports", market), "--speed=max"])
    report(figures | imports, AIMS, asked.json)


def the_market(folder: Path, path: Path | None, symbols: str, timeframe: str) -> list[str]:
    """The options that name the candles: recorded ones, or our own, made by another process."""
    if path is None:
        path = folder / "market"
        subprocess.run([sys.executable, Path(__file__).with_name("bench_market.py"), path])
    return [f"--replay={path}", f"--symbols={symbols}", f"--timeframe={timeframe}"]


def command(home: Path, market: list[str]) -> list[str]:
    return [sys.executable, "-m", "rrr", f"--home={home}", *market]


def one_round(folder: Path, market: list[str], killed: Path) -> Figures:
    """A fresh home, then the same one again; a long one whose process was killed; the floors."""
    home, long = folder / "home", folder / "long"
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(long, ignore_errors=True)
    shutil.copytree(killed, long)
    figures = {
        "bare_interpreter_ms": spent_ms("pass"),
        "import_rrr_main_ms": spent_ms("import rrr.main"),
    }
    for name, where in (("fresh", home), ("existing", home), ("killed", long)):
        begun = begin(where, market)
        figures |= {f"{name}_{what}": figure for what, figure in begun._asdict().items()}
    return figures


def spent_ms(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) * 1000


def begin(home: Path, market: list[str]) -> Begun:
    """Start, wait for the first line and for the first row of a close, then stop."""
    before = rows(home)
    began = time.perf_counter()
    process = subprocess.Popen([*command(home, market), "--speed=1"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    first_line = time.perf_counter()
    wait_for(home, f"SELECT 1 FROM journal WHERE number > {before} AND kind = 4 LIMIT 1", process)
    first_close = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"The daemon ended with {process.returncode}."
    return Begun(
        (first_line - began) * 1000, (first_close - began) * 1000, megabytes(used.ru_maxrss)
    )


def killed_home(home: Path, market: list[str]) -> Path:
    """A home whose process died at full speed in the middle of its work."""
    process = subprocess.Popen([*command(home, market), "--speed=max"], stdout=subprocess.DEVNULL)
    wait_for(home, f"SELECT 1 FROM journal WHERE number > {ROWS_BEFORE_THE_KILL} LIMIT 1", process)
    process.kill()
    process.wait()
    return home


def wait_for(home: Path, question: str, process: subprocess.Popen[bytes]) -> None:
    """Until the answer is committed; asked every half millisecond."""
    until = time.perf_counter() + PATIENCE_S
    while not answer(home, question):
        if process.poll() is not None or time.perf_counter() > until:
            raise SystemExit(f"bench: {process.args!r} never got there.")
        time.sleep(0.0005)


def rows(home: Path) -> int:
    found = answer(home, "SELECT coalesce(max(number), 0) FROM journal")
    return int(found[0]) if found else 0


def answer(home: Path, question: str) -> tuple[int, ...] | None:
    """None while there is no file, no table, no row."""
    uri = f"{(home / 'data' / 'paper.db').as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            found: tuple[int, ...] | None = connection.execute(question).fetchone()
            return found
    except sqlite3.OperationalError:
        return None


def import_costs(words: list[str]) -> Figures:
    """Milliseconds in each package's own code: their sum is what importing costs."""
    python, *rest = [*words, "--candles=1"]
    done = subprocess.run(
        [python, "-X", "importtime", *rest], capture_output=True, check=True, text=True
    )
    spent: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        if found := IMPORT.match(line):
            package = found[2].partition(".")[0]
            known = package in sys.stdlib_module_names
            spent["standard_library" if known and package != "asyncio" else package] += int(
                found[1]
            )
    few = {f"import_{name}_ms": us / 1000 for name, us in spent.most_common(9)}
    return {"import_total_ms": sum(spent.values()) / 1000, **few}


if __name__ == "__main__":
    main()
