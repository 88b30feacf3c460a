"""The exact signal and the exact eligibility against autograd through a loop over time written out here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neurorules.connections.conv2d import Conv2d
from neurorules.contracts.normalisation import EPSILON
from neurorules.contracts.series import Series
from neurorules.network.initial import initialise
from neurorules.network.layer import Layer, draw_masks, mask_name
from neurorules.network.model import Learned, build_model
from neurorules.network.network import Network, build_network
from neurorules.neurons._adaptive import AdaptiveIntegrator
from neurorules.neurons._integrator import Integrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._refractory import Refractory
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.rules import RULES
from neurorules.surrogates import make_surrogate
from neurorules.torch_path.trial.learn import learn_trial
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.pool import Pool

STEPS, SAMPLES, CLASSES = 7, 4, 3
TOLERANCE = 1e-10
RESETS = ("subtract", "zero", "none")


def spike(neuron: Integrator, v: Tensor) -> Tensor:
    """A step function forwards, the derivative of the surrogate's primitive backwards (its value cancels exactly)."""
    soft = neuron.surrogate.primitive(v - neuron.v_threshold)
    return (v > neuron.v_threshold).to(v.dtype) + (soft - soft.detach())


def integrate(
    neuron: LeakyIntegrator | LeakyReadout, current: Tensor, loop: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Membranes before reset and spikes, (T, B, ...) each; resets are constants of autograd."""
    u, spikes = torch.zeros_like(current[0]), torch.zeros_like(current[0])
    found, fired = [], []
    for here in current:
        here = here + loop(spikes)
        if isinstance(neuron, LeakyReadout):
            u = v = neuron.beta * u + here
            spikes = v
        else:
            theta = neuron.v_threshold
            late = (u > theta).to(u.dtype)
            kept = u * (1 - late) if neuron.reset == "zero" else u
            v = neuron.beta * kept + here - (late * theta if neuron.reset == "subtract" else 0)
            spikes = spike(neuron, v)
            due = torch.zeros_like(late) if neuron.reset_delay else (spikes - late).detach()
            u = v - {"subtract": due * theta, "zero": due * v, "none": 0}[neuron.reset]
        found.append(v)
        fired.append(spikes)
    return torch.stack(found), torch.stack(fired)


def integrate_gated(
    gated: Integrator | Refractory, current: Tensor, loop: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """The same with a synaptic current, a moving threshold and a refractory period, written out with booleans."""
    neuron, period = (gated.neuron, gated.period) if isinstance(gated, Refractory) else (gated, 0)
    assert isinstance(neuron, Integrator)
    alpha = neuron.alpha if isinstance(neuron, SynapticIntegrator) else None
    rho, kappa = (neuron.rho, neuron.kappa) if isinstance(neuron, AdaptiveIntegrator) else (0.0, 0.0)
    shape = current[0].shape
    u, spikes, i, b = (current.new_zeros(shape) for _ in range(4))
    waits = torch.zeros(shape, dtype=torch.long)
    found, fired = [], []
    for here in current:
        here = here + loop(spikes)
        before = spikes.detach()
        if period:
            late = before if neuron.reset_delay else torch.zeros_like(before)
        else:
            late = ((u - kappa * b).detach() > neuron.v_threshold).to(u.dtype)
        b = rho * b + spikes  # the gradient goes through the threshold, though not through resets
        i = here if alpha is None else alpha * i + here
        theta = neuron.v_threshold
        match neuron.reset, alpha:
            case "subtract", _:
                v, held = neuron.beta * u + i - late * theta, u - late * theta
            case "zero", None:
                v, held = neuron.beta * (u * (1 - late)) + i, u * (1 - late)
            case "zero", _:
                v, held = (neuron.beta * u + i) * (1 - late), u * (1 - late)
            case _:
                v, held = neuron.beta * u + i, u
        rests = waits > 0
        v = torch.where(rests, held, v)
        seen = v - kappa * b
        spikes = torch.where(rests, torch.zeros_like(v), spike(neuron, seen))
        waits = torch.where(spikes.detach() > 0.5, period, (waits - 1).clamp(min=0))
        due = torch.zeros_like(late) if neuron.reset_delay else (spikes - late).detach()
        u = v - {"subtract": due * theta, "zero": due * v, "none": 0}[neuron.reset]
        found.append(seen)
        fired.append(spikes)
    return torch.stack(found), torch.stack(fired)


def transformed(layer: Layer, entry_index: int, rows: Tensor, masks: dict[str, Tensor]) -> Tensor:
    entry = layer.inputs[entry_index]
    for position, transform in enumerate(entry.transforms):
        match transform:
            case Flatten():
                rows = rows.flatten(2)
            case Dropout():
                rows = rows * masks[mask_name(layer, entry, position)]
            case Pool():
                pool = functional.max_pool2d if transform.kind == "max" else functional.avg_pool2d
                rows = pool(rows.flatten(0, 1), transform.size).unflatten(0, rows.shape[:2])
    return rows


def current_of(layer: Layer, index: int, weights: Tensor, rows: Tensor) -> Tensor:
    connection = layer.inputs[index].connection
    if isinstance(connection, Conv2d):
        flat = functional.conv2d(rows.flatten(0, 1), weights, stride=connection.stride, padding=connection.zeros_around)
        return flat.unflatten(0, rows.shape[:2])
    return functional.linear(rows, weights)


def autograd_gradients(
    network: Network,
    parameters: dict[str, Tensor],
    drive: Tensor,
    labels: Tensor,
    masks: dict[str, Tensor],
    normalise: Callable[[Layer, Tensor], tuple[Tensor, Tensor | float]] | None = None,
    means: dict[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Gradients of the cross-entropy of the time-averaged read-out membrane, averaged over samples.

    Args:
        normalise: (layer, current) to the normalised current and the gain of what the layer sends itself; batch
            normalisation by torch if None.
        means: by layer and input, what is taken away from the input of a connection.
    """
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    outputs = [drive]
    v = drive
    for layer in network.layers:
        total: Tensor | None = None
        loop: Callable[[Tensor], Tensor] = torch.zeros_like
        for index, entry in enumerate(layer.inputs):
            w = leaves[layer.weight_name(entry)]
            if entry.connection.recurrent:
                loop = lambda late, w=w: functional.linear(late, w)  # noqa: E731
                continue
            rows = transformed(layer, index, outputs[entry.source + 1], masks)
            rows = rows - means.get(f"{layer.name}.{entry.name}", 0) if means else rows
            here = current_of(layer, index, w, rows)
            total = here if total is None else total + here
        assert total is not None
        if layer.normalisation is not None and normalise is not None:
            total, gain = normalise(layer, total)
            loop = lambda late, loop=loop, gain=gain: gain * loop(late)  # noqa: E731
        elif layer.normalisation is not None:
            rows = total.flatten(0, 1)
            total = functional.batch_norm(rows, None, None, training=True, eps=EPSILON).reshape(total.shape)
        neuron = layer.neuron
        if isinstance(neuron, LeakyIntegrator | LeakyReadout):
            v, spikes = integrate(neuron, total + leaves[layer.bias_name], loop)
        else:
            assert isinstance(neuron, Integrator | Refractory)
            v, spikes = integrate_gated(neuron, total + leaves[layer.bias_name], loop)
        outputs.append(spikes)
    functional.cross_entropy(v.mean(0), labels).backward()
    return {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


def per_neuron(network: Network, generator: torch.Generator) -> Network:
    """The same network, with a decay and a threshold of its own for each hidden neuron."""

    def vary(layer: Layer) -> Layer:
        neuron = layer.neuron
        inside = neuron.neuron if isinstance(neuron, Refractory) else neuron
        if not isinstance(inside, Integrator):
            return layer
        draws = [torch.rand(layer.shape, generator=generator, dtype=torch.float64) for _ in range(2)]
        inside = replace(inside, beta=0.5 + draws[0] / 2, v_threshold=0.5 + draws[1])
        return replace(layer, neuron=replace(neuron, neuron=inside) if isinstance(neuron, Refractory) else inside)

    return replace(network, layers=tuple(vary(layer) for layer in network.layers))


class Case:
    """A network with random parameters, a random batch, and both ways to its gradients."""

    def __init__(self, network: Network, constant: bool = False, rule: str = "bptt", gain: float = 2.0) -> None:
        self.generator = torch.Generator().manual_seed(1)
        self.model = build_model(network, RULES.make(rule))
        self.learned: Learned = initialise(self.model, 3, torch.device("cpu"), torch.float64)
        for name, value in self.learned.parameters.items():
            noise = 0.3 * torch.randn(value.shape, generator=self.generator, dtype=torch.float64)
            self.learned.parameters[name] = noise if name.endswith(".b") else gain * value
        lead = (SAMPLES,) if constant else (STEPS, SAMPLES)
        values = 1.5 * torch.rand(*lead, *network.input_shape, generator=self.generator, dtype=torch.float64)
        self.drive = Series(values, constant)
        self.labels = torch.tensor([0, 2, 1, 2])

    def by_rule(self) -> dict[str, Tensor]:
        found = learn_trial(self.model, self.learned, self.drive, STEPS, self.labels, torch.Generator().manual_seed(5))
        assert all(bool((a.S.values > 0).any()) for a in found.activity[:-1])
        return found.gradients

    def by_autograd(self) -> dict[str, Tensor]:
        masks = draw_masks(self.model.network.layers, SAMPLES, torch.Generator().manual_seed(5))
        every = self.drive.over_time(STEPS)
        return autograd_gradients(self.model.network, self.learned.parameters, every, self.labels, masks)


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = TOLERANCE) -> None:
    assert set(found) == set(expected)
    for name, gradient in expected.items():
        scale = float(gradient.norm())
        assert scale > 1e-6, name
        assert float((found[name] - gradient).norm()) / scale <= tolerance, name


def lif(reset: str, delay: bool, surrogate: str = "fast_sigmoid") -> str:
    return f"lif:beta=0.8:reset={reset}:reset_delay={str(delay).lower()}:surrogate={surrogate}"


def dense(net: str, neuron: str, readout: Literal["last", "all"] = "last") -> Network:
    reader = "leaky_readout:beta=0.7"
    return build_network(net, (8,), CLASSES, neuron=neuron, norm="none", readout=readout, readout_neuron=reader)


@pytest.mark.parametrize("constant", [False, True], ids=["varying", "constant"])
@pytest.mark.parametrize("own", [False, True], ids=["one beta", "beta of each neuron"])
@pytest.mark.parametrize("delay", [False, True], ids=["at once", "delayed"])
@pytest.mark.parametrize("reset", RESETS)
def test_dv_dw_with_the_exact_signal_is_the_gradient_of_dense_layers(
    reset: str, delay: bool, own: bool, constant: bool, generator: torch.Generator
) -> None:
    network = dense("12-9", lif(reset, delay))
    case = Case(per_neuron(network, generator) if own else network, constant)
    assert_same(case.by_rule(), case.by_autograd())


@pytest.mark.parametrize(
    "surrogate",
    [
        "boxcar:width=1.5",
        "triangle",
        "piecewise_linear",
        "fast_sigmoid:k=2",
        "atan",
        "comparator",
        "table",
        "power_of_two",
    ],
)
def test_the_gradient_is_exact_with_every_surrogate(surrogate: str) -> None:
    made = LeakyIntegrator(0.8, 1.0, "zero", False, make_surrogate(surrogate))
    network = dense("12-9", "lif")
    layers = tuple(replace(a, neuron=made) if a.role == "hidden" else a for a in network.layers)
    case = Case(replace(network, layers=layers))
    assert_same(case.by_rule(), case.by_autograd())


@pytest.mark.parametrize("constant", [False, True], ids=["varying", "constant"])
@pytest.mark.parametrize("net", ["c4k3-p2-c3k3v", "c4k3s2-a2-c5k1", "c4k3-a2-10", "c3k3v-p3-8"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_dv_dw_with_the_exact_signal_is_the_gradient_of_convolutions_and_pooling(
    net: str, reset: str, constant: bool, generator: torch.Generator
) -> None:
    network = build_network(net, (2, 9, 8), CLASSES, neuron=lif(reset, False), norm="none")
    case = Case(per_neuron(network, generator), constant, gain=4.0)
    assert_same(case.by_rule(), case.by_autograd())


@pytest.mark.parametrize("net", ["20-d0.3-15-d0.2", "20-d0.5-15"])
def test_dv_dw_with_the_exact_signal_is_the_gradient_under_a_fixed_dropout_mask(net: str) -> None:
    case = Case(dense(net, lif("subtract", True)))
    assert_same(case.by_rule(), case.by_autograd())


def test_dv_dw_with_the_exact_signal_is_the_gradient_where_the_read_out_sees_all_layers() -> None:
    case = Case(dense("12-9-7", lif("zero", False), readout="all"))
    assert_same(case.by_rule(), case.by_autograd())


@pytest.mark.parametrize("constant", [False, True], ids=["varying", "constant"])
@pytest.mark.parametrize("shape_and_net", [((8,), "12-9"), ((2, 6, 6), "c4k3-p2-c3k3")], ids=["dense", "convolution"])
def test_dv_dw_with_the_exact_signal_is_the_gradient_through_batch_normalisation(
    shape_and_net: tuple[tuple[int, ...], str], constant: bool
) -> None:
    shape, net = shape_and_net
    network = build_network(net, shape, CLASSES, neuron=lif("subtract", False), norm="batch")
    case = Case(network, constant)
    assert_same(case.by_rule(), case.by_autograd())


@pytest.mark.parametrize("own", [False, True], ids=["one beta", "beta of each neuron"])
@pytest.mark.parametrize("delay", [False, True], ids=["at once", "delayed"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("net", ["r10", "r10-r8", "12-r8-6"])
def test_dv_dw_with_the_exact_signal_is_the_gradient_through_recurrent_connections(
    net: str, reset: str, delay: bool, own: bool, generator: torch.Generator
) -> None:
    network = dense(net, lif(reset, delay))
    case = Case(per_neuron(network, generator) if own else network)
    assert_same(case.by_rule(), case.by_autograd())


GATED = {
    "current": "cuba_lif:alpha=0.6:beta=0.8",
    "current, refractory": "cuba_lif:alpha=0.6:beta=0.8:refractory=1",
    "adaptive": "alif:beta=0.8:rho=0.9:kappa=0.3",
    "adaptive, refractory": "alif:beta=0.8:rho=0.9:kappa=0.3:refractory=2",
    "refractory": "lif:beta=0.8:refractory=1",
}


@pytest.mark.parametrize("net", ["12-9", "r10-8"])
@pytest.mark.parametrize("delay", [False, True], ids=["at once", "delayed"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("kind", GATED)
def test_the_gradient_is_exact_through_synaptic_currents_adaptation_and_refractory_periods(
    kind: str, reset: str, delay: bool, net: str
) -> None:
    case = Case(dense(net, f"{GATED[kind]}:reset={reset}:reset_delay={str(delay).lower()}"))
    assert_same(case.by_rule(), case.by_autograd())


@pytest.mark.parametrize("kind", GATED)
def test_the_gradient_is_exact_for_maps_and_numbers_of_each_neuron_with_gates(
    kind: str, generator: torch.Generator
) -> None:
    network = build_network("c4k3-p2-c3k3v-9", (2, 9, 8), CLASSES, neuron=f"{GATED[kind]}:reset=zero", norm="none")
    case = Case(per_neuron(network, generator), gain=4.0)
    assert_same(case.by_rule(), case.by_autograd())


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("kind", GATED)
def test_the_gradient_is_exact_through_batch_normalisation_and_gates(kind: str, norm: str) -> None:
    reader = "leaky_readout:beta=0.7"
    network = build_network("12-9", (8,), CLASSES, neuron=GATED[kind], norm=norm, readout_neuron=reader)
    case = Case(network, constant=True)
    assert_same(case.by_rule(), case.by_autograd())


@pytest.mark.parametrize("net", ["12-9", "c4k3-p2-c3k3v-9", "12-r8-6", "20-d0.3-15"])
def test_feedback_alignment_through_the_transposed_weights_is_the_exact_gradient(net: str) -> None:
    shape = (2, 9, 8) if net.startswith("c") else (8,)
    network = build_network(net, shape, CLASSES, neuron=lif("zero", False), norm="none")
    exact, aligned = Case(network), Case(network, rule="fa")
    for name, value in exact.learned.parameters.items():
        aligned.learned.parameters[name] = value
        if name.endswith(".w"):
            assert f"feedback.{name}" in aligned.learned.signal
            aligned.learned.signal[f"feedback.{name}"] = value
    found, expected = aligned.by_rule(), exact.by_rule()
    for name in expected:
        cosine = functional.cosine_similarity(found[name].reshape(1, -1), expected[name].reshape(1, -1))
        assert float(cosine) >= 1 - TOLERANCE, name
    assert_same(found, expected)


def test_feedback_alignment_with_other_weights_is_not_the_gradient_below_the_read_out() -> None:
    case = Case(dense("12-r8", lif("zero", False)), rule="fa")
    found, exact = case.by_rule(), case.by_autograd()
    assert torch.allclose(found["readout.ff.w"], exact["readout.ff.w"], rtol=1e-10)
    for name in ("hidden1.ff.w", "hidden2.rec.w"):
        assert float(functional.cosine_similarity(found[name].reshape(1, -1), exact[name].reshape(1, -1))) < 0.9


def test_gradients_are_averaged_over_samples() -> None:
    case = Case(dense("12-9", lif("subtract", False)))
    once = case.by_rule()
    case.drive = Series(torch.cat([case.drive.values] * 2, 1), False)
    case.labels = torch.cat([case.labels] * 2)
    assert_same(learn_trial(case.model, case.learned, case.drive, STEPS, case.labels, case.generator).gradients, once)
