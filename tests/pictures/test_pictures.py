"""Pictures: every format, both themes, the same bytes again, and what is on them."""

import re
from pathlib import Path

import pytest

from numbainit import errors
from numbainit.pictures import style
from numbainit.pictures.propagation import draw, draw_grid, draw_sweep
from numbainit.propagation import grid, propagate, sweep

pytestmark = pytest.mark.full
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'numbainit[plot]'")
MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", MAGIC)
@pytest.mark.parametrize("dark", [False, True])
def test_every_format_in_both_themes(tmp_path, suffix, dark):
    found, path = propagate([16] * 5), tmp_path / f"a{suffix}"
    draw(found, path, dark=dark)
    first = path.read_bytes()
    assert first.startswith(MAGIC[suffix])
    draw(found, path, dark=dark)
    assert path.read_bytes() == first
    draw(found, path, dark=not dark)
    assert path.read_bytes() != first


def texts(path):
    """matplotlib writes each text as a comment above its outlines."""
    return re.findall(r"<!-- (.*?) -->", Path(path).read_text("utf-8"))


def test_an_explosion_is_marked_where_it_happens(tmp_path):
    path = tmp_path / "a.svg"
    draw(propagate([64] * 61, "normal", "linear", std=1.0), path)
    words = " ".join(texts(path))
    assert re.search(r"Forward explodes by (7.9|8.0)", words)
    assert re.search(r"inf from layer 4\d on", words)
    assert "60 layers of 64" in words


def test_dead_units_have_an_axis_of_their_own(tmp_path):
    path = tmp_path / "a.svg"
    draw(propagate([32] * 21), path)
    assert "units, %" in texts(path)
    draw(propagate([32] * 21, nonlinearity="tanh"), path)
    assert "units, %" not in texts(path)


def test_nothing_but_zeros_and_infinities_can_be_drawn(tmp_path):
    for name, init in (("zeros", {}), ("normal", {"std": 1e30})):
        draw(propagate([8] * 4, name, "linear", **init), tmp_path / "a.png")


def test_grids_and_sweeps(tmp_path):
    path = tmp_path / "a.svg"
    draw_grid(grid(["normal", "zeros"], ["relu"], [8] * 4), ["normal", "zeros"], ["relu"], path, "a note")
    assert {"normal", "zeros", "relu", "a note", "none"} <= set(texts(path))
    draw_sweep(sweep("width", [4, 8], layers=3, width=0), "width", [4, 8], path, "a note", dark=True)
    assert {"width", "4", "8"} <= set(texts(path))


def test_what_is_refused(tmp_path, monkeypatch):
    with pytest.raises(errors.InvalidValueError, match=r"\.png, \.svg or \.pdf"):
        style.check("a.gif")
    with pytest.raises(errors.InvalidValueError, match="there is no folder"):
        style.check(str(tmp_path / "no" / "a.png"))
    found = propagate([8] * 3)
    for path, match in (
        (tmp_path / "a.gif", "a picture's path .*gif"),
        (tmp_path / "no" / "a.svg", "there is no folder"),
    ):
        with pytest.raises(errors.InvalidValueError, match=match):
            draw(found, path)
    draw(found, str(tmp_path / "text.svg"))
    assert (tmp_path / "text.svg").exists()
    monkeypatch.setattr(style.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(errors.MissingExtraError, match=r"numbainit\[plot\]"):
        draw(found, tmp_path / "a.png")
    with pytest.raises(errors.MissingExtraError, match=r"numbainit\[plot\]"):
        style.check(str(tmp_path / "a.png"))
