"""A column of Arrow's is what it says: Parquet and Feather are read by the same rules.

Feather is written anew as Parquet in memory, so that one reader explains both. A file that knows
where its candles came from (the house's own do) keeps saying so: what was made up stays made up.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from rrr.core.errors import DataError
from rrr.core.market import Source
from rrr.data_pipeline.importing_files import Unpacked
from rrr.data_pipeline.importing_sheet import UNKNOWN, Sheet, plain_names, with_a_time
from rrr.data_pipeline.recorded_parquet import read_parquet
from rrr.data_pipeline.recorded_rows import Integers, columns

PARQUET: Final = b"PAR1"
FEATHER: Final = (b"ARROW1", b"FEA1")


def is_arrow(content: bytes) -> bool:
    return content.startswith((PARQUET, *FEATHER))


def read_arrow(file: Unpacked, symbol: str) -> Sheet:
    import pyarrow as arrow

    kind = "parquet" if file.content.startswith(PARQUET) else "feather"
    try:
        table = _table(file.content)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(
            f"{file.path} is no whole {kind} file: {reason}.", "Download it again."
        ) from error
    names = list(table.column_names)
    plain = plain_names(names)
    known = with_a_time(plain)
    picked, _ = columns(file.path, known, symbol or UNKNOWN)
    indices = {key: known.index(name) for key, name in picked.items()}
    wanted = table.select(sorted(set(indices.values())))
    wanted = wanted.rename_columns([known[index] for index in sorted(set(indices.values()))])
    rows = read_parquet(file.path, _parquet(wanted), symbol or UNKNOWN)
    unit = next(
        (note for note in rows.notes if note.startswith("time in ")), "time in milliseconds"
    )
    return Sheet(
        rows=rows,
        columns={key: names[index] for key, index in indices.items()},
        time_unit=unit.removeprefix("time in "),
        time_name=plain[indices["time"]],
        house=_house(table),
        sources=_sources(file, table) if "source" in names else None,
    )


def _table(content: bytes) -> Any:
    import pyarrow as arrow
    from pyarrow import feather, parquet

    source = arrow.BufferReader(content)
    if content.startswith(PARQUET):
        table = parquet.ParquetFile(source).read(use_threads=False)
    else:
        table = feather.read_table(source, use_threads=False)
    table.validate(full=True)
    return table


def _parquet(table: Any) -> bytes:
    import pyarrow as arrow
    from pyarrow import parquet

    sink = arrow.BufferOutputStream()
    parquet.write_table(table, sink, compression="NONE", use_dictionary=False)
    return bytes(sink.getvalue())


def _house(table: Any) -> Mapping[str, str]:
    text = (table.schema.metadata or {}).get(b"rrr")
    if text is None:
        return {}
    said = msgspec.json.decode(text, type=dict[str, Any])
    return {key: str(said.get(key, "")) for key in ("venue", "symbol", "timeframe")}


def _sources(file: Unpacked, table: Any) -> Integers | None:
    import pyarrow as arrow

    column = table.column("source")
    if not arrow.types.is_integer(column.type):
        return None
    sources = np.array(column.to_pylist(), np.int64)
    if not np.isin(sources, [int(source) for source in Source]).all():
        raise DataError(f"{file.path} has sources that nobody knows.", "Download it again.")
    return sources
