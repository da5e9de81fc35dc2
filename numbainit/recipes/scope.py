"""Declared variables, a model's tensors and what the user says → the values of names in expressions.

A variable is given by the user, or else read from names and shapes, or computed from earlier ones, or its default. It
is looked for when an expression asks for it, so that nobody is asked for what no parameter needs.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from numbainit.errors import InvalidValueError, shown, suggestion
from numbainit.recipes.expressions import Number
from numbainit.recipes.tensors import Tensor
from numbainit.recipes.variables import BESIDE, OF_FANS, Variable, checked_number, is_of_a_tensor
from numbainit.weights.layouts import Layout

_DIGITS = re.compile(r"\d+")


class NoWeightError(InvalidValueError):
    """An expression asks for the weight beside a tensor that has none."""


class Values(Mapping[str, Number]):
    """The values of declared variables for the tensors of a model; those that the user gives come first.

    Examples
    --------
    >>> from numbainit.recipes.tensors import Tensor
    >>> from numbainit.recipes.scope import Values
    >>> from numbainit.recipes.variables import variable
    >>> layers = variable("layers", {"count": "*.h.{}.*"}, [])
    >>> values = Values([layers], [Tensor(f"h.{n}.weight", (4, 4), "float32") for n in range(12)], {})
    >>> values["layers"]
    12
    """

    def __init__(self, declared: Sequence[Variable], tensors: Sequence[Tensor], given: Mapping[str, Any]) -> None:
        self._declared = {one.name: one for one in declared}
        self._tensors = tensors
        self._by_name: dict[str, Tensor] = {}
        self._known = {name: self._checked(name, value) for name, value in given.items()}

    def _checked(self, name: Any, value: Any) -> Number:
        if name not in self._declared:
            hint = suggestion(name, self._declared)
            known = f"Known are {', '.join(self._declared)}" if self._declared else "These rules have none"
            raise InvalidValueError(f"no variable is named {shown(name)}; {hint}{known}")
        return checked_number(f"variable {shown(name)}", value)

    def __getitem__(self, name: str) -> Number:
        if name not in self._known:
            self._known[name] = self._found(self._declared[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)

    def beside(self, bias: Tensor) -> Tensor:
        """The weight that a bias belongs to: of its name with ``weight`` for ``bias`` in the last component."""
        head, dot, last = bias.name.rpartition(".") if "." in bias.name else bias.name.rpartition("/")
        self._by_name = self._by_name or {tensor.name: tensor for tensor in self._tensors}
        weight = self._by_name.get(head + dot + last.replace("bias", "weight"))
        if weight is None or weight is bias:
            raise NoWeightError(f"there is no weight beside {bias.name!r}")
        return weight

    @property
    def known(self) -> dict[str, Number]:
        """Those that were asked for."""
        return dict(self._known)

    def _found(self, one: Variable) -> Number:
        if one.value is not None:
            number: Number = one.value(self)
            return number
        found = one.read(self._tensors)
        if found is None:
            found = one.default
        if found is None:
            raise InvalidValueError(
                f"variable {one.name!r} is needed, and {one.wanted}: give it, as variables={{{one.name!r}: ...}} or "
                f"--set {one.name}=..."
            )
        return found


class Scope(Mapping[str, Number]):
    """What an expression of a rule sees: the variables, and the facts of one tensor."""

    def __init__(self, values: Values, tensor: Tensor, fans: Callable[[], tuple[int, int]]) -> None:
        self._values, self._tensor, self._fans = values, tensor, fans

    def __getitem__(self, name: str) -> Number:
        return self._fact(name) if is_of_a_tensor(name) else self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _fact(self, name: str) -> Number:
        tensor = self._tensor
        if name.startswith(BESIDE):
            weight = self._values.beside(tensor)
            return Scope(self._values, weight, lambda: Layout().fans(weight.shape))[name.removeprefix(BESIDE)]
        if name == "rank":
            return len(tensor.shape)
        if name == "size":
            return tensor.size
        if name in OF_FANS:
            return self._fans()[name == "fan_out"]
        kind, index = name[0], int(name[1:])
        found = tensor.shape if kind == "d" else _DIGITS.findall(tensor.name)
        if index >= len(found):
            has = f"shape {tensor.shape}" if kind == "d" else f"{len(found)} numbers in its name"
            raise InvalidValueError(f"there is no {name}: {tensor.name!r} has {has}")
        return int(found[index])
