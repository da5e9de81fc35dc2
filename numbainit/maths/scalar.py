"""The functions of this room for single numbers, as Numba compiles them: for a GPU's threads, and for single elements.

Each is one intrinsic, whose code is that of the function traced with values of one lane: Numba types and lowers a whole
law at once instead of dozens of small functions. Nothing is promoted: other types than those that a function takes are
a typing error.
"""

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic

from numbainit.maths import encodings, laws, philox, values
from numbainit.maths.formats import SMALL
from numbainit.maths.values import Kind, Value, boolean, float32, float64, uint32, uint64

#: how functions that call these are compiled: inlined into the loop around them; no signatures (they would tie a
#: function to one target), no fastmath (it would give bits away), and no wrappers for Python or C, which nobody calls
INLINE = {"forceinline": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

_NUMBERS = "boolean", "uint32", "uint64", "int32", "int64", "float32", "float64"
_KINDS = {getattr(types, name): getattr(values, name) for name in _NUMBERS}
_TYPES = {kind.name: number for number, kind in _KINDS.items()}


def _of_numbers(function: Callable[..., Any], *kinds: Kind) -> Any:
    """A function over values as a function of numbers that Numba compiles; of these kinds, or of any that it takes."""
    wanted = tuple(_TYPES[kind.name] for kind in kinds)

    def typed(typingctx, *numbers):
        numbers = tuple(map(types.unliteral, numbers))
        if not all(number in _KINDS for number in numbers):
            raise NumbaTypeError(f"{function.__name__} takes words and floats, got {numbers}")
        if kinds and numbers != wanted:
            raise NumbaTypeError(f"{function.__name__} takes {wanted}, got {numbers}")
        results = _results(function, numbers)

        def codegen(context, builder, signature, args):
            made = _traced(function, builder, numbers, args)
            if len(made) == 1:
                return made[0].ir
            return context.make_tuple(builder, signature.return_type, [value.ir for value in made])

        return (results[0] if len(results) == 1 else types.UniTuple(results[0], len(results)))(*numbers), codegen

    names = ["typingctx", *inspect.signature(function).parameters]
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    typed.__name__, typed.__doc__ = function.__name__, function.__doc__
    return intrinsic(typed)


def _traced(function, builder, numbers, args) -> tuple[Value, ...]:
    made = function(*(Value(builder, arg, _KINDS[number]) for arg, number in zip(args, numbers, strict=True)))
    return made if isinstance(made, tuple) else (made,)


def _results(function, numbers):
    """The types of what the function returns: that of a trace into code that is thrown away."""
    signature = ir.FunctionType(ir.VoidType(), [_KINDS[number].type for number in numbers])
    nowhere = ir.Function(ir.Module(), signature, "nowhere")
    try:
        made = _traced(function, ir.IRBuilder(nowhere.append_basic_block()), numbers, nowhere.args)
    except TypeError as error:
        raise NumbaTypeError(f"{function.__name__} of {numbers}: {error}") from error
    return [_TYPES[value.kind.name] for value in made]


fma, sqrt = _of_numbers(values.fma), _of_numbers(values.sqrt)
philox4x32 = _of_numbers(philox.philox4x32, *[uint64] * 6)
joined = _of_numbers(laws.joined, uint32, uint32)
uniform32, uniform64 = _of_numbers(laws.uniform32, uint32), _of_numbers(laws.uniform64, uint64)
uniform_between32 = _of_numbers(laws.uniform_between32, uint32, *[float32] * 4)
uniform_between64 = _of_numbers(laws.uniform_between64, uint64, *[float64] * 4)
normal_pair32 = _of_numbers(laws.normal_pair32, uint32, uint32)
normal_pair64 = _of_numbers(laws.normal_pair64, uint64, uint64)
tail32 = _of_numbers(laws.tail32, uint32, uint32, boolean, float64, float64, *[float32] * 4)
tail64 = _of_numbers(laws.tail64, uint64, uint32, boolean, *[float64] * 6)


@_of_numbers
def add(a, b):
    """``a + b`` rounded once, never fused with what precedes."""
    return a + b


@intrinsic(prefer_literal=True)
def encode(typingctx, x, name):
    """The bits of a float32, rounded once to the small float of this name, in an int32."""
    if x != types.float32 or not isinstance(name, types.StringLiteral) or name.literal_value not in SMALL:
        raise NumbaTypeError(f"encode takes a float32 and the name of a small float, got {x}, {name}")

    def codegen(context, builder, signature, args):
        return encodings.encode(Value(builder, args[0], float32), SMALL[name.literal_value]).ir

    return types.int32(x, name), codegen
