"""Words on a command line → a checkpoint on the disk, and a table that says what is in it.

Exit codes: 0 done · 1 failed under way (a full disk, a missing package) · 2 refused before anything was touched · 130
interrupted · 128 + n ended by signal n. Whatever the code, the output is whole, or as it was before.

``rich`` and ``safetensors`` come with the extra ``cli`` and are imported when a command runs, so that this module
can be imported, and ``--help`` read, without them.
"""

import argparse
import contextlib
import functools
import importlib.util
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from numbainit import __version__
from numbainit.command import warmup
from numbainit.command.report import Result, print_table
from numbainit.errors import (
    InvalidTypeError,
    InvalidValueError,
    MissingExtraError,
    NumbaInitError,
    OutputError,
)
from numbainit.files import headers, safetensors
from numbainit.files.headers import Parameter
from numbainit.generator import Generator
from numbainit.initializers import Initializer, checked_name, needed, taking
from numbainit.maths.stream import STREAM
from numbainit.measure import run as bench
from numbainit.recipes import models, rules
from numbainit.weights.blocks import Block

_DTYPES = {"f32": "F32", "f64": "F64", "f16": "F16", "bf16": "BF16"}
_Plan = dict[str, tuple[Parameter, Initializer]]  # by name
_TRIAL = 1 << 16  # elements: enough for the parallel kernels


# ---- what is done ----


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


@contextlib.contextmanager
def _progress(total: int, text: str, *, of_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal where ``rich`` is installed, nothing in a pipe."""
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    sizes = TextColumn(text), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    columns = sizes if of_bytes else Progress.get_default_columns()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda size: bar.advance(task, size)


def _chosen(arguments: argparse.Namespace) -> Initializer:
    name, given = checked_name(arguments.init, rules.choices()), _given_options(arguments)
    missing = [f"--{option}" for option in needed(name) if option not in given]
    if missing:
        raise InvalidValueError(f"--init {name} needs {' and '.join(missing)}")
    return rules.initializer(name, **given)


def _init(arguments: argparse.Namespace) -> int:
    """``numbainit init``: all that can be refused is refused before the first byte."""
    _need_extra()
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
    with _progress(sum(parameter.nbytes for parameter in parameters), "filling", of_bytes=True) as advance:
        _write(plan, _metadata(arguments, table, seed), result, advance)
    if arguments.json:
        print(json.dumps(result.as_json()), flush=True)
    else:
        print_table(result)
    return 0


def _need_extra() -> None:
    try:
        for name in ("rich", "safetensors"):
            importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError('the command line needs rich and safetensors: pip install "numbainit[cli]"') from error


# ---- what is typed ----


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error of this command does."""

    def error(self, message: str) -> NoReturn:
        dash = "; a value that starts with - is given as --option=value" if "expected one argument" in message else ""
        raise InvalidValueError(f"{message}{dash}; {self.prog} --help shows what is possible")


def _seed(text: str) -> int:
    try:
        seed = int(text)
    except ValueError:
        seed = -1
    if seed < 0:
        raise argparse.ArgumentTypeError(f"got {text!r}; wanted a whole number >= 0, such as 7")
    return seed


def _add_init(commands: Any) -> None:
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
    parser.add_argument("--seed", type=_seed, metavar="N", help="a whole number (default: 64 fresh bits, reported)")
    parser.add_argument("--dtype", choices=tuple(_DTYPES), default="f32", help="of floating parameters (default: f32)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.set_defaults(run=_init)


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


def _add_bench(commands: Any) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure the speed on this machine",
        description="Measure the speed of the initializers on this machine, beside a plain fill of the same memory and "
        "beside each peer that is installed.",
        allow_abbrev=False,
    )
    bench.add_options(parser)
    parser.set_defaults(run=_bench)


def _bench(arguments: argparse.Namespace) -> int:
    """``numbainit bench``."""
    _need_extra()
    return bench.run(arguments)


def _add_warmup(commands: Any) -> None:
    parser = commands.add_parser(
        "warmup",
        help="compile kernels ahead",
        description="Compile the kernels of laws and dtypes, for all kinds of memory, and keep them on the disk for "
        "the processes that come after: in an image of a container, or before a job.",
        allow_abbrev=False,
    )
    warmup.add_options(parser)
    parser.set_defaults(run=lambda arguments: warmup.run(arguments, functools.partial(_progress, text="compiling")))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="numbainit", description="Initialise the weights of neural networks.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"numbainit {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_init(commands)
    _add_bench(commands)
    _add_warmup(commands)
    return parser


# ---- how it ends ----


def _leave(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _signals_unwind() -> Iterator[None]:
    """A polite end by signal becomes an exception, so that temporary files are removed; afterwards all is as before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in wanted}
    changed = [number for number, handler in before.items() if handler == signal.SIG_DFL]  # nohup ignores SIGHUP
    try:
        for number in changed:
            signal.signal(number, _leave)
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number])


def _complain(message: object, code: int) -> int:
    print("numbainit: error:", " ".join(str(message).split()), file=sys.stderr)
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; those of this process by default.

    Examples
    --------
    >>> from numbainit.command.cli import main
    >>> main(["init"])  # one line on the standard error
    2
    """
    try:
        with _signals_unwind():
            arguments = _parser().parse_args(argv)
            return arguments.run(arguments)
    except (InvalidValueError, InvalidTypeError) as error:
        return _complain(error, 2)
    except (NumbaInitError, OSError) as error:
        return _complain(error, 1)
    except MemoryError as error:
        return _complain(f"not enough memory: {error}", 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        return _complain(f"ended by signal {code - 128}", code) if code > 128 else code  # else --help, --version
