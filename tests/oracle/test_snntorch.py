"""Networks given as Sequentials and given back: snnTorch runs them spike for spike, and its gradients are ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import snntorch
import torch
from snntorch import surrogate, utils
from torch import Tensor, nn

from neurorules import Learner
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.surrogates import FastSigmoid
from neurorules.torch_path.snntorch.from_module import from_module
from neurorules.torch_path.snntorch.modules import PositionBias
from neurorules.torch_path.snntorch.populations import Spike
from neurorules.torch_path.snntorch.to_sequential import to_sequential
from neurorules.torch_path.trial.learn import learn_trial

STEPS, SAMPLES, CLASSES = 8, 12, 4


def leaky(beta: float | Tensor = 0.75, **options: object) -> snntorch.Leaky:
    return snntorch.Leaky(beta=beta, init_hidden=True, **options)


def run(net: nn.Sequential, drive: Tensor) -> tuple[list[Tensor], Tensor]:
    """Spikes of every Leaky over time, and what the last module returns of its membrane (or current)."""
    utils.reset(net)
    units = [module for module in net if isinstance(module, snntorch.Leaky | snntorch.Synaptic)]
    fired: list[list[Tensor]] = [[] for _ in units]

    def keep(into: list[Tensor]) -> Callable[..., None]:
        return lambda _module, _inputs, found: into.append(found[0] if isinstance(found, tuple) else found)

    hooks = [unit.register_forward_hook(keep(into)) for unit, into in zip(units, fired, strict=True)]
    outputs = []
    for here in drive:
        output = net(here)
        outputs.append(output[-1] if isinstance(output, tuple) else output)
    for hook in hooks:
        hook.remove()
    return [torch.stack(spikes) for spikes in fired], torch.stack(outputs)


def batch(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Spikes (T, B, *shape) and labels they tell apart."""
    labels = torch.arange(SAMPLES) % CLASSES
    rates = torch.rand(CLASSES, *shape, generator=generator)[labels]
    return (torch.rand(STEPS, SAMPLES, *shape, generator=generator) < rates).to(dtype), labels


def on_a_grid(learner: Learner) -> None:
    """Weights and biases as multiples of 1/256, so that sums round nowhere, in whatever order they are taken."""
    for value in learner.learned.parameters.values():
        value.copy_((value * 256).round() / 256)


def assert_equal_spikes(learner: Learner, drive: Tensor, exact: bool) -> None:
    """snnTorch's spikes and predictions are the learner's; membranes too, bit for bit or within rounding."""
    net = learner.to_snntorch().requires_grad_(False)
    spikes, read = run(net, drive)
    response = learner.respond(drive)
    layers = learner.model.network.hidden
    for found, activity, layer in zip(spikes, response.activity, layers, strict=False):
        assert found.dtype == drive.dtype and 0 < float(found.mean()) < 1, layer.name
        assert torch.equal(found, activity.S.values), layer.name
    scores = read.mean(0)
    assert torch.equal(scores.argmax(1), response.scores.argmax(1))
    if exact:
        assert torch.equal(read, response.activity[-1].v.values)
    torch.testing.assert_close(scores, response.scores, rtol=1e-10, atol=1e-12)


def dense_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(16, 24), leaky(0.9, spike_grad=surrogate.fast_sigmoid(slope=5)),
        nn.Dropout(0.2),
        nn.Linear(24, 20), leaky(torch.linspace(0.5, 1.0, 20), threshold=torch.linspace(0.25, 1.5, 20)),
        nn.Linear(20, CLASSES), leaky(0.75, reset_mechanism="none", output=True),
    )  # fmt: skip


def conv_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), leaky(0.9, reset_mechanism="zero"), nn.MaxPool2d(2),
        nn.Conv2d(6, 5, 3, stride=2), leaky(0.5, reset_mechanism="zero", reset_delay=False), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(5 * 2 * 1, 9), leaky(0.8, reset_delay=False, threshold=0.25),
        nn.Linear(9, CLASSES),
    )  # fmt: skip


def synaptic(alpha: float | Tensor, beta: float, **options: object) -> snntorch.Synaptic:
    return snntorch.Synaptic(alpha, beta, init_hidden=True, **options)


def synaptic_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(16, 24), synaptic(0.5, 0.9, reset_mechanism="zero"),
        nn.Linear(24, 20), synaptic(torch.linspace(0.25, 0.75, 20), 0.75, reset_delay=False, threshold=0.5),
        nn.Linear(20, CLASSES), synaptic(0.5, 0.75, reset_mechanism="none", output=True),
    )  # fmt: skip


def spiking_end() -> nn.Sequential:
    return nn.Sequential(nn.Linear(16, 24), leaky(), nn.Linear(24, CLASSES), leaky(0.9, output=True))


NETS = {
    "dense": (dense_net, (16,)), "convolution": (conv_net, (2, 20, 12)), "spiking end": (spiking_end, (16,)),
    "synaptic currents": (synaptic_net, (16,)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_a_sequential_trained_and_given_back_spikes_as_the_learner_does_bit_for_bit(
    name: str, generator: torch.Generator
) -> None:
    make, shape = NETS[name]
    torch.manual_seed(1)
    drive, labels = batch(generator, *shape)
    learner = Learner(
        make(), rule="sigprop:bias=all", input_shape=shape, precision="float64", device="cpu", optimizer="sgd", lr=0.1
    )
    before = {key: value.clone() for key, value in learner.learned.parameters.items()}
    for _ in range(3):
        learner.step(drive, labels)
    for key, value in before.items():
        assert not torch.equal(value, learner.learned.parameters[key]), key
    on_a_grid(learner)
    assert_equal_spikes(learner, drive, exact=True)


@pytest.mark.parametrize("name", NETS)
def test_a_network_given_back_and_read_again_is_the_same_network(name: str, generator: torch.Generator) -> None:
    make, shape = NETS[name]
    torch.manual_seed(1)
    learner = Learner(make(), rule="bptt", input_shape=shape, precision="float64", device="cpu")
    network, given, *_ = vars(from_module(learner.to_snntorch(), shape, STEPS)).values()
    assert set(given) == set(learner.learned.parameters)
    for key, value in learner.learned.parameters.items():
        assert torch.equal(given[key], value)
    for here, there in zip(network.layers, learner.model.network.layers, strict=True):
        assert [type(t) for t in here.inputs[0].transforms] == [type(t) for t in there.inputs[0].transforms]
        assert here.inputs[0].connection == there.inputs[0].connection and str(here.neuron) == str(there.neuron)


@pytest.mark.parametrize("rule", ["sigprop", "bptt"])
@pytest.mark.parametrize(
    ("net", "shape"), [("24-20", (16,)), ("c6k3-p2-c5k3v-a2-9", (2, 12, 10))], ids=["dense", "convolution"]
)
@pytest.mark.parametrize("norm", ["streaming", "batch"])
def test_normalisation_folds_into_the_weights(
    net: str, shape: tuple[int, ...], norm: str, rule: str, generator: torch.Generator
) -> None:
    drive, labels = batch(generator, *shape)
    learner = Learner(
        net,
        rule=rule,
        input_shape=shape,
        classes=CLASSES,
        neuron="lif:beta=0.9:v_threshold=0.5",
        norm=norm,
        precision="float64",
        device="cpu",
    )
    for _ in range(4):
        learner.step(drive, labels)
    assert_equal_spikes(learner, drive, exact=False)


def test_a_border_of_zeros_around_centred_maps_keeps_a_bias_at_each_position(generator: torch.Generator) -> None:
    drive, labels = batch(generator, 2, 8, 8)
    learner = Learner("c4k3-5", rule="dfa", input_shape=(2, 8, 8), classes=CLASSES, precision="float64", device="cpu")
    learner.step(drive, labels)
    net = learner.to_snntorch()
    assert isinstance(net[1], PositionBias)
    with pytest.raises(UserError, match=r"layer 1 \(PositionBias\)"):
        from_module(net, (2, 8, 8), STEPS)


def test_in_float32_the_predictions_agree(generator: torch.Generator) -> None:
    drive, labels = batch(generator, 16, dtype=torch.float32)
    learner = Learner("24-20", input_shape=(16,), classes=CLASSES, device="cpu")
    for _ in range(4):
        learner.step(drive, labels)
    _, read = run(learner.to_snntorch(), drive)
    assert read.dtype == torch.float32
    assert torch.equal(read.mean(0).argmax(1), learner.scores(drive).argmax(1))


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_gradients_of_snntorch_are_those_of_the_exact_signal(
    reset: str, precision: str, generator: torch.Generator
) -> None:
    dtype = getattr(torch, precision)
    torch.manual_seed(2)
    # snnTorch's own surrogates spike in float32 only.
    own = Spike(FastSigmoid(5.0)) if precision == "float64" else surrogate.fast_sigmoid(slope=5)
    net = nn.Sequential(
        nn.Linear(16, 24), leaky(0.75, reset_mechanism=reset, spike_grad=own),
        nn.Linear(24, 20), leaky(0.9, reset_mechanism=reset, spike_grad=own),
        nn.Linear(20, CLASSES), leaky(0.5, reset_mechanism="none", output=True),
    ).to(dtype)  # fmt: skip
    drive, labels = batch(generator, 16, dtype=dtype)
    drive = drive * 3
    network, given, *_ = vars(from_module(net, None, STEPS)).values()
    model = build_model(network, RULES.make("bptt"))
    learned = initialise(model, 0, torch.device("cpu"), dtype)
    learned.parameters.update(given)
    found = learn_trial(model, learned, Series(drive, False), STEPS, labels, generator).gradients
    _, read = run(net, drive)
    nn.functional.cross_entropy(read.mean(0), labels).backward()
    places = {"hidden1": 0, "hidden2": 2, "readout": 4}
    tolerance = 1e-10 if precision == "float64" else 1e-4
    for name, place in places.items():
        linear = net[place]
        assert isinstance(linear, nn.Linear) and linear.weight.grad is not None and linear.bias.grad is not None
        for key, expected in ((f"{name}.ff.w", linear.weight.grad), (f"{name}.b", linear.bias.grad)):
            assert float(expected.norm()) > 1e-4
            assert float((found[key] - expected).norm() / expected.norm()) <= tolerance, key


def test_surrogates_and_numbers_of_a_leaky_are_taken_over() -> None:
    net = nn.Sequential(
        nn.Linear(4, 3), leaky(0.5, threshold=2.0, spike_grad=surrogate.fast_sigmoid(slope=7), reset_mechanism="zero"),
        nn.Linear(3, 3), leaky(torch.tensor([0.1, 0.2, 1.7]), spike_grad=surrogate.atan(alpha=3.0), reset_delay=False),
        nn.Linear(3, 3), snntorch.Leaky(0.5),
        nn.Linear(3, 2),
    )  # fmt: skip
    layers = from_module(net, None, STEPS).network.layers
    assert str(layers[0].neuron) == (
        "LeakyIntegrator(beta=0.5, v_threshold=2.0, reset='zero', reset_delay=True, surrogate=FastSigmoid(k=7.0))"
    )
    second = layers[1].neuron.dynamics()
    assert second is not None and isinstance(second.beta, Tensor)
    torch.testing.assert_close(second.beta, torch.tensor([0.1, 0.2, 1.0]))
    assert not second.reset_delay and "Atan(alpha=3.0)" in str(layers[1].neuron)
    assert "Atan(alpha=2.0)" in str(layers[2].neuron) and str(layers[3].neuron) == "LeakyReadout(beta=0.0)"


def test_rate_networks_of_one_step_are_taken_over(generator: torch.Generator) -> None:
    net = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 20), nn.Tanh(), nn.Linear(20, CLASSES)).double()
    learner = Learner(net, rule="bptt", precision="float64", device="cpu", steps=1)
    drive = torch.rand(1, SAMPLES, 16, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(learner.scores(drive), net(drive[0]).detach(), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(learner.to_snntorch()(drive[0]), net(drive[0]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("net", "readout"), [("r8", "last"), ("8-8", "all")])
def test_a_network_without_counterpart_in_snntorch_is_not_given_back(net: str, readout: str) -> None:
    learner = Learner(net, input_shape=(16,), classes=CLASSES, readout=readout, device="cpu")
    with pytest.raises(UserError, match="torch.nn.Sequential"):
        learner.to_snntorch()


@pytest.mark.parametrize(
    ("neuron", "words"), [("alif", "an adaptive threshold"), ("cuba_lif:refractory=1", "a refractory period")]
)
def test_neurons_without_counterpart_in_snntorch_are_not_given_back(neuron: str, words: str) -> None:
    learner = Learner("8", input_shape=(16,), classes=CLASSES, neuron=neuron, device="cpu")
    with pytest.raises(UserError, match=f"'hidden1' has {words}, which no layer of snnTorch has"):
        learner.to_snntorch()


def test_a_network_given_back_can_be_trained_further_in_snntorch(generator: torch.Generator) -> None:
    drive, labels = batch(generator, 16, dtype=torch.float32)
    net = to_sequential(build_network("24", (16,), CLASSES, neuron="lif"), Learner(
        "24", input_shape=(16,), classes=CLASSES, neuron="lif", device="cpu"
    ).learned)  # fmt: skip
    assert not net.training
    _, read = run(net.train(), drive)
    nn.functional.cross_entropy(read.mean(0), labels).backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in net[-1].parameters())
