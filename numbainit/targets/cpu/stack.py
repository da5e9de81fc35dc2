"""A length → a small array on the stack of the running thread.

Kernels need scratch of one chunk; the heap would cost an allocation a chunk and could fail half-way through a fill.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

_CACHE_LINE = 64


def _alloca(builder, kind):
    """Memory that lives as long as the function, on a cache line of its own.

    ``cgutils.alloca_once`` would store zeros into it: that aggregate takes LLVM longer to compile than all of a fill.
    """
    with builder.goto_entry_block():
        memory = builder.alloca(kind)
    memory.align = _CACHE_LINE
    return memory


@intrinsic(prefer_literal=True)
def stack_array(typingctx, length, like):
    """An uninitialised array of ``length`` (a literal) elements of the type of the array or scalar ``like``.

    It lives until the function that LLVM inlined this into returns: never return it.
    """
    if not isinstance(length, types.IntegerLiteral):
        raise NumbaTypeError(f"stack_array takes a literal length, got {length}")
    element = like.dtype if isinstance(like, types.Array) else types.unliteral(like)
    array_type = types.Array(element, 1, "C")

    def codegen(context, builder, signature, args):
        item = context.get_data_type(array_type.dtype)
        memory = _alloca(builder, ir.ArrayType(item, length.literal_value))
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(item))
        array = context.make_array(array_type)(context, builder)
        populate_array(
            array,
            data=builder.bitcast(memory, item.as_pointer()),
            shape=[context.get_constant(types.intp, length.literal_value)],
            strides=[itemsize],
            itemsize=itemsize,
            meminfo=None,
        )
        return array._getvalue()

    return array_type(length, like), codegen


def _parts_of(element):
    return 2 if isinstance(element, types.Complex) else 1


@intrinsic
def parts(typingctx, array):
    """How many floats an element is made of: 2 if it is complex, else 1."""
    count = _parts_of(array.dtype)
    return types.uint64(array), lambda context, builder, signature, args: context.get_constant(types.uint64, count)


@intrinsic
def as_parts(typingctx, array):
    """A contiguous array of complex numbers as one of their parts, real and imaginary in turn; any other as it is.

    It does not keep the memory alive.
    """
    element = array.dtype
    part = element.underlying_float if isinstance(element, types.Complex) else element
    array_type = types.Array(part, 1, "C")

    def codegen(context, builder, signature, args):
        given = context.make_array(array)(context, builder, args[0])
        count = ir.Constant(ir.IntType(64), _parts_of(element))
        item = context.get_data_type(part)
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(item))
        made = context.make_array(array_type)(context, builder)
        populate_array(
            made,
            data=builder.bitcast(given.data, item.as_pointer()),
            shape=[builder.mul(cgutils.unpack_tuple(builder, given.shape)[0], count)],
            strides=[itemsize],
            itemsize=itemsize,
            meminfo=None,
        )
        return made._getvalue()

    return array_type(array), codegen


@intrinsic
def address_of(typingctx, array):
    """Where the first element of an array is; quicker to compile than ``array.ctypes.data``."""

    def codegen(context, builder, signature, args):
        data = context.make_array(array)(context, builder, args[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.uint64(array), codegen


@intrinsic
def align_stack(typingctx):
    """Let registers that a loop spills lie on cache lines of the stack, not across two: a tenth of a normal's time.

    LLVM aligns the stack only for variables that need it, so here is one; the empty assembly keeps it.
    """

    def codegen(context, builder, signature, args):
        memory = _alloca(builder, ir.IntType(64))
        nothing = ir.FunctionType(ir.VoidType(), [memory.type])
        builder.call(ir.InlineAsm(nothing, "", "r", side_effect=True), [memory])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def call_law(typingctx, address, out, counters, first, draw, k0, k1, numbers):
    """Call the compiled law at ``address`` with these integers: see ``laws.compiled``."""
    arguments = (address, out, counters, first, draw, k0, k1, numbers)

    def codegen(context, builder, signature, args):
        word = ir.IntType(64)
        law = ir.FunctionType(ir.VoidType(), [word] * (len(args) - 1))
        builder.call(builder.inttoptr(args[0], law.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.uint64 for _ in arguments]), codegen
