"""A trial in one window, step by step, and in chunks: the same changes, the same state after, in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import Network, build_network
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.rules import RULES
from neurorules.surrogates import Atan, FastSigmoid
from neurorules.torch_path.training.state import to_tensors
from neurorules.torch_path.trial.learn import learn_trial

STEPS, SAMPLES, CLASSES = 7, 5, 3
TOLERANCE = 1e-10
WINDOWS = (STEPS, 1, 3)
AT_ONCE = ("bptt", "eventprop", "fa", "sign_symmetry", "spiking_bsp", "traces_propagation", "weight_mirroring")
"""Rules whose third factor is made from all steps of a trial at once."""
A_SYNAPSE = (
    "eprop", "eprop:adaptation=0.3:c_reg=0.5", "etlp:adaptation=0.3", "ostl", "ostl:resets=zero", "osttp", "otpe",
    "otpe:form=approximate", "reward_stdp", "reward_stdp:baseline=all", "superspike", "urbanczik_senn",
)  # fmt: skip
"""Rules that follow each synapse where they run step by step, which synapses that share their weights cannot."""
OPTIONS = {
    "sigprop": (
        "form=voltage", "embedding=class_means", "generator=target_input", "generator=target_loop",
        "generator=target_input:embedding=class_means", "loss=soft", "predict=neutral",
    ),
    "eprop": ("adaptation=0.3:c_reg=0.5",), "etlp": ("adaptation=0.3",), "ostl": ("resets=zero", "reset=fixed"),
    "otpe": ("form=approximate",), "ottt": ("feedback=fixed", "lam=0"), "s_tller": ("a_post=0", "signal=dfa"),
    "dfa": ("error=sign",), "lls": ("gains=matrix",), "espp": ("same=0.4:other=0.2",), "tess": ("a_post=0",),
    "local_readout": ("errors=step",), "stsf": ("errors=trial",), "reward_stdp": ("baseline=all",),
}  # fmt: skip
LOCAL = tuple(
    rule
    for name in RULES.names()
    if name not in AT_ONCE and RULES.make(name).defaults.steps > 1
    for rule in (name, *(f"{name}:{options}" for options in OPTIONS.get(name, ())))
)
NETS = {"dense": ("13-11", (6,)), "conv": ("c4k3-p2-9", (1, 6, 6)), "recurrent": ("r10-8", (6,))}


def drive_of(shape: tuple[int, ...], constant: bool, generator: torch.Generator) -> Series:
    lead = (SAMPLES,) if constant else (STEPS, SAMPLES)
    values = torch.rand(*lead, *shape, generator=generator, dtype=torch.float64)
    return Series(values if constant else (values < 0.4).double() * 2, constant)


def two_trials(model: Model, constant: bool, window: int) -> dict[str, torch.Tensor]:
    """Gradients of two consecutive trials and everything that is learned after them; plain steps in between."""
    generator, masks = torch.Generator().manual_seed(3), torch.Generator().manual_seed(5)
    learned = initialise(model, 1, torch.device("cpu"), torch.float64)
    found: dict[str, torch.Tensor] = {}
    for trial in range(2):
        drive = drive_of(model.network.input_shape, constant, generator)
        labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
        result = learn_trial(model, learned, drive, STEPS, labels, masks, window)
        moved = {n: w - 0.5 * result.gradients.get(n, torch.zeros_like(w)) for n, w in learned.parameters.items()}
        learned = replace(result.learned, parameters=moved)
        found |= {f"{trial}.{name}": value.clone() for name, value in result.gradients.items()}
        found[f"{trial}.scores"] = result.scores
    return found | to_tensors(Learned(**vars(learned)))


def assert_schedules_agree(model: Model, constant: bool) -> None:
    whole = two_trials(model, constant, STEPS)
    assert any(value.abs().max() > 1e-6 for name, value in whole.items() if name.startswith("1.hidden"))
    for window in WINDOWS[1:]:
        other = two_trials(model, constant, window)
        assert whole.keys() == other.keys()
        for name, value in whole.items():
            largest = max(1.0, float(value.abs().max()))  # some rules let weights grow without bound
            assert (value - other[name]).abs().max() <= TOLERANCE * largest, (window, name)


def network(kind: str, neuron: str = "lif", norm: str = "streaming") -> Network:
    net, shape = NETS[kind]
    made = build_network(net, shape, CLASSES, neuron=neuron, norm=norm, readout_neuron="leaky_readout:beta=0.7")
    return made.on(torch.device("cpu"), torch.float64)


@pytest.mark.parametrize("rule", [r for r in LOCAL if r != "shallow"])
@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("constant", [False, True], ids=["varying", "constant"])
def test_by_step_and_chunks_learn_what_by_layer_learns(rule: str, kind: str, constant: bool) -> None:
    model = build_model(network(kind), RULES.make(rule))
    if kind == "conv" and rule in A_SYNAPSE:
        with pytest.raises(UserError, match="step by step needs a dense layer. Use --schedule by_layer"):
            two_trials(model, constant, 1)
    else:
        assert_schedules_agree(model, constant)


@pytest.mark.parametrize("rule", ["dfa", "ottt", "eprop", "local_readout", "sigprop"])
@pytest.mark.parametrize("norm", ["streaming", "none"])
def test_connections_that_are_not_linear_learn_alike_in_every_schedule(rule: str, norm: str) -> None:
    made = build_network("9-8", (6,), CLASSES, neuron="lif", norm=norm, connection="ring")
    model = build_model(made.on(torch.device("cpu"), torch.float64), RULES.make(rule))
    if rule in (*A_SYNAPSE, "ottt"):
        with pytest.raises(UserError, match="step by step needs a dense layer. Use --schedule by_layer"):
            two_trials(model, False, 1)
    else:
        assert_schedules_agree(model, False)
    if norm == "none":  # of synapses that are no matrix no exact eligibility is followed forwards
        exact = build_model(model.network, RULES.make("dfa"), dw="-m_post * psi(v_post) * dv_dw")
        two_trials(exact, False, STEPS)
        with pytest.raises(UserError, match="step by step needs a dense layer. Use --schedule by_layer"):
            two_trials(exact, False, 1)


@pytest.mark.parametrize("rule", ["sigprop", "ottt", "bptt"])
def test_the_spikes_of_a_trial_are_counted_in_all_its_windows(rule: str) -> None:
    model = build_model(network("dense"), RULES.make(rule))
    generator = torch.Generator().manual_seed(3)
    drive, labels = drive_of((6,), False, generator), torch.arange(SAMPLES) % CLASSES
    learned = initialise(model, 1, torch.device("cpu"), torch.float64)
    windows = WINDOWS if rule != "bptt" else (STEPS,)
    counts = [learn_trial(model, learned, drive, STEPS, labels, generator, window).spikes for window in windows]
    assert counts[0].keys() == {"hidden1", "hidden2"}
    assert all(count == counts[0] and min(count.values()) > 0 for count in counts)


@pytest.mark.parametrize("neuron", ["if", "lif:reset=zero:surrogate=boxcar", "lif:reset_delay=true:surrogate=atan"])
def test_every_neuron_learns_alike_in_every_schedule(neuron: str) -> None:
    assert_schedules_agree(build_model(network("dense", neuron), RULES.make("sigprop")), False)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("vector", [False, True], ids=["one beta", "a beta a neuron"])
@pytest.mark.parametrize("constant", [False, True], ids=["varying", "constant"])
def test_the_exact_eligibility_runs_forwards_as_it_runs_backwards(reset: str, vector: bool, constant: bool) -> None:
    made = network("dense", norm="none")
    generator = torch.Generator().manual_seed(2)
    layers = list(made.layers)
    for index, layer in enumerate(made.hidden):
        beta = 0.5 + 0.5 * torch.rand(layer.shape, generator=generator, dtype=torch.float64) if vector else 0.8
        layers[index] = replace(layer, neuron=LeakyIntegrator(beta, 0.5, reset, False, FastSigmoid()))  # type: ignore[arg-type]
    model = build_model(replace(made, layers=tuple(layers)), RULES.make("dfa"), dw="-m_post * psi(v_post) * dv_dw")
    assert_schedules_agree(model, constant)


GATED = ["cuba_lif:alpha=0.6:beta=0.8", "cuba_lif:refractory=1", "alif:rho=0.8:kappa=0.4", "alif:refractory=2"]


@pytest.mark.parametrize("reset", ["subtract", "zero:reset_delay=true", "none"])
@pytest.mark.parametrize("kind", ["dense", "recurrent"])
@pytest.mark.parametrize("neuron", [*GATED, "if:refractory=1", "lif:refractory=2"])
def test_neurons_with_gates_learn_alike_in_every_schedule(neuron: str, kind: str, reset: str) -> None:
    made = network(kind, f"{neuron}:reset={reset}:v_threshold=0.5", norm="none")
    assert_schedules_agree(build_model(made, RULES.make("sigprop")), False)
    exact = build_model(made, RULES.make("dfa"), dw="-m_post * psi(v_post) * dv_dw")
    assert_schedules_agree(exact, False)


def test_maps_of_neurons_with_gates_learn_alike_where_no_spike_gates_them() -> None:
    dw = "-m_post * psi(v_post) * dv_dw"
    made = network("conv", "cuba_lif:alpha=0.6:beta=0.8", norm="none")
    assert_schedules_agree(build_model(made, RULES.make("dfa"), dw=dw), False)
    gated = build_model(network("conv", "cuba_lif:reset=zero", norm="none"), RULES.make("dfa"), dw=dw)
    with pytest.raises(UserError, match="Use --schedule by_layer"):
        two_trials(gated, False, 1)


def test_a_surrogate_that_scans_do_not_sum_learns_alike_too() -> None:
    made = network("dense")
    layers = [replace(a, neuron=LeakyIntegrator(0.9, 1.0, "subtract", False, Atan())) for a in made.hidden]
    model = build_model(replace(made, layers=(*layers, made.readout)), RULES.make("sigprop"))
    assert_schedules_agree(model, False)


@pytest.mark.parametrize("window", WINDOWS[1:])
def test_a_rule_that_runs_through_time_on_its_own_says_that_it_needs_all_steps(window: int) -> None:
    for rule in AT_ONCE:
        made = network("dense", "cuba_lif" if rule == "eventprop" else "lif")  # spikes of lif have no own times
        with pytest.raises(UserError, match="every step of a trial at once.*--schedule by_layer"):
            two_trials(build_model(made, RULES.make(rule)), False, window)


def test_batch_normalisation_says_that_it_needs_all_steps() -> None:
    with pytest.raises(UserError, match="batch normalisation needs every step"):
        two_trials(build_model(network("dense", norm="batch"), RULES.make("dfa")), False, 1)


def test_an_eligibility_through_a_normalisation_says_that_it_needs_all_steps() -> None:
    model = build_model(network("dense"), RULES.make("dfa"), dw="-m_post * psi(v_post) * dv_dw")
    with pytest.raises(UserError, match="Use --schedule by_layer"):
        two_trials(model, False, 1)
