"""A table is an array without its counter: compiled code reads and writes it, and never frees it.

numba counts the references of every array that it hands to a function, by an atomic operation each;
at a close that takes a few tens of nanoseconds, they would be most of them. Whoever calls from
outside holds the arrays meanwhile.
"""

import operator
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, overload, register_model

from . import flat

WORD: Final = ir.IntType(64)


class Table(types.Type):
    def __init__(self) -> None:
        super().__init__("Table")


TABLE: Final = Table()


@register_model(Table)
class TableModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        members = [("data", types.CPointer(types.int64)), ("rows", types.int64)]
        super().__init__(manager, kind, [*members, ("width", types.int64)])


@intrinsic
def _table(typing_context: Any, array: Any) -> Any:
    def made(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        whole = context.make_array(sig.args[0])(context, builder, args[0])
        plain = cgutils.create_struct_proxy(TABLE)(context, builder)
        plain.data = whole.data
        plain.rows, plain.width = cgutils.unpack_tuple(builder, whole.shape)
        return plain._getvalue()

    return TABLE(array), made


@overload(flat.table, strict=False)
def _tabled(rows: Any) -> Any:
    assert rows.ndim == 2, "A table has rows."
    assert rows.layout == "C", "They lie one after another."
    return lambda rows: _table(rows)


@overload(flat.height_of, strict=False, jit_options={"forceinline": True})
def _height_of(table: Any) -> Any:
    return lambda table: _rows(table)


@intrinsic
def _rows(typing_context: Any, table: Any) -> Any:
    def made(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return cgutils.create_struct_proxy(TABLE)(context, builder, args[0]).rows

    return types.int64(table), made


@overload(flat.width_of, strict=False, jit_options={"forceinline": True})
def _width_of(table: Any) -> Any:
    return lambda table: _width(table)


@intrinsic
def _width(typing_context: Any, table: Any) -> Any:
    def made(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return cgutils.create_struct_proxy(TABLE)(context, builder, args[0]).width

    return types.int64(table), made


@infer_global(operator.getitem)
class Get(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], Table):
            return signature(types.int64, args[0], types.UniTuple(types.int64, 2))
        return None


@infer_global(operator.setitem)
class Set(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], Table):
            place = types.UniTuple(types.int64, 2)
            return signature(types.none, args[0], place, types.int64)
        return None


@lower_builtin(operator.getitem, Table, types.UniTuple)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    row, place = cgutils.unpack_tuple(builder, args[1])
    return builder.load(pointer(context, builder, args[0], row, place))


@lower_builtin(operator.setitem, Table, types.UniTuple, types.int64)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    row, place = cgutils.unpack_tuple(builder, args[1])
    builder.store(args[2], pointer(context, builder, args[0], row, place))
    return context.get_dummy_value()


def pointer(context: Any, builder: Any, table: Any, row: Any, place: Any) -> Any:
    """To one word of a table."""
    plain = cgutils.create_struct_proxy(TABLE)(context, builder, table)
    return builder.gep(plain.data, [builder.add(builder.mul(row, plain.width), place)])
