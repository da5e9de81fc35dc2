"""What a tensor holds → whether it looks freshly initialised: independent draws of one law, with no trace of training.

No seed and no recipe are needed: the histogram is compared with the laws that weights begin with, and rows and columns
are searched for traces of training.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from numbainit.auditing.figures import Figures
from numbainit.auditing.fits import distance, p_value
from numbainit.auditing.laws import Component, Law
from numbainit.auditing.pieces import as_float
from numbainit.auditing.traces import traces
from numbainit.files.reading.stored import Stored
from numbainit.maths.formats import SMALL, Format

FAMILY = 1e-3  # the probability that any tensor of an untrained checkpoint is called trained
TESTS = 12  # p-values of a tensor
ENOUGH = 4096  # elements: fewer that show no trace of training may have some
_LEAST = 256  # elements: fewer are not tested
_LONGEST = 1 << 20  # bias that is looked at
_D = 0.005  # a shape nearer to a law than this is that law


@dataclass(frozen=True)
class Freshness:
    """Whether a tensor looks fresh.

    Attributes
    ----------
    fresh : bool or None
        None: too small to tell, or no floats.
    like : str
        The law that it cannot be told from, or that is nearest.
    p : float
        The least p-value.
    why : str
        The test that found a trace of training.
    """

    fresh: bool | None
    like: str = ""
    p: float = 1.0
    why: str = ""


def freshness(stored: Stored, found: Figures, tensors: int, bias: Stored | None = None) -> Freshness:
    """Test one of so many tensors; ``bias`` is that of the same layer."""
    if stored.dtype.kind in "biuc" or not found.finite or found.size < 2:
        return Freshness(None)
    if found.is_constant:
        return Freshness(True, f"constant {found.low:g}") if found.low in (0.0, 1.0) else Freshness(None)
    if _is_identity(found):
        return Freshness(True, "identity")
    if found.size < _LEAST:
        return Freshness(None)
    share = FAMILY / (TESTS * max(tensors, 1))
    like, shape = _shape(stored, found)
    tests = {
        "shape": shape,
        "mean": p_value(found.mean / found.std * math.sqrt(found.size)),
        **traces(found.head, _numbers(bias)),
    }
    why, p = min(tests.items(), key=lambda pair: pair[1])
    if p < share:
        return Freshness(False, like, p, why)
    return Freshness(True if found.size >= ENOUGH else None, like, p)


def _numbers(bias: Stored | None) -> np.ndarray | None:
    """What a bias holds, if it can be compared with anything."""
    if bias is None or len(bias.shape) != 1 or bias.dtype.kind in "biuc" or not 0 < bias.size <= _LONGEST:
        return None
    (numbers,) = (as_float(piece) for piece in bias.pieces([bias.size]))
    return numbers if np.isfinite(numbers).all() else None


def _is_identity(found: Figures) -> bool:
    return found.low == 0 and found.head.size > 1 and len(np.unique(found.head)) <= 2 and found.zeros > found.size // 2


# ---- the law of all elements ----


def _shape(stored: Stored, found: Figures) -> tuple[str, float]:
    """The law that fits best, of those that weights begin with, scaled as the tensor is; and its p-value."""
    zeros = found.zeros / found.size
    sparse = 1e-4 < zeros < 0.999 and stored.dtype.itemsize > 1  # of the smallest floats some are rounded to 0
    std = found.std / math.sqrt(1 - zeros) if sparse else found.std
    reach = max(-found.low, found.high)
    best = ("", 0.0)
    for label, component in _candidates(std, reach, found.size, SMALL.get(stored.dtype.name)):
        atoms = (Component(zeros, "constant", 0.0, 0.0),) if sparse else ()
        law = Law(label, (replace(component, share=1 - zeros if sparse else 1.0), *atoms))
        d, p = distance(stored, found, law)
        if d < _D and p < 1e-3 and found.size > 100_000:
            p = max(p, 1e-3)  # another library's generator
        if p >= best[1]:
            best = (label, p)
    return best


def _candidates(std: float, reach: float, size: int, form: Format | None) -> list[tuple[str, Component]]:
    found = [(f"N(0, {std:.3g}^2)", Component(1.0, "normal", 0.0, std))]
    if reach < 2.2 * std:
        for bound in _bounds(reach, size, form):
            found.append((f"U(-{bound:.3g}, {bound:.3g})", Component(1.0, "uniform", 0.0, bound)))
    for sigmas, shrunk in ((2.0, 0.8796257), (3.0, 0.9865783)):
        inner = std / shrunk
        if abs(reach / inner / sigmas - 1) < 0.1:
            cut = Component(1.0, "normal", 0.0, inner, -sigmas * inner, sigmas * inner)
            found.append((f"N(0, {inner:.3g}^2) cut at {sigmas:g} sigma", cut))
    return found


def _bounds(reach: float, size: int, form: Format | None) -> list[float]:
    """Where a uniform law may have ended of which the largest value is ``reach``.

    Rounded to a small float, that may be half a step more than the bound, or, where bounds hold after the rounding, a
    step less; the values at the end are then more than their step has room for.
    """
    if form is None:
        return [reach * (1 + 1 / size)]
    step = form.above(reach) - reach
    return [reach + step * eighths / 8 for eighths in range(-4, 9)]
