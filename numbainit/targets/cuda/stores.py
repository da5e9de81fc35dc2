"""An address on a GPU, a place and values → the values stored there, up to sixteen bytes at a time, or one by one.

Kernels take addresses instead of arrays: an array argument would cost a launch more than all others together, and
Numba would wait for the stream of whoever made it. Numba has no vector type that becomes one 16-byte store, so these
are intrinsics.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic

_VECTOR = 16  # bytes, the widest store of a thread
_GLOBAL = 1  # LLVM's number of the address space of device memory


def _pointer(builder, address, place, kind, itemsize):
    """The address of element ``place``, as a pointer to ``kind``."""
    offset = builder.mul(place, ir.Constant(place.type, itemsize))
    return builder.inttoptr(builder.add(address, offset), ir.PointerType(kind, addrspace=_GLOBAL))


@intrinsic
def store(typingctx, address, place, value):
    """Write ``value`` as element ``place`` (int64) of the memory at ``address`` (int64)."""

    def codegen(context, builder, signature, args):
        itemsize = context.get_abi_sizeof(args[2].type)
        pointer = _pointer(builder, args[0], args[1], args[2].type, itemsize)
        builder.store(args[2], pointer, align=itemsize)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, value), codegen


@intrinsic
def load(typingctx, address, place, like):
    """Element ``place`` (int64) of the memory at ``address`` (int64), of the type of ``like``."""

    def codegen(context, builder, signature, args):
        kind = args[2].type
        itemsize = context.get_abi_sizeof(kind)
        return builder.load(_pointer(builder, args[0], args[1], kind, itemsize), align=itemsize)

    return like(types.int64, types.int64, like), codegen


@intrinsic
def store_all(typingctx, address, place, values):
    """Write a tuple of values of one type from element ``place`` on: at a multiple of 16 bytes, or of all of theirs."""

    def codegen(context, builder, signature, args):
        lanes = cgutils.unpack_tuple(builder, args[2])
        itemsize = context.get_abi_sizeof(lanes[0].type)
        width = min(_VECTOR // itemsize, len(lanes))
        for begin in range(0, len(lanes), width):
            packed = _vector(builder, _in_words(builder, lanes[begin : begin + width], itemsize))
            place = builder.add(args[1], ir.Constant(args[1].type, begin))
            builder.store(packed, _pointer(builder, args[0], place, packed.type, itemsize), align=width * itemsize)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, _of_one_type(values)), codegen


@intrinsic
def store_some(typingctx, address, place, values, size):
    """Write a tuple of values of one type from element ``place`` on, but only to elements in [0, size)."""

    def codegen(context, builder, signature, args):
        lanes = cgutils.unpack_tuple(builder, args[2])
        itemsize = context.get_abi_sizeof(lanes[0].type)
        for lane, value in enumerate(lanes):
            place = builder.add(args[1], ir.Constant(args[1].type, lane))
            with builder.if_then(builder.icmp_unsigned("<", place, args[3])):  # so that one comparison does for both
                builder.store(value, _pointer(builder, args[0], place, value.type, itemsize), align=itemsize)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, _of_one_type(values), types.int64), codegen


def _in_words(builder, values, itemsize):
    """Small values as 32-bit words: a GPU stores at most four lanes at a time."""
    each = 4 // itemsize
    if each < 2:
        return values
    word = ir.IntType(32)
    return [
        builder.bitcast(_vector(builder, values[begin : begin + each]), word) for begin in range(0, len(values), each)
    ]


def _vector(builder, values):
    packed = ir.Constant(ir.VectorType(values[0].type, len(values)), ir.Undefined)
    for lane, value in enumerate(values):
        packed = builder.insert_element(packed, value, ir.Constant(ir.IntType(32), lane))
    return packed


def _of_one_type(values):
    if not isinstance(values, types.UniTuple):
        raise NumbaTypeError(f"a tuple of values of one type is stored, got {values}")
    return values
