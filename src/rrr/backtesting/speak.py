"""numba learns four words of the core.

An enum's member is its integer, `_replace` makes a changed copy, `read` and `write` are loads and
stores.

In part these are numba's internals: its version is pinned, and the test that holds compiled and
interpreted rows together guards them.
"""

import inspect
from collections.abc import Collection, Iterator
from typing import Any

from numba.core import cgutils, types
from numba.core.codegen import CPUCodeLibrary
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, signature
from numba.extending import infer_getattr, lower_builtin, overload

from . import flat
from .boxes import Box, box_at, box_off, box_to


def optimise_all_but(names: Collection[str]) -> None:
    """Leave functions of these names to be optimised where they are called: a fifth of the time."""
    usual = CPUCodeLibrary._optimize_final_module

    def optimise(library: Any) -> None:
        if library.name not in names:
            usual(library)

    CPUCodeLibrary._optimize_final_module = optimise


@infer_getattr
class MemberIsInteger(AttributeTemplate):
    key = types.IntEnumClass

    def generic_resolve(self, enum: Any, name: str) -> Any:
        return types.int64 if name in enum.instance_class.__members__ else None


@infer_getattr
class HasReplace(AttributeTemplate):
    key = types.BaseNamedTuple

    def resolve__replace(self, record: Any) -> Any:
        return types.BoundFunction(Replace, record)


class Replace(AbstractTemplate):
    key = "namedtuple._replace"

    def generic(self, args: Any, kws: Any) -> Any:
        fields, kept = self.this.fields, types.Omitted(None)
        if args or not set(kws) <= set(fields):
            return None
        takes = [self.this.types[i] if f in kws else kept for i, f in enumerate(fields)]
        optional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        shape = inspect.Signature([inspect.Parameter(f, optional, default=None) for f in fields])
        return signature(self.this, *takes, recvr=self.this).replace(pysig=shape)


@lower_builtin("namedtuple._replace", types.BaseNamedTuple, types.VarArg(types.Any))
def _replace(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    old = cgutils.unpack_tuple(builder, args[0])
    pairs = zip(old, sig.args[1:], args[1:], strict=True)
    new = [was if isinstance(kind, types.Omitted) else now for was, kind, now in pairs]
    return context.make_tuple(builder, sig.args[0], new)


@overload(flat.read, strict=False, jit_options={"forceinline": True})
def _read(like: Any, table: Any, row: Any, first: Any) -> Any:
    classes: dict[str, Any] = {}
    places = iter(range(10_000))
    source = f"def read(like, table, row, first):\n    return {_built(like, places, classes)}\n"
    return _made(source, "read", classes)


@overload(flat.write, strict=False, jit_options={"forceinline": True})
def _write(record: Any, table: Any, row: Any, first: Any) -> Any:
    boxes, words, place = [], [], 0
    for name, size in _leaves(record, "record"):
        at = f"table, row, first + {place}"
        if size > 1:
            boxes.append((f"box_{place}", name, at))
        else:
            words.append(f"table[row, first + {place}] = {name}")
        place += size
    # What lies in this very row may belong to another place of it now.
    lines = [f"{box} = box_off({name}, {at})" for box, name, at in boxes]
    lines += words + [f"box_to({box}, {at})" for box, _, at in boxes]
    source = "def write(record, table, row, first):\n    " + "\n    ".join(lines) + "\n"
    return _made(source, "write", {"box_off": box_off, "box_to": box_to})


def _built(like: Any, places: Iterator[int], classes: dict[str, Any]) -> str:
    """The expression that makes a value of this type from the next places of the row."""
    if isinstance(like, Box):
        first = next(places)
        for _ in range(like.width - 1):
            next(places)
        name = f"NO_{type(like.empty).__name__}"
        classes[name], classes["box_at"] = like.empty, box_at
        return f"box_at({name}, table, row, first + {first})"
    if not isinstance(like, types.BaseTuple):
        return f"table[row, first + {next(places)}]"
    parts = ", ".join(_built(one, places, classes) for one in like.types)
    if not isinstance(like, types.BaseNamedTuple):
        return f"({parts},)"
    name = like.instance_class.__name__
    classes[name] = like.instance_class
    return f"{name}({parts})"


def _leaves(record: Any, path: str) -> Iterator[tuple[str, int]]:
    """Each value of a record, and how many words it is."""
    if isinstance(record, Box):
        yield path, record.width
    elif not isinstance(record, types.BaseTuple):
        yield path, 1
    elif isinstance(record, types.BaseNamedTuple):
        for field, kind in zip(record.fields, record.types, strict=True):
            yield from _leaves(kind, f"{path}.{field}")
    else:
        for place, kind in enumerate(record.types):
            yield from _leaves(kind, f"{path}[{place}]")


def _made(source: str, name: str, names: dict[str, Any]) -> Any:
    """numba reads functions only: this one is written from the record's own shape."""
    exec(compile(source, f"<{name}>", "exec"), names)  # noqa: S102
    return names[name]
