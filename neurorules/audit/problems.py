"""The four problems of backpropagation that PEPITA's authors list, and the measurement whether a rule has them.

Source of the list: Dellaferrera & Kreiman 2022.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Problems = dict[str, dict[str, Any]]


def problems_of(rule: str, audit: Mapping[str, Any]) -> Problems:
    """Decide whether a rule has weight symmetry, non-local signals, frozen activity and update locking.

    Args:
        rule: the name of the rule in the audit.
        audit: the result of `audit_settings`.

    Returns:
        For each problem: has (whether the rule has it), how (a sentence) and measured. If the rule could not be
        audited, has is None and how is the reason. Empty if the rule was not part of the audit.
    """
    if rule in audit.get("left_out", {}):
        why = audit["left_out"][rule]
        return {name: {"has": None, "how": f"not audited: {why}", "measured": False} for name in PROBLEMS}
    fact = next((fact for fact in audit.get("facts", ()) if fact["rule"] == rule), None)
    if fact is None:
        return {}
    entries = [entry for entry in audit["entries"] if entry["rule"] == rule and entry["update_of"] != "readout"]
    layers = list(dict.fromkeys(entry["perturbed"] for entry in entries if entry["kind"] == "weights"))
    symmetric = _above(entries, layers, "weights")
    answered = _above(entries, layers, "activity")
    if not any(entry["depends"] for entry in entries):
        return {name: _measured(False, "hidden layers do not learn") for name in PROBLEMS}
    return {
        "weight_symmetry": _weight_symmetry(symmetric),
        "non_local_signals": _non_local(fact, answered, entries),
        "frozen_activity": _frozen(fact),
        "update_locking": _locking(fact, answered),
    }


PROBLEMS = ("weight_symmetry", "non_local_signals", "frozen_activity", "update_locking")


def _measured(has: bool, how: str) -> dict[str, Any]:
    """The measured answer to one problem, with a sentence that explains it."""
    return {"has": has, "how": how, "measured": True}


def _weight_symmetry(layers: Sequence[str]) -> dict[str, Any]:
    """The problem of weight symmetry: whether learning reads forward weights of layers above the learning one."""
    if layers:
        return _measured(True, f"learning reads the forward weights of {_in_words(layers)}")
    return _measured(False, "when learning reads other weights of the layers above, no bit of an update changes")


def _non_local(fact: Mapping[str, Any], answered: Sequence[str], entries: Sequence[Any]) -> dict[str, Any]:
    """The problem of non-local signals: whether activity of other layers (`answered`) reaches a layer outside of
    passes."""
    if fact["error_from_above"]:
        return _measured(True, f"a hidden layer is told what {_in_words(answered)} did")
    if answered:
        return _measured(False, f"what {_in_words(answered)} did reaches a layer only as activity of a later pass")
    reads_label = any(entry["kind"] == "label" and entry["depends"] for entry in entries)
    return _measured(
        False, "of the rest of the net a layer learns " + ("the label alone" if reads_label else "nothing")
    )


def _frozen(fact: Mapping[str, Any]) -> dict[str, Any]:
    """The problem of frozen activity: whether a layer has to store its activity until layers above have computed
    theirs."""
    if fact["activity_held"]:
        return _measured(True, "what a pass adds to an update depends on what layers above do in it, or after it")
    return _measured(False, "what a pass adds to an update depends on nothing that layers above do in it, or after it")


def _locking(fact: Mapping[str, Any], answered: Sequence[str]) -> dict[str, Any]:
    """The problem of update locking: whether a layer has to wait for layers above (`answered`) before it can learn."""
    if fact["waits_for_above"]:
        return _measured(True, f"a layer cannot learn before {_in_words(answered)} saw the batch")
    return _measured(False, "made before the next layer has seen the batch, every update is the same to the bit")


def _above(entries: Iterable[Mapping[str, Any]], layers: Sequence[str], kind: str) -> list[str]:
    """Names of the layers, in order, that the update of some layer below them depends on."""
    order = {layer: number for number, layer in enumerate(layers)}
    names = {
        entry["perturbed"]
        for entry in entries
        if entry["kind"] == kind and entry["depends"] and order[entry["perturbed"]] > order[entry["update_of"]]
    }
    return sorted(names, key=order.__getitem__)


def _in_words(layers: Sequence[str]) -> str:
    """Describe layers of the audited net by a phrase that is valid for any net, such as that of a report."""
    if layers == ["readout"]:
        return "the read-out"
    return "the layers above it" if "readout" in layers or not layers else "the hidden layers above it"
