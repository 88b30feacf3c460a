"""The suite of neurons on options that change a membrane: leaks, compartments, and numbers of its own."""

from __future__ import annotations

import pytest

from neurorules.conformance import SUITES
from neurorules.conformance.neuron import brian2_runs_the_same_step_or_is_refused_by_name
from neurorules.conformance.suite import Entry, run_check
from neurorules.neurons import NEURONS

CONSTANT_LEAKS = [
    f"{name}:leak={leak}:floor={floor}:reset={reset}:reset_delay={delay}:refractory={rest}"
    for name, leak, floor in (("if", 0.1, 0), ("lif", 0.07, -0.3), ("lif", 0.2, "none"), ("if", 0, 0))
    for reset, delay, rest in (
        ("zero", "false", 0),
        ("subtract", "true", 0),
        ("subtract", "false", 2),
        ("none", "false", 1),
    )
]
OWN_NUMBERS = [
    "lif:beta=0.6:beta_to=0.97",
    "lif:beta_to=0.5:learn=beta:reset_delay=true",
    "cuba_lif:beta_to=0.5:refractory=2",
    "cuba_lif:learn=both:reset_delay=true",
    "lif:learn=v_threshold:reset_delay=true:reset=zero",
]
TWO_COMPARTMENTS = [
    f"two_compartment:reset={reset}:reset_delay={delay}:refractory={rest}:back={back}:back_spike={kick}"
    for reset, delay, rest in (("zero", "false", 0), ("subtract", "true", 0), ("zero", "true", 2), ("none", "false", 1))
    for back, kick in ((0, 0), (0.2, 0.5))
]
VARIANTS = [*CONSTANT_LEAKS, *OWN_NUMBERS, *TWO_COMPARTMENTS]


@pytest.mark.parametrize("text", VARIANTS)
def test_it_passes_the_suite_of_neurons(text: str) -> None:
    for check in SUITES["neuron"].checks:
        if check is not brian2_runs_the_same_step_or_is_refused_by_name:
            outcome = run_check(check, Entry(NEURONS, text))
            assert outcome.status in ("passed", "left out"), (check.__name__, outcome.reason)


@pytest.mark.parametrize("text", VARIANTS)
def test_brian2_runs_the_same_step(text: str) -> None:
    outcome = run_check(brian2_runs_the_same_step_or_is_refused_by_name, Entry(NEURONS, text))
    assert outcome.status == "passed", outcome.reason
