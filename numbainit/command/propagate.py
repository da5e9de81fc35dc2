"""``numbainit propagate``: a network in words → how large its signals are by layer, as text, JSON and a picture."""

import argparse
import json
from pathlib import Path
from typing import Any

from numbainit.command import choosing, terminal
from numbainit.command.sparks import sparkline
from numbainit.errors import InvalidValueError
from numbainit.initializers import checked_name, parameters, taking
from numbainit.memory.dtypes import SHORT
from numbainit.pictures import style
from numbainit.propagation import DTYPES, PADDINGS, Flow, Propagation, finite_or_none, grid, propagate, rate, sweep
from numbainit.recipes import default
from numbainit.weights.nonlinearities import NAMES

_ARGUMENTS = {"mode": str, "std": float, "mean": float, "a": float, "b": float, "val": float, "sparsity": float}
_INITS = ("normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal")
_NONLINEARITIES = ("linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu", "gelu", "silu")
_DTYPES = [short for short, name in SHORT.items() if name in DTYPES]
_SWEEPS = {"width": (16, 32, 64, 128, 256, 512, 1024), "depth": (2, 5, 10, 20, 50, 100)}


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "propagate",
        help="see what an initialization does to a signal, layer by layer",
        description="Send a batch through a network that was just initialised, and gradients back: the standard "
        "deviation by layer, and a verdict in one line.",
        allow_abbrev=False,
    )
    network = parser.add_argument_group("the network")
    network.add_argument("--layers", type=int, default=50, metavar="N", help="how many (default: 50)")
    network.add_argument("--width", type=int, default=256, metavar="N", help="of input and layers (default: 256)")
    network.add_argument("--widths", metavar="N,N,...", help="of the input and each layer, such as 784,512,256")
    network.add_argument("--init", default="kaiming_normal", metavar="NAME", help="as of numbainit init")
    network.add_argument(
        "--nonlinearity", default="relu", metavar="NAME", help=f"one of {', '.join(NAMES)} (default: relu)"
    )
    network.add_argument("--param", type=float, metavar="X", help="slope of leaky_relu, alpha of elu")
    network.add_argument(
        "--gain", metavar="X", help="factor of all weights: a number, torch or exact (default: torch's, for kaiming)"
    )
    for option, kind in _ARGUMENTS.items():
        network.add_argument(f"--{option}", type=kind, metavar=kind.__name__.upper(), help="as of numbainit init")
    network.add_argument("--conv", type=int, default=0, metavar="K", help="convolutions of K x K, not linear layers")
    network.add_argument("--size", type=int, default=8, metavar="N", help="side of their images (default: 8)")
    network.add_argument("--padding", default="circular", choices=tuple(PADDINGS), help="(default: circular)")
    network.add_argument("--skip", action="store_true", help="add each layer's input to its output")
    network.add_argument("--norm", action="store_true", help="a layer norm before each layer")
    network.add_argument("--dtype", default="f32", choices=_DTYPES, help="(default: f32)")
    network.add_argument("--batch", type=int, default=256, metavar="N", help="inputs of N(0, 1) (default: 256)")
    network.add_argument("--seed", type=terminal.seed, default=0, metavar="N", help="(default: 0)")
    parser.add_argument("--backward", action="store_true", help="gradients too")
    more = parser.add_mutually_exclusive_group()
    more.add_argument(
        "--grid", nargs="?", const="", metavar="INITS:NONLINEARITIES", help="each initializer with each nonlinearity"
    )
    more.add_argument("--sweep", metavar="width|depth[=N,N,...]", help="the last layer against width or depth")
    parser.add_argument("--plot", metavar="FILE", help="a picture: .svg, .png or .pdf")
    parser.add_argument("--dark", action="store_true", help="a picture for dark pages")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    plot = style.check(arguments.plot) if arguments.plot else None
    run = _sweep if arguments.sweep else _one if arguments.grid is None else _grid
    run(arguments, plot)
    if plot and not arguments.json:
        print(f"wrote {plot}")
    return 0


def _one(arguments: argparse.Namespace, plot: Path | None) -> None:
    found = propagate(_widths(arguments), arguments.init, arguments.nonlinearity, **_keywords(arguments))
    if plot:
        from numbainit.pictures.propagation import draw

        draw(found, plot, dark=arguments.dark)
    if arguments.json:
        print(json.dumps(found.as_dict()))
    else:
        print(found.label)
        print_flows(found)
        print(found.verdict)


def print_flows(found: Propagation) -> None:
    """A line of blocks for each direction, with the std at both ends, and one for dead units if there are any."""
    flows = {"forward": found.forward, "backward": found.backward}
    for name, flow in flows.items():
        if flow is not None:
            print(f"{name:8}  {_end(flow, 0):>8} {sparkline(flow.std.tolist())} {_end(flow, -1)}")


def _end(flow: Flow, at: int) -> str:
    return f"{flow.std[at]:.3g}"


def _grid(arguments: argparse.Namespace, plot: Path | None) -> None:
    inits, names = _axes(arguments.grid)
    keywords, widths = _keywords(arguments, inits), _widths(arguments)
    chosen: list[Any] = [_configured(name, keywords) for name in inits]
    plain = {key: value for key, value in keywords.items() if key not in _ARGUMENTS}
    found = grid(chosen, names, widths, **plain)
    layers = len(widths) - 1
    note = f"{layers} layers of {widths[0]}" if len(set(widths)) == 1 else f"layers of {arguments.widths}"
    if plot:
        from numbainit.pictures.propagation import draw_grid

        draw_grid(found, inits, names, plot, note, dark=arguments.dark)
    cells = [
        (init, name, one) for init, row in zip(inits, found, strict=True) for name, one in zip(names, row, strict=True)
    ]
    if arguments.json:
        facts = [{"init": init, "nonlinearity": name} | _cell(one) for init, name, one in cells]
        print(json.dumps({"label": note, "grid": facts}))
        return
    print(f"{note}: factor of the std from layer to layer")
    print(" " * 16 + "".join(f"{name:>11}" for name in names))
    for init, row in zip(inits, found, strict=True):
        print(f"{init:16}" + "".join(f"{rate(one.forward):>11.3g}" for one in row))


def _cell(found: Propagation) -> dict[str, Any]:
    back = None if found.backward is None else finite_or_none(rate(found.backward, reverse=True))
    return {"verdict": found.verdict, "forward": finite_or_none(rate(found.forward)), "backward": back}


def _configured(name: str, keywords: dict[str, Any]) -> Any:
    """A name with those of the arguments that it takes."""
    given = {key: value for key, value in keywords.items() if key in _ARGUMENTS and key in parameters(name)}
    if not given or name.startswith("kaiming"):
        return name
    return default.initializer(name, **given)


def _axes(text: str) -> tuple[list[str], list[str]]:
    inits, _, names = text.partition(":")
    rows = [checked_name(name, default.choices()) for name in inits.split(",")] if inits else list(_INITS)
    return rows, names.split(",") if names else list(_NONLINEARITIES)


def _sweep(arguments: argparse.Namespace, plot: Path | None) -> None:
    over, _, text = arguments.sweep.partition("=")
    if over not in _SWEEPS:
        raise InvalidValueError(f"got --sweep {arguments.sweep}; wanted width or depth, such as width=64,256,1024")
    if arguments.widths:
        raise InvalidValueError("--sweep goes over equal widths: leave out --widths")
    values = _integers("--sweep", text) if text else list(_SWEEPS[over])
    keywords = _keywords(arguments) | {"init": arguments.init, "nonlinearity": arguments.nonlinearity}
    found = sweep(over, values, layers=arguments.layers, width=arguments.width, **keywords)
    note = " · ".join(found[-1].label.split(" · ")[1:])
    note = f"{arguments.layers} layers · {note}" if over == "width" else f"layers of {arguments.width} · {note}"
    if plot:
        from numbainit.pictures.propagation import draw_sweep

        draw_sweep(found, over, values, plot, note, dark=arguments.dark)
    if arguments.json:
        results = [{over: value} | one.as_dict() for value, one in zip(values, found, strict=True)]
        print(json.dumps({"label": note, "sweep": over, "values": values, "results": results}))
        return
    print(note)
    for value, one in zip(values, found, strict=True):
        print(f"{over} {value:>6}  std {_end(one.forward, -1):>9}  {one.verdict}")


def _keywords(arguments: argparse.Namespace, inits: list[str] | None = None) -> dict[str, Any]:
    given = {key: getattr(arguments, key) for key in _ARGUMENTS if getattr(arguments, key) is not None}
    name = checked_name(arguments.init, default.choices())
    for option in given if inits is None else ():
        if option not in parameters(name) or (option == "a" and name.startswith("kaiming")):
            owners = [one for one in taking(option) if not (option == "a" and one.startswith("kaiming"))]
            raise InvalidValueError(f"--{option} does not belong to {name}, but to {', '.join(owners)}: leave it out")
    if inits is None:
        choosing.check_needed(name, given)
    return {
        "gain": _gain(arguments.gain), "param": arguments.param, "kernel": arguments.conv, "size": arguments.size,
        "padding": arguments.padding, "skip": arguments.skip, "norm": arguments.norm, "backward": arguments.backward,
        "dtype": arguments.dtype, "batch": arguments.batch, "generator": arguments.seed, **given,
    }  # fmt: skip


def _gain(text: str | None) -> float | str | None:
    if text is None or text in ("torch", "exact"):
        return text
    try:
        return float(text)
    except ValueError:
        raise InvalidValueError(f"got --gain {text}; wanted a number, torch or exact") from None


def _widths(arguments: argparse.Namespace) -> list[int]:
    if arguments.widths:
        return _integers("--widths", arguments.widths)
    if arguments.layers < 1:
        raise InvalidValueError(f"got --layers {arguments.layers}; wanted at least 1")
    return [arguments.width] * (arguments.layers + 1)


def _integers(option: str, text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise InvalidValueError(f"got {option} {text}; wanted whole numbers, such as 784,512,256") from None
