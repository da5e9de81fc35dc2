"""A folder, or an index → the tensors of the files that it names, together; parts of a tensor are put together.

Names in an index say which file a tensor lies in, and never lead elsewhere: files lie beside it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from numbainit.errors import InvalidValueError, shown
from numbainit.files.headers import LARGEST_HEADER, load_json
from numbainit.files.reading import ranks, torch_files
from numbainit.files.reading.file import WANTED, open_file
from numbainit.files.reading.stored import Collection, Stored

_INDICES = (".safetensors.index.json", ".index.json")  # the first kind of which there is one
_SUFFIXES = (".safetensors", ".npz", ".npy", *torch_files.SUFFIXES)
_MODEL = "pytorch_model.bin"
_MOST_LISTED = 5
_INDEX = 'wanted an index such as {"weight_map": {"name": "model-00001-of-00002.safetensors"}}'


def of_folder(folder: Path) -> Collection:
    """By its index, else all files of a kind in it.

    Raises
    ------
    InvalidValueError
        There are none, or several indices; a tensor lies in two files; files of ranks are missing.
    """
    there = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    for ending in _INDICES:
        found = [path for path in there if path.name.endswith(ending)]
        if len(found) > 1:
            raise InvalidValueError(
                f"{folder} holds {len(found)} indices ({_listed([path.name for path in found])}): name one of them"
            )
        if found:
            return of_index(found[0])
    for suffix in _SUFFIXES:
        files = [path for path in there if path.suffix == suffix]
        if suffix in torch_files.SUFFIXES:  # beside its model a trainer leaves what is none
            files = [path for path in there if path.name == _MODEL] or files
        if files:
            return _together(str(folder), [open_file(path) for path in files])
    raise InvalidValueError(f"{folder} is a folder that holds no checkpoint; {WANTED}")


def of_index(path: Path) -> Collection:
    """The tensors that an index names, each of the file that it says.

    Raises
    ------
    InvalidValueError
        It is no index; a file is missing, or lacks a tensor.
    """
    with path.open("rb") as file:
        text = file.read(LARGEST_HEADER + 1)
    if len(text) > LARGEST_HEADER:
        raise InvalidValueError(f"{path} is larger than {LARGEST_HEADER:,} bytes; {_INDEX}")
    files_of = load_json(text, str(path), _INDEX).get("weight_map")
    if not isinstance(files_of, dict) or not all(isinstance(name, str) for name in files_of.values()):
        raise InvalidValueError(f"{path} has no weight_map of names to files; {_INDEX}")
    if not files_of:
        raise InvalidValueError(f"{path} names no parameter; {_INDEX}")
    files = _beside(path, sorted(set(files_of.values())))
    found = [_only(open_file(file), {name for name, one in files_of.items() if one == file.name}) for file in files]
    lost = sorted(files_of.keys() - {name for part in found for name in part.tensors})
    if lost:
        raise InvalidValueError(f"{path} names tensors that its files do not hold ({_listed(lost)}): fetch them again")
    return _together(str(path), found)


def _beside(path: Path, names: Sequence[str]) -> list[Path]:
    elsewhere = [name for name in names if Path(name).name != name or name in ("", ".", "..")]
    if elsewhere:
        raise InvalidValueError(f"{path} names {shown(elsewhere[0])}; wanted files beside it: correct the index")
    missing = [name for name in names if not _is_file(path.parent / name)]
    if missing:
        raise InvalidValueError(
            f"{path} names {len(missing)} of {len(names)} files that are not there ({_listed(missing)}): fetch them"
        )
    return [path.parent / name for name in names]


def _is_file(path: Path) -> bool:
    """Whether it is there; a name may be such that nothing can be."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _only(part: Collection, names: Iterable[str]) -> Collection:
    """What the index says of a file; a tensor may lie in others, too."""
    return Collection(part.source, {name: part.tensors[name] for name in part.tensors if name in names}, part.metadata)


def _together(source: str, parts: Sequence[Collection]) -> Collection:
    ranks.check_all_there([part.metadata for part in parts], source)
    found: dict[str, list[tuple[ranks.Start | None, Stored]]] = {}
    for part in parts:
        starts = ranks.starts(part.metadata, part.source)
        for name, one in part.tensors.items():
            found.setdefault(name, []).append((starts.get(name), one))
    return Collection(source, {name: _one(there) for name, there in found.items()}, _shared(parts))


def _one(there: Sequence[tuple[ranks.Start | None, Stored]]) -> Stored:
    """The tensor of a name: parts of which files say where they lie, or one that is whole."""
    boxes = [(start, one) for start, one in there if start is not None]
    if len(boxes) == len(there):
        return ranks.joined(boxes)
    if len(there) > 1:
        files = [one.file for _, one in there]
        raise InvalidValueError(
            f"{shown(there[0][1].name)} lies in {shown(files[0])} and in {shown(files[1])}: name one of the files"
        )
    return there[0][1]


def _shared(parts: Sequence[Collection]) -> dict[str, str]:
    """What all files say of themselves."""
    first, *others = (part.metadata for part in parts)
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(map(shown, names[:_MOST_LISTED]))
    return listed + f" and {len(names) - _MOST_LISTED} more" * (len(names) > _MOST_LISTED)
