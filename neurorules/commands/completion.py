"""Completion in a shell, behind the tabulator: the names of parts, of which none is imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from neurorules.language.errors import UserError
from neurorules.language.registry import Registry

PARTS = {
    "rules": ("rule", "neurorules.rules"),
    "signals": ("signal", "neurorules.signals"),
    "neurons": ("neuron", "neurorules.neurons"),
    "connections": ("connection", "neurorules.connections"),
    "normalisations": ("normalisation", "neurorules.normalisations"),
    "encoders": ("encoder", "neurorules.encoders"),
    "datasets": ("dataset", "neurorules.datasets"),
    "hardware": ("device", None),
    "exporters": ("exporter", "neurorules.traces.exporters"),
    "plots": ("plot", "neurorules.traces.plots"),
    "papers": ("paper", "neurorules.papers.tables"),
}
"""Kind and folder of each registry: making one anew spares the import of torch, for which nobody waits at a prompt."""
SETTINGS = {
    "rule": "rules", "neuron": "neurons", "readout_neuron": "neurons", "connection": "connections",
    "encode": "encoders", "norm": "normalisations", "data": "datasets", "signal": "signals", "hardware": "hardware",
}  # fmt: skip
"""Settings whose value names a part, with its kind."""

Complete = Callable[[str], list[str]]


def parts(kind: str, *more: str) -> Complete:
    """Make a completion for the name of a part, or the last one of several with commas between them.

    Args:
        kind: the kind of `PARTS`.
        more: other words that may stand there.

    Returns:
        A function from what has been typed to the words that may follow.
    """

    def complete(incomplete: str) -> list[str]:
        try:
            names = Registry(*PARTS[kind]).names()
        except UserError:  # a folder of the user's own is wrong, which a command says and a prompt cannot
            names = []
        return _begun([*names, *more], incomplete)

    return complete


def words(choices: Sequence[str]) -> Complete:
    """Make a completion for one of a few words."""

    def complete(incomplete: str) -> list[str]:
        return _begun(choices, incomplete)

    return complete


def _begun(choices: Sequence[str], incomplete: str) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{word}" for word in choices if word.startswith(last)]
