"""A JAX key, a shape and a dtype → a JAX array: initializers with JAX's signature, with numbainit's values.

``init(key, shape, dtype, out_sharding)`` is what ``jax.nn.initializers`` gives and what flax takes as ``kernel_init``.
Laws, arguments and defaults are torch's, axes are JAX's: the last two are (in, out), those before the receptive field,
unless ``layout=`` says otherwise. A key is used as it is, for draw 0:

====================================================  ==============================================================
key                                                   generator
====================================================  ==============================================================
two words (threefry, JAX's default), typed or uint32  ``Generator.from_key(w0, w1)``
more words (rbg)                                      ``from_key(w0, w1)``, then ``fold_in(lo | hi << 32)`` for each
                                                      further pair of words; a last one without a partner is ``lo``
====================================================  ==============================================================

Values are made on the CPU. Outside of ``jax.jit`` an array goes to its device as it is made. Inside, and with vmapped
keys, the fill is a ``jax.pure_callback``; under ``jax.eval_shape`` nothing is made. With ``out_sharding`` each device's
shard is made alone, inside and outside of ``jax.jit``, and nobody holds the whole; without it, a jitted function makes
the whole array first, and under ``jax.set_mesh`` once for each device.

Examples
--------
>>> import jax, numpy as np, numbainit as init
>>> from numbainit.jax import kaiming_normal
>>> w = kaiming_normal(nonlinearity="relu")(jax.random.key(0), (3, 3, 16, 32))
>>> same = init.kaiming_normal(w.shape, nonlinearity="relu", layout="HWIO", generator=init.Generator.from_key(0, 0))
>>> bool((np.asarray(w) == same).all())
True
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numbainit import initializers
from numbainit.errors import InvalidTypeError, InvalidValueError, MissingExtraError, shown
from numbainit.functional import checked_shape
from numbainit.generator import Generator
from numbainit.targets.new_arrays import new_array
from numbainit.weights.blocks import Block
from numbainit.weights.layouts import LayoutLike, channels_last

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise MissingExtraError(f'numbainit.jax needs JAX ({error}): pip install "numbainit[jax]"') from error

__all__ = [
    "Initializer",
    "bilinear",
    "constant",
    "convolution_orthogonal",
    "delta_orthogonal",
    "dirac",
    "eye",
    "forget_bias",
    "generator",
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


@dataclass(frozen=True, repr=False)
class Initializer:
    """An initializer as a function of a key, a shape and a dtype: what this module's functions return.

    A value: equal and of equal hash where name and arguments are, so that modules that hold one stay hashable and
    ``jax.jit`` finds what it has compiled.

    Examples
    --------
    >>> import numbainit as init
    >>> from numbainit.jax import Initializer, xavier_uniform
    >>> xavier_uniform(gain=2), xavier_uniform(2.0) == xavier_uniform(gain=2)
    (xavier_uniform(gain=2), True)
    >>> Initializer(init.Initializer("xavier_uniform", gain=2)) == xavier_uniform(2)
    True
    """

    initializer: initializers.Initializer

    def __post_init__(self) -> None:
        if not isinstance(self.initializer, initializers.Initializer):
            raise InvalidTypeError(
                f"an Initializer of JAX takes a numbainit.Initializer, got {shown(self.initializer)}: pass one, or "
                "call a function of this module, such as normal(std=0.02)"
            )

    def __repr__(self) -> str:
        return self.initializer.label

    def __call__(
        self, key: Any, shape: Sequence[int], dtype: Any = jnp.float32, out_sharding: Any = None
    ) -> "jax.Array":
        """The array of ``shape`` for ``key``.

        Parameters
        ----------
        key : typed key, or uint32 array of one axis
            Initializers that draw nothing, such as ``zeros`` and ``dirac``, do not look at it.
        shape : sequence of ints
        dtype : dtype
            As for :func:`numbainit.normal`; None and float64 mean float32 unless ``jax_enable_x64`` is on.
        out_sharding : jax.sharding.Sharding or PartitionSpec, optional
            Each device's shard is made alone. Inside of ``jax.jit`` a NamedSharding. A spec is one of the mesh that
            ``jax.set_mesh`` has set.

        Raises
        ------
        InvalidValueError, InvalidTypeError
            What the in-place function refuses, also while JAX traces; keys of other shapes; orthogonal matrices with a
            sharding that cuts, since no part of one can be made alone.
        """
        sizes, width = checked_shape(shape), _checked_dtype(dtype)
        words = _words(key) if self.initializer.draws else jnp.zeros(2, np.uint32)
        is_traced = isinstance(words, jax.core.Tracer)
        if isinstance(out_sharding, jax.sharding.PartitionSpec):
            out_sharding = _of_the_mesh(out_sharding, is_traced)
        sharding = None if out_sharding is None else self._checked_sharding(out_sharding, sizes)
        if is_traced:
            return self._traced(words, sizes, width, sharding)
        if sharding is not None:
            return self._shards(words, sizes, width, sharding)
        return jnp.asarray(self._fill(new_array(sizes, width, None, None)[0], words))

    def _fill(self, array: np.ndarray, words: Any, block: Block | None = None) -> np.ndarray:
        return self.initializer(array, _generator(words), block=block, layout=channels_last(array.ndim))

    def _check(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """All errors and warnings of a fill, from one of an empty part: in a callback they would be JAX's."""
        self.initializer.check(shape, dtype, layout=channels_last(len(shape)))

    def _checked_sharding(self, sharding: Any, shape: tuple[int, ...]) -> "jax.sharding.Sharding":
        if not isinstance(sharding, jax.sharding.Sharding):
            raise InvalidTypeError(
                f"out_sharding must be a jax.sharding.Sharding, got {type(sharding).__name__}: "
                "use jax.sharding.NamedSharding(mesh, spec)"
            )
        cut = sharding.shard_shape(shape)
        if not self.initializer.takes_block and cut != shape:
            raise InvalidValueError(
                f"{self.initializer.name} got an out_sharding that cuts shape {shape} into {cut}: no part of an "
                "orthogonal matrix can be made alone; leave out_sharding out and shard the result with "
                "jax.device_put(w, sharding)"
            )
        return sharding

    def _shards(self, words: Any, shape: tuple[int, ...], dtype: np.dtype, sharding: Any) -> "jax.Array":
        self._check(shape, dtype)
        if 0 in shape:
            return jax.device_put(jnp.zeros(shape, dtype), sharding)
        cut = sharding.shard_shape(shape)

        def shard(index: Any) -> np.ndarray:
            start = tuple(one.start or 0 for one in index)
            return self._fill(np.empty(cut, dtype), words, None if cut == shape else Block(shape, start))

        return jax.make_array_from_callback(shape, sharding, shard)

    def _traced(self, words: Any, shape: tuple[int, ...], dtype: np.dtype, sharding: Any) -> "jax.Array":
        mesh: Any
        self._check(shape, dtype)
        if 0 in shape:
            return jnp.zeros(shape, dtype)
        everywhere = jax.sharding.PartitionSpec()
        names: tuple[Any, ...] = ()
        if sharding is None:
            mesh, spec, cut = jax.sharding.get_abstract_mesh(), everywhere, shape
            if mesh.empty or mesh.manual_axes:
                return self._called_back(words, (), shape, shape, dtype)
        elif isinstance(sharding, jax.sharding.NamedSharding):
            mesh, spec, cut = sharding.mesh, sharding.spec, sharding.shard_shape(shape)
            names = (*spec, *(None,) * (len(shape) - len(spec)))
        else:
            raise InvalidTypeError(
                f"inside jax.jit out_sharding must be a jax.sharding.NamedSharding, got {type(sharding).__name__}: use "
                "one, or call the initializer outside"
            )

        def shard(words: Any) -> "jax.Array":
            places = [jax.lax.axis_index(name) if name else 0 for name in names]
            return self._called_back(words, places, cut, shape, dtype)

        # With a mesh JAX keeps what a callback gives on one device, and fails if that is a function's result.
        return jax.shard_map(shard, mesh=mesh, in_specs=everywhere, out_specs=spec, check_vma=False)(words)

    def _called_back(
        self, words: Any, places: Sequence[Any], cut: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype
    ) -> "jax.Array":
        """The part of an array that lies ``places`` times ``cut`` along each axis; vmap adds leading axes to all."""

        def fill(keys: Any, *places: Any) -> np.ndarray:
            keys, block = np.asarray(keys), None
            if cut != shape:
                start = [int(np.ravel(place)[0]) * size for place, size in zip(places, cut, strict=True)]
                block = Block(shape, start)
            arrays = np.empty((*keys.shape[:-1], *cut), dtype)
            for lead in np.ndindex(keys.shape[:-1]):
                self._fill(arrays[(*lead, ...)], keys[lead], block)
            return arrays

        result = jax.ShapeDtypeStruct(cut, dtype)
        return jax.pure_callback(fill, result, words, *places, vmap_method="expand_dims")


def _of_the_mesh(spec: "jax.sharding.PartitionSpec", is_traced: bool) -> "jax.sharding.NamedSharding":
    mesh: Any = jax.sharding.get_abstract_mesh() if is_traced else jax.sharding.get_mesh()
    if mesh.empty:
        raise InvalidTypeError(
            "out_sharding must be a jax.sharding.Sharding, got a PartitionSpec and no mesh: use "
            "jax.sharding.NamedSharding(mesh, spec), or set one by jax.set_mesh(mesh)"
        )
    return jax.sharding.NamedSharding(mesh, spec)


def generator(key: Any) -> Generator:
    """The generator whose draw 0 an initializer uses for ``key``: it repeats the values where there is no JAX.

    Examples
    --------
    >>> import jax
    >>> from numbainit.jax import generator
    >>> generator(jax.random.key(7))
    Generator.from_key(0x00000000, 0x00000007)
    """
    words = _words(key)
    if isinstance(words, jax.core.Tracer):
        raise InvalidTypeError("a generator needs a key with a value, got a traced one: call it outside of jax.jit")
    return _generator(words)


def uniform(a: float = 0.0, b: float = 1.0) -> Initializer:
    """U[a, b): see :func:`numbainit.uniform_`. JAX's ``uniform(scale)`` is ``uniform(0, scale)``."""
    return _initializer("uniform", a=a, b=b)


def normal(mean: float = 0.0, std: float = 1.0) -> Initializer:
    """N(mean, std^2): see :func:`numbainit.normal_`. JAX's ``normal(stddev)`` is ``normal(0, stddev)``."""
    return _initializer("normal", mean=mean, std=std)


def trunc_normal(mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Initializer:
    """N(mean, std^2) in [a, b]: see :func:`numbainit.trunc_normal_`.

    ``std`` is before truncation, as in JAX; bounds are in the units of the values: JAX's are in sigmas.
    """
    return _initializer("trunc_normal", mean=mean, std=std, a=a, b=b)


def constant(val: float) -> Initializer:
    """``val`` everywhere."""
    return _initializer("constant", val=val)


def ones() -> Initializer:
    """1 everywhere. Unlike ``jax.nn.initializers.ones`` it is called to get the initializer."""
    return _initializer("ones")


def zeros() -> Initializer:
    """0 everywhere. Unlike ``jax.nn.initializers.zeros`` it is called to get the initializer."""
    return _initializer("zeros")


def eye() -> Initializer:
    """The identity matrix."""
    return _initializer("eye")


def dirac(groups: int = 1, *, layout: LayoutLike | None = None) -> Initializer:
    """A convolution that passes its channels on: see :func:`numbainit.dirac_`."""
    return _initializer("dirac", groups=groups, layout=layout)


def xavier_uniform(gain: float = 1.0, *, layout: LayoutLike | None = None) -> Initializer:
    """U[-c, c), ``c = gain sqrt(6 / (fan_in + fan_out))``: the law of ``jax.nn.initializers.glorot_uniform``."""
    return _initializer("xavier_uniform", gain=gain, layout=layout)


def xavier_normal(gain: float = 1.0, *, layout: LayoutLike | None = None) -> Initializer:
    """N(0, std^2), ``std = gain sqrt(2 / (fan_in + fan_out))``; JAX's ``glorot_normal`` is truncated, this is not."""
    return _initializer("xavier_normal", gain=gain, layout=layout)


def kaiming_uniform(
    a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *, layout: LayoutLike | None = None
) -> Initializer:
    """U[-c, c), ``c = gain sqrt(3 / fan)``: by default the law of ``jax.nn.initializers.he_uniform``."""
    return _initializer("kaiming_uniform", a=a, mode=mode, nonlinearity=nonlinearity, layout=layout)


def kaiming_normal(
    a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *, layout: LayoutLike | None = None
) -> Initializer:
    """N(0, std^2), ``std = gain / sqrt(fan)``; JAX's ``he_normal`` is truncated, this is not."""
    return _initializer("kaiming_normal", a=a, mode=mode, nonlinearity=nonlinearity, layout=layout)


def orthogonal(gain: float = 1.0, *, layout: LayoutLike | None = None) -> Initializer:
    """``gain`` times a Haar-distributed (semi-)orthogonal matrix (outputs, the rest): :func:`numbainit.orthogonal_`."""
    return _initializer("orthogonal", gain=gain, layout=layout)


def variance_scaling(
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    *,
    layout: LayoutLike | None = None,
) -> Initializer:
    """A law of variance ``scale / fan``: that of ``jax.nn.initializers.variance_scaling``.

    See :func:`numbainit.variance_scaling_`. ``layout`` says what JAX's in_axis, out_axis and batch_axis (E) say.
    """
    return _initializer("variance_scaling", scale=scale, mode=mode, distribution=distribution, layout=layout)


def lecun_uniform(*, layout: LayoutLike | None = None) -> Initializer:
    """U[-c, c), ``c = sqrt(3 / fan_in)``: the law of ``jax.nn.initializers.lecun_uniform``."""
    return _initializer("lecun_uniform", layout=layout)


def lecun_normal(*, layout: LayoutLike | None = None) -> Initializer:
    """N(0, 1 / fan_in); JAX's ``lecun_normal`` is truncated, this is not: that is :func:`lecun_truncated_normal`."""
    return _initializer("lecun_normal", layout=layout)


def lecun_truncated_normal(*, layout: LayoutLike | None = None) -> Initializer:
    """The law of ``jax.nn.initializers.lecun_normal``, flax's default."""
    return _initializer("lecun_truncated_normal", layout=layout)


def glorot_truncated_normal(*, layout: LayoutLike | None = None) -> Initializer:
    """The law of ``jax.nn.initializers.glorot_normal``."""
    return _initializer("glorot_truncated_normal", layout=layout)


def he_truncated_normal(*, layout: LayoutLike | None = None) -> Initializer:
    """The law of ``jax.nn.initializers.he_normal``."""
    return _initializer("he_truncated_normal", layout=layout)


def sine(layer: str = "hidden", omega: float = 30.0, *, layout: LayoutLike | None = None) -> Initializer:
    """A weight of a SIREN: see :func:`numbainit.sine_`."""
    return _initializer("sine", layer=layer, omega=omega, layout=layout)


def icnr(
    upscale: int = 2,
    scale: float = 2.0,
    mode: str = "fan_in",
    distribution: str = "normal",
    shuffle: str = "pixel_shuffle",
    *,
    layout: LayoutLike | None = None,
) -> Initializer:
    """Sub-kernels that are all the same, before a pixel shuffle: see :func:`numbainit.icnr_`."""
    rule = {"scale": scale, "mode": mode, "distribution": distribution}
    return _initializer("icnr", upscale=upscale, **rule, shuffle=shuffle, layout=layout)


def identity(gain: float = 1.0) -> Initializer:
    """``gain`` times the identity matrix."""
    return _initializer("identity", gain=gain)


def bilinear(groups: int = 1, *, layout: LayoutLike | None = None) -> Initializer:
    """A transposed convolution that enlarges its channels linearly: see :func:`numbainit.bilinear_`."""
    return _initializer("bilinear", groups=groups, layout=layout)


def delta_orthogonal(gain: float = 1.0, *, layout: LayoutLike | None = None) -> Initializer:
    """An orthogonal matrix at a kernel's centre: the law of ``jax.nn.initializers.delta_orthogonal``."""
    return _initializer("delta_orthogonal", gain=gain, layout=layout)


def convolution_orthogonal(gain: float = 1.0, *, layout: LayoutLike | None = None) -> Initializer:
    """A kernel whose convolution keeps norms: see :func:`numbainit.convolution_orthogonal_`."""
    return _initializer("convolution_orthogonal", gain=gain, layout=layout)


def hadamard(gain: float = 1.0) -> Initializer:
    """Sylvester's Hadamard matrix with orthonormal rows or columns: see :func:`numbainit.hadamard_`."""
    return _initializer("hadamard", gain=gain)


def randomized_hadamard(gain: float = 1.0) -> Initializer:
    """The same with random signs of its columns: see :func:`numbainit.randomized_hadamard_`."""
    return _initializer("randomized_hadamard", gain=gain)


def forget_bias(val: float = 1.0, gates: str = "ifgo") -> Initializer:
    """An LSTM's bias, ``val`` for the forget gate: see :func:`numbainit.forget_bias_`."""
    return _initializer("forget_bias", val=val, gates=gates)


def log_uniform(a: float = 0.001, b: float = 0.1) -> Initializer:
    """``exp(U)``, U uniform between log a and log b: see :func:`numbainit.log_uniform_`."""
    return _initializer("log_uniform", a=a, b=b)


def log_of_uniform(a: float = 1.0, b: float = 16.0) -> Initializer:
    """``log(U)``, U uniform on [a, b): see :func:`numbainit.log_of_uniform_`."""
    return _initializer("log_of_uniform", a=a, b=b)


def time_step_bias(a: float = 0.001, b: float = 0.1, floor: float = 0.0001) -> Initializer:
    """What softplus takes to log-uniform time steps: see :func:`numbainit.time_step_bias_`."""
    return _initializer("time_step_bias", a=a, b=b, floor=floor)


def log_arange(start: float = 1.0) -> Initializer:
    """``log(start + j)`` along the last axis: see :func:`numbainit.log_arange_`."""
    return _initializer("log_arange", start=start)


def sparse(sparsity: float, std: float = 0.01) -> Initializer:
    """``ceil(sparsity * rows)`` zeros in every column, the rest N(0, std^2): see :func:`numbainit.sparse_`.

    Rows and columns are those of the array as it is: torch's convention makes the zeros among what an input feeds,
    on an (in, out) array they are among what feeds an output.
    """
    return _initializer("sparse", sparsity=sparsity, std=std)


def _initializer(name: str, **arguments: Any) -> Initializer:
    for argument, value in arguments.items():
        if isinstance(value, jax.core.Tracer):
            raise InvalidTypeError(f"{argument} must be a number, got a traced value: scale what the initializer gives")
    return Initializer(initializers.Initializer(name, **arguments))


def _words(key: Any) -> Any:
    """The words of one key; a tracer wherever JAX traces, also for a key from outside: nothing is made in vain."""
    try:
        kind = getattr(key, "dtype", None)
    except Exception:  # a property may raise what it likes
        kind = None
    if kind is not None and jax.dtypes.issubdtype(kind, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    elif kind != np.uint32:
        got = type(key).__name__ if kind is None else f"an array of {kind}"
        raise InvalidTypeError(f"key must be a JAX key, such as jax.random.key(0), got {got}")
    if key.ndim != 1 or key.shape[0] < 2:
        raise InvalidValueError(
            f"key must be one key of two words or more, got words of shape {key.shape}: use jax.vmap for several keys"
        )
    return jnp.bitwise_or(key, np.uint32(0))


def _generator(words: Any) -> Generator:
    first, second, *rest = map(int, words)
    made = Generator.from_key(first, second)
    for low in range(0, len(rest), 2):
        made = made.fold_in(sum(word << 32 * place for place, word in enumerate(rest[low : low + 2])))
    return made


def _checked_dtype(dtype: Any) -> np.dtype:
    try:
        return np.dtype(jax.dtypes.canonicalize_dtype(float if dtype is None else dtype))
    except Exception:  # JAX asks the object for what it likes
        raise InvalidTypeError(f"dtype must be one of JAX's, such as 'float32', got {shown(dtype)}") from None
