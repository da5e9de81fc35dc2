"""A function over values and columns of arrays → its results, row by row, from compiled code.

``mapped`` takes the rows by so many lanes at a time, as the loops of a CPU do; or as ``NUMBERS``, one by one through
``maths/scalar.py``, as the threads of a GPU and ``numbainit.elements`` do.
"""

import ctypes
import itertools

import numpy as np
import pytest
from llvmlite import ir
from numba import from_dtype, njit, types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from cases import full_only
from numbainit.maths import scalar, values
from numbainit.maths.values import Value, uint8, uint64
from numbainit.targets.cpu.vectors.code import bytes_of, load, store, turns

NUMBERS = "numbers"
_numbers = itertools.count()  # of functions: no two in a process have one name
#: of operations; and of functions that are also offered for single numbers
every_lanes = pytest.mark.parametrize("lanes", [16, *full_only(NUMBERS, 1, 2, 8, 64)])
every_way = pytest.mark.parametrize("lanes", [NUMBERS, 16, *full_only(1, 2, 8, 64)])


def mapped(function, *columns, lanes=1):
    """The results of the function for each row of the columns: an array, or as many as it returns.

    A result of other lanes than the columns' has a row of its own for each turn of the loop.
    """
    size = len(columns[0])
    if lanes == NUMBERS:
        return _by_numbers(function, columns)
    count = -(-size // lanes)
    columns = [np.resize(column, count * lanes) for column in columns]  # the last turn begins again with the first row
    kinds = [_kind(column) for column in columns]
    shapes = _shapes(function, kinds, lanes)
    outs = [np.empty((count, many), _stored(kind)) for kind, many in shapes]

    library = cpu_target.target_context.codegen().create_library("mapped")
    module = library.create_ir_module("mapped")
    loop = ir.Function(module, ir.FunctionType(ir.VoidType(), [uint64.type] * 3), f"mapped{next(_numbers)}")
    builder = ir.IRBuilder(loop.append_basic_block())
    given, made, times = (Value(builder, arg, uint64) for arg in loop.args)
    with turns(times) as turn:
        row = [
            _loaded(load(given + 8 * i, uint64) + turn * (lanes * _bytes_of(kind)), kind, lanes)
            for i, kind in enumerate(kinds)
        ]
        for i, result in enumerate(_several(function(*row))):
            place = load(made + 8 * i, uint64) + turn * (result.lanes * _bytes_of(result.kind))
            store(_storable(result), place)
    builder.ret_void()
    with global_compiler_lock:
        library.add_ir_module(module)
        library.finalize()

    given, made = _addresses(columns), _addresses(outs)
    compiled = ctypes.CFUNCTYPE(None, *[ctypes.c_uint64] * 3)(library.get_pointer_to_function(loop.name))
    compiled(given.ctypes.data, made.ctypes.data, count)
    outs = [out.reshape(-1)[:size] if out.shape[1] == lanes else out for out in outs]
    outs = [out.view(bool) if kind.bits == 1 else out for out, (kind, _) in zip(outs, shapes, strict=True)]
    return outs[0] if len(outs) == 1 else tuple(outs)


def _by_numbers(function, columns):
    """The same by a function of Numba's that calls the intrinsic for single numbers in a loop."""
    one = getattr(scalar, function.__name__, None) or scalar._of_numbers(function)
    row_types = types.BaseTuple.from_types([from_dtype(column.dtype) for column in columns])
    kinds = [_kind(column) for column in columns]
    shapes = _shapes(function, kinds, 1)
    outs = [np.empty(len(columns[0]), bool if kind.bits == 1 else _stored(kind)) for kind, _ in shapes]

    @intrinsic
    def row(typingctx, given, place):
        def codegen(context, builder, signature, args):
            given, place = (Value(builder, arg, uint64) for arg in args)
            numbers = [
                _loaded(load(given + 8 * i, uint64) + place * _bytes_of(kind), kind, 1).ir
                for i, kind in enumerate(kinds)
            ]
            return context.make_tuple(builder, row_types, numbers)

        return row_types(given, place), codegen

    @intrinsic
    def put(typingctx, made, place, results):
        def codegen(context, builder, signature, args):
            made, place = (Value(builder, arg, uint64) for arg in args[:2])
            numbers = cgutils.unpack_tuple(builder, args[2]) if isinstance(results, types.BaseTuple) else [args[2]]
            for i, (result, (kind, _)) in enumerate(zip(numbers, shapes, strict=True)):
                value = _storable(Value(builder, result, kind))
                store(value, load(made + 8 * i, uint64) + place * bytes_of(value.kind))
            return context.get_dummy_value()

        return types.void(made, place, results), codegen

    @njit((types.uint64,) * 3)
    def loop(given, made, count):
        for i in range(count):
            put(made, np.uint64(i), one(*row(given, np.uint64(i))))

    given, made = _addresses(columns), _addresses(outs)
    loop(given.ctypes.data, made.ctypes.data, len(columns[0]))
    return outs[0] if len(outs) == 1 else tuple(outs)


def traced(function, *kinds, lanes=1):
    """What the function returns for values of these kinds, in code that is thrown away."""
    types_ = [values._lanes_of(kind, lanes) for kind in kinds]
    nowhere = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), types_), "nowhere")
    builder = ir.IRBuilder(nowhere.append_basic_block())
    return function(*(Value(builder, arg, kind) for arg, kind in zip(nowhere.args, kinds, strict=True)))


def same_bits(got, want):
    """Also of zeros and NaN; and the dtype."""
    assert got.dtype == want.dtype
    assert got.tobytes() == want.tobytes()


def _several(results):
    return results if isinstance(results, tuple) else (results,)


def _shapes(function, kinds, lanes):
    return [(result.kind, result.lanes) for result in _several(traced(function, *kinds, lanes=lanes))]


def _addresses(arrays):
    assert all(array.flags.c_contiguous for array in arrays)
    return np.array([array.ctypes.data for array in arrays], np.uint64)


# ---- a boolean is a byte in memory, and so are the fewer than eight bits of a mask ----


def _kind(column):
    return values.boolean if column.dtype == bool else getattr(values, column.dtype.name)


def _stored(kind):
    return "uint8" if kind.bits < 8 else kind.name


def _bytes_of(kind):
    return max(bytes_of(kind), 1)


def _loaded(address, kind, lanes):
    return load(address, uint8, lanes) != 0 if kind.bits == 1 else load(address, kind, lanes)


def _storable(value):
    return uint8(value) if value.kind.bits < 8 else value
