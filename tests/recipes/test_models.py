"""Built-in models: names → headers of their published sizes, buffers included."""

import pytest

from numbainit.errors import InvalidValueError
from numbainit.files.headers import parse_header
from numbainit.recipes import models

SIZES = {  # tensors, elements: published sizes, and of batch norms 2 n + 1 more
    "bert-base": (206, 110_106_428),
    "densenet121": (364 + 3 * 121, 7_978_856 + 2 * 41_824 + 121),
    "gpt2": (148, 124_439_808),
    "llama3-8b": (291, 8_030_261_248),
    "resnet50": (161 + 3 * 53, 25_557_032 + 2 * 26_560 + 53),
    "resnext50": (161 + 3 * 53, 25_028_904 + 2 * 34_112 + 53),
    "t5-small": (131, 60_506_624),
    "vit-b16": (152, 86_567_656),
    "wide-resnet50": (161 + 3 * 53, 68_883_240 + 2 * 34_112 + 53),
}


@pytest.mark.parametrize("name", SIZES)
def test_builtin_models_have_their_published_size(name):
    found = parse_header(models.builtin_header(name), name)
    assert (len(found), sum(parameter.size for parameter in found)) == SIZES[name]
    assert all(parameter.dtype == ("I64" if parameter.name.endswith("_tracked") else "F32") for parameter in found)


def test_builtin_names():
    assert models.builtin_names() == sorted(SIZES)
    with pytest.raises(
        InvalidValueError, match=r"'gpt-2'; did you mean 'gpt2'\? Built in: bert-base, densenet121, gpt2"
    ):
        models.builtin_header("gpt-2")
    with pytest.raises(InvalidValueError, match=r"no built-in model is named '../x'"):
        models.builtin_header("../x")
