"""A float32 → the bits of a smaller float as a GPU makes them: one instruction where it has one, else ``encode``.

Both round to nearest, ties to even, and keep subnormal numbers, so the bits are the same.

What is made inside a function here, or in ``laws.py``, ``loops.py`` and ``kernels.py``, calls intrinsics and
dispatchers only by way of functions of a module. Numba gives those a number of their own in each process, which would
become part of the key of a kernel on disk, and nothing would ever be found there.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic

from numbainit.maths.formats import SMALL
from numbainit.maths.scalar import encode
from numbainit.targets.cuda.laws import inline

_WORDS = {8: np.uint8, 16: np.uint16}


@functools.cache
def code(name, capability):
    """A function from the float that a law makes to what memory holds, for a dtype and a compute capability."""
    if name not in SMALL:
        return _unchanged
    function, needed = _INSTRUCTIONS.get(name, (None, (99, 0)))
    return function if capability >= needed else _encoded(SMALL[name])


@inline
def _unchanged(value):
    return value


def _conversion(instruction):
    """Two of these on neighbours become one instruction."""

    @intrinsic
    def convert(typingctx, value):
        if value != types.float32:
            raise NumbaTypeError(f"{instruction} takes a float32, got {value}")

        def codegen(context, builder, signature, args):
            function = ir.FunctionType(ir.IntType(16), [args[0].type])
            return builder.call(ir.InlineAsm(function, f"{instruction} $0, $1;", "=h,f"), args)

        return types.uint16(value), codegen

    return convert


_convert_to_float16, _convert_to_bfloat16 = map(_conversion, ("cvt.rn.f16.f32", "cvt.rn.bf16.f32"))


@inline
def _to_float16(value):
    return _convert_to_float16(value)


@inline
def _to_bfloat16(value):
    return _convert_to_bfloat16(value)


#: name of a dtype → the instruction that rounds to it, and the compute capability that it takes
_INSTRUCTIONS = {"float16": (_to_float16, (5, 3)), "bfloat16": (_to_bfloat16, (8, 0))}


@inline
def _encode(value, name):
    return encode(value, name)


def _encoded(form):
    name, word = form.name, _WORDS[form.bits]

    @inline
    def encoded(value):
        return word(_encode(value, name))

    return encoded
