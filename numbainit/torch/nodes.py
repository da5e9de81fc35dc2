"""A formula while it is built: a tree of operations, what views show of it, its text, the steps that it is cut into.

Where everything goes through one value a tree is cut, so that ``rand → mul → exp`` are steps one after the other, and
only what needs a value twice is one formula: ``x + log(-expm1(-x))``.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from numbainit.recipes.steps import Change, Formula
from numbainit.torch.locations import View
from numbainit.torch.sheets import UnsayableError
from numbainit.weights.blocks import c_strides

EXACT = 1 << 24  # whole numbers up to this are floats of 32 bits
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}
_CHANGES = {"+": "add", "*": "mul", "/": "div"}


@dataclass(frozen=True)
class Node:
    """An operation: its name, its inputs, the numbers behind them, and the shape of what NumPy makes of it."""

    name: str
    inputs: "tuple[Node, ...]" = ()
    numbers: tuple[Any, ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        return 1 + sum(one.size for one in self.inputs)

    @property
    def has_x(self) -> bool:
        return self.name == "x" or any(one.has_x for one in self.inputs)

    def with_x_for(self, inner: "Node") -> "Node":
        """The same with x where another node stands."""
        if self == inner:
            return Node("x", shape=inner.shape)
        return Node(self.name, tuple(one.with_x_for(inner) for one in self.inputs), self.numbers, self.shape)

    def text(self, around: int = 0) -> str:
        """The formula; in brackets where what is around it binds tighter."""
        if self.name == "x":
            return "x"
        if self.name == "number":
            text = _number(self.numbers[0])
            return f"({text})" if text.startswith("-") and around > _BINDING["**"] else text
        binding = _BINDING.get(self.name)
        if binding is None:
            first = self.numbers if self.name == "cat" or not self.inputs else ()
            last = () if first else self.numbers
            parts = [*map(_number, first), *(one.text() for one in self.inputs), *map(_number, last)]
            return f"{self.name}({', '.join(parts)})"
        if self.name == "neg":
            text = f"-{self.inputs[0].text(binding)}"
            around = 0 if around == _BINDING["**"] else around  # an exponent
        else:
            left, right = self.inputs
            right_to_left = self.name == "**"
            text = f"{left.text(binding + right_to_left)} {self.name} {right.text(binding + (not right_to_left))}"
        return f"({text})" if binding < around else text


def _number(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT and str(value) != "-0.0":
        return str(int(value))
    return repr(value)


# ---- numbers and operations ----


def constant(value: Any, dtype: torch.dtype) -> Node:
    """A number, as short as its dtype allows."""
    if dtype == torch.float32:
        value = float(str(np.float32(value)))
    return Node("number", numbers=(value,))


def checked(*values: Any) -> list[Node]:
    """Nodes, or numbers for them."""
    found = [Node("number", numbers=(one,)) if type(one) in (int, float) else one for one in values]
    if not all(isinstance(one, Node) for one in found):
        raise TypeError
    return found


def binary(name: str, left: Any, right: Any) -> Node:
    inputs = checked(left, right)
    if name == "*" and inputs[1].name == "number" and inputs[1].numbers[0] in (1, -1):
        return inputs[0] if inputs[1].numbers[0] == 1 else Node("neg", (inputs[0],), (), inputs[0].shape)
    return Node(name, tuple(inputs), (), np.broadcast_shapes(*(one.shape for one in inputs)))


# ---- views ----


def padded(node: Node, rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(node.shape)) + node.shape


def reshaped(node: Node, shape: tuple[int, ...]) -> Node:
    """A node with another shape, of which axes of one element in front are left out: broadcasting makes them."""
    while shape[:1] == (1,):
        shape = shape[1:]
    if node.shape == shape:
        return node
    inner = node.inputs[0] if node.name == "reshape" else node
    return inner if inner.shape == shape else Node("reshape", (inner,), shape, shape)


def seen_as(node: Node, view: View, other: View) -> Node:
    """What one view of a storage holds, as another one of the same elements shows it."""
    if view == other or not node.shape:
        return node
    if view.shape == other.shape and view.strides == other.strides:
        return node
    sizes, dense = _dense(other)
    if not dense or view.offset != other.offset or not _dense(view)[1] or math.prod(sizes) != view.size:
        raise UnsayableError("values in another order, or in part")
    if node.shape == view.shape[-len(node.shape) :] == other.shape[-len(node.shape) :]:
        return node  # equal rows, however many of them
    sizes = tuple(size if step else 1 for size, step in zip(other.shape, other.strides, strict=True))
    return reshaped(seen(node, view.shape), sizes)


def without_ones(view: View) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sizes and strides of the axes that have more than one element."""
    axes = [(size, step) for size, step in zip(view.shape, view.strides, strict=True) if size > 1]
    return tuple(size for size, _ in axes), tuple(step for _, step in axes)


def _dense(view: View) -> tuple[tuple[int, ...], bool]:
    """The sizes of the axes along which something changes, and whether the elements lie in C order, none left out."""
    axes = [(size, step) for size, step in zip(view.shape, view.strides, strict=True) if size > 1 and step]
    sizes = tuple(size for size, _ in axes)
    return sizes, tuple(step for _, step in axes) == c_strides(sizes)


def seen(node: Node, shape: tuple[int, ...]) -> Node:
    """A node of a shape, where its axes count."""
    if padded(node, len(shape)) == shape:
        return node
    if node.name == "number":
        return Node("full", (), (node.numbers[0], *shape), shape)
    return Node("expand", (node,), shape, shape)


# ---- steps ----


def steps_of(root: Node, of: str | None, dtype: str | None) -> list[Change | Formula]:
    """A tree, cut into steps where everything goes through one value."""
    steps: list[Change | Formula] = []
    while of is None and root.has_x and root.name != "x":
        inner = next((one for one in _by_size(root) if not _has_other_x(root, one)), root)
        steps.append(_step(inner, dtype))
        root = root.with_x_for(inner)
    return steps if of is None and root.name == "x" else [*steps, Formula(root.text(), None, of, dtype)]


def _by_size(root: Node) -> list[Node]:
    """All inner nodes that have an x in them, small ones first, each once."""
    found: dict[Node, None] = {}
    todo = list(root.inputs)
    while todo:
        one = todo.pop()
        if one.has_x and one.name != "x":
            found[one] = None
            todo += one.inputs
    return sorted(found, key=lambda one: one.size)


def _has_other_x(root: Node, inner: Node) -> bool:
    """Whether an x stands in a tree outside of a node."""
    if root == inner:
        return False
    return root.name == "x" or any(_has_other_x(one, inner) for one in root.inputs)


def _step(node: Node, dtype: str | None) -> Change | Formula:
    if node.name == "neg" and node.inputs[0].name == "x":
        return Change("mul", -1.0)
    if node.name in _CHANGES and node.inputs[0].name == "x" and node.inputs[1].name == "number":
        return Change(_CHANGES[node.name], float(node.inputs[1].numbers[0]))
    return Formula(node.text(), None, None, dtype)
