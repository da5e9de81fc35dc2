"""A formula as text, and what a tensor holds → values: what models compute instead of drawing, by NumPy alone.

Tables of positions and frequencies, and functions of random values: ``log(arange(1, 17))``, ``x + log(-expm1(-x))``.

===================================  =================================================================
``x``                                what the tensor holds before, or another tensor holds
``+ - * / **``, ``max min``          element by element, with broadcasting
``exp expm1 log log1p log2``         element by element, and so are ``sin cos tan tanh``
``sqrt abs sign``                    element by element, too
``arange(start, stop, step)``        as Python's ``range``, with any numbers
``linspace(start, stop, n)``         n numbers in equal steps, both ends among them
``array(1, 2, 3)``                   these numbers
``full(value, *shape)``              one number everywhere
``reshape(v, *shape)``               the elements in C order
``expand(v, *shape)``                with equal ones beside them, by broadcasting
``cat(axis, u, v)``                  one after the other
``tril(v, k)``, ``triu(v, k)``       zeros above, or below, the k-th diagonal
``norm(v, *axes)``                   roots of the sums of squares along axes
===================================  =================================================================

Each operation is rounded to the dtype, as in the code that a formula was recorded from; functions are those of float64,
rounded. A formula is parsed, never run as Python, and makes no array of more elements than it is allowed.
"""

import ast
import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, suggestion

_MOST_NODES = 1000
_SMALL = 1 << 16  # elements that any formula may have on its way
_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
NUMBERS = {"inf": math.inf, "nan": math.nan}
ELEMENTWISE = ("cos", "exp", "expm1", "log", "log1p", "log2", "sign", "sin", "tan", "tanh")
_SHAPED = ("arange", "array", "cat", "expand", "full", "linspace", "norm", "reshape", "tril", "triu")
FUNCTIONS = ("abs", "max", "min", "sqrt", *ELEMENTWISE, *_SHAPED)


@functools.lru_cache(maxsize=256)
def parsed(text: str) -> ast.expr:
    """The tree of a formula, of which each node is known.

    Examples
    --------
    >>> from numbainit.recipes.formulas import parsed
    >>> parsed("exp(y)")
    Traceback (most recent call last):
    numbainit.errors.InvalidValueError: the formula 'exp(y)' has 'y', which is not known: x, numbers and functions are
    """
    tree = tree_of(text)
    check_nodes(tree, text)
    return tree


def tree_of(text: str) -> ast.expr:
    """The tree of a text, whatever is in it."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = getattr(error, "msg", error)
        raise InvalidValueError(f"the formula {text[:80]!r} cannot be read: {problem}") from None
    if sum(1 for _ in ast.walk(tree)) > _MOST_NODES:
        raise InvalidValueError(f"the formula {text[:80]!r} is too long: {_MOST_NODES} nodes are allowed")
    return tree


def check_nodes(node: ast.expr, text: str) -> None:
    """Raise for a node that is not known."""
    for one in _inner(node, text):
        check_nodes(one, text)


def _inner(node: ast.expr, text: str) -> list[ast.expr]:
    """The nodes that a known one is made of."""
    if isinstance(node, ast.BinOp) and type(node.op) in (*_OPERATORS, ast.Pow):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return [node.operand]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id in FUNCTIONS:
            return node.args
        hint = suggestion(node.func.id, FUNCTIONS)
        raise InvalidValueError(
            f"the formula {text[:80]!r} has no function {node.func.id!r}; {hint}Known: {', '.join(FUNCTIONS)}"
        )
    is_name = isinstance(node, ast.Name) and node.id in ("x", *NUMBERS)
    if is_name or (isinstance(node, ast.Constant) and type(node.value) in (int, float, bool)):
        return []
    raise InvalidValueError(
        f"the formula {text[:80]!r} has {ast.unparse(node)[:40]!r}, which is not known: x, numbers and functions are"
    )


def has_x(text: str) -> bool:
    """Whether a formula depends on what a tensor holds.

    Examples
    --------
    >>> from numbainit.recipes.formulas import has_x
    >>> has_x("exp(x)"), has_x("exp(arange(3))")
    (True, False)
    """
    return any(isinstance(node, ast.Name) and node.id == "x" for node in ast.walk(parsed(text)))


def evaluate(text: str, dtype: Any, x: np.ndarray | None = None, size: int = 0) -> np.ndarray:
    """The values of a formula.

    Parameters
    ----------
    text : str
    dtype : NumPy dtype
        That of all values: float32, float64, an integer or bool.
    x : ndarray, optional
        What ``x`` stands for.
    size : int
        Of the tensor that they are for: no array has more than four times as many elements, or 65,536.

    Examples
    --------
    >>> from numbainit.recipes.formulas import evaluate
    >>> evaluate("1 / 10000 ** (arange(0, 8, 2) / 8)", "float32")
    array([1.   , 0.1  , 0.01 , 0.001], dtype=float32)
    """
    try:
        with np.errstate(all="ignore"):
            return _Values(np.dtype(dtype), x, max(_SMALL, 4 * size)).of(parsed(text))
    except InvalidValueError:
        raise
    except (ValueError, TypeError, ArithmeticError, IndexError) as error:
        raise InvalidValueError(f"the formula {text[:80]!r} has no value in {np.dtype(dtype)}: {error}") from None


def check(text: str, shape: tuple[int, ...], x_shape: tuple[int, ...], dtype: Any = "float64") -> None:
    """Raise if a formula has no value of a shape, for an x of its own, or none of an integer dtype.

    Nothing is made where shapes are no question.

    Examples
    --------
    >>> from numbainit.recipes.formulas import check
    >>> check("arange(3)", (4,), (4,))
    Traceback (most recent call last):
    numbainit.errors.InvalidValueError: the formula 'arange(3)' gives shape (3,), and (4,) is wanted
    """
    functions = {node.func.id for node in ast.walk(parsed(text)) if isinstance(node, ast.Call)}  # type: ignore[attr-defined]
    if has_x(text) and not functions.intersection(_SHAPED):
        found = x_shape
    else:
        size = max(math.prod(shape), math.prod(x_shape))
        values = evaluate(text, "float64", np.broadcast_to(1.0, x_shape), size)
        _check_whole(text, values, np.dtype(dtype))
        found = values.shape
    try:
        fits = np.broadcast_shapes(found, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise InvalidValueError(f"the formula {text[:80]!r} gives shape {found}, and {shape} is wanted")


def _check_whole(text: str, values: np.ndarray, dtype: np.dtype) -> None:
    if dtype.kind not in "biu" or has_x(text):
        return
    with np.errstate(invalid="ignore"):
        wrong = values[values.astype(dtype) != values]
    if wrong.size:
        raise InvalidValueError(f"the formula {text[:80]!r} gives {float(wrong[0])!r}, which is no value of {dtype}")


class _Values:
    """What the nodes of a tree stand for."""

    def __init__(self, dtype: np.dtype, x: np.ndarray | None, most: int) -> None:
        self._dtype, self._x, self._most = dtype, x, most

    def of(self, node: ast.expr) -> np.ndarray:
        if isinstance(node, ast.BinOp):
            return self._binary(node.op, self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            return self._called(node.func.id, node.args)
        if isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
            return -self.of(node.operand)
        if isinstance(node, ast.Name) and node.id == "x":
            if self._x is None:
                raise ValueError("there is no x")
            return self._x.astype(self._dtype, copy=False)
        return np.asarray(_number(node), self._dtype)

    def _binary(self, op: ast.operator, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        self._allowed(np.broadcast_shapes(left.shape, right.shape))
        if isinstance(op, ast.Pow):
            return self._rounded(np.power(self._wide(left), self._wide(right)))
        return np.asarray(_OPERATORS[type(op)](left, right), self._dtype)

    def _called(self, name: str, args: list[ast.expr]) -> np.ndarray:
        if name in ELEMENTWISE:
            (value,) = map(self.of, args)
            return self._rounded(getattr(np, name)(self._wide(value)))
        if name in ("abs", "sqrt"):
            (value,) = map(self.of, args)
            return np.asarray(getattr(np, name)(value), self._dtype)
        if name in ("max", "min"):
            left, right = map(self.of, args)
            self._allowed(np.broadcast_shapes(left.shape, right.shape))
            return np.asarray((np.maximum if name == "max" else np.minimum)(left, right))
        return np.asarray(getattr(self, f"_{name}")(*args), self._dtype)

    def _wide(self, value: np.ndarray) -> np.ndarray:
        return value.astype(np.float64) if self._dtype.kind == "f" else value

    def _rounded(self, value: np.ndarray) -> np.ndarray:
        return np.asarray(value).astype(self._dtype)

    def _allowed(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 0 for size in shape) or math.prod(shape) > self._most:
            raise ValueError(f"an array of shape {shape} has more elements than the tensor allows")
        return shape

    # ---- arrays from numbers, and of another shape ----

    def _arange(self, *args: ast.expr) -> np.ndarray:
        numbers = [*map(_number, args)]
        start, stop, step = (0, *numbers, 1) if len(numbers) == 1 else (*numbers, 1)[:3]
        (length,) = self._allowed((max(0, math.ceil((stop - start) / step)),))
        return start + step * np.arange(length)

    def _linspace(self, first: ast.expr, last: ast.expr, count: ast.expr) -> np.ndarray:
        """From both ends to the middle, as torch does: the last number is that which was asked for."""
        (length,) = self._allowed(_whole([count]))
        start, stop = (self._dtype.type(_number(one)) for one in (first, last))
        if length < 2:
            return np.full(length, start)
        step, counts = (stop - start) / self._dtype.type(length - 1), np.arange(length).astype(self._dtype)
        return np.where(counts < length // 2, start + step * counts, stop - step * counts[::-1])

    def _array(self, *args: ast.expr) -> np.ndarray:
        return np.array([*map(_number, args)])

    def _full(self, value: ast.expr, *shape: ast.expr) -> np.ndarray:
        return np.full(self._allowed(_whole(shape)), _number(value))

    def _reshape(self, value: ast.expr, *shape: ast.expr) -> np.ndarray:
        return self.of(value).reshape(self._allowed(_whole(shape)))

    def _expand(self, value: ast.expr, *shape: ast.expr) -> np.ndarray:
        return np.broadcast_to(self.of(value), self._allowed(_whole(shape)))

    def _cat(self, axis: ast.expr, *values: ast.expr) -> np.ndarray:
        parts, (along,) = [*map(self.of, values)], _whole([axis])
        others = np.broadcast_shapes(*(np.take(one, [0], along).shape for one in parts))
        shapes = [(*others[:along], one.shape[along], *others[along + 1 or len(others) :]) for one in parts]
        self._allowed((sum(map(math.prod, shapes)),))
        return np.concatenate([np.broadcast_to(*pair) for pair in zip(parts, shapes, strict=True)], along)

    def _tril(self, value: ast.expr, k: ast.expr | None = None) -> np.ndarray:
        return np.tril(self.of(value), 0 if k is None else _whole([k])[0])

    def _triu(self, value: ast.expr, k: ast.expr | None = None) -> np.ndarray:
        return np.triu(self.of(value), 0 if k is None else _whole([k])[0])

    def _norm(self, value: ast.expr, *axes: ast.expr) -> np.ndarray:
        return np.sqrt(np.sum(self._wide(self.of(value)) ** 2, axis=_whole(axes)))


def _number(node: ast.expr) -> Any:
    """What stands where a number belongs."""
    if isinstance(node, ast.UnaryOp):
        return -_number(node.operand)
    if isinstance(node, ast.Name) and node.id in NUMBERS:
        return NUMBERS[node.id]
    if isinstance(node, ast.Constant):
        return node.value
    raise ValueError(f"{ast.unparse(node)[:40]!r} stands where a number belongs")


def _whole(nodes: Any) -> tuple[int, ...]:
    found = []
    for node in nodes:
        number = _number(node)
        if type(number) is not int:
            raise ValueError(f"{number!r} stands where a whole number belongs")
        found.append(number)
    return tuple(found)
