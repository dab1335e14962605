"""Equal digests, equal histories, wherever the numbers came from."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.parquet
import pytest

from rrr.backtesting.history import History
from rrr.backtesting.history_columns import Columns
from rrr.backtesting.history_digest import digest_of
from rrr.neural_network.panel import NUMBERS, Panel
from tests.backtesting.histories import GAPPY, HOUR, asked, detailed, made, minutes, tree

Parts = dict[str, Any]
Change = Callable[[Parts], Parts]


def parts(history: History) -> Parts:
    h = history
    return {
        "columns": Columns(h.panel, h.source, h.bid, h.ask, h.begins, "any title"),
        "specs": [one.spec for one in h.quoted],
        "detail": h.detail,
        "synthetic": h.synthetic,
    }


def with_panel(panel: Panel, **changes: Any) -> Panel:
    return replace(panel, **changes)


def another(column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One number of it."""
    changed = column.copy()
    changed.flat[-1] = not changed.flat[-1] if changed.dtype == np.bool_ else changed.flat[-1] + 1
    return changed


def in_columns(name: str) -> Change:
    return lambda given: {
        "columns": replace(given["columns"], **{name: another(getattr(given["columns"], name))})
    }


def in_panel(name: str) -> Change:
    def change(given: Parts) -> Parts:
        panel = given["columns"].panel
        moved = with_panel(panel, **{name: another(getattr(panel, name))})
        return {"columns": replace(given["columns"], panel=moved)}

    return change


def in_detail(name: str) -> Change:
    return lambda given: {
        "detail": with_panel(given["detail"], **{name: another(getattr(given["detail"], name))})
    }


def in_spec(name: str) -> Change:
    value: object = "X-Y" if name == "symbol" else 77
    return lambda given: {"specs": [replace(given["specs"][0], **{name: value})]}


def later(given: Parts) -> Parts:
    panel = given["columns"].panel
    moved = with_panel(panel, opened_at_ms=panel.opened_at_ms + HOUR)
    return {"columns": replace(given["columns"], panel=moved)}


UNITS = ("points", "grains", "tick", "lot", "quantity_min", "notional_min", "symbol")
CHANGES: dict[str, Change] = {
    **{f"panel {name}": in_panel(name) for name in (*NUMBERS, "there")},
    **{f"detail {name}": in_detail(name) for name in (*NUMBERS, "there")},
    **{name: in_columns(name) for name in ("source", "bid", "ask")},
    **{name: in_spec(name) for name in UNITS},
    "later": later,
    "begins": lambda given: {"columns": replace(given["columns"], begins=1)},
    "no detail": lambda given: {"detail": None},
    "synthetic": lambda given: {"synthetic": True},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_number_is_in_the_digest(tmp_path: Path, change: Change) -> None:
    given = parts(detailed(tmp_path, minutes(range(180))))
    columns = given["columns"]
    given["columns"] = replace(columns, bid=columns.bid + 1, ask=columns.ask + 2)
    assert digest_of(**given | change(given)) != digest_of(**given)


def test_the_digest_is_of_the_numbers_and_not_of_the_file(tmp_path: Path) -> None:
    history = made(asked(tree(tmp_path / "csv", **GAPPY)))
    for symbol in ("BTC-USD", "ETH-USD"):
        rows = (tmp_path / "csv/made" / symbol / "1h.csv").read_text(encoding="utf-8").split()
        names, cells = rows[0].split(","), zip(*(row.split(",") for row in rows[1:]), strict=True)
        kinds = (int, *(float,) * 5)
        columns = {n: list(map(kind, c)) for n, kind, c in zip(names, kinds, cells, strict=True)}
        place = tmp_path / "parquet/made" / symbol
        place.mkdir(parents=True)
        pyarrow.parquet.write_table(arrow.table(columns), place / "1h.parquet")
    again = made(asked(tmp_path / "parquet"))
    assert again.digest == history.digest == digest_of(**parts(history))
    assert again.about["source"] != history.about["source"]


def test_the_digest_is_the_same_however_the_numbers_lie_in_memory(tmp_path: Path) -> None:
    history = made(asked(tree(tmp_path, **GAPPY)))
    panel, columns = history.panel, parts(history)["columns"]
    strange = {name: np.asfortranarray(getattr(panel, name).astype(">i8")) for name in NUMBERS}
    moved = replace(columns, panel=with_panel(panel, **strange), source=columns.source.copy())
    assert digest_of(**parts(history) | {"columns": moved}) == history.digest
