"""A figure is worth what stands beside it: contenders take turns, and the median speaks."""

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

Figures = dict[str, float]

# Starts one command and says what it took, from a process too small to blur the peak: on Linux a
# child's peak begins with that of the process that forked it.
LAUNCH = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
spent = time.perf_counter() - began
print(json.dumps([code, spent, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""


class Aim(NamedTuple):
    name: str
    most: float


class Spent(NamedTuple):
    seconds: float
    peak_mb: float


def arguments(about: str, rounds: int) -> argparse.ArgumentParser:
    """What every part understands."""
    words = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=words)
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default: {rounds}")
    parser.add_argument("--replay", type=Path, metavar="PATH", help="recorded candles, not ours")
    parser.add_argument("--symbols", default="", metavar="LIST", help="of the recorded ones")
    parser.add_argument("--timeframe", default="5m", metavar="SPAN", help="of the recorded ones")
    return parser


def report(figures: Mapping[str, float], aims: Sequence[Aim], as_json: bool) -> None:
    """One object for a program, a table for a person."""
    verdicts = {aim.name: figures[aim.name] <= aim.most for aim in aims}
    if as_json:
        print(json.dumps({"machine": machine(), "figures": figures, "aims_met": verdicts}))
        return
    print(" · ".join(f"{name} {value}" for name, value in machine().items()))
    most = {aim.name: aim.most for aim in aims}
    for name, figure in figures.items():
        aim = ""
        if name in most:
            aim = f"   aim: at most {most[name]:g}, {'met' if verdicts[name] else 'MISSED'}"
        print(f"  {name:46} {shown(figure):>14}{aim}")


def shown(figure: float) -> str:
    return f"{figure:,.2f}" if abs(figure) < 100 else f"{figure:,.0f}"


def quantiles(name: str, seconds: Iterable[float]) -> Figures:
    """The median and the 99th percentile, in microseconds."""
    ordered = sorted(seconds)
    return {
        f"{name}_us_p50": ordered[len(ordered) // 2] * 1e6,
        f"{name}_us_p99": ordered[len(ordered) * 99 // 100] * 1e6,
    }


def medians(rounds: Sequence[Figures]) -> Figures:
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


def run(command: Sequence[str | Path]) -> Spent:
    """Wall clock and peak memory of one command, from its spawn to its end."""
    words = [sys.executable, "-c", LAUNCH, *map(str, command)]
    said = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout
    code, seconds, peak = json.loads(said)
    if code != 0:
        raise SystemExit(f"bench: {' '.join(words[3:])} ended with {code}.")
    return Spent(seconds, megabytes(peak))


def megabytes(ru_maxrss: int) -> float:
    """Linux counts KiB where macOS counts bytes."""
    return ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def machine() -> dict[str, str]:
    """What the absolute figures depend on."""
    processor = platform.processor() or platform.machine()
    with suppress(FileNotFoundError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
        processor = models[0] if models else processor
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": f"{os.getloadavg()[0]:.2f}",
    }
