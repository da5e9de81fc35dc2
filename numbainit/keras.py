"""A shape and a dtype → a tensor of Keras's active backend: numbainit's laws as Keras initializers.

Laws, arguments and defaults are torch's, axes are Keras's: the last two are (in, out), those before the receptive
field, unless ``layout=`` says otherwise. So ``XavierNormal`` and ``KaimingNormal`` are *not* truncated, where Keras's
``GlorotNormal`` and ``HeNormal`` are; ``XavierUniform()`` and ``KaimingUniform()`` have the laws of ``GlorotUniform``
and ``HeUniform``.

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
from numbainit.errors import InvalidTypeError, MissingExtraError
from numbainit.functional import checked_shape
from numbainit.generator import Generator, default_generator
from numbainit.weights.layouts import Layout, LayoutLike, channels_last

try:
    import keras
except ImportError as error:
    raise MissingExtraError(
        f"numbainit.keras needs Keras 3 and the backend that KERAS_BACKEND names ({error}): "
        'pip install "numbainit[keras]", and jax, torch or tensorflow'
    ) from error

__all__ = [
    "Dirac",
    "KaimingNormal",
    "KaimingUniform",
    "Normal",
    "Orthogonal",
    "Sparse",
    "TruncNormal",
    "Uniform",
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
        width = keras.backend.standardize_dtype(dtype)
        generator = default_generator if self._seed is None else Generator(self._seed)
        array = np.empty(checked_shape(shape), width)
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


def _checked_seed(seed: Any) -> int | list[int]:
    """The int or ints that a config can hold."""
    known = None if isinstance(seed, Generator) else Generator(seed).seed
    if known is None:
        raise InvalidTypeError(f"seed must be an int, a sequence of ints or None, which a file can hold, got {seed!r}")
    return known
