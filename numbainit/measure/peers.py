"""A library, a law and an array → a call that fills (or makes) as many elements once: what a benchmark times.

Libraries are looked for when a benchmark asks, never at import. Each does what its users would type: in place where it
can (``torch.nn.init``, NumPy's ``out=``), else into an array of its own (mkl_random), or into the buffer of its last
result (JAX, compiled, waited for). Laws go by torch's names without the underscore; ``trunc_normal_0.02`` is
``trunc_normal_(std=0.02)``, whose bounds of +-2 reject nothing, and ``sparse`` has nine zeros of ten.
"""

import abc
import contextlib
import functools
import importlib
import importlib.util
import itertools
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from numbainit import init
from numbainit.errors import InvalidValueError
from numbainit.initializers import Initializer
from numbainit.measure.instructions import compiled_for

Call = Callable[..., Any]

OURS = "numbainit"
_TORCHS = tuple(name.removesuffix("_") for name in init.__all__)  # the others have no peers here
_CASES = {
    **{name: Initializer(name) for name in _TORCHS if name not in ("bits", "constant", "sparse")},
    "trunc_normal_0.02": Initializer("trunc_normal", std=0.02),
    "sparse": Initializer("sparse", sparsity=0.9),
    "constant": Initializer("constant", val=0.5),
}
#: every law that a library can be asked for; each is that of an initializer of ``torch.nn.init``
LAWS = tuple(_CASES)


class Library(abc.ABC):
    """An installed library; ``version`` and ``threads`` (how many it fills with) are for people to read."""

    name = ""
    package = ""
    threads = "1"

    def __init__(self) -> None:
        self.module = importlib.import_module(self.package)
        self.version = str(self.module.__version__)

    @abc.abstractmethod
    def call(self, law: str, array: np.ndarray) -> Call | None:
        """What makes values of ``law`` for the size, shape and dtype of ``array`` once, or None if it cannot."""


class _Numbainit(Library):
    name = package = OURS
    threads = "all"

    def call(self, law: str, array: np.ndarray) -> Call | None:
        return functools.partial(_CASES[law], array)


class _Torch(Library):
    name = package = "torch"
    threads = "1 (orthogonal: all)"

    def call(self, law: str, array: np.ndarray) -> Call | None:
        asked = _CASES[law]
        fill = getattr(self.module.nn.init, asked.name + "_")
        return functools.partial(fill, self.module.from_numpy(array), **asked.given)


class _Numpy(Library):
    """The fastest of NumPy's generators, SFC64. It has no truncated normals, and nothing with a structure."""

    name = package = "numpy"

    def call(self, law: str, array: np.ndarray) -> Call | None:
        rng = np.random.Generator(np.random.SFC64(0))
        uniform = functools.partial(rng.random, dtype=array.dtype.type, out=array)
        normal = functools.partial(rng.standard_normal, dtype=array.dtype.type, out=array)
        if law in ("uniform", "normal"):
            return uniform if law == "uniform" else normal
        if law.startswith(("xavier", "kaiming")):
            return functools.partial(_scaled, uniform if law.endswith("uniform") else normal, array)
        return None


def _scaled(fill: Call, array: np.ndarray) -> None:
    """A standard law, then its scale in a second pass; the factor has no influence on the time."""
    fill()
    np.multiply(array, array.dtype.type(0.02), out=array)


class _MklRandom(Library):
    """Intel's vector library: float64 only, and a new array at each call."""

    name = package = "mkl_random"

    def call(self, law: str, array: np.ndarray) -> Call | None:
        if array.dtype != np.float64 or law not in ("uniform", "normal"):
            return None
        rng = self.module.MKLRandomState(0, brng="SFMT19937")
        return functools.partial(getattr(rng, law), size=array.shape)


class _Jax(Library):
    """JAX with its default generator, compiled; each call writes into the memory of the last result."""

    name = package = "jax"
    threads = "its own choice"

    def call(self, law: str, array: np.ndarray) -> Call | None:
        if law not in _JAX_LAWS:
            return None
        jax: Any = self.module
        with _wide(jax):
            step = _jax_step(law, array.shape, array.dtype)
            state = [jax.device_put(np.full_like(array, 0.5))]
        key = jax.random.key(0)

        def call() -> None:
            state[0] = step(key, state[0]).block_until_ready()

        return call


def _wide(jax: Any) -> Any:
    """float64 within the block, and nothing changed after it."""
    return jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64()


@functools.cache
def _jax_step(law: str, shape: tuple[int, ...], dtype: np.dtype) -> Callable:
    jax: Any = importlib.import_module("jax")

    def draw(key: Any, old: Any) -> Any:
        return _JAX_LAWS[law](jax)(key, shape=shape, dtype=dtype)

    old = jax.ShapeDtypeStruct(shape, dtype)
    return jax.jit(draw, donate_argnums=1, keep_unused=True).lower(jax.random.key(0), old).compile()


def _jax_truncated(jax: Any, std: float) -> Callable:
    """Bounds of +-2 in the units of the values; JAX takes them in standard deviations."""

    def draw(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        return jax.random.truncated_normal(key, -2 / std, 2 / std, shape, dtype) * np.asarray(std, dtype)

    return draw


def _jax_scaling(scale: float, mode: str, law: str) -> Callable:
    return lambda jax: jax.nn.initializers.variance_scaling(scale, mode, law, in_axis=1, out_axis=0)


_JAX_LAWS: dict[str, Callable] = {
    "uniform": lambda jax: jax.random.uniform,
    "normal": lambda jax: jax.random.normal,
    "trunc_normal": lambda jax: _jax_truncated(jax, 1.0),
    "trunc_normal_0.02": lambda jax: _jax_truncated(jax, 0.02),
    "xavier_uniform": _jax_scaling(1.0, "fan_avg", "uniform"),
    "xavier_normal": _jax_scaling(1.0, "fan_avg", "normal"),
    "kaiming_uniform": _jax_scaling(2.0, "fan_in", "uniform"),
    "kaiming_normal": _jax_scaling(2.0, "fan_in", "normal"),
    "orthogonal": lambda jax: jax.nn.initializers.orthogonal(),
}

_LIBRARIES: dict[str, type[Library]] = {
    library.name: library for library in (_Numbainit, _Torch, _Numpy, _Jax, _MklRandom)
}
#: the names of all peers that are known, installed or not
PEERS = tuple(name for name in _LIBRARIES if name != OURS)


def installed() -> tuple[str, ...]:
    """The names of the peers that are installed; imports none of them."""
    return tuple(name for name in PEERS if importlib.util.find_spec(_LIBRARIES[name].package))


@functools.cache
def library(name: str) -> Library:
    """The library of that name, imported.

    Raises
    ------
    InvalidValueError
        It is not known here, or not installed, or does not import.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.measure.peers import library
    >>> fill = library("numpy").call("uniform", np.empty(3, "float32"))
    >>> bool((fill() < 1).all())
    True
    >>> library("numpy").call("trunc_normal", np.empty(3, "float32"))  # it has none
    """
    if name not in _LIBRARIES:
        raise InvalidValueError(f"no peer is called {name!r}; known: {', '.join(PEERS)}")
    try:
        return _LIBRARIES[name]()
    except ImportError as error:
        raise InvalidValueError(f"{name} is not installed ({error}): pip install {name}") from error


# ---- the ceiling ----


def plain_fills(array: np.ndarray) -> dict[str, Call]:
    """The ways to write one constant everywhere, by name: NumPy's, and Numba's on all threads."""
    flat = array.reshape(-1)
    value = array.dtype.type(0.5)
    return {
        "numpy.fill": functools.partial(flat.fill, value),
        "numba.fill": functools.partial(_parallel_fill(), flat, value),
    }


@functools.cache
def _parallel_fill() -> Callable:
    import numba

    @numba.njit(parallel=True)
    def fill(out, value):
        parts = np.uint64(numba.get_num_threads())
        size = np.uint64(out.size)
        for part in numba.prange(parts):
            begin = size * np.uint64(part) // parts
            ours = out[begin : size * (np.uint64(part) + np.uint64(1)) // parts]
            for i in range(np.uint64(ours.size)):
                ours[i] = value

    return fill


# ---- where it all runs ----


def most_threads() -> int:
    """How many threads Numba may use in this process."""
    from numba import config

    return int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


@contextlib.contextmanager
def threads(count: int | None = None) -> Iterator[int]:
    """Numba's and torch's threads set to ``count`` (all, by default), and as they were before afterwards."""
    import numba

    count = most_threads() if count is None else count
    torch = sys.modules.get("torch")
    before = numba.get_num_threads(), torch.get_num_threads() if torch else 0
    try:
        numba.set_num_threads(count)
        if torch:
            torch.set_num_threads(count)
        yield count
    finally:
        numba.set_num_threads(before[0])
        if torch:
            torch.set_num_threads(before[1])


def machine(names: tuple[str, ...] = ()) -> dict[str, Any]:
    """The processor, what Numba compiles for, and the versions of what takes part; nothing that names its owner."""
    import numba

    versions = {name: library(name).version for name in (OURS, "numpy", *names)}
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "compiled_for": compiled_for(),
        "python": platform.python_version(),
        "versions": {OURS: versions.pop(OURS), "numba": numba.__version__} | versions,
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        for line in itertools.islice(lines, 64):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def free_memory() -> int | None:
    """Bytes that can be had without swapping, where the system says so."""
    found = []
    with contextlib.suppress(OSError, StopIteration, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]))
    with contextlib.suppress(OSError, ValueError):  # a container's share; "max" is no number
        root = Path("/sys/fs/cgroup")
        limit, used = (int((root / name).read_text()) for name in ("memory.max", "memory.current"))
        found.append(limit - used)
    return min(found, default=None)
