"""Which axis of a weight is what → its splits, and how many inputs and outputs meet in each: fan-in and fan-out."""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, SupportsIndex, TypeAlias

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.weights.numbers import whole, wholes

_DEFAULTS = {"groups": 1, "splits": 1, "transposed": False}


class Split(NamedTuple):
    """The range [begin, end) of an axis, which has fans of its own."""

    axis: int
    begin: int
    end: int
    fan_in: int
    fan_out: int

    def slices(self, start: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
        """What of this split lies in an array of ``shape`` that begins at ``start``, as an index of that array."""
        offset, length = start[self.axis], shape[self.axis]
        begin, end = (min(max(bound - offset, 0), length) for bound in (self.begin, self.end))
        return tuple(slice(begin, end) if axis == self.axis else slice(0, size) for axis, size in enumerate(shape))


class Layout:
    """Which axis of a weight is what, and so which inputs meet in an output: what fans are counted from.

    Parameters
    ----------
    axes : str, optional
        A letter an axis: ``O`` outputs, ``I`` inputs, ``E`` experts (independent weights stacked in one array, which no
        fan counts), any other letter an axis of the receptive field. There may be several of each: ``"IOO"`` is
        (features, heads, size of a head). ``"OI"`` and ``"IO"`` also stand for more axes, all of the receptive field,
        behind these: (out, in, *receptive field) is torch's, and what is meant without ``axes``; of a transposed
        convolution torch's is (in, out, *receptive field), "IO".
    groups : int
        Of a grouped convolution, whose weight holds all outputs, and the inputs of one group.
    splits : int or sequence of ints
        Projections that are fused along the one axis of outputs: how many equal ones, or the size of each. Each has
        the fans that it would have alone.
    transposed : bool
        A transposed convolution: with groups, its weight holds all inputs, and the outputs of one group; without
        ``axes`` it is stored as torch stores it.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        Axes without an O or an I, numbers that are not positive ints, groups together with splits.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.Layout("HWIO").fans((3, 3, 16, 32))
    (144, 288)
    >>> init.Layout(groups=4).fans((4, 1, 3, 3))                   # depthwise: torch.nn.Conv2d(4, 4, 3, groups=4)
    (9, 9)
    >>> init.Layout(transposed=True).fans((16, 32, 3, 3))          # torch.nn.ConvTranspose2d(16, 32, 3)
    (144, 288)
    >>> init.Layout("EIO").fans((8, 512, 2048))                    # eight experts
    (512, 2048)
    >>> init.Layout(splits=3).fans((2304, 768))                    # query, key and value in one weight
    (768, 768)
    """

    axes: str
    groups: int
    splits: int | tuple[int, ...]
    transposed: bool

    def __init__(
        self,
        axes: str | None = None,
        *,
        groups: SupportsIndex = 1,
        splits: SupportsIndex | Sequence[SupportsIndex] = 1,
        transposed: bool = False,
    ) -> None:
        set_once = functools.partial(object.__setattr__, self)
        if type(transposed) is not bool:
            raise InvalidTypeError(f"transposed is True or False, got {shown(transposed)}")
        set_once("transposed", transposed)
        set_once("axes", _checked_axes(("IO" if transposed else "OI") if axes is None else axes))
        set_once("groups", _positive("groups", groups))
        set_once("splits", _checked_splits(splits))
        if self.splits != 1 and (not self.splits or self.groups != 1 or self.axes.count("O") != 1):
            raise InvalidValueError(
                f"splits cut the one axis of outputs of a weight without groups, got {self!r}: name the axis that they "
                "are fused along O"
            )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Layout does not change, since others may hold it: make a new one")

    def _key(self) -> tuple:
        return self.axes, self.groups, self.splits, self.transposed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        unusual = [name for name, usual in _DEFAULTS.items() if getattr(self, name) != usual]
        given = [f"{name}={shown(getattr(self, name))}" for name in unusual]
        return f"Layout({', '.join([repr(self.axes), *given])})"

    def to_dict(self) -> "str | dict[str, Any]":
        """The axes where they say all, else the arguments: what JSON and TOML can hold.

        Examples
        --------
        >>> import numbainit as init
        >>> init.Layout("HWIO").to_dict(), init.Layout(groups=4).to_dict()
        ('HWIO', {'axes': 'OI', 'groups': 4})
        """
        splits = list(self.splits) if isinstance(self.splits, tuple) else self.splits
        facts = {"groups": self.groups, "splits": splits, "transposed": self.transposed}
        given = {name: value for name, value in facts.items() if value != _DEFAULTS[name]}
        return {"axes": self.axes, **given} if given else self.axes

    @classmethod
    def from_dict(cls, facts: "str | Mapping[str, Any]") -> "Layout":
        """The layout whose :meth:`to_dict` this is."""
        if isinstance(facts, str):
            return cls(facts)
        if not isinstance(facts, Mapping):
            raise InvalidTypeError(f"a Layout is written as its axes or as a mapping, got {shown(facts)}")
        unknown = set(facts) - {"axes", *_DEFAULTS}
        if unknown:
            raise InvalidValueError(f"a Layout has axes, {', '.join(_DEFAULTS)}, got {sorted(map(str, unknown))}")
        return cls(**facts)

    def order(self, ndim: int) -> str:
        """A letter for each of ``ndim`` axes."""
        if len(self.axes) == ndim:
            return self.axes
        if self.axes in ("OI", "IO") and ndim > 2:
            return self.axes + "." * (ndim - 2)
        raise InvalidValueError(
            f"layout {shown(self.axes)} names {len(self.axes)} axes, the array has {ndim}: name each axis, O "
            "outputs, I inputs, E experts, other letters the receptive field, such as 'HWIO'"
        )

    def fans(self, shape: Sequence[int]) -> tuple[int, int]:
        """``(fan_in, fan_out)`` of a weight of this shape, or of one of the equal projections that are fused in it."""
        splits = splits_of(self, _naturals(shape))
        if len(splits) > 1:
            raise InvalidValueError(f"{self!r} has fans for each split, not for all of them")
        return splits[0].fan_in, splits[0].fan_out

    def cut(self, shape: tuple[int, ...]) -> tuple[Split, ...]:
        """The ranges of a weight of this shape that have fans of their own: one, but for a sequence of splits."""
        letters = self.order(len(shape))
        sizes = list(zip(letters, shape, strict=True))
        count = {kind: math.prod(size for letter, size in sizes if letter == kind) for kind in "OI"}
        receptive = math.prod(size for letter, size in sizes if letter not in "OIE")
        grouped = "I" if self.transposed else "O"
        if count[grouped] % self.groups:
            raise InvalidValueError(
                f"{shown(self.groups)} groups do not divide the {grouped} axis of shape {shown(shape)}"
            )
        count[grouped] //= self.groups
        axis = letters.index("O")
        begins, ends = self._cuts(count["O"], shape)
        whole = shape[axis] if len(begins) == 1 else None
        return tuple(
            Split(axis, begin, whole or end, count["I"] * receptive, (end - begin) * receptive)
            for begin, end in zip(begins, ends, strict=True)
        )

    def _cuts(self, outputs: int, shape: tuple[int, ...]) -> tuple[list[int], list[int]]:
        """Where the splits begin and end; of equal ones only the first."""
        if isinstance(self.splits, int):
            if outputs % self.splits:
                raise InvalidValueError(
                    f"{shown(self.splits)} equal splits do not divide the O axis of shape {shown(shape)}"
                )
            return [0], [outputs // self.splits]
        if sum(self.splits) != outputs:
            raise InvalidValueError(
                f"splits {shown(self.splits)} sum to {shown(sum(self.splits))}, the O axis of shape {shown(shape)} is "
                f"{shown(outputs)}"
            )
        ends = list(itertools.accumulate(self.splits))
        return [0, *ends[:-1]], ends


LayoutLike: TypeAlias = str | Layout


def channels_last(ndim: int) -> str:
    """The layout of JAX and Keras: the last two axes are inputs and outputs, those before the receptive field.

    Examples
    --------
    >>> from numbainit.weights.layouts import channels_last
    >>> channels_last(2), channels_last(4)
    ('IO', 'XXIO')
    """
    return "X" * (ndim - 2) + "IO"


def as_layout(layout: LayoutLike) -> Layout:
    """What users pass as ``layout=``, checked."""
    given: Any = layout
    if issubclass(type(given), Layout):
        found: Layout = given
        return found
    if not issubclass(type(given), str):
        raise InvalidTypeError(f"layout is a str such as 'OI' or 'HWIO', or a numbainit.Layout, got {shown(given)}")
    return Layout(given)


def axes_by_kind(layout: LayoutLike, ndim: int) -> tuple[tuple[int, ...], ...]:
    """The numbers of the axes that are experts, outputs, inputs and the receptive field."""
    return _axes(layout if issubclass(type(layout), str) else as_layout(layout), ndim)


@functools.lru_cache(maxsize=256)
def _axes(layout: LayoutLike, ndim: int) -> tuple[tuple[int, ...], ...]:
    letters = as_layout(layout).order(ndim)
    kinds = ["EOI".find(letter) % 4 for letter in letters]  # 3 for all others
    return tuple(tuple(axis for axis in range(ndim) if kinds[axis] == kind) for kind in range(4))


@functools.lru_cache(maxsize=1024)
def _splits(layout: LayoutLike, shape: tuple[int, ...]) -> tuple[Split, ...]:
    if len(shape) < 2:
        raise InvalidValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, "
            f"got shape {shown(shape)}: use normal_ or uniform_ with a width of your choice"
        )
    return as_layout(layout).cut(shape)


def splits_of(layout: LayoutLike, shape: tuple[int, ...]) -> tuple[Split, ...]:
    """The ranges of a weight that have fans of their own."""
    return _splits(layout if issubclass(type(layout), str) else as_layout(layout), shape)


def _checked_axes(axes: Any) -> str:
    if not issubclass(type(axes), str):
        raise InvalidTypeError(f"the axes of a layout are a str such as 'OI' or 'HWIO', got {shown(axes)}")
    letters: str = axes.upper()
    if not (axes.isascii() and axes.isalpha()) or "O" not in letters or "I" not in letters:
        raise InvalidValueError(
            f"layout {shown(axes)} needs an O (outputs), an I (inputs), and a letter for each other axis: E for "
            "experts, any other for the receptive field"
        )
    return letters


def _naturals(shape: Sequence[SupportsIndex]) -> tuple[int, ...]:
    try:
        sizes = wholes(shape)
    except TypeError:
        raise InvalidTypeError(f"the sizes of a shape are ints, got {shown(shape)}") from None
    if any(size < 0 for size in sizes):
        raise InvalidValueError(f"the sizes of a shape are not negative, got {shown(sizes)}")
    return sizes


def _checked_splits(splits: Any) -> int | tuple[int, ...]:
    if issubclass(type(splits), str) or not hasattr(splits, "__len__"):
        return _positive("splits", splits)
    try:
        sizes = list(splits)
    except Exception:
        raise InvalidTypeError(f"splits of a layout are an int or a sequence of ints, got {shown(splits)}") from None
    return tuple(_positive("splits", size) for size in sizes)


def _positive(name: str, value: object) -> int:
    try:
        number = whole(value)
    except TypeError:
        raise InvalidTypeError(f"{name} of a layout must be an int, got {shown(value)}") from None
    if number < 1:
        raise InvalidValueError(f"{name} of a layout must be at least 1, got {shown(number)}")
    return number
