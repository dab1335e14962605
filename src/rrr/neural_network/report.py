"""One page tells a person what a model was made from, what it showed, and what it did not.

Every figure on it stands in `metrics.json` too; the page adds only words.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from .evidence import FULL_IC, Evidence
from .features import FEATURES, STEPS, WINDOW
from .job import Job
from .labels import Split, embargo

STAR: Final = 0.005  # of IC in the learning curve
STARS_MAX: Final = 40


def report(
    job: Job, parts: Split, taught: int, curve: Sequence[tuple[float, float]], evidence: Evidence
) -> str:
    """`taught`: how many labels the network learned from; `curve`: loss and IC of each epoch."""
    rows = "\n".join(
        f"  {number:>5}  {loss:.4f}  {ic:+.4f}  {_stars(ic)}".rstrip()
        for number, (loss, ic) in enumerate(curve, 1)
    )
    panel, gap = job.panel, embargo(job.horizon)
    word = f"{evidence.weight_ratio:.0%} of full conviction"
    return f"""\
A model for {job.market}: {", ".join(job.symbols)}

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

  IC             {evidence.ic:+.4f} ± {evidence.ic_error:.4f} (one standard error: labels overlap,
                 instruments move together, and so these count as {evidence.rows_effective:,.0f})
  its word       {word}: the IC beyond its error, over {FULL_IC}
                 {_verdict(evidence)}

  epoch    loss       IC on the candles that judge; no epoch is chosen, the last one counts
{rows}
"""


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
