"""What was found of each tensor → records, and the verdict on a checkpoint in one line."""

import math
from dataclasses import dataclass, field
from typing import Any

from numbainit.auditing.faults import Fault
from numbainit.errors import printable

EXACT, FITS, DIFFERS = "exact", "fits", "differs"
_ORDER = {DIFFERS: 0, FITS: 1, EXACT: 2}


@dataclass
class Record:
    """What was found of a tensor.

    Attributes
    ----------
    name, shape, dtype, file
    verdict : str
        ``exact``: every bit is as it was made; ``fits``: nothing is wrong, and its law fits, if known; ``differs``.
    law : str or None
        How it should have been made.
    faults : list of Fault
    fresh : bool or None
        Whether it looks untrained; None: too small to tell.
    figures : dict
        Numbers, by name.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: str = ""
    verdict: str = FITS
    law: str | None = None
    faults: list[Fault] = field(default_factory=list)
    fresh: bool | None = None
    like: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def severity(self) -> tuple[int, int, str]:
        """The worst first."""
        return _ORDER[self.verdict], -len(self.faults), self.name

    @property
    def text(self) -> str:
        """What is to be said, in one line."""
        return "; ".join(fault.text for fault in sorted(self.faults, key=lambda fault: not fault.severe))

    def as_dict(self) -> dict[str, Any]:
        """What ``--json`` has."""
        faults = [{"kind": one.kind, "text": one.text, "severe": one.severe} for one in self.faults]
        figures = {key: _plain(value) for key, value in self.figures.items()}
        return {
            "name": self.name, "verdict": self.verdict, "law": self.law, "faults": faults, "fresh": self.fresh,
            "like": self.like or None, "shape": list(self.shape), "dtype": self.dtype, **figures,
        }  # fmt: skip


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(repr=False)
class Audit:
    """What was found of a checkpoint.

    Attributes
    ----------
    source : str
    tensors : list of Record
        In the order of the checkpoint.
    origin : str
        Of the recipe, in words; empty if nothing is known.
    seed : int or None
    notes : list of str
        What is to be said of the whole.
    expect : str or None
        ``trained`` or ``exact``: what it was asked to be.
    family : float
        The probability that a checkpoint that follows its laws is called otherwise.
    """

    source: str
    tensors: list[Record]
    origin: str = ""
    seed: int | None = None
    notes: list[str] = field(default_factory=list)
    expect: str | None = None
    family: float = 1e-3
    missing: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Audit of {printable(self.source)}: {self.line}>"

    @property
    def verdict(self) -> str:
        """``exact``, ``fits`` or ``differs``."""
        found = {one.verdict for one in self.tensors} | ({DIFFERS} if self.missing else set())
        return DIFFERS if DIFFERS in found else FITS if FITS in found else EXACT

    @property
    def ok(self) -> bool:
        """Whether it is what was expected: the exit code."""
        return self.verdict == EXACT if self.expect == EXACT else self.verdict != DIFFERS

    @property
    def line(self) -> str:
        """The verdict in one line."""
        by = {verdict: [one for one in self.tensors if one.verdict == verdict] for verdict in _ORDER}
        total = len(self.tensors)
        made = f"{self.origin or 'its recipe'}" + (f", seed {self.seed}" if self.seed is not None else "")
        if self.verdict == EXACT:
            return f"exact: all {total} tensors are, bit for bit, {made}"
        notes = "; ".join(self.notes)
        if self.verdict == FITS:
            known = [one for one in self.tensors if one.law]
            exact = f", {len(by[EXACT])} of them exact" if by[EXACT] else ""
            text = f"fits: all {total} tensors follow {made}{exact}" if known else self._looks
            return text + (f"; {notes}" if notes else "")
        worst = sorted(by[DIFFERS], key=lambda one: one.severity)
        named = [f"{printable(one.name)}: {one.text or 'differs'}" for one in worst[:1]]
        named += [f"{len(self.missing)} tensors are missing, such as {printable(name)}" for name in self.missing[:1]]
        more = f" (and {len(worst) - 1} more)" if len(worst) > 1 else ""
        good = f"{total - len(worst)} of {total} tensors are right; "
        return f"differs: {good}{'; '.join(named)}{more}" + (f"; {notes}" if notes else "")

    @property
    def _looks(self) -> str:
        """Of tensors of which nothing is known."""
        counts = {answer: sum(one.fresh is answer for one in self.tensors) for answer in (False, True, None)}
        words = f"{counts[False]} look trained, {counts[True]} fresh, {counts[None]} are too small to tell"
        return f"fits: no fault in {len(self.tensors)} tensors, of which {words}"

    def as_dict(self) -> dict[str, Any]:
        """One object: ``verdict``, ``line``, ``tensors`` and what was known."""
        return {
            "verdict": self.verdict, "line": self.line, "ok": self.ok, "source": self.source,
            "origin": self.origin or None, "seed": self.seed, "expect": self.expect, "family_wise_error": self.family,
            "notes": self.notes, "missing": self.missing, "tensors": [one.as_dict() for one in self.tensors],
        }  # fmt: skip
