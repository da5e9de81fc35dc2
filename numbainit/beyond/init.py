"""The initializers that torch does not have, in place: of JAX, Keras, papers and models; in all else as those of torch.

A name says what it is the law of: ``..._normal_`` is never truncated here, ``..._truncated_normal_`` is the law that
JAX and Keras call ``..._normal``, and Glorot's and He's have these names since torch's for the same papers, xavier and
kaiming, are not truncated. What draws nothing takes no generator.

``tensor``, ``generator``, ``block``, ``layout`` and what is raised for them are those of :mod:`numbainit.init`.
"""

from typing import TypeVar

from numbainit.generator import GeneratorLike
from numbainit.memory.arrays import writable
from numbainit.memory.dtypes import FLOATS, REALS
from numbainit.memory.libraries import written
from numbainit.schemes import isometries, maps, matrices, scaled
from numbainit.weights import laws
from numbainit.weights.blocks import Block
from numbainit.weights.layouts import LayoutLike

__all__ = [
    "bilinear_",
    "convolution_orthogonal_",
    "delta_orthogonal_",
    "forget_bias_",
    "glorot_truncated_normal_",
    "hadamard_",
    "he_truncated_normal_",
    "icnr_",
    "identity_",
    "lecun_normal_",
    "lecun_truncated_normal_",
    "lecun_uniform_",
    "log_arange_",
    "log_of_uniform_",
    "log_uniform_",
    "randomized_hadamard_",
    "sine_",
    "time_step_bias_",
    "variance_scaling_",
]

A = TypeVar("A")


# ---- scaled by fans ----


def variance_scaling_(
    tensor: A,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    generator: GeneratorLike = None,
    *,
    block: Block | None = None,
    layout: LayoutLike = "OI",
) -> A:
    r"""Fill with a law around zero of variance ``scale / fan``: what JAX and Keras make Glorot's, He's, LeCun's of.

    Parameters
    ----------
    tensor : array
        At least 2 dimensions, laid out (out, in, *receptive field); of any float dtype, or complex if the distribution
        is not truncated.
    scale : float
        >= 0; of He's laws 2, of Glorot's and LeCun's 1.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}
        Which fan: of the last two the arithmetic and the geometric mean of both.
    distribution : {"truncated_normal", "normal", "uniform"}
        ``truncated_normal``: N(0, s^2) in [-2 s, 2 s], with s = std / 0.87962566103423978, so that ``std`` is the
        standard deviation *after* truncation. ``normal``, which Keras calls ``untruncated_normal``, as it is here too:
        N(0, std^2). ``uniform``: U[-c, c), c = sqrt(3) std. With std = sqrt(scale / fan).
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the values come from; see :func:`numbainit.Generator`. None: the default generator.
    block : Block, optional
        ``tensor`` is this part of a larger array, of which its values and fans are those.
    layout : str or Layout
        Which axis is what; E (experts) are ``batch_axis`` of JAX. JAX's and Keras's own layout is "HWIO".

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Fewer than 2 dimensions, an unknown mode or distribution, a negative scale.
    InvalidTypeError
        A complex array, and a truncated normal.

    Notes
    -----
    The laws are those of ``jax.nn.initializers.variance_scaling`` and ``keras.initializers.VarianceScaling``; Keras
    knows no ``fan_geo_avg``. JAX's complex truncated normal, on a disk, is not among them.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.variance_scaling_(np.empty((512, 256), "float32"), 2.0, "fan_avg", generator=0)
    >>> bool(abs(w.std() - (2 / 384) ** 0.5) < 1e-3), bool(abs(w).max() <= 2 * (2 / 384) ** 0.5 / 0.8796)
    (True, True)
    """
    truncated = scaled.is_truncated(distribution)
    array = writable(tensor, "variance_scaling_", REALS if truncated else FLOATS)
    scaled.fill_variance_scaling(array, (scale, mode, distribution), generator, block, layout)
    return written(tensor)


def lecun_uniform_(
    tensor: A, generator: GeneratorLike = None, *, block: Block | None = None, layout: LayoutLike = "OI"
) -> A:
    r"""Fill with U[-c, c), ``c = sqrt(3 / fan_in)``: as ``lecun_uniform`` of JAX and Keras.

    LeCun, Bottou, Orr and Müller, "Efficient backprop" (1998); ``variance_scaling_`` with scale 1, "uniform".

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.lecun_uniform_(np.empty((4, 3), "float32"), generator=0)
    >>> bool(abs(w).max() <= 1)
    True
    """
    array = writable(tensor, "lecun_uniform_")
    scaled.fill_variance_scaling(array, (1.0, "fan_in", "uniform"), generator, block, layout)
    return written(tensor)


def lecun_normal_(
    tensor: A, generator: GeneratorLike = None, *, block: Block | None = None, layout: LayoutLike = "OI"
) -> A:
    r"""Fill with N(0, std^2), ``std = sqrt(1 / fan_in)``, as the paper has it.

    Not truncated, unlike ``lecun_normal`` of JAX, flax and Keras: that is :func:`lecun_truncated_normal_`. Source as of
    :func:`lecun_uniform_`.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.lecun_normal_(np.empty((1, 4), "float32"), generator=0)[0, :2]
    array([-0.9477366 , -0.39102054], dtype=float32)
    """
    array = writable(tensor, "lecun_normal_")
    scaled.fill_variance_scaling(array, (1.0, "fan_in", "normal"), generator, block, layout)
    return written(tensor)


def lecun_truncated_normal_(
    tensor: A, generator: GeneratorLike = None, *, block: Block | None = None, layout: LayoutLike = "OI"
) -> A:
    r"""Fill with a truncated normal of standard deviation ``sqrt(1 / fan_in)``: ``lecun_normal`` of JAX and Keras.

    N(0, s^2) in [-2 s, 2 s], ``s = sqrt(1 / fan_in) / 0.87962566103423978``: ``variance_scaling_`` with its defaults.
    Real arrays only.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.lecun_truncated_normal_(np.empty((64, 100), "float32"), generator=0)
    >>> bool(abs(w).max() <= 0.2 / 0.8796)
    True
    """
    array = writable(tensor, "lecun_truncated_normal_", REALS)
    scaled.fill_variance_scaling(array, (1.0, "fan_in", "truncated_normal"), generator, block, layout)
    return written(tensor)


def glorot_truncated_normal_(
    tensor: A, generator: GeneratorLike = None, *, block: Block | None = None, layout: LayoutLike = "OI"
) -> A:
    r"""Fill with a truncated normal of standard deviation ``sqrt(2 / (fan_in + fan_out))``: JAX's ``glorot_normal``.

    Keras's ``GlorotNormal`` too; torch's :func:`xavier_normal_` is not truncated. N(0, s^2) in [-2 s, 2 s],
    ``s = sqrt(2 / (fan_in + fan_out)) / 0.87962566103423978``. Real arrays only. Glorot and Bengio, AISTATS 2010.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.glorot_truncated_normal_(np.empty((64, 64), "float32"), generator=0)
    >>> bool(abs(w).max() <= 0.25 / 0.8796)
    True
    """
    array = writable(tensor, "glorot_truncated_normal_", REALS)
    scaled.fill_variance_scaling(array, (1.0, "fan_avg", "truncated_normal"), generator, block, layout)
    return written(tensor)


def he_truncated_normal_(
    tensor: A, generator: GeneratorLike = None, *, block: Block | None = None, layout: LayoutLike = "OI"
) -> A:
    r"""Fill with a truncated normal of standard deviation ``sqrt(2 / fan_in)``: ``he_normal`` of JAX and Keras.

    torch's :func:`kaiming_normal_` is not truncated. N(0, s^2) in [-2 s, 2 s],
    ``s = sqrt(2 / fan_in) / 0.87962566103423978``. Real arrays only. He et al., ICCV 2015.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.he_truncated_normal_(np.empty((64, 50), "float32"), generator=0)
    >>> bool(abs(w).max() <= 0.4 / 0.8796)
    True
    """
    array = writable(tensor, "he_truncated_normal_", REALS)
    scaled.fill_variance_scaling(array, (2.0, "fan_in", "truncated_normal"), generator, block, layout)
    return written(tensor)


def sine_(
    tensor: A,
    layer: str = "hidden",
    omega: float = 30.0,
    generator: GeneratorLike = None,
    *,
    block: Block | None = None,
    layout: LayoutLike = "OI",
) -> A:
    r"""Fill a weight of a SIREN, whose layers are ``sin(omega (W x + b))`` (Sitzmann et al., NeurIPS 2020).

    Parameters
    ----------
    tensor : array
        Of any float or complex dtype, at least 2 dimensions, laid out (out, in, *receptive field).
    layer : {"hidden", "first"}
        ``first``: U[-c, c) with c = 1 / fan_in, whatever omega. ``hidden``, all later ones:
        c = sqrt(6 / fan_in) / omega.
    omega : float
        The frequency, > 0; omega_0 of the paper.
    generator, block, layout
        As for :func:`variance_scaling_`.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Another layer, omega <= 0, fewer than 2 dimensions.

    Notes
    -----
    Biases of the authors' code stay as torch makes them, U[-1 / sqrt(fan_in), 1 / sqrt(fan_in)).

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.sine_(np.empty((256, 2), "float32"), "first", generator=0)
    >>> bool(abs(w).max() <= 0.5)
    True
    """
    array = writable(tensor, "sine_")
    scaled.fill_sine(array, layer, omega, generator, block, layout)
    return written(tensor)


def icnr_(
    tensor: A,
    upscale: int = 2,
    scale: float = 2.0,
    mode: str = "fan_in",
    distribution: str = "normal",
    shuffle: str = "pixel_shuffle",
    generator: GeneratorLike = None,
    *,
    block: Block | None = None,
    layout: LayoutLike = "OI",
) -> A:
    r"""Fill a kernel in front of a pixel shuffle with sub-kernels that are all the same (Aitken et al., 2017: ICNR).

    What the shuffle makes of it is then a convolution and a nearest-neighbour enlargement: no checkerboard.

    Parameters
    ----------
    tensor : array
        A convolution's kernel with one axis of outputs, which ``upscale ** d`` divides, d its receptive axes. Of any
        float dtype, or complex if the distribution is not truncated.
    upscale : int
        The factor of each axis.
    scale, mode, distribution
        The law of one sub-kernel, with the fans that it has alone, as for :func:`variance_scaling_`; by default He's
        normal law, N(0, 2 / fan_in).
    shuffle : {"pixel_shuffle", "depth_to_space"}
        Which outputs become neighbours. torch's PixelShuffle: those that follow each other, output ``c r^d + s`` is
        sub-kernel s of channel c. TensorFlow's ``depth_to_space``: output ``s C + c``, C channels.
    generator, block, layout
        As for :func:`variance_scaling_`.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Outputs that the sub-kernels do not divide, no receptive axis, an unknown mode, distribution or shuffle.

    Notes
    -----
    "Checkerboard artifact free sub-pixel convolution", arXiv 1707.02937. Values are those of ``variance_scaling_`` on a
    kernel with the channels alone.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.icnr_(np.empty((8, 3, 3, 3), "float32"), generator=0)
    >>> bool((w[0] == w[3]).all()), bool((w[3] == w[4]).all())
    (True, False)
    """
    truncated = scaled.is_truncated(distribution)
    array = writable(tensor, "icnr_", REALS if truncated else FLOATS)
    scaled.fill_icnr(array, upscale, (scale, mode, distribution), shuffle, generator, block, layout)
    return written(tensor)


# ---- with a structure ----


def identity_(tensor: A, gain: float = 1.0, *, block: Block | None = None) -> A:
    """Fill a matrix with ``gain`` times the identity, rectangular or not: Keras's ``Identity(gain)``. Takes no draw.

    Raises
    ------
    InvalidValueError
        Not exactly 2 dimensions, or a gain that is not finite in the dtype.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.identity_(np.empty((2, 3), "float32"), 0.5)
    array([[0.5, 0. , 0. ],
           [0. , 0.5, 0. ]], dtype=float32)
    """
    array = writable(tensor, "identity_")
    value = laws.constant(laws.finite("gain", gain, array.dtype), array.dtype)
    matrices.eye(array, value, block)
    return written(tensor)


def bilinear_(tensor: A, groups: int = 1, *, block: Block | None = None, layout: LayoutLike = "OI") -> A:
    r"""Fill a transposed convolution's kernel of 3, 4 or 5 dimensions so that it enlarges linearly. Takes no draw.

    With a stride f and a kernel of size 2 f - f mod 2 it interpolates each channel (linearly, bilinearly, trilinearly):
    the decoder of Long, Shelhamer and Darrell, "Fully convolutional networks" (CVPR 2015).

    Parameters
    ----------
    tensor : array
        Of any float or complex dtype, with one axis of outputs and one of inputs. torch's kernel of a transposed
        convolution is ``layout=Layout(transposed=True)``, which matters only with groups.
    groups : int
        Equal groups of the axis that holds all channels, as for :func:`dirac_`; depthwise: all of them.
    block, layout
        As for :func:`dirac_`; a Layout's own groups count too.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Other numbers of dimensions, or an axis that ``groups`` does not divide.

    Notes
    -----
    In each group input channel c goes to output channel c, by the product over the axes of ``1 - |x - m| / f``, where
    f = (size + 1) div 2, and m = f - 1 if the size is odd, else f - 1/2. All else is 0. MXNet's ``Bilinear`` also fills
    what lies off this diagonal, and so is meant for depthwise kernels alone.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.bilinear_(np.empty((1, 1, 4), "float32"))
    array([[[0.25, 0.75, 0.75, 0.25]]], dtype=float32)
    """
    matrices.bilinear(writable(tensor, "bilinear_"), groups, block, layout)
    return written(tensor)


def delta_orthogonal_(tensor: A, gain: float = 1.0, generator: GeneratorLike = None, *, layout: LayoutLike = "OI") -> A:
    r"""Fill a kernel with ``gain`` times an orthogonal matrix at its centre, and zeros elsewhere.

    The convolution keeps norms, times the gain, whatever its padding: Xiao et al., "Dynamical isometry and a mean field
    theory of CNNs" (ICML 2018), algorithm 2.

    Parameters
    ----------
    tensor : array
        Of 3, 4 or 5 dimensions, and of any float or complex dtype, with at least as many outputs as inputs.
    gain : float
        A finite factor.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the values come from; see :func:`numbainit.Generator`. None: the default generator.
    layout : str or Layout
        As for :func:`orthogonal_`; each expert, group and split has a matrix of its own.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Other numbers of dimensions, or fewer outputs than inputs.

    Notes
    -----
    The centre is (size - 1) div 2 along each axis, as in JAX's ``delta_orthogonal`` and TensorFlow: with "same" padding
    it is the place that lies over the output, for even sizes too. Made as :func:`orthogonal_` makes its matrices, on a
    GPU by CuPy, and as there the law is promised, not the last bits; no block of it can be made alone.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.delta_orthogonal_(np.empty((8, 4, 3, 3)), generator=0)
    >>> centre = w[:, :, 1, 1]
    >>> bool(np.allclose(centre.T @ centre, np.eye(4))), int(np.count_nonzero(w))
    (True, 32)
    """
    isometries.delta_orthogonal(writable(tensor, "delta_orthogonal_"), gain, generator, layout)
    return written(tensor)


def convolution_orthogonal_(
    tensor: A, gain: float = 1.0, generator: GeneratorLike = None, *, layout: LayoutLike = "OI"
) -> A:
    r"""Fill a kernel with all of its places, so that its convolution keeps norms: TensorFlow's ConvolutionOrthogonal.

    The convolution of a periodic signal is ``gain`` times an isometry: Xiao et al. (ICML 2018), algorithm 1, after
    Kautsky and Turcajová, "A matrix approach to discrete wavelets" (1994).

    Parameters
    ----------
    tensor : array
        Of 3, 4 or 5 dimensions (``ConvolutionOrthogonal1D``, ``2D`` and ``3D``), and of any float or complex dtype,
        with at least as many outputs as inputs. Sizes of the receptive field need not be equal.
    gain, generator, layout
        As for :func:`delta_orthogonal_`.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Other numbers of dimensions, or fewer outputs than inputs.

    Notes
    -----
    ``O prod (P + (I - P) z)``, O with orthonormal columns, z a shift by one place along an axis, and for each axis as
    many factors as its size less one, each with a projection P of its own onto a random subspace: that of the columns
    of a Haar-distributed matrix which are kept with probability 1/2. Each factor is unitary where z lies on the
    unit circle. Made on the host in float64, also for an array on a GPU; the law is promised, not the last bits, and no
    block can be made alone.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.convolution_orthogonal_(np.empty((4, 2, 3)), generator=0)
    >>> waves = np.fft.fft(w, 16, axis=2)                       # its matrix at each frequency
    >>> products = np.einsum("oiw,ojw->wij", waves.conj(), waves)
    >>> bool(np.allclose(products, np.eye(2)))
    True
    """
    isometries.convolution_orthogonal(writable(tensor, "convolution_orthogonal_"), gain, generator, layout)
    return written(tensor)


def hadamard_(tensor: A, gain: float = 1.0, *, block: Block | None = None) -> A:
    r"""Fill a matrix with ``gain (-1)^popcount(i & j) / sqrt(n)``, n its longer side. Takes no draw.

    The leading rows or columns of Sylvester's Hadamard matrix, scaled so that those along the longer side are
    orthonormal, times the gain: the dense matrices of ZerO (Zhao, Schäfer and Anandkumar, TMLR 2022).

    Parameters
    ----------
    tensor : array
        Of exactly 2 dimensions, of any float or complex dtype. The longer side is a power of two: Sylvester's
        construction has no others.
    gain : float
        A finite factor; sqrt(n) gives entries of 1 and -1.
    block : Block, optional
        ``tensor`` is this part of a larger matrix, of which its values are those.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Not 2 dimensions, or a longer side that is no power of two.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.hadamard_(np.empty((2, 4), "float32"))
    array([[ 0.5,  0.5,  0.5,  0.5],
           [ 0.5, -0.5,  0.5, -0.5]], dtype=float32)
    """
    maps.hadamard(writable(tensor, "hadamard_"), gain, block)
    return written(tensor)


def randomized_hadamard_(
    tensor: A, gain: float = 1.0, generator: GeneratorLike = None, *, block: Block | None = None
) -> A:
    r"""Fill with Hadamard's matrix times random signs of its columns: a random rotation that spreads any input.

    ``H D``, H of :func:`hadamard_` and D diagonal with independent signs (Ailon and Chazelle, SIAM J. Comput. 39, 2009;
    the rotations of QuIP# and QuaRot). Columns are those of the matrix as it is: the inputs of torch's (out, in).

    Parameters
    ----------
    tensor, gain, block
        As for :func:`hadamard_`.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Where the signs come from; see :func:`numbainit.Generator`. None: the default generator.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        Not 2 dimensions, or a longer side that is no power of two.

    Notes
    -----
    The sign of column j is the highest bit of word j of the draw (1: negative).

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.randomized_hadamard_(np.empty((8, 8)), generator=0)
    >>> bool(np.allclose(w @ w.T, np.eye(8)))
    True
    """
    maps.randomized_hadamard(writable(tensor, "randomized_hadamard_"), gain, generator, block)
    return written(tensor)


# ---- biases and time steps ----


def forget_bias_(tensor: A, val: float = 1.0, gates: str = "ifgo", *, block: Block | None = None) -> A:
    """Fill the bias of an LSTM with 0, and with ``val`` where it is the forget gate's. Takes no draw.

    A gate that starts open lets gradients through: Gers, Schmidhuber and Cummins (2000); Jozefowicz, Zaremba and
    Sutskever (ICML 2015).

    Parameters
    ----------
    tensor : array
        Whose last axis holds the four gates, of equal sizes, one behind the other; of any float or complex dtype.
    val : float
        Of the forget gate.
    gates : str
        Their order: i (input), f (forget), o (output), and g, c or j (the candidate). torch, cuDNN: "ifgo"; Keras,
        MXNet: "ifco"; TensorFlow's BasicLSTMCell: "ijfo"; ONNX: "iofc". Chainer interleaves them, which this does not.
    block : Block, optional
        ``tensor`` is this part of a larger array.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        A last axis that 4 does not divide, or other gates.

    Notes
    -----
    torch adds two biases, ``bias_ih`` and ``bias_hh``: fill one of them so, and the other with zeros.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> init.forget_bias_(np.empty(8, "float32"))
    array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32)
    """
    array = writable(tensor, "forget_bias_")
    matrices.forget_bias(array, laws.constant(val, array.dtype), gates, block)
    return written(tensor)


def log_uniform_(
    tensor: A, a: float = 0.001, b: float = 0.1, generator: GeneratorLike = None, *, block: Block | None = None
) -> A:
    r"""Fill with ``exp(U)``, U uniform between log a and log b: each power of ten gets as many values as the next.

    Parameters
    ----------
    tensor : array
        Of any float dtype; any shape, strides and memory order.
    a, b : float
        Bounds of the values, 0 < a <= b; by default those of time steps of S4 and Mamba. Values are >= a and < b also
        after rounding to the dtype.
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
        a <= 0, a > b, or an interval that holds no number of the dtype.

    Notes
    -----
    U is that of ``uniform_`` in float64, two words an element, whatever the dtype; ``exp`` is the package's own, in
    float64, rounded to float32 and then to a smaller dtype. Made on the host in single-threaded passes, also for an
    array on a GPU, with equal bits everywhere: meant for time steps, not for the largest weights.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.log_uniform_(np.empty(1000), 1e-3, 1e-1, generator=0)
    >>> bool(w.min() >= 1e-3), bool(w.max() < 1e-1), bool(480 < (w < 1e-2).sum() < 520)
    (True, True, True)
    """
    maps.log_uniform(writable(tensor, "log_uniform_", REALS), a, b, generator, block)
    return written(tensor)


def log_of_uniform_(
    tensor: A, a: float = 1.0, b: float = 16.0, generator: GeneratorLike = None, *, block: Block | None = None
) -> A:
    r"""Fill with ``log(U)``, U uniform on [a, b): Mamba-2's ``A_log``, by default.

    Dao and Gu, "Transformers are SSMs" (ICML 2024), as their code has it. Parameters, errors and what is promised are
    those of :func:`log_uniform_`, but a and b bound U, not the values.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> w = init.log_of_uniform_(np.empty(1000), generator=0)
    >>> bool(w.min() >= 0), bool(w.max() <= np.log(16))
    (True, True)
    """
    maps.log_of_uniform(writable(tensor, "log_of_uniform_", REALS), a, b, generator, block)
    return written(tensor)


def time_step_bias_(
    tensor: A,
    a: float = 0.001,
    b: float = 0.1,
    floor: float = 0.0001,
    generator: GeneratorLike = None,
    *,
    block: Block | None = None,
) -> A:
    r"""Fill with what softplus takes to log-uniform time steps: ``dt_bias`` of Mamba and Mamba-2.

    ``t + log(1 - exp(-t))``, t = max(exp(U), floor), U uniform between log a and log b (Gu and Dao, "Mamba", 2023, as
    their code has it: ``dt_min``, ``dt_max`` and ``dt_init_floor``).

    Parameters
    ----------
    tensor, generator, block
        As for :func:`log_uniform_`.
    a, b : float
        Bounds of the time steps, 0 < a <= b.
    floor : float
        Of the time steps; 0 for none.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        a <= 0 or a > b.

    Notes
    -----
    What is promised is that of :func:`log_uniform_`. The bounds hold before values are rounded to the dtype.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> steps = np.log1p(np.exp(init.time_step_bias_(np.empty(1000), generator=0)))
    >>> bool(steps.min() > 0.00099), bool(steps.max() < 0.1001)
    (True, True)
    """
    maps.time_step_bias(writable(tensor, "time_step_bias_", REALS), a, b, floor, generator, block)
    return written(tensor)


def log_arange_(tensor: A, start: float = 1.0, *, block: Block | None = None) -> A:
    """Fill with ``log(start + j)``, j the index along the last axis: ``A_log`` of Mamba, and of S4D-real. No draw.

    So ``-exp(A_log)`` is -1, -2, -3, ... in each row (Gu, Gupta, Goel and Ré, "On the parameterization and
    initialization of diagonal state space models", NeurIPS 2022). Hugging Face's Mamba-2 has it along its heads.

    Parameters
    ----------
    tensor : array
        Of at least 1 dimension, of any float or complex dtype.
    start : float
        What the first logarithm is of, > 0.
    block : Block, optional
        ``tensor`` is this part of a larger array, of which its values are those.

    Returns
    -------
    The same object.

    Raises
    ------
    InvalidValueError
        No dimensions, start <= 0, or a logarithm that is not finite in the dtype.

    Notes
    -----
    The logarithm is the package's own, in float64, below 1 ulp, with equal bits everywhere.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> np.exp(init.log_arange_(np.empty((2, 4)))).round(12)
    array([[1., 2., 3., 4.],
           [1., 2., 3., 4.]])
    """
    maps.log_arange(writable(tensor, "log_arange_"), start, block)
    return written(tensor)
