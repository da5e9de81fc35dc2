"""``numbainit init``: shapes and rules → a checkpoint, and a table that says what is in it."""

import argparse
import functools
import json
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from numbainit import __version__
from numbainit.command import choosing, destination, ending, terminal
from numbainit.command.filling import Filling
from numbainit.command.moments import Moments
from numbainit.command.report import Result, show
from numbainit.command.shapes import add_shapes, read_shapes
from numbainit.errors import InvalidValueError
from numbainit.files import dtypes
from numbainit.files.headers import Parameter
from numbainit.generator import Generator
from numbainit.initializers import Initializer
from numbainit.maths.stream import STREAM
from numbainit.recipes import Fill, Recipe
from numbainit.targets.cpu import launch
from numbainit.targets.whole import whole
from numbainit.weights.blocks import Block

_TRIAL = 1 << 16  # elements


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "init",
        help="write a freshly initialised checkpoint",
        description="Write a freshly initialised checkpoint: one file, or many that any number of processes make. Norm "
        "weights become 1, biases 0, parameters of two or more axes follow the chosen initializer.",
        allow_abbrev=False,
    )
    add_shapes(parser)
    destination.add_options(parser)
    choosing.add_options(parser)
    parser.add_argument(
        "--seed", type=terminal.seed, metavar="N", help="a whole number (default: 64 fresh bits, reported)"
    )
    parser.add_argument(
        "--dtype",
        choices=(*dtypes.FLOATS, "keep"),
        default="f32",
        help="of floating parameters; keep: that of SHAPES (default: f32)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    """All that can be refused is refused before the first byte."""
    terminal.need_extra()
    code = None if arguments.dtype == "keep" else dtypes.FLOATS[arguments.dtype]
    choice = choosing.Choice(arguments)
    parameters = [parameter.cast(code) for parameter in read_shapes(arguments.shapes)]
    plan = choice.plan(parameters)
    _check_all_made(plan.recipe)
    seed = destination.seed(arguments, parameters)
    job = destination.job(arguments, parameters, _metadata(choice.to_dict(plan), seed))
    for warning in plan.warnings:
        terminal.warn(warning)
    result = Result(job.path, seed, arguments.dtype, choice.name, files=job.files, kept=job.kept, wrong=job.wrong)
    with ending.at_once():
        result.compile_seconds = _compile(parameters, plan.recipe)
    filling = Filling(plan.recipe, result)
    start = time.perf_counter()
    with terminal.progress(job.size, "filling", of_bytes=True) as filling.advance:
        job.make(filling.fill, filling.see, filling.whole_only)
    result.seconds = time.perf_counter() - start
    terminal.tell(functools.partial(show, result, as_json=arguments.json), job.on_standard_output)
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
                with whole(), launch.limited(1):  # as files are filled
                    array = np.empty(_head(trial.shape), trial.numpy_dtype)
                    Moments().add(initializer(array, Generator(0), block=block))
    return time.perf_counter() - start


def _head(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A part at the beginning of an array of this shape, whose numbers follow each other: not many elements."""
    head, left = [], _TRIAL
    for size in reversed(shape):
        head.append(min(size, max(left, 1)))
        left = left // size if head[-1] == size else 0
    return tuple(reversed(head))
