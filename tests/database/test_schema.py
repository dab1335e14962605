"""The tables say what the code says; every question is answered, the program's by an index."""

import ast
import inspect
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from rrr.api import views
from rrr.core.events import Close, Flow, Signal
from rrr.core.ledger import Place
from rrr.core.market import Candle
from rrr.core.orders import Amend, Cancel, Order, Report, Status
from rrr.core.state import Law
from rrr.database import balance, ledger, sessions
from rrr.database.journal import DIGEST, KINDS, NAMES, OUTSIDE, REPORT
from rrr.monitoring import summary
from tests.storm.homes import House, made
from tests.storm.lives import ask

LIMITS = Law._fields[7 : Law._fields.index("sizing")]  # between what policy wishes and how
BIG = {"journal", "equity", "fills", "orders", "transfers", "refusals", "settings"}
ROOMS = (views, summary, balance, sessions, ledger)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home with two sessions: one finished, one stopped in the middle."""
    folder = tmp_path_factory.mktemp("answers")
    house = House(folder / "home", made(folder / "market", seed=5, hours=300))
    assert house.run().code == 0
    return house


@pytest.fixture(scope="module")
def path(house: House) -> Path:
    return house.path


def test_kinds_and_places_are_those_of_the_code(path: Path) -> None:
    kinds = ask(path, "SELECT id, name, enters FROM kinds ORDER BY id")
    enters = {*OUTSIDE, REPORT}
    assert kinds == [(kind, NAMES[kind], int(kind in enters)) for kind in sorted(NAMES)]
    assert NAMES.keys() == {*KINDS.values(), DIGEST}
    places = ask(path, "SELECT id, name FROM places ORDER BY id")
    assert places == [(place.value, place.name.lower()) for place in Place]


def test_the_first_instruments_are_there_before_any_session(path: Path) -> None:
    found = ask(path, "SELECT venue, symbol, points, grains FROM instruments ORDER BY id LIMIT 3")
    assert found == [("coinbase", f"{base}-USD", 4, 8) for base in ("BTC", "ETH", "SOL")]


POSITIONS = [  # view, column, record, its field, path of the record in the row's core
    *(("candles", name, Candle, name, "$[2][0]") for name in Candle._fields),
    ("candles", "opened_at_ms", Close, "opened_at_ms", "$"),
    ("candles", "closed_at_ms", Close, "at_ms", "$"),
    ("signals", "instrument", Signal, "instrument", "$"),
    ("signals", "conviction_bps", Signal, "conviction_bps", "$"),
    *(("risk_limits", name, Law, name, "$[1]") for name in LIMITS),
]


@pytest.mark.parametrize(("view", "column", "record", "field", "place"), POSITIONS)
def test_a_view_names_what_the_core_names(
    path: Path, view: str, column: str, record: type[tuple[int, ...]], field: str, place: str
) -> None:
    at = record._fields.index(field)  # type: ignore[attr-defined]
    rows = ask(
        path,
        f"SELECT v.{column}, json_extract(j.core, '{place}[{at}]') FROM {view} v"
        " JOIN journal j USING (session, book, number) GROUP BY v.number",
    )
    assert rows
    assert all(shown == kept for shown, kept in rows)


def test_the_views_of_laws_show_every_limit(path: Path) -> None:
    shown = {row[1] for row in ask(path, "PRAGMA table_info(risk_limits)")}
    assert shown - {"session", "book", "number", "at_ms"} == set(LIMITS)


def test_the_states_of_orders_are_what_the_core_said(path: Path) -> None:
    shown = ask(path, "SELECT number, sequence, state, quantity FROM order_states ORDER BY number")
    expected = []
    for number, kind, core in ask(
        path, "SELECT number, kind, core FROM journal WHERE kind IN (6, 11, 12, 18) ORDER BY number"
    ):
        values = json.loads(core)
        if kind == KINDS[Order]:
            expected.append((number, Order(*values).sequence, "sending", 0))
        elif kind == KINDS[Cancel]:
            expected.append((number, Cancel(*values).sequence, "cancelling", 0))
        elif kind == KINDS[Amend]:
            amend = Amend(*values)
            expected.append((number, amend.sequence, "amending", amend.quantity))
        else:
            report = Report(*values)
            status = Status(report.status).name.lower()
            expected.append((number, report.sequence, status, report.quantity))
    assert shown == expected
    assert {state for _, _, state, _ in shown} > {"sending", "accepted", "filled", "cancelled"}


def test_the_tables_of_orders_and_fills_are_what_the_journal_says(path: Path) -> None:
    reports = [
        (number, Report(*json.loads(core)))
        for number, core in ask(path, "SELECT number, core FROM journal WHERE kind = 6")
    ]
    fills = [(number, report) for number, report in reports if report.status == Status.FILLED]
    columns = "sequence, at_ms, instrument, side, quantity, price, notional, fee, fee_grains"
    for number, report in fills:
        kept = tuple(getattr(report, name) for name in columns.split(", "))
        assert ask(path, f"SELECT {columns} FROM fills WHERE number = ?", number) == [kept]
    assert len(fills) == ask(path, "SELECT count(*) FROM fills")[0][0] > 50
    last = {report.sequence: Status(report.status).name.lower() for _, report in reports}
    last |= {s: "working" for s, name in last.items() if name in ("accepted", "amended")}
    assert dict(ask(path, "SELECT sequence, stage FROM orders")) == last


def test_refusals_are_counted_and_the_first_is_a_row(path: Path) -> None:
    rows = ask(path, "SELECT number, times, first_at_ms, last_at_ms FROM refusals")
    assert {number for number, *_ in rows} == {
        number for (number,) in ask(path, "SELECT number FROM journal WHERE kind = 13")
    }
    assert all(first <= last and (times > 1) == (last > first) for _, times, first, last in rows)
    assert max(times for _, times, *_ in rows) > 1


def test_people_read_decimals(path: Path) -> None:
    shown = ask(path, "SELECT quantity, price, notional, fee, symbol FROM recent_fills")
    kept = ask(
        path,
        "SELECT f.quantity, f.price, f.notional, f.fee, i.symbol, i.points, i.grains"
        " FROM fills f JOIN session_instruments s ON s.session = f.session"
        " AND s.number = f.instrument JOIN instruments i ON i.id = s.instrument"
        " ORDER BY f.session DESC, f.book, f.number DESC",
    )
    assert shown == [
        (quantity / 10**grains, price / 10**points, notional / 10**8, fee / 10**8, symbol)
        for quantity, price, notional, fee, symbol, points, grains in kept
    ]
    for quantity, mark, worth, symbol in ask(
        path, "SELECT quantity, mark, worth, symbol FROM active_positions"
    ):
        assert worth == pytest.approx(quantity * mark, rel=1e-3), symbol


def test_the_days_add_up_to_the_whole(path: Path) -> None:
    days = ask(path, "SELECT day_utc, equity, pnl FROM daily_performance ORDER BY day_utc")
    last = ask(path, "SELECT cash + worth, invested FROM equity ORDER BY at_ms DESC LIMIT 1")[0]
    assert len(days) == len({day for day, *_ in days}) > 10
    assert days[-1][1] == last[0] / 10**8
    assert sum(pnl for *_, pnl in days) == pytest.approx((last[0] - last[1]) / 10**8, abs=1e-6)


def test_no_row_points_nowhere(path: Path) -> None:
    assert ask(path, "PRAGMA foreign_key_check") == []
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_every_table_is_strict(path: Path) -> None:
    loose = "SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0"
    assert [name for (name,) in ask(path, loose) if not name.startswith("sqlite_")] == []


ANSWERS = {
    "every candle used": "SELECT * FROM candles",
    "event": "SELECT * FROM events",
    "decision": "SELECT * FROM decisions",
    "refusal": "SELECT * FROM refusals",
    "order": "SELECT * FROM orders",
    "its states": "SELECT * FROM order_states",
    "fill": "SELECT * FROM fills",
    "transfer": "SELECT * FROM transfers",
    "position": "SELECT * FROM positions",
    "equity over time": "SELECT * FROM equity",
    "halt": "SELECT session, book, at_ms, reason, note FROM halts",
    "risk limit in force": "SELECT * FROM risk_limits",
    "model and signal": "SELECT * FROM signals",
    "touch": "SELECT * FROM touches",
    "takeover": "SELECT * FROM adoptions",
    "run": "SELECT * FROM runs",
    "setting": "SELECT r.session, s.* FROM settings s JOIN runs r ON r.id = s.run",
    "system event": "SELECT r.session, e.* FROM system_events e JOIN runs r ON r.id = e.run",
    "missing or doubtful candle": "SELECT * FROM gaps",
    "daily digest": "SELECT * FROM digests",
}
MAY_BE_NONE = {"halt", "touch", "takeover", "missing or doubtful candle"}
OF_A_PROCESS = {"run", "setting", "system event", "missing or doubtful candle"}


@pytest.mark.parametrize("question", ANSWERS)
def test_it_is_answered_with_its_session_and_its_book(house: House, question: str) -> None:
    with house.reading() as connection:
        cursor = connection.execute(ANSWERS[question])
        names = {column[0] for column in cursor.description}
        found = cursor.fetchall()
    assert found or question in MAY_BE_NONE
    assert "session" in names
    assert "book" in names or question in OF_A_PROCESS


def test_trials_are_never_changed_nor_forgotten(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for (sql,) in ask(path, "SELECT sql FROM sqlite_schema WHERE tbl_name = 'trials'"):
            connection.execute(sql)
        connection.execute("INSERT INTO trials VALUES (1, 0, NULL, 'trend', '{}', NULL)")
        connection.execute("UPDATE trials SET outcome = '{}'")
        for change in ("UPDATE trials SET recipe = '[]'", "DELETE FROM trials"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(change)


def queries(module: ModuleType) -> Iterator[str]:
    """Every SQL text of a module, wherever it stands."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if re.match(r"(SELECT|UPDATE|DELETE)\s", text) and "{}" not in text.removeprefix("{}"):
            yield text


ALL = sorted({(module.__name__, sql) for module in ROOMS for sql in queries(module)})


def scans(connection: sqlite3.Connection, sql: str) -> list[str]:
    """The big tables that a statement reads from end to end."""
    numbered = [int(number) for number in re.findall(r"\?(\d+)", sql)]
    parameters = (0,) * max(numbered, default=sql.count("?"))
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    names = dict(re.findall(r"\b(?:FROM|JOIN)\s+(\w+)\s+(?!WHERE|ORDER|JOIN|ON|SET)(\w)\b", sql))
    aliases = {alias: table for table, alias in names.items()}
    found = [re.match(r"SCAN (\w+)", step) for step in plan]
    return [t for m in found if m and (t := aliases.get(m[1], m[1])) in BIG]


@pytest.mark.parametrize(("module", "sql"), ALL)
def test_no_query_of_the_program_reads_a_big_table_from_end_to_end(
    house: House, module: str, sql: str
) -> None:
    with house.reading() as connection:
        assert scans(connection, sql) == [], module


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM journal WHERE kind = 4",
        "SELECT count(*) FROM fills f WHERE f.price = ?",
        "UPDATE equity SET peak = 0",
    ],
)
def test_mutant_a_query_without_an_index_is_seen(house: House, sql: str) -> None:
    with house.reading() as connection:
        assert scans(connection, sql)


def test_the_program_asks_more_than_a_few_things() -> None:
    assert len(ALL) > 20
    assert {module for module, _ in ALL} == {module.__name__ for module in ROOMS}


def test_a_flow_is_what_a_session_begins_with(path: Path) -> None:
    (core,) = ask(path, "SELECT core FROM journal WHERE kind = 3")[0]
    assert Flow(*json.loads(core)).amount == 10_000 * 10**8
