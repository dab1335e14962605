"""Histories in and out of the store, beside pandas and pyarrow on the very same files.

load    a year of 1m candles of so many instruments, every column touched; one after the other
import  a CSV of such a year, and freqtrade's feather: understood, checked, made a series
append  a day to a year that is held; beside it the month alone, read and written by pyarrow

What pandas and pyarrow do is a part of what we do: they check nothing, join no partitions, and
nobody's disk is asked to keep what they write. The page cache is warm; contenders take turns.
"""

import argparse
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from bench_candles import BEGIN_MS, MINUTE_MS, made
from bench_figures import Figures, medians, megabytes, report
from bench_house import seconds

from rrr.core.market import Source
from rrr.data_pipeline.importing import Said, imported, understood
from rrr.data_pipeline.store import Decimals, Series, Store
from rrr.data_pipeline.store_series import COLUMNS

YEAR: Final = 525_600
DAY: Final = 1_440

VENUE: Final = "kraken"
SAID: Final = Said(venue=VENUE, symbol="BTC-USD")


def main() -> None:
    words = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=words)
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--instruments", type=int, default=50, help="default: 50")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_store_") as name:
        folder = Path(name)
        year = series()
        store, symbols = filled(folder / "store", year, asked.instruments)
        csv, feather = strangers(folder / "strangers", year)
        rounds = [
            loads(store, symbols) | imports(csv, feather) | appends(folder / "copy", year)
            for _ in range(asked.rounds)
        ]
    figures = medians(rounds) | ratios(rounds, "load", "import_csv", "import_feather", "append_day")
    figures["peak_mb"] = peak_mb()
    report(figures, (), asked.json)


def series() -> Series:
    """A year of minutes, as a venue of two and eight decimals would give them."""
    panel = made(YEAR).panel
    prices = {name: getattr(panel, name)[0] / 100 for name in ("open", "high", "low", "close")}
    volume = np.random.default_rng(1).integers(0, 10**9, YEAR) / 10**8
    source = np.full(YEAR, Source.REST, np.int8)
    ts = BEGIN_MS + MINUTE_MS * np.arange(YEAR)
    return Series(
        VENUE, "BTC-USD", MINUTE_MS, ts, **prices, volume=volume, source=source,
        decimals=Decimals(2, 8), origin=("bench",),
    )  # fmt: skip


def filled(root: Path, year: Series, instruments: int) -> tuple[Store, Sequence[str]]:
    """The same candles under as many names: a file is a file."""
    store, symbols = Store(root), [f"C{number:02}-USD" for number in range(instruments)]
    for symbol in symbols:
        store.append(replace(year, symbol=symbol))
    return store, symbols


def strangers(folder: Path, year: Series) -> tuple[Path, Path]:
    """As others write them: a CSV of milliseconds, and freqtrade's feather."""
    import pyarrow as pa
    from pyarrow import csv, feather

    folder.mkdir()
    columns = {name: getattr(year, name) for name in ("open", "high", "low", "close", "volume")}
    paths = folder / "BTCUSD-1m.csv", folder / "BTC_USD-1m.feather"
    plain = csv.WriteOptions(quoting_style="none", quoting_header="none")
    csv.write_csv(pa.table({"timestamp": year.ts, **columns}), paths[0], plain)
    date = pa.array(year.ts).cast(pa.timestamp("ms", "UTC"))
    feather.write_feather(pa.table({"date": date, **columns}), paths[1], compression="lz4")
    return paths


def loads(store: Store, symbols: Sequence[str]) -> Figures:
    """Every column of every instrument is read; none is kept."""
    import pyarrow.parquet as pq

    def ours(symbol: str) -> float:
        one = store.read(VENUE, symbol, "1m")
        return touched(getattr(one, name) for name in COLUMNS)

    def by_pyarrow(symbol: str) -> float:
        table = pq.read_table(files(store, symbol))
        return touched(table[name].to_numpy() for name in COLUMNS)

    def by_pandas(symbol: str) -> float:
        import pandas as pd  # type: ignore[import-untyped, unused-ignore]

        frame = pd.read_parquet(files(store, symbol))
        return touched(frame[name].to_numpy() for name in COLUMNS)

    return in_turn(
        "load",
        ours=lambda: [ours(symbol) for symbol in symbols],
        pyarrow=lambda: [by_pyarrow(symbol) for symbol in symbols],
        pandas=lambda: [by_pandas(symbol) for symbol in symbols],
    )


def imports(csv: Path, feather: Path) -> Figures:
    def ours(path: Path) -> object:
        return imported(path, understood(path, SAID))

    def by_pyarrow(path: Path) -> object:
        from pyarrow import csv as reader
        from pyarrow import feather as other

        return reader.read_csv(path) if path.suffix == ".csv" else other.read_table(path)

    def by_pandas(path: Path) -> object:
        import pandas as pd

        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_feather(path)

    figures: Figures = {}
    for name, path in (("import_csv", csv), ("import_feather", feather)):
        contenders = {"ours": ours, "pyarrow": by_pyarrow, "pandas": by_pandas}
        figures |= in_turn(name, **{who: bound(work, path) for who, work in contenders.items()})
    return figures


def bound(work: Callable[[Path], object], path: Path) -> Callable[[], object]:
    return lambda: work(path)


def appends(root: Path, year: Series) -> Figures:
    """The last day, to a store that lacks it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shutil.rmtree(root, ignore_errors=True)
    store = Store(root)
    store.append(year.taken(slice(0, YEAR - DAY)))
    day = year.taken(slice(YEAR - DAY, YEAR))
    month, plain = files(store, year.symbol)[-1], root / "plain.parquet"
    shutil.copy(month, plain)
    rows = pa.table({name: getattr(day, name) for name in COLUMNS})

    def by_pyarrow() -> None:
        held = pq.read_table(plain)
        joined = pa.concat_tables([held.replace_schema_metadata(), rows.cast(held.schema)])
        pq.write_table(joined, plain)

    def ours() -> None:
        assert store.append(day).new == DAY

    return in_turn("append_day", ours=ours, pyarrow=by_pyarrow)


def in_turn(name: str, **contenders: Callable[[], object]) -> Figures:
    there = importlib.util.find_spec("pandas") is not None
    return {
        f"{name}_ms_{who}": seconds(work) * 1e3
        for who, work in contenders.items()
        if who != "pandas" or there
    }


def ratios(rounds: Sequence[Figures], *names: str) -> Figures:
    """Above 1 we are faster; each of one round."""
    found = [
        {
            f"ratio_{name}_to_{who}": one[theirs] / one[f"{name}_ms_ours"]
            for name in names
            for who in ("pyarrow", "pandas")
            if (theirs := f"{name}_ms_{who}") in one
        }
        for one in rounds
    ]
    return medians(found)


def files(store: Store, symbol: str) -> list[Path]:
    return sorted((store.root / VENUE / symbol / "1m").glob("*.parquet"))


def touched(columns: Any) -> float:
    return float(sum(column.sum() for column in columns))


def peak_mb() -> float:
    import resource

    return megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main()
