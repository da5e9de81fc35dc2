"""Addresses, small memory on the stack, and calls through addresses: what loops need beside numbers.

Kernels need scratch of one chunk; the heap would cost an allocation a chunk and could fail half-way through a fill.
"""

from llvmlite import ir
from numba import types
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from numbainit.maths.values import Value, uint8, uint16, uint32, uint64
from numbainit.targets.cpu.vectors.code import bytes_of, copy, load, on_stack, store, turns, when

_RUNS = (uint8, 1), (uint16, 1), (uint32, 1), (uint64, 1), (uint64, 2)  # elements of these sizes: a kind, and lanes


@intrinsic(prefer_literal=True)
def scratch(typingctx, size):
    """The address of ``size`` (a literal) bytes on the stack, until the function that this is inlined into returns."""
    if not isinstance(size, types.IntegerLiteral):
        raise NumbaTypeError(f"scratch takes a literal size, got {size}")
    return types.uint64(size), lambda context, builder, signature, args: on_stack(builder, uint8, size.literal_value).ir


@intrinsic(prefer_literal=True)
def stack_array(typingctx, length, like):
    """An uninitialised array of ``length`` (a literal) elements of the type of the array or scalar ``like``.

    It lives until the function that this is inlined into returns: never return it.
    """
    if not isinstance(length, types.IntegerLiteral):
        raise NumbaTypeError(f"stack_array takes a literal length, got {length}")
    element = like.dtype if isinstance(like, types.Array) else types.unliteral(like)
    array_type = types.Array(element, 1, "C")

    def codegen(context, builder, signature, args):
        item = context.get_data_type(array_type.dtype)
        itemsize = context.get_abi_sizeof(item)
        memory = on_stack(builder, uint8, length.literal_value * itemsize)
        array = context.make_array(array_type)(context, builder)
        populate_array(
            array,
            data=builder.inttoptr(memory.ir, item.as_pointer()),
            shape=[context.get_constant(types.intp, length.literal_value)],
            strides=[context.get_constant(types.intp, itemsize)],
            itemsize=context.get_constant(types.intp, itemsize),
            meminfo=None,
        )
        return array._getvalue()

    return array_type(length, like), codegen


@intrinsic
def address_of(typingctx, array):
    """Where the first element of an array is; quicker to compile than ``array.ctypes.data``."""

    def codegen(context, builder, signature, args):
        data = context.make_array(array)(context, builder, args[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.uint64(array), codegen


@intrinsic
def integer_at(typingctx, address, place):
    """The int64 number ``place`` of those at an address."""

    def codegen(context, builder, signature, args):
        address, place = (Value(builder, arg, uint64) for arg in args)
        return load(address + place * 8, uint64).ir

    return types.int64(types.uint64, types.uint64), codegen


@intrinsic(prefer_literal=True)
def words_at(typingctx, address, place, count):
    """So many uint64 (two literals: from which one, and how many) of those at an address."""
    if not all(isinstance(number, types.IntegerLiteral) for number in (place, count)):
        raise NumbaTypeError(f"words_at takes a literal place and count, got {place}, {count}")
    result = types.UniTuple(types.uint64, count.literal_value)

    def codegen(context, builder, signature, args):
        first = Value(builder, args[0], uint64) + 8 * place.literal_value
        words = [load(first + 8 * number, uint64).ir for number in range(count.literal_value)]
        return context.make_tuple(builder, result, words)

    return result(types.uint64, place, count), codegen


@intrinsic
def copy_run(typingctx, target, step, source, itemsize, count):
    """Copy ``count`` elements that follow each other to places that are ``step`` bytes apart."""
    arguments = target, step, source, itemsize, count

    def codegen(context, builder, signature, args):
        target, step, source, itemsize, count = (Value(builder, arg, uint64) for arg in args)
        together = step == itemsize
        with when(together):
            copy(target, source, count * itemsize)
        for kind, lanes in _RUNS:
            size = lanes * bytes_of(kind)
            with when((itemsize == size) & (together ^ 1)), turns(count) as i:
                store(load(source + i * size, kind, lanes), target + i * step)
        return context.get_dummy_value()

    return types.void(*[types.uint64 for _ in arguments]), codegen


def _calling(*arguments):
    """What types and makes a call of the C function at the address that comes first, with the other uint64."""

    def codegen(context, builder, signature, args):
        function = ir.FunctionType(ir.VoidType(), [uint64.type] * (len(args) - 1))
        builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.uint64 for _ in arguments]), codegen


@intrinsic
def call_law(typingctx, address, out, size, first, draw, k0, k1, numbers):
    """Call the compiled law at ``address`` with these integers: see ``vectors.functions.compiled``."""
    return _calling(address, out, size, first, draw, k0, k1, numbers)


@intrinsic
def call_task(typingctx, address, memory, numbers, given, item):
    """Call the compiled task at ``address`` with these integers: see ``tasks.py``."""
    return _calling(address, memory, numbers, given, item)


@intrinsic
def call_choice(typingctx, address, words, rows_left, zeros_left, values, count):
    """Call the compiled choice at ``address`` with these integers: see ``vectors.functions.compiled_choice``."""
    return _calling(address, words, rows_left, zeros_left, values, count)
