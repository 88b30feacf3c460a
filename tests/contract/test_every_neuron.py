"""Every neuron of the registry, by existing: what it promises to rules, schedules and Brian2."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from neuron_suite import check_gates, check_psi, check_step, check_windows

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.simulate import run_together
from neurorules.language.errors import UserError
from neurorules.network.network import build_network
from neurorules.neurons import NEURONS

SPIKING = [name for name in NEURONS.names() if NEURONS.make(name).spiking]


def variants(name: str) -> list[str]:
    """A neuron with every reset, delay and refractory period that it has; none of them is demanded."""
    texts = [name]
    for option, values in (
        ("reset", ("subtract", "zero", "none")), ("reset_delay", ("false", "true")), ("refractory", ("0", "1", "3")),
    ):  # fmt: skip
        if option in inspect.signature(NEURONS.factory(name)).parameters:
            texts = [f"{text}:{option}={value}" for text in texts for value in values]
    return texts


EVERY = [text for name in NEURONS.names() for text in variants(name)]
SIMULATED = [
    f"{name}{more}"
    for name in NEURONS.names()
    for more in ("", ":refractory=2")
    if not more or "refractory" in inspect.signature(NEURONS.factory(name)).parameters
]


@pytest.mark.parametrize("neuron", EVERY)
def test_its_gates_are_the_finite_differences_of_its_step(neuron: str) -> None:
    check_gates(NEURONS.make(neuron))


@pytest.mark.parametrize("neuron", EVERY)
def test_its_step_is_pure_and_its_state_a_tuple_of_tensors(neuron: str) -> None:
    check_step(NEURONS.make(neuron))


@pytest.mark.parametrize("neuron", NEURONS.names())
def test_its_psi_is_the_derivative_of_its_graded_output(neuron: str) -> None:
    check_psi(NEURONS.make(neuron))


@pytest.mark.parametrize("neuron", EVERY)
def test_a_layer_of_it_runs_in_windows_as_it_runs_at_once(neuron: str) -> None:
    check_windows(NEURONS.make(neuron))


@pytest.mark.parametrize("neuron", SIMULATED)
def test_brian2_runs_it_or_says_by_name_that_it_does_not(neuron: str, generator: torch.Generator) -> None:
    made = NEURONS.make(neuron)
    steps = made.steps or 30
    network = build_network("9", (6,), 2, neuron=neuron, norm="none")
    parameters = network.initial_parameters(generator, torch.float64)
    arrays = {name: ((value * 256).round() / 64).numpy() for name, value in parameters.items()}
    drive = (torch.rand(steps, 3, 6, generator=generator) < 0.5).double()
    case = Case(network, arrays, drive.numpy())
    try:
        made.brian2()
    except UserError:
        with pytest.raises(UserError, match=type(made).__name__):
            run_together([case], steps)
        return
    found = run_together([case], steps)[0].layers["hidden1"]
    state = made.initial(torch.zeros(3, 9, dtype=torch.float64))
    w, b = (torch.from_numpy(arrays[f"hidden1.{name}"]) for name in ("ff.w", "b"))
    assert found.S.any()
    for t in range(steps):
        fired, observed, state = made.step(state, drive[t] @ w.T + b)
        np.testing.assert_allclose(found.S[t], fired.numpy(), rtol=0, atol=0 if made.spiking else 1e-12)
        np.testing.assert_allclose(found.v[t], observed.v.numpy(), rtol=0, atol=1e-9)
