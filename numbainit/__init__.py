"""``torch.nn.init`` for any array, on every core and CUDA GPU, with the same values everywhere.

``import numbainit as init`` replaces ``from torch.nn import init``:

- in place, torch's names: ``uniform_``, ``normal_``, ``trunc_normal_``, ``kaiming_normal_``, ``orthogonal_``, ...
- new arrays, the same names without the underscore: ``kaiming_normal((64, 32))``
- what torch does not have, in both ways: ``variance_scaling_``, ``delta_orthogonal_``, ``log_uniform_``, ...
- an initializer with its arguments, as a value: :class:`Initializer`
- randomness: ``generator=`` an int or a :class:`Generator`; :func:`manual_seed` for calls without it

The value of an element is a pure function of the key, the draw and the index of the element in the logical array.
"""

import importlib
import typing

from numbainit.beyond.functional import (
    bilinear,
    convolution_orthogonal,
    delta_orthogonal,
    forget_bias,
    glorot_truncated_normal,
    hadamard,
    he_truncated_normal,
    icnr,
    identity,
    lecun_normal,
    lecun_truncated_normal,
    lecun_uniform,
    log_arange,
    log_of_uniform,
    log_uniform,
    randomized_hadamard,
    sine,
    time_step_bias,
    variance_scaling,
)
from numbainit.beyond.init import (
    bilinear_,
    convolution_orthogonal_,
    delta_orthogonal_,
    forget_bias_,
    glorot_truncated_normal_,
    hadamard_,
    he_truncated_normal_,
    icnr_,
    identity_,
    lecun_normal_,
    lecun_truncated_normal_,
    lecun_uniform_,
    log_arange_,
    log_of_uniform_,
    log_uniform_,
    randomized_hadamard_,
    sine_,
    time_step_bias_,
    variance_scaling_,
)
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

if typing.TYPE_CHECKING:
    from numbainit.auditing.audit import audit
    from numbainit.propagation import Propagation, propagate
    from numbainit.weights.gains import exact_gain

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
    "Propagation",
    "_calculate_correct_fan",
    "_calculate_fan_in_and_fan_out",
    "audit",
    "bilinear",
    "bilinear_",
    "bits",
    "bits_",
    "calculate_gain",
    "constant",
    "constant_",
    "convolution_orthogonal",
    "convolution_orthogonal_",
    "default_generator",
    "delta_orthogonal",
    "delta_orthogonal_",
    "dirac",
    "dirac_",
    "exact_gain",
    "eye",
    "eye_",
    "forget_bias",
    "forget_bias_",
    "glorot_truncated_normal",
    "glorot_truncated_normal_",
    "hadamard",
    "hadamard_",
    "he_truncated_normal",
    "he_truncated_normal_",
    "icnr",
    "icnr_",
    "identity",
    "identity_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "lecun_normal",
    "lecun_normal_",
    "lecun_truncated_normal",
    "lecun_truncated_normal_",
    "lecun_uniform",
    "lecun_uniform_",
    "log_arange",
    "log_arange_",
    "log_of_uniform",
    "log_of_uniform_",
    "log_uniform",
    "log_uniform_",
    "manual_seed",
    "normal",
    "normal_",
    "ones",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "propagate",
    "randomized_hadamard",
    "randomized_hadamard_",
    "sine",
    "sine_",
    "sparse",
    "sparse_",
    "time_step_bias",
    "time_step_bias_",
    "trunc_normal",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "variance_scaling",
    "variance_scaling_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros",
    "zeros_",
]

#: what is imported when somebody asks for it: fills need none of it
_LATE = {
    "Propagation": "numbainit.propagation",
    "audit": "numbainit.auditing.audit",
    "exact_gain": "numbainit.weights.gains",
    "propagate": "numbainit.propagation",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _LATE:
        raise AttributeError(f"module 'numbainit' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_LATE[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE} - {"importlib", "typing"})
