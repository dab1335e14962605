"""A parquet file is read whole, or not at all; nothing in it is converted on a guess.

Arrow's own `to_numpy` imports pandas where it is installed (45 MB and a quarter of a second):
the columns cross over by DLPack instead.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rrr.core.errors import DataError
from rrr.core.market import Source
from rrr.data_pipeline.recorded_rows import (
    VALUES,
    Floats,
    Integers,
    Rows,
    columns,
    milliseconds,
    refusal,
)

_AGAIN = "Download it again, or give a CSV file."


def read_parquet(path: Path, content: bytes, symbol: str) -> Rows:
    import pyarrow as arrow
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(arrow.BufferReader(content))
        picked, notes = columns(path, file.schema_arrow.names, symbol)
        table = file.read(columns=list(picked.values()), use_threads=False)
        notes += _made(file)
    except (arrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} is no whole parquet file: {reason}.", _AGAIN) from error
    if table.num_rows == 0:
        raise DataError(f"{path} holds no candle.", _AGAIN)

    held = {key: _dense(path, name, table.column(name)) for key, name in picked.items()}
    places = np.arange(1, table.num_rows + 1)
    stamps, unit = _stamps(path, picked["time"], held["time"])
    if not unit:
        stamps, unit = milliseconds(path, "row", places, stamps)
    if unit != "milliseconds":
        notes.append(f"time in {unit}")
    values = {key: _floats(path, picked[key], held[key]) for key in VALUES}
    return Rows(path, "row", places, stamps, values, tuple(notes))


def _made(file: Any) -> list[str]:
    """What of a store's candles nobody recorded: it says of each where it came from."""
    if b"rrr" not in (file.schema_arrow.metadata or {}):
        return []
    sources = set(file.read(columns=["source"]).column("source").unique().to_pylist())
    made = (source for source in (Source.BUILT, Source.SYNTHETIC) if source in sources)
    return [f"holds candles that are {source.name}, not recorded" for source in made]


def _dense(path: Path, name: str, column: Any) -> Any:
    if column.null_count:
        row = column.is_null().to_pylist().index(True) + 1
        raise refusal(path, f"row {row}, column {name!r}", "it is empty")
    return column.combine_chunks()


def _stamps(path: Path, name: str, array: Any) -> tuple[Integers, str]:
    """The stamps as they stand; a column that knows its unit comes out in milliseconds."""
    import pyarrow as arrow

    kind = array.type
    try:
        if arrow.types.is_timestamp(kind) or arrow.types.is_date(kind):
            whole = array.cast(arrow.timestamp("ms", getattr(kind, "tz", None)))
            return np.array(np.from_dlpack(whole.view(arrow.int64()))), "milliseconds"
        if arrow.types.is_integer(kind) or arrow.types.is_floating(kind):
            same = arrow.types.is_int64(kind)
            return np.array(np.from_dlpack(array if same else array.cast(arrow.int64()))), ""
    except arrow.ArrowInvalid as error:
        raise DataError(f"{path}, column {name!r}: {error}.", _AGAIN) from error
    raise DataError(f"{path}, column {name!r} is {kind}, no time.", "Write it as integers.")


def _floats(path: Path, name: str, array: Any) -> Floats:
    import pyarrow as arrow

    kind = array.type
    if (
        arrow.types.is_floating(kind)
        or arrow.types.is_integer(kind)
        or arrow.types.is_decimal(kind)
    ):
        same = arrow.types.is_float64(kind)
        floats = np.from_dlpack(array if same else array.cast(arrow.float64()))
        return np.asarray(floats, np.float64)
    raise DataError(f"{path}, column {name!r} is {kind}, no number.", "Write it as float64.")
