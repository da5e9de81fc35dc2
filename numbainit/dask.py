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

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import numbainit
from numbainit.errors import InvalidTypeError, InvalidValueError, MissingExtraError, shown
from numbainit.functional import Shape, checked_shape, dtype_of_new
from numbainit.generator import Generator, GeneratorLike, as_generator
from numbainit.initializers import Initializer
from numbainit.targets.new_arrays import new_array
from numbainit.weights.blocks import Block

try:
    import dask.array as da
    from dask.base import tokenize
except ImportError as error:
    raise MissingExtraError(f'numbainit.dask needs dask ({error}): pip install "numbainit[dask]"') from error

__all__ = [
    "bilinear",
    "bits",
    "constant",
    "convolution_orthogonal",
    "delta_orthogonal",
    "dirac",
    "eye",
    "forget_bias",
    "glorot_truncated_normal",
    "hadamard",
    "he_truncated_normal",
    "icnr",
    "identity",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_truncated_normal",
    "lecun_uniform",
    "log_arange",
    "log_of_uniform",
    "log_uniform",
    "normal",
    "ones",
    "orthogonal",
    "randomized_hadamard",
    "sine",
    "sparse",
    "time_step_bias",
    "trunc_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]


def _lazy(name: str) -> "Callable[..., da.Array]":
    """The function of an initializer: the parameters of its twin, with chunks instead of a device and a block."""
    twin = getattr(numbainit, name)
    kept = [one for key, one in inspect.signature(twin).parameters.items() if key not in ("device", "block")]
    chunks = inspect.Parameter("chunks", inspect.Parameter.KEYWORD_ONLY, default="auto", annotation=Any)
    at = next(at for at, one in enumerate(kept) if one.kind is inspect.Parameter.KEYWORD_ONLY)
    signature = inspect.Signature([*kept[:at], chunks, *kept[at:]], return_annotation=da.Array)

    def make(*arguments: Any, **keywords: Any) -> da.Array:
        bound = signature.bind(*arguments, **keywords)
        bound.apply_defaults()
        return _array(name, **bound.arguments)

    functools.update_wrapper(make, twin, assigned=("__name__", "__qualname__"), updated=())
    make.__signature__, make.__wrapped__ = signature, None  # type: ignore[attr-defined]
    make.__doc__ = f"A lazy array of what :func:`numbainit.{name}` makes: its parameters, and ``chunks``."
    return make


bilinear = _lazy("bilinear")
bits = _lazy("bits")
constant = _lazy("constant")
convolution_orthogonal = _lazy("convolution_orthogonal")
delta_orthogonal = _lazy("delta_orthogonal")
dirac = _lazy("dirac")
eye = _lazy("eye")
forget_bias = _lazy("forget_bias")
glorot_truncated_normal = _lazy("glorot_truncated_normal")
hadamard = _lazy("hadamard")
he_truncated_normal = _lazy("he_truncated_normal")
icnr = _lazy("icnr")
identity = _lazy("identity")
kaiming_normal = _lazy("kaiming_normal")
kaiming_uniform = _lazy("kaiming_uniform")
lecun_normal = _lazy("lecun_normal")
lecun_truncated_normal = _lazy("lecun_truncated_normal")
lecun_uniform = _lazy("lecun_uniform")
log_arange = _lazy("log_arange")
log_of_uniform = _lazy("log_of_uniform")
log_uniform = _lazy("log_uniform")
normal = _lazy("normal")
ones = _lazy("ones")
orthogonal = _lazy("orthogonal")
randomized_hadamard = _lazy("randomized_hadamard")
sine = _lazy("sine")
sparse = _lazy("sparse")
time_step_bias = _lazy("time_step_bias")
trunc_normal = _lazy("trunc_normal")
uniform = _lazy("uniform")
variance_scaling = _lazy("variance_scaling")
xavier_normal = _lazy("xavier_normal")
xavier_uniform = _lazy("xavier_uniform")
zeros = _lazy("zeros")


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
    if like is not None and not hasattr(like, "__array_function__"):
        raise InvalidTypeError(
            f"like must be an array of NumPy or CuPy, got {type(like).__module__}.{type(like).__name__}: dask's chunks "
            "are arrays of these"
        )
    found, sizes = Initializer(name, **arguments), checked_shape(shape)
    known = dtype_of_new(getattr(numbainit, name + "_"), dtype, like)
    cut = _chunks(chunks, sizes, known)
    found.check(sizes, known)
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


def _chunks(chunks: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    try:
        axes = set(chunks) - set(range(len(shape))) if issubclass(type(chunks), dict) else ()
        if axes:
            raise ValueError(f"there is no axis {shown(next(iter(axes)))}")
        return da.core.normalize_chunks(chunks, shape, dtype=dtype)
    except ZeroDivisionError:
        raise InvalidValueError(f"chunks {shown(chunks)} have a size of 0: take -1 for a whole axis") from None
    except (TypeError, ValueError, NotImplementedError) as error:
        raise InvalidValueError(f"chunks {shown(chunks)} do not cut an array of shape {shape}: {error}") from None
