"""A name and arguments → an initializer as a value: what recipes, frameworks and files hold, and call to fill.

The family is that of :mod:`numbainit.init` and :mod:`numbainit.beyond.init`, and so are the arguments: its functions'
own signatures say which there are, and whether one draws.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from numbainit import init
from numbainit.beyond import init as beyond
from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion
from numbainit.generator import Generator, GeneratorLike
from numbainit.schemes import isometries
from numbainit.weights.blocks import Block
from numbainit.weights.fans import DEFAULT_SLOPE
from numbainit.weights.layouts import Layout, LayoutLike, as_layout, axes_by_kind
from numbainit.weights.numbers import integer, scalar

A = TypeVar("A")
_OF_A_CALL = ("tensor", "generator", "block")  # parameters that belong to a call, not to the value
_WHOLE = ("groups", "upscale")  # arguments that are whole numbers
_MODULES = {name.removesuffix("_"): module for module in (init, beyond) for name in module.__all__}
#: what those that take no block refuse of a shape, with a layout
_REFUSALS: dict[str, Callable[..., None]] = {
    "orthogonal": isometries.check_orthogonal,
    "delta_orthogonal": isometries.check_kernel,
    "convolution_orthogonal": isometries.check_kernel,
}
NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}  # what JSON has no numbers for


@functools.cache
def names() -> tuple[str, ...]:
    """The names of the family, without the underscore.

    Examples
    --------
    >>> from numbainit.initializers import names
    >>> names()[:4]
    ('bilinear', 'bits', 'constant', 'convolution_orthogonal')
    """
    return tuple(sorted(_MODULES))


@functools.cache
def parameters(name: str) -> Mapping[str, Any]:
    """The arguments of an initializer and their defaults (``inspect.Parameter.empty`` where there is none).

    A layout's default is None: that of the array, which the caller may know.

    Examples
    --------
    >>> from numbainit.initializers import parameters
    >>> dict(parameters("normal"))
    {'mean': 0.0, 'std': 1.0}
    """
    found = {key: one.default for key, one in _signature(name).items() if key not in _OF_A_CALL}
    return MappingProxyType(found | ({"layout": None} if "layout" in found else {}))


def taking(parameter: str) -> tuple[str, ...]:
    """The initializers that an argument belongs to.

    Examples
    --------
    >>> from numbainit.initializers import taking
    >>> taking("mode")
    ('icnr', 'kaiming_normal', 'kaiming_uniform', 'variance_scaling')
    """
    return tuple(name for name in names() if parameter in parameters(name))


@functools.cache
def _signature(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(_function(name)).parameters


def _function(name: str) -> Callable[..., Any]:
    """The one that fills in place."""
    found: Callable[..., Any] = getattr(_MODULES[name], name + "_")
    return found


def needed(name: str) -> tuple[str, ...]:
    """The arguments of an initializer that have no default.

    Examples
    --------
    >>> from numbainit.initializers import needed
    >>> needed("sparse"), needed("normal")
    (('sparsity',), ())
    """
    return tuple(key for key, default in parameters(name).items() if default is inspect.Parameter.empty)


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Initializer:
    """An initializer and its arguments: a value that fills the array that it is called with.

    Parameters
    ----------
    name : str
        Of the family, without the underscore: "normal", "kaiming_uniform", "dirac", ...
    **arguments
        Those of the in-place function, but for the array, ``generator`` and ``block``. All others have its defaults. A
        ``layout`` is that of the arrays; None leaves it to the call.

    Attributes
    ----------
    name : str
    arguments : mapping
        All of them, defaults filled in; ``given`` are those that differ from the defaults.
    draws, takes_block : bool
        Whether it takes a draw of its generator, and whether a part of a larger array can be filled alone.
    label : str
        The call without the array, defaults left out.

    Raises
    ------
    InvalidValueError
        An unknown name, an argument that the initializer does not take, or one that is missing.
    InvalidTypeError
        An argument that is no number, no text or no layout where it should be one. What numbers mean is checked by the
        function, when it is called.

    Notes
    -----
    Equal where name and all arguments are, with an equal hash; picklable. 1 is 1.0, NaN is NaN, and -0.0 is not 0.0.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> kaiming = init.Initializer("kaiming_normal", mode="fan_out", nonlinearity="relu")
    >>> w = kaiming(np.empty((64, 32), "float32"), generator=0)
    >>> bool((w == init.kaiming_normal((64, 32), mode="fan_out", nonlinearity="relu", generator=0)).all())
    True
    >>> kaiming.draws, kaiming.label
    (True, "kaiming_normal(mode='fan_out', nonlinearity='relu')")
    >>> init.Initializer.from_dict(kaiming.to_dict()) == kaiming
    True
    """

    name: str
    _arguments: tuple[tuple[str, Any], ...]

    def __init__(self, name: str, /, **arguments: Any) -> None:
        known = parameters(checked_name(name))
        for argument in arguments:
            if argument not in known:
                raise _misplaced(name, argument)
        missing = [argument for argument in needed(name) if argument not in arguments]
        if missing:
            wanted = " and ".join(missing)
            raise InvalidValueError(f"{name} needs {wanted}: pass Initializer({name!r}, {missing[0]}=...)")
        complete = {**known, **arguments}
        if "nonlinearity" in known and complete["a"] is None:  # the slope of leaky_relu, if torch is to choose it
            complete["a"] = DEFAULT_SLOPE
        checked = tuple((argument, _checked(argument, value, known[argument])) for argument, value in complete.items())
        object.__setattr__(self, "name", str(name))
        object.__setattr__(self, "_arguments", checked)

    def _key(self) -> tuple[Any, ...]:
        return self.name, *((argument, _identity(value)) for argument, value in self._arguments)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Initializer) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    @property
    def arguments(self) -> Mapping[str, Any]:
        return MappingProxyType(dict(self._arguments))

    @property
    def given(self) -> dict[str, Any]:
        """The arguments that differ from the defaults."""
        usual = parameters(self.name)
        return {key: value for key, value in self._arguments if _identity(value) != _identity(usual[key])}

    @property
    def draws(self) -> bool:
        """Whether it takes a draw of its generator; constants and identities take none."""
        return "generator" in _signature(self.name)

    @property
    def takes_block(self) -> bool:
        """Whether a part of a larger array can be filled alone."""
        return "block" in _signature(self.name)

    @property
    def label(self) -> str:
        """The call without the array, defaults left out: ``normal(std=0.02)``."""
        return f"{self.name}({_written(self.given)})"

    def __repr__(self) -> str:
        return f"Initializer({', '.join([repr(self.name), *filter(None, [_written(self.given)])])})"

    def __call__(
        self,
        array: A,
        generator: GeneratorLike = None,
        *,
        block: Block | None = None,
        layout: LayoutLike | None = None,
    ) -> A:
        """Fill an array in place.

        Parameters
        ----------
        array : array
            What the in-place function takes.
        generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
            Where values come from; initializers that draw nothing do not look at it.
        block : Block, optional
            ``array`` is this part of a larger array.
        layout : str or Layout, optional
            That of the array, where the initializer names none of its own and takes one.

        Returns
        -------
        The same object.

        Raises
        ------
        InvalidValueError
            A block for orthogonal matrices, no part of which can be made alone; and what the in-place function refuses.
        """
        keywords = dict(self._arguments)
        if "layout" in keywords and keywords["layout"] is None:
            keywords["layout"] = "OI" if layout is None else layout
        if block is not None:
            if not self.takes_block:
                raise InvalidValueError(
                    f"{self.name} takes no block: no part of it can be made alone; fill the whole and cut it"
                )
            keywords["block"] = block
        if self.draws:
            keywords["generator"] = generator
        filled: A = _function(self.name)(array, **keywords)
        return filled

    def check(self, shape: tuple[int, ...], dtype: np.dtype, *, layout: LayoutLike | None = None) -> None:
        """Raise, and warn of, what a call on an array of this shape and dtype would; nothing of its size is made.

        Examples
        --------
        >>> import numpy as np, numbainit as init
        >>> init.Initializer("delta_orthogonal").check((4, 8, 3), np.dtype("float32"))
        Traceback (most recent call last):
            ...
        numbainit.errors.InvalidValueError: a convolution keeps the norm of its input if it has at least as many ...
        """
        nobody, start = Generator.from_key(0, 0), (0,) * len(shape)
        if self.takes_block:
            self(np.empty(start, dtype), nobody, block=Block(shape, start), layout=layout)
            return
        named = self.arguments["layout"] or layout or "OI"
        _REFUSALS[self.name](shape, named)
        _, _, inputs, _ = axes_by_kind(named, len(shape))
        self(np.empty([0 if axis in inputs else size for axis, size in enumerate(shape)], dtype), nobody, layout=layout)

    def to_dict(self, *, defaults: bool = False) -> dict[str, Any]:
        """``{"name": ..., argument: ...}`` of what JSON has; arguments that are the defaults only if asked for.

        Infinities and NaN become "inf", "-inf" and "nan", a complex number the list of its two parts, a Layout its
        axes or, where these do not say all, an object.

        Examples
        --------
        >>> import numbainit as init
        >>> init.Initializer("trunc_normal", std=0.02, a=0, b=float("inf")).to_dict()
        {'name': 'trunc_normal', 'std': 0.02, 'a': 0, 'b': 'inf'}
        """
        arguments = dict(self._arguments) if defaults else self.given
        return {"name": self.name, **{argument: _plain(value) for argument, value in arguments.items()}}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Initializer":
        """The initializer whose :meth:`to_dict` this is."""
        if not isinstance(facts, Mapping) or "name" not in facts:
            raise InvalidTypeError(f"an initializer is written as a mapping with a 'name', got {shown(facts)}")
        known = parameters(checked_name(facts["name"]))
        given = {str(argument): value for argument, value in facts.items() if argument != "name"}
        return cls(facts["name"], **{key: _from_plain(key, value, known.get(key)) for key, value in given.items()})


def checked_name(name: Any, choices: tuple[str, ...] | None = None) -> str:
    """One of the names, or of some of them."""
    known = names() if choices is None else choices
    if not issubclass(type(name), str) or name not in known:
        hint = suggestion(name, known)
        raise InvalidValueError(f"no initializer is named {shown(name)}; {hint}Choose one of {', '.join(known)}")
    return str(name)


def _misplaced(name: str, argument: str) -> InvalidValueError:
    owners = ", ".join(taking(argument))
    if not owners:
        known = parameters(name)
        hint = "pass it when you call this; " if argument in _OF_A_CALL else suggestion(argument, known)
        return InvalidValueError(
            f"option {shown(argument)} does not apply to {name!r}: {hint}It takes {', '.join(known) or 'none'}"
        )
    return InvalidValueError(
        f"option {shown(argument)} does not apply to {name!r}: it belongs to {owners}; leave it out or choose one of "
        "those"
    )


def _checked(argument: str, value: Any, default: Any) -> Any:
    """A value that stays what it is: a layout as a Layout, a number of any library as Python's own."""
    if argument == "layout":
        return None if value is None else as_layout(value)
    if isinstance(default, str):
        if not isinstance(value, str):
            raise InvalidTypeError(f"{argument} must be a str, got {type(value).__name__} {shown(value)}")
        return str(value)
    if argument in _WHOLE:
        return integer(argument, value)
    return _checked_number(argument, value)


def _checked_number(argument: str, value: Any) -> int | float | complex:
    """A number, whole or real or complex: that it is the right one is for the function to say. True is 1, as there."""
    if type(value) in (int, float, complex):
        return value
    try:
        if isinstance(value, (str, bytes)) or np.ndim(value):
            raise TypeError
        plain = value.item() if hasattr(value, "item") else value
        plain = int(plain) if type(plain) is bool else plain
        return plain if type(plain) in (int, float, complex) else scalar(argument, plain)
    except Exception:  # whatever a library raises for what has no value
        raise InvalidTypeError(f"{argument} must be one value, got {type(value).__name__} {shown(value)}") from None


def _identity(value: Any) -> Any:
    """What makes a value the same, as a key: 1 and 1.0 are, NaN and NaN, but not 0.0 and -0.0."""
    if isinstance(value, complex):
        return _identity(value.real), _identity(value.imag)
    if not isinstance(value, (int, float)):
        return value
    try:
        return float(value).hex()
    except OverflowError:
        return value


def _written(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{argument}={value!r}" for argument, value in arguments.items())


def _plain(value: Any) -> Any:
    if isinstance(value, Layout):
        return value.to_dict()
    if isinstance(value, complex):
        return [_plain(value.real), _plain(value.imag)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _from_plain(argument: str, value: Any, default: Any) -> Any:
    if argument == "layout":
        return Layout.from_dict(value) if isinstance(value, Mapping) else value
    if isinstance(default, str):
        return value
    if isinstance(value, (list, tuple)) and len(value) == 2:
        even, odd = (scalar(argument, NOT_FINITE.get(half, half) if isinstance(half, str) else half) for half in value)
        return complex(even, odd)
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value
