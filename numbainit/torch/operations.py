"""An operation of torch → what counts about it here: what it writes, whether it looks at values, what it makes."""

import functools
from typing import Any, NamedTuple

import torch

from numbainit.torch.histories import flat

_EMPTY = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "empty_permuted")
_CONSTANT = ("zeros", "ones", "full", "eye", "scalar_tensor", "zero", "fill")
_CONSTANT_LIKE = ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
_SAME = ("clone", "copy", "_to_copy", "detach", "lift_fresh", "lift_fresh_copy", "alias", "contiguous", "_unsafe_view")
_MASKS = (torch.bool, torch.uint8)
_OVERWRITES = ("copy", "fill", "zero")


class Facts(NamedTuple):
    """``name`` is that of torch without underscores at its end."""

    name: str
    random: bool  # asks a generator
    looks: bool  # what comes next may depend on values: a number for Python, a shape
    moves: bool  # only where a tensor lies is changed
    views: bool  # the result is a part of the argument
    writes: tuple[int | str, ...]  # the arguments that are written to
    overwrites: bool  # without reading them
    rounds: bool  # its result to the dtype of what it writes to
    fresh: bool  # makes memory that nobody has written to
    is_constant: bool
    same: bool  # the values are those of its argument
    valueless: bool  # takes the shape of its argument and no more


@functools.cache
def facts_of(func: Any) -> Facts:
    name = func._overloadpacket.__name__.rstrip("_")
    arguments = func._schema.arguments
    written = [at for at, one in enumerate(arguments) if one.alias_info is not None and one.alias_info.is_write]
    is_out = any(arguments[at].is_out for at in written)
    writes = tuple(arguments[at].name if arguments[at].kwarg_only else at for at in written)
    return Facts(
        name,
        random=torch.Tag.nondeterministic_seeded in func.tags,
        looks=bool({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}.intersection(func.tags)),
        moves=torch.Tag.inplace_view in func.tags or name in ("set", "resize", "record_stream"),
        views=not written and name != "lift_fresh" and any(one.alias_info for one in func._schema.returns),
        writes=writes,
        overwrites=is_out or name in _OVERWRITES,
        rounds=name == "copy" or torch.Tag.pointwise in func.tags,
        fresh=name in _EMPTY,
        is_constant=name in _CONSTANT or name in _CONSTANT_LIKE,
        same=name in _SAME,
        valueless=name.endswith("_like") or name.startswith("new_"),
    )


def is_by_number(facts: Facts, args: Any) -> bool:
    """Whether a call indexes by numbers: its shape does not depend on values, as it does with a mask."""
    return facts.name == "index" and all(index.dtype not in _MASKS for index in flat(args[1], torch.Tensor))


def written_by(facts: Facts, args: Any, kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors that a call writes to."""
    found: list[torch.Tensor] = []
    for at in facts.writes:
        value = kwargs.get(at) if isinstance(at, str) else (args[at] if at < len(args) else None)
        found += flat(value, torch.Tensor)
    return found


def label(facts: Facts, args: Any, kwargs: dict[str, Any], how_of: Any) -> str:
    """A call in words, as an expression of its arguments."""
    texts = [_text(value, how_of) for value in args]
    if facts.same and texts:
        return texts[1] if facts.name == "copy" and len(texts) > 1 else texts[0]
    if facts.fresh:
        return "empty"
    if facts.name == "zero":
        return "zeros"
    if facts.name == "fill":
        return f"constant({texts[1]})"
    if facts.is_constant:
        texts = texts[1:] if facts.valueless else texts
        name = facts.name.removeprefix("new_").removesuffix("_like")
        return {"full": f"constant({texts[-1]})"}.get(name, name) if texts else name
    texts += [f"{name}={_text(value, how_of)}" for name, value in kwargs.items() if type(value) in (int, float)]
    return f"{facts.name}({', '.join(texts)})"


def _text(value: Any, how_of: Any) -> str:
    if isinstance(value, torch.Tensor):
        return how_of(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_text(one, how_of) for one in value[:4])}{', …' if len(value) > 4 else ''}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
