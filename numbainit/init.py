"""The ``torch.nn.init`` family, in place: check, scale, one fill. The file to read first.

Every function takes a writable array of floats or complex numbers with any strides and memory order, fills it in place,
and returns the same object: arrays of NumPy, CPU tensors of torch, whatever else lends its memory (the buffer protocol,
``__array_interface__``, ``__dlpack__``), and arrays on a CUDA GPU (``__cuda_array_interface__``).
Element i of the logical C order depends on the generator's key, the number of the draw and i alone: not on the device,
threads, strides, memory order, the length of the array, nor (to float32 precision) on its width.

float16, bfloat16 and the float8 kinds of ml_dtypes hold the float32 value rounded once, to nearest even, and inside the
bounds after that. Complex element i is the pair of real elements 2i and 2i + 1, each with half of the variance;
``uniform_`` and ``trunc_normal_`` take no complex arrays, since a law on a disk would be another one.
"""

from collections.abc import Callable
from typing import TypeVar

from numbainit.fill import fill, fill_constant
from numbainit.generator import GeneratorLike
from numbainit.memory.arrays import writable
from numbainit.memory.dtypes import FLOATS, REALS, WORDS, Fillable
from numbainit.memory.libraries import written
from numbainit.schemes import isometries, matrices, scaled
from numbainit.targets.again import filled_again, remember
from numbainit.weights import laws
from numbainit.weights.blocks import Block
from numbainit.weights.laws import Law
from numbainit.weights.layouts import LayoutLike

__all__ = [
    "bits_",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

A = TypeVar("A")


def uniform_(
    tensor: A, a: float = 0.0, b: float = 1.0, generator: GeneratorLike = None, *, block: Block | None = None
) -> A:
    r"""Fill with the uniform law on [a, b).

    Parameters
    ----------
    tensor : array
        Of any float dtype; any shape, strides and memory order.
    a, b : float
        Bounds with a <= b. Values are >= a and < b also after rounding to the dtype; a == b gives a everywhere.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the values come from; see :func:`numbainit.Generator`. None: the default generator.
    block : Block, optional
        ``tensor`` is this part of a larger array, of which its values are those.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        a > b, bounds that are not finite in the dtype, or an interval that holds no number of the dtype; a read-only
        array, or one whose elements share memory.
    InvalidTypeError
        Nothing that can be filled in place, or not of a float dtype.

    Notes
    -----
    ``a + (b - a) u`` with one rounding, u = ``(w >> 8) 2^-24`` in float32 (one word an element) and
    ``((hi << 32 | lo) >> 11) 2^-53`` in float64 (two).

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.uniform_(np.empty(3, "float32"), -1, 1, generator=0)
    array([-0.7556263 ,  0.12455678,  0.08049011], dtype=float32)
    """
    asked = "uniform_", a, b
    if block is None and filled_again(tensor, asked, generator):
        return tensor
    return _fill_by_law(tensor, asked, REALS, laws.uniform, generator, block)


def normal_(
    tensor: A, mean: float = 0.0, std: float = 1.0, generator: GeneratorLike = None, *, block: Block | None = None
) -> A:
    r"""Fill with the normal law N(mean, std^2).

    Parameters
    ----------
    tensor : array
        Of any float or complex dtype; any shape, strides and memory order.
    mean, std : float
        Finite; std >= 0. For complex arrays the mean may be complex, and each part has the variance std^2 / 2.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the values come from; see :func:`numbainit.Generator`. None: the default generator.
    block : Block, optional
        ``tensor`` is this part of a larger array, of which its values are those.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        std < 0, a parameter that is not finite in the dtype, or values that would overflow one of less than 32 bits; a
        read-only array, or one whose elements share memory.
    InvalidTypeError
        Nothing that can be filled in place, or not of a float or complex dtype.

    Notes
    -----
    ``mean + std z`` with one rounding, z by Box and Muller (1958) from the four words of a counter:
    ``z0 = r cos t, z1 = r sin t, r = sqrt(-2 ln u)``. |z| <= 6.661 in float32, 8.572 in float64.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.normal_(np.empty(3, "float32"), std=0.02, generator=0)
    array([-0.03790946, -0.01564082,  0.01479166], dtype=float32)
    """
    asked = "normal_", mean, std
    if block is None and filled_again(tensor, asked, generator):
        return tensor
    return _fill_by_law(tensor, asked, FLOATS, laws.normal, generator, block)


def trunc_normal_(
    tensor: A,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: GeneratorLike = None,
    *,
    block: Block | None = None,
) -> A:
    r"""Fill with the normal law N(mean, std^2) given that the value lies in [a, b].

    Parameters
    ----------
    tensor : array
        Of any float dtype; any shape, strides and memory order.
    mean, std : float
        Of the law *before* truncation; finite, std >= 0.
    a, b : float
        Bounds in the units of the values (not in sigmas), a <= b; either may be infinite.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the values come from; see :func:`numbainit.Generator`. None: the default generator.
    block : Block, optional
        ``tensor`` is this part of a larger array, of which its values are those.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        std < 0, a > b, NaN, an interval that holds no number of the dtype, or std = 0 with the mean outside [a, b]; a
        read-only array, or one whose elements share memory.
    InvalidTypeError
        Nothing that can be filled in place, or not of a float dtype.

    Notes
    -----
    By rejection, exact for every [a, b], also far in a tail, where torch warns: the value that is tested is the one
    that is stored, and none is clamped. Proposals are normal where the interval is wide, and those of Robert
    ("Simulation of truncated normal variables", Statistics and Computing 5, 1995) elsewhere; at least 49 % are
    accepted.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.trunc_normal_(np.empty(1000, "float32"), a=8, b=9, generator=0)
    >>> bool(w.min() >= 8), bool(w.max() <= 9)
    (True, True)
    """
    asked = "trunc_normal_", mean, std, a, b
    if block is None and filled_again(tensor, asked, generator):
        return tensor
    return _fill_by_law(tensor, asked, REALS, laws.trunc_normal, generator, block)


def constant_(tensor: A, val: float, *, block: Block | None = None) -> A:
    """Fill with ``val``; takes no draw.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.constant_(np.empty(2, "float32"), 0.5)
    array([0.5, 0.5], dtype=float32)
    """
    array = writable(tensor, "constant_")
    fill_constant(array, laws.constant(val, array.dtype), block)
    return written(tensor)


def ones_(tensor: A, *, block: Block | None = None) -> A:
    """Fill with 1; takes no draw.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.ones_(np.empty(2, "float32"))
    array([1., 1.], dtype=float32)
    """
    fill_constant(writable(tensor, "ones_"), 1.0, block)
    return written(tensor)


def zeros_(tensor: A, *, block: Block | None = None) -> A:
    """Fill with 0; takes no draw.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.zeros_(np.empty(2, "float32"))
    array([0., 0.], dtype=float32)
    """
    fill_constant(writable(tensor, "zeros_"), 0.0, block)
    return written(tensor)


def eye_(tensor: A, *, block: Block | None = None) -> A:
    """Fill a matrix with the identity: 1 on the diagonal, 0 elsewhere; rectangular is fine. Takes no draw.

    Raises
    ------
    InvalidValueError
        Not exactly 2 dimensions.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.eye_(np.empty((2, 3), "float32"))
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    matrices.eye(writable(tensor, "eye_"), 1.0, block)
    return written(tensor)


def dirac_(tensor: A, groups: int = 1, *, block: Block | None = None, layout: LayoutLike = "OI") -> A:
    """Fill a convolution kernel of 3, 4 or 5 dimensions with the Dirac delta; takes no draw.

    In each of ``groups`` equal groups of outputs, the first ``min(outputs, inputs)`` input channels pass unchanged:
    1 at the centre (size // 2 along each axis), 0 elsewhere.

    Raises
    ------
    InvalidValueError
        Other numbers of dimensions, or outputs that ``groups`` does not divide.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.dirac_(np.empty((1, 1, 3), "float32"))
    array([[[0., 1., 0.]]], dtype=float32)
    """
    matrices.dirac(writable(tensor, "dirac_"), groups, block, layout)
    return written(tensor)


def xavier_uniform_(
    tensor: A,
    gain: float = 1.0,
    generator: GeneratorLike = None,
    *,
    block: Block | None = None,
    layout: LayoutLike = "OI",
) -> A:
    r"""Fill with U[-c, c), ``c = gain sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio, AISTATS 2010).

    Parameters
    ----------
    tensor : array
        Of any float or complex dtype, at least 2 dimensions, laid out (out, in, *receptive field).
    gain : float
        A factor for the standard deviation, such as ``calculate_gain("tanh")``.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the values come from; see :func:`numbainit.Generator`. None: the default generator.
    block : Block, optional
        ``tensor`` is this part of a larger array, of which its values and fans are those.
    layout : str or Layout
        Which axis is what: O outputs, I inputs, E experts, other letters the receptive field; see :class:`Layout`.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Fewer than 2 dimensions, or a negative gain.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.xavier_uniform_(np.empty((3, 5), "float32"), generator=0)
    >>> bool(abs(w).max() <= (6 / 8) ** 0.5)
    True
    """
    array = writable(tensor, "xavier_uniform_")
    scaled.fill_xavier(array, gain, laws.centred_uniform, generator, block, layout)
    return written(tensor)


def xavier_normal_(
    tensor: A,
    gain: float = 1.0,
    generator: GeneratorLike = None,
    *,
    block: Block | None = None,
    layout: LayoutLike = "OI",
) -> A:
    r"""Fill with N(0, std^2), ``std = gain sqrt(2 / (fan_in + fan_out))`` (Glorot and Bengio, AISTATS 2010).

    Not truncated, unlike Glorot's normal in JAX and Keras. Parameters and errors are those of :func:`xavier_uniform_`.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.xavier_normal_(np.empty((1, 2), "float32"), generator=0)
    array([[-1.5476475, -0.6385339]], dtype=float32)
    """
    array = writable(tensor, "xavier_normal_")
    scaled.fill_xavier(array, gain, laws.centred_normal, generator, block, layout)
    return written(tensor)


def kaiming_uniform_(
    tensor: A,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: GeneratorLike = None,
    *,
    block: Block | None = None,
    layout: LayoutLike = "OI",
) -> A:
    r"""Fill with U[-c, c), ``c = gain sqrt(3 / fan)`` (He et al., ICCV 2015).

    Parameters
    ----------
    tensor : array
        Of any float or complex dtype, at least 2 dimensions, laid out (out, in, *receptive field).
    a : float
        The negative slope of the rectifier behind this layer; used with leaky_relu only.
    mode : {"fan_in", "fan_out"}
        Whether the forward or the backward pass keeps its variance.
    nonlinearity : str
        What :func:`calculate_gain` knows.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the values come from; see :func:`numbainit.Generator`. None: the default generator.
    block : Block, optional
        ``tensor`` is this part of a larger array, of which its values and fans are those.
    layout : str or Layout
        Which axis is what: O outputs, I inputs, E experts, other letters the receptive field; see :class:`Layout`.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Fewer than 2 dimensions, an unknown mode or nonlinearity (the nearest is named), a slope that is no number.

    Warns
    -----
    UserWarning
        Where the array has no elements, before all other checks.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.kaiming_uniform_(np.empty((4, 6), "float32"), nonlinearity="relu", generator=0)
    >>> bool(abs(w).max() <= 1.0)
    True
    """
    array = writable(tensor, "kaiming_uniform_")
    rule = a, mode, nonlinearity
    scaled.fill_kaiming(array, rule, laws.centred_uniform, generator, block, layout)
    return written(tensor)


def kaiming_normal_(
    tensor: A,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: GeneratorLike = None,
    *,
    block: Block | None = None,
    layout: LayoutLike = "OI",
) -> A:
    r"""Fill with N(0, std^2), ``std = gain / sqrt(fan)`` (He et al., ICCV 2015).

    Not truncated, unlike He's normal in JAX and Keras. Parameters, errors and the warning are those of
    :func:`kaiming_uniform_`.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.kaiming_normal_(np.empty((1, 2), "float32"), mode="fan_out", generator=0)
    array([[-2.680604 , -1.1059731]], dtype=float32)
    """
    array = writable(tensor, "kaiming_normal_")
    rule = a, mode, nonlinearity
    scaled.fill_kaiming(array, rule, laws.centred_normal, generator, block, layout)
    return written(tensor)


def orthogonal_(tensor: A, gain: float = 1, generator: GeneratorLike = None, *, layout: LayoutLike = "OI") -> A:
    r"""Fill with ``gain`` times a (semi-)orthogonal, if complex unitary, matrix from the Haar measure.

    Parameters
    ----------
    tensor : array
        Of any float or complex dtype, at least 2 dimensions; seen as a matrix of shape ``(shape[0], rest)``. Its rows
        are orthonormal if there are fewer rows than columns, else its columns are.
    gain : float
        A finite factor.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the values come from; see :func:`numbainit.Generator`. None: the default generator.
    layout : str or Layout
        Which axis is what: O outputs, I inputs, E experts, other letters the receptive field; see :class:`Layout`.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Fewer than 2 dimensions, or a gain that is not finite.

    Notes
    -----
    The product of Householder reflections of Gaussian vectors (Stewart, SIAM J. Numer. Anal. 17, 1980), with the
    signs that make it Haar's; on a GPU, Q of a QR factorisation by CuPy, with those signs. Equal law and orthogonality
    to the dtype's precision everywhere; the last bits depend on the BLAS in use. Made in the memory of a contiguous
    array, with temporaries of a few hundred columns; on a GPU in a copy; in float32, then rounded, where the dtype is
    smaller.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.orthogonal_(np.empty((3, 5), "float64"), generator=0)
    >>> bool(np.allclose(w @ w.T, np.eye(3)))
    True
    """
    isometries.orthogonal(writable(tensor, "orthogonal_"), gain, generator, layout)
    return written(tensor)


def sparse_(
    tensor: A, sparsity: float, std: float = 0.01, generator: GeneratorLike = None, *, block: Block | None = None
) -> A:
    r"""Fill a matrix with ``ceil(sparsity * rows)`` zeros in every column, the rest N(0, std^2) (Martens, ICML 2010).

    Parameters
    ----------
    tensor : array
        Of any float or complex dtype, exactly 2 dimensions.
    sparsity : float
        The share of zeros in each column, in [0, 1].
    std : float
        Of the other elements; >= 0.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where values and places come from; see :func:`numbainit.Generator`. None: the default generator.
    block : Block, optional
        ``tensor`` is this part of a larger array, of which its values are those.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Not 2 dimensions, sparsity outside [0, 1], std < 0, 2^32 rows or more.

    Notes
    -----
    Selection sampling down each column (Knuth, TAOCP 3.4.2, algorithm S): every set of rows is equally likely, and the
    count is exact. An element that stays is the one that ``normal_`` puts there. A complex element is zero as a whole.
    A block costs the mask of all rows above it, too.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.sparse_(np.empty((10, 3), "float32"), 0.25, generator=0)
    >>> (w == 0).sum(axis=0)
    array([3, 3, 3])
    """
    matrices.sparse(writable(tensor, "sparse_"), sparsity, std, generator, block)
    return written(tensor)


def bits_(tensor: A, generator: GeneratorLike = None, *, block: Block | None = None) -> A:
    """Fill an integer array with the raw random words, uniform over all its values.

    Parameters
    ----------
    tensor : array
        Of uint32 or int32 (one word an element) or uint64 or int64 (two, the high one being that of a 32-bit array).
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the words come from; see :func:`numbainit.Generator`. None: the default generator.
    block : Block, optional
        ``tensor`` is this part of a larger array, of which its values are those.

    Returns
    -------
    The same object.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.bits_(np.empty(4, "uint32"), generator=init.Generator.from_key(0, 0))
    array([1713891541, 3781805453, 3159862348, 2600524760], dtype=uint32)
    """
    array = writable(tensor, "bits_", WORDS)
    unsigned = array.view(array.dtype.str.replace("i", "u"))
    fill(unsigned, laws.BITS, generator, block)
    return written(tensor)


def _fill_by_law(
    tensor: A, asked: tuple, dtypes: Fillable, law: Callable[..., Law], generator: GeneratorLike, block: Block | None
) -> A:
    """Fill by a law of what is ``asked``: the name of the initializer, and its numbers."""
    caller, *numbers = asked
    array = writable(tensor, caller, dtypes)
    found = law(*numbers, array.dtype)
    fill(array, found, generator, block)
    remember(asked, array, found)
    return written(tensor)
