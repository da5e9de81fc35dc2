"""What the tests of several commands share."""

import pytest


@pytest.fixture
def out(tmp_path):
    """A folder for outputs."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
