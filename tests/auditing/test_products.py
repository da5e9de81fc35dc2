"""Products of rows, and their largest eigenvalue, against NumPy on the whole matrix."""

import numpy as np
import pytest

from numbainit.auditing.products import largest_eigenvalue, of_rows

SHAPES = [(1, 1), (16, 300), (64, 64), (65, 129), (200, 700)]


@pytest.mark.parametrize("shape", SHAPES)
def test_products_of_rows(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    for matrix in (x, np.asfortranarray(x)):
        found = of_rows(matrix)
        np.testing.assert_allclose(found[: shape[0], : shape[0]], x @ x.T, rtol=1e-12, atol=1e-12)
        assert not found[shape[0] :].any()
        assert len(found) % 64 == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spike", [0.0, 3.0])
def test_the_largest_eigenvalue_is_met_from_below(shape, spike):
    random = np.random.default_rng(1)
    x = random.standard_normal(shape)
    x += spike * np.outer(random.standard_normal(shape[0]), random.standard_normal(shape[1])) / shape[1] ** 0.5
    wanted = np.linalg.norm(x, 2) ** 2
    found = largest_eigenvalue(of_rows(x))
    assert found <= wanted * (1 + 1e-9)
    assert found == pytest.approx(wanted, rel=1e-3)


def test_a_matrix_of_low_rank_ends_early():
    x = np.outer(np.arange(1.0, 101.0), np.ones(70))
    assert largest_eigenvalue(of_rows(x)) == pytest.approx((x * x).sum())
