"""Signals that read what they do not declare: none gets it handed, and what Python cannot fence the audit names."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from neurorules.audit import audit_settings
from neurorules.audit.settings import Settings
from neurorules.neurons import NEURONS
from neurorules.signals import SIGNALS

FOLDER = Path(__file__).parent / "cheats"
NAMES = [path.stem for path in sorted(FOLDER.glob("[a-z]*.py")) if path.stem != "leaking_neuron"]

UNREACHABLE = {
    "keeps_the_mapping": "'readout.ff.w' is not a parameter of the signal itself",
    "looks_into_closures": "the read-out's weights are nowhere in what a signal is handed",
}
CAUGHT = {
    # what the audit names though it is not declared
    "keeps_labels": "target",
    "keeps_on_itself": "above",
    "keeps_samples": "batch_pool",
    "learns_by_its_measures": "weight_transport",
    "listens_to_neurons": "above",
    "mixes_in_an_average": "batch_pool",
    "reads_frames": "weight_transport",
    "reads_sizes": "weight_transport",
    "reads_the_heap": "weight_transport",
    "reads_the_optimiser": "weight_transport",
    "rewrites_feedback": "weight_transport",
    "says_it_moves": "fixed_feedback",
}
HONEST = ["reads_signs", "keeps_a_reward"]


@cache
def audit() -> dict[str, Any]:
    """All of them with the texts of DFA, in one fresh process."""
    path, signals, neurons = list(sys.path), dict(SIGNALS.modules), dict(NEURONS.modules)
    sys.path.insert(0, str(FOLDER))
    SIGNALS.modules.update({name: name for name in NAMES})
    NEURONS.modules["leaking_neuron"] = "leaking_neuron"
    leaks = {"listens_to_neurons": "leaking_neuron"}
    try:
        return audit_settings({n: Settings("dfa", net="8-6", signal=n, neuron=leaks.get(n)) for n in NAMES})
    finally:
        sys.path[:] = path
        for registry, before in ((SIGNALS, signals), (NEURONS, neurons)):
            registry.modules.clear()
            registry.modules.update(before)


def fact_of(name: str) -> dict[str, Any]:
    return next(fact for fact in audit()["facts"] if fact["rule"] == name)


def test_every_cheat_of_the_folder_is_tried() -> None:
    assert sorted([*UNREACHABLE, *CAUGHT, *HONEST]) == NAMES


@pytest.mark.parametrize("name", UNREACHABLE)
def test_what_is_not_declared_is_not_handed_over(name: str) -> None:
    assert UNREACHABLE[name] in audit()["left_out"][name]


@pytest.mark.parametrize("name", CAUGHT)
def test_an_undeclared_dependence_is_named(name: str) -> None:
    fact = fact_of(name)
    assert CAUGHT[name] in set(fact["needs"]) - set(fact["declared_needs"])


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_signal_stays_clean(name: str) -> None:
    fact = fact_of(name)
    assert fact["needs"] == fact["declared_needs"]
    assert fact["state_moves"] == fact["state_stays"] == [] and not fact["hidden_memory"]


def test_state_that_is_said_to_move_is_held_to_that() -> None:
    assert fact_of("says_it_moves")["state_stays"] == ["*.centre", "hidden1.feedback", "hidden2.feedback"]
    assert fact_of("rewrites_feedback")["state_stays"] == []


def test_feedback_that_is_said_to_be_fixed_is_held_to_its_bits() -> None:
    assert fact_of("rewrites_feedback")["state_moves"] == ["hidden2.feedback"]
    assert fact_of("reads_frames")["state_moves"] == []


def test_what_is_kept_outside_the_state_is_said() -> None:
    assert fact_of("keeps_samples")["hidden_memory"] and fact_of("keeps_labels")["hidden_memory"]
    assert not fact_of("rewrites_feedback")["hidden_memory"]


@pytest.mark.parametrize(
    ("name", "kind", "perturbed"),
    [
        ("rewrites_feedback", "weights", "readout"),
        ("learns_by_its_measures", "weights", "readout"),
        ("keeps_labels", "label", "label"),
        ("keeps_samples", "other_samples", "other samples"),
    ],
)
def test_what_one_trial_leaves_for_the_next_is_seen_in_the_next(name: str, kind: str, perturbed: str) -> None:
    seen = {e["update_of"] for e in audit()["later"] if e["rule"] == name and e["depends"] and e["kind"] == kind
            and e["perturbed"] == perturbed}  # fmt: skip
    assert "hidden2" in seen
