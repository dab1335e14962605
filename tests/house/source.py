"""The house reads its own source: every module, parsed once, its names told in full.

A rule is a function that yields a `line: sentence` for each place that breaks it. `mutant` makes a
module out of a few lines, to see a rule refuse them.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "rrr"


@dataclass(frozen=True, slots=True)
class Module:
    name: str  # rrr.core.market
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        """What a relative import starts from."""
        return self.name if self.path.stem == "__init__" else self.name.rpartition(".")[0]

    def within(self, *rooms: str) -> bool:
        return any(f"{self.name}.".startswith(f"rrr.{room}.") for room in rooms)


@cache
def modules() -> tuple[Module, ...]:
    return tuple(_parse(path) for path in sorted(PACKAGE.rglob("*.py")))


def core() -> list[Module]:
    return [module for module in modules() if module.within("core")]


def mutant(text: str, name: str = "rrr.core.mutant") -> Module:
    return Module(name, Path(f"{name}.py"), ast.parse(text))


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Each thing imported, with its line; `from . import ledger` in the core is rrr.core.ledger."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, name.name) for name in names)
            case ast.ImportFrom(names=names):
                origin = _origin(module, node)
                yield from ((node.lineno, f"{origin}.{name.name}") for name in names)


def references(module: Module) -> Iterator[tuple[int, str]]:
    """Each name read, with its origin: after `import time as t`, `t.time` is time.time."""
    known = dict(_aliases(module))
    for node in ast.walk(module.tree):
        match node:
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()) if name := dotted(node):
                first, _, rest = name.partition(".")
                origin = known.get(first, first)
                yield node.lineno, f"{origin}.{rest}" if rest else origin


def dotted(node: ast.expr) -> str:
    """`a.b.c` of such a chain, nothing of anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute) if before := dotted(value):
            return f"{before}.{attribute}"
    return ""


def _parse(path: Path) -> Module:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    name = ".".join(part for part in parts if part != "__init__")
    return Module(name, path, ast.parse(path.read_text(encoding="utf-8")))


def _origin(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    base = module.package.split(".")[: len(module.package.split(".")) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _aliases(module: Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                for name in names:
                    top = name.name.partition(".")[0]
                    yield (name.asname, name.name) if name.asname else (top, top)
            case ast.ImportFrom(names=names):
                origin = _origin(module, node)
                yield from ((name.asname or name.name, f"{origin}.{name.name}") for name in names)
