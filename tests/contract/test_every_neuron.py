"""Every neuron with each reset, delay and refractory period that it has: its suite, beyond the defaults."""

from __future__ import annotations

import inspect

import pytest

from neurorules.conformance import SUITES
from neurorules.conformance.suite import Check, Entry, run_check
from neurorules.neurons import NEURONS

OPTIONS = {
    "reset": ("subtract", "zero", "none"),
    "reset_delay": ("false", "true"),
    "refractory": ("0", "1", "3"),
}


def variants(name: str) -> list[str]:
    """A neuron with all values of the options that it has; none of them is demanded."""
    texts = [name]
    for option, values in OPTIONS.items():
        if option in inspect.signature(NEURONS.factory(name)).parameters:
            texts = [f"{text}:{option}={value}" for text in texts for value in values]
    return texts


EVERY = [text for name in NEURONS.names() for text in variants(name)]
CHECKS = {check.__name__: check for check in SUITES["neuron"].checks}
IN_BRIAN2 = [
    f"{name}:refractory=2"
    for name in NEURONS.names()
    if "refractory" in inspect.signature(NEURONS.factory(name)).parameters
]


def passes(check: Check, text: str) -> None:
    outcome = run_check(check, Entry(NEURONS, text))
    assert outcome.status == "passed", outcome.reason


@pytest.mark.parametrize("neuron", EVERY)
def test_its_gates_are_the_finite_differences_of_its_step(neuron: str) -> None:
    passes(CHECKS["its_gates_are_the_finite_differences_of_its_step"], neuron)


@pytest.mark.parametrize("neuron", EVERY)
def test_its_step_is_pure_and_its_state_a_tuple_of_tensors(neuron: str) -> None:
    passes(CHECKS["a_step_is_pure"], neuron)
    passes(CHECKS["its_state_is_a_named_tuple_of_tensors_like_its_current"], neuron)


@pytest.mark.parametrize("neuron", EVERY)
def test_a_layer_of_it_runs_in_windows_as_it_runs_at_once(neuron: str) -> None:
    passes(CHECKS["fused_scans_run_it_as_its_own_step_does"], neuron)


@pytest.mark.parametrize("neuron", IN_BRIAN2)
def test_brian2_runs_its_refractory_period(neuron: str) -> None:
    passes(CHECKS["brian2_runs_the_same_step_or_is_refused_by_name"], neuron)
