"""Products into memory of any leading dimension, against sums in wide precision."""

import itertools

import numpy as np
import pytest

from numbainit.targets.cpu.blas import product

SHAPES = [(1, 1, 1), (1, 5, 1), (4, 1, 3), (3, 4, 1), (1, 1, 7), (33, 65, 17), (0, 3, 2), (3, 2, 0), (3, 0, 4)]
FORMS = ("rows", "columns", "rows of a wider one", "columns of a longer one")


def _in_form(values: np.ndarray, form: str) -> np.ndarray:
    """The values in memory of this form, between numbers that nobody may read."""
    rows, columns = values.shape
    around = np.full((rows + 3, columns + 5), np.nan, values.dtype, order="C" if "rows" in form else "F")
    place = around[1 : 1 + rows, 2 : 2 + columns]
    if " of " not in form:
        place = np.empty_like(values, order="C" if form == "rows" else "F")
    place[...] = values
    return place


@pytest.mark.parametrize("kind", "fdFD")
@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_product_in_all_forms_of_memory(m, k, n, kind):
    rng = np.random.default_rng(20111115)

    def draw(*shape):
        values = rng.standard_normal(shape)
        return (values + 1j * rng.standard_normal(shape) if kind in "FD" else values).astype(kind)

    left, right, before = draw(m, k), draw(k, n), draw(m, n)
    wide = np.result_type(kind, np.longdouble)
    for kept, factor in ((0, -1), (1, -1), (0.5, 2)):
        exact = factor * (left.astype(wide) @ right.astype(wide)) + kept * before.astype(wide)
        largest = 4 * (k + 1) * np.finfo(kind).eps * (abs(exact).max(initial=1) + k)
        for forms in itertools.product(FORMS, repeat=3):
            out = _in_form(before, forms[2])
            product(factor, _in_form(left, forms[0]), _in_form(right, forms[1]), kept, out)
            assert abs(out - exact).max(initial=0) <= largest, forms


def test_what_is_not_kept_is_not_read():
    out = np.full((2, 2), np.nan, np.float32)
    product(1, np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), 0, out)
    np.testing.assert_array_equal(out, np.eye(2))


def test_what_lies_beside_stays():
    around = np.ones((6, 6))
    product(1, np.full((2, 3), 2.0), np.full((3, 2), 3.0), 0, around[2:4, 1:3])
    want = np.ones((6, 6))
    want[2:4, 1:3] = 18
    np.testing.assert_array_equal(around, want)
