"""Keys that ``fold_in`` makes of names and numbers → collisions, and birthday spacings (Marsaglia), against Poisson."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

import numbainit as init

KINDS = {
    "numbers": lambda root, i: root.fold_in(i),
    "names": lambda root, i: root.fold_in(f"model.layers.{i >> 4}.block{i & 15}.weight"),
    "names of names": lambda root, i: root.fold_in(f"layer {i >> 8}").fold_in(i & 255) if i & 255 else root.fold_in(i),
    "seeds": lambda root, i: init.Generator(i),
}


def keys(kind: str, count: int) -> np.ndarray:
    """So many keys as numbers of 64 bits."""
    root, make = init.Generator(20261126), KINDS[kind]
    words = np.fromiter((word for i in range(count) for word in make(root, i).key), np.uint32, 2 * count)
    return words.view(np.uint64)


def run(kind: str, count: int) -> Iterator[tuple[str, float]]:
    """(what was tested, p) of one way to make keys."""
    found = keys(kind, count)
    whole = count - np.unique(found).size
    yield f"{whole} equal keys of {count:,}", float(stats.poisson.sf(whole - 1, count**2 / 2.0**65))
    for name, half in (("low", found & np.uint64(0xFFFFFFFF)), ("high", found >> np.uint64(32))):
        mean = count - 2.0**32 * -np.expm1(count * np.log1p(-(2.0**-32)))
        equal = count - np.unique(half).size
        yield f"equal {name} words: {equal:,} of {mean:,.1f}", _both_sides(equal, mean)
    bits = int(3 * np.log2(count)) - 4  # of a day: four pairs of equal spacings, on average
    days = np.sort(found >> np.uint64(64 - bits))
    gaps = np.sort(np.diff(days))
    equal, mean = int((gaps[1:] == gaps[:-1]).sum()), count**3 / 4 / 2.0**bits
    yield f"birthday spacings in {bits} bits: {equal} of {mean:.2f}", _both_sides(equal, mean)


def _both_sides(count: int, mean: float) -> float:
    law = stats.poisson(mean)
    return float(min(1.0, 2 * min(law.cdf(count), law.sf(count - 1))))
