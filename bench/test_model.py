"""How long do the 148 parameters of GPT-2 take, normal_ each?"""

import pytest

from numbainit.files import headers
from numbainit.measure import peers
from numbainit.recipes import models

MODEL = "gpt2"


@pytest.mark.parametrize("name", [peers.OURS, *peers.installed(), "numpy.fill", "numba.fill"])
@pytest.mark.benchmark(group="148 parameters, 124 million elements of float32")
def test_gpt2(timed_all, name):
    parameters = headers.parse_header(models.builtin_header(MODEL), MODEL)
    assert len(parameters) == 148
    timed_all(name, "normal", [parameter.shape for parameter in parameters])
