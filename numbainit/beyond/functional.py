"""A shape → a new array: the initializers that torch does not have, under their names without the underscore.

Keywords are those of :mod:`numbainit.functional`.
"""

from typing import Any

from numbainit.beyond import init
from numbainit.functional import Shape, fill_new
from numbainit.generator import GeneratorLike
from numbainit.weights.blocks import Block
from numbainit.weights.layouts import LayoutLike

__all__ = [
    "bilinear",
    "convolution_orthogonal",
    "delta_orthogonal",
    "forget_bias",
    "glorot_truncated_normal",
    "hadamard",
    "he_truncated_normal",
    "icnr",
    "identity",
    "lecun_normal",
    "lecun_truncated_normal",
    "lecun_uniform",
    "log_arange",
    "log_of_uniform",
    "log_uniform",
    "randomized_hadamard",
    "sine",
    "time_step_bias",
    "variance_scaling",
]


def bilinear(
    shape: Shape,
    groups: int = 1,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
) -> Any:
    """A new kernel that enlarges linearly, channel by channel: see :func:`numbainit.bilinear_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.bilinear((1, 1, 4))
    array([[[0.25, 0.75, 0.75, 0.25]]], dtype=float32)
    """
    return fill_new(init.bilinear_, shape, dtype, device, like, groups, block=block, layout=layout)


def convolution_orthogonal(
    shape: Shape,
    gain: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new kernel whose convolution keeps norms, times ``gain``: see :func:`numbainit.convolution_orthogonal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.convolution_orthogonal((4, 2, 3), generator=0).shape
    (4, 2, 3)
    """
    return fill_new(init.convolution_orthogonal_, shape, dtype, device, like, gain, generator=generator, layout=layout)


def delta_orthogonal(
    shape: Shape,
    gain: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new kernel with ``gain`` times an orthogonal matrix at its centre: see :func:`numbainit.delta_orthogonal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool((init.delta_orthogonal((4, 2, 3), generator=0)[..., 0] == 0).all())
    True
    """
    return fill_new(init.delta_orthogonal_, shape, dtype, device, like, gain, generator=generator, layout=layout)


def forget_bias(
    shape: Shape,
    val: float = 1.0,
    gates: str = "ifgo",
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
) -> Any:
    """A new bias of an LSTM, 0 but for its forget gate: see :func:`numbainit.forget_bias_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.forget_bias(4, gates="ijfo")
    array([0., 0., 1., 0.], dtype=float32)
    """
    return fill_new(init.forget_bias_, shape, dtype, device, like, val, gates, block=block)


def glorot_truncated_normal(
    shape: Shape,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of JAX's and Keras's ``glorot_normal`` law: see :func:`numbainit.glorot_truncated_normal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool(abs(init.glorot_truncated_normal((8, 8), generator=0)).max() < 0.81)
    True
    """
    return fill_new(
        init.glorot_truncated_normal_, shape, dtype, device, like, generator=generator, block=block, layout=layout
    )


def hadamard(
    shape: Shape,
    gain: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
) -> Any:
    """A new Hadamard matrix with orthonormal rows or columns, times ``gain``: see :func:`numbainit.hadamard_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.hadamard((1, 4))
    array([[0.5, 0.5, 0.5, 0.5]], dtype=float32)
    """
    return fill_new(init.hadamard_, shape, dtype, device, like, gain, block=block)


def he_truncated_normal(
    shape: Shape,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of JAX's and Keras's ``he_normal`` law: see :func:`numbainit.he_truncated_normal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool(abs(init.he_truncated_normal((8, 8), generator=0)).max() < 1.14)
    True
    """
    return fill_new(
        init.he_truncated_normal_, shape, dtype, device, like, generator=generator, block=block, layout=layout
    )


def icnr(
    shape: Shape,
    upscale: int = 2,
    scale: float = 2.0,
    mode: str = "fan_in",
    distribution: str = "normal",
    shuffle: str = "pixel_shuffle",
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new kernel of equal sub-kernels, for a layer before a pixel shuffle: see :func:`numbainit.icnr_`.

    Examples
    --------
    >>> import numbainit as init
    >>> w = init.icnr((4, 3, 3, 3), generator=0)
    >>> bool((w[0] == w[3]).all())
    True
    """
    return fill_new(
        init.icnr_,
        shape,
        dtype,
        device,
        like,
        upscale,
        scale,
        mode,
        distribution,
        shuffle,
        generator=generator,
        block=block,
        layout=layout,
    )


def identity(
    shape: Shape,
    gain: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
) -> Any:
    """A new array with ``gain`` times the identity matrix: see :func:`numbainit.identity_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.identity((1, 2), 3)
    array([[3., 0.]], dtype=float32)
    """
    return fill_new(init.identity_, shape, dtype, device, like, gain, block=block)


def lecun_normal(
    shape: Shape,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of N(0, 1 / fan_in), not truncated: see :func:`numbainit.lecun_normal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.lecun_normal((1, 4), generator=0)[0, :2]
    array([-0.9477366 , -0.39102054], dtype=float32)
    """
    return fill_new(init.lecun_normal_, shape, dtype, device, like, generator=generator, block=block, layout=layout)


def lecun_truncated_normal(
    shape: Shape,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of the ``lecun_normal`` law of JAX, flax and Keras: see :func:`numbainit.lecun_truncated_normal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool(abs(init.lecun_truncated_normal((8, 4), generator=0)).max() < 1.14)
    True
    """
    return fill_new(
        init.lecun_truncated_normal_, shape, dtype, device, like, generator=generator, block=block, layout=layout
    )


def lecun_uniform(
    shape: Shape,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of U[-c, c), ``c = sqrt(3 / fan_in)``: see :func:`numbainit.lecun_uniform_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool(abs(init.lecun_uniform((8, 3), generator=0)).max() <= 1)
    True
    """
    return fill_new(init.lecun_uniform_, shape, dtype, device, like, generator=generator, block=block, layout=layout)


def log_arange(
    shape: Shape,
    start: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
) -> Any:
    """A new array of ``log(start + j)``, j the index along its last axis: see :func:`numbainit.log_arange_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.log_arange(3)
    array([0.       , 0.6931472, 1.0986123], dtype=float32)
    """
    return fill_new(init.log_arange_, shape, dtype, device, like, start, block=block)


def log_of_uniform(
    shape: Shape,
    a: float = 1.0,
    b: float = 16.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    generator: GeneratorLike = None,
) -> Any:
    """A new array of ``log(U)``, U uniform on [a, b): see :func:`numbainit.log_of_uniform_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool(init.log_of_uniform(100, generator=0).min() >= 0)
    True
    """
    return fill_new(init.log_of_uniform_, shape, dtype, device, like, a, b, generator=generator, block=block)


def log_uniform(
    shape: Shape,
    a: float = 0.001,
    b: float = 0.1,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    generator: GeneratorLike = None,
) -> Any:
    """A new array of ``exp(U)``, U uniform between log a and log b: see :func:`numbainit.log_uniform_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool(init.log_uniform(100, 1, 10, generator=0).min() >= 1)
    True
    """
    return fill_new(init.log_uniform_, shape, dtype, device, like, a, b, generator=generator, block=block)


def randomized_hadamard(
    shape: Shape,
    gain: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    generator: GeneratorLike = None,
) -> Any:
    """A new Hadamard matrix, its columns with random signs, times ``gain``: see :func:`numbainit.randomized_hadamard_`.

    Examples
    --------
    >>> import numbainit as init
    >>> abs(init.randomized_hadamard((1, 4), generator=0))
    array([[0.5, 0.5, 0.5, 0.5]], dtype=float32)
    """
    return fill_new(init.randomized_hadamard_, shape, dtype, device, like, gain, generator=generator, block=block)


def sine(
    shape: Shape,
    layer: str = "hidden",
    omega: float = 30.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new weight of a SIREN: see :func:`numbainit.sine_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool(abs(init.sine((64, 6), generator=0)).max() <= 1 / 30)
    True
    """
    return fill_new(
        init.sine_, shape, dtype, device, like, layer, omega, generator=generator, block=block, layout=layout
    )


def time_step_bias(
    shape: Shape,
    a: float = 0.001,
    b: float = 0.1,
    floor: float = 0.0001,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    generator: GeneratorLike = None,
) -> Any:
    """A new bias whose softplus are log-uniform time steps: see :func:`numbainit.time_step_bias_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool(init.time_step_bias(100, generator=0).max() < -2.25)
    True
    """
    return fill_new(init.time_step_bias_, shape, dtype, device, like, a, b, floor, generator=generator, block=block)


def variance_scaling(
    shape: Shape,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of variance ``scale / fan``: see :func:`numbainit.variance_scaling_`.

    Examples
    --------
    >>> import numbainit as init
    >>> bool(abs(init.variance_scaling((8, 3), distribution="uniform", generator=0)).max() <= 1)
    True
    """
    return fill_new(
        init.variance_scaling_,
        shape,
        dtype,
        device,
        like,
        scale,
        mode,
        distribution,
        generator=generator,
        block=block,
        layout=layout,
    )
