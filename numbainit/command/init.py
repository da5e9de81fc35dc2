"""``numbainit init``: shapes and an initializer → a checkpoint on the disk, and a table that says what is in it."""

import argparse
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from numbainit import __version__
from numbainit.command import terminal
from numbainit.command.report import Result, print_table
from numbainit.errors import InvalidTypeError, InvalidValueError, OutputError
from numbainit.files import headers, safetensors
from numbainit.files.headers import Parameter
from numbainit.generator import Generator
from numbainit.initializers import Initializer, checked_name, needed, taking
from numbainit.maths.stream import STREAM
from numbainit.recipes import models, rules
from numbainit.weights.blocks import Block

_DTYPES = {"f32": "F32", "f64": "F64", "f16": "F16", "bf16": "BF16"}
_Plan = dict[str, tuple[Parameter, Initializer]]  # by name
_TRIAL = 1 << 16  # elements: enough for the parallel kernels

#: the arguments of initializers, under their names
_OPTION_HELP: dict[str, tuple[type, str]] = {
    "mode": (str, "fan_in or fan_out (default: fan_in)"),
    "nonlinearity": (str, "what follows the layer, such as relu or tanh (default: leaky_relu)"),
    "gain": (float, "factor (default: 1)"),
    "mean": (float, "before any truncation (default: 0)"),
    "std": (float, "standard deviation, before any truncation (default: 0.02; sparse: 0.01)"),
    "a": (float, "lower bound (default: 0; trunc_normal: 2 std below the mean); kaiming: negative slope (default: 0)"),
    "b": (float, "upper bound (default: 1; trunc_normal: 2 std above the mean)"),
    "val": (float, "the value"),
    "sparsity": (float, "the share of zeros in each column"),
    "groups": (int, "groups of outputs (default: 1)"),
    "layout": (str, "which axis is what, such as IO or HWIO (default: OI)"),
}


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    names = ", ".join(rules.choices())
    parser = commands.add_parser(
        "init",
        help="write a freshly initialised checkpoint",
        description="Write a freshly initialised checkpoint in the safetensors format. Norm weights become 1, biases "
        "0, parameters of two or more axes follow the chosen initializer.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "shapes",
        metavar="SHAPES",
        help=f"a built-in model ({', '.join(models.builtin_names())}), a .safetensors file (only its header is read), "
        'or a JSON header: {"name": {"dtype": "F32", "shape": [768, 2304]}, ...}',
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the .safetensors file to write")
    parser.add_argument("--init", default="normal", metavar="NAME", help=f"one of {names} (default: normal)")
    for option, (kind, text) in _OPTION_HELP.items():
        owners = ", ".join(taking(option))
        parser.add_argument(f"--{option}", type=kind, metavar=kind.__name__.upper(), help=f"{text}; for {owners}")
    parser.add_argument(
        "--seed", type=terminal.seed, metavar="N", help="a whole number (default: 64 fresh bits, reported)"
    )
    parser.add_argument("--dtype", choices=tuple(_DTYPES), default="f32", help="of floating parameters (default: f32)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.set_defaults(run=_run)


def _chosen(arguments: argparse.Namespace) -> Initializer:
    name, given = checked_name(arguments.init, rules.choices()), _given_options(arguments)
    missing = [f"--{option}" for option in needed(name) if option not in given]
    if missing:
        raise InvalidValueError(f"--init {name} needs {' and '.join(missing)}")
    return rules.initializer(name, **given)


def _run(arguments: argparse.Namespace) -> int:
    """All that can be refused is refused before the first byte."""
    terminal.need_extra()
    code = _DTYPES[arguments.dtype]
    chosen = _chosen(arguments)
    table = rules.rules(chosen)
    parameters = [parameter.cast(code) for parameter in _read_shapes(arguments.shapes)]
    plan = _planned(parameters, table, chosen)
    try:
        path = safetensors.check_output(arguments.output)
    except OutputError as error:
        raise InvalidValueError(str(error)) from error
    seed = secrets.randbits(64) if arguments.seed is None else arguments.seed
    result = Result(path, seed, arguments.dtype, arguments.init)
    result.compile_seconds = _compile(chosen, plan)
    with terminal.progress(sum(parameter.nbytes for parameter in parameters), "filling", of_bytes=True) as advance:
        _write(plan, _metadata(arguments, table, seed), result, advance)
    if arguments.json:
        print(json.dumps(result.as_json()), flush=True)
    else:
        print_table(result)
    return 0


def _read_shapes(shapes: str) -> list[Parameter]:
    """Built-in names come first: a file called gpt2 is ./gpt2."""
    if shapes in models.builtin_names():
        return headers.parse_header(models.builtin_header(shapes), shapes)
    if os.path.exists(shapes):
        return headers.read_parameters(shapes)
    try:
        models.builtin_header(shapes)
    except InvalidValueError as error:
        raise InvalidValueError(f"no file and {error}") from None
    raise AssertionError("a built-in name appeared meanwhile")


def _metadata(arguments: argparse.Namespace, table: Iterable[rules.Rule], seed: int) -> dict[str, str]:
    """What the file says about its making: with its own shapes, all that is needed to make it again."""
    *_, last = table
    given, chosen = _given_options(arguments), last.initializer.to_dict(defaults=True)
    rule_set = {
        "init": arguments.init,
        "options": {option: value for option, value in chosen.items() if option in given},
        "laws": [
            {"parameters": rule.when, "law": rule.initializer.label} | rule.initializer.to_dict(defaults=True)
            for rule in table
        ],
    }
    return {
        "format": "pt",  # transformers refuses files that do not say whose layout they have: this is torch's
        "numbainit": __version__,
        "stream": STREAM,
        "seed": str(seed),
        "rules": json.dumps(rule_set),
    }


def _given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {option: getattr(arguments, option) for option in _OPTION_HELP}
    return {option: value for option, value in given.items() if value is not None}


def _planned(parameters: Iterable[Parameter], table: Iterable[rules.Rule], chosen: Initializer) -> _Plan:
    """Each parameter with its initializer, which will not refuse it."""
    plan: _Plan = {}
    known = set()
    for parameter in parameters:
        name, shape, dtype = parameter.name, parameter.shape, parameter.numpy_dtype
        found = rules.initializer_for(table, name, shape, dtype)
        if parameter.size and (found, shape, dtype) not in known:
            known.add((found, shape, dtype))
            try:
                rules.check(found, shape, dtype)
            except (InvalidValueError, InvalidTypeError) as error:
                raise type(error)(f"parameter {name!r}: {error}") from None
        plan[name] = parameter, found
    if not any(found is chosen for found, _, _ in known):  # its options must make sense all the same
        rules.check(chosen, _fitting(chosen), np.dtype("float32"))
    return plan


def _fitting(chosen: Initializer) -> tuple[int, ...]:
    """A shape that an initializer takes."""
    axes = chosen.arguments.get("layout")
    fewest = 3 if chosen.name == "dirac" else 2
    return (chosen.arguments.get("groups", 1),) * max(fewest, len(axes.axes) if axes else 0)


def _compile(chosen: Initializer, plan: _Plan) -> float:
    """Fill small arrays, so that kernels are compiled before a file is made; the seconds."""
    found = [parameter for parameter, initializer in plan.values() if initializer is chosen and parameter.size]
    start = time.perf_counter()
    for pick in (min, max) if found else ():  # small arrays have kernels of their own
        trial = pick(found, key=lambda parameter: parameter.size)
        block = Block(trial.shape, (0,) * len(trial.shape)) if chosen.takes_block else None
        chosen(np.empty(_head(trial.shape), trial.numpy_dtype), Generator(0), block=block)
    return time.perf_counter() - start


def _head(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A part at the beginning of an array of this shape, whose numbers follow each other: not many elements."""
    head, left = [], _TRIAL
    for size in reversed(shape):
        head.append(min(size, max(left, 1)))
        left = left // size if head[-1] == size else 0
    return tuple(reversed(head))


def _write(plan: _Plan, metadata: dict[str, str], result: Result, advance: Callable) -> None:
    """Each parameter's generator depends on its name and the seed alone: adding one changes no other."""
    root = Generator(result.seed)
    start = time.perf_counter()
    parameters = [parameter for parameter, _ in plan.values()]
    with safetensors.create(result.path, parameters, metadata) as tensors:
        for name, array in tensors.items():
            initializer = plan[name][1]
            begin = time.perf_counter()
            rules.apply(initializer, array, root.fold_in(name))
            result.fill_seconds += time.perf_counter() - begin
            result.add(initializer.label, array)
            advance(array.nbytes)
    result.seconds = time.perf_counter() - start
