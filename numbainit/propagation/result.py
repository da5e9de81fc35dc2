"""The figures of a network's signals, both ways → what a user gets: a verdict, and what JSON holds."""

from dataclasses import dataclass
from typing import Any

from numbainit.propagation.flows import Flow
from numbainit.propagation.verdicts import verdict


@dataclass(frozen=True, repr=False)
class Propagation:
    """What became of a signal.

    Attributes
    ----------
    forward : Flow
        Of activations, from layer 1 to the last.
    backward : Flow or None
        Of the gradient with respect to these activations; it runs from the last layer to the first.
    label : str
        What was measured, in words.
    names : tuple of str
        Of the layers, where they have some.
    """

    forward: Flow
    backward: Flow | None
    label: str
    names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Propagation of {self.label}: {self.verdict}>"

    @property
    def verdict(self) -> str:
        """One line: ``forward steady within 3 %; backward vanishes by 0.7 a layer``."""
        words = [f"forward {verdict(self.forward)}"]
        if self.backward is not None:
            words.append(f"backward {verdict(self.backward, reverse=True)}")
        return "; ".join(words)

    def as_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        flows = {"forward": self.forward, "backward": self.backward}
        lists = {key: [] if flow is None else flow.as_list() for key, flow in flows.items()}
        for rows in lists.values() if self.names else ():
            for row, name in zip(rows, self.names, strict=True):
                row["name"] = name
        return {"label": self.label, "verdict": self.verdict, **lists}
