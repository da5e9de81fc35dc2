"""Arrays of a recipe that are filled at once → the values that each has alone."""

import threading

import numpy as np
import pytest

from numbainit import Generator, Initializer
from numbainit.recipes import Change, Fill, Formula, Recipe, Weight
from numbainit.recipes import at_once as module
from numbainit.recipes.filling import make

STEPS = [
    (Fill(Initializer("normal", std=0.02)),),
    (Fill(Initializer("zeros")),),
    (Fill(Initializer("kaiming_uniform")), Change("div", 3.0)),
    (Formula("arange(512)"),),
    (Fill(Initializer("uniform")), Formula("log(x)", part=((0, 4), (0, 512)))),
    (Fill(Initializer("orthogonal")),),
    (Fill(Initializer("trunc_normal"), draw=3, of="t.0"),),
]


def model(shape=(64, 512), dtypes=("float32", "float64", "float16"), count=60):
    arrays = {f"t.{n}": np.full(shape, 7, dtypes[n % len(dtypes)]) for n in range(count)}
    recipe = Recipe({name: Weight(shape, "float32", STEPS[n % len(STEPS)]) for n, name in enumerate(arrays)})
    return recipe, arrays


def alone(recipe, arrays, seed=0):
    found = {name: np.empty(array.shape, array.dtype) for name, array in arrays.items()}
    for name, array in found.items():
        make(recipe[name], name, array, Generator(seed), None, recipe)
    return found


@pytest.fixture
def names(monkeypatch):
    """The threads that tensors were made on."""
    seen = {}

    def noted(weight, name, *rest):
        seen[name] = threading.current_thread().name
        make(weight, name, *rest)

    monkeypatch.setattr(module, "make", noted)
    return seen


def test_values_are_those_of_each_alone(names):
    recipe, arrays = model()
    assert recipe.apply(arrays, 0) is arrays
    for name, want in alone(recipe, arrays).items():
        np.testing.assert_array_equal(arrays[name], want, err_msg=name)
    assert len(names) == len(arrays)
    assert sum(thread.startswith("numbainit-fill") for thread in names.values()) > 40  # but for a short last run


@pytest.mark.parametrize(("shape", "count"), [((4, 512), 50), ((4096, 512), 2)], ids=["tiny", "large"])
def test_tiny_and_large_ones_are_filled_on_the_calling_thread(names, shape, count):
    recipe, arrays = model(shape, count=count)
    recipe.apply(arrays, 0)
    assert set(names.values()) == {threading.current_thread().name}
    for name, want in alone(recipe, arrays).items():
        np.testing.assert_array_equal(arrays[name], want, err_msg=name)


def test_an_error_on_a_thread_is_that_of_the_call(monkeypatch):
    recipe, arrays = model()

    def broken(weight, name, *rest):
        raise MemoryError(name)

    monkeypatch.setattr(module, "make", broken)
    with pytest.raises(MemoryError, match=r"t\.\d+"):
        recipe.apply(arrays, 0)
