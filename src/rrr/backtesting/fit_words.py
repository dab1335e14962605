"""Who reads whether paper was honest reads first how little so few fills can tell.

What `fit.fitted` found enters; leaves a page of at most a hundred columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill
from typing import Any, Final, TypeAlias

from rrr.backtesting.fit import HARSH, KIND, UNKNOWN
from rrr.monitoring.words import SYNTHETIC, count, printable

Found: TypeAlias = Mapping[str, Any]

WIDTH: Final = 100
NAME: Final = 24

_FEES: Final = ((7, "fills"), (13, "round trips"), (18, "notional"), (10, "paid"), (10, "assumed"))
_SLIPPAGE: Final = (
    *((7, "orders"), (9, "mean"), (21, "95 % interval")),
    *((9, "median"), (9, "p90"), (9, "assumed"), (12, "vs paper")),
)


def fit_in_words(found: Found) -> str:
    return "\n\n".join(_paragraphs(found))


def _paragraphs(found: Found) -> Iterator[str]:
    title = f"{found['session']} on {printable(found['market'])}: {count(found['fills'], 'fill')},"
    title += f" {count(found['round_trips'], 'round trip')}."
    yield f"{SYNTHETIC}  {title}" if found["market"] == "simulated" else title
    if found["fills"]:
        yield _fees(found)
    if any(one["slippage_ppm"] for one in found["groups"]):
        yield _slippage(found)
    if said := list(_asides(found)):
        yield "\n".join(fill(line, WIDTH) for line in said)
    yield fill(verdict(found), WIDTH)
    if found["settings"]:
        yield _settings(found)
    if "remembered" in found:
        yield fill(found["remembered"]["said"], WIDTH)


def _fees(found: Found) -> str:
    lines = [f"Fees, ppm of what was exchanged; notional in {found['quote']}"]
    lines.append(_row("", _FEES, [title for _, title in _FEES]))
    for one in found["groups"]:
        if not one["fills"]:
            continue
        cells = [f"{one['fills']:,}", f"{one['round_trips']:,}", f"{one['notional']:,.2f}"]
        cells += [_ppm(one["fee_ppm"]), _ppm(one["fee_assumed_ppm"])]
        lines.append(_row(_name(one), _FEES, cells))
    return "\n".join(lines)


def _slippage(found: Found) -> str:
    lines = ["Slippage, ppm: a take beyond the close that decided, a stop beyond its trigger"]
    lines.append(_row("", _SLIPPAGE, [title for _, title in _SLIPPAGE]))
    for one in found["groups"]:
        if (seen := one["slippage_ppm"]) is None:
            continue
        cells = [f"{seen['number']:,}", _signed(seen["mean"]), _interval(seen)]
        cells += [_signed(seen["median"]), _signed(seen["p90"])]
        dearer = one["dearer_ppm"]
        cells += [_signed(one["slippage_assumed_ppm"]), _signed(dearer and dearer["mean"])]
        lines.append(_row(_name(one), _SLIPPAGE, cells))
    return "\n".join(lines)


def _asides(found: Found) -> Iterator[str]:
    takes, latency = found["takes"], found["latency"]
    if takes["number"]:
        yield (
            f"Takes: {takes['number']:,} met the market; {takes['not_whole']:,}"
            f" ({takes['not_whole_ratio']:.1%}) did not get all, {takes['nothing']:,} of them"
            " nothing."
        )
    if (seen := latency["measured_ms"]) is not None:
        yield (
            f"Latency from the decision to the fill: half within {seen['median']:,.0f} ms, nine in"
            f" ten within {seen['p90']:,.0f} ms; {latency['assumed_ms']:,} ms are assumed."
        )
    for coin, amount in found["unpriced"].items():
        yield (
            f"Not counted: fees of {amount:.8f} {printable(coin)}, which has no price in these"
            " books, and the takes that paid them."
        )


def verdict(found: Found) -> str:
    """One sentence, and what it rests on."""
    beyond, said = found["beyond_ppm"], found["verdict"]
    if beyond is None:
        return "No take can be compared yet: none was filled whose candle and fee are known."
    takes = f"{count(beyond['number'], 'take')} of {count(beyond['moments'], 'close')}"
    mean = f"{abs(beyond['mean']):,.0f} ppm {'more' if beyond['mean'] >= 0 else 'less'}"
    if said == UNKNOWN:
        return f"{takes} cost {mean} than paper charges; one close alone tells nothing."
    spread = f"{beyond['low']:+,.0f} to {beyond['high']:+,.0f} with 95 % confidence, Student's t"
    if said in (KIND, HARSH):
        return f"Paper is {said}: {takes} cost {mean} than it charges ({spread})."
    return (
        f"Paper is within what so few fills can tell: {takes} cost {mean} than it charges"
        f" ({spread}). A difference of {beyond['shows']:,.0f} ppm would show four times in five."
    )


def _settings(found: Found) -> str:
    lines = ["What these fills ask of paper, for config/trading_config.yml:", "", "costs:"]
    for name, value in found["settings"].items():
        lines.append(f"  {name}: {str(value).lower()}")
    return "\n".join(lines)


def _name(one: Found) -> str:
    return f"{printable(one['instrument'])} {one['side']} {one['way']}"


def _interval(seen: Found) -> str:
    return "" if seen["low"] is None else f"{seen['low']:+,.0f} to {seen['high']:+,.0f}"


def _ppm(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+,.0f}"


def _row(name: str, columns: Sequence[tuple[int, str]], cells: Sequence[str]) -> str:
    widths = [width for width, _ in columns]
    text = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"{name:<{NAME}}{text}".rstrip()
