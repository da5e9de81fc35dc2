"""A shape and a dtype → a tensor of Keras's active backend: numbainit's laws as Keras initializers.

Laws, arguments and defaults are torch's, axes are Keras's: the last two are (in, out), those before the receptive
field, unless ``layout=`` says otherwise. So ``XavierNormal`` and ``KaimingNormal`` are *not* truncated, where Keras's
``GlorotNormal`` and ``HeNormal`` are; ``XavierUniform()`` and ``KaimingUniform()`` have the laws of ``GlorotUniform``
and ``HeUniform``. ``GlorotTruncatedNormal``, ``HeTruncatedNormal``, ``LecunTruncatedNormal`` and ``VarianceScaling``
are Keras's laws.

``seed=`` is an int or a sequence of ints, and then each call gives the same values, as in Keras; or None, and then each
call takes the next draw of numbainit's default generator, which :func:`numbainit.manual_seed` seeds (Keras would
repeat its values). Keras's own ``Constant``, ``Ones``, ``Zeros`` and ``Identity`` are what ours would be.

Values are made on the CPU by numbainit and are the same on every backend. Initializers are written to ``.keras`` files
by name: import this module before a model that has them is loaded.

Examples
--------
>>> import numpy as np, numbainit as init
>>> from numbainit.keras import KaimingNormal
>>> w = KaimingNormal(nonlinearity="relu", seed=0)((3, 3, 16, 32))
>>> same = init.kaiming_normal((3, 3, 16, 32), nonlinearity="relu", layout="HWIO", generator=0)
>>> bool((np.asarray(w) == same).all())
True
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from numbainit import initializers
from numbainit.errors import InvalidTypeError, MissingExtraError, shown
from numbainit.functional import checked_shape
from numbainit.generator import Generator, default_generator
from numbainit.targets.new_arrays import new_array
from numbainit.weights.layouts import Layout, LayoutLike, channels_last

try:
    import keras
except ImportError as error:
    raise MissingExtraError(
        f"numbainit.keras needs Keras 3 and the backend that KERAS_BACKEND names ({error}): "
        'pip install "numbainit[keras]", and jax, torch or tensorflow'
    ) from error

__all__ = [
    "Bilinear",
    "ConvolutionOrthogonal",
    "DeltaOrthogonal",
    "Dirac",
    "ForgetBias",
    "GlorotTruncatedNormal",
    "Hadamard",
    "HeTruncatedNormal",
    "Icnr",
    "KaimingNormal",
    "KaimingUniform",
    "LecunNormal",
    "LecunTruncatedNormal",
    "LecunUniform",
    "LogArange",
    "LogOfUniform",
    "LogUniform",
    "Normal",
    "Orthogonal",
    "RandomizedHadamard",
    "Sine",
    "Sparse",
    "TimeStepBias",
    "TruncNormal",
    "Uniform",
    "VarianceScaling",
    "XavierNormal",
    "XavierUniform",
]

Seed = int | Sequence[int] | None
_registered = keras.saving.register_keras_serializable(package="numbainit")


class _Initializer(keras.initializers.Initializer):
    """An initializer and, where it draws, a seed; all of it in the config."""

    name: str  # of the family

    def __init__(self, seed: Seed = None, **arguments: Any) -> None:
        self._initializer = initializers.Initializer(self.name, **arguments)
        self._seed = None if seed is None else _checked_seed(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """A tensor of ``shape``; dtype None is ``keras.config.floatx()``."""
        width = _checked_dtype(dtype)
        generator = default_generator if self._seed is None else Generator(self._seed)
        array = new_array(checked_shape(shape), np.dtype(width), None, None)[0]
        self._initializer(array, generator, layout=channels_last(array.ndim))
        return keras.ops.convert_to_tensor(array, dtype=width)

    def get_config(self) -> dict[str, Any]:
        """The arguments; a layout as those of :class:`numbainit.Layout`."""
        config = self._arguments()
        if config.get("layout") is not None:
            names = "axes", "groups", "splits", "transposed"
            config["layout"] = {name: getattr(config["layout"], name) for name in names}
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The initializer whose ``get_config()`` this is."""
        config = dict(config)
        if isinstance(config.get("layout"), dict):
            config["layout"] = Layout.from_dict(config["layout"])
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._arguments().items())})"

    def _arguments(self) -> dict[str, Any]:
        return dict(self._initializer.arguments) | ({"seed": self._seed} if self._initializer.draws else {})


class _WithGain(_Initializer):
    """A law of weights that takes a gain."""

    def __init__(self, gain: float = 1.0, layout: LayoutLike | None = None, seed: Seed = None) -> None:
        super().__init__(gain=gain, layout=layout, seed=seed)


class _Kaiming(_Initializer):
    """A law of He et al. (ICCV 2015)."""

    def __init__(
        self,
        a: float = 0,
        mode: str = "fan_in",
        nonlinearity: str = "leaky_relu",
        layout: LayoutLike | None = None,
        seed: Seed = None,
    ) -> None:
        super().__init__(a=a, mode=mode, nonlinearity=nonlinearity, layout=layout, seed=seed)


@_registered
class Uniform(_Initializer):
    """U[a, b): see :func:`numbainit.uniform_`. Keras's ``RandomUniform`` has other defaults, -0.05 and 0.05.

    Examples
    --------
    >>> from numbainit.keras import Uniform
    >>> Uniform(-1, seed=7)
    Uniform(a=-1, b=1.0, seed=7)
    """

    name = "uniform"

    def __init__(self, a: float = 0.0, b: float = 1.0, seed: Seed = None) -> None:
        super().__init__(a=a, b=b, seed=seed)


@_registered
class Normal(_Initializer):
    """N(mean, std^2): see :func:`numbainit.normal_`. Keras's ``RandomNormal`` has another default, a std of 0.05."""

    name = "normal"

    def __init__(self, mean: float = 0.0, std: float = 1.0, seed: Seed = None) -> None:
        super().__init__(mean=mean, std=std, seed=seed)


@_registered
class TruncNormal(_Initializer):
    """N(mean, std^2) in [a, b]: see :func:`numbainit.trunc_normal_`.

    ``std`` is before truncation and bounds are in the units of the values; Keras's ``TruncatedNormal`` cuts at two std.
    """

    name = "trunc_normal"

    def __init__(self, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, seed: Seed = None) -> None:
        super().__init__(mean=mean, std=std, a=a, b=b, seed=seed)


@_registered
class XavierUniform(_WithGain):
    """U[-c, c), ``c = gain sqrt(6 / (fan_in + fan_out))``: the law of Keras's ``GlorotUniform``."""

    name = "xavier_uniform"


@_registered
class XavierNormal(_WithGain):
    """N(0, std^2), ``std = gain sqrt(2 / (fan_in + fan_out))``; Keras's ``GlorotNormal`` is truncated, this is not."""

    name = "xavier_normal"


@_registered
class KaimingUniform(_Kaiming):
    """U[-c, c), ``c = gain sqrt(3 / fan)``: by default the law of Keras's ``HeUniform``."""

    name = "kaiming_uniform"


@_registered
class KaimingNormal(_Kaiming):
    """N(0, std^2), ``std = gain / sqrt(fan)``; Keras's ``HeNormal`` is truncated, this is not."""

    name = "kaiming_normal"


@_registered
class Orthogonal(_WithGain):
    """``gain`` times a Haar-distributed (semi-)orthogonal matrix (outputs, the rest): :func:`numbainit.orthogonal_`."""

    name = "orthogonal"


@_registered
class Sparse(_Initializer):
    """``ceil(sparsity * rows)`` zeros in every column of a matrix as it is, the rest N(0, std^2).

    See :func:`numbainit.sparse_`: on Keras's (in, out) kernels the zeros are among what feeds an output.
    """

    name = "sparse"

    def __init__(self, sparsity: float, std: float = 0.01, seed: Seed = None) -> None:
        super().__init__(sparsity=sparsity, std=std, seed=seed)


@_registered
class Dirac(_Initializer):
    """A convolution that passes its channels on: see :func:`numbainit.dirac_`. It draws nothing."""

    name = "dirac"

    def __init__(self, groups: int = 1, layout: LayoutLike | None = None) -> None:
        super().__init__(groups=groups, layout=layout)


class _Scaled(_Initializer):
    """A law of weights without arguments."""

    def __init__(self, layout: LayoutLike | None = None, seed: Seed = None) -> None:
        super().__init__(layout=layout, seed=seed)


@_registered
class VarianceScaling(_Initializer):
    """A law of variance ``scale / fan``: that of Keras's ``VarianceScaling``, see :func:`numbainit.variance_scaling_`.

    ``distribution`` is "truncated_normal", "untruncated_normal" or "normal" (the same), or "uniform".
    """

    name = "variance_scaling"

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        layout: LayoutLike | None = None,
        seed: Seed = None,
    ) -> None:
        super().__init__(scale=scale, mode=mode, distribution=distribution, layout=layout, seed=seed)


@_registered
class LecunUniform(_Scaled):
    """U[-c, c), ``c = sqrt(3 / fan_in)``: the law of Keras's ``LecunUniform``."""

    name = "lecun_uniform"


@_registered
class LecunNormal(_Scaled):
    """N(0, 1 / fan_in); Keras's ``LecunNormal`` is truncated: that is :class:`LecunTruncatedNormal`."""

    name = "lecun_normal"


@_registered
class LecunTruncatedNormal(_Scaled):
    """The law of Keras's ``LecunNormal``."""

    name = "lecun_truncated_normal"


@_registered
class GlorotTruncatedNormal(_Scaled):
    """The law of Keras's ``GlorotNormal``."""

    name = "glorot_truncated_normal"


@_registered
class HeTruncatedNormal(_Scaled):
    """The law of Keras's ``HeNormal``."""

    name = "he_truncated_normal"


@_registered
class Sine(_Initializer):
    """A weight of a SIREN: see :func:`numbainit.sine_`."""

    name = "sine"

    def __init__(
        self, layer: str = "hidden", omega: float = 30.0, layout: LayoutLike | None = None, seed: Seed = None
    ) -> None:
        super().__init__(layer=layer, omega=omega, layout=layout, seed=seed)


@_registered
class Icnr(_Initializer):
    """Sub-kernels that are all the same: see :func:`numbainit.icnr_`. TensorFlow's shuffle is "depth_to_space"."""

    name = "icnr"

    def __init__(
        self,
        upscale: int = 2,
        scale: float = 2.0,
        mode: str = "fan_in",
        distribution: str = "normal",
        shuffle: str = "pixel_shuffle",
        layout: LayoutLike | None = None,
        seed: Seed = None,
    ) -> None:
        law = {"scale": scale, "mode": mode, "distribution": distribution}
        super().__init__(upscale=upscale, **law, shuffle=shuffle, layout=layout, seed=seed)


@_registered
class Bilinear(_Initializer):
    """A transposed convolution that enlarges its channels linearly: see :func:`numbainit.bilinear_`. No draw."""

    name = "bilinear"

    def __init__(self, groups: int = 1, layout: LayoutLike | None = None) -> None:
        super().__init__(groups=groups, layout=layout)


@_registered
class DeltaOrthogonal(_WithGain):
    """An orthogonal matrix at a kernel's centre: see :func:`numbainit.delta_orthogonal_`."""

    name = "delta_orthogonal"


@_registered
class ConvolutionOrthogonal(_WithGain):
    """A kernel whose convolution keeps norms: see :func:`numbainit.convolution_orthogonal_`."""

    name = "convolution_orthogonal"


@_registered
class Hadamard(_Initializer):
    """Sylvester's Hadamard matrix, scaled to orthonormal rows or columns: see :func:`numbainit.hadamard_`. No draw."""

    name = "hadamard"

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__(gain=gain)


@_registered
class RandomizedHadamard(_Initializer):
    """The same with random signs of its columns: see :func:`numbainit.randomized_hadamard_`."""

    name = "randomized_hadamard"

    def __init__(self, gain: float = 1.0, seed: Seed = None) -> None:
        super().__init__(gain=gain, seed=seed)


@_registered
class ForgetBias(_Initializer):
    """An LSTM's bias, ``val`` for the forget gate, by Keras's order: see :func:`numbainit.forget_bias_`. No draw."""

    name = "forget_bias"

    def __init__(self, val: float = 1.0, gates: str = "ifco") -> None:
        super().__init__(val=val, gates=gates)


@_registered
class LogUniform(_Initializer):
    """``exp(U)``, U uniform between log a and log b: see :func:`numbainit.log_uniform_`."""

    name = "log_uniform"

    def __init__(self, a: float = 0.001, b: float = 0.1, seed: Seed = None) -> None:
        super().__init__(a=a, b=b, seed=seed)


@_registered
class LogOfUniform(_Initializer):
    """``log(U)``, U uniform on [a, b): see :func:`numbainit.log_of_uniform_`."""

    name = "log_of_uniform"

    def __init__(self, a: float = 1.0, b: float = 16.0, seed: Seed = None) -> None:
        super().__init__(a=a, b=b, seed=seed)


@_registered
class TimeStepBias(_Initializer):
    """What softplus takes to log-uniform time steps: see :func:`numbainit.time_step_bias_`."""

    name = "time_step_bias"

    def __init__(self, a: float = 0.001, b: float = 0.1, floor: float = 0.0001, seed: Seed = None) -> None:
        super().__init__(a=a, b=b, floor=floor, seed=seed)


@_registered
class LogArange(_Initializer):
    """``log(start + j)`` along the last axis: see :func:`numbainit.log_arange_`. It draws nothing."""

    name = "log_arange"

    def __init__(self, start: float = 1.0) -> None:
        super().__init__(start=start)


def _checked_dtype(dtype: Any) -> str:
    try:
        return keras.backend.standardize_dtype(dtype)
    except Exception:  # Keras asks the object for its name
        raise InvalidTypeError(f"dtype must be one of Keras's, such as 'float32', got {shown(dtype)}") from None


def _checked_seed(seed: Any) -> int | list[int]:
    """The int or ints that a config can hold."""
    known = None if isinstance(seed, Generator) else Generator(seed).seed
    if known is None:
        raise InvalidTypeError(
            f"seed must be an int, a sequence of ints or None, which a file can hold, got {shown(seed)}"
        )
    return known
