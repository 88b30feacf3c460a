"""Every kind of neuron that is taken over from snnTorch, with every reset: its spikes, both ways, and its gradients."""

from __future__ import annotations

import pytest
import snntorch
import torch
from snntorch import surrogate, utils
from torch import Tensor, nn
from torch.nn import functional

from neurorules import Learner
from neurorules.language.errors import UserError
from neurorules.surrogates import FastSigmoid
from neurorules.torch_path.snntorch.populations import Spike

STEPS, SAMPLES, CLASSES, WIDTH = 12, 16, 4, 24
BETAS, ALPHAS = torch.linspace(0.3, 0.8, WIDTH), torch.linspace(0.85, 0.95, WIDTH)
THRESHOLDS = torch.linspace(0.2, 0.5, WIDTH)
KINDS = {
    "leaky": lambda **options: snntorch.Leaky(BETAS, THRESHOLDS, **options),
    "lapicque": lambda **options: snntorch.Lapicque(R=2.0, C=4.0, threshold=0.2, **options),
    "synaptic": lambda **options: snntorch.Synaptic(ALPHAS, BETAS, THRESHOLDS, **options),
    "alpha": lambda **options: snntorch.Alpha(ALPHAS, BETAS, THRESHOLDS, **options),
    "rleaky": lambda **options: snntorch.RLeaky(0.75, linear_features=WIDTH, threshold=0.4, **options),
    "rsynaptic": lambda **options: snntorch.RSynaptic(0.5, 0.75, linear_features=WIDTH, threshold=0.4, **options),
}


class Handed(nn.Module):
    """A hidden layer that keeps its states itself, a second one that is handed them, and a linear read-out."""

    def __init__(self, kind: str, **options: object) -> None:
        super().__init__()
        self.fc1, self.one = nn.Linear(16, WIDTH), KINDS[kind](init_hidden=True, **options)
        self.fc2, self.two = nn.Linear(WIDTH, WIDTH), KINDS[kind](**options)
        self.out = nn.Linear(WIDTH, CLASSES)

    def current(self, x: Tensor) -> Tensor:
        return self.fc2(self.one(self.fc1(x)))


class OneState(Handed):
    def forward(self, x: Tensor, mem: Tensor | None = None) -> tuple[Tensor, ...]:
        spikes, mem = self.two(self.current(x), mem)
        return self.out(spikes), mem


class TwoStates(Handed):
    def forward(self, x: Tensor, syn: Tensor | None = None, mem: Tensor | None = None) -> tuple[Tensor, ...]:
        spikes, syn, mem = self.two(self.current(x), syn, mem)
        return self.out(spikes), syn, mem


class ThreeStates(Handed):
    def forward(
        self, x: Tensor, exc: Tensor | None = None, inh: Tensor | None = None, mem: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        spikes, exc, inh, mem = self.two(self.current(x), exc, inh, mem)
        return self.out(spikes), exc, inh, mem


class RecurrentOne(Handed):
    def forward(self, x: Tensor, spk: Tensor | None = None, mem: Tensor | None = None) -> tuple[Tensor, ...]:
        spk, mem = self.two(self.current(x), spk, mem)
        return self.out(spk), spk, mem


class RecurrentTwo(Handed):
    def forward(
        self, x: Tensor, spk: Tensor | None = None, syn: Tensor | None = None, mem: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        spk, syn, mem = self.two(self.current(x), spk, syn, mem)
        return self.out(spk), spk, syn, mem


CLASS = {
    "leaky": OneState, "lapicque": OneState, "synaptic": TwoStates, "alpha": ThreeStates, "rleaky": RecurrentOne,
    "rsynaptic": RecurrentTwo,
}  # fmt: skip


def made(kind: str, dtype: torch.dtype, **options: object) -> Handed:
    torch.manual_seed(4)
    # snnTorch's own surrogates spike in float32 only.
    own = Spike(FastSigmoid(5.0)) if dtype is torch.float64 else surrogate.fast_sigmoid(slope=5)
    return CLASS[kind](kind, spike_grad=own, **options).to(dtype)


def run(module: nn.Module, drive: Tensor) -> tuple[list[Tensor], Tensor]:
    """Spikes of both layers over time, and what is read out, in torch and snnTorch alone."""
    utils.reset(module)
    fired: list[list[Tensor]] = []
    hooks = []
    for unit in (one for one in module.modules() if isinstance(one, snntorch.SpikingNeuron)):
        into: list[Tensor] = []
        fired.append(into)
        hooks.append(
            unit.register_forward_hook(
                lambda _m, _i, given, into=into: into.append(given[0] if isinstance(given, tuple) else given)
            )
        )
    read, states = [], ()
    for here in drive:
        output = module(here, *states)
        output, *states = output if isinstance(output, tuple) else (output,)
        read.append(output)
    for hook in hooks:
        hook.remove()
    return [torch.stack(spikes) for spikes in fired], torch.stack(read)


def batch(generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    labels = torch.arange(SAMPLES) % CLASSES
    rates = torch.rand(CLASSES, 16, generator=generator)[labels]
    return (torch.rand(STEPS, SAMPLES, 16, generator=generator) < rates).to(dtype) * 2, labels


def learner_of(module: nn.Module, dtype: torch.dtype, rule: str = "bptt") -> Learner:
    precision = "float64" if dtype is torch.float64 else "float32"
    return Learner(module, rule, steps=STEPS, precision=precision, device="cpu", optimizer="sgd", lr=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_spikes_are_those_of_snntorch_there_and_back(
    kind: str, reset: str, dtype: torch.dtype, generator: torch.Generator
) -> None:
    module = made(kind, dtype, reset_mechanism=reset)
    drive, _ = batch(generator, dtype)
    learner = learner_of(module, dtype)
    here = learner.respond(drive)
    spikes, read = run(module.requires_grad_(False), drive)
    # Sums of products round differently here and there in float32: a spike at the threshold may be another one.
    allowed = 0.0 if dtype is torch.float64 else 2e-3
    for there, layer in zip(spikes, here.activity, strict=False):
        assert 0.01 < float(there.mean()) < 0.99
        assert float((there != layer.S.values).double().mean()) <= allowed
    if kind.startswith("r"):
        return
    back, again = run(learner.to_snntorch().requires_grad_(False), drive)
    for there, other in zip(spikes, back, strict=True):
        assert torch.equal(there, other)
    torch.testing.assert_close(read, again)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_autograd(kind: str, reset: str, generator: torch.Generator) -> None:
    module = made(kind, torch.float64, reset_mechanism=reset)
    drive, labels = batch(generator, torch.float64)
    learner = learner_of(module, torch.float64)
    before = {name: value.clone() for name, value in learner.learned.parameters.items()}
    learner.step(drive, labels)
    read = run(module, drive)[1]
    functional.cross_entropy(read.mean(0), labels).backward()
    gain = 0.25 if kind == "lapicque" else 1.0
    for name, linear in {"hidden1.ff.w": module.fc1, "hidden2.ff.w": module.fc2, "readout.ff.w": module.out}.items():
        rate = learner.optimiser.groups[0].rate if name != "readout.ff.w" else None
        change = before[name] - learner.learned.parameters[name]
        expected = linear.weight.grad
        assert expected is not None and float(expected.norm()) > 1e-6
        scale = (1.0 if name == "readout.ff.w" else gain) / (rate or 3e-3)
        torch.testing.assert_close(change * scale, expected, rtol=1e-7, atol=1e-9)


def test_an_alpha_neuron_is_taught_by_local_rules_and_written_back(generator: torch.Generator) -> None:
    module = made("alpha", torch.float64)
    drive, labels = batch(generator, torch.float64)
    for rule in ("sigprop", "dfa"):
        learner = learner_of(module, torch.float64, rule)
        for _ in range(3):
            learner.step(drive, labels)
        learner.write_back(module)
        spikes, read = run(module, drive)
        assert torch.equal(spikes[1], learner.respond(drive).activity[1].S.values)
        torch.testing.assert_close(read.mean(0), learner.scores(drive))
    stepwise = Learner(module, "dfa", steps=STEPS, precision="float64", device="cpu", schedule="by_step")
    with pytest.raises(UserError, match="can be taught only with every step of a trial at once"):
        stepwise.step(drive, labels)
