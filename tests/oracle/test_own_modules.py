"""Classes with a forward of their own: spikes are snnTorch's, gradients torch's, and they come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
import snntorch
import torch
from snntorch import surrogate, utils
from torch import Tensor, nn
from torch.nn import functional

from neurorules import Learner
from neurorules.contracts.series import Series
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.rules import RULES
from neurorules.surrogates import FastSigmoid
from neurorules.torch_path.recording.explain import Views
from neurorules.torch_path.snntorch.from_module import from_module
from neurorules.torch_path.snntorch.populations import Spike
from neurorules.torch_path.trial.learn import learn_trial

STEPS, SAMPLES, CLASSES = 8, 12, 4
SLOPE = Spike(FastSigmoid(5.0))  # snnTorch's own surrogates spike in float32 only


class HandedMembranes(nn.Module):
    """The class of snnTorch's tutorials, one step of it: membranes go in and come out."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(16, 24), snntorch.Leaky(0.75, spike_grad=SLOPE)
        self.fc2, self.lif2 = nn.Linear(24, CLASSES), snntorch.Leaky(0.5, spike_grad=SLOPE)

    def forward(self, x: Tensor, mem1: Tensor | None = None, mem2: Tensor | None = None) -> tuple[Tensor, ...]:
        cur1 = self.fc1(x)
        spk1, mem1 = self.lif1(cur1, mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        return spk2, mem1, mem2


def hidden(beta: float = 0.75, **options: object) -> snntorch.Leaky:
    return snntorch.Leaky(beta, spike_grad=SLOPE, init_hidden=True, threshold=0.5, **options)


class ConvTutorial(nn.Module):
    """Convolution, pool of the current, spikes; read out by a plain Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 6, 5), hidden(reset_mechanism="zero")
        self.conv2, self.lif2 = nn.Conv2d(6, 5, 3, padding=1, bias=False), hidden()
        self.fc = nn.Linear(5 * 2 * 1, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        spikes = self.lif1(functional.max_pool2d(self.conv1(x), 2))
        spikes = self.lif2(functional.avg_pool2d(self.conv2(spikes), 2))
        return self.fc(spikes.view(spikes.size(0), -1))


class Skipping(nn.Module):
    """The third layer adds the currents of two layers, and the read-out reads the input as well."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 24), nn.Linear(24, 20), nn.Linear(20, 18)])
        self.neurons = nn.ModuleList([hidden(), hidden(0.5), hidden(0.25)])
        self.skip, self.out, self.straight = nn.Linear(24, 18), nn.Linear(18, CLASSES), nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        first = self.neurons[0](self.layers[0](x))
        second = self.neurons[1](self.layers[1](first))
        third = self.neurons[2](self.layers[2](second) + self.skip(first))
        return self.out(third) + self.straight(x)


class Residual(nn.Module):
    """Currents to which spikes of an earlier layer are added as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 20), nn.Linear(20, 20), nn.Linear(20, 20)])
        self.neurons = nn.ModuleList([hidden(), hidden(0.5), hidden(0.25)])
        self.out = nn.Linear(20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        first = self.neurons[0](self.layers[0](x))
        x = self.neurons[1](first + self.layers[1](first))
        x = self.neurons[2](self.layers[2](x) + x + first)
        return self.out(x)


class ResidualMaps(nn.Module):
    """A convolution to whose current the spikes of the maps before it are added."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.lif1, self.lif2, self.fc = hidden(), hidden(0.5), nn.Linear(4 * 6 * 5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif1(self.conv1(x))
        x = self.lif2(self.conv2(x) + x)
        return self.fc(torch.flatten(x, 1))


class SumsOfSpikes(nn.Module):
    """Spikes of layers are added and joined, and read by layers, neurons and pools behind."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 20), nn.Linear(20, 20), nn.Linear(20, 12), nn.Linear(32, 18)])
        self.neurons = nn.ModuleList([hidden(), hidden(0.5), hidden(0.25), hidden(), hidden(0.5)])
        self.out = nn.Linear(38, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.neurons[0](self.layers[0](x))
        x = x + self.neurons[1](self.layers[1](x))
        y = self.neurons[2](self.layers[2](x))
        y = self.neurons[3](self.layers[3](torch.cat([y, x], dim=1)))
        return self.out(torch.cat((y, sum([self.neurons[4](x), x])), 1))


class SumsOfMaps(nn.Module):
    """A residual block around neurons, as SEW-ResNet adds its maps; pooled behind, then the mean of each map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.lif1, self.lif2, self.fc = hidden(), hidden(0.5), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif1(self.conv1(x))
        x = functional.max_pool2d(self.lif2(self.conv2(x)) + x, 2)
        return self.fc(x.mean((2, 3)))


class InputJoined(nn.Module):
    """The input stands beside the spikes that a layer and the read-out read."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.out = nn.Linear(16, 20), nn.Linear(36, 18), nn.Linear(34, CLASSES)
        self.lif1, self.lif2 = hidden(), hidden(0.5)

    def forward(self, x: Tensor) -> Tensor:
        first = self.lif1(self.fc1(x))
        second = self.lif2(self.fc2(torch.cat([x, first], dim=1)))
        return self.out(torch.cat((second, x), -1))


class FlattenedJoined(nn.Module):
    """Maps are flattened, pooled or not, and stand beside neurons and the flattened input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4 * 3 * 2, 12)
        self.lif1, self.lif2, self.out = hidden(), hidden(0.5), nn.Linear(4 * 6 * 5 + 12 + 2 * 6 * 5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.lif1(self.conv(x))
        neurons = self.lif2(self.fc(functional.max_pool2d(maps, 2).flatten(1)))
        return self.out(torch.cat([maps.flatten(1), neurons, x.flatten(1)], dim=1))


class Multiples(nn.Module):
    """Spikes and currents times numbers, with signs, before sums, layers, neurons and the read-out."""

    TIMES: ClassVar = {"layers.1": (0.5, 0.5), "layers.2": (-1.0, -2.0), "out": (0.25, 0.5)}
    """By what the weights and the bias of a layer are multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 20), nn.Linear(20, 20), nn.Linear(20, 20)])
        self.neurons, self.out = nn.ModuleList([hidden(), hidden(0.5), hidden(0.25)]), nn.Linear(20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.neurons[0](self.layers[0](x))
        y = self.neurons[1](torch.add(0.5 * self.layers[1](x), x, alpha=2))
        z = self.neurons[2](y * 1.5 - self.layers[2](x / 2).mul(2))
        return 0.5 * self.out(0.5 * torch.sub(z, -y))


class Grouped(nn.Module):
    """Depth-wise, grouped and dilated kernels that are no squares; the current of one is pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.depth, self.point = nn.Conv2d(4, 8, (3, 5), (2, 1), padding=(1, 0), groups=4), nn.Conv2d(8, 6, 1)
        self.wide = nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=2, bias=False)
        self.lif1, self.lif2, self.lif3 = hidden(), hidden(0.5), hidden(0.25)
        self.fc = nn.Linear(6 * 2 * 2, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif2(self.point(self.lif1(self.depth(x))))
        x = self.lif3(functional.max_pool2d(self.wide(x), 2))
        return self.fc(x.flatten(1))


class Lines(nn.Module):
    """Convolutions over lines of values, with pools of spikes and of currents, and the mean of each line."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(2, 6, 5, padding=2), nn.Conv1d(6, 12, 4, 1, groups=3, bias=False)
        self.conv3, self.mean, self.out = nn.Conv1d(12, 8, 3, 2), nn.AdaptiveAvgPool1d(1), nn.Linear(8, CLASSES)
        self.lif1, self.lif2, self.lif3 = hidden(torch.rand(6, 20)), hidden(0.5), hidden(0.25)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool1d(self.lif1(self.conv1(x)), 2)
        x = self.lif2(self.conv2(x)) + 0
        x = self.lif3(functional.avg_pool1d(self.conv3(x), 2))
        return self.out(torch.flatten(self.mean(x), 1))


class Single(nn.Module):
    """Neurons that read themselves alone, each by a weight of its own."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        decays = (0.5, 0.75) if kind is snntorch.RSynaptic else (0.75,)
        options = {"all_to_all": False, "spike_grad": SLOPE, "init_hidden": True, "threshold": 0.5}
        self.fc, self.out = nn.Linear(16, 24), nn.Linear(24, CLASSES)
        self.rlif = kind(*decays, torch.linspace(-1, 1, 24), **options)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rlif(self.fc(x)))


class RecurrentMaps(nn.Module):
    """Maps that read themselves by a convolution of their own."""

    def __init__(self) -> None:
        super().__init__()
        options = {"conv2d_channels": 4, "kernel_size": (3, 5), "spike_grad": SLOPE, "init_hidden": True}
        self.conv, self.out = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4 * 6 * 5, CLASSES)
        self.rlif = snntorch.RLeaky(0.75, threshold=0.5, **options)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rlif(self.conv(x)).flatten(1))


class Recurrent(nn.Module):
    """A layer whose spikes come back to it through snnTorch's own recurrent weights."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.fc = nn.Linear(16, 24)
        options = {"linear_features": 24, "spike_grad": SLOPE, "init_hidden": True, "threshold": 0.5}
        decays = (0.5, 0.75) if kind is snntorch.RSynaptic else (0.75,)
        self.rlif = kind(*decays, **options)
        self.out = nn.Linear(24, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rlif(self.fc(x)))


class Circuit(nn.Module):
    """Lapicque's neuron with a resistance and a capacity."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(16, 24), nn.Linear(24, CLASSES)
        self.neuron = snntorch.Lapicque(R=2.0, C=4.0, spike_grad=SLOPE, init_hidden=True, threshold=0.25)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.neuron(self.fc(x)))


class Currents(nn.Module):
    """Synaptic currents, handed on from step to step."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(16, 24), nn.Linear(24, CLASSES)
        self.neuron = snntorch.Synaptic(0.5, 0.75, spike_grad=SLOPE, threshold=0.5)

    def forward(self, x: Tensor, syn: Tensor | None = None, mem: Tensor | None = None) -> tuple[Tensor, ...]:
        spikes, syn, mem = self.neuron(self.fc(x), syn, mem)
        return self.out(spikes), syn, mem


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "membranes handed on": (HandedMembranes, (16,)),
    "conv, pool of the current": (ConvTutorial, (2, 14, 9)),
    "sums of currents": (Skipping, (16,)),
    "residual sums": (Residual, (16,)),
    "residual sums of maps": (ResidualMaps, (2, 6, 5)),
    "sums of spikes": (SumsOfSpikes, (16,)),
    "sums of spikes of maps": (SumsOfMaps, (2, 6, 6)),
    "recurrent leaky": (lambda: Recurrent(snntorch.RLeaky), (16,)),
    "recurrent synaptic": (lambda: Recurrent(snntorch.RSynaptic), (16,)),
    "the input joined": (InputJoined, (16,)),
    "flattened maps joined": (FlattenedJoined, (2, 6, 5)),
    "multiples": (Multiples, (16,)),
    "grouped": (Grouped, (4, 7, 8)),
    "lines": (Lines, (2, 20)),
    "leaky that reads itself": (lambda: Single(snntorch.RLeaky), (16,)),
    "synaptic that reads itself": (lambda: Single(snntorch.RSynaptic), (16,)),
    "recurrent maps": (RecurrentMaps, (2, 6, 5)),
    "lapicque": (Circuit, (16,)),
    "synaptic currents handed on": (Currents, (16,)),
}


def made(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    torch.manual_seed(3)
    make, shape = MODULES[name]
    module = make().double()
    with torch.no_grad():
        for value in module.parameters():
            value.copy_((value * 2 * 256).round() / 256)
    return module, shape


def spikes_of(learner: Learner, drive: Tensor) -> tuple[list[Tensor], Tensor]:
    """Spikes of every layer that spikes here, over time, and class scores."""
    response, layers = learner.respond(drive), learner.model.network.layers
    fired = [a.S.values for layer, a in zip(layers, response.activity, strict=True) if layer.neuron.spiking]
    return fired, response.scores


def batch(generator: torch.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """Spikes (T, B, *shape) and labels they tell apart."""
    labels = torch.arange(SAMPLES) % CLASSES
    rates = torch.rand(CLASSES, *shape, generator=generator)[labels]
    return (torch.rand(STEPS, SAMPLES, *shape, generator=generator) < rates).double(), labels


def run(module: nn.Module, drive: Tensor) -> tuple[list[Tensor], Tensor]:
    """Spikes of every neuron of snnTorch over time, and what is read out, in torch and snnTorch alone."""
    utils.reset(module)
    units = [one for one in module.modules() if isinstance(one, snntorch.SpikingNeuron)]
    fired: list[list[Tensor]] = [[] for _ in units]

    def keep(into: list[Tensor]) -> Callable[..., None]:
        return lambda _module, _inputs, output: into.append(output[0] if isinstance(output, tuple) else output)

    hooks = [unit.register_forward_hook(keep(into)) for unit, into in zip(units, fired, strict=True)]
    read, states = [], ()
    for here in drive:
        output = module(here, *states)
        if isinstance(module, HandedMembranes):
            _, *states = output
            read.append(states[-1])
        elif isinstance(module, Currents):
            first, *states = output
            read.append(first)
        else:
            read.append(output)
    for hook in hooks:
        hook.remove()
    return [torch.stack(spikes) for spikes in fired], torch.stack(read)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_spikes_here_as_it_does_in_snntorch(name: str, generator: torch.Generator) -> None:
    module, shape = made(name)
    drive, _ = batch(generator, *shape)
    learner = Learner(module, "bptt", input_shape=shape, steps=STEPS, precision="float64", device="cpu")
    spikes, read = run(module.requires_grad_(False), drive)
    fired, scores = spikes_of(learner, drive)
    for there, here in zip(spikes, fired, strict=False):
        assert 0.005 < float(there.mean()) < 0.98
        assert torch.equal(there, here.reshape(there.shape))
    torch.testing.assert_close(read.mean(0), scores, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MODULES)
def test_gradients_of_a_module_are_those_of_the_exact_signal(name: str, generator: torch.Generator) -> None:
    module, shape = made(name)
    drive, labels = batch(generator, *shape)
    imported = from_module(module, shape, STEPS)
    model = build_model(imported.network, RULES.make("bptt"))
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    learned.parameters.update(imported.parameters)
    ours = learn_trial(model, learned, Series(drive, False), STEPS, labels, generator).gradients
    _, read = run(module, drive)
    functional.cross_entropy(read.mean(0), labels).backward()
    times = {"fc": (0.25, 0.25)} if name == "lapicque" else getattr(module, "TIMES", {})
    for path, value in module.named_parameters():
        layer, kind = path.rsplit(".", 1)
        if kind not in ("weight", "V"):
            continue
        assert value.grad is not None and float(value.grad.norm()) > 1e-6, path
        scale, of_bias = times.get(layer, (1.0, 1.0))
        key = next(
            k
            for k, v in imported.parameters.items()
            if v.numel() == value.numel() and torch.equal(v.reshape(value.shape), value * scale)
        )
        weights = ours[key].reshape(value.shape) * scale
        torch.testing.assert_close(weights, value.grad, rtol=1e-10, atol=1e-13, msg=f"{path} {key}")
        linear = module.get_submodule(layer)
        if getattr(linear, "bias", None) is not None:
            bias = ours[key.split(".")[0] + ".b"].reshape(-1)
            torch.testing.assert_close(bias * of_bias, linear.bias.grad, rtol=1e-9, atol=1e-12, msg=f"{path} bias")


@pytest.mark.parametrize("name", ["residual sums", "residual sums of maps"])
@pytest.mark.parametrize("rule", ["dfa", "sigprop"])
def test_a_residual_sum_reaches_the_membrane_and_no_weight_learns_of_it(
    name: str, rule: str, generator: torch.Generator
) -> None:
    module, shape = made(name)
    drive, labels = batch(generator, *shape)
    imported = from_module(module, shape, STEPS)
    model = build_model(imported.network, RULES.make(rule))
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    learned.parameters.update(imported.parameters)
    seen = Views("hidden2")
    trial = learn_trial(model, learned, Series(drive, False), STEPS, labels, generator, probe=seen)
    fixed = {key for key in imported.parameters if key in imported.frozen}
    assert len(fixed) == (3 if name == "residual sums" else 1)
    learner = Learner(module, rule, input_shape=shape, steps=STEPS, precision="float64", device="cpu", lr=0.1)
    for _ in range(2):
        learner.step(drive, labels)
    for key in fixed:
        value = learner.read()[key]
        assert torch.equal(value.reshape(len(value), -1), torch.eye(len(value), dtype=value.dtype))
    assert not torch.equal(learner.read()["hidden2.ff.w"], imported.parameters["hidden2.ff.w"])
    if rule == "sigprop":
        return
    spikes, _ = run(module.requires_grad_(False), drive)
    view = seen.views[0]
    assert view.m is not None
    delta = view.m.over_time(STEPS) * view.activity.psi(view.layer.neuron, view.activity.v.values)
    if name == "residual sums":  # third factor times surrogate, times the spikes that this weight alone hands on
        by_hand = torch.einsum("tbo,tbi->oi", delta, spikes[0]) / SAMPLES
    else:
        rows, shape = spikes[0].flatten(0, 1), imported.parameters["hidden2.ff.w"].shape
        by_hand = torch.nn.grad.conv2d_weight(rows, shape, delta.flatten(0, 1), padding=1) / SAMPLES
    torch.testing.assert_close(trial.gradients["hidden2.ff.w"], by_hand, rtol=1e-10, atol=1e-14)
    assert float(by_hand.norm()) > 1e-6


@pytest.mark.parametrize("name", MODULES)
def test_a_module_comes_back_trained_under_its_own_names(name: str, generator: torch.Generator) -> None:
    module, shape = made(name)
    drive, labels = batch(generator, *shape)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    learner = Learner(
        module,
        "sigprop:bias=all",
        input_shape=shape,
        steps=STEPS,
        precision="float64",
        device="cpu",
        optimizer="sgd",
        lr=0.05,
    )
    for _ in range(3):
        learner.step(drive, labels)
    learner.write_back(module)
    after = module.state_dict()
    assert after.keys() == before.keys()
    for key, value in module.named_parameters():
        second_bias = key in ("rlif.recurrent.bias", "skip.bias", "straight.bias")
        assert torch.equal(before[key], value) == second_bias, key
    spikes, read = run(module.requires_grad_(False), drive)
    fired, scores = spikes_of(learner, drive)
    for there, here in zip(spikes, fired, strict=False):
        assert (
            float((there != here.reshape(there.shape)).double().mean()) < 1e-3
        )  # by rounding where a bias is a sum of two
    torch.testing.assert_close(read.mean(0), scores, rtol=1e-2, atol=1e-2)


class Normalised(nn.Module):
    """A convolution and a dense layer, each with batch normalisation before its spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm1, self.lif1 = nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), hidden()
        self.fc, self.norm2, self.lif2 = nn.Linear(6 * 6 * 6, 20), nn.BatchNorm1d(20), hidden()
        self.out = nn.Linear(20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif1(self.norm1(self.conv(x)))
        x = self.lif2(self.norm2(self.fc(torch.flatten(x, 1))))
        return self.out(x)


class NormalisedSums(nn.Module):
    """Spikes, and another normalised current, are added to a current behind its batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.norm2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv3, self.norm3 = nn.Conv2d(4, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5)
        self.skip, self.norm4 = nn.Conv2d(4, 5, 1, bias=False), nn.BatchNorm2d(5)
        self.lif1, self.lif2, self.lif3, self.out = hidden(), hidden(), hidden(), nn.Linear(5 * 36, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif1(self.norm1(self.conv1(x)))
        x = self.lif2(self.norm2(self.conv2(x)) + x)
        x = self.lif3(self.norm3(self.conv3(x)) + self.norm4(self.skip(x)))
        return self.out(torch.flatten(x, 1))


@pytest.mark.parametrize("kind", [Normalised, NormalisedSums])
def test_batch_normalisation_goes_both_ways_with_its_averages(
    kind: type[nn.Module], generator: torch.Generator
) -> None:
    torch.manual_seed(0)
    module = kind().double()
    norms = {key: norm for key, norm in module.named_children() if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)}
    for norm in norms.values():
        nn.init.uniform_(norm.running_mean, -0.2, 0.2)
        nn.init.uniform_(norm.running_var, 0.1, 0.4)
        norm.eps = 0.3
        nn.init.uniform_(norm.bias, -0.2, 0.2)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    drive, labels = batch(generator, 2, 8, 8)
    learner = Learner(module, "sigprop:bias=all", input_shape=(2, 8, 8), steps=STEPS, precision="float64", device="cpu")
    learner.load(learner.state())  # averages that a module brings belong to a learner that has learned nothing

    def agree() -> None:
        spikes, read = run(module.eval(), drive)
        fired, scores = spikes_of(learner, drive)
        for there, here in zip(spikes, fired, strict=True):
            assert 0.01 < float(there.mean()) < 0.99
            assert torch.equal(there, here)
        torch.testing.assert_close(read.mean(0), scores, rtol=1e-9, atol=1e-9)

    with torch.no_grad():
        agree()
        before = {key: value.clone() for key, value in module.state_dict().items()}
        for _ in range(4):
            learner.step(drive, labels)
        learner.write_back(module)
        changed = {key for key, value in module.state_dict().items() if not torch.equal(value, before[key])}
        kept = {f"{norm}.{key}" for norm in norms for key in ("weight", "num_batches_tracked")} | {"fc.bias"}
        assert changed == {key for key in before if not key.startswith("lif")} - kept
        agree()


def test_gradients_pass_sums_behind_batch_normalisation(generator: torch.Generator) -> None:
    torch.manual_seed(0)
    module = NormalisedSums().double()
    for norm, epsilon in ((module.norm2, 1e-2), (module.norm3, 0.5)):  # the others have torch's own, 1e-5
        norm.eps = epsilon
        nn.init.uniform_(norm.weight, 0.5, 2.0)
    drive, labels = batch(generator, 2, 8, 8)
    imported = from_module(module, (2, 8, 8), STEPS)
    model = build_model(imported.network, RULES.make("bptt"))
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    learned.parameters.update(imported.parameters)
    ours = learn_trial(model, learned, Series(drive, False), STEPS, labels, generator).gradients

    def neurons(lif: nn.Module, current: Tensor) -> Tensor:
        utils.reset(module)
        return torch.cat([lif(here) for here in current.reshape(STEPS, SAMPLES, *current.shape[1:])])

    rows = drive.flatten(0, 1)  # means and deviations are those of all steps together
    x = neurons(module.lif1, module.norm1(module.conv1(rows)))
    x = neurons(module.lif2, module.norm2(module.conv2(x)) + x)
    x = neurons(module.lif3, module.norm3(module.conv3(x)) + module.norm4(module.skip(x)))
    scores = module.out(x.flatten(1)).reshape(STEPS, SAMPLES, CLASSES).mean(0)
    functional.cross_entropy(scores, labels).backward()
    for key, value in imported.parameters.items():
        for own in module.parameters():
            if key.endswith("w") and torch.equal(own, value):
                torch.testing.assert_close(ours[key], own.grad, rtol=1e-10, atol=1e-13, msg=key)
    assert float(module.conv1.weight.grad.norm()) > 1e-6


@pytest.mark.parametrize("rule", ["forward_forward", "weight_mirroring"])
@pytest.mark.parametrize("name", ["sums of currents", "leaky that reads itself"])
def test_rules_with_passes_of_their_own_learn_on_such_nets(rule: str, name: str, generator: torch.Generator) -> None:
    module, shape = made(name)
    drive, labels = batch(generator, *shape)
    learner = Learner(module, rule, input_shape=shape, steps=STEPS, precision="float64", device="cpu")
    before = {key: value.clone() for key, value in learner.read().items()}
    learner.step(drive, labels)
    assert not torch.equal(learner.read()["hidden1.ff.w"], before["hidden1.ff.w"])


def test_mirrored_weights_of_neurons_that_read_themselves_turn_to_their_own(generator: torch.Generator) -> None:
    module, shape = made("leaky that reads itself")
    drive, labels = batch(generator, *shape)
    learner = Learner(module, "weight_mirroring", input_shape=shape, steps=STEPS, device="cpu", lr=1e-6)
    name = next(key for key in learner.state() if key.endswith("hidden1.rec.w") and "feedback" in key)
    for _ in range(30):
        learner.step(drive.float(), labels)
    own, mirrored = learner.read()["hidden1.rec.w"], learner.state()[name]
    assert float(torch.cosine_similarity(own, mirrored, dim=0)) > 0.99


def test_normalised_currents_reach_neurons_that_read_themselves(generator: torch.Generator) -> None:
    torch.manual_seed(0)
    norm, rlif = nn.BatchNorm1d(24), Recurrent(snntorch.RLeaky).rlif
    module = nn.Sequential(nn.Linear(16, 24), norm, rlif, nn.Linear(24, CLASSES)).double().eval()
    nn.init.uniform_(norm.running_var, 0.01, 0.2)
    drive, _ = batch(generator, 16)
    learner = Learner(module, "bptt", input_shape=(16,), steps=STEPS, precision="float64", device="cpu")
    (spikes,), read = run(module.requires_grad_(False), drive)
    assert 0.01 < float(spikes.mean()) < 0.9
    assert torch.equal(spikes, spikes_of(learner, drive)[0][0])
    torch.testing.assert_close(learner.scores(drive), read.mean(0), rtol=1e-9, atol=1e-9)


def test_functions_do_what_their_layers_do(generator: torch.Generator) -> None:
    class Functions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(16, 12), nn.Linear(12, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(torch.tanh(self.a(x.reshape(x.shape[0], -1).float())))

    module = Functions()
    learner = Learner(module, "bptt", steps=1, input_shape=(4, 4), device="cpu")
    x = torch.rand(1, SAMPLES, 4, 4, generator=generator)
    torch.testing.assert_close(learner.scores(x), module(x[0]).detach())


def test_surrogates_of_snntorch_are_taken_over_from_a_class() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lif = nn.Linear(4, 3), snntorch.Leaky(0.5, spike_grad=surrogate.atan(3.0), init_hidden=True)
            self.out = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.lif(self.fc(x)))

    assert "Atan(alpha=3.0)" in str(from_module(Plain(), None, 2).network.layers[0].neuron)
