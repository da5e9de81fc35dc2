"""Values, and where they are → the loads, stores, loops and branches of a C function.

Addresses are values of uint64, in bytes. Nothing here knows a law.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir

from numbainit.maths.values import Kind, Value, float64, select, uint64

_CACHE_LINE = 64


def number(builder: Any, value: int, kind: Kind = uint64) -> Value:
    """A whole number."""
    return Value(builder, kind.type(value), kind)


def minimum(a: Value, b: Value) -> Value:
    return select(a < b, a, b)


# ---- memory ----


def bytes_of(kind: Kind) -> int:
    return kind.bits // 8


def _pointer(address: Value, type_: ir.Type) -> Any:
    return address.builder.inttoptr(address.ir, type_.as_pointer())


def load(address: Value, kind: Kind, lanes: int = 1) -> Value:
    """So many neighbours. Nothing is assumed of an address: no processor of today is slower for that."""
    type_ = kind.type if lanes == 1 else ir.VectorType(kind.type, lanes)
    loaded = address.builder.load(_pointer(address, type_))
    loaded.align = 1
    return Value(address.builder, loaded, kind)


def store(value: Value, address: Value) -> None:
    """A value as its lanes follow each other in memory."""
    address.builder.store(value.ir, _pointer(address, value.ir.type)).align = 1


def copy(target: Value, source: Value, size: Value) -> None:
    """So many bytes, between places that do not overlap."""
    builder, byte = target.builder, ir.IntType(8)
    signature = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), byte.as_pointer(), uint64.type, ir.IntType(1)])
    memcpy = builder.module.declare_intrinsic("llvm.memcpy.p0.p0.i64", fnty=signature)
    builder.call(memcpy, [_pointer(target, byte), _pointer(source, byte), size.ir, ir.IntType(1)(0)])


def on_stack(builder: Any, kind: Kind, length: int) -> Value:
    """The address of so many neighbours on the stack of the running thread, on a cache line of their own.

    They live as long as the function. The heap would cost an allocation a chunk, and could fail half-way through a
    fill.
    """
    with builder.goto_entry_block():
        memory = builder.alloca(ir.ArrayType(kind.type, length))
        memory.align = _CACHE_LINE
        return Value(builder, builder.ptrtoint(memory, uint64.type), uint64)


class Variable:
    """A value that changes: what loops carry from turn to turn."""

    def __init__(self, value: Value) -> None:
        self._builder, self._kind = value.builder, value.kind
        with value.builder.goto_entry_block():
            self._memory = value.builder.alloca(value.ir.type)
        self.set(value)

    def get(self) -> Value:
        return Value(self._builder, self._builder.load(self._memory), self._kind)

    def set(self, value: Value) -> None:
        self._builder.store(value.ir, self._memory)


# ---- loops and branches ----


@contextlib.contextmanager
def repeat(condition: Callable[[], Value], builder: Any) -> Iterator[None]:
    """Run the block under ``with`` again and again, while the condition holds before it."""
    test, body, after = (builder.append_basic_block(name) for name in ("test", "body", "after"))
    builder.branch(test)
    builder.position_at_end(test)
    builder.cbranch(condition().ir, body, after)
    builder.position_at_end(body)
    yield
    builder.branch(test)
    builder.position_at_end(after)


@contextlib.contextmanager
def turns(count: Value) -> Iterator[Value]:
    """Run the block under ``with`` so many times; it is given the number of its turn."""
    turn = Variable(count.constant(0))
    with repeat(lambda: turn.get() < count, count.builder):
        yield turn.get()
        turn.set(turn.get() + 1)


@contextlib.contextmanager
def when(condition: Value) -> Iterator[None]:
    """Run the block under ``with`` if the condition holds."""
    with condition.builder.if_then(condition.ir):
        yield


def set_bits(mask: Value) -> Iterator[Value]:
    """For each set bit of an integer, from the lowest, run what follows with its number: ``for bit in set_bits(mask)``.

    The body is emitted once, inside a loop over the bits.
    """
    rest = Variable(mask)
    with repeat(lambda: rest.get() != 0, mask.builder):
        yield _lowest(rest.get())
        rest.set(_without_lowest(rest.get()))


def append(mask: Value, value: Callable[[Value], Value], end: Variable, usual: int) -> None:
    """Store ``value(bit)`` for each set bit of an integer, from the lowest, at ``end``, an address that moves on.

    A loop over bits ends where no processor foresees it. So as many as are usual are stored whether there are that
    many or not: what is behind the end is garbage, and is given numbers of bits that are not set, up to their width.
    """
    with when(mask != 0):
        start, after, rest = end.get(), Variable(end.get()), mask
        for _ in range(usual):
            item = value(_lowest(rest))
            size, rest = bytes_of(item.kind), _without_lowest(rest)
            store(item, after.get())
            after.set(after.get() + size)
        for bit in set_bits(rest):
            store(value(bit), after.get())
            after.set(after.get() + size)
        end.set(start + uint64(_bits(mask)) * size)


def _lowest(mask: Value) -> Value:
    """The number of the lowest set bit; the width where none is set."""
    count = ir.FunctionType(mask.ir.type, [mask.ir.type, ir.IntType(1)])
    trailing = mask.builder.module.declare_intrinsic(f"llvm.cttz.i{mask.kind.bits}", fnty=count)
    return Value(mask.builder, mask.builder.call(trailing, [mask.ir, ir.IntType(1)(0)]), mask.kind)


def _without_lowest(mask: Value) -> Value:
    return mask & (mask - 1)


def _bits(mask: Value) -> Value:
    """How many bits are set."""
    counting = mask.builder.module.declare_intrinsic(f"llvm.ctpop.i{mask.kind.bits}", [mask.ir.type])
    return Value(mask.builder, mask.builder.call(counting, [mask.ir]), mask.kind)


def parameters(address: Value, count: int) -> list[Value]:
    """So many float64 in memory."""
    return [load(address + 8 * i, float64) for i in range(count)]
