"""A model, or what constructs one → its own initialization code run with numbainit's values.

:func:`keyed` is a context around such code, :func:`build` around a constructor. Both look at what torch does, operation
by operation (:mod:`numbainit.torch.mode`); where names are known only at the end, the values are made again then.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import torch

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.generator import Generator, GeneratorLike, as_generator, default_generator
from numbainit.recipes.patterns import ignored
from numbainit.torch import swapped
from numbainit.torch.flat import check_whole
from numbainit.torch.mode import KeyedMode
from numbainit.torch.names import Named, Renamed, check_known, checked_module, named_modules, named_tensors
from numbainit.torch.recording import RecordingMode
from numbainit.torch.report import Report
from numbainit.torch.settling import has_memory, listed, refuse, reported, settle
from numbainit.torch.shards import NoAssignedData, is_distributed, local_of
from numbainit.torch.stopgaps import kept_generators

M = TypeVar("M", bound=torch.nn.Module)


class keyed(contextlib.AbstractContextManager["keyed"]):  # noqa: N801 - a function to its users
    """A context in which a model's own initialization code gets numbainit's values, by the names of its tensors.

    Parameters
    ----------
    model : torch.nn.Module
        Whose parameters and buffers have names. It may be compiled, checkpointed, parallel, lazy: names are those
        without the wrappers. Tied tensors have the first of their names.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Each tensor's is ``fold_in(name)`` of it. None: the next child of the default generator.
    strict : bool
        Raise at the end if a tensor is untouched, lost or not keyed.
    names : mapping or function, optional
        A name in this model → the name that its generator comes from: global layer numbers on a pipeline stage. Names
        that a mapping does not have stay.
    aliases : mapping, optional
        A name, as ``names`` gives it → that of the tensor that it is tied to, where that one is elsewhere.
    ignore : iterable of str
        Names, or patterns such as ``"*.running_mean"``, that ``strict`` lets pass: whatever becomes of these tensors
        is no error. The code that runs fills them as any others; :meth:`numbainit.recipes.Recipe.apply` leaves alone
        what its ``ignore`` takes.

    Attributes
    ----------
    report : Report
        What became of each tensor; complete once the context is closed.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        No module, or one without parameters and buffers; names or aliases of tensors that it does not have; a context
        of the same model is open already; a fill of a parameter on the meta device; at the end, if strict, with the
        names.

    Notes
    -----
    Inside, every random fill of a named tensor, in whatever way torch is asked for it, takes its values from
    ``fold_in(name)``, each element by its number in the tensor: order, other tensors, device, dtype (but for rounding),
    strides and torch's seed do not enter. A part (``w[2:4]``, a gate, a row) has the values of that part of the whole.
    Temporaries that are copied in are made again for the tensor that they arrive in.

    The draw of a tensor is 0, and rises by one with a fill after somebody has *read* its values: to initialize twice
    gives the same values, a loop that draws until it likes what it sees ends. Printing ``w.std()`` between two fills of
    ``w`` therefore changes the second.

    torch's generator and functions are as before afterwards, also after an exception, which then says what was filled.
    Flags by which transformers skips what it has initialized are off inside.

    Examples
    --------
    >>> import torch, numbainit as init
    >>> from numbainit.torch import keyed
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    >>> with keyed(model, generator=0) as context:
    ...     for layer in model:
    ...         layer.reset_parameters()
    >>> g = init.Generator(0).fold_in("0.weight")
    >>> want = init.kaiming_uniform((4, 3), a=5**0.5, generator=g)
    >>> bool((model[0].weight.detach().numpy() == want).all())
    True
    >>> context.report["1.weight"]
    Entry(status='constant', how='constant(1)', is_parameter=True)
    """

    def __init__(
        self,
        model: torch.nn.Module,
        generator: GeneratorLike = 0,
        strict: bool = False,
        names: Renamed = None,
        aliases: Mapping[str, str] | None = None,
        ignore: Iterable[str] = (),
    ) -> None:
        self.report = Report({})
        self._model = checked_module(model, "keyed")
        self._root = _root(generator)
        self._strict, self._names, self._aliases = strict, names, aliases
        self._passes = ignored(ignore)
        self._inside = contextlib.ExitStack()

    def __enter__(self) -> "keyed":
        _check_values("keyed")
        check_whole(self._model, "keyed")
        found = named_tensors(self._model, self._names, self._aliases)
        check_known(self._model, self._names, self._aliases)
        self._mode = KeyedMode(self._root, named_modules(self._model))
        for one in found:
            _check_free(one)
            if has_memory(one.tensor):
                self._mode.name(one.tensor, one.name, one.key)
        _note_computed(self._mode, self._model)
        with contextlib.ExitStack() as stack:
            stack.enter_context(kept_generators())
            stack.enter_context(flags_off(self._model))
            if any(is_distributed(one.tensor) for one in found):
                stack.enter_context(NoAssignedData())
            stack.enter_context(_opened(self._mode))
            self._inside = stack.pop_all()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._inside.close()
        found = named_tensors(self._model, self._names, self._aliases)
        if error is not None:
            self.report = reported(self._mode, found)
            filled = self.report.names("drawn", "constant", "copied")
            error.add_note(
                f"numbainit.torch.keyed had filled {len(filled)} of {len(found)} tensors{': ' * bool(filled)}"
                f"{listed([*filled])}; see the context's report"
            )
            return
        settle(self._mode, found)
        self.report = reported(self._mode, found)
        if self._strict:
            refuse(self.report, self._passes)


def build(
    constructor: Callable[[], M],
    generator: GeneratorLike = 0,
    strict: bool = False,
    names: Renamed = None,
    aliases: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
    report: Callable[[Report], Any] | None = None,
) -> M:
    """Call what constructs a model; its constructor's own initialization gets numbainit's values, by name.

    Parameters
    ----------
    constructor : callable
        Without arguments, it returns the module: a class, or ``lambda: MyModel(config)``. Weights that it loads stay.
    generator, strict, names, aliases, ignore
        As for :class:`keyed`.
    report : callable, optional
        Called with the :class:`~numbainit.torch.report.Report`, such as ``print``.

    Returns
    -------
    The module.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        No module came back, or one without parameters and buffers, or with parameters on the meta device; names or
        aliases of tensors that it does not have; if strict, with the names, a tensor that is untouched, lost or not
        keyed.

    Notes
    -----
    A tensor has no name while it is constructed, so its values are made twice: for what looks at them, and when the
    names are known. Otherwise all is as in :class:`keyed`, with the values that it gives for the same code. What code
    has decided by (a loop that rejects) before it had a name cannot be made again, and is not keyed.

    Examples
    --------
    >>> import torch, numbainit as init
    >>> from numbainit.torch import build
    >>> model = build(lambda: torch.nn.Linear(3, 4), generator=0)
    >>> want = init.kaiming_uniform((4, 3), a=5**0.5, generator=init.Generator(0).fold_in("weight"))
    >>> bool((model.weight.detach().numpy() == want).all())
    True
    """
    if not callable(constructor) or isinstance(constructor, torch.nn.Module):
        raise InvalidTypeError(
            f"build takes what constructs a module, got {shown(constructor)}: pass lambda: MyModel(config)"
        )
    if report is not None and not callable(report):
        raise InvalidTypeError(f"report is called with the Report, got {shown(report)}: pass report=print")
    _check_values("build")
    mode, passes = KeyedMode(_root(generator), {}), ignored(ignore)
    with kept_generators(), _opened(mode):
        model = constructor()
    found = named_tensors(checked_module(model, "build"), names, aliases)
    check_known(model, names, aliases)
    meta = [one.name for one in found if one.tensor.is_meta]
    if meta:
        raise InvalidValueError(
            f"the constructor left {listed(meta)} on the meta device, where there are no values: give the model memory "
            "by model.to_empty(device='cpu'), and initialize it inside of keyed(model)"
        )
    settle(mode, found)
    result = reported(mode, found)
    if strict:
        refuse(result, passes)
    if report is not None:
        report(result)
    return model


# ---- what is on inside, and off afterwards ----


@contextlib.contextmanager
def _opened(mode: KeyedMode) -> Iterator[None]:
    swapped.opened(mode)
    try:
        with mode:
            yield
    finally:
        swapped.closed()


@contextlib.contextmanager
def flags_off(model: torch.nn.Module) -> Iterator[None]:
    """transformers marks what it has initialized, and then leaves it alone."""
    flag = "_is_hf_initialized"
    marked = [thing for thing in (*model.modules(), *model.parameters(), *model.buffers()) if flag in vars(thing)]
    before = [vars(thing).pop(flag) for thing in marked]
    try:
        yield
    finally:
        for thing, value in zip(marked, before, strict=True):
            vars(thing)[flag] = value


def _note_computed(mode: KeyedMode, model: torch.nn.Module) -> None:
    """Plain attributes that are computed from parameters, as the old ``weight_norm`` keeps the weight."""
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, torch.Tensor) and has_memory(value) and mode.cells.get(local_of(value)) is None:
                origins = [
                    tensor
                    for own, tensor in module._parameters.items()
                    if own.startswith(f"{name}_") and tensor is not None
                ]
                cell = mode.cells.of(local_of(value))
                cell.becomes("copied", name)
                cell.origins = frozenset(mode.cells.of(local_of(tensor)) for tensor in origins if has_memory(tensor))


def _check_values(caller: str) -> None:
    if any(isinstance(mode, RecordingMode) for mode in swapped.modes()):
        raise InvalidValueError(f"record has no values for {caller}: let it run the code that is inside of {caller}")


def _check_free(one: Named) -> None:
    for mode in swapped.modes():
        cell = mode.cells.get(local_of(one.tensor)) if has_memory(one.tensor) else None
        if cell is not None and cell.regions:
            raise InvalidValueError(f"{one.name!r} is keyed already: a context of this model is open around this one")


def _root(generator: GeneratorLike) -> Generator:
    return default_generator.spawn(1)[0] if generator is None else as_generator(generator)
