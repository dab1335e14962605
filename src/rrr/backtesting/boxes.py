"""An order inside compiled code is the place where it lies, not twenty values that travel.

To numba a NamedTuple is its fields: each record that two paths may leave behind doubles the values
to be merged, and orders change at one close of a hundred. So records of these classes are addresses
of whole numbers: a field is one load, and `_replace` writes a changed copy into the next of
`PLACES` places, which are used in turn. What must last is written into a row before they come
round again: an arm of the core makes a dozen.
"""

import inspect
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.imputils import lower_constant
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, signature
from numba.extending import (
    infer_getattr,
    intrinsic,
    lower_builtin,
    lower_getattr_generic,
    register_model,
    typeof_impl,
)

from rrr.core.market import NO_INSTRUMENT
from rrr.core.orders import NO_ENDED, NO_ORDER, NO_REPORT
from rrr.core.shelf import NO_ASSUMPTIONS
from rrr.core.state import NO_LAW, NO_MEMORY

from .flat import numbers
from .tables import pointer

PLACES: Final = 256
WORDS_MAX: Final = 64  # of one record
WORD: Final = ir.IntType(64)


BOXED: Final = {
    type(empty): empty
    for empty in (
        NO_ORDER,
        NO_ENDED,
        NO_REPORT,
        NO_LAW,
        NO_ASSUMPTIONS,
        NO_INSTRUMENT,
        NO_MEMORY,
    )
}


class Box(types.Type):
    """A record that is an address. A field is one whole number, or some."""

    def __init__(self, empty: tuple[Any, ...]) -> None:
        self.empty = empty
        self.fields: tuple[str, ...] = empty._fields
        sizes = [len(part) if isinstance(part, tuple) else 1 for part in empty]
        self.types = [types.int64 if n == 1 else types.UniTuple(types.int64, n) for n in sizes]
        self.places = [sum(sizes[:i]) for i in range(len(sizes))]
        self.width = sum(sizes)
        assert self.width <= WORDS_MAX
        super().__init__(f"Box({type(empty).__name__})")

    def field(self, name: str) -> tuple[Any, int]:
        """The type of a field, and its first word."""
        i = self.fields.index(name)
        return self.types[i], self.places[i]


@register_model(Box)
class BoxModel(models.PrimitiveModel):
    def __init__(self, manager: Any, box: Any) -> None:
        super().__init__(manager, box, WORD)


def _typed(value: Any, _: Any) -> Box:
    return Box(BOXED[type(value)])


for boxed in BOXED:
    typeof_impl.register(boxed)(_typed)


@lower_constant(Box)
def _constant(context: Any, builder: Any, box: Box, value: Any) -> Any:
    words = ir.Constant(ir.ArrayType(WORD, box.width), list(numbers(value)))
    place = cgutils.global_constant(builder, f".{box.name}", words)
    return builder.ptrtoint(place, WORD)


@infer_getattr
class Fields(AttributeTemplate):
    key = Box

    def generic_resolve(self, box: Box, name: str) -> Any:
        return box.field(name)[0] if name in box.fields else None

    def resolve__replace(self, box: Box) -> Any:
        return types.BoundFunction(Replace, box)


class Replace(AbstractTemplate):
    key = "box._replace"

    def generic(self, args: Any, kws: Any) -> Any:
        fields, kept = self.this.fields, types.Omitted(None)
        if args or not set(kws) <= set(fields):
            return None
        takes = [self.this.field(name)[0] if name in kws else kept for name in fields]
        optional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        shape = inspect.Signature([inspect.Parameter(f, optional, default=None) for f in fields])
        return signature(self.this, *takes, recvr=self.this).replace(pysig=shape)


@lower_getattr_generic(Box)
def _field(context: Any, builder: Any, box: Box, address: Any, name: str) -> Any:
    kind, place = box.field(name)
    if kind is types.int64:
        return builder.load(_word(builder, address, place))
    loads = [builder.load(_word(builder, address, place + i)) for i in range(kind.count)]
    return context.make_tuple(builder, kind, loads)


@lower_builtin("box._replace", Box, types.VarArg(types.Any))
def _replaced(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    box, old, new = sig.return_type, args[0], _next_place(builder)
    for name, kind, value in zip(box.fields, sig.args[1:], args[1:], strict=True):
        shape, place = box.field(name)
        if isinstance(kind, types.Omitted):
            size = 1 if shape is types.int64 else shape.count
            words = [builder.load(_word(builder, old, place + i)) for i in range(size)]
        else:
            words = [value] if shape is types.int64 else cgutils.unpack_tuple(builder, value)
        for i, word in enumerate(words):
            builder.store(word, _word(builder, new, place + i))
    return new


@intrinsic
def box_at(typing_context: Any, like: Any, table: Any, row: Any, place: Any) -> Any:
    """The record that begins at this place of a row."""

    def made(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _address(context, builder, args[1:])

    return like(like, table, row, place), made


@intrinsic
def box_off(typing_context: Any, box: Any, table: Any, row: Any, place: Any) -> Any:
    """The record, off the row that is about to be written; where it belongs, it may stay."""

    def made(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        old, here = args[0], _address(context, builder, args[1:])
        safe = cgutils.alloca_once_value(builder, old)
        with builder.if_then(builder.icmp_signed("!=", old, here), likely=False):
            new = _next_place(builder)
            _copy(builder, old, new, sig.args[0].width)
            builder.store(new, safe)
        return builder.load(safe)

    return box(box, table, row, place), made


@intrinsic
def box_to(typing_context: Any, box: Any, table: Any, row: Any, place: Any) -> Any:
    """Write a record into a row; where it lies there already, nothing is to be done."""

    def made(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        old, new = args[0], _address(context, builder, args[1:])
        with builder.if_then(builder.icmp_signed("!=", old, new), likely=False):
            _copy(builder, old, new, sig.args[0].width)
        return context.get_dummy_value()

    return types.none(box, table, row, place), made


def _copy(builder: Any, old: Any, new: Any, width: int) -> None:
    for word in range(width):
        builder.store(builder.load(_word(builder, old, word)), _word(builder, new, word))


def _address(context: Any, builder: Any, place: Any) -> Any:
    """Of a word in a table."""
    return builder.ptrtoint(pointer(context, builder, *place), WORD)


def _word(builder: Any, address: Any, word: int) -> Any:
    pointer = builder.inttoptr(address, WORD.as_pointer())
    return builder.gep(pointer, [ir.Constant(WORD, word)])


def _next_place(builder: Any) -> Any:
    """The address of the next place, in turn."""
    module = builder.module
    places = _global(module, "rrr.places", ir.ArrayType(WORD, PLACES * WORDS_MAX))
    turn = _global(module, "rrr.turn", WORD)
    now = builder.load(turn)
    after = builder.and_(builder.add(now, ir.Constant(WORD, 1)), ir.Constant(WORD, PLACES - 1))
    builder.store(after, turn)
    offset = builder.mul(now, ir.Constant(WORD, WORDS_MAX))
    zero = ir.Constant(WORD, 0)
    return builder.ptrtoint(builder.gep(places, [zero, offset]), WORD)


def _global(module: Any, name: str, kind: Any) -> Any:
    """One variable of this name in all that is linked together."""
    if name in module.globals:
        return module.globals[name]
    variable = ir.GlobalVariable(module, kind, name)
    variable.linkage = "linkonce_odr"
    variable.initializer = ir.Constant(kind, None)
    return variable
