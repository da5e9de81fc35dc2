"""Arrays of one mapping that share memory → an error with both names, and nothing is written or drawn."""

import numpy as np
import pytest

from numbainit import Generator, Initializer, InvalidValueError
from numbainit.recipes import Fill, Recipe, Weight

NORMAL = (Fill(Initializer("normal")),)


def recipe(arrays, steps=NORMAL):
    return Recipe({name: Weight(array.shape, "float32", steps) for name, array in arrays.items()})


def sevens(*shape):
    return np.full(shape, 7, "float32")


@pytest.mark.parametrize(
    "of",
    [
        lambda a: {"a": a, "b": a[1:]},
        lambda a: {"a": a[:3], "b": a[2:]},
        lambda a: {"a": a, "b": a.T},
        lambda a: {"a": a, "b": a[::-1]},
        lambda a: {"a": a[:, ::2], "b": a[:, ::3]},
        lambda a: {"a": a, "b": a.reshape(-1)},
        lambda a: {"a": a, "b": a.view("int32").view("float32")[:, :2]},
    ],
)
def test_views_that_share_are_refused_by_name(of):
    a, generator = sevens(4, 6), Generator(0)
    arrays = {"x": sevens(3), **of(a)}
    with pytest.raises(InvalidValueError, match=r"^'a' and 'b' share memory, and are different views of it"):
        recipe(arrays).apply(arrays, generator)
    assert (a == 7).all()
    assert (arrays["x"] == 7).all()
    assert generator.draws == 0


@pytest.mark.parametrize("size", [6, 1 << 18], ids=["tiny", "on threads"])
def test_views_that_interleave_are_filled_as_each_alone(size):
    memory = sevens(4, 8, size)
    arrays = {f"t.{n}": memory[:, n] for n in range(8)}
    made = recipe(arrays)
    made.apply(arrays, 3)
    for name, array in arrays.items():
        alone = {name: sevens(4, size)}
        np.testing.assert_array_equal(array, made.apply(alone, 3)[name], err_msg=name)


def test_one_array_under_two_names_has_the_values_of_the_first():
    a = sevens(4, 6)
    arrays = {"a": a, "b": a[:], "c": sevens(2)}
    made = recipe(arrays).apply(arrays, 0)
    np.testing.assert_array_equal(made["b"], recipe({"a": a}).apply({"a": sevens(4, 6)}, 0)["a"])


def test_what_passes_or_is_empty_shares_nothing():
    a = sevens(4, 6)
    arrays = {"a": a, "b": a[1:], "none": a[:0]}
    recipe(arrays).apply(arrays, 0, ignore=["b"])
    np.testing.assert_array_equal(a, recipe({"a": a}).apply({"a": sevens(4, 6)}, 0)["a"])


@pytest.mark.full
def test_parameters_that_share_memory():
    torch = pytest.importorskip("torch")
    from numbainit.torch import initialize

    model = torch.nn.ModuleList([torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4, bias=False)])
    model[1].weight = torch.nn.Parameter(model[0].weight.data.T)
    before = model[0].weight.detach().clone()
    with pytest.raises(InvalidValueError, match=r"'0.weight' and '1.weight' share memory"):
        initialize(model, generator=0)
    assert (model[0].weight == before).all()
    model[1].weight = torch.nn.Parameter(model[0].weight.data)
    alone = initialize(torch.nn.ModuleList([torch.nn.Linear(4, 4, bias=False)]), generator=0)
    assert (initialize(model, generator=0)[1].weight == alone[0].weight).all()
    assert (recipe(dict(model.named_parameters())).apply(model, 0)[1].weight != 0).all()
