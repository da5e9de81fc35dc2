"""An operation of torch, and the nodes of its arguments → the node of what it makes, where a formula can say that."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from numbainit.recipes.formulas import ELEMENTWISE
from numbainit.torch.nodes import EXACT, Node, binary, checked, constant, reshaped, seen
from numbainit.torch.sheets import Made, Piece

_MOST_NUMBERS = 64  # of a literal table
SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}


def _arithmetic(name: str, step: Made, left: Any, right: Any, alpha: float = 1) -> Node:
    scaled = right * alpha if type(right) in (int, float) else binary("*", right, alpha)
    return binary(SYMBOLS[name], left, scaled)


def _reversed(name: str, step: Made, left: Any, right: Any, alpha: float = 1) -> Node:
    return _arithmetic("sub", step, right, left, alpha)


def _negative(name: str, step: Made, value: Node) -> Node:
    return Node("neg", (value,), (), value.shape)


def _reciprocal(name: str, step: Made, value: Node) -> Node:
    return binary("/", 1, value if name == "reciprocal" else Node("sqrt", (value,), (), value.shape))


def _elementwise(name: str, step: Made, value: Node) -> Node:
    (value,) = checked(value)
    return Node(name, (value,), (), value.shape)


def _clamped(name: str, step: Made, value: Node, low: Any = None, high: Any = None, **bounds: Any) -> Node:
    low, high = bounds.get("min", low), bounds.get("max", high)
    (low, high) = (None, low) if name == "clamp_max" else (low, high)
    for bounding, bound in (("max", low), ("min", high)):
        if bound is not None:
            value = binary(bounding, value, bound)
    return value


def _arange(name: str, step: Made, *numbers: float, **given: float) -> Node:
    numbers = (*numbers, *given.values())
    if any(type(one) not in (int, float) or abs(one) > EXACT for one in numbers):
        raise TypeError
    if len(numbers) == 3 and numbers[2] == 1:
        numbers = numbers[:2]
    if len(numbers) == 2 and numbers[0] == 0:
        numbers = numbers[1:]
    return Node("arange", (), numbers, step.view.shape)


def _literal(name: str, step: Made, values: Any) -> Node:
    if not isinstance(values, torch.Tensor) or values.is_complex() or values.numel() > _MOST_NUMBERS:
        raise TypeError
    numbers = [constant(one, values.dtype).numbers[0] for one in values.flatten().tolist()]
    return reshaped(Node("array", (), tuple(numbers), (len(numbers),)), tuple(values.shape))


def _linspace(name: str, step: Made, start: float, stop: float, count: int) -> Node:
    return Node("linspace", (), (start, stop, count), step.view.shape)


def _joined(name: str, step: Made, values: list[Node], dim: int = 0) -> Node:
    rank, shapes = len(step.view.shape), [tuple(_shape(one)) for one in step.args[0]]
    axis = dim - rank if dim >= 0 else dim
    parts = [seen(one, shape) for one, shape in zip(checked(*values), shapes, strict=True)]
    if name == "stack":
        shapes = [(*shape[: axis + rank], 1, *shape[axis + rank :]) for shape in shapes]
        parts = [reshaped(*pair) for pair in zip(parts, shapes, strict=True)]
    return Node("cat", tuple(parts), (axis,), step.view.shape)


def _shape(value: Any) -> Any:
    return value.view.shape if isinstance(value, Piece) else value.shape


def _repeated(name: str, step: Made, value: Node, repeats: Sequence[int]) -> Node:
    shape = _shape(step.args[0])
    shape = (1,) * (len(repeats) - len(shape)) + tuple(shape)
    if all(count == 1 or size == 1 for count, size in zip(repeats, shape, strict=True)):
        return value  # broadcasting repeats it
    around = tuple(number for pair in zip(repeats, shape, strict=True) for number in pair)
    inner = tuple(number for size in shape for number in (1, size))
    return reshaped(Node("expand", (reshaped(seen(value, shape), inner),), around, around), step.view.shape)


def _triangle(name: str, step: Made, value: Node, diagonal: int = 0) -> Node:
    inner = seen(checked(value)[0], step.view.shape)
    return Node(name, (inner,), (diagonal,) if diagonal else (), inner.shape)


def _norm(name: str, step: Made, value: Node, order: Any = 2, dims: Any = None, keep: bool = False, **_: Any) -> Node:
    value = seen(value, _shape(step.args[0]))
    rank = len(value.shape)
    axes = sorted(dim % rank for dim in (dims or range(rank)))
    if order not in (2, None) or 0 in value.shape:
        raise TypeError
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(value.shape))
    shape = tuple(size for axis, size in enumerate(value.shape) if axis not in axes)
    node = Node("norm", (value,), tuple(axes), shape)
    return reshaped(node, kept) if keep else node


#: the name of an operation → what makes its node of a step and the arguments
MAKERS: Mapping[str, Callable[..., Node]] = {
    **dict.fromkeys(SYMBOLS, _arithmetic),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max"), _clamped),
    **dict.fromkeys(("reciprocal", "rsqrt"), _reciprocal),
    **dict.fromkeys(("cat", "stack"), _joined),
    **dict.fromkeys(("tril", "triu"), _triangle),
    **dict.fromkeys(("norm", "linalg_vector_norm"), _norm),
    **dict.fromkeys((*ELEMENTWISE, "abs", "sqrt"), _elementwise),
    "arange": _arange,
    "linspace": _linspace,
    "clone": _literal,
    "neg": _negative,
    "repeat": _repeated,
    "rsub": _reversed,
}
