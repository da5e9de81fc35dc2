"""Sixteen neighbouring values and two bounds → the places of those outside, appended to a list in a few instructions.

The vectoriser does not find this: collecting rejected values one by one costs as much as making them. Sixteen is the
number of lanes of AVX-512; LLVM splits or unpacks the operations on other processors, with the same result.
"""

from llvmlite import ir
from numba import types
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic

LANES = 16


@intrinsic
def append_outside(typingctx, values, begin, smallest, largest, places, count):
    """Append the i in [begin, begin + 16) with ``values[i]`` outside [smallest, largest], or NaN; the new count.

    ``places`` (uint32) must have room for 16 more entries, of which those beyond the new count are garbage.
    """
    if {smallest, largest} != {values.dtype} or places.dtype != types.uint32:
        raise NumbaTypeError(f"append_outside got {values}, {smallest}, {largest}, {places}")

    def codegen(context, builder, signature, args):
        mask = _outside(context, builder, values, args)
        packed = _compress(builder, _numbers_from(builder, args[1]), mask)
        target = context.make_array(places)(context, builder, args[4]).data
        builder.store(
            packed,
            builder.bitcast(builder.gep(target, [args[5]]), packed.type.as_pointer()),
            align=4,
        )
        bits = builder.zext(builder.bitcast(mask, ir.IntType(LANES)), ir.IntType(64))
        return builder.add(args[5], builder.ctpop(bits))

    return types.uint64(values, types.uint64, smallest, largest, places, types.uint64), codegen


def _outside(context, builder, array_type, args):
    """The mask of ``not smallest <= lane <= largest``."""
    values, begin, smallest, largest = args[:4]
    data = context.make_array(array_type)(context, builder, values).data
    vector = ir.VectorType(data.type.pointee, LANES)
    pointer = builder.bitcast(builder.gep(data, [begin]), vector.as_pointer())
    lanes = builder.load(pointer, align=context.get_abi_sizeof(data.type.pointee))
    below = builder.fcmp_unordered("<", lanes, _everywhere(builder, smallest, vector))
    above = builder.fcmp_unordered(">", lanes, _everywhere(builder, largest, vector))
    return builder.or_(below, above)


def _numbers_from(builder, begin):
    """begin, begin + 1, ... as sixteen 32-bit lanes."""
    vector = ir.VectorType(ir.IntType(32), LANES)
    first = _everywhere(builder, builder.trunc(begin, ir.IntType(32)), vector)
    return builder.add(first, ir.Constant(vector, list(range(LANES))))


def _compress(builder, lanes, mask):
    """Move the lanes whose bit is set to the front."""
    kind = ir.FunctionType(lanes.type, [lanes.type, mask.type, lanes.type])
    compress = builder.module.declare_intrinsic(f"llvm.experimental.vector.compress.v{LANES}i32", fnty=kind)
    return builder.call(compress, [lanes, mask, ir.Constant(lanes.type, ir.Undefined)])


def _everywhere(builder, scalar, vector):
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), first)
