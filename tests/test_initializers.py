"""An initializer as a value → the array that its function fills; equal, hashable, written down and read again."""

import dataclasses
import inspect
import json
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

import cases
import numbainit as init
from numbainit import initializers
from numbainit.initializers import Initializer

COMPLETE = {  # every argument of every member, none of them a default
    "uniform": {"a": -1.5, "b": 2.5},
    "normal": {"mean": 1.0, "std": 0.5},
    "trunc_normal": {"mean": 0.5, "std": 2.0, "a": -math.inf, "b": 3.0},
    "constant": {"val": -0.25},
    "ones": {},
    "zeros": {},
    "eye": {},
    "dirac": {"groups": 2, "layout": "IO"},
    "xavier_uniform": {"gain": 2.0, "layout": "IO"},
    "xavier_normal": {"gain": 0.5, "layout": init.Layout(splits=(1, 3))},
    "kaiming_uniform": {"a": 0.3, "mode": "fan_out", "nonlinearity": "tanh", "layout": "IO"},
    "kaiming_normal": {"a": 0.2, "mode": "fan_out", "nonlinearity": "leaky_relu", "layout": init.Layout(groups=2)},
    "orthogonal": {"gain": 3.0, "layout": "IO"},
    "sparse": {"sparsity": 0.5, "std": 2.0},
    "bits": {},
    "variance_scaling": {"scale": 2.0, "mode": "fan_avg", "distribution": "uniform", "layout": "IO"},
    "lecun_uniform": {"layout": "IO"},
    "lecun_normal": {"layout": init.Layout(splits=(1, 3))},
    "lecun_truncated_normal": {"layout": "IO"},
    "glorot_truncated_normal": {"layout": "IO"},
    "he_truncated_normal": {"layout": "IO"},
    "sine": {"layer": "first", "omega": 5.0, "layout": "IO"},
    "icnr": {
        **{"upscale": 3, "scale": 1.0, "mode": "fan_out", "distribution": "truncated_normal"},
        **{"shuffle": "depth_to_space", "layout": init.Layout("OIX")},
    },
    "identity": {"gain": 2.0},
    "bilinear": {"groups": 2, "layout": "IO"},
    "delta_orthogonal": {"gain": 2.0, "layout": init.Layout("OIX")},
    "convolution_orthogonal": {"gain": 2.0, "layout": init.Layout("OIX")},
    "hadamard": {"gain": 2.0},
    "randomized_hadamard": {"gain": 2.0},
    "forget_bias": {"val": 2.0, "gates": "ijfo"},
    "log_uniform": {"a": 0.5, "b": 2.0},
    "log_of_uniform": {"a": 2.0, "b": 5.0},
    "time_step_bias": {"a": 0.5, "b": 2.0, "floor": 0.6},
    "log_arange": {"start": 2.0},
}
ODD = [
    Initializer("normal", mean=1 + 2j),
    Initializer("constant", val=math.inf),
    Initializer("constant", val=complex(math.inf, 0.5)),
    Initializer("xavier_uniform", layout=init.Layout("IO", transposed=True, groups=4)),
    Initializer("xavier_uniform", layout=init.Layout("EIO")),
]


def names():
    return [name.removesuffix("_") for name in cases.NAMES]


def made():
    return [Initializer(name, **arguments) for name, arguments in COMPLETE.items()]


def empty(name):
    return np.empty(cases.shape_for(name + "_"), cases.dtype_for(name + "_"))


def test_the_family_is_that_of_the_functions():
    assert sorted(initializers.names()) == sorted(names()) == sorted(COMPLETE)


@pytest.mark.parametrize("name", names())
def test_every_argument_of_a_function_is_one_of_the_value(name):
    of_a_call = {"tensor", "generator", "block"}
    wanted = set(inspect.signature(getattr(init, name + "_")).parameters) - of_a_call
    assert set(Initializer(name, **COMPLETE[name]).arguments) == wanted == set(COMPLETE[name])


@pytest.mark.parametrize("name", names())
def test_it_fills_as_the_function_does(name):
    initializer, generator = Initializer(name, **COMPLETE[name]), init.Generator(3)
    array = empty(name)
    assert initializer(array, generator) is array
    wanted = cases.call(name + "_", empty(name), init.Generator(3), **COMPLETE[name])
    assert array.tobytes() == wanted.tobytes()
    assert initializer.draws == (name + "_" not in cases.DRAWLESS) == bool(generator.draws)


@pytest.mark.parametrize("name", [name for name in names() if name not in ("constant", "sparse")])
def test_defaults_are_those_of_the_function(name):
    got, wanted = Initializer(name)(empty(name), 7), cases.call(name + "_", empty(name), 7)
    assert got.tobytes() == wanted.tobytes()
    assert Initializer(name).label == f"{name}()"
    assert Initializer(name).to_dict() == {"name": name}


@pytest.mark.parametrize("name", [name for name in names() if name + "_" not in cases.ORTHOGONAL])
def test_a_block_is_a_part_of_the_whole(name):
    initializer = Initializer(name, **COMPLETE[name])
    whole = initializer(empty(name), 5)
    part = initializer(np.ascontiguousarray(whole[1:3, 2:5]), 5, block=init.Block(whole.shape, (1, 2, 0)[: whole.ndim]))
    assert initializer.takes_block
    assert part.tobytes() == np.ascontiguousarray(whole[1:3, 2:5]).tobytes()


def test_no_block_of_an_orthogonal_one():
    assert not Initializer("orthogonal").takes_block
    generator, array = init.Generator(0), np.full((2, 3), 7, "f4")
    with pytest.raises(init.InvalidValueError, match="orthogonal takes no block: no part of it can be made alone"):
        Initializer("orthogonal")(array, generator, block=init.Block((4, 3), (0, 0)))
    assert generator.draws == 0
    assert (array == 7).all()


@pytest.mark.parametrize("name", initializers.taking("layout"))
def test_the_layout_of_a_call_counts_where_the_value_names_none(name):
    array = np.empty((6, 3, 4), "f4")
    with_own, without = Initializer(name, layout="XIO"), Initializer(name)
    by_call = without(array.copy(), 1, layout="XIO")
    assert by_call.tobytes() == with_own(array.copy(), 1).tobytes()
    assert by_call.tobytes() == with_own(array.copy(), 1, layout="OI").tobytes()
    assert by_call.tobytes() != without(array.copy(), 1).tobytes()


def test_equal_values_are_equal_and_others_are_not():
    assert Initializer("normal") == Initializer("normal", mean=0, std=1.0)
    assert hash(Initializer("normal")) == hash(Initializer("normal", std=np.float32(1)))
    assert Initializer("xavier_uniform", layout="hwio") == Initializer("xavier_uniform", layout=init.Layout("HWIO"))
    everything = [*made(), *ODD, *(Initializer(name) for name in ("uniform", "normal", "trunc_normal", "orthogonal"))]
    assert len(set(everything)) == len(everything)
    assert Initializer("normal") != "normal()"


@pytest.mark.parametrize("initializer", [*made(), *ODD], ids=lambda one: one.label)
def test_it_comes_back_from_a_pickle_json_and_its_own_text(initializer):
    assert pickle.loads(pickle.dumps(initializer)) == initializer
    text = json.dumps(initializer.to_dict(), allow_nan=False)
    assert Initializer.from_dict(json.loads(text)) == initializer
    scope = {"Initializer": Initializer, "Layout": init.Layout, "inf": math.inf}
    assert eval(repr(initializer), scope) == initializer


def test_nan_comes_back_too():
    nan = Initializer("constant", val=float("nan"))
    assert nan == Initializer("constant", val=np.float32("nan"))
    assert Initializer.from_dict(json.loads(json.dumps(nan.to_dict(), allow_nan=False))) == nan
    assert pickle.loads(pickle.dumps(nan)) == nan


def test_values_that_fill_differently_differ():
    """Equal ones share what ``jax.jit`` has compiled."""
    assert Initializer("constant", val=-0.0) != Initializer("constant", val=0.0)
    assert Initializer("normal", mean=1 + 0j) != Initializer("normal", mean=1)
    assert Initializer("constant", val=10**400) != Initializer("constant", val=10**401)


def test_the_slope_that_torch_chooses():
    chosen = Initializer("kaiming_normal", a=None)
    assert chosen == Initializer("kaiming_normal", a=0.01)
    got, wanted = chosen(np.empty((4, 6), "f4"), 1), init.kaiming_normal_(np.empty((4, 6), "f4"), None, generator=1)
    assert got.tobytes() == wanted.tobytes()
    with pytest.raises(init.InvalidTypeError, match="a must be one value, got NoneType"):
        Initializer("uniform", a=None)


class Scalar:
    """A number of another library: it has no axes, and says what it holds."""

    shape = ()

    def __init__(self, value):
        self.value = value

    def __array__(self, *arguments, **keywords):
        return np.array(self.value)

    def item(self):
        return self.value


@pytest.mark.parametrize("value", [np.float32(0.5), np.array(0.5), np.longdouble(0.5), Fraction(1, 2), Scalar(0.5)])
def test_numbers_of_any_library_become_pythons(value):
    initializer = Initializer("normal", std=value)
    assert initializer == Initializer("normal", std=0.5)
    assert type(initializer.arguments["std"]) is float
    assert json.dumps(initializer.to_dict()) == '{"name": "normal", "std": 0.5}'


@pytest.mark.parametrize(
    ("initializer", "label", "facts"),
    [
        (Initializer("normal", std=0.02), "normal(std=0.02)", {"name": "normal", "std": 0.02}),
        (Initializer("constant", val=0.5), "constant(val=0.5)", {"name": "constant", "val": 0.5}),
        (
            Initializer("trunc_normal", b=math.inf),
            "trunc_normal(b=inf)",
            {"name": "trunc_normal", "b": "inf"},
        ),
        (
            Initializer("kaiming_normal", nonlinearity="relu", mode="fan_out"),
            "kaiming_normal(mode='fan_out', nonlinearity='relu')",
            {"name": "kaiming_normal", "mode": "fan_out", "nonlinearity": "relu"},
        ),
        (
            Initializer("xavier_normal", layout=init.Layout(splits=[1, 2])),
            "xavier_normal(layout=Layout('OI', splits=(1, 2)))",
            {"name": "xavier_normal", "layout": {"axes": "OI", "splits": [1, 2]}},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_labels_and_dicts_leave_defaults_out(initializer, label, facts):
    assert initializer.label == label
    assert initializer.to_dict() == facts


def test_it_does_not_change():
    initializer = Initializer("normal")
    with pytest.raises(dataclasses.FrozenInstanceError):
        initializer.name = "uniform"
    with pytest.raises(TypeError):
        initializer.arguments["std"] = 2


@pytest.mark.parametrize("true", [True, np.True_])
def test_a_truth_value_is_the_number_that_functions_take_it_for(true):
    made = Initializer("constant", val=true)
    assert (made, repr(made)) == (Initializer("constant", val=1), "Initializer('constant', val=1)")
    np.testing.assert_array_equal(made(np.zeros(3)), init.constant_(np.zeros(3), true))
    normal = Initializer("normal", mean=true)(np.empty(3), 0)
    np.testing.assert_array_equal(normal, init.normal_(np.empty(3), mean=true, generator=0))


WRONG = [
    (
        lambda: Initializer("kaiming_norml"),
        ValueError,
        r"no initializer is named 'kaiming_norml'; did you mean",
    ),
    (lambda: Initializer("normal_"), ValueError, r"did you mean 'normal'\?"),
    (lambda: Initializer(3), ValueError, "no initializer is named 3"),
    (
        lambda: Initializer("normal", mode="x"),
        ValueError,
        "'mode' does not apply to 'normal': .*kaiming_normal",
    ),
    (lambda: Initializer("normal", generator=0), ValueError, "'generator' does not apply to 'normal': pass it when"),
    (lambda: Initializer("normal", stddev=1), ValueError, "'stddev' does not apply to 'normal': did you mean 'std'"),
    (lambda: Initializer("zeros", dim=1), ValueError, "'dim' does not apply to 'zeros': It takes none"),
    (lambda: Initializer("constant"), ValueError, r"constant needs val: pass Initializer\('constant', val=...\)"),
    (lambda: Initializer("sparse", std=1.0), ValueError, "sparse needs sparsity"),
    (lambda: Initializer("normal", std=[1.0]), TypeError, r"std must be one value, got list \[1.0\]"),
    (lambda: Initializer("normal", std=np.ones(3)), TypeError, "std must be one value, got ndarray"),
    (lambda: Initializer("normal", std=np.ones(1)), TypeError, "std must be one value, got ndarray"),
    (lambda: Initializer("normal", std=None), TypeError, "std must be one value, got NoneType"),
    (lambda: Initializer("normal", std="inf"), TypeError, "std must be one value, got str 'inf'"),
    (lambda: Initializer("normal", std=Scalar([1])), TypeError, "std must be one value, got Scalar"),
    (lambda: Initializer("normal", self=1), ValueError, "'self' does not apply"),
    (lambda: Initializer("kaiming_normal", mode=3), TypeError, "mode must be a str, got int 3"),
    (lambda: Initializer("dirac", groups=2.0), TypeError, "groups must be an int, got float 2.0"),
    (lambda: Initializer("dirac", groups=True), TypeError, "groups must be an int, got bool True"),
    (lambda: Initializer.from_dict({"name": "normal", "std": [1, "x"]}), TypeError, "std must be a real number"),
    (lambda: Initializer.from_dict({"name": "normal", "std": [None, 1]}), TypeError, "std must be a real number"),
    (lambda: Initializer.from_dict({"name": "normal", "std": [10**400, 1]}), TypeError, "std must be a real number"),
    (lambda: Initializer.from_dict({"name": "constant", "val": [1, [2, 3]]}), TypeError, "val must be a real number"),
    (lambda: Initializer.from_dict({"name": "normal", "self": 1}), ValueError, "'self' does not apply"),
    (lambda: Initializer.from_dict({"name": "eye", "layout": ["O", "I"]}), ValueError, "'layout' does not apply"),
    (lambda: Initializer.from_dict({"name": "dirac", "layout": ["O", "I"]}), TypeError, "layout is a str such as"),
    (lambda: Initializer.from_dict({"name": "dirac", "layout": 7}), TypeError, "layout is a str such as"),
    (lambda: init.Layout.from_dict(7), TypeError, "a Layout is written as its axes or as a mapping, got 7"),
    (lambda: Initializer.from_dict({"name": []}), ValueError, "no initializer is named"),
    (lambda: Initializer("xavier_uniform", layout="XX"), ValueError, "needs an O"),
    (lambda: Initializer("xavier_uniform", layout=3), TypeError, "layout is a str such as"),
    (lambda: Initializer.from_dict("normal"), TypeError, "a mapping with a 'name', got 'normal'"),
    (lambda: Initializer.from_dict({"std": 1}), TypeError, "a mapping with a 'name'"),
    (lambda: Initializer.from_dict({"name": "normal", "x": 1}), ValueError, "'x' does not apply"),
    (lambda: Initializer.from_dict({"name": "eye", 3: 1}), ValueError, "'3' does not apply"),
    (lambda: Initializer.from_dict({"name": "dirac", "layout": {"axis": "O"}}), ValueError, "a Layout has axes"),
    (lambda: Initializer("normal", std=-1.0)(np.empty(3)), ValueError, "std must be >= 0"),
    (lambda: Initializer("normal", std=1j)(np.empty(3)), TypeError, "std must be a real number"),
]


@pytest.mark.parametrize(("call", "kind", "text"), WRONG)
def test_senseless_values(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert isinstance(caught.value, init.NumbaInitError)
