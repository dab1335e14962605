"""Costs are read by who decides whether to trade at all: what no honest model reaches is marked.

What `break_even.costs` found enters; leaves a page. One profile is told in full, with its source
and its other tiers; several stand beside each other, a line each.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from textwrap import wrap
from typing import Any, Final, TypeAlias

Found: TypeAlias = Mapping[str, Any]

WIDTH: Final = 100
WAYS: Final = {
    "taker-taker": "take, take",
    "maker-taker": "rest, take",
    "maker-maker": "rest, rest",
}
CELLS: Final = 24  # of the widest picture of an IC
HONEST_CELLS: Final = 6  # of the most that an honest model reaches

_COLUMN: Final = 14
_GAP: Final = "   "


def costs_in_words(found: Found) -> str:
    told = _in_full if len(found["profiles"]) == 1 else _beside_each_other
    paragraphs = [
        *told(found),
        "A forecast is asked anew at each horizon, and only what changes is traded: docs/costs.md."
        f" Trading only the best tenth of the forecasts needs {found['best_tenth']:.2f} of the IC."
        " An order that rests may wait in vain, or be filled when it should not: that is not"
        " counted.",
    ]
    return "\n\n".join(_wrapped(paragraph) for paragraph in paragraphs)


def _in_full(found: Found) -> Iterator[str]:
    [profile] = found["profiles"]
    yield _about(profile)
    for one in profile["instruments"]:
        yield _instrument(one, found)
    yield _tiers(profile)


def _beside_each_other(found: Found) -> Iterator[str]:
    """A table for each instrument, a line for each profile."""
    for index, one in enumerate(found["profiles"][0]["instruments"]):
        title = f"{_traded(one, found)}: what a round trip costs in bps, and from which horizon on"
        title += f" an IC of {found['honest_ic_max']:g} pays for it."
        lines = [_row(["maker", "taker", *WAYS.values()], "", 9)]
        for profile in found["profiles"]:
            tier, ways = profile["tier"], profile["instruments"][index]["ways"]
            cells = [_share(tier["maker_ppm"]), _share(tier["taker_ppm"])]
            cells += [f"{way['bps']:.1f} {_pays_from(way, found):>7}" for way in ways]
            lines.append(_row(cells, profile["profile"], 9))
        yield f"{title}\n\n" + "\n".join(lines)


def _about(profile: Found) -> str:
    tier = profile["tier"]
    span = f"from {tier['volume_from']:,}"
    if tier["volume_to"]:
        span += f" to {tier['volume_to']:,}"
    also = f", {tier['also']}" if tier["also"] else ""
    return "\n".join(
        [
            f"{profile['profile']}: {profile['title']}, {tier['name']}"
            f" ({span} dollars within 30 days{also})",
            f"maker {_share(tier['maker_ppm'])}, taker {_share(tier['taker_ppm'])};"
            f" {profile['fee_note']}",
            *(f"{source}, {profile['checked_on']}" for source in profile["sources"]),
            profile["evidence"],
        ]
    )


def _instrument(one: Found, found: Found) -> str:
    ways, most = one["ways"], f"{found['honest_ic_max']:g}"
    last = ways[-1]
    widths = f"half the spread {_bps(one['half_spread_ppm'])} bps, slippage"
    widths += f" {_bps(one['slippage_ppm'])} bps ({one['how']})"
    table = [
        _row([WAYS[way["way"]] for way in ways]),
        _row([f"{way['bps']:.1f} bps" for way in ways], "a round trip"),
        _row([f"{way['cost']} {one['quote']}" for way in ways]),
        _row([f"{way['fees']} fees" for way in ways]),
        "",
        _row(["", "", ""], "break-even IC")
        + _GAP
        + " " * (HONEST_CELLS - 1)
        + f"┊ {most}, {WAYS[last['way']]}",
    ]
    for horizon, ic in last["break_even_ic"].items():
        row = _row([_ic(way, horizon) for way in ways], f"  {horizon}")
        table.append(f"{row}{_GAP}{_picture(ic, found['honest_ic_max'])}".rstrip())
    table.append("")
    for ic in ways[0]["pays_from_days"]:
        cells = [_span(way["pays_from_days"][ic]) for way in ways]
        table.append(_row(cells, f"{ic} pays from"))
    table += ["", f"× above {most}: no honest model reaches this."]
    return f"{_traded(one, found)}; {widths}\n\n" + "\n".join(table)


def _tiers(profile: Found) -> str:
    rows = []
    for number, tier in enumerate(profile["tiers"], 1):
        mark = "▸" if tier["name"] == profile["tier"]["name"] else " "
        rows.append(
            f"{mark} tier{number:<3} {tier['name']:<12} from {tier['volume_from']:>13,}"
            f"   maker {_share(tier['maker_ppm']):>8}   taker {_share(tier['taker_ppm']):>8}"
            f"   {tier['also']}".rstrip()
        )
    return "\n".join(rows)


def _traded(one: Found, found: Found) -> str:
    """
    >>> _traded(dict(symbol="BTC-USD", quote="USD", yearly_volatility_bps=6600, basis="stated"),
    ...         dict(notional="10000"))
    'BTC-USD for 10,000 USD, moving 66 % a year (stated)'
    """
    moving = f"moving {one['yearly_volatility_bps'] / 100:.0f} % a year ({one['basis']})"
    return f"{one['symbol']} for {Decimal(found['notional']):,} {one['quote']}, {moving}"


def _ic(way: Found, horizon: str) -> str:
    ic = way["break_even_ic"][horizon]
    shown = "over 1" if ic > 1 else f"{ic:.2f}" if ic >= 0.1 else f"{ic:.3f}"
    return f"{shown} {'×' if horizon in way['beyond_honest'] else ' '}"


def _picture(ic: float, most: float) -> str:
    """The limit stays visible, within the line and without.

    >>> _picture(0.2, 0.1), _picture(0.05, 0.1), _picture(0.1, 0.1), _picture(3, 0.1)
    ('━━━━━┿━━━━━━', '━━━  ┊', '━━━━━┊', '━━━━━┿━━━━━━━━━━━━━━━━━▸')
    """
    length = round(ic / most * HONEST_CELLS)
    line = "━" * length if length <= CELLS else "━" * (CELLS - 1) + "▸"
    before = line[: HONEST_CELLS - 1].ljust(HONEST_CELLS - 1)
    return f"{before}┿{line[HONEST_CELLS:]}" if ic > most else f"{before}┊"


def _span(days: float) -> str:
    """
    >>> [_span(days) for days in (76.7, 4.7, 0.16, 0.01, 0)]
    ['77 d', '4.7 d', '3.8 h', '14 min', 'at once']
    """
    if days >= 10:
        return f"{days:.0f} d"
    if days >= 1:
        return f"{days:.1f} d"
    if days * 24 >= 1:
        return f"{days * 24:.1f} h"
    return f"{days * 1_440:.0f} min" if days else "at once"


def _pays_from(way: Found, found: Found) -> str:
    return _span(way["pays_from_days"][str(found["honest_ic_max"])])


def _row(cells: Sequence[str], label: str = "", narrow: int = _COLUMN) -> str:
    """The first two cells may be narrow: rates before costs."""
    widths = [narrow, narrow, *[_COLUMN + 2] * len(cells)] if narrow < _COLUMN else [_COLUMN] * 9
    return f"{label:<16}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=False))


def _share(ppm: int) -> str:
    """
    >>> _share(12_000), _share(188)
    ('1.2 %', '0.0188 %')
    """
    return f"{ppm / 10_000:g} %"


def _bps(ppm: int) -> str:
    return f"{ppm / 100:g}"


def _wrapped(paragraph: str) -> str:
    lines = (wrap(line, WIDTH) if len(line) > WIDTH else [line] for line in paragraph.split("\n"))
    return "\n".join(line for part in lines for line in part)
