"""The processor that Numba compiles for → the vector instructions that its kernels may use.

A measurement says nothing without it: the same machine is another one with ``NUMBA_CPU_NAME`` and
``NUMBA_CPU_FEATURES`` set.
"""

from typing import Any

#: as people call them → LLVM's feature, widest first
_FEATURES = {
    "AVX-512": "avx512f",
    "AVX2": "avx2",
    "SVE2": "sve2",
    "SVE": "sve",
    "NEON": "neon",
    "AVX": "avx",
    "FMA": "fma",
    "SSE4.2": "sse4.2",
}


def instructions(features: str) -> tuple[str, ...]:
    """What LLVM's list of features has, widest vectors first; empty where it names none, as for ``generic``.

    Only what is said counts: a processor's name alone may bring more.

    Examples
    --------
    >>> from numbainit.measure.instructions import instructions
    >>> instructions("+avx2,+fma,+sse4.2,-avx512f")
    ('AVX2', 'FMA', 'SSE4.2')
    """
    said = {word[1:]: word.startswith("+") for word in features.split(",") if word}  # the last word on one counts
    return tuple(name for name, feature in _FEATURES.items() if said.get(feature))


def isa(found: tuple[str, ...]) -> str:
    """The widest of them, as ``bench/ladder.py`` and names of results say it: ``avx512`` and so on, else ``baseline``.

    Examples
    --------
    >>> from numbainit.measure.instructions import isa
    >>> isa(("AVX-512", "AVX2", "FMA")), isa(("SSE4.2",))
    ('avx512', 'baseline')
    """
    widest = found[0].lower().replace("-", "") if found else ""
    return widest if widest in ("avx512", "avx2", "sve2", "sve", "neon") else "baseline"


def compiled_for() -> dict[str, Any]:
    """The processor that Numba compiles for in this process, by its name for LLVM, and its instructions."""
    from llvmlite import binding
    from numba.core import config
    from numba.core.codegen import get_host_cpu_features

    settings: Any = config
    features = get_host_cpu_features() if settings.CPU_FEATURES is None else settings.CPU_FEATURES
    found = instructions(features)
    name = binding.get_host_cpu_name() if settings.CPU_NAME is None else settings.CPU_NAME
    return {"cpu": name, "isa": isa(found), "instructions": list(found)}
