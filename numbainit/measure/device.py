"""Words after ``numbainit bench --device cuda`` → first whether its bits are the CPU's, then a table of its speeds.

Times are those of the device, between two events on the default stream, and the median counts: a GPU's clock settles,
and nobody else uses it. The plain fill is the driver's memset, of as many bytes. JAX has streams of its own, so it is
timed by the clock on the wall, to the end of its work. So are the calls on few elements at the end: what they cost is
the launch.
"""

import functools
import importlib
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numbainit.errors import DeviceError, InvalidValueError
from numbainit.generator import Generator
from numbainit.initializers import Initializer
from numbainit.targets.choose import cuda
from numbainit.targets.new_arrays import ordinal_of_name

Call = Callable[[], Any]

SIZE, SMALL = 1 << 28, 1024  # elements
_CHECKED = (1 << 20) + 3  # elements whose bits are compared
_WARM, _CALLS = 3, 1000
FILL, OURS = "fill", "numbainit"
PEERS = ("cupy", "curand", "torch", "jax")
LAWS = {
    "uniform": Initializer("uniform"),
    "normal": Initializer("normal"),
    "trunc_normal": Initializer("trunc_normal"),
    "trunc_normal_0.02": Initializer("trunc_normal", std=0.02),
}


def run(device: str, dtypes: Sequence[np.dtype], size: int, rounds: int, as_json: bool) -> int:
    """Check the bits, measure, print; an error before anything is timed if a bit differs."""
    ordinal = ordinal_of_name(device)
    if ordinal is None:
        raise InvalidValueError(f"got --device {device}; wanted cuda or cuda:<number>")
    cuda().driver.check_device(ordinal)
    clock = _clock()
    checked = [check(law, dtype, ordinal) for law in LAWS for dtype in dtypes]
    with clock.on(ordinal):
        facts = clock.facts(ordinal) | {"bits": checked, "size": size, "rounds": rounds}
        facts["rows"] = [_row(clock, law, dtype, size, ordinal, rounds) for law in LAWS for dtype in dtypes]
        facts["small"] = _small(clock, ordinal)
    print(json.dumps(facts), flush=True) if as_json else _print(facts)
    return 0


def _clock() -> Any:
    """The clock of a GPU, which imports its target."""
    return importlib.import_module("numbainit.measure.clock")


def check(law: str, dtype: np.dtype, ordinal: int) -> str:
    """Fill on both sides and compare: raise where a bit differs."""
    array = cuda().driver.empty((_CHECKED,), dtype, ordinal)
    LAWS[law](array, 2026)
    got, wanted = _clock().host(array), LAWS[law](np.empty(_CHECKED, dtype), 2026)
    different = np.flatnonzero(got.view(f"u{dtype.itemsize}") != wanted.view(f"u{dtype.itemsize}"))
    if different.size:
        first = different[0]
        raise DeviceError(
            f"{law} {dtype.name}: {different.size} of {_CHECKED} values differ from the CPU's, the first at element "
            f"{first}: {got[first]!r} instead of {wanted[first]!r}: please report this with the name of the card"
        )
    return f"{law} {dtype.name}"


# ---- measuring ----


def _row(clock: Any, law: str, dtype: np.dtype, size: int, ordinal: int, rounds: int) -> dict[str, Any]:
    seconds: dict[str, float] = {}
    for name in (FILL, OURS, *installed()):
        call = call_of(name, law, dtype, size, ordinal)
        if call is not None:
            seconds[name] = (_by_clock if name == "jax" else functools.partial(_median, clock))(call, rounds)
        del call  # memory for the next
    speeds = {name: size * dtype.itemsize / time / 1e9 for name, time in seconds.items()}
    return {"law": law, "dtype": dtype.name, "seconds": seconds, "gb_per_second": speeds}


def _median(clock: Any, call: Call, rounds: int) -> float:
    for _ in range(_WARM):
        call()
    return statistics.median(clock.device_seconds(call) for _ in range(rounds))


def _by_clock(call: Call, rounds: int) -> float:
    call()
    samples = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def _small(clock: Any, ordinal: int) -> dict[str, float]:
    """Seconds a call on few elements takes its caller."""
    array = cuda().driver.empty((SMALL,), np.dtype("float32"), ordinal)
    calls: dict[str, Call] = {name: functools.partial(law, array, Generator(0)) for name, law in LAWS.items()}
    if importlib.util.find_spec("cupy"):
        cupy = importlib.import_module("cupy")
        calls["cupy fill"] = functools.partial(cupy.empty(SMALL, "float32").fill, 0.5)
    return {name: _a_call(clock, call) for name, call in calls.items()}


def _a_call(clock: Any, call: Call) -> float:
    call()
    clock.synchronize()
    start = time.perf_counter()
    for _ in range(_CALLS):
        call()
    clock.synchronize()
    return (time.perf_counter() - start) / _CALLS


# ---- libraries: a law, a dtype, a size and a device → a call that makes as many values once, or None ----


def call_of(name: str, law: str, dtype: np.dtype, size: int, ordinal: int) -> Call | None:
    """The call of a library, by its name in ``PEERS``, ``FILL`` or ``OURS``."""
    return _CALLS_OF[name](law, dtype, size, ordinal)


def _fill(law: str, dtype: np.dtype, size: int, ordinal: int) -> Call:
    return functools.partial(_clock().memset, cuda().driver.empty((size,), dtype, ordinal))


def _ours(law: str, dtype: np.dtype, size: int, ordinal: int) -> Call:
    array = cuda().driver.empty((size,), dtype, ordinal)
    return functools.partial(LAWS[law], array, Generator(0))


def installed() -> tuple[str, ...]:
    """The peers that can be imported here."""
    packages = {"curand": "cupy"}
    return tuple(name for name in PEERS if importlib.util.find_spec(packages.get(name, name)) is not None)


def _cupy(law: str, dtype: np.dtype, size: int, ordinal: int) -> Call | None:
    """Its Generator, with Philox, in place."""
    if law not in ("uniform", "normal") or dtype.itemsize < 4:
        return None
    cupy = importlib.import_module("cupy")
    rng, out = cupy.random.Generator(cupy.random.Philox4x3210(0)), cupy.empty(size, dtype)
    return functools.partial(rng.random if law == "uniform" else rng.standard_normal, dtype=dtype.type, out=out)


def _curand(law: str, dtype: np.dtype, size: int, ordinal: int) -> Call | None:
    """Its RandomState: cuRAND on the host, a new array at each call from CuPy's pool of memory."""
    if law not in ("uniform", "normal") or dtype.itemsize < 4:
        return None
    state = importlib.import_module("cupy").random.RandomState(0)
    return functools.partial(state.random_sample if law == "uniform" else state.standard_normal, size, dtype.type)


def _torch(law: str, dtype: np.dtype, size: int, ordinal: int) -> Call | None:
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return None
    tensor = torch.empty(size, dtype=getattr(torch, dtype.name), device=f"cuda:{ordinal}")
    return functools.partial(getattr(torch.nn.init, LAWS[law].name + "_"), tensor, **LAWS[law].given)


def _jax(law: str, dtype: np.dtype, size: int, ordinal: int) -> Call | None:
    jax = importlib.import_module("jax")
    if jax.default_backend() != "gpu" or dtype != np.float32 or law not in ("uniform", "normal", "trunc_normal"):
        return None
    sample = {
        "uniform": lambda key: jax.random.uniform(key, (size,)),
        "normal": lambda key: jax.random.normal(key, (size,)),
        "trunc_normal": lambda key: jax.random.truncated_normal(key, -2.0, 2.0, (size,)),
    }[law]
    compiled, key = jax.jit(sample), jax.device_put(jax.random.key(0), jax.devices()[ordinal])
    return lambda: compiled(key).block_until_ready()


_CALLS_OF = {FILL: _fill, OURS: _ours, "cupy": _cupy, "curand": _curand, "torch": _torch, "jax": _jax}


# ---- what is shown ----


def _print(facts: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    names = [name for name in PEERS if any(name in row["seconds"] for row in facts["rows"])]
    table = Table("law", "dtype", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("time", "GB/s", "of a fill", "x float32", *(f"x {name}" for name in names)):
        table.add_column(heading, justify="right")
    float32 = {row["law"]: row["seconds"][OURS] for row in facts["rows"] if row["dtype"] == "float32"}
    for row in facts["rows"]:
        table.add_row(row["law"], row["dtype"], *_cells(row, float32.get(row["law"]), names))
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(f"{facts['device']}, driver for CUDA {facts['driver']}, CUDA {facts['cuda']}", soft_wrap=True)
    console.print(f"the CPU's bits, on {_CHECKED:,} elements: {', '.join(facts['bits'])}", soft_wrap=True)
    console.print(table)
    calls = ", ".join(f"{name} {1e6 * seconds:.1f} µs" for name, seconds in facts["small"].items())
    note = f"{facts['size']:,} elements, median of {facts['rounds']} rounds; x float32: elements a second against it"
    console.print(note, soft_wrap=True)
    console.print(f"a call on {SMALL} elements: {calls}", soft_wrap=True)


def _cells(row: dict[str, Any], float32: float | None, names: Sequence[str]) -> list[str]:
    speeds, seconds = row["gb_per_second"], row["seconds"][OURS]
    ours = speeds[OURS]
    against = "-" if float32 is None or row["dtype"] == "float32" else f"{float32 / seconds:.2f}"
    ratios = [f"{ours / speeds[name]:.3g}" if name in speeds else "-" for name in names]
    return [f"{1e3 * seconds:.3g} ms", f"{ours:.0f}", f"{ours / speeds[FILL]:.2f}", against, *ratios]
