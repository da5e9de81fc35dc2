"""A checkpoint, and perhaps its recipe, seed or baseline → what was found, tensor by tensor.

First each tensor is made again and compared; only what is not the same is looked at closer. Tensors are audited side
by side, each piece by piece, so memory does not grow with the checkpoint.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numbainit.auditing import faults as wrong
from numbainit.auditing import fits, fresh, laws, provenance
from numbainit.auditing.faults import Fault
from numbainit.auditing.figures import Figures, figures
from numbainit.auditing.origin import Origin, origin
from numbainit.auditing.pieces import counts
from numbainit.auditing.provenance import Provenance
from numbainit.auditing.records import DIFFERS, EXACT, FITS, Audit, Record
from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.files.reading.source import open_stored
from numbainit.files.reading.stored import Collection, Stored
from numbainit.recipes import Weight
from numbainit.targets.cpu.runs import pool

EXPECTATIONS = ("trained", "exact")
_FAMILY = 1e-3
_PARTLY = 0.5  # of the elements: with so many the same bits, it was made so and changed
_THREADS = 4


def audit(
    source: Any,
    recipe: Any = None,
    *,
    seed: int | None = None,
    variables: Mapping[str, Any] | None = None,
    baseline: Any = None,
    expect: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Audit:
    """Find out what a checkpoint holds: where its tensors come from, which laws they follow, what is wrong.

    Parameters
    ----------
    source : path, mapping or model
        A file (.safetensors, .npz; .pt, .pth, .bin where torch is installed), a folder or an index of shards, a mapping
        from names to arrays, a model with ``state_dict``.
    recipe : str, path, Recipe, Rules or Initializer, optional
        How it should have been made; None: what the metadata of ``numbainit init`` says, if there is any.
    seed : int, optional
        With a recipe: bits are compared too. Without: instead of the metadata's.
    variables : mapping, optional
        Of the recipe's rules.
    baseline : path or mapping, optional
        Another checkpoint with the same tensors. It should hold the same bits; if ``expect="trained"``, others.
    expect : {"trained", "exact"}, optional
        A tensor that looks fresh, or is that of the baseline, then differs; or all must be exact.
    progress : callable, optional
        Is told how many bytes have been read.

    Returns
    -------
    Audit
        ``verdict``, ``line`` (in words), ``ok``, and ``tensors``, a list of records.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        A file that is cut off or foreign, a recipe that fits none of the names, metadata of another stream.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> weights = {"w": init.normal((64, 64), std=0.02, generator=init.Generator(7).fold_in("w"))}
    >>> init.audit(weights, init.Initializer("normal", std=0.02), seed=7).line
    'exact: all 1 tensors are, bit for bit, normal(std=0.02), seed 7'
    >>> weights["w"][3, 3] = 0
    >>> found = init.audit(weights, init.Initializer("normal", std=0.02), seed=7)
    >>> found.verdict, found.tensors[0].text
    ('differs', '1 of 4,096 elements differs, from element 195 on')
    """
    if expect is not None and expect not in EXPECTATIONS:
        raise InvalidValueError(f"expect is one of {', '.join(EXPECTATIONS)}, got {expect!r}")
    if progress is not None and not callable(progress):
        raise InvalidTypeError(f"progress is a function of a number of bytes, got {shown(progress)}")
    found = open_stored(source)
    known = origin(found, recipe, seed, variables)
    base = None if baseline is None else open_stored(baseline)
    task = _Task(found, known, base, expect, progress or (lambda size: None))
    records = task.run()
    result = Audit(found.source, records, known.label, known.seed, expect=expect, family=_FAMILY)
    _mark_copies(found, records, task.constants, known)
    _note(result, known, base, found)
    return result


@dataclass
class _Task:
    found: Collection
    origin: Origin
    baseline: Collection | None
    expect: str | None
    advance: Callable[[int], None]

    def __post_init__(self) -> None:
        self.constants: set[str] = set()
        self.share = _FAMILY / (fits.TESTS * max(len(self.found.tensors), 1))

    def run(self) -> list[Record]:
        """The largest first, so that threads end together; the records in the order of the checkpoint."""
        order = sorted(self.found.tensors.values(), key=lambda stored: -stored.nbytes)
        with pool(min(_THREADS, os.cpu_count() or 1)) as workers:
            waiting = {stored.name: workers.submit(self.record, stored) for stored in order}
            records = {name: record.result() for name, record in waiting.items()}
        return [records[name] for name in self.found.tensors]

    def record(self, stored: Stored) -> Record:
        """All that is asked of a tensor."""
        weight = self.origin.weight(stored.name)
        record = Record(stored.name, stored.shape, stored.dtype.name, stored.file)
        record.law = weight.label if weight is not None and weight.status in ("drawn", "constant") else None
        compared = self._compared(stored, weight)
        if compared is not None:
            _tell(record, compared)
            if compared.is_exact and self.expect != "trained":
                record.verdict, record.fresh, record.like = EXACT, self.baseline is None or None, record.law or ""
                if record.law and weight is not None and weight.status == "constant":
                    self.constants.add(stored.name)
                return record
        seen = figures(stored)
        if compared is None:
            self.advance(stored.nbytes)
        self._look(record, stored, weight, compared, seen)
        return record

    def _compared(self, stored: Stored, weight: Weight | None) -> Provenance | None:
        """With a baseline if there is one, else with what the recipe makes."""
        if self.baseline is not None:
            other = self.baseline.tensors.get(stored.name)
            same = other is not None and other.shape == stored.shape
            return provenance.with_baseline(stored, other, self.advance) if same and other is not None else None
        if weight is None or weight.status not in ("drawn", "constant") or not weight.is_whole:
            return None
        root = self.origin.root
        if weight.status == "drawn" and root is None:
            return None
        from numbainit.generator import Generator
        from numbainit.targets.cpu.launch import limited

        name = self.origin.name(stored.name)
        others: Mapping[str, Weight] = {} if self.origin.recipe is None else self.origin.recipe
        with limited(1):  # tensors are made side by side
            return provenance.again(stored, weight, name, root or Generator(0), others, self.advance)

    def _look(
        self, record: Record, stored: Stored, weight: Weight | None, compared: Provenance | None, seen: Figures
    ) -> None:
        """What is wrong with a tensor that is not exact."""
        if seen.is_constant:
            self.constants.add(stored.name)
        _measure(record, seen)
        record.faults += wrong.faults(stored, seen)
        record.faults += self._differences(compared, weight)
        law = laws.law_of(weight) if weight is not None and record.law else None
        right = compared is not None and (compared.is_exact or compared.close)
        if law is not None and seen.finite and not right:
            self._judge(record, stored, seen, law)
        elif record.law and seen.finite and not right and not any(fault.severe for fault in record.faults):
            record.faults.append(Fault("untested", "its law cannot be tested, only its bits", severe=False))
        look = fresh.freshness(stored, seen, len(self.found.tensors), self._bias(stored))
        record.fresh, record.like = look.fresh, look.like
        record.figures |= {"fresh_p": look.p, "trained_by": look.why or None}
        if self.expect == "trained" and look.fresh:
            record.faults.insert(0, Fault("fresh", f"looks untrained: it cannot be told from {look.like}"))
        record.verdict = DIFFERS if any(fault.severe for fault in record.faults) else FITS
        if compared is not None and compared.is_exact and record.verdict == FITS:
            record.verdict = EXACT

    def _bias(self, stored: Stored) -> Stored | None:
        """That of the same layer, by its name."""
        layer = stored.name[: len(stored.name) - len(re.split(r"[./]", stored.name)[-1])]
        bias = self.found.tensors.get(f"{layer}bias")
        return bias if bias is not stored else None

    def _differences(self, compared: Provenance | None, weight: Weight | None) -> list[Fault]:
        if compared is None:
            return []
        if self.expect == "trained" and self.baseline is not None:
            same = [Fault("untouched", "the same bits as in the baseline")] * compared.is_exact
            rows = f"{compared.rows:,} rows are those of the baseline"
            return same or [Fault("untouched_rows", rows, severe=False)] * bool(compared.rows)
        if compared.is_exact or compared.close:
            return []
        count = compared.size - compared.equal
        partly = compared.equal > _PARTLY * compared.size
        verb = "differs" if count == 1 else "differ"
        text = f"{count:,} of {compared.size:,} elements {verb}, from element {compared.first:,} on"
        drawn = weight is not None and weight.status == "drawn"
        if partly or not drawn or self.baseline is not None:
            return [Fault("changed", text)]
        rows = f"{compared.rows:,} rows are as they were made"
        return [Fault("untouched_rows", rows, severe=False)] * bool(compared.rows)

    def _judge(self, record: Record, stored: Stored, seen: Figures, law: laws.Law) -> None:
        fit = fits.fit(stored, seen, law, self.share)
        record.figures |= {
            "expected_mean": law.mean,
            "expected_std": law.std,
            "ks": fit.d,
            "p": fit.p,
            "ratio": fit.ratio,
        }
        record.figures["outside"] = fit.outside
        if fit.fits or any(fault.kind == "changed" for fault in record.faults):
            return
        off = fits.root_of(fit.ratio, stored.size) if law.std and fit.why.startswith("std") else ""
        text = f"std {seen.std:.4g} is {off} times the expected {law.std:.4g}: fans of a shard?" if off else fit.why
        record.faults.append(Fault("fans" if off else "law", text))


def _tell(record: Record, compared: Provenance) -> None:
    mean, std = compared.moments
    record.figures |= {
        "mean": mean, "std": std, "elements": compared.size, "equal": compared.equal,
        "first_difference": compared.first, "close": compared.close, "made_as": compared.dtype,
    }  # fmt: skip


def _measure(record: Record, seen: Figures) -> None:
    record.figures |= {
        "elements": seen.size, "mean": seen.mean, "std": seen.std, "min": seen.low, "max": seen.high,
        "skew": seen.skew, "kurtosis": seen.kurtosis, "zeros": seen.zeros, "nan": seen.nans, "inf": seen.infinities,
        "denormals": seen.denormals,
    }  # fmt: skip


def _mark_copies(found: Collection, records: list[Record], constants: set[str], known: Origin) -> None:
    """Equal tensors under different names, unless they are constants: wrong if each has a law of its own."""
    drawn = [record for record in records if record.name not in constants and found.tensors[record.name].size > 1]
    heads: dict[str, bytes] = {record.name: _print(found.tensors[record.name], whole=False) for record in drawn}
    first = wrong.equal_tensors(heads)
    suspects = {*first, *first.values()}
    full = {name: _print(found.tensors[name], whole=True) for name in heads if name in suspects}
    copies = wrong.equal_tensors(full)
    for record in records:
        if record.name in copies:
            asked = known.name(record.name) != known.name(copies[record.name]) and record.law is not None
            record.faults.append(Fault("copy", f"the same bits as {copies[record.name]}", severe=asked))
            record.verdict = DIFFERS if asked and record.verdict != EXACT else record.verdict


def _print(stored: Stored, *, whole: bool) -> bytes:
    head = f"{stored.shape}{stored.dtype}".encode()
    if not whole:
        (piece,) = stored.pieces([min(stored.size, 256)])
        return head + piece.tobytes()
    digest = hashlib.blake2b(head, digest_size=16)
    for piece in stored.pieces(counts(stored.shape)):
        digest.update(piece.tobytes())
    return digest.digest()


def _kept(drawn: list[Record]) -> bool:
    """Whether most elements of some tensor are as the seed makes them."""
    return any(one.figures.get("equal", 0) > _PARTLY * one.figures["elements"] for one in drawn)


def _note(result: Audit, known: Origin, base: Collection | None, found: Collection) -> None:
    if base is not None:
        result.origin, result.seed = f"those of {base.source}", None
        result.missing = [name for name in base.tensors if name not in found.tensors]
        for record in result.tensors:
            other = base.tensors.get(record.name)
            if other is None or other.shape != record.shape:
                what = "is not in the baseline" if other is None else f"has shape {list(other.shape)} in the baseline"
                record.faults.append(Fault("baseline", what))
                record.verdict = DIFFERS
        return
    if known.recipe is None:
        return
    unknown = [record for record in result.tensors if record.law is None]
    if unknown:
        result.notes.append(f"{len(unknown)} of {len(result.tensors)} tensors have no law, such as {unknown[0].name}")
    drawn = [one for one in result.tensors if (weight := known.weight(one.name)) and weight.status == "drawn"]
    others = [
        one for one in drawn if one.figures.get("equal") != one.figures["elements"] and not one.figures.get("close")
    ]
    if known.seed is not None and others and len(others) == len(drawn) and not _kept(drawn):
        result.notes.append(f"not this seed: no bit of {len(drawn)} drawn tensors is as seed {known.seed} makes it")
    elif known.seed is not None:
        for record in others:
            if record.verdict == FITS:
                result.notes.append(f"{record.name} follows its law, and is not of seed {known.seed}")
