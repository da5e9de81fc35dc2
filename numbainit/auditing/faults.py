"""What a tensor holds → what is wrong with it whatever its law: memory nobody wrote, numbers that are none, copies.

A fault is severe if it makes a checkpoint wrong; others may be meant (padding, tied weights), and are told.
"""

from dataclasses import dataclass

from numbainit.auditing.figures import Figures
from numbainit.auditing.hashes import SHARES
from numbainit.auditing.pieces import matrix_shape
from numbainit.files.reading.stored import Stored

_MANY_DENORMALS = 0.5  # of all elements: the moments of optimizers have some


@dataclass(frozen=True)
class Fault:
    """What is wrong with a tensor: a word for machines, a sentence, and whether it makes the file wrong."""

    kind: str
    text: str
    severe: bool = True


def faults(stored: Stored, found: Figures) -> list[Fault]:
    """Those that a tensor has by itself."""
    if not stored.size:
        return []
    return [*_numbers(found), *_memory(stored, found), *_copies(stored, found), *_dead(stored, found)]


def _numbers(found: Figures) -> list[Fault]:
    rows = []
    for kind, count, text in (
        ("nan", found.nans, "NaN"),
        ("inf", found.infinities, "infinities"),
        ("huge", found.huge, "values above 1e30"),
    ):
        if count:
            rows.append(Fault(kind, f"{count:,} of {found.parts:,} are {text}"))
    if found.denormals:
        share = found.denormals / found.parts
        rows.append(Fault("denormal", f"{found.denormals:,} of {found.parts:,} are denormals", share > _MANY_DENORMALS))
    return rows


def _memory(stored: Stored, found: Figures) -> list[Fault]:
    """Signs that nobody wrote the values: torch.empty, a hole in a file."""
    if found.is_constant or stored.dtype.kind in "biu":
        return []
    rows, length = matrix_shape(stored.shape)
    in_rows = rows > 1 and found.run_start % length == 0 and found.run % length == 0
    signs = [f"{found.pointers:,} words look like addresses"] * bool(found.pointers)
    if found.run and not in_rows:
        signs.append(f"a run of {found.run:,} zeros from element {found.run_start:,} on")
    if found.pages and not _blocks(found) and not found.columns:
        signs.append(f"{found.pages:,} pages of 4,096 bytes repeat")
    return [Fault("uninitialised", f"memory that nobody initialised? {'; '.join(signs)}")] if signs else []


def _copies(stored: Stored, found: Figures) -> list[Fault]:
    if found.is_constant or found.size < 64 or not found.finite:
        return []
    texts = [(0, k) for k in _blocks(found)[-1:]] + [(1, k) for k in found.columns[-1:]]
    return [
        Fault("equal_blocks", f"{k} equal blocks along axis {axis}: shards made with one seed?") for axis, k in texts
    ]


def _blocks(found: Figures) -> list[int]:
    """Into how many equal parts the rows fall."""
    rows = found.rows
    if len(rows) < 2 or (rows == rows[0]).all():
        return [len(rows)] if len(rows) > 1 and rows.any() else []
    possible = [k for k in SHARES if len(rows) % k == 0]
    return [k for k in possible if (rows[: -(len(rows) // k)] == rows[len(rows) // k :]).all()]


def _dead(stored: Stored, found: Figures) -> list[Fault]:
    if found.is_constant or len(stored.shape) < 2 or found.zeros > found.size // 2:
        return []
    rows, columns = matrix_shape(stored.shape)
    dead = [f"{found.dead_rows:,} of {rows:,} rows"] * bool(found.dead_rows)
    dead += [f"{found.dead_columns:,} of {columns:,} columns"] * bool(found.dead_columns)
    return [Fault("dead", f"{' and '.join(dead)} are 0", severe=False)] if dead else []


def equal_tensors(prints: dict[str, bytes]) -> dict[str, str]:
    """Names of tensors → the first name that holds the same bytes."""
    first: dict[bytes, str] = {}
    return {name: first[key] for name, key in prints.items() if first.setdefault(key, name) != name}
