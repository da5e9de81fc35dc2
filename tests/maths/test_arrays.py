"""``exp``, ``log``, the inverse of softplus of arrays → within an ulp of fifty decimals, and the reference's bits."""

import decimal
import math

import numpy as np
import pytest
import reference_beyond

from numbainit.maths import arrays

RNG = np.random.default_rng(20261126)
POSITIVE = np.concatenate(
    [
        np.exp(RNG.uniform(-700, 700, 400)),
        RNG.uniform(0.5, 2.0, 400),
        1 + RNG.uniform(-1e-9, 1e-9, 100),
        np.arange(1.0, 200.0),
        [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.25, 0.25000000000000006, math.log(2)],
    ]
)
STEPS = np.concatenate([np.exp(RNG.uniform(-14, 4, 800)), [0.25, 0.25000000000000006, 40.0, 700.0, 1e4]])
EXPONENTS = np.concatenate([RNG.uniform(-700, 700, 400), RNG.uniform(-1, 1, 400), [0.0, 1.0, -1.0, 1e-300]])


def exact(function, values):
    with decimal.localcontext(prec=50, Emin=-999999, Emax=999999):
        return [function(decimal.Decimal(float(value))) for value in values]


def softplus_inverse(t):
    return t + (1 - (-t).exp()).ln()


def errors(got, wanted):
    """In units of the last place of the result."""
    with decimal.localcontext(prec=50):
        units = [decimal.Decimal(float(np.spacing(abs(float(value))))) for value in wanted]
        return np.array(
            [
                float(abs(decimal.Decimal(float(mine)) - value) / unit)
                for mine, value, unit in zip(got, wanted, units, strict=True)
            ]
        )


def test_exp():
    assert errors(arrays.exp(EXPONENTS), exact(decimal.Decimal.exp, EXPONENTS)).max() < 1


def test_log():
    assert errors(arrays.log(POSITIVE), exact(decimal.Decimal.ln, POSITIVE)).max() < 1
    assert arrays.log(np.array([1.0]))[0] == 0


def test_inverse_softplus():
    """To the last bits of the larger of its terms: it has a zero at ln 2, and is -14 for a step of 1e-6."""
    wanted = exact(softplus_inverse, STEPS)
    larger = [max(abs(float(value)), 1.0) for value in wanted]
    got = arrays.inverse_softplus(STEPS)
    away = [abs(decimal.Decimal(float(mine)) - value) for mine, value in zip(got, wanted, strict=True)]
    assert max(float(d) / size for d, size in zip(away, larger, strict=True)) < 4 * 2.0**-52
    np.testing.assert_allclose(np.logaddexp(0, got), STEPS, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "values"), [("exp", EXPONENTS), ("log", POSITIVE), ("inverse_softplus", STEPS)], ids=["exp", "log", "inv"]
)
def test_bits_are_those_of_single_floats(name, values):
    """However many numbers NumPy takes at once."""
    reference = [getattr(reference_beyond, name)(float(value)) for value in values]
    function = getattr(arrays, name)
    assert function(values).tolist() == reference
    assert function(np.repeat(values, 3)[::3]).tolist() == reference
    assert [float(function(value)) for value in values] == reference
