"""A finding is one line that a person can act on: what, how often, and where it is worst.

What a real market may do too is marked `·`, what is wrong beyond doubt `!`.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from rrr.data_pipeline.quality import Disagreements, Report, Spike
from rrr.data_pipeline.recorded_rows import utc
from rrr.data_pipeline.store_series import Span

SHOWN: Final = 3  # examples of a finding
WRONG: Final = "!"
ODD: Final = "·"


def in_words(report: Report) -> list[str]:
    """The series in one line, then a line for each kind of finding."""
    if not report.candles:
        return [f"{report.name}: no candle"]
    last = utc(report.last_ms)
    head = f"{report.name}: {_number(report.candles, 'candle')}, {utc(report.first_ms)} to {last}"
    sources = ", ".join(f"{source.name.lower()} {count:,}" for source, count in report.sources)
    found = list(_findings(report))
    return [f"{head} ({sources})", *(found or ["  nothing odd"])]


def disagreements_in_words(found: Disagreements) -> list[str]:
    """What of a longer timeframe is not what the shorter one makes."""
    compared = f"{found.whole:,} whole, {found.partial:,} with holes"
    head = f"{found.coarse} against {found.fine}: {_number(found.whole + found.partial, 'candle')}"
    lines = [f"{head} compared ({compared})"]
    if found.unlike:
        shown = [
            f"{utc(one.at_ms)} {one.column} {one.held:.15g}, made {one.made:.15g}"
            for one in found.unlike[:SHOWN]
        ]
        candles = len({one.at_ms for one in found.unlike})
        words = f"{_number(len(found.unlike), 'value')} of {_number(candles, 'candle')} disagree"
        lines.append(_line(WRONG, words, shown, len(found.unlike)))
    if found.absent:
        lines.append(_times(WRONG, "longer candles missing", found.absent))
    return lines if len(lines) > 1 else [*lines, "  they agree"]


def _findings(report: Report) -> Iterator[str]:
    if report.impossible:
        shown = [f"{utc(at)} {why}" for at, why in report.impossible[:SHOWN]]
        yield _line(
            WRONG, f"impossible candles: {len(report.impossible):,}", shown, len(report.impossible)
        )
    for words, times in (
        ("off the grid", report.off_grid),
        ("out of order", report.disorder),
        ("said twice", report.duplicates),
        ("said twice, unlike", report.contradictions),
    ):
        if times:
            yield _times(WRONG, words, times)
    if report.silent:
        quiet = sum(span.candles for span in report.silent)
        words = f"nobody traded, as the venue confirms: {_number(quiet, 'candle')}"
        yield _spans(words, report.silent)
    if report.gaps:
        share = report.missing / (report.missing + report.candles)
        words = f"gaps: {len(report.gaps):,}, {_number(report.missing, 'candle')} missing"
        yield _spans(f"{words} ({share:.3%})", report.gaps)
    if report.spikes:
        worst = sorted(report.spikes, key=_size, reverse=True)
        shown = [f"{utc(one.at_ms)} {one.ratio - 1:+.1%}" for one in worst[:SHOWN]]
        words = f"spikes, out and back at once: {len(worst):,}"
        yield _line(ODD, words, shown, len(worst))
    for words, spans in (
        ("without volume", report.zero_volume),
        ("at one price", report.flat_runs),
        ("copies of the candle before", report.copies),
    ):
        if spans:
            candles = sum(span.candles for span in spans)
            yield _spans(f"{words}: {_number(candles, 'candle')}", spans)


def _size(spike: Spike) -> float:
    return max(spike.ratio, 1 / spike.ratio)


def _times(mark: str, words: str, times: Sequence[int]) -> str:
    return _line(mark, f"{words}: {len(times):,}", [utc(at) for at in times[:SHOWN]], len(times))


def _spans(words: str, spans: Sequence[Span]) -> str:
    longest = sorted(spans, key=lambda span: span.candles, reverse=True)[:SHOWN]
    shown = [f"{utc(span.begin_ms)} × {span.candles:,}" for span in longest]
    return _line(ODD, words, shown, len(spans))


def _line(mark: str, words: str, shown: Sequence[str], of: int) -> str:
    more = f"; {of - len(shown):,} more" if of > len(shown) else ""
    return f"  {mark} {words}: {'; '.join(shown)}{more}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
