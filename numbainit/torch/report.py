"""What is known of each named tensor when a context closes → a report: by name what it is, and how it came about.

=============  =================================================================================
``drawn``      random values, of the generator of its name
``constant``   one value, or several constants
``copied``     computed, or copied from another tensor: the expression
``untouched``  nothing was written to it: after ``to_empty`` that is garbage
``lost``       a tensor computed from it was filled instead, as ``layer.weight`` under ``weight_norm``
``not keyed``  its values are not numbainit's: an operation that cannot be keyed, or memory from elsewhere
=============  =================================================================================
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

STATUSES = ("drawn", "constant", "copied", "untouched", "lost", "not keyed")
BAD = STATUSES[3:]


@dataclass(frozen=True)
class Entry:
    """A tensor of a model: one of :data:`STATUSES`, how it came about, and whether it is a parameter or a buffer."""

    status: str
    how: str
    is_parameter: bool


class Report(Mapping[str, Entry]):
    """Name → :class:`Entry`, in the order of the model.

    Examples
    --------
    >>> import torch
    >>> from numbainit.torch import keyed
    >>> model = torch.nn.Linear(3, 2)
    >>> with keyed(model, generator=0) as context:
    ...     _ = torch.nn.init.normal_(model.weight, std=0.02)
    >>> print(context.report)
    weight  drawn      normal(std=0.02)
    bias    untouched
    >>> context.report["weight"].status, context.report.names("untouched")
    ('drawn', ('bias',))
    """

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def names(self, *statuses: str) -> tuple[str, ...]:
        """The names of all tensors of these statuses."""
        return tuple(name for name, entry in self._entries.items() if entry.status in statuses)

    def __str__(self) -> str:
        width = max(map(len, self._entries), default=0)
        lines = (f"{name:{width}}  {entry.status:9}  {entry.how}".rstrip() for name, entry in self._entries.items())
        return "\n".join(lines)

    def __repr__(self) -> str:
        counts = ((status, len(self.names(status))) for status in STATUSES)
        return f"<Report of {len(self)} tensors: {', '.join(f'{count} {status}' for status, count in counts if count)}>"
