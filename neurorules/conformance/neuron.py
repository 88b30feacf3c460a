"""The checks of neurons: a pure step, equal results on all machines, psi as the derivative of the graded output."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.simulate import run_together
from neurorules.conformance.comparison import copied, demand_close, demand_session_left_alone, equal, normal, seeded
from neurorules.conformance.gates import (
    its_gates_are_the_finite_differences_of_its_step,
    its_state_is_a_named_tuple_of_tensors_like_its_current,
)
from neurorules.conformance.suite import Entry, NotApplicable, Suite, demand, demand_instance
from neurorules.connections.dense import Dense
from neurorules.contracts.neuron import Neuron
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT, Input, Layer
from neurorules.network.network import build_network
from neurorules.neurons import NEURONS
from neurorules.torch_path.forward.run_layer import run_layer

STEPS, ROWS, SIZE, WINDOW = 40, 6, 8, 7
"""Time steps T, batch rows B, number of neurons, and length of a window that does not divide T."""
POPULATIONS: tuple[tuple[int, ...], ...] = ((SIZE,), (2, 3, 4))
"""Shapes of a flat population and of one of maps."""
STEP = 1e-6
"""Step of central differences in float64."""


def steps_of(neuron: Neuron) -> int:
    """The number of time steps of a check: the neuron's only one, where it has one."""
    return neuron.steps or STEPS


def currents(neuron: Neuron, shape: tuple[int, ...] = (SIZE,), dtype: torch.dtype = torch.float64) -> Tensor:
    """Draw currents around a threshold of 1.

    Args:
        neuron: the neuron, which decides T.
        shape: shape of the population.
        dtype: type of the result.

    Returns:
        Currents (T, B, *shape), from row to row stronger: weak in the first ones, and so strong in the last ones that
        neurons spike often.
    """
    strength = torch.linspace(0.2, 3.0, ROWS, dtype=torch.float64).reshape(ROWS, *(1 for _ in shape))
    return ((normal(seeded(), steps_of(neuron), ROWS, *shape) + 0.6) * strength).to(dtype)


def run(neuron: Neuron, current: Tensor) -> tuple[Tensor, Tensor, Any]:
    """Run a neuron from rest by its own step.

    Args:
        neuron: the neuron.
        current: currents (T, B, *shape).

    Returns:
        Outputs and membranes before the reset, (T, B, *shape) each, and the state after the last step.
    """
    neuron = neuron.in_population(tuple(current.shape[2:])).to(current.device, current.dtype)
    state = neuron.initial(current[0])
    outputs, membranes = [], []
    for here in current:
        output, observed, state = neuron.step(state, here)
        outputs.append(output)
        membranes.append(observed.v)
    return torch.stack(outputs), torch.stack(membranes), state


def it_is_a_neuron(entry: Entry) -> None:
    """Its ENTRY makes a `Neuron` that says whether it spikes."""
    neuron = demand_instance(entry, Neuron)
    value = getattr(neuron, "spiking", None)
    demand(isinstance(value, bool), "`spiking` is true or false", f"it is {value!r}", "Set it in the class")


def a_step_has_the_shape_and_the_type_of_its_current(entry: Entry) -> None:
    """Output and membrane are finite (B, *shape) of the current's type, for flat populations and maps."""
    neuron: Neuron = entry.make()
    for shape in POPULATIONS:
        for dtype in (torch.float32, torch.float64):
            current = currents(neuron, shape, dtype)
            for name, values in zip(("output", "membrane"), run(neuron, current)[:2], strict=True):
                observed = f"they are {tuple(values.shape[1:])} of {values.dtype}"
                right = values.shape == current.shape and values.dtype == dtype and bool(values.isfinite().all())
                demands = f"the {name} of a step is finite {tuple(current.shape[1:])} of {dtype}"
                demand(right, demands, observed, "Make new tensors with `torch.zeros_like`")


def a_step_is_pure(entry: Entry) -> None:
    """Equal states and currents give equal bits, neither is changed, and no global state is changed."""
    neuron: Neuron = entry.make().in_population((SIZE,))
    demands, advice = "a step is pure", "Return a new state, and keep nothing in the neuron"
    for dtype in (torch.float64, torch.float32):
        own, current = neuron.to(torch.device("cpu"), dtype), currents(neuron, dtype=dtype)
        state = own.initial(current[0])
        for here in current:
            before = copied([state, here])
            first, second = own.step(state, here), own.step(state, here)
            same = equal([first[0], first[1].v, first[2]], [second[0], second[1].v, second[2]])
            demand(same, demands, "two calls differ", advice)
            demand(equal(before, copied([state, here])), demands, "it changed its state or current in place", advice)
            state = first[2]
    current = currents(neuron)
    again = run(entry.make(), current)
    demand(equal(list(again[:2]), list(run(neuron, current)[:2])), demands, "a neuron made anew runs otherwise", advice)
    demand_session_left_alone(lambda: run(neuron, current), "a step")


def a_spiking_neuron_gives_zeros_and_ones_and_both(entry: Entry) -> None:
    """Where `spiking` is true, the output is 0 or 1, fires for strong currents, and is silent at rest."""
    neuron: Neuron = entry.make().in_population((SIZE,))
    if not neuron.spiking:
        raise NotApplicable("its output is graded")
    current = currents(neuron)
    output = run(neuron, current)[0]
    values = set(output.unique().tolist())
    demand(values <= {0.0, 1.0}, "the output of a spiking neuron is 0 or 1", f"it is {sorted(values)[:4]}", "Compare")
    strong = run(neuron, 20 * current.abs())[0]
    demand(bool(strong.any()), "a spiking neuron fires for strong currents", "it never did", "Check its threshold")
    rest = run(neuron, torch.zeros_like(current))[0]
    demand(not rest.any(), "a neuron at rest is silent without current", "it fired", "Start below the threshold")


def no_row_of_a_batch_sees_another(entry: Entry) -> None:
    """A row alone gives the same result as in a batch."""
    neuron: Neuron = entry.make().in_population((SIZE,))
    current = currents(neuron)
    together = run(neuron, current)[:2]
    alone = [run(neuron, current[:, [row]])[:2] for row in range(ROWS)]
    for whole, parts in zip(together, zip(*alone, strict=True), strict=True):
        right = torch.equal(whole, torch.cat(parts, 1))
        demand(right, "no row of a batch sees another", "a row alone runs otherwise", "Never reduce over rows")


def neurons_are_apart_unless_it_says_that_they_pool(entry: Entry) -> None:
    """If `pools_layer` is false, the current of one neuron does not affect another."""
    neuron: Neuron = entry.make().in_population((SIZE,))
    current = currents(neuron)
    other = current.clone()
    other[..., 0] = 1 - 2 * other[..., 0]
    one, two = run(neuron, current)[:2], run(neuron, other)[:2]
    apart = all(torch.equal(a[..., 1:], b[..., 1:]) for a, b in zip(one, two, strict=True))
    observed = f"others {'did not change' if apart else 'changed'}, and it says {neuron.pools_layer}"
    demand(apart != neuron.pools_layer, "`pools_layer` says whether neurons see each other", observed, "Correct it")


def psi_is_the_derivative_of_its_graded_output(entry: Entry) -> None:
    """psi(v) equals central differences of `primitive`, wherever that is smooth."""
    neuron: Neuron = entry.make().in_population((SIZE,))
    if neuron.pools_layer:
        raise NotApplicable("its graded output reads the whole population, whose part psi holds fixed")
    v = torch.linspace(-2.0137, 3.0171, 41 * SIZE, dtype=torch.float64).reshape(-1, SIZE)
    slope = (neuron.primitive(v + STEP) - neuron.primitive(v - STEP)) / (2 * STEP)
    advice = "Let `psi` be the derivative of `primitive`"
    demand_close(neuron.psi(v), slope, "psi is the derivative of `primitive`", advice, 1e-6)


def fused_scans_run_it_as_its_own_step_does(entry: Entry) -> None:
    """A layer gives the same bits as single steps of the neuron, at once and in windows, in both precisions."""
    neuron: Neuron = entry.make().in_population((SIZE,))
    for dtype in (torch.float32, torch.float64):
        current = currents(neuron, dtype=dtype)
        outputs, membranes, _ = run(neuron, current)
        for size in {len(current), min(WINDOW, len(current))}:
            carry, pieces = None, []
            for start in range(0, len(current), size):
                piece = current[start : start + size]
                activity, carry = run_layer(
                    _unit_layer(neuron, dtype),
                    _identity(dtype),
                    None,
                    {"ff": Series(piece, False)},
                    len(piece),
                    carry=carry,
                )
                pieces.append((activity.S.values, activity.v.values))
            scanned = [torch.cat(values) for values in zip(*pieces, strict=True)]
            right = torch.equal(scanned[0], outputs) and torch.equal(scanned[1], membranes)
            observed = f"in {dtype} and windows of {size} steps they differ"
            advice = "Return None from `dynamics`, or let it describe `step` exactly"
            demand(right, "a layer runs a neuron as its own step does", observed, advice)


def _unit_layer(neuron: Neuron, dtype: torch.dtype) -> Layer:
    """A layer whose current is its input: identity weights, no bias, no normalisation."""
    identity = Input("ff", NETWORK_INPUT, (), Dense(SIZE), (SIZE,), (SIZE,))
    own = {name: value.to(dtype) for name, value in neuron.parameters((SIZE,)).items()}
    neuron = (neuron.with_parameters(own) if own else neuron).to(torch.device("cpu"), dtype)
    return Layer("hidden1", (identity,), (SIZE,), neuron, None, "hidden")


def _identity(dtype: torch.dtype) -> dict[str, Tensor]:
    return {"hidden1.ff.w": torch.eye(SIZE, dtype=dtype), "hidden1.b": torch.zeros(SIZE, dtype=dtype)}


def parameters_that_learn_have_a_start_and_a_place(entry: Entry) -> None:
    """`parameters` starts what `learns` names, and `with_parameters` runs with it as the bare neuron does."""
    neuron: Neuron = entry.make().in_population((SIZE,))
    start = neuron.parameters((SIZE,))
    names = f"`learns` names {sorted(neuron.learns)}, and `parameters` gives {sorted(start)}"
    demand(set(start) == set(neuron.learns), "`parameters` starts what `learns` names", names, "Make them agree")
    if not neuron.learns:
        raise NotApplicable("it has no parameters of its own")
    current = currents(neuron)
    bound = neuron.with_parameters(start)
    demands, advice = "a neuron starts as it is without parameters", "Start where the bare neuron stands"
    demand_close(run(bound, current)[0], run(neuron, current)[0], demands, advice)
    moved = neuron.with_parameters({name: value + 0.1 for name, value in start.items()})
    right = not torch.equal(run(moved, current)[0], run(bound, current)[0])
    demand(
        right, "`with_parameters` runs with what it is handed", "other parameters change nothing", "Use them in `step`"
    )


def brian2_runs_the_same_step_or_is_refused_by_name(entry: Entry) -> None:
    """Its Brian2 text gives the spikes of `step`, or `brian2` raises `UserError` that names the neuron."""
    neuron: Neuron = entry.make()
    try:
        neuron.brian2()
    except UserError as refusal:
        name = type(neuron).__name__
        right = name in str(refusal) or f"'{entry.name}" in str(refusal)
        demand(right, "a neuron without Brian2 text says so by its name", f"it said: {refusal}", f"Name {name} in it")
        raise NotApplicable(f"it has no Brian2 text: {refusal}") from None
    steps, generator = neuron.steps or 30, seeded()
    network = build_network("9", (6,), 2, neuron=entry.text, norm="none")
    parameters = network.initial_parameters(generator, torch.float64)
    # The parameters are multiples of 1/64, so that sums are exact in any order.
    arrays = {name: ((value * 256).round() / 64).numpy() for name, value in parameters.items()}
    drive = (torch.rand(steps, 3, 6, generator=generator) < 0.5).double()
    layer = run_together([Case(network, arrays, drive.numpy())], steps)[0].layers["hidden1"]
    w, b = (torch.from_numpy(arrays[f"hidden1.{name}"]) for name in ("ff.w", "b"))
    outputs, membranes, _ = run(neuron, drive @ w.T + b)
    demand(bool(layer.S.any()), "the net of the check fires", "no neuron did", "Lower the threshold of the entry")
    apart = float(np.abs(layer.S - outputs.numpy()).max())
    demands, advice = "Brian2 runs the same step", "Write one term a statement, in the order of `step`"
    demand(apart <= (0.0 if neuron.spiking else 1e-12), demands, f"outputs differ by up to {apart:.2g}", advice)
    apart = float(np.abs(layer.v - membranes.numpy()).max())
    demand(math.isfinite(apart) and apart <= 1e-9, demands, f"membranes differ by up to {apart:.2g}", advice)


SUITE = Suite(
    NEURONS,
    Neuron,
    (
        it_is_a_neuron,
        a_step_has_the_shape_and_the_type_of_its_current,
        its_state_is_a_named_tuple_of_tensors_like_its_current,
        a_step_is_pure,
        a_spiking_neuron_gives_zeros_and_ones_and_both,
        no_row_of_a_batch_sees_another,
        neurons_are_apart_unless_it_says_that_they_pool,
        psi_is_the_derivative_of_its_graded_output,
        its_gates_are_the_finite_differences_of_its_step,
        fused_scans_run_it_as_its_own_step_does,
        parameters_that_learn_have_a_start_and_a_place,
        brian2_runs_the_same_step_or_is_refused_by_name,
    ),
)
