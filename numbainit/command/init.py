"""``numbainit init``: shapes and rules → a checkpoint on the disk, and a table that says what is in it."""

import argparse
import json
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from numbainit import __version__
from numbainit.command import choosing, terminal
from numbainit.command.report import Result, print_table
from numbainit.command.shapes import add_shapes, read_shapes
from numbainit.errors import InvalidValueError, OutputError
from numbainit.files import safetensors
from numbainit.files.headers import Parameter
from numbainit.generator import Generator
from numbainit.initializers import Initializer
from numbainit.maths.stream import STREAM
from numbainit.recipes import Fill, Recipe
from numbainit.recipes.filling import make
from numbainit.weights.blocks import Block

_DTYPES = {"f32": "F32", "f64": "F64", "f16": "F16", "bf16": "BF16"}
_TRIAL = 1 << 16  # elements: enough for the parallel kernels


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "init",
        help="write a freshly initialised checkpoint",
        description="Write a freshly initialised checkpoint in the safetensors format. Norm weights become 1, biases "
        "0, parameters of two or more axes follow the chosen initializer.",
        allow_abbrev=False,
    )
    add_shapes(parser)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the .safetensors file to write")
    choosing.add_options(parser)
    parser.add_argument(
        "--seed", type=terminal.seed, metavar="N", help="a whole number (default: 64 fresh bits, reported)"
    )
    parser.add_argument("--dtype", choices=tuple(_DTYPES), default="f32", help="of floating parameters (default: f32)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    """All that can be refused is refused before the first byte."""
    terminal.need_extra()
    code = _DTYPES[arguments.dtype]
    choice = choosing.Choice(arguments)
    parameters = [parameter.cast(code) for parameter in read_shapes(arguments.shapes)]
    plan = choice.plan(parameters)
    _check_all_made(plan.recipe)
    try:
        path = safetensors.check_output(arguments.output)
    except OutputError as error:
        raise InvalidValueError(str(error)) from error
    seed = secrets.randbits(64) if arguments.seed is None else arguments.seed
    for warning in plan.warnings:
        terminal.warn(warning)
    result = Result(path, seed, arguments.dtype, choice.name)
    result.compile_seconds = _compile(parameters, plan.recipe)
    with terminal.progress(sum(parameter.nbytes for parameter in parameters), "filling", of_bytes=True) as advance:
        _write(parameters, plan.recipe, _metadata(choice.to_dict(plan), seed), result, advance)
    if arguments.json:
        print(json.dumps(result.as_json()), flush=True)
    else:
        print_table(result)
    return 0


def _check_all_made(recipe: Recipe) -> None:
    """A file holds values for each parameter."""
    unknown = recipe.names("computed", "untouched")
    if unknown:
        reasons = "; ".join(f"{name} ({recipe[name].label})" for name in unknown)
        raise InvalidValueError(f"the recipe does not make these: {reasons}: take them out of SHAPES")


def _metadata(rules: dict[str, Any], seed: int) -> dict[str, str]:
    """What the file says about its making: with its own shapes, all that is needed to make it again."""
    return {
        "format": "pt",  # transformers refuses files that do not say whose layout they have: this is torch's
        "numbainit": __version__,
        "stream": STREAM,
        "seed": str(seed),
        "rules": json.dumps(rules),
    }


def _compile(parameters: Iterable[Parameter], recipe: Recipe) -> float:
    """Fill small arrays by each law, so that kernels are compiled before a file is made; the seconds."""
    found: dict[tuple[str, str], list[tuple[Parameter, Initializer]]] = {}
    for parameter in parameters:
        for step in recipe[parameter.name].steps:
            if parameter.size and isinstance(step, Fill):
                key = step.initializer.name, parameter.dtype
                found.setdefault(key, []).append((parameter, step.initializer))
    start = time.perf_counter()
    for pairs in found.values():
        for pick in (min, max):  # small arrays have kernels of their own
            trial, initializer = pick(pairs, key=lambda pair: pair[0].size)
            if trial.numpy_dtype.kind not in "biu":
                block = Block(trial.shape, (0,) * len(trial.shape)) if initializer.takes_block else None
                initializer(np.empty(_head(trial.shape), trial.numpy_dtype), Generator(0), block=block)
    return time.perf_counter() - start


def _head(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A part at the beginning of an array of this shape, whose numbers follow each other: not many elements."""
    head, left = [], _TRIAL
    for size in reversed(shape):
        head.append(min(size, max(left, 1)))
        left = left // size if head[-1] == size else 0
    return tuple(reversed(head))


def _write(
    parameters: list[Parameter], recipe: Recipe, metadata: dict[str, str], result: Result, advance: Callable
) -> None:
    """Each parameter's generator depends on its name and the seed alone: adding one changes no other."""
    root = Generator(result.seed)
    start = time.perf_counter()
    with safetensors.create(result.path, parameters, metadata) as tensors:
        for name, array in tensors.items():
            begin = time.perf_counter()
            make(recipe[name], name, array, root, None, recipe)
            result.fill_seconds += time.perf_counter() - begin
            result.add(recipe[name].label, array)
            advance(array.nbytes)
    result.seconds = time.perf_counter() - start
