"""A plain CSV is read by Arrow at once; whatever is not plain is left to the reader that explains.

Plain is: ASCII without quotes, one line a row, stamps that are all integers or all ISO dates. What
Arrow takes and `recorded_csv` would not (a stamp in hexadecimal) is turned away here, so that both
read the same numbers or the slow one names the cell.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rrr.data_pipeline.recorded_rows import VALUES, Floats, Integers

BEGINS_AT = 1 << 18  # bytes: below it, Python is done before Arrow is imported

_UNPLAIN = (b'"', b"0x", b"0X")


class Quick(NamedTuple):
    places: Integers  # lines
    stamps: Integers
    dated: bool  # stamps are milliseconds, from dates
    values: dict[str, Floats]


def read_quickly(
    content: bytes, separator: str, skipped: int, indices: Mapping[str, int], width: int
) -> Quick | None:
    """The picked columns behind the header, or None where this needs an explanation."""
    if len(content) < BEGINS_AT or not content.isascii() or any(b in content for b in _UNPLAIN):
        return None
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if content.count(b"\r") not in (0, content.count(b"\r\n")):
        return None

    import pyarrow as arrow

    for kind in (arrow.int64(), arrow.timestamp("ms"), arrow.timestamp("ms", "UTC")):
        table = _table(content, separator, skipped, indices, width, kind)
        if table is not None and 0 < table.num_rows == lines - skipped:
            columns = {key: table.column(str(i)).combine_chunks() for key, i in indices.items()}
            stamps = columns["time"].view(arrow.int64())
            return Quick(
                places=np.arange(skipped + 1, lines + 1),
                stamps=np.array(np.from_dlpack(stamps)),
                dated=kind != arrow.int64(),
                values={key: np.asarray(np.from_dlpack(columns[key])) for key in VALUES},
            )
    return None


def _table(
    content: bytes,
    separator: str,
    skipped: int,
    indices: Mapping[str, int],
    width: int,
    time_kind: Any,
) -> Any:
    import pyarrow as arrow
    from pyarrow import csv

    names = [str(index) for index in range(width)]
    kinds = {str(index): arrow.float64() for index in indices.values()}
    kinds[str(indices["time"])] = time_kind
    try:
        return csv.read_csv(
            arrow.BufferReader(content),
            csv.ReadOptions(skip_rows=skipped, column_names=names),
            csv.ParseOptions(delimiter=separator, quote_char=False),
            csv.ConvertOptions(
                column_types=kinds,
                include_columns=list(kinds),
                null_values=[],
                strings_can_be_null=False,
                timestamp_parsers=[csv.ISO8601],
            ),
        )
    except arrow.ArrowException:
        return None
