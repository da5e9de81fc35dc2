"""``numbainit propagate`` and ``numbainit gain``: what they print, as text and as JSON, and what they refuse."""

import json
import math

import pytest

from numbainit.command import cli
from numbainit.command.sparks import sparkline


def run(capsys, *words):
    """The exit code, and what was printed on both outputs."""
    code = cli.main([str(word) for word in words])
    return code, *capsys.readouterr()


def facts(capsys, *words):
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    return json.loads(out)


def test_unscaled_normals(capsys):
    code, out, complaints = run(
        capsys, "propagate", "--layers", 100, "--init", "normal", "--std", 1, "--nonlinearity", "linear"
    )
    assert (code, complaints) == (0, "")
    assert out.splitlines()[0] == "100 layers of 256 · normal(std=1.0) · linear"
    assert out.splitlines()[-1] == "forward explodes by 16.0 a layer, inf at layer 32"


def test_json(capsys):
    found = facts(capsys, "propagate", "--widths", "8,6,4", "--nonlinearity", "tanh", "--backward")
    assert [row["layer"] for row in found["forward"]] == [1, 2]
    assert set(found["backward"][0]) == {"layer", "std", "mean", "dead", "overflow"}
    assert found["verdict"].startswith("forward ")
    assert facts(capsys, "propagate", "--layers", 2, "--width", 8)["backward"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("--skip", "--norm", "--dtype", "bf16"),
        ("--conv", 3, "--size", 4, "--batch", 8, "--padding", "zeros"),
        ("--mode", "fan_out", "--gain", "exact"),
        ("--init", "xavier_uniform", "--gain", 1.5, "--nonlinearity", "leaky_relu", "--param", 0.2),
        ("--init", "trunc_normal", "--std", 0.1, "--a=-0.2", "--b", 0.2, "--seed", 3),
    ],
)
def test_options(capsys, words):
    found = facts(capsys, "propagate", "--layers", 3, "--width", 8, *words)
    assert len(found["forward"]) == 3
    assert all(math.isfinite(row["std"]) for row in found["forward"])


def test_grid(capsys):
    words = ("propagate", "--layers", 3, "--width", 8, "--grid", "normal,orthogonal:relu,tanh")
    assert [(one["init"], one["nonlinearity"]) for one in facts(capsys, *words)["grid"]] == [
        ("normal", "relu"), ("normal", "tanh"), ("orthogonal", "relu"), ("orthogonal", "tanh"),
    ]  # fmt: skip
    _, out, _ = run(capsys, *words, "--std", 0.5)
    assert out.splitlines()[1].split() == ["relu", "tanh"]


def test_sweep(capsys):
    found = facts(capsys, "propagate", "--layers", 2, "--sweep", "width=4,8")
    assert (found["values"], [one["width"] for one in found["results"]]) == ([4, 8], [4, 8])
    _, out, _ = run(capsys, "propagate", "--width", 8, "--sweep", "depth=1,2")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["depth", "1"], ["depth", "2"]]


@pytest.mark.full
def test_plots(capsys, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'numbainit[plot]'")
    for number, words in enumerate([(), ("--grid", "normal:relu"), ("--sweep", "width=4,8"), ("--dark",)]):
        path = tmp_path / f"{number}.svg"
        code, out, _ = run(capsys, "propagate", "--layers", 2, "--width", 8, *words, "--plot", path)
        assert code == 0
        assert out.endswith(f"wrote {path}\n")
        assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--layers", 0), "wanted at least 1"),
        (("--widths", "8,x"), "wanted whole numbers"),
        (("--widths", "8"), "at least one layer"),
        (("--init", "normal", "--mode", "fan_in"), "--mode does not belong to normal"),
        (("--init", "kaiming_normal", "--a", 1), "--a does not belong to kaiming_normal"),
        (("--gain", "big"), "a number, torch or exact"),
        (("--nonlinearity", "rleu"), "did you mean 'relu'"),
        (("--sweep", "height"), "wanted width or depth"),
        (("--sweep", "width", "--widths", "8,8"), "leave out --widths"),
        (("--grid", "nomral:relu"), "did you mean 'normal'"),
        (("--plot", "a.gif"), "wanted a name that ends in"),
        (("--width", 1, "--norm"), "a norm over a width of 1"),
    ],
)
def test_what_is_refused(capsys, words, complaint):
    code, out, complaints = run(capsys, "propagate", *words)
    assert (code, out) == (2, "")
    assert complaint in complaints


def test_gain(capsys):
    found = facts(capsys, "gain", "gelu", "--samples", 200_000)
    assert found["forward"] == pytest.approx(1.5335304411955)
    assert abs(found["measured"] - found["forward"]) < 5 * found["standard_error"]
    assert found["torch"] is None
    assert facts(capsys, "gain", "tanh", "--samples", 10)["torch"] == 5 / 3
    _, out, _ = run(capsys, "gain", "relu", "--samples", 1000)
    assert [line.split()[0] for line in out.splitlines()] == ["forward", "backward", "centred", "measured", "torch"]
    assert "1.414213562" in out


def test_gain_of_a_function(capsys):
    found = facts(capsys, "gain", "numpy:arctan", "--samples", 100)
    assert found["forward"] == found["centred"] == pytest.approx(1.4912076181342)
    for words, complaint in (
        (("gleu",), "did you mean 'gelu'"),
        (("numpy:no_such",), "cannot be imported"),
        (("numpy:pi",), "is no function"),
        (("relu", "--samples", 1), "at least 2"),
        (("relu", "--param", 1), "takes no param"),
    ):
        code, _, complaints = run(capsys, "gain", *words)
        assert code == 2
        assert complaint in complaints


def test_sparklines(monkeypatch):
    assert sparkline([1e-9, 1.0, 1e9]) == "▁▅█"
    assert sparkline([1.0, 1.1, 0.9]) in ("▅▅▄", "▄▅▄")
    assert sparkline([1.0, None, 0.0, math.inf])[1:] == "! !"
    assert len(sparkline(list(range(1, 1000)))) == 64
    assert sparkline([]) == ""

    class Ascii:
        encoding = "ascii"

    monkeypatch.setattr("sys.stdout", Ascii())
    assert sparkline([1e-9, 1e9]) == "_#"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os:getcwd", "takes no array and no tensor"),
        ("numpy:ptp", "makes shape () of (2,)"),
        ("math:pi", "is no function"),
        ("nothing:here", "cannot be imported"),
        ("numpy:", "cannot be imported"),
    ],
)
def test_a_function_that_has_no_gain(capsys, name, words):
    code, out, complaints = run(capsys, "gain", name, "--samples", 10)
    assert (code, out, len(complaints.splitlines())) == (2, "", 1)
    assert words in complaints


def test_an_argument_that_is_missing(capsys):
    code, _, complaints = run(capsys, "propagate", "--layers", 2, "--width", 8, "--init", "sparse")
    assert (code, complaints) == (2, "numbainit: error: --init sparse needs --sparsity\n")
