"""The family of initializers, and what its members take; which cases are for the full suite only.

Lists of names and arguments that tests of several rooms need stand here once.
"""

import math

import pytest

import numbainit as init

#: argument → value, where torch has no default
NEEDED = {"constant_": {"val": 0.5}, "sparse_": {"sparsity": 0.5}}
#: those of torch, and ``bits_``
TORCH = [
    *["uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "eye_", "dirac_"],
    *["xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "sparse_", "bits_"],
]
#: those that torch does not have
BEYOND = [
    *["variance_scaling_", "lecun_uniform_", "lecun_normal_", "lecun_truncated_normal_", "glorot_truncated_normal_"],
    *["he_truncated_normal_", "sine_", "icnr_", "identity_", "bilinear_", "delta_orthogonal_"],
    *["convolution_orthogonal_", "hadamard_", "randomized_hadamard_", "forget_bias_", "log_uniform_"],
    *["log_of_uniform_", "time_step_bias_", "log_arange_"],
]
#: all that fill in place
NAMES = TORCH + BEYOND
FLOATS = [name for name in NAMES if name != "bits_"]
#: those that fill no complex arrays, by default
REALS = frozenset(
    {"uniform_", "trunc_normal_", "variance_scaling_", "lecun_truncated_normal_", "glorot_truncated_normal_"}
    | {"he_truncated_normal_", "log_uniform_", "log_of_uniform_", "time_step_bias_"}
)
#: those whose law is promised, not the last bits; no part of them can be made alone
ORTHOGONAL = ("orthogonal_", "delta_orthogonal_", "convolution_orthogonal_")
DRAWLESS = frozenset(
    {"constant_", "ones_", "zeros_", "eye_", "dirac_", "identity_", "bilinear_", "hadamard_", "forget_bias_"}
    | {"log_arange_"}
)
RANDOM = [name for name in NAMES if name not in DRAWLESS]
#: label → name and arguments, none of them a default where there is a choice
FILLS = {
    "uniform_": ("uniform_", {"a": -1, "b": 3}),
    "normal_": ("normal_", {"mean": 1, "std": 2}),
    "trunc_normal_": ("trunc_normal_", {}),
    "tail": ("trunc_normal_", {"a": 2, "b": 5}),
    "constant_": ("constant_", {"val": 0.5}),
    "ones_": ("ones_", {}),
    "zeros_": ("zeros_", {}),
    "xavier_uniform_": ("xavier_uniform_", {"gain": 2}),
    "xavier_normal_": ("xavier_normal_", {}),
    "kaiming_uniform_": ("kaiming_uniform_", {"mode": "fan_out"}),
    "kaiming_normal_": ("kaiming_normal_", {"a": 0.1}),
    "eye_": ("eye_", {}),
    "sparse_": ("sparse_", {"sparsity": 0.4, "std": 1.0}),
    "dirac_": ("dirac_", {}),
    "dirac_ in groups": ("dirac_", {"groups": 2}),
    "truncated_normal": ("variance_scaling_", {"mode": "fan_avg"}),
    "lecun_uniform_": ("lecun_uniform_", {}),
    "lecun_normal_": ("lecun_normal_", {}),
    "lecun_truncated_normal_": ("lecun_truncated_normal_", {}),
    "glorot_truncated_normal_": ("glorot_truncated_normal_", {}),
    "he_truncated_normal_": ("he_truncated_normal_", {}),
    "sine_": ("sine_", {"layer": "first"}),
    "icnr_": ("icnr_", {"distribution": "truncated_normal"}),
    "identity_": ("identity_", {"gain": 0.5}),
    "bilinear_": ("bilinear_", {}),
    "bilinear_ in groups": ("bilinear_", {"groups": 2}),
    "log_uniform_": ("log_uniform_", {}),
    "log_of_uniform_": ("log_of_uniform_", {}),
    "time_step_bias_": ("time_step_bias_", {}),
}


_SHAPES = dict.fromkeys(("dirac_", "bilinear_"), (4, 6, 3)) | {
    **dict.fromkeys(("delta_orthogonal_", "convolution_orthogonal_", "icnr_"), (6, 4, 3)),
    **dict.fromkeys(("hadamard_", "randomized_hadamard_", "forget_bias_"), (4, 8)),
}


def shape_for(name):
    """A shape that it takes."""
    return _SHAPES.get(name, (4, 6))


def shapes_without_elements(name):
    """Those that it takes."""
    more = (3,) * (len(shape_for(name)) - 2)
    side = 4 if name in ("forget_bias_", "icnr_") else 3
    return [(0, side, *more), (side, 0, *more), (0, 0, *more)]


def dtype_for(name):
    return "uint32" if name == "bits_" else "float32"


def call(name, array, generator=None, **keywords):
    """Fill ``array``, with the arguments that are needed where none are given."""
    source = {} if name in DRAWLESS else {"generator": generator}
    return getattr(init, name)(array, **{**NEEDED.get(name, {}), **keywords}, **source)


def fill(label, array, generator=None, **keywords):
    """Fill ``array`` as the row of :data:`FILLS` says."""
    name, arguments = FILLS[label]
    return call(name, array, generator, **arguments, **keywords)


# ---- the two sizes of the suite ----


def full_only(*values):
    """Values of a parameter that the full suite alone takes."""
    return [pytest.param(value, marks=pytest.mark.full) for value in values]


def thinned(values, light, *, several=False):
    """All values of a parameter (``several``: tuples, of as many parameters), of which few are for the light suite.

    ``light`` holds these, or is true of them.
    """
    values, chosen = list(values), light if callable(light) else list(light).__contains__
    marks = [() if chosen(value) else pytest.mark.full for value in values]
    return [
        pytest.param(*(value if several else [value]), marks=mark) for value, mark in zip(values, marks, strict=True)
    ]


#: those that the light suite compiles laws for
LIGHT_DTYPES = ("float32", "float64", "bfloat16", "complex64", "uint32", "int32", "uint64", "int64")
#: of each law, for float32 and float64: each kind of proposal of a truncated normal is among them
LIGHT_PARAMETERS = {
    "uniform": [(-1.0, 1.0), (0.1, 0.3), (1.0, 1.0 + 2.0**-21), (3.0, 3.0)],
    "normal": [(0.0, 1.0), (5.0, 2.5), (0.1, 0.0)],
    "trunc_normal": [
        *[(0.0, 1.0, -2.0, 2.0), (0.0, 1.0, -1.0, 3.0), (0.0, 1.0, -40.0, -39.0), (0.0, 1.0, 2.0, 100.0)],
        *[(0.0, 1.0, -0.5, 0.5), (0.0, 1.0, 1.5, math.inf), (0.5, 0.0, -1.0, 1.0)],
    ],
    "bits": [()],
}


def is_light(case):
    """Whether the light suite takes a case of :data:`reference.CASES`."""
    law, parameters, dtype = case
    if dtype in ("float32", "float64", "uint32", "uint64"):
        return parameters in LIGHT_PARAMETERS[law]
    return dtype in ("bfloat16", "complex64")


def check_refused(call, error, text):
    """A call with a generator raises an error of numbainit before it draws."""
    generator = init.Generator(0)
    with pytest.raises(error, match=text) as caught:
        call(generator)
    assert isinstance(caught.value, init.NumbaInitError)
    assert generator.draws == 0
