"""What STYLE and DESIGN ask of every file is asked here, of every file."""

import ast
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house.source import ROOT, Module, dotted, imports, modules, mutant, references

Rule = Callable[[Module], Iterator[str]]

LINES_MAX = 400
BYTES_MAX = 1_000_000

# Only these rooms stand where the world is; all others are told the time.
ROOMS_WITH_A_CLOCK = (
    *("main", "wiring", "cli", "api", "monitoring", "data_pipeline", "database"),
    *("trading.engine", "trading.risk"),
)
CLOCKS = {
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    "datetime.date.today",
}

ROOMS_THAT_KNOW_THE_MODE = ("main", "cli", "config")
MODES = {"paper", "live"}

# What reads bytes past SQLite: closing such a descriptor drops SQLite's locks and can lose rows.
RAW = {"open", "os.open", "io.open", "shutil.copy", "shutil.copy2", "shutil.copyfile"}
RAW_METHODS = {"open", "read_bytes", "read_text", "write_bytes", "write_text"}
DATABASE = re.compile(r"\bdb\b|database|sqlite|_db\b|\bwal\b|-wal", re.IGNORECASE)

BANNED_WORDS = {"broker", "bar", "bars", "kline", "klines", "qty", "pct"}

ENTRIES = ("rrr.__main__", "rrr.cli")


def law(module: Module) -> Iterator[str]:
    """A file begins with its law, a sentence."""
    first = (ast.get_docstring(module.tree) or "").partition("\n")[0]
    if not first.endswith("."):
        yield f"1: the docstring's first line is no sentence: {first!r}"


def size(module: Module) -> Iterator[str]:
    """A file reads in one sitting."""
    lines = len(module.path.read_text(encoding="utf-8").splitlines())
    if lines > LINES_MAX:
        yield f"{lines}: longer than {LINES_MAX} lines"


def handlers(module: Module) -> Iterator[str]:
    """Only `main` may catch what it does not know."""
    if module.within("main"):
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.ExceptHandler(type=None):
                yield f"{node.lineno}: a bare except"
            case ast.ExceptHandler(type=ast.expr() as caught):
                yield from (f"{node.lineno}: catches {name}" for name in _broad(caught))
            case ast.Call(func=function, args=caught) if dotted(function).endswith("suppress"):
                yield from (f"{node.lineno}: hides {n}" for each in caught for n in _broad(each))


def clocks(module: Module) -> Iterator[str]:
    """Time arrives with the event; only the edges own a clock."""
    if not module.within(*ROOMS_WITH_A_CLOCK):
        yield from (f"{line}: reads {name}" for line, name in references(module) if name in CLOCKS)


def raw_files(module: Module) -> Iterator[str]:
    """A database is opened by SQLite and by nothing else."""
    names = {name.rpartition(".")[2] for _, name in references(module) if name in RAW}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            opens = name in RAW or name in names
            method = isinstance(node.func, ast.Attribute) and node.func.attr in RAW_METHODS
            called = ast.unparse(node)
            if (opens or method) and DATABASE.search(called):
                yield f"{node.lineno}: opens a database raw: {called}"


def modes(module: Module) -> Iterator[str]:
    """A mode only chooses who brings the events and who carries out the orders: in `main`, once."""
    decisions = [f"{line}: decides by the mode" for line in _mode_decisions(module)]
    if module.within("main"):
        yield from decisions[1:]
    elif not module.within(*ROOMS_THAT_KNOW_THE_MODE):
        yield from decisions


def words(module: Module) -> Iterator[str]:
    """One word, one thing: some mean several, and name nothing here."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                named = name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                named = name
            case ast.ClassDef(name=name):
                named = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
            case _:
                continue
        for word in BANNED_WORDS.intersection(named.lower().split("_")):
            yield f"{node.lineno}: says {word}: {name}"


RULES: tuple[Rule, ...] = (law, size, handlers, clocks, raw_files, modes, words)

# (rule, room, text): the least of each wrong that its rule must see.
WRONGS: list[tuple[Rule, str, str]] = [
    (law, "core.mutant", "x = 1"),
    (law, "core.mutant", '"""Fills"""'),
    (law, "core.mutant", '"""Money is never made\n\nonly moved."""'),
    (handlers, "database.client", "try: pass\nexcept: pass"),
    (handlers, "database.client", "try: pass\nexcept Exception: pass"),
    (handlers, "database.client", "try: pass\nexcept (OSError, BaseException) as e: raise e"),
    (handlers, "database.client", "import contextlib\nwith contextlib.suppress(Exception): pass"),
    (clocks, "core.kernel", "import time\nnow = time.time()"),
    (clocks, "backtesting.runner", "import time as t\nnow = t.time_ns()"),
    (clocks, "backtesting.runner", "from time import time\nnow = time()"),
    (clocks, "neural_network.train", "from datetime import UTC, datetime\nnow = datetime.now(UTC)"),
    (clocks, "home", "import datetime as d\ndef at(clock=d.datetime.now): ..."),
    (raw_files, "database.backup", "data = open('data/paper.db', 'rb').read()"),
    (raw_files, "main", "data = database_path('paper').read_bytes()"),
    (raw_files, "main", "from shutil import copyfile\ncopyfile(live_db, backup)"),
    (raw_files, "main", "from pathlib import Path\nPath('paper.db-wal').open()"),
    (modes, "trading.engine.engine", "if mode == 'live': pass"),
    (modes, "trading.engine.engine", "if settings.mode != Mode.LIVE: pass"),
    (modes, "database.client", "path = 'x' if mode in ('paper',) else 'y'"),
    (modes, "monitoring.logging", "match settings.mode:\n    case 'paper': pass"),
    (modes, "core.kernel", "match mode:\n    case Mode.PAPER: pass"),
    (modes, "main", "if mode == 'live': pass\nif mode == 'paper': pass"),
    (words, "core.orders", "order_qty = 1"),
    (words, "core.orders", "def worst(bar: Candle) -> int: ..."),
    (words, "trading.engine.venue", "class PaperBroker: ..."),
]

RIGHTS: list[tuple[Rule, str, str]] = [
    (law, "core.mutant", '"""Money is never made, only moved.\n\nMore"""'),
    (handlers, "main", "try: pass\nexcept Exception: pass"),
    (handlers, "database.client", "try: pass\nexcept (OSError, ValueError): pass"),
    (clocks, "data_pipeline.feed", "import time\nnow = time.time()"),
    (clocks, "backtesting.runner", "import time\nbegun = time.perf_counter()"),
    (raw_files, "home", "from pathlib import Path\nPath('trading_config.yml').read_text()"),
    (raw_files, "database.client", "connection = sqlite3.connect('data/paper.db')"),
    (modes, "main", "if mode == 'live': pass"),
    (modes, "database.client", "if found_mode != mode: raise Refused"),
    (words, "trading.engine.venue", "barrier = foreign.bar"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    broken = [f"{m.path.relative_to(ROOT)}:{said}" for m in modules() for said in rule(m)]
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


@pytest.mark.parametrize(("rule", "room", "text"), WRONGS)
def test_a_rule_sees_what_breaks_it(rule: Rule, room: str, text: str) -> None:
    assert list(rule(mutant(text, f"rrr.{room}")))


@pytest.mark.parametrize(("rule", "room", "text"), RIGHTS)
def test_a_rule_lets_the_right_one_through(rule: Rule, room: str, text: str) -> None:
    assert list(rule(mutant(text, f"rrr.{room}"))) == []


def test_no_file_is_dead() -> None:
    """Every module is reached from an entry, through whatever imports it."""
    known = {module.name: module for module in modules()}
    alive: set[str] = set()
    waiting = list(ENTRIES)
    while waiting:
        name = waiting.pop()
        if name in known and name not in alive:
            alive.add(name)
            waiting += [name.rpartition(".")[0], *_modules_imported(known[name])]
    rooms = {name for name, module in known.items() if _only_a_docstring(module)}
    assert known.keys() - alive - rooms == set()


def test_no_file_names_a_place_on_one_machine() -> None:
    place = re.compile(r"(?<![\w.)}])/(work|farm|root|tmp/v)/")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in _files()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1)
        if place.search(line)
    ]
    assert found == []


def test_no_file_is_heavy() -> None:
    assert [path for path in _files() if path.stat().st_size > BYTES_MAX] == []


def test_every_command_can_be_run_and_says_by_what() -> None:
    """What has an ending is a part of a command; what has none is one."""
    for command in [ROOT / ".ci" / "run", *(ROOT / "scripts").iterdir()]:
        if command.is_file() and not command.suffix:
            assert command.read_bytes().startswith(b"#!/"), command
            assert os.access(command, os.X_OK), command


def _broad(caught: ast.expr) -> Iterator[str]:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    for name in map(dotted, names):
        if name.removeprefix("builtins.") in {"Exception", "BaseException"}:
            yield name


def _mode_decisions(module: Module) -> Iterator[int]:
    """Where something is compared with one certain mode; two modes may be compared anywhere."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Compare() if any(map(_is_a_mode, [node.left, *node.comparators])):
                yield node.lineno
            case ast.Match() if any(
                isinstance(part, ast.MatchValue) and _is_a_mode(part.value)
                for case in node.cases
                for part in ast.walk(case.pattern)
            ):
                yield node.lineno


def _is_a_mode(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return value in MODES
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return any(map(_is_a_mode, parts))
    return "Mode" in dotted(node).split(".")


def _modules_imported(module: Module) -> Iterator[str]:
    """`a.b.c` may be a module, or a thing of `a.b`: both are said, and what is none is ignored."""
    for _, name in imports(module):
        yield name
        yield name.rpartition(".")[0]


def _only_a_docstring(module: Module) -> bool:
    body = module.tree.body
    return len(body) == 1 and ast.get_docstring(module.tree) is not None


@cache
def _files() -> tuple[Path, ...]:
    """What is in the repository, or would be with the next commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("This is no git checkout: it cannot be told which files belong to it.")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(path for name in listed.stdout.split("\0") if (path := ROOT / name).is_file())
