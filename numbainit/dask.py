"""A shape and chunks → a lazy dask array, each chunk of which makes itself: the names of the family once more.

A chunk is a block of the whole, so its values and fans are those of ``numbainit.kaiming_normal(shape, ...)``, however
the array is cut, by whatever workers, in whatever order, once or again after one has died. No task waits for another.
Errors are raised when the array is described, not when it is computed.

Each function takes the parameters of its twin that makes new arrays (:mod:`numbainit.functional`), and then:

chunks : what dask takes
    ``"auto"``, a size, sizes for each axis, ``-1`` for an axis that is not cut.
like : array, optional
    Of NumPy or CuPy: chunks are arrays of that library, and of its dtype unless another is given.
generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
    Its next draw is taken at once: calls that follow have others, in the order of the calls.

Names of tasks depend on all this and nothing else: an array that is described again is the same to dask.

Examples
--------
>>> import numbainit as init
>>> from numbainit.dask import kaiming_normal
>>> w = kaiming_normal((1000, 800), chunks=(300, -1), nonlinearity="relu", generator=0)
>>> w.chunks
((300, 300, 300, 100), (800,))
>>> bool((w.compute() == init.kaiming_normal((1000, 800), nonlinearity="relu", generator=0)).all())
True
"""

from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, MissingExtraError
from numbainit.functional import Shape, checked_shape
from numbainit.generator import Generator, GeneratorLike, as_generator
from numbainit.initializers import Initializer
from numbainit.memory.dtypes import FLOATS, REALS, WORDS, checked_dtype, dtype_of
from numbainit.targets.new_arrays import new_array
from numbainit.weights.blocks import Block
from numbainit.weights.layouts import LayoutLike

try:
    import dask.array as da
    from dask.base import tokenize
except ImportError as error:
    raise MissingExtraError(f'numbainit.dask needs dask ({error}): pip install "numbainit[dask]"') from error

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

_FILLED = {"bits": WORDS, "uniform": REALS, "trunc_normal": REALS}  # all others fill any floats


def uniform(
    shape: Shape,
    a: float = 0.0,
    b: float = 1.0,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    generator: GeneratorLike = None,
) -> da.Array:
    """U[a, b): see :func:`numbainit.uniform_`."""
    return _array("uniform", shape, chunks, dtype, like, generator, a=a, b=b)


def normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    generator: GeneratorLike = None,
) -> da.Array:
    """N(mean, std^2): see :func:`numbainit.normal_`."""
    return _array("normal", shape, chunks, dtype, like, generator, mean=mean, std=std)


def trunc_normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    generator: GeneratorLike = None,
) -> da.Array:
    """N(mean, std^2) in [a, b]: see :func:`numbainit.trunc_normal_`."""
    return _array("trunc_normal", shape, chunks, dtype, like, generator, mean=mean, std=std, a=a, b=b)


def constant(shape: Shape, val: complex, *, chunks: Any = "auto", dtype: Any = None, like: Any = None) -> da.Array:
    """``val`` everywhere: see :func:`numbainit.constant_`."""
    return _array("constant", shape, chunks, dtype, like, val=val)


def ones(shape: Shape, *, chunks: Any = "auto", dtype: Any = None, like: Any = None) -> da.Array:
    """1 everywhere: see :func:`numbainit.ones_`."""
    return _array("ones", shape, chunks, dtype, like)


def zeros(shape: Shape, *, chunks: Any = "auto", dtype: Any = None, like: Any = None) -> da.Array:
    """0 everywhere: see :func:`numbainit.zeros_`."""
    return _array("zeros", shape, chunks, dtype, like)


def eye(shape: Shape, *, chunks: Any = "auto", dtype: Any = None, like: Any = None) -> da.Array:
    """The identity: see :func:`numbainit.eye_`."""
    return _array("eye", shape, chunks, dtype, like)


def dirac(
    shape: Shape,
    groups: int = 1,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    layout: LayoutLike = "OI",
) -> da.Array:
    """A convolution that passes its channels on: see :func:`numbainit.dirac_`."""
    return _array("dirac", shape, chunks, dtype, like, groups=groups, layout=layout)


def xavier_uniform(
    shape: Shape,
    gain: float = 1.0,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> da.Array:
    """U[-c, c), ``c = gain sqrt(6 / (fan_in + fan_out))``: see :func:`numbainit.xavier_uniform_`."""
    return _array("xavier_uniform", shape, chunks, dtype, like, generator, gain=gain, layout=layout)


def xavier_normal(
    shape: Shape,
    gain: float = 1.0,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> da.Array:
    """N(0, std^2), ``std = gain sqrt(2 / (fan_in + fan_out))``: see :func:`numbainit.xavier_normal_`."""
    return _array("xavier_normal", shape, chunks, dtype, like, generator, gain=gain, layout=layout)


def kaiming_uniform(
    shape: Shape,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> da.Array:
    """U[-c, c), ``c = gain sqrt(3 / fan)``: see :func:`numbainit.kaiming_uniform_`."""
    return _array(
        "kaiming_uniform",
        shape,
        chunks,
        dtype,
        like,
        generator,
        a=a,
        mode=mode,
        nonlinearity=nonlinearity,
        layout=layout,
    )


def kaiming_normal(
    shape: Shape,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> da.Array:
    """N(0, std^2), ``std = gain / sqrt(fan)``: see :func:`numbainit.kaiming_normal_`."""
    return _array(
        "kaiming_normal",
        shape,
        chunks,
        dtype,
        like,
        generator,
        a=a,
        mode=mode,
        nonlinearity=nonlinearity,
        layout=layout,
    )


def orthogonal(
    shape: Shape,
    gain: float = 1,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    layout: LayoutLike = "OI",
    generator: GeneratorLike = None,
) -> da.Array:
    """``gain`` times a Haar-distributed matrix: see :func:`numbainit.orthogonal_`.

    No part of it can be made alone: one task makes the whole, others cut it.
    """
    return _array("orthogonal", shape, chunks, dtype, like, generator, gain=gain, layout=layout)


def sparse(
    shape: Shape,
    sparsity: float,
    std: float = 0.01,
    *,
    chunks: Any = "auto",
    dtype: Any = None,
    like: Any = None,
    generator: GeneratorLike = None,
) -> da.Array:
    """``ceil(sparsity * rows)`` zeros in every column, the rest N(0, std^2): see :func:`numbainit.sparse_`.

    A chunk costs the mask of all rows above it: chunks that are cut along columns alone cost nothing more.
    """
    return _array("sparse", shape, chunks, dtype, like, generator, sparsity=sparsity, std=std)


def bits(
    shape: Shape, *, chunks: Any = "auto", dtype: Any = None, like: Any = None, generator: GeneratorLike = None
) -> da.Array:
    """Raw random words: see :func:`numbainit.bits_`."""
    return _array("bits", shape, chunks, dtype, like, generator)


def _array(
    name: str,
    shape: Shape,
    chunks: Any,
    dtype: Any,
    like: Any,
    generator: GeneratorLike = None,
    **arguments: Any,
) -> da.Array:
    """The array that an initializer makes; a draw is taken when nothing can be refused any more."""
    found, sizes = Initializer(name, **arguments), checked_shape(shape)
    known = _dtype(name, dtype, like)
    cut = _chunks(chunks, sizes, known)
    part = Block(sizes, (0,) * len(sizes)) if found.takes_block else None
    nothing = np.empty((0 if found.takes_block else 1,) * len(sizes), known)
    found(nothing, Generator.from_key(0, 0), block=part)  # what is wrong with the arguments
    meta, _ = new_array((0,) * len(sizes), known, None, like)
    stream = as_generator(generator).next_stream() if found.draws else (0, 0, 0)
    label = f"{name}-{tokenize(found.label, sizes, cut, known.str, known.name, stream, type(meta).__module__)}"
    given = {"initializer": found, "stream": stream, "like": meta, "dtype": known, "name": label, "meta": meta}
    if found.takes_block:
        return da.map_blocks(_chunk, chunks=cut, **given)
    return da.map_blocks(_chunk, chunks=tuple((size,) for size in sizes), **given).rechunk(cut)


def _chunk(initializer: Initializer, stream: tuple[int, int, int], like: Any, block_info: Any) -> Any:
    """One chunk, made where it is needed."""
    facts = block_info[None]
    start, ends = zip(*facts["array-location"], strict=True) if facts["array-location"] else ((), ())
    shape = tuple(end - begin for begin, end in zip(start, ends, strict=True))
    array, finish = new_array(shape, facts["dtype"], None, like)
    block = Block(facts["shape"], start) if initializer.takes_block else None
    return finish(initializer(array, Generator.from_key(*stream[:2], draws=stream[2]), block=block))


def _dtype(name: str, dtype: Any, like: Any) -> np.dtype:
    if like is not None and not hasattr(like, "__array_function__"):
        raise InvalidTypeError(
            f"like must be an array of NumPy or CuPy, got {type(like).__module__}.{type(like).__name__}: dask's chunks "
            "are arrays of these"
        )
    dtypes = _FILLED.get(name, FLOATS)
    if dtype is None:
        return dtype_of(like, dtypes) or dtypes.machine[0]
    return checked_dtype(dtype, WORDS if name == "bits" else FLOATS)


def _chunks(chunks: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    try:
        return da.core.normalize_chunks(chunks, shape, dtype=dtype)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise InvalidValueError(f"chunks {chunks!r} do not cut an array of shape {shape}: {error}") from None
