"""What a row of a table looks at → whether it takes a tensor: its name, rank, dtype, the kind of its module."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion
from numbainit.maths.formats import SMALL
from numbainit.recipes.expressions import Expression, Number
from numbainit.recipes.patterns import Pattern
from numbainit.recipes.scope import NoWeightError
from numbainit.recipes.tensors import Tensor
from numbainit.recipes.variables import checked_names

FIELDS = ("match", "regex", "rank", "dtype", "kind", "parameter", "where")
_DTYPES = (
    *("float", "int", "complex"),  # all of a kind
    *("bool", *(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u"))),
    *("float32", "float64", *SMALL, "complex64", "complex128"),
)


class Conditions:
    """All of them together; what a row does not say holds. ``patterns`` are those of names.

    Examples
    --------
    >>> from numbainit.recipes.conditions import Conditions
    >>> from numbainit.recipes.tensors import Tensor
    >>> biases = Conditions({"match": ["*.bias", "*.beta"], "rank": 1}, [])
    >>> biases.label, biases.hold(Tensor("fc.bias", (8,), "float32"), lambda: {})
    ('*.bias or *.beta', True)
    """

    def __init__(self, facts: Mapping[str, Any], declared: Sequence[str]) -> None:
        globs, regexes = _several("match", facts), _several("regex", facts)
        if not globs and not regexes:
            raise InvalidValueError('a rule says which names it takes: match = "*.bias", or regex = "..."')
        self.patterns = [Pattern(text) for text in globs] + [Pattern(text, is_regex=True) for text in regexes]
        self._ranks = [_checked_rank(rank) for rank in _several("rank", facts)]
        self._dtypes = [_checked_dtype(dtype) for dtype in _several("dtype", facts)]
        self._kinds = [Pattern(kind) for kind in _several("kind", facts)]
        self._parameter = facts.get("parameter")
        if "parameter" in facts and type(self._parameter) is not bool:
            raise InvalidTypeError(f"parameter is true or false, got {shown(self._parameter)}")
        where = None if "where" not in facts else Expression(facts["where"], condition=True)
        self._where = where and checked_names(where, declared)

    def hold(self, tensor: Tensor, scope: Callable[[], Mapping[str, Number]]) -> bool:
        """Whether they do of a tensor whose name fits; ``scope`` makes what an expression sees."""
        return (
            (not self._ranks or len(tensor.shape) in self._ranks)
            and (self._parameter is None or tensor.is_parameter == self._parameter)
            and (not self._dtypes or _is_of(tensor.dtype, self._dtypes))
            and (not self._kinds or any(one.takes(kind) for one in self._kinds for kind in tensor.kinds))
            and self._holds(scope)
        )

    def _holds(self, scope: Callable[[], Mapping[str, Number]]) -> bool:
        """``where``, which does not hold if it asks for the weight beside a tensor, and there is none."""
        try:
            return self._where is None or bool(self._where(scope()))
        except NoWeightError:
            return False

    @property
    def label(self) -> str:
        """Which names it takes."""
        return " or ".join(pattern.text for pattern in self.patterns)


def _several(field: str, facts: Mapping[str, Any]) -> list[Any]:
    value = facts.get(field, [])
    if isinstance(value, list) and not value and field in facts:
        raise InvalidValueError(f"{field} is an empty list: name something, or leave it out")
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _checked_rank(rank: Any) -> int:
    if type(rank) is not int or rank < 0:
        raise InvalidTypeError(f"rank is a whole number, or a list of them, got {shown(rank)}")
    return rank


def _checked_dtype(dtype: Any) -> str:
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        hint = suggestion(dtype, _DTYPES)
        raise InvalidValueError(f"dtype {shown(dtype)} is not known; {hint}Known are {', '.join(_DTYPES)}")
    return dtype


def _is_of(dtype: str, wanted: Sequence[str]) -> bool:
    return dtype in wanted or _class_of(dtype) in wanted


def _class_of(dtype: str) -> str:
    """ "int" for booleans, too."""
    return {"b": "int", "i": "int", "u": "int", "c": "complex"}.get(
        dtype[0] if not dtype.startswith("bf") else "f", "float"
    )
