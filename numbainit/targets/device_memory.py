"""An address on a GPU, a place and values → the values stored there, sixteen bytes at a time or one by one.

Kernels take addresses instead of arrays: an array argument would cost a launch more than all others together, and
Numba would wait for the stream of whoever made it. Numba has no vector type that becomes one 16-byte store, so these
are intrinsics.
"""

from llvmlite import ir
from numba import types
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
def store_four(typingctx, address, place, v0, v1, v2, v3):
    """Write four values of one type from element ``place`` on, where that lies at a multiple of 16 bytes."""
    if {v1, v2, v3} != {v0}:
        raise NumbaTypeError(f"store_four takes values of one type, got {v0}, {v1}, {v2}, {v3}")

    def codegen(context, builder, signature, args):
        kind, values = args[2].type, args[2:]
        itemsize = context.get_abi_sizeof(kind)
        lanes = _VECTOR // itemsize
        vector = ir.VectorType(kind, lanes)
        for begin in range(0, len(values), lanes):
            packed = ir.Constant(vector, ir.Undefined)
            for lane, value in enumerate(values[begin : begin + lanes]):
                packed = builder.insert_element(packed, value, ir.Constant(ir.IntType(32), lane))
            place = builder.add(args[1], ir.Constant(args[1].type, begin))
            builder.store(packed, _pointer(builder, args[0], place, vector, itemsize), align=_VECTOR)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, v0, v0, v0, v0), codegen
