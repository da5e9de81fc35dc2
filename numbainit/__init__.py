"""``torch.nn.init`` for any array, on every core and CUDA GPU, with the same values everywhere.

``import numbainit as init`` replaces ``from torch.nn import init``:

- in place, torch's names: ``uniform_``, ``normal_``, ``trunc_normal_``, ``kaiming_normal_``, ``orthogonal_``, ...
- new arrays, the same names without the underscore: ``kaiming_normal((64, 32))``
- an initializer with its arguments, as a value: :class:`Initializer`
- randomness: ``generator=`` an int or a :class:`Generator`; :func:`manual_seed` for calls without it

The value of an element is a pure function of the key, the draw and the index of the element in the logical array.
"""

from numbainit.errors import (
    CompilerError,
    DeviceError,
    InvalidTypeError,
    InvalidValueError,
    MissingExtraError,
    NumbaInitError,
    OutputError,
)
from numbainit.functional import (
    bits,
    constant,
    dirac,
    eye,
    kaiming_normal,
    kaiming_uniform,
    normal,
    ones,
    orthogonal,
    sparse,
    trunc_normal,
    uniform,
    xavier_normal,
    xavier_uniform,
    zeros,
)
from numbainit.generator import Generator, default_generator, manual_seed
from numbainit.init import (
    bits_,
    constant_,
    dirac_,
    eye_,
    kaiming_normal_,
    kaiming_uniform_,
    normal_,
    ones_,
    orthogonal_,
    sparse_,
    trunc_normal_,
    uniform_,
    xavier_normal_,
    xavier_uniform_,
    zeros_,
)
from numbainit.initializers import Initializer
from numbainit.weights.blocks import Block
from numbainit.weights.fans import _calculate_correct_fan, _calculate_fan_in_and_fan_out, calculate_gain
from numbainit.weights.layouts import Layout

__version__ = "0.1.0"

__all__ = [
    "Block",
    "CompilerError",
    "DeviceError",
    "Generator",
    "Initializer",
    "InvalidTypeError",
    "InvalidValueError",
    "Layout",
    "MissingExtraError",
    "NumbaInitError",
    "OutputError",
    "_calculate_correct_fan",
    "_calculate_fan_in_and_fan_out",
    "bits",
    "bits_",
    "calculate_gain",
    "constant",
    "constant_",
    "default_generator",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "manual_seed",
    "normal",
    "normal_",
    "ones",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros",
    "zeros_",
]
