"""A page of coverage needs nothing but itself: no script, no address, one style known by its hash.

A row is a year, a cell a day (or a month); cells alike that stand together are one rectangle, whose
title says what it is. Names are text, whatever is in them.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final

from rrr.data_pipeline.coverage import OUTSIDE, Coverage, labels, percent

Cell = tuple[str, int, float]  # its name, its place in the row, its share

_WIDTH: Final = 1098  # three a day
_HEIGHT: Final = 16
_LEFT: Final = 44
_STYLE: Final = """
:root { color-scheme: light dark; --paper: #faf9f6; --ink: #1c2126; --soft: #636b73;
  --whole: #2b7d62; --most: #8fbf9f; --some: #d9a441; --none: #b24a3a; }
@media (prefers-color-scheme: dark) { :root { --paper: #131619; --ink: #e4e2dd; --soft: #98a0a8; } }
body { margin: 2rem auto; max-width: 74rem; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h2 { font-size: 1rem; margin: 2rem 0 .3rem; }
p, text { color: var(--soft); fill: var(--soft); font-size: 13px; margin: .1rem 0; }
figure { margin: 0; overflow-x: auto; }
svg { width: 100%; min-width: 60rem; height: auto; }
.whole { fill: var(--whole); } .most { fill: var(--most); }
.some { fill: var(--some); } .none { fill: var(--none); }
"""


def page(parts: Sequence[tuple[Coverage, Sequence[str]]]) -> str:
    """Each series with what is to be said of it, a file to open."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    body = "\n".join(_section(shown, words) for shown, words in parts)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Coverage</title><style>{_STYLE}</style></head>
<body><h1>Coverage</h1>
<p>A row is a year in UTC. Green is whole, pale lacks up to a tenth, amber more, red is empty.
A time without trades that the venue confirms lacks nothing.</p>
{body}
</body></html>
"""


def drawing(shown: Coverage) -> str:
    """The picture alone, as SVG."""
    rows = list(_rows(shown))
    height = _HEIGHT * len(rows)
    inside = "".join(
        f'<text x="0" y="{y + _HEIGHT - 4}">{year}</text>{_row(cells, y, shown.unit)}'
        for y, (year, cells) in zip(range(0, height, _HEIGHT), rows, strict=True)
    )
    about = escape(f"{shown.name}: {percent(shown)}", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH} {height}"'
        f' role="img" aria-label="{about}">{inside}</svg>'
    )


def _section(shown: Coverage, words: Sequence[str]) -> str:
    said = "".join(f"<p>{escape(line)}</p>" for line in words)
    head = escape(f"{shown.name}: {percent(shown)} of {shown.expected:,} candles")
    figure = f"<figure>{drawing(shown)}</figure>" if len(shown.shares) else ""
    return f"<section><h2>{head}</h2>{figure}{said}</section>"


def _rows(shown: Coverage) -> Iterator[tuple[str, list[Cell]]]:
    cells = [
        (name, _place(name), share)
        for name, share in zip(labels(shown), shown.shares.tolist(), strict=True)
    ]
    for year, row in groupby(cells, key=lambda cell: cell[0][:4]):
        yield year, list(row)


def _row(cells: Sequence[Cell], y: int, unit: str) -> str:
    wide = _WIDTH // (12 if unit == "M" else 366)
    drawn = []
    for share, alike in groupby(cells, key=lambda cell: cell[2]):
        run = list(alike)
        if share == OUTSIDE:
            continue
        (first, begin, _), (last, end, _) = run[0], run[-1]
        title = f"{first} to {last}" if first != last else first
        drawn.append(
            f'<rect class="{_kind(share)}" x="{_LEFT + wide * begin}" y="{y}"'
            f' width="{wide * (end - begin + 1)}" height="{_HEIGHT - 2}">'
            f"<title>{title}: {int(share * 1000) / 10} %</title></rect>"
        )
    return "".join(drawn)


def _kind(share: float) -> str:
    if share in (0.0, 1.0):
        return "whole" if share else "none"
    return "most" if share >= 0.9 else "some"


def _place(name: str) -> int:
    """Months and days stand at the same place every year.

    >>> _place("2024-02"), _place("2024-02-29"), _place("2023-03-01")
    (1, 59, 60)
    """
    _, month, *day = (int(part) for part in name.split("-"))
    if not day:
        return month - 1
    return sum((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30)[: month - 1]) + day[0] - 1
