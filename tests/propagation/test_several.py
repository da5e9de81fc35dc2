"""Grids and sweeps: as many networks as were asked for, in their order."""

from numbainit.propagation import grid, sweep


def test_grids_and_sweeps():
    found = grid(["normal", "orthogonal"], ["linear", "relu"], [16] * 4, batch=8)
    assert [[one.label.split(" · ")[-1] for one in row] for row in found] == [["linear", "relu"]] * 2
    assert [one.label.split(" · ")[0] for one in sweep("width", [4, 8], layers=3, width=0)] == [
        "3 layers of 4",
        "3 layers of 8",
    ]
