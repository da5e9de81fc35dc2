"""Two or three floats of one width → one correctly rounded result, the same bits everywhere; and moves of bits.

The laws promise equal bits of *floats*, so no compiler may choose a rounding for them. Here each operation is a Numba
intrinsic that names its rounding: IEEE 754 to nearest, ties to even. On a CPU without fused multiply-add LLVM calls the
C library's ``fma``, which is slow and gives the same bits. On a CUDA GPU a plain product and a plain sum are fused by
the linker whatever the options say, so there each is NVVM's own operation, which nothing may fuse.

All floats of an operation have the same type, float32 or float64; mixing widths is a typing error instead of a silent
promotion.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic

_BITS_OF = {types.float32: types.int32, types.float64: types.int64}
_FLOAT_OF = {bits: number for number, bits in _BITS_OF.items()}


def _of_gpu(builder):
    return "nvptx" in builder.module.triple


def _nvvm(builder, operation, args):
    """Call NVVM's operation of this name: the roundings that LLVM alone leaves to its optimizers."""
    kind = args[0].type
    name = f"llvm.nvvm.{operation}.rn.{'f' if kind == ir.FloatType() else 'd'}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * len(args)), name)
    return builder.call(function, args)


def _signature(name, *operands):
    number = operands[0]
    if number not in _BITS_OF or any(other != number for other in operands):
        raise NumbaTypeError(f"{name} takes floats of one width, got {operands}")
    return number(*operands)


@intrinsic
def fma(typingctx, a, b, c):
    """``a * b + c`` rounded once."""

    def codegen(context, builder, signature, args):
        return builder.fma(*args)

    return _signature("fma", a, b, c), codegen


@intrinsic
def mul(typingctx, a, b):
    """``a * b`` rounded once, never fused with what follows."""

    def codegen(context, builder, signature, args):
        return _nvvm(builder, "mul", args) if _of_gpu(builder) else builder.fmul(*args)

    return _signature("mul", a, b), codegen


@intrinsic
def add(typingctx, a, b):
    """``a + b`` rounded once, never fused with what precedes."""

    def codegen(context, builder, signature, args):
        return _nvvm(builder, "add", args) if _of_gpu(builder) else builder.fadd(*args)

    return _signature("add", a, b), codegen


@intrinsic
def sqrt(typingctx, a):
    """The square root, correctly rounded."""

    def codegen(context, builder, signature, args):
        if _of_gpu(builder):
            return _nvvm(builder, "sqrt", args)
        return builder.call(builder.module.declare_intrinsic("llvm.sqrt", [args[0].type]), args)

    return _signature("sqrt", a), codegen


@intrinsic
def polynomial(typingctx, x, coefficients):
    """``c[0] + x (c[1] + x (c[2] + ...))`` by Horner's rule, each step one :func:`fma`, written out at compile time."""
    if not isinstance(coefficients, types.UniTuple):
        raise NumbaTypeError(f"polynomial takes a tuple of coefficients, got {coefficients}")

    def codegen(context, builder, signature, args):
        *rest, result = cgutils.unpack_tuple(builder, args[1])
        for coefficient in reversed(rest):
            result = builder.fma(result, args[0], coefficient)
        return result

    number = _signature("polynomial", x, coefficients.dtype).return_type
    return number(x, coefficients), codegen


@intrinsic
def float_to_bits(typingctx, a):
    """The bits of a float as a signed integer of its width."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return _BITS_OF[a](a), codegen


@intrinsic
def bits_to_float(typingctx, a):
    """The float whose bits are the given int32 or int64."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return _FLOAT_OF[a](a), codegen


@intrinsic
def wide_product(typingctx, multiplier, word):
    """The 64-bit product of a 32-bit number in a uint64 with the lower half of another; what is above that is cut off.

    Written as PTX for a GPU: LLVM would multiply 64-bit numbers there, which costs an addition more.
    """

    def codegen(context, builder, signature, args):
        kind = args[0].type
        if not _of_gpu(builder):
            return builder.mul(args[0], builder.and_(args[1], ir.Constant(kind, 0xFFFFFFFF)))
        half = ir.IntType(32)
        mul = ir.InlineAsm(ir.FunctionType(kind, [half, half]), "mul.wide.u32 $0, $1, $2;", "=l,r,r")
        return builder.call(mul, [builder.trunc(arg, half) for arg in args])

    return types.uint64(types.uint64, types.uint64), codegen


@intrinsic
def swap_halves(typingctx, word):
    """A uint64 with its upper and lower 32 bits exchanged; LLVM would make shifts of a product a slow product."""

    def codegen(context, builder, signature, args):
        kind = args[0].type
        rotate = builder.module.declare_intrinsic("llvm.fshl", [kind], ir.FunctionType(kind, [kind] * 3))
        return builder.call(rotate, [args[0], args[0], ir.Constant(kind, 32)])

    return types.uint64(types.uint64), codegen
