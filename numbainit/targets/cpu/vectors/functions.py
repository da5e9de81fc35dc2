"""A law and a dtype → the address of a C function that fills contiguous memory with any run of its elements.

The whole function is one intrinsic: Numba types a call of seven integers, and LLVM gets the code as it is traced. A law
is compiled in the time of one small loop. The loops that know where memory lies call it by its address, so neither is
compiled again for each of the other.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
from numba import types
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic

from numbainit.maths import values
from numbainit.maths.encodings import encode
from numbainit.maths.formats import SMALL
from numbainit.maths.values import Value, float32, uint8, uint16, uint32, uint64
from numbainit.targets.cache import c_function
from numbainit.targets.cpu.vectors.chunk import CHUNK, Chunk, fill_chunks
from numbainit.targets.cpu.vectors.code import bytes_of, load, on_stack, parameters, store, turns
from numbainit.targets.cpu.vectors.laws import LAWS
from numbainit.targets.cpu.vectors.sparse import choose
from numbainit.targets.cpu.vectors.words import TURN, stream_of, turn_of
from numbainit.weights.laws import MOST_NUMBERS

_CODES = {8: uint8, 16: uint16}


@functools.cache
def address(name: str, dtype: np.dtype) -> int:
    """Where the law :func:`compiled` for elements of a NumPy dtype is."""
    found: int = compiled(name, dtype.name).address
    return found


@functools.cache
def compiled(name: str, element: str) -> Any:
    """A law for an element, the name of a dtype, as the C function ``(out, size, first, draw, k0, k1, numbers)``.

    All arguments have 64 bits; ``out`` and ``numbers`` are addresses: of memory for ``size`` elements, and of
    ``MOST_NUMBERS`` float64. ``first`` is the number of the first element.
    """

    @c_function(f"{name}_{element}", *[types.uint64] * 7)
    def fill(out, size, first, draw, k0, k1, numbers):
        _law(name, element, out, size, first, draw, k0, k1, numbers)  # type: ignore[call-arg]

    return fill


@intrinsic(prefer_literal=True)
def _law(typingctx, name, element, out, size, first, draw, k0, k1, numbers):
    arguments = out, size, first, draw, k0, k1, numbers
    if not all(isinstance(text, types.StringLiteral) for text in (name, element)) or {*arguments} != {types.uint64}:
        raise NumbaTypeError(f"a law takes two names and seven uint64, got {(name, element, *arguments)}")

    def codegen(context, builder, signature, args):
        integers = [Value(builder, argument, uint64) for argument in args[2:]]
        _fill(builder, name.literal_value, element.literal_value, *integers)
        return context.get_dummy_value()

    return types.void(name, element, *arguments), codegen


def _fill(builder: Any, name: str, element: str, out: Value, size: Value, first: Value, *rest: Value) -> None:
    """The code of a law; small floats are made aside in float32, a chunk at a time, and rounded once."""
    draw, k0, k1, numbers = rest
    stream, given = stream_of(draw, k0, k1), parameters(numbers, MOST_NUMBERS)
    law, form = LAWS[name], SMALL.get(element)
    if form is None:
        kind = getattr(values, element)
        fill_chunks(out, size, first, kind, turn_of(kind.bits), stream, lambda chunk: law(chunk, kind, given))
        return
    code, made = _CODES[form.bits], on_stack(builder, float32, CHUNK + TURN)

    def rounded(chunk: Chunk) -> None:
        law(replace(chunk, out=made), float32, given)
        with turns(chunk.turns) as turn:
            numbers = load(made + turn * (TURN * bytes_of(float32)), float32, TURN)
            store(code(encode(numbers, form)), chunk.out + turn * (TURN * bytes_of(code)))

    fill_chunks(out, size, first, code, TURN, stream, rounded)


def choice(bits: int, parts: int) -> int:
    """Where the choice that is :func:`compiled_choice` is."""
    found: int = compiled_choice(bits, parts).address
    return found


@functools.cache
def compiled_choice(bits: int, parts: int) -> Any:
    """:func:`sparse.choose` as the C function ``(words, rows_left, zeros_left, values, count)``.

    For elements of so many parts, of so many bits each, whatever these mean.
    """

    @c_function(f"choice_{parts}x{bits}", *[types.uint64] * 5)
    def choose_zeros(words, rows_left, zeros_left, values, count):
        _choose(bits, parts, words, rows_left, zeros_left, values, count)  # type: ignore[call-arg]

    return choose_zeros


@intrinsic(prefer_literal=True)
def _choose(typingctx, bits, parts, words, rows_left, zeros_left, values, count):
    arguments = words, rows_left, zeros_left, values, count
    if not all(isinstance(size, types.IntegerLiteral) for size in (bits, parts)) or {*arguments} != {types.uint64}:
        raise NumbaTypeError(f"a choice takes two literal sizes and five uint64, got {(bits, parts, *arguments)}")

    def codegen(context, builder, signature, args):
        kind = {8: uint8, 16: uint16, 32: uint32, 64: uint64}[bits.literal_value]
        words, rows_left, zeros_left, values, count = (Value(builder, argument, uint64) for argument in args[2:])
        choose(words, rows_left, zeros_left, values, count, kind, parts.literal_value)
        return context.get_dummy_value()

    return types.void(bits, parts, *arguments), codegen
