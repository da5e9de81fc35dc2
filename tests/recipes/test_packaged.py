"""What is built in, and what a program says that was packed without it."""

import pytest

from numbainit.errors import MissingExtraError
from numbainit.recipes.packaged import Packaged


def test_names_and_files():
    rules = Packaged("rules", ".toml")
    assert rules.names() == sorted(rules.names())
    assert rules.read("gpt2-hf").startswith(b'format = "numbainit-rules-1"')


def test_a_program_that_was_packed_without_them():
    with pytest.raises(MissingExtraError, match=r"numbainit/recipes/nothing are not in this program.*--collect-data"):
        Packaged("nothing", ".toml").names()
