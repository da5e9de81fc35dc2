"""A model, or what constructs one, and its initialization code → a recipe of what that code does.

The code runs on the meta device: nothing is drawn, no memory is needed.
"""

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from numbainit.errors import InvalidTypeError, shown
from numbainit.recipes import Fill, Formula, Recipe, Weight
from numbainit.recipes.steps import Step
from numbainit.torch import swapped
from numbainit.torch.context import flags_off
from numbainit.torch.locations import view_of
from numbainit.torch.names import Named, Renamed, check_known, checked_module, named_tensors, tied_names
from numbainit.torch.on_meta import OnMeta
from numbainit.torch.recording import RecordingMode
from numbainit.torch.settling import has_memory
from numbainit.torch.sheets import Region, UnsayableError, piece_of
from numbainit.torch.steps import Destination
from numbainit.torch.stopgaps import kept_generators

_MOST = 200


def record(
    model: "torch.nn.Module | Callable[[], torch.nn.Module]",
    init: "Callable[[torch.nn.Module], Any] | None" = None,
    names: Renamed = None,
    aliases: Mapping[str, str] | None = None,
) -> Recipe:
    """What a model's own code does to initialize it, as a recipe: without values, without memory.

    Parameters
    ----------
    model : torch.nn.Module or callable
        What constructs a module, as for :func:`build`: it runs on the meta device, and is recorded. Of a module itself
        a copy without memory is used; it stays as it is.
    init : callable, optional
        Called with the module, inside of what :class:`keyed` is for values: ``lambda model: model.init_weights()``. A
        module needs one.
    names, aliases
        As for :class:`keyed`: a tensor's random fills are then ``of`` the name that its generator comes from.

    Returns
    -------
    Recipe
        Name of each parameter and buffer → its :class:`~numbainit.recipes.Weight`: initializers, constants, numbers
        and formulas that change them; what these cannot say is described, and cannot be made from the recipe.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        No module; one without parameters and buffers; names or aliases of tensors that it does not have; code that
        wants to see random values, or values from before.

    Notes
    -----
    ``record(constructor).apply(tensors, generator=g)`` writes what ``build(constructor, g)`` does, and
    ``record(model, init)`` what ``init`` does inside of ``keyed(model, g)``; both are one recipe for a constructor with
    ``init``. The fans of a law are in its numbers: a bound, a standard deviation.

    Examples
    --------
    >>> import torch, numbainit as init
    >>> from numbainit.torch import record
    >>> recipe = record(lambda: torch.nn.Sequential(*(torch.nn.Linear(4, 4, bias=False) for _ in range(8))))
    >>> print(recipe)
    {0..7}.weight  [4, 4]  uniform(a=-0.5, b=0.5)
    """
    if init is not None and not callable(init):
        raise InvalidTypeError(
            f"init is called with the model, got {shown(init)}: pass lambda model: model.init_weights()"
        )
    if isinstance(model, torch.nn.Module):
        if init is None:
            raise InvalidTypeError(
                "record of a module needs the code that initializes it: pass init=lambda model: model.init_weights(), "
                "or instead of the module what constructs it"
            )
        return _initialized(_without_memory(checked_module(model, "record")), init, names, aliases)
    if not callable(model):
        raise InvalidTypeError(f"record takes a module or what constructs one, got {shown(model)}")
    mode = RecordingMode()
    with _recording(mode):
        made = checked_module(model(), "record")
    constructed = _recipe(mode, made, names, aliases)
    return constructed if init is None else _after(constructed, _initialized(made, init, names, aliases))


def _initialized(
    model: torch.nn.Module, init: Callable[[torch.nn.Module], Any], names: Renamed, aliases: Any
) -> Recipe:
    mode = RecordingMode()
    for one in named_tensors(model):
        if has_memory(one.tensor):
            mode.name(one.tensor, one.name, True)
    with flags_off(model), _recording(mode):
        init(model)
    return _recipe(mode, model, names, aliases)


@contextlib.contextmanager
def _recording(mode: RecordingMode) -> Iterator[None]:
    with kept_generators():
        swapped.opened(mode)
        try:
            with OnMeta(), mode:
                yield
        finally:
            swapped.closed()


def _without_memory(model: torch.nn.Module) -> torch.nn.Module:
    """A copy whose parameters and buffers are on the meta device, and share storages as those do."""
    memo: dict[int, Any] = {}
    storages: dict[int, torch.Tensor] = {}
    for one in named_tensors(model):
        tensor = one.tensor
        if not has_memory(tensor):
            continue
        storage = tensor.untyped_storage()
        if storage._cdata not in storages:
            storages[storage._cdata] = torch.empty(storage.nbytes(), dtype=torch.uint8, device="meta")
        view = view_of(tensor)
        meta = storages[storage._cdata].view(view.dtype).as_strided(view.shape, view.strides, view.offset)
        if one.is_parameter:
            meta = torch.nn.Parameter(meta, requires_grad=tensor.requires_grad)
        memo[id(tensor)] = meta
    return copy.deepcopy(model, memo)


def _recipe(mode: RecordingMode, model: torch.nn.Module, names: Renamed, aliases: Mapping[str, str] | None) -> Recipe:
    found = named_tensors(model, names, aliases)
    check_known(model, names, aliases)
    regions = {}
    for one in found:
        sheet = mode.sheets.get(one.tensor) if has_memory(one.tensor) else None
        if sheet is not None:
            known = next((region for region in sheet.regions if region.view == view_of(one.tensor)), None)
            regions[one.name] = known or mode.name(one.tensor, one.name, False)
    weights = {one.name: _weight(mode, one, regions.get(one.name)) for one in found}
    keys = {one.name: one.key for one in found}
    return Recipe({name: _keyed(name, one, keys) for name, one in _of_known(weights).items()}, tied_names(model))


def _keyed(name: str, weight: Weight, keys: Mapping[str, str]) -> Weight:
    """The same with fills of the names that generators come from."""

    def keyed(step: Step) -> Step:
        if not isinstance(step, Fill) or not step.initializer.draws:
            return step
        key = keys.get(step.of or name, step.of)
        return _with(step, of=None if key == name else key)

    return _with(weight, steps=tuple(map(keyed, weight.steps)))


def _of_known(weights: dict[str, Weight]) -> dict[str, Weight]:
    """The same, but for formulas of what cannot be made by itself: these are computed."""
    known = dict(weights)
    for name, weight in weights.items():
        sources = [step.of for step in weight.steps if isinstance(step, Formula) and step.of is not None]
        unknown = [of for of in sources if of not in weights or not weights[of].makes_itself]
        if unknown:
            known[name] = _with(weight, steps=(), computed=f"{weight.label}, which is not known by itself")
    return known


def _weight(mode: RecordingMode, one: Named, region: Region | None) -> Weight:
    if torch.nn.parameter.is_lazy(one.tensor):
        return Weight((), "float32", (), "it has no shape yet", one.is_parameter)
    weight = Weight(tuple(one.tensor.shape), str(one.tensor.dtype).removeprefix("torch."), (), "", one.is_parameter)
    if region is None:
        return _with(weight, computed="its memory comes from elsewhere: loaded, or made by another library")
    try:
        steps = Destination(region, None, 0).known(piece_of(mode.sheets.of(one.tensor), one.tensor))
    except UnsayableError as error:
        text = str(error)
        return _with(weight, computed=text if len(text) <= _MOST else text[: _MOST - 1] + "…")
    if region.name != one.name:  # another name of the same memory
        steps = [_with(step, of=step.of or region.name) if isinstance(step, Fill) else step for step in steps]
    return _with(weight, steps=tuple(steps))


_with = dataclasses.replace


def _after(first: Recipe, then: Recipe) -> Recipe:
    """One recipe after another: what the second leaves as it is, or changes in part, is made by the first before."""
    written = {name for name, weight in then.items() if weight.steps or weight.computed}
    weights = {}
    for name, weight in then.items():
        before = first.get(name)
        if before is not None and not weight.computed and not weight.is_whole:
            stale = any(isinstance(step, Formula) and step.of in written for step in before.steps)
            computed = f"{before.label}, as it was before" if stale else before.computed
            weight = _with(weight, steps=() if computed else before.steps + weight.steps, computed=computed)
        weights[name] = weight
    return Recipe(weights, then.ties)
