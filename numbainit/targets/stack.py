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
        memory = cgutils.alloca_once(builder, ir.ArrayType(item, length.literal_value))
        memory.align = _CACHE_LINE
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
