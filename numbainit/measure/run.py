"""Words after ``numbainit bench`` → a table, on the user's machine, of speeds beside a plain fill and each peer found.

What is slower than a peer is shown as it is: a ratio below 1. Nothing here is a promise, and nothing here is tested
for its speed: timings belong to a machine and an hour.
"""

import argparse
import contextlib
import datetime
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, suggestion
from numbainit.files import headers
from numbainit.measure import device, figure, limit, peers
from numbainit.measure.timing import Case, Row, measure
from numbainit.memory.dtypes import dtype_named
from numbainit.recipes import models

_SIZE = 1 << 26  # elements
_SMALL = 1024  # elements
_DTYPES = ("f32", "f64")
_ON_A_GPU = ("bf16",)
_COPIES = 3  # of an array that a case may need at once: ours, a peer's own, a peer's temporaries


# ---- the cases ----


def _flat(name: str, dtypes: Sequence[np.dtype], size: int) -> list[Case]:
    return [Case(name, name, dtype, ((size,),), divisible=True) for dtype in dtypes]


def _scaled(name: str, dtypes: Sequence[np.dtype], size: int) -> list[Case]:
    return [Case(name, name, dtypes[0], (_matrix(size),), divisible=True)]


def _sparse(name: str, dtypes: Sequence[np.dtype], size: int) -> list[Case]:
    side = min(4096, math.isqrt(size))
    return [Case(name, name, dtypes[0], ((side, side),))]


def _orthogonal(name: str, dtypes: Sequence[np.dtype], size: int) -> list[Case]:
    sides = dict.fromkeys(min(side, math.isqrt(size)) for side in (1024, 4096))
    return [Case(name, name, dtypes[0], ((side, side),)) for side in sides]


def _small(name: str, dtypes: Sequence[np.dtype], size: int) -> list[Case]:
    laws = ("uniform", "normal", "trunc_normal", "xavier_uniform", "kaiming_normal")
    return [Case(name, law, dtypes[0], (_matrix(min(size, _SMALL)),)) for law in laws]


def _model(name: str, dtypes: Sequence[np.dtype], size: int) -> list[Case]:
    parameters = headers.parse_header(models.builtin_header(name), name)
    return [Case(name, "normal", dtypes[0], tuple(parameter.shape for parameter in parameters))]


_CASES: dict[str, Callable[[str, Sequence[np.dtype], int], list[Case]]] = {
    **dict.fromkeys(("uniform", "normal", "trunc_normal", "trunc_normal_0.02"), _flat),
    **dict.fromkeys(("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal"), _scaled),
    "sparse": _sparse,
    "orthogonal": _orthogonal,
    "small": _small,
    "gpt2": _model,
}
_ON_REQUEST = ("xavier_uniform", "xavier_normal", "kaiming_uniform")  # the same kernels as the laws they scale
_DEFAULT = tuple(name for name in _CASES if name not in _ON_REQUEST)


def _matrix(size: int) -> tuple[int, int]:
    """About as many elements, in rows and columns of about the same number."""
    rows = 1 << (size.bit_length() - 1) // 2
    return rows, size // rows


def cases(names: Sequence[str], dtypes: Sequence[np.dtype], size: int) -> list[Case]:
    """The rows of the table; laws with a shape of their own use the first dtype only.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.measure.run import cases
    >>> [case.shapes for case in cases(["uniform", "kaiming_normal"], [np.dtype("float32")], 1 << 11)]
    [((2048,),), ((32, 64),)]
    """
    return [case for name in names for case in _CASES[name](name, dtypes, size)]


# ---- what is typed ----


@dataclass
class Options:
    """What a run is asked for, checked."""

    laws: tuple[str, ...] = _DEFAULT
    dtypes: tuple[np.dtype, ...] = tuple(map(dtype_named, _DTYPES))
    size: int = _SIZE
    threads: int = 1
    rounds: int = 5
    peers: tuple[str, ...] = ()
    figure: Path | None = None
    ladder: dict[str, Any] | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``numbainit bench``."""
    parser.add_argument(
        "--laws",
        metavar="NAMES",
        help=f"separated by commas, of {', '.join(_CASES)} (default: all but {', '.join(_ON_REQUEST)})",
    )
    parser.add_argument(
        "--dtype",
        choices=(*_DTYPES, *_ON_A_GPU, "both"),
        help="both is f32 and f64 (default: both; with --device cuda, bf16 too)",
    )
    parser.add_argument("--size", metavar="N", help="elements of large arrays (default: 2^26)")
    parser.add_argument("--threads", metavar="N", help="of numbainit and torch (default: all)")
    parser.add_argument("--rounds", metavar="N", default="5", help="of which the best counts (default: 5)")
    known = ", ".join(peers.PEERS)
    parser.add_argument("--peers", metavar="NAMES", help=f"of {known}, or none (default: those installed)")
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="cuda or cuda:<number>: check the bits of a GPU, then measure it beside CuPy, torch, JAX; with --dtype, "
        "--size (default: 2^28), --rounds and --json",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument(
        "--figure", metavar="FILE", help="also draw throughput against size and threads, as .png, .svg or .pdf"
    )
    parser.add_argument(
        "--ladder", metavar="FILE", help="what bench/ladder.py --json wrote: also show shares of this machine's limit"
    )


def _checked(arguments: argparse.Namespace) -> Options:
    if arguments.dtype in _ON_A_GPU:
        known = ", ".join(_DTYPES)
        raise InvalidValueError(f"got --dtype {arguments.dtype} without --device cuda; wanted {known} or both")
    most = peers.most_threads()
    threads = most if arguments.threads is None else whole_number("threads", arguments.threads)
    if threads > most:
        raise InvalidValueError(f"got --threads {threads}; wanted at most {most}, all that Numba has here")
    return Options(
        laws=_DEFAULT if arguments.laws is None else _names("laws", arguments.laws, tuple(_CASES)),
        dtypes=_dtypes(arguments.dtype),
        size=_SIZE if arguments.size is None else whole_number("size", arguments.size),
        threads=threads,
        rounds=whole_number("rounds", arguments.rounds),
        peers=_peers(arguments.peers),
        figure=None if arguments.figure is None else figure.check(arguments.figure),
        ladder=None if arguments.ladder is None else limit.read(arguments.ladder),
    )


def _peers(text: str | None) -> tuple[str, ...]:
    if text is None:
        return peers.installed()
    names = () if text == "none" else _names("peers", text, peers.PEERS)
    for name in names:
        peers.library(name)  # an error if it is not there
    return names


def _names(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in known:
            hint = suggestion(name, known)
            raise InvalidValueError(f"got {name!r} in --{option}; {hint}Wanted some of {', '.join(known)}")
    return names


def whole_number(option: str, text: str) -> int:
    """A whole number >= 1, which may be a power: 2^20."""
    base, power, exponent = text.replace("**", "^").partition("^")
    try:
        number = int(base) ** min(int(exponent), 63) if power else int(base)
    except ValueError:
        number = 0
    if not 1 <= number < 1 << 48:
        raise InvalidValueError(f"got --{option} {text}; wanted a whole number >= 1, such as 8 or 2^20")
    return number


# ---- what is done ----


@dataclass
class Report:
    """All that was measured, and where."""

    machine: dict[str, Any]
    options: Options
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    curves: dict[str, Any] | None = None
    date: str = field(default_factory=lambda: datetime.datetime.now().astimezone().isoformat(timespec="seconds"))

    def as_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        settings = {"size": self.options.size, "threads": self.options.threads, "rounds": self.options.rounds}
        found = {name: peers.library(name) for name in self.options.peers}
        facts = {
            "date": self.date,
            "machine": self.machine,
            "settings": settings,
            "peers": {name: {"version": it.version, "threads": it.threads} for name, it in found.items()},
            "rows": [self.row_as_json(row) for row in self.rows],
            "notes": self.notes,
        }
        if self.options.ladder is not None:
            facts["ladder"] = self.options.ladder
        return facts | ({} if self.curves is None else {"figure": str(self.options.figure), "curves": self.curves})

    def row_as_json(self, row: Row) -> dict[str, Any]:
        """A row, with the limit of its law where the ladder knows one."""
        facts, ladder = row.as_json(), self.options.ladder
        fill = facts["fill"]["gb_per_second"]
        most = None
        if ladder is not None:
            most = limit.limit(ladder, row.case.law, row.case.dtype.name, fill, self.options.threads)
        return facts | ({} if most is None else {"limit": most, "share_of_limit": facts["gb_per_second"] / most})


def run(arguments: argparse.Namespace) -> int:
    """``numbainit bench``: everything typed is checked before anything is measured."""
    if arguments.device not in (None, "cpu"):
        return _run_on_device(arguments)
    options = _checked(arguments)
    report = Report(peers.machine(options.peers), options)
    if options.ladder is not None:
        report.notes += limit.differences(options.ladder, report.machine)
    with peers.threads(options.threads), _status() as say:
        _fit(report)
        libraries = [peers.library(name) for name in (peers.OURS, *options.peers)]
        for case in _that_fit(report):
            say(f"{case.name} {case.dtype.name}")
            report.rows.append(measure(case, libraries, options.rounds))
        if options.figure:
            say("figure")
            report.curves = figure.measure_curves(libraries, options.size, options.threads, options.rounds)
            figure.draw(report.curves, options.figure, (_first_line(report), _second_line(report)))
    if arguments.json:
        print(json.dumps(report.as_json()), flush=True)
    else:
        print_table(report)
    return 0


def _run_on_device(arguments: argparse.Namespace) -> int:
    for option in ("laws", "threads", "peers", "figure", "ladder"):
        if getattr(arguments, option) is not None:
            raise InvalidValueError(f"got --{option} with --device {arguments.device}; leave out one of the two")
    dtypes = _dtypes(arguments.dtype, _ON_A_GPU)
    size = device.SIZE if arguments.size is None else whole_number("size", arguments.size)
    return device.run(arguments.device, dtypes, size, whole_number("rounds", arguments.rounds), arguments.json)


def _dtypes(asked: str | None, others: Sequence[str] = ()) -> tuple[np.dtype, ...]:
    """What is asked for; both of the usual ones, and the others if nothing is."""
    if asked is not None and asked != "both":
        return (dtype_named(asked),)
    return tuple(map(dtype_named, (*_DTYPES, *(others if asked is None else ()))))


def _fit(report: Report) -> None:
    """Halve the size until memory suffices for an array and its copies."""
    free = peers.free_memory()
    asked, itemsize = report.options.size, max(dtype.itemsize for dtype in report.options.dtypes)
    while free is not None and report.options.size > 1 and report.options.size * itemsize * _COPIES > free:
        report.options.size //= 2
    if report.options.size < asked:
        report.notes.append(f"memory is short: {_power(report.options.size)} elements instead of {_power(asked)}")


def _that_fit(report: Report) -> Iterator[Case]:
    free = peers.free_memory()
    for case in cases(report.options.laws, report.options.dtypes, report.options.size):
        if free is None or case.nbytes * _COPIES <= free:
            yield case
        else:
            report.notes.append(f"memory is short: {case.name} left out")


@contextlib.contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """What is being measured, on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("measuring") as status:
        yield lambda text: status.update(f"measuring {text}")


# ---- what is shown ----


def _first_line(report: Report) -> str:
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    threads = f"{report.options.threads} of {machine['cores']} cores"
    return f"{machine['cpu']}, {threads}, Python {machine['python']}, {versions}"


def _second_line(report: Report) -> str:
    facts = report.machine["compiled_for"]
    found = ", ".join(facts["instructions"]) or "the baseline"
    return f"compiled for {facts['cpu']}: {found}; {report.date}"


def print_table(report: Report) -> None:
    """Print the machine, a row for each case, and what the signs mean, on the standard output."""
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    table = Table("case", "dtype", "elements", box=box.SIMPLE_HEAD, pad_edge=False)
    shares = ("of a fill",) if report.options.ladder is None else ("of a fill", "of limit")
    for heading in ("time", "GB/s", *shares, *(f"x {name}" for name in report.options.peers)):
        table.add_column(heading, justify="right")
    for row in report.rows:
        table.add_row(*_cells(row, report))
    width = Measurement.get(Console(width=1000), Console(width=1000).options, table).maximum
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = max(console.width, width)  # a terminal that is too narrow breaks lines, never a number
    console.print(_first_line(report), soft_wrap=True)
    console.print(_second_line(report), soft_wrap=True)
    console.print(table)
    for line in _legend(report):
        console.print(line, soft_wrap=True)


def _cells(row: Row, report: Report) -> list[str]:
    facts = report.row_as_json(row)
    label = row.case.name if row.case.name == row.case.law else f"{row.case.name}: {row.case.law}"
    speeds = [_time(facts["seconds"]), f"{facts['gb_per_second']:.2f}", f"{facts['share_of_fill']:.2f}"]
    if report.options.ladder is not None:
        speeds.append(f"{facts['share_of_limit']:.2f}" if "limit" in facts else "-")
    ratios = [_ratio(facts["peers"].get(name)) for name in report.options.peers]
    return [label, facts["dtype"], _shape(row.case), *speeds, *ratios]


def _ratio(peer: dict[str, Any] | None) -> str:
    return "-" if peer is None else f"{peer['ratio']:.3g}{'*' if peer['fewer'] else ''}"


def _time(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _shape(case: Case) -> str:
    if len(case.shapes) > 1:
        return f"{case.elements:,} in {len(case.shapes)}"
    return " x ".join(map(_power, case.shapes[0]))


def _power(number: int) -> str:
    return f"2^{number.bit_length() - 1}" if number >= 1 << 13 and number & (number - 1) == 0 else f"{number:,}"


def _legend(report: Report) -> list[str]:
    lines = [
        f"best of {report.options.rounds} rounds in turn · of a fill: the same bytes with one constant, by numpy.fill "
        "or Numba, whichever is faster",
    ]
    if report.options.ladder is not None:
        lines.append("of limit: of a plain fill, or of the ladder's fastest code on as many threads, whichever is less")
    if report.options.peers:
        lines.append("x library: how many times as fast as it; below 1, it is the faster one")
    if any(peer["fewer"] for row in report.rows for peer in row.as_json()["peers"].values()):
        lines.append("* slow there: measured on fewer elements, by the element")
    threads = ", ".join(f"{name} {peers.library(name).threads}" for name in report.options.peers)
    return lines + ([f"threads that fill: {threads}"] if threads else []) + report.notes
