"""A shape → a new array: the same names without the underscore, and torch's old spellings.

Each takes the parameters of its in-place twin, and then, by keyword:

dtype : "float32", "float64", "float16", "bfloat16", "float8_e4m3fn", ..., "complex64" or "complex128"
    Of the new array (``bits``: "uint32", "int32", "uint64" or "int64"). None: that of ``like``, if the initializer
    fills it, else float32 (``bits``: uint32). bfloat16 and the float8 kinds are those of ml_dtypes, which the extra
    ``dtypes`` installs. Short names are known: "f32", "f64", "f16", "bf16", "f8_e4m3" (float8_e4m3fn), "f8_e5m2".
device : None, "cpu", "cuda" or "cuda:<number>", or what torch, CuPy or JAX have for it
    Where it lives. On a GPU it is a CuPy array if CuPy is installed, else a Numba device array, unless ``like`` says.
like : array, optional
    Make an array of the same library, where this one lives, and of its dtype unless another is given: of NumPy,
    torch, JAX, CuPy, or Numba. Its shape does not count.
block, layout : as for the in-place twin
    ``shape`` is that of the part.
generator : as for the in-place twin

Given an array instead of a shape they fill it in place and warn, as torch's old spellings do, so that
``init.kaiming_normal(layer.weight, mode="fan_out")`` keeps working.
"""

from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex, TypeAlias

import numpy as np

from numbainit import init
from numbainit.beyond import init as beyond
from numbainit.errors import InvalidTypeError, InvalidValueError, shown, warn_user
from numbainit.generator import GeneratorLike
from numbainit.memory.dtypes import FLOATS, REALS, WORDS, checked_dtype, dtype_of
from numbainit.memory.interface import attribute
from numbainit.targets.new_arrays import new_array, ordinal_of
from numbainit.weights.blocks import Block
from numbainit.weights.layouts import LayoutLike
from numbainit.weights.numbers import whole, wholes

Shape: TypeAlias = "SupportsIndex | Sequence[SupportsIndex] | np.ndarray"

__all__ = [
    "bits",
    "constant",
    "dirac",
    "eye",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse",
    "trunc_normal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]


def uniform(
    shape: Shape,
    a: float = 0.0,
    b: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    generator: GeneratorLike = None,
) -> Any:
    """A new array of the uniform law on [a, b): see :func:`numbainit.uniform_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.uniform(2, -1, 1, generator=0)
    array([-0.7556263 ,  0.12455678], dtype=float32)
    """
    return fill_new(init.uniform_, shape, dtype, device, like, a, b, generator=generator, block=block)


def normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    generator: GeneratorLike = None,
) -> Any:
    """A new array of the normal law N(mean, std^2): see :func:`numbainit.normal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.normal((2, 2), std=0.02, generator=0)
    array([[-0.03790946, -0.01564082],
           [ 0.01479166, -0.01654668]], dtype=float32)
    """
    return fill_new(init.normal_, shape, dtype, device, like, mean, std, generator=generator, block=block)


def trunc_normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    generator: GeneratorLike = None,
) -> Any:
    """A new array of the normal law N(mean, std^2) given that it lies in [a, b]: see :func:`numbainit.trunc_normal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.trunc_normal(2, a=3, b=4, generator=0)
    array([3.636496 , 3.1743255], dtype=float32)
    """
    return fill_new(init.trunc_normal_, shape, dtype, device, like, mean, std, a, b, generator=generator, block=block)


def constant(
    shape: Shape,
    val: float,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
) -> Any:
    """A new array of ``val``: see :func:`numbainit.constant_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.constant(2, 0.5)
    array([0.5, 0.5], dtype=float32)
    """
    return fill_new(init.constant_, shape, dtype, device, like, val, block=block)


def ones(
    shape: Shape,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
) -> Any:
    """A new array of ones: see :func:`numbainit.ones_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.ones(2)
    array([1., 1.], dtype=float32)
    """
    return fill_new(init.ones_, shape, dtype, device, like, block=block)


def zeros(
    shape: Shape,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
) -> Any:
    """A new array of zeros: see :func:`numbainit.zeros_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.zeros(2)
    array([0., 0.], dtype=float32)
    """
    return fill_new(init.zeros_, shape, dtype, device, like, block=block)


def eye(
    shape: Shape,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
) -> Any:
    """A new array with the identity matrix: see :func:`numbainit.eye_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.eye((2, 2))
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    return fill_new(init.eye_, shape, dtype, device, like, block=block)


def dirac(
    shape: Shape,
    groups: int = 1,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
) -> Any:
    """A new array with the Dirac delta, a convolution that passes its input on: see :func:`numbainit.dirac_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.dirac((1, 1, 3))
    array([[[0., 1., 0.]]], dtype=float32)
    """
    return fill_new(init.dirac_, shape, dtype, device, like, groups, block=block, layout=layout)


def xavier_uniform(
    shape: Shape,
    gain: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of U[-c, c), ``c = gain sqrt(6 / (fan_in + fan_out))``: see :func:`numbainit.xavier_uniform_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.xavier_uniform((1, 2), generator=0)
    array([[-1.068617  ,  0.17614989]], dtype=float32)
    """
    return fill_new(
        init.xavier_uniform_, shape, dtype, device, like, gain, generator=generator, block=block, layout=layout
    )


def xavier_normal(
    shape: Shape,
    gain: float = 1.0,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of N(0, std^2), ``std = gain sqrt(2 / (fan_in + fan_out))``: see :func:`numbainit.xavier_normal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.xavier_normal((1, 2), generator=0)
    array([[-1.5476475, -0.6385339]], dtype=float32)
    """
    return fill_new(
        init.xavier_normal_, shape, dtype, device, like, gain, generator=generator, block=block, layout=layout
    )


def kaiming_uniform(
    shape: Shape,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of U[-c, c), ``c = gain sqrt(3 / fan)``: see :func:`numbainit.kaiming_uniform_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.kaiming_uniform((1, 2), generator=0)
    array([[-1.3087832 ,  0.21573867]], dtype=float32)
    """
    return fill_new(
        init.kaiming_uniform_,
        shape,
        dtype,
        device,
        like,
        a,
        mode,
        nonlinearity,
        generator=generator,
        block=block,
        layout=layout,
    )


def kaiming_normal(
    shape: Shape,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array of N(0, std^2), ``std = gain / sqrt(fan)``: see :func:`numbainit.kaiming_normal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.kaiming_normal((1, 2), generator=0)
    array([[-1.8954732, -0.7820411]], dtype=float32)
    """
    return fill_new(
        init.kaiming_normal_,
        shape,
        dtype,
        device,
        like,
        a,
        mode,
        nonlinearity,
        generator=generator,
        block=block,
        layout=layout,
    )


def orthogonal(
    shape: Shape,
    gain: float = 1,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> Any:
    """A new array with ``gain`` times a Haar-distributed (semi-)orthogonal matrix: see :func:`numbainit.orthogonal_`.

    Examples
    --------
    >>> import numbainit as init
    >>> q = init.orthogonal((2, 3), dtype="float64", generator=0)
    >>> bool(abs(q @ q.T - [[1, 0], [0, 1]]).max() < 1e-14)
    True
    """
    return fill_new(init.orthogonal_, shape, dtype, device, like, gain, generator=generator, layout=layout)


def sparse(
    shape: Shape,
    sparsity: float,
    std: float = 0.01,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    generator: GeneratorLike = None,
) -> Any:
    """A new array with ``ceil(sparsity * rows)`` zeros a column, the rest N(0, std^2): see :func:`numbainit.sparse_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.sparse((2, 2), 0.5, generator=0)
    array([[ 0.        ,  0.        ],
           [ 0.00739583, -0.00827334]], dtype=float32)
    """
    return fill_new(init.sparse_, shape, dtype, device, like, sparsity, std, generator=generator, block=block)


def bits(
    shape: Shape,
    *,
    dtype: Any = None,
    device: str | None = None,
    like: Any = None,
    block: Block | None = None,
    generator: GeneratorLike = None,
) -> Any:
    """A new array of raw random words: see :func:`numbainit.bits_`.

    Examples
    --------
    >>> import numbainit as init
    >>> init.bits(2, generator=init.Generator.from_key(0, 0))
    array([1713891541, 3781805453], dtype=uint32)
    """
    return fill_new(init.bits_, shape, dtype, device, like, generator=generator, block=block)


def fill_new(fill: Callable, shape: Any, dtype: Any, device: Any, like: Any, *arguments: Any, **keywords: Any) -> Any:
    """Call the in-place ``fill`` on a new array, or, in the old spelling, on the array given as ``shape``."""
    if _is_array(shape, fill):
        if device is not None:
            ordinal_of(shape, device, "the array given")
        old = fill.__name__.removesuffix("_")
        warn_user(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{old}_`.", FutureWarning)
        return fill(shape, *arguments, **keywords)
    sizes = checked_shape(shape)
    array, finish = new_array(sizes, dtype_of_new(fill, dtype, like), device, like)
    return finish(fill(array, *arguments, **keywords))


_OF_REALS = (
    *(init.uniform_, init.trunc_normal_, beyond.lecun_truncated_normal_, beyond.glorot_truncated_normal_),
    *(beyond.he_truncated_normal_, beyond.log_uniform_, beyond.log_of_uniform_, beyond.time_step_bias_),
)
_FILLED = {init.bits_: WORDS} | dict.fromkeys(_OF_REALS, REALS)  # all others fill any floats


def dtype_of_new(fill: Callable, dtype: Any, like: Any) -> np.dtype:
    """The one asked for; else that of ``like``, if it can be filled; else the first of those that can."""
    if dtype is not None:
        return checked_dtype(dtype, WORDS if fill is init.bits_ else FLOATS)
    dtypes = _FILLED.get(fill, FLOATS)
    return dtype_of(like, dtypes) or dtypes.machine[0]


def _is_array(shape: Any, fill: Callable) -> bool:
    """Whether an array stands where a shape should; a vector of ints is a shape, as it is to NumPy."""
    if issubclass(type(shape), np.generic) or attribute(shape, "shape") is None or attribute(shape, "dtype") is None:
        return False
    ints = issubclass(type(shape), np.ndarray) and shape.ndim == 1 and shape.dtype.kind in "iu"
    return not ints or fill is init.bits_


def checked_shape(shape: Any) -> tuple[int, ...]:
    """An int, or a sequence of ints, as a shape."""
    try:
        several = issubclass(type(shape), (Sequence, np.ndarray))
        sizes = wholes(shape) if several else (whole(shape),)
    except TypeError:
        raise InvalidTypeError(f"shape must be an int or a sequence of ints, got {shown(shape)}") from None
    if any(size < 0 for size in sizes):
        raise InvalidValueError(f"shape must have no negative size, got {shown(sizes)}")
    return sizes
