"""What stands where a number belongs → a Python number; what is whole is whole everywhere, and True is not."""

import numpy as np
import pytest

import numbainit as init
from numbainit.weights.numbers import real, real_and_imaginary, scalar, whole, wholes


class Index:
    def __index__(self):
        return 5


@pytest.mark.parametrize("value", [5, np.int8(5), np.uint64(5), np.array(5), Index()])
def test_whole_numbers(value):
    assert whole(value) == 5
    assert type(whole(value)) is int


NOT_WHOLE = [True, np.True_, 5.0, np.float64(5), "5", b"5", None, [5], np.array([5]), np.array(True), 5j]


@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
def test_what_is_not_whole(value):
    with pytest.raises(TypeError):
        whole(value)


@pytest.mark.parametrize("values", [(1, 2), [1, 2], np.array([1, 2]), range(1, 3)], ids=repr)
def test_sequences(values):
    assert wholes(values) == (1, 2)


@pytest.mark.parametrize("values", ["12", b"12", bytearray(b"12"), (1, True), (1, 2.0), 3, None], ids=repr)
def test_what_is_no_sequence_of_whole_numbers(values):
    with pytest.raises(TypeError):
        wholes(values)


PLACES = {
    "shape": lambda value: init.normal(value, generator=0),
    "sizes of a shape": lambda value: init.normal((2, value), generator=0),
    "Block's shape": lambda value: init.Block((value, 2), (0, 0)),
    "Block's start": lambda value: init.Block((9, 9), (value, 0)),
    "Layout's groups": lambda value: init.Layout(groups=value),
    "Layout's splits": lambda value: init.Layout(splits=value),
    "one of splits": lambda value: init.Layout(splits=(1, value)),
    "fans": lambda value: init.Layout().fans((value, 3)),
    "dirac's groups": lambda value: init.dirac_(np.empty((5, 5, 5)), value),
    "a seed": lambda value: init.Generator(value),
    "words of a seed": lambda value: init.Generator([1, value]),
    "a key": lambda value: init.Generator.from_key(value, 0),
    "draws": lambda value: init.Generator(0, draws=value),
    "children": lambda value: init.Generator(0).spawn(value),
    "fold_in": lambda value: init.Generator(0).fold_in(value),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [5, np.int64(5), np.uint8(5)], ids=repr)
def test_every_place_takes_whole_numbers_of_any_library(place, value):
    PLACES[place](value)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [True, np.False_, 5.0, 5j, object], ids=repr)
def test_no_place_takes_anything_else(place, value):
    with pytest.raises(init.InvalidTypeError):
        PLACES[place](value)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.array(2.0), True + 1])
def test_real_numbers(value):
    assert scalar("std", value) == real("std", value) == 2.0
    assert type(real("std", value)) is float
    assert real_and_imaginary("mean", value) == (2.0, 0.0)


def test_complex_numbers_have_two_halves():
    assert real_and_imaginary("mean", np.complex64(1 + 2j)) == (1.0, 2.0)
    with pytest.raises(init.InvalidTypeError, match="std must be a real number, got complex 2j"):
        real("std", 2j)


def test_minus_zero_is_zero_and_nan_is_no_number():
    assert str(real("mean", -0.0)) == "0.0"
    assert str(scalar("mean", -0.0)) == "-0.0"
    with pytest.raises(init.InvalidValueError, match="mean must be a number, got nan"):
        real("mean", float("nan"))


@pytest.mark.full
def test_numbers_that_are_tensors_of_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    two = torch.tensor(2.0)
    for value in (two, two.clone().requires_grad_(), two.bfloat16(), two.to(torch.float8_e5m2), two.long()):
        assert scalar("std", value) == real("std", value) == 2.0
    assert real_and_imaginary("val", torch.tensor(1 + 2j, requires_grad=True)) == (1.0, 2.0)
    for value in (two[None], two.to("meta"), two + 1j):
        with pytest.raises(init.InvalidTypeError, match=r"^std must be a real number, got Tensor"):
            scalar("std", value)


@pytest.mark.parametrize(
    "value", ["2", b"2", np.array("2"), None, [2.0], np.ones(1), 10**400], ids=lambda value: str(value)[:9]
)
def test_what_is_no_real_number(value):
    with pytest.raises(init.InvalidTypeError, match=r"^std must be a real number, got"):
        scalar("std", value)
