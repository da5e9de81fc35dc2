"""``-o`` and the options beside it → what is to be written, and where: one output, or the files of a checkpoint."""

import argparse
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from numbainit.errors import InvalidValueError, OutputError
from numbainit.files.checkpoints import Checkpoint, seed_there
from numbainit.files.filling import Fill
from numbainit.files.headers import Parameter
from numbainit.files.outputs import Kind, Output, check_folder, check_output
from numbainit.files.pieces import whole
from numbainit.files.reading import file
from numbainit.files.sharded import Shard, by_rank, by_size, names_by_rank
from numbainit.files.writing import See, prepared, write
from numbainit.recipes.models import builtin_names

_UNITS = {"": 1, "B": 1} | {f"{unit}{kind}": base**power
    for kind, base in (("B", 1000), ("iB", 1024)) for power, unit in enumerate("KMGT", 1)}  # fmt: skip
_MOST_PARTS = 500_000  # that one run plans: a kilobyte each
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)", re.IGNORECASE)

Make: TypeAlias = Callable[[Fill, See, Sequence[str]], None]


@dataclass(frozen=True)
class Job:
    """What is to be done: ``make(fill, see, whole_only)`` writes ``size`` bytes of tensors into ``files``."""

    path: Path
    size: int
    make: Make
    files: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    on_standard_output: bool = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of an output, as argparse knows them."""
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="what to write: .safetensors, .npz, .npy (of one tensor) or .zarr, by its suffix; - for the standard "
        "output; a folder, with --shard-size or --world",
    )
    parser.add_argument(
        "--shard-size", type=_size, metavar="SIZE", help="cut into files of at most 5GB, 500MB, ..., with an index"
    )
    parser.add_argument("--only", type=_count, metavar="N", help="of these files, make the N-th alone")
    parser.add_argument(
        "--world", type=_count, metavar="N", help="a file for each of N ranks, with its rows of each tensor"
    )
    parser.add_argument("--rank", type=_rank, metavar="R", help="of these files, make that of rank R, from 0, alone")
    parser.add_argument(
        "--resume", action="store_true", help="check the files that are there, and make what is missing or wrong"
    )


def seed(arguments: argparse.Namespace, parameters: Sequence[Parameter]) -> int:
    """The seed that is asked for, that of what is resumed, or 64 fresh bits."""
    _check_options(arguments)
    if arguments.seed is not None:
        return int(arguments.seed)
    if arguments.only is not None or arguments.rank is not None:
        raise InvalidValueError("--only and --rank need --seed: files of different seeds make no model")
    if arguments.resume and _is_sharded(arguments):
        there = seed_there(_folder(arguments).path, _Cut(arguments, parameters).names)
        if there is not None:
            return there
    return secrets.randbits(64)


def job(arguments: argparse.Namespace, parameters: Sequence[Parameter], metadata: Mapping[str, str]) -> Job:
    """What is to be done; all that can be refused is refused here, or with the seed.

    Raises
    ------
    InvalidValueError
        An output that cannot be written, options that do not go together, a folder that holds something else.
    """
    if _is_sharded(arguments):
        return _sharded(arguments, parameters, metadata)
    try:
        output = check_output(arguments.output)
    except OutputError as error:
        raise InvalidValueError(str(error)) from error
    _check_input(arguments.shapes, output)
    form = prepared(output, map(whole, parameters), metadata)

    def make(fill: Fill, see: See, whole_only: Sequence[str]) -> None:
        write(output, form, fill, see, whole_only)

    size = sum(part.nbytes for part in form.order)
    return Job(output.path, size, make, on_standard_output=output.is_standard_output)


def _folder(arguments: argparse.Namespace) -> Output:
    try:
        return check_folder(arguments.output)
    except OutputError as error:
        raise InvalidValueError(str(error)) from error


def _is_sharded(arguments: argparse.Namespace) -> bool:
    return arguments.shard_size is not None or arguments.world is not None


def _check_options(arguments: argparse.Namespace) -> None:
    if arguments.shard_size is not None and arguments.world is not None:
        raise InvalidValueError("--shard-size and --world cut in two ways: leave out one of them")
    if arguments.only is not None and arguments.shard_size is None:
        raise InvalidValueError("--only N makes one file of those that --shard-size cuts: add it")
    if arguments.rank is not None and arguments.world is None:
        raise InvalidValueError("--rank R makes one file of those that --world N cuts: add it")
    if arguments.resume and not _is_sharded(arguments):
        raise InvalidValueError("--resume goes on with the files of a folder: add --shard-size or --world")


def _check_input(shapes: str, output: Output) -> None:
    """What was read may be somebody's trained model: it is not replaced, nor what lies beside it in a folder."""
    if shapes in builtin_names() or output.kind is not Kind.FILE:
        return
    source = Path(shapes)
    try:
        kind = file.kind_of(source)
        together = {file.Kind.FOLDER: source, file.Kind.INDEX: source.parent}.get(kind)
        pair = (source, output.path) if together is None else (together, output.path.parent)
        was_read = output.path.exists() and os.path.samefile(*pair)
    except OSError:
        return
    if was_read:
        what = "shapes were read from it" if together is None else f"shapes were read from {together}, where it lies"
        raise InvalidValueError(f"output {output.path}: {what}, and it would be replaced; name another file")


class _Cut:
    """The files of a model, and which of them are asked for."""

    def __init__(self, arguments: argparse.Namespace, parameters: Sequence[Parameter]) -> None:
        self.shards: list[Shard]
        if arguments.shard_size is not None:
            self.shards = by_size(parameters, arguments.shard_size)
            self.names = [shard.file for shard in self.shards]
            self.chosen = self.shards if arguments.only is None else [self._only(arguments.only)]
            self.has_index = len(self.shards) > 1
            return
        self.names, self.has_index = names_by_rank(arguments.world), False
        rank, world = arguments.rank, arguments.world
        if rank is not None and rank >= world:
            raise InvalidValueError(f"--rank {rank}: ranks of --world {world} are 0 to {world - 1}")
        if rank is None and world * len(parameters) > _MOST_PARTS:
            raise InvalidValueError(
                f"--world {world}: so many files are made one by one: add --rank, from 0 to {world - 1}"
            )
        ranks = range(world) if rank is None else [rank]
        self.shards = self.chosen = [by_rank(parameters, one, world) for one in ranks]

    def _only(self, number: int) -> Shard:
        if number > len(self.shards):
            raise InvalidValueError(f"--only {number}: the model makes {len(self.shards)} files of this --shard-size")
        return self.shards[number - 1]


def _sharded(arguments: argparse.Namespace, parameters: Sequence[Parameter], metadata: Mapping[str, str]) -> Job:
    output = _folder(arguments)
    cut = _Cut(arguments, parameters)
    checkpoint = Checkpoint(output.path, cut.shards, set(cut.names), metadata, cut.has_index)
    missing, wrong = checkpoint.to_make(cut.chosen, arguments.resume)

    def make(fill: Fill, see: See, whole_only: Sequence[str]) -> None:
        checkpoint.make(missing, fill, see, whole_only)

    files = [shard.file for shard in missing]
    kept = [shard.file for shard in cut.chosen if shard.file not in files]
    return Job(output.path, sum(part.nbytes for shard in missing for part in shard.parts), make, files, kept, wrong)


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    units = {unit.lower(): number for unit, number in _UNITS.items()}
    short = match and match[2].lower()
    unit = units.get(short + "b" if short in ("k", "m", "g", "t", "ki", "mi", "gi", "ti") else short) if match else None
    size = int(float(match[1]) * unit) if match and unit else 0
    if size < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}; wanted a size, such as 5GB, 500MB or 4GiB")
    return size


def _count(text: str) -> int:
    return _whole(text, 1)


def _rank(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    number: Any = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if number < least:
        raise argparse.ArgumentTypeError(f"got {text!r}; wanted a whole number >= {least}")
    return int(number)
