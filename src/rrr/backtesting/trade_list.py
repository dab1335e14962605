"""The trade list is exact: what the run counted in whole numbers is written in decimals.

One round trip a row, by the moment of its opening: CSV or Parquet, as the name of the file ends.
Money is in the quote currency, fees are part of the P&L, times are UTC. An average price has two
decimals more than a point. What is still held at the end has the reason `open` and the values of
the last close. The P&L of all rows, and the worth of the dust, is the run's P&L.
"""

import csv
import errno
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import numpy as np

from rrr.backtesting.trades import Trades
from rrr.core.errors import HomeUnusable, StorageFailed, UsageError
from rrr.core.orders import Cause
from rrr.data_pipeline.instruments import Spec
from rrr.home import synced
from rrr.neural_network.panel import I64

MONEY: Final = 8  # decimals
RATIO: Final = 8
AVERAGE: Final = 2  # decimals below a point
OPEN: Final = "open"
CSV: Final = ".csv"
PARQUET: Final = ".parquet"


def write(path: Path, trades: Trades, specs: Sequence[Spec]) -> None:
    """Put the list in its place, whole or not at all; `specs` by the number of the instrument."""
    refuse_unknown(path)
    make = _csv if path.suffix == CSV else _parquet
    put(path, make(list(_columns(trades, specs))))


def refuse_unknown(path: Path) -> None:
    """Raise UsageError for a name that says nothing of how to write it."""
    if path.suffix not in (CSV, PARQUET):
        raise UsageError(
            f"{path} is no name of a trade list.", f"Let it end in {CSV} or {PARQUET}."
        )


def refuse_unwritable(path: Path) -> None:
    """Raise HomeUnusable for a place where nothing can be put, before there is something to put."""
    if path.exists() and not path.is_file():
        raise HomeUnusable(f"{path} is no file.", "Name one, in a folder that can be written to.")
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unusable(path, error) from error


def put(path: Path, content: bytes) -> None:
    """Write a file whole: it is read as it was before, or as it is now."""
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        synced(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise StorageFailed(
                f"{path} cannot be written: {error.strerror}.",
                "Free some space or mend the drive, then run this again.",
            ) from error
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> HomeUnusable:
    return HomeUnusable(
        f"{path} cannot be written: {error.strerror}.",
        "Name a folder that belongs to whoever runs this.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """Texts, moments, or whole numbers with so many decimals each."""

    name: str
    values: Sequence[str] | I64
    decimals: I64 | None = None

    def exact(self) -> Iterator[Decimal]:
        assert self.decimals is not None and not isinstance(self.values, Sequence)
        for value, decimals in zip(self.values.tolist(), self.decimals.tolist(), strict=True):
            yield Decimal(value).scaleb(-decimals)

    def texts(self) -> Sequence[str]:
        if isinstance(self.values, Sequence):
            return self.values
        if self.decimals is None:
            return [_utc(at_ms) for at_ms in self.values.tolist()]
        return [f"{value.normalize():f}" for value in self.exact()]


def _columns(trades: Trades, specs: Sequence[Spec]) -> Iterator[_Column]:
    of, n = trades.instrument, len(trades)
    symbols = [spec.symbol for spec in specs]
    grains = np.array([spec.grains for spec in specs], np.int64)[of]
    averages = np.array([spec.points for spec in specs], np.int64)[of] + AVERAGE
    reasons = {int(cause): cause.name.lower() for cause in Cause} | {int(Cause.NONE): OPEN}

    yield _Column("instrument", [symbols[i] for i in of.tolist()])
    yield _Column("side", ["long"] * n)
    yield _Column("opened", trades.opened_ms)
    yield _Column("closed", trades.closed_ms)
    yield _Column("entry_price", _whole(trades.entry_price * 10**AVERAGE), averages)
    yield _Column("exit_price", _whole(trades.exit_price * 10**AVERAGE), averages)
    yield _Column("quantity", trades.quantity, grains)
    for name in ("notional", "fees", "slippage", "pnl"):
        yield _Column(name, getattr(trades, name), np.full(n, MONEY))
    yield _Column("return_ratio", _whole(trades.ratio * 10**RATIO), np.full(n, RATIO))
    yield _Column("reason", [reasons[cause] for cause in trades.reason.tolist()])


def _csv(columns: Sequence[_Column]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([column.name for column in columns])
    rows.writerows(zip(*(column.texts() for column in columns), strict=True))
    return text.getvalue().encode()


def _parquet(columns: Sequence[_Column]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    arrays = {}
    for column in columns:
        if isinstance(column.values, Sequence):
            array = pyarrow.array(column.values, pyarrow.string())
        elif column.decimals is None:
            array = pyarrow.array(column.values, pyarrow.timestamp("ms", tz="UTC"))
        else:
            most = int(column.decimals.max(initial=0))
            array = pyarrow.array(list(column.exact()), pyarrow.decimal128(38, most))
        arrays[column.name] = array
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(arrays), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _whole(numbers: np.typing.NDArray[np.float64]) -> I64:
    return np.rint(numbers).astype(np.int64)


def _utc(at_ms: int) -> str:
    """
    >>> _utc(1_704_067_200_000), _utc(1_704_067_200_250)
    ('2024-01-01T00:00:00Z', '2024-01-01T00:00:00.250Z')
    """
    precision = "milliseconds" if at_ms % 1000 else "seconds"
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).isoformat('T', precision)[:-6]}Z"
