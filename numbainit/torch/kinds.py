"""A module → what its tensors mean to an initializer: which axes count, gates with fans of their own, rows of zeros.

A name and a shape do not tell that a convolution is grouped or transposed, that four gates lie in one matrix, or which
row of an embedding is padding. The module does.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch

from numbainit.initializers import Initializer, parameters
from numbainit.recipes.filling import MATRICES
from numbainit.recipes.steps import Fill, Step, Weight
from numbainit.weights.layouts import Layout

_ZEROS = Initializer("zeros")
_GATES = {"LSTM": 4, "LSTMCell": 4, "GRU": 3, "GRUCell": 3}
_GATED = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Meaning(NamedTuple):
    """What a tensor means.

    ``layout`` is its own, ``gates`` is how many matrices lie one above the other in it, ``zeros`` are rows that stay 0.
    """

    layout: Layout | None = None
    gates: int = 1
    zeros: tuple[int, ...] = ()


def _convolution(module: Any) -> dict[str, Meaning]:
    return {"weight": Meaning(Layout(groups=module.groups))} if module.groups > 1 else {}


def _transposed(module: Any) -> dict[str, Meaning]:
    return {"weight": Meaning(Layout("IO", groups=module.groups, transposed=True))}


def _inputs_first(module: Any) -> dict[str, Meaning]:
    return {"weight": Meaning(Layout("IO"))}


def _embedding(module: Any) -> dict[str, Meaning]:
    return {} if module.padding_idx is None else {"weight": Meaning(zeros=(module.padding_idx,))}


def _recurrent(module: Any) -> dict[str, Meaning]:
    """Gates of LSTM and GRU, also under a norm; the projection of an LSTM, weight_hr, has none."""
    gates = next((_GATES[kind.__name__] for kind in type(module).__mro__ if kind.__name__ in _GATES), 1)
    names = [*module._parameters, *getattr(module, "parametrizations", ())]
    names = [name.removesuffix("_v").removesuffix("_orig") for name in names]
    return {name: Meaning(gates=gates) for name in names if name.startswith(_GATED)}


def _attention(module: Any) -> dict[str, Meaning]:
    """Query, key and value in one matrix."""
    return {"in_proj_weight": Meaning(gates=3), "in_proj_bias": Meaning(gates=3)}


#: the class of a module, or one that it inherits from → what its tensors mean
KINDS: Mapping[str, Callable[[Any], dict[str, Meaning]]] = {
    "torch.nn.modules.conv._ConvTransposeNd": _transposed,
    "torch.nn.modules.conv._ConvNd": _convolution,
    "torch.nn.modules.sparse.Embedding": _embedding,
    "torch.nn.modules.sparse.EmbeddingBag": _embedding,
    "torch.nn.modules.rnn.RNNBase": _recurrent,
    "torch.nn.modules.rnn.RNNCellBase": _recurrent,
    "torch.nn.modules.activation.MultiheadAttention": _attention,
    "transformers.pytorch_utils.Conv1D": _inputs_first,
}


def meanings_of(module: torch.nn.Module) -> dict[str, Meaning]:
    """What the own tensors of a module mean, by name, where that is more than a name and a shape say."""
    for kind in type(module).__mro__:
        found = KINDS.get(f"{kind.__module__}.{kind.__qualname__}")
        if found is not None:
            return found(module)
    return {}


def meant(weight: Weight, meaning: Meaning) -> Weight:
    """A weight whose steps fit what the tensor means; what these say themselves, a layout or a part, stays."""
    steps = [one for step in weight.steps for one in _meant(step, weight.shape, meaning)]
    if weight.steps:
        steps += [Fill(_ZEROS, _rows(weight.shape, row, row + 1)) for row in meaning.zeros]
    return dataclasses.replace(weight, steps=tuple(steps))


def _meant(step: Step, shape: tuple[int, ...], meaning: Meaning) -> Iterator[Step]:
    if not isinstance(step, Fill) or step.part is not None:
        yield step
        return
    found = step.initializer
    if meaning.gates > 1 and found.name in MATRICES:
        size = shape[0] // meaning.gates
        for gate in range(meaning.gates):
            yield dataclasses.replace(step, part=_rows(shape, gate * size, (gate + 1) * size))
    elif "layout" in parameters(found.name) and found.arguments["layout"] is None and len(shape) > 1:
        layout = Layout(splits=meaning.gates) if meaning.gates > 1 else meaning.layout
        found = found if layout is None else Initializer(found.name, **{**found.arguments, "layout": layout})
        yield dataclasses.replace(step, initializer=found)
    else:
        yield step


def _rows(shape: tuple[int, ...], start: int, stop: int) -> tuple[tuple[int, int], ...]:
    return ((start, stop), *((0, size) for size in shape[1:]))
