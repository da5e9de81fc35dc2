"""One number, or many in the lanes of a vector → ``+ * fma select shift`` on them, each one LLVM instruction.

The laws are written over such values, in plain Python, and traced: calling a function with values appends its
instructions to the code that is being built. A value of one lane gives the code of a GPU's thread or of a single
element (``scalar.py``), one of many lanes the SIMD code of a CPU, from the same lines.

The laws promise equal bits of *floats*, so no compiler may choose a rounding for them: each operation is rounded
once, to nearest, ties to even, and never fused with another. On a CPU without fused multiply-add LLVM calls the C
library's ``fma``, which is slow and gives the same bits. On a CUDA GPU a plain product and a plain sum are fused by the
linker whatever the options say, so there each is NVVM's own operation, which nothing may fuse.

Both sides of an operator have the same kind; what stands there as a Python number is meant in that kind, and a single
number beside a vector is meant in each lane. Nothing is promoted: mixing kinds is an error.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir


@dataclass(frozen=True, eq=False)
class Kind:
    """What a lane holds: its name, LLVM's type, its bits and whether it is a "float", "signed" or "unsigned"."""

    name: str
    type: ir.Type
    bits: int
    sort: str

    def __call__(self, value: Value) -> Value:
        """The value as this kind: integers are cut or extended, a float is the nearest of the integer or float."""
        given, builder = value.kind, value.builder
        if self is given:
            return value
        if given.sort == "float" and self.sort == "float":
            operation = builder.fptrunc if self.bits < given.bits else builder.fpext
        elif self.sort == "float":
            operation = builder.sitofp if given.sort == "signed" else builder.uitofp
        elif given.sort == "float":
            raise TypeError(f"{given.name} does not become {self.name}: take its bits")
        elif self.bits < given.bits:
            operation = builder.trunc
        else:
            operation = builder.sext if given.sort == "signed" else builder.zext
        return Value(builder, operation(value.ir, _lanes_of(self, value.lanes)), self)


boolean = Kind("boolean", ir.IntType(1), 1, "unsigned")
uint8, uint16 = Kind("uint8", ir.IntType(8), 8, "unsigned"), Kind("uint16", ir.IntType(16), 16, "unsigned")
uint32, uint64 = Kind("uint32", ir.IntType(32), 32, "unsigned"), Kind("uint64", ir.IntType(64), 64, "unsigned")
int32, int64 = Kind("int32", ir.IntType(32), 32, "signed"), Kind("int64", ir.IntType(64), 64, "signed")
float32, float64 = Kind("float32", ir.FloatType(), 32, "float"), Kind("float64", ir.DoubleType(), 64, "float")

_INTEGERS, _FLOATS = {32: int32, 64: int64}, {32: float32, 64: float64}
_INDEX = ir.IntType(32)  # of a lane


def _lanes_of(kind: Kind, lanes: int) -> ir.Type:
    return kind.type if lanes == 1 else ir.VectorType(kind.type, lanes)


@dataclass(frozen=True, eq=False)
class Value:
    """An LLVM value of one or more lanes, the builder that appends to its code, and the kind of a lane."""

    builder: Any
    ir: Any
    kind: Kind

    @property
    def lanes(self) -> int:
        return self.ir.type.count if isinstance(self.ir.type, ir.VectorType) else 1

    @property
    def on_gpu(self) -> bool:
        return "nvptx" in self.builder.module.triple

    def wide(self, lanes: int) -> Value:
        """A single number in each of so many lanes; a vector of them as it is."""
        if self.lanes == lanes:
            return self
        if self.lanes != 1:
            raise TypeError(f"{self.lanes} lanes beside {lanes}")
        vector = _lanes_of(self.kind, lanes)
        if isinstance(self.ir, ir.Constant):
            return Value(self.builder, ir.Constant(vector, [self.ir.constant] * lanes), self.kind)
        undefined = ir.Constant(vector, ir.Undefined)
        first = self.builder.insert_element(undefined, self.ir, _INDEX(0))
        everywhere = ir.Constant(ir.VectorType(_INDEX, lanes), [0] * lanes)
        return Value(self.builder, self.builder.shuffle_vector(first, undefined, everywhere), self.kind)

    def constant(self, number: float) -> Value:
        """A Python number as a value beside this one."""
        if self.kind.sort == "float":
            return Value(self.builder, ir.Constant(self.kind.type, float(number)), self.kind).wide(self.lanes)
        bits = operator.index(number) & ((1 << self.kind.bits) - 1)  # type: ignore[arg-type]
        return Value(self.builder, ir.Constant(self.kind.type, bits), self.kind).wide(self.lanes)

    def _binary(self, other: Value | float, of_integers: str, of_floats: str = "") -> Value:
        left, right = _alike(self, other)
        name = of_floats if left.kind.sort == "float" else of_integers
        if not name:
            raise TypeError(f"{left.kind.name} knows no such operation")
        return Value(self.builder, getattr(self.builder, name)(left.ir, right.ir), left.kind)

    def _rounded(self, other: Value | float, operation: str) -> Value:
        """A sum or a product; of floats rounded once, and by NVVM's own operation on a GPU."""
        if self.kind.sort == "float" and self.on_gpu:
            left, right = _alike(self, other)
            return _call(f"llvm.nvvm.{operation}.rn.{'f' if self.kind is float32 else 'd'}", left, right, named=True)
        return self._binary(other, operation, f"f{operation}")

    def __add__(self, other: Value | float) -> Value:
        return self._rounded(other, "add")

    def __sub__(self, other: Value | float) -> Value:
        return self + -_beside(self, other) if self.kind.sort == "float" else self._binary(other, "sub")

    def __rsub__(self, other: float) -> Value:
        return self.constant(other) - self

    def __mul__(self, other: Value | float) -> Value:
        return self._rounded(other, "mul")

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Value:
        if self.kind.sort == "float":  # NVVM knows no fneg; LLVM makes one of this
            return Value(self.builder, self.builder.fsub(self.constant(-0.0).ir, self.ir), self.kind)
        return Value(self.builder, self.builder.neg(self.ir), self.kind)

    def __and__(self, other: Value | int) -> Value:
        return self._binary(other, "and_")

    def __or__(self, other: Value | int) -> Value:
        return self._binary(other, "or_")

    def __xor__(self, other: Value | int) -> Value:
        return self._binary(other, "xor")

    def __lshift__(self, other: Value | int) -> Value:
        return self._binary(other, "shl")

    def __rshift__(self, other: Value | int) -> Value:
        """A signed number keeps its sign."""
        return self._binary(other, "ashr" if self.kind.sort == "signed" else "lshr")

    def _compared(self, other: Value | float, how: str) -> Value:
        left, right = _alike(self, other)
        comparisons = {
            "float": self.builder.fcmp_ordered,
            "signed": self.builder.icmp_signed,
            "unsigned": self.builder.icmp_unsigned,
        }
        return Value(self.builder, comparisons[left.kind.sort](how, left.ir, right.ir), boolean)

    def __lt__(self, other: Value | float) -> Value:
        """Comparisons with NaN are false."""
        return self._compared(other, "<")

    def __le__(self, other: Value | float) -> Value:
        return self._compared(other, "<=")

    def __gt__(self, other: Value | float) -> Value:
        return self._compared(other, ">")

    def __ge__(self, other: Value | float) -> Value:
        return self._compared(other, ">=")

    def __eq__(self, other: object) -> Value:  # type: ignore[override]
        return self._compared(other, "==")  # type: ignore[arg-type]

    def __ne__(self, other: object) -> Value:  # type: ignore[override]
        return self._compared(other, "!=")  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("a value is not known while code is built: write select(condition, a, b)")


def _beside(value: Value, other: Value | float) -> Value:
    return other if isinstance(other, Value) else value.constant(other)


def _alike(*operands: Value | float) -> list[Value]:
    """Operands of one kind and of as many lanes."""
    values = [operand for operand in operands if isinstance(operand, Value)]
    kinds = {value.kind.name for value in values}
    if len(kinds) != 1:
        raise TypeError(f"{' with '.join(sorted(kinds))}: convert one of them")
    lanes = max(value.lanes for value in values)
    return [_beside(values[0], operand).wide(lanes) for operand in operands]


def _call(name: str, *operands: Value, named: bool = False) -> Value:
    """One of LLVM's intrinsics on floats of one type; its name ends in theirs unless it is ``named`` in full."""
    first = operands[0]
    if first.kind.sort != "float":
        raise TypeError(f"{first.kind.name} knows no such operation")
    if not named:
        many = f"v{first.lanes}" if first.lanes > 1 else ""
        name = f"{name}.{many}{first.kind.type.intrinsic_name}"
    signature = ir.FunctionType(first.ir.type, [first.ir.type] * len(operands))
    function = first.builder.module.declare_intrinsic(name, fnty=signature)
    return Value(first.builder, first.builder.call(function, [operand.ir for operand in operands]), first.kind)


def fma(a: Value | float, b: Value | float, c: Value | float) -> Value:
    """``a * b + c`` rounded once."""
    return _call("llvm.fma", *_alike(a, b, c))


def sqrt(a: Value) -> Value:
    """The square root, correctly rounded."""
    if a.on_gpu:
        return _call(f"llvm.nvvm.sqrt.rn.{'f' if a.kind is float32 else 'd'}", a, named=True)
    return _call("llvm.sqrt", a)


def polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """``c[0] + x (c[1] + x (c[2] + ...))`` by Horner's rule, each step one :func:`fma`."""
    *rest, highest = coefficients
    result = x.constant(highest)
    for coefficient in reversed(rest):
        result = fma(result, x, coefficient)
    return result


def select(condition: Value, a: Value | float, b: Value | float) -> Value:
    """``a`` in the lanes where the condition holds, else ``b``; both are computed."""
    a, b = _alike(a, b)
    lanes = max(condition.lanes, a.lanes)
    chosen = condition.builder.select(condition.wide(lanes).ir, a.wide(lanes).ir, b.wide(lanes).ir)
    return Value(condition.builder, chosen, a.kind)


def lanes_as(value: Value, kind: Kind) -> Value:
    """The same register seen as lanes of another kind, more or fewer, as a little-endian memory holds them."""
    lanes = value.lanes * value.kind.bits // kind.bits
    return Value(value.builder, value.builder.bitcast(value.ir, _lanes_of(kind, lanes)), kind)


def bits_of(x: Value) -> Value:
    """The bits of a float as a signed integer of its width."""
    return lanes_as(x, _INTEGERS[x.kind.bits])


def float_of(bits: Value) -> Value:
    """The float whose bits are the given integer of 32 or 64 bits."""
    return lanes_as(bits, _FLOATS[bits.kind.bits])


def lane(value: Value, number: int) -> Value:
    """One lane of a vector."""
    return Value(value.builder, value.builder.extract_element(value.ir, _INDEX(number)), value.kind)


def mask_of(condition: Value) -> Value:
    """The lanes of a condition as the bits of an integer of as many bits, from the lowest."""
    integer = Kind(f"uint{condition.lanes}", ir.IntType(condition.lanes), condition.lanes, "unsigned")
    return Value(condition.builder, condition.builder.bitcast(condition.ir, integer.type), integer)


def wide_product(word: Value, multiplier: int) -> Value:
    """The 64-bit product of the lower half of a uint64 with a number of 32 bits.

    Written as PTX for a GPU: LLVM would multiply 64-bit numbers there, which costs an addition more.
    """
    if not word.on_gpu:
        return (word & 0xFFFFFFFF) * multiplier
    half = ir.IntType(32)
    product = ir.InlineAsm(ir.FunctionType(uint64.type, [half, half]), "mul.wide.u32 $0, $1, $2;", "=l,r,r")
    factors = [half(multiplier), word.builder.trunc(word.ir, half)]
    return Value(word.builder, word.builder.call(product, factors), uint64)


def shuffle(a: Value, b: Value, lanes: Sequence[int]) -> Value:
    """The lanes of two vectors by their numbers; those of ``b`` follow those of ``a``."""
    order = ir.Constant(ir.VectorType(_INDEX, len(lanes)), list(lanes))
    return Value(a.builder, a.builder.shuffle_vector(a.ir, b.ir, order), a.kind)


def row(builder: Any, kind: Kind, numbers: Sequence[int]) -> Value:
    """A vector of constants."""
    return Value(builder, ir.Constant(_lanes_of(kind, len(numbers)), list(numbers)), kind)
