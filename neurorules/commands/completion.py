"""Shell completion for names of parts, which does not import the parts."""

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
"""Kind and folder of each registry. A new registry is built from them, because importing torch would be too slow
here."""
SETTINGS = {
    "rule": "rules", "neuron": "neurons", "readout_neuron": "neurons", "connection": "connections",
    "encode": "encoders", "norm": "normalisations", "data": "datasets", "signal": "signals", "hardware": "hardware",
}  # fmt: skip
"""Settings whose value is the name of a part, with the kind of the part."""

Complete = Callable[[str], list[str]]


def parts(kind: str, *more: str) -> Complete:
    """Build a completion for the name of a part, or for the last name in a comma-separated list.

    Args:
        kind: the kind of `PARTS`.
        more: other words that are possible values.

    Returns:
        A function that returns the possible words for what has been typed.
    """

    def complete(incomplete: str) -> list[str]:
        try:
            names = Registry(*PARTS[kind]).names()
        except UserError:  # one of the user's folders is wrong; the command itself will report it
            names = []
        names = [name.replace("_", "-") for name in names] if kind == "papers" else names
        return _begun([*names, *more], incomplete)

    return complete


def words(choices: Sequence[str]) -> Complete:
    """Build a completion for one of a few words."""

    def complete(incomplete: str) -> list[str]:
        return _begun(choices, incomplete)

    return complete


def _begun(choices: Sequence[str], incomplete: str) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{word}" for word in choices if word.startswith(last)]
