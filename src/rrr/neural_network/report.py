"""One page tells a person what a model was made from, what it showed, and what it did not.

Every figure on it stands in `metrics.json` too; the page adds only words.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from .evidence import FULL_IC, Evidence
from .features import FEATURES, STEPS, WINDOW
from .job import Job
from .labels import Split, embargo

STAR: Final = 0.005  # of IC in the learning curve
STARS_MAX: Final = 40
TOLD: Final = 8  # features, those that were worth most


def report(
    job: Job,
    parts: Split,
    taught: int,
    evidence: Evidence,
    manifest: Mapping[str, Any],
    figures: Mapping[str, Any],
) -> str:
    """`taught`: how many labels it learned from; the rest is what the files will hold."""
    panel, gap = job.panel, embargo(job.horizon)
    return f"""\
A model ({manifest["kind"]}) for {job.market}: {", ".join(job.symbols)}

UNPROVEN. What it showed, it showed once, on the candles after those it learned from, before costs.
Whether it earns anything, and more than simpler rules do, this page does not say.

  learned from   {_times(job, parts.training)}, {taught:,} labels
  judged by      {_times(job, parts.validation)}, {evidence.rows:,} labels
  in between     {gap} closing times of neither: no two of their labels share a candle
  candles        {int(panel.there.sum()):,} of {_length(panel.timeframe_ms)}
                 sha256 {panel.digest()}
  a label        the return from the next open to {job.horizon} candles later, over its usual size
  it sees        {len(FEATURES)} features of {STEPS} candles, each made of the last {WINDOW}
  seed           {job.seed}

{_shown(evidence, manifest)}
{_curve(job, figures["curves"])}{_walk(manifest, figures)}"""


def _shown(evidence: Evidence, manifest: Mapping[str, Any]) -> str:
    if manifest["full"]:
        ic, error = (manifest["metrics"][name] for name in ("ic", "ic_error"))
        tests = manifest["folds_shown"]
        return f"""\
  IC             {ic:+.4f} ± {error:.4f} (one standard error), the mean of {tests} tests
  kept back      the tests after them, and what it showed last, for `rrr models gate`"""
    word = f"{evidence.weight_ratio:.0%} of full conviction"
    return f"""\
  IC             {evidence.ic:+.4f} ± {evidence.ic_error:.4f} (one standard error: labels overlap,
                 instruments move together, and so these count as {evidence.rows_effective:,.0f})
  its word       {word}: the IC beyond its error, over {FULL_IC}
                 {_verdict(evidence)}
  probability    {_probability(manifest["calibration"])}"""


def _probability(calibration: Mapping[str, Any]) -> str:
    if why := calibration.get("why"):
        return f"a half, always: {why}"
    return (
        f"off by {calibration['ece']:.3f} on average, chance is {calibration['ece_noise']:.3f}"
        f" ({calibration['rows']:,} rows)"
    )


def _curve(job: Job, curves: Sequence[Any]) -> str:
    if not curves or (job.full and not job.patience):
        return ""  # of a full training it is the holdout's
    chosen = "the last one counts; no epoch is chosen"
    where = "the candles that judge"
    if job.patience:
        chosen, where = "the best one counts", "the last of the candles that teach"
    rows = "".join(
        f"  {number:>5}  {loss:.4f}  {ic:+.4f}  {_stars(ic)}".rstrip() + "\n"
        for number, (loss, ic) in enumerate(np.mean(curves, axis=0).tolist(), 1)
    )
    return f"\n  epoch    loss       IC on {where}: {chosen}\n{rows}"


def _walk(manifest: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """What the folds showed."""
    if not manifest["full"]:
        return ""
    may = manifest["folds_shown"]
    rows = "".join(
        f"  {_utc(each['begins_ms'])}  {each['ic']:+.4f} ± {each['ic_error']:.4f}"
        f"  {_stars(each['ic'])}".rstrip()
        + "\n"
        for each in manifest["folds"][:may]
    )
    kinds = "".join(
        f"  {kind:<10}"
        + "".join(f"  {ahead:>3}: {np.mean(ics[:may]):+.4f}" for ahead, ics in by.items())
        + "\n"
        for kind, by in figures["ic"].items()
    )
    worth = sorted(figures["importance"].items(), key=lambda pair: -pair[1])[:TOLD]
    features = "".join(f"  {name:<18}{fall:+.4f}\n" for name, fall in worth)
    return (
        f"\n  a test from        IC, of what was learned before it\n{rows}"
        f"\n  mean IC of these tests, by kind and by candles ahead\n{kinds}"
        f"\n  feature           fall of the IC when it comes from other times\n{features}"
    )


def _verdict(evidence: Evidence) -> str:
    if evidence.weight_ratio == 0:
        return "It showed nothing that chance does not show: it has no opinion."
    if evidence.ic < 2 * evidence.ic_error:
        return "Less than two standard errors from nothing: chance shows as much now and then."
    return f"{evidence.ic / evidence.ic_error:.1f} standard errors from nothing."


def _times(job: Job, rows: range) -> str:
    """Closing times, from the first to the last, of rows of features."""
    opened, timeframe = job.panel.opened_at_ms, job.panel.timeframe_ms
    first, last = (int(opened[row + WINDOW - 1]) + timeframe for row in (rows[0], rows[-1]))
    return f"{_utc(first)} to {_utc(last)}"


def _length(timeframe_ms: int) -> str:
    """
    >>> _length(3_600_000), _length(90_000)
    ('1 h', '90 s')
    """
    units = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1))
    unit, length = next(each for each in units if timeframe_ms % each[1] == 0)
    return f"{timeframe_ms // length} {unit}"


def _utc(at_ms: int) -> str:
    """
    >>> _utc(1_704_067_200_000)
    '2024-01-01 00:00Z'
    """
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M}Z"


def _stars(ic: float) -> str:
    return "*" * min(max(round(ic / STAR), 0), STARS_MAX)
