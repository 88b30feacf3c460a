"""Decays and thresholds that snnTorch learns, and scores that count spikes: gradients are those of autograd."""

from __future__ import annotations

import pytest
import snntorch
import torch
from snntorch import utils
from torch import Tensor, nn
from torch.nn import functional

from neurorules import Learner
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.rules import RULES
from neurorules.surrogates import FastSigmoid
from neurorules.torch_path.snntorch.from_module import from_module
from neurorules.torch_path.snntorch.populations import Spike
from neurorules.torch_path.trial.learn import learn_trial

STEPS, SAMPLES, CLASSES = 8, 12, 4
OPTIONS = {"spike_grad": Spike(FastSigmoid(5.0)), "init_hidden": True}
BOTH = {"learn_beta": True, "learn_threshold": True}


def leaky(reset: str) -> nn.Module:
    return snntorch.Leaky(torch.linspace(0.5, 0.9, 24), threshold=0.5, reset_mechanism=reset, **BOTH, **OPTIONS)


def recurrent(reset: str) -> nn.Module:
    return snntorch.RLeaky(0.75, threshold=0.5, linear_features=24, reset_mechanism=reset, **BOTH, **OPTIONS)


def synaptic(reset: str) -> nn.Module:
    return snntorch.Synaptic(0.5, 0.75, torch.linspace(0.4, 0.8, 24), reset_mechanism=reset, **BOTH, **OPTIONS)


def lapicque(reset: str) -> nn.Module:
    return snntorch.Lapicque(R=2.0, C=4.0, threshold=0.2, reset_mechanism=reset, learn_threshold=True, **OPTIONS)


def beyond(reset: str) -> nn.Module:
    betas = torch.tensor([1.25] * 12 + [0.75] * 12)
    return snntorch.Leaky(betas, threshold=0.5, reset_mechanism=reset, **BOTH, **OPTIONS)


KINDS = {"leaky": leaky, "recurrent": recurrent, "synaptic": synaptic, "lapicque": lapicque, "beyond 1": beyond}


def net(kind: str, reset: str = "subtract", last: str = "subtract") -> nn.Sequential:
    """Two hidden layers and a read-out that spikes; all of them learn numbers of their own."""
    torch.manual_seed(3)
    module = nn.Sequential(
        nn.Linear(16, 24), KINDS[kind](reset), nn.Linear(24, 20), snntorch.Leaky(0.5, threshold=0.3, **BOTH, **OPTIONS),
        nn.Linear(20, CLASSES),
        snntorch.Leaky(0.8, threshold=0.3, reset_mechanism=last, output=True, **BOTH, **OPTIONS),
    ).double()  # fmt: skip
    with torch.no_grad():
        for value in module.parameters():
            if value.ndim == 2:
                value.copy_((value * 2 * 256).round() / 256)
    return module


def batch(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    labels = torch.arange(SAMPLES) % CLASSES
    rates = torch.rand(CLASSES, 16, generator=generator)[labels]
    return (torch.rand(STEPS, SAMPLES, 16, generator=generator) < rates).double(), labels


def run(module: nn.Sequential, drive: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and membranes of the last layer, in torch and snnTorch alone."""
    utils.reset(module)
    returned = [module(here) for here in drive]
    return torch.stack([one[0] for one in returned]), torch.stack([one[1] for one in returned])


@pytest.mark.parametrize("scores", ["membrane", "count"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_learned_numbers_are_those_of_autograd(
    kind: str, reset: str, scores: str, generator: torch.Generator
) -> None:
    module = net(kind, reset, "none" if reset == "zero" and scores == "count" else "subtract")
    drive, labels = batch(generator)
    imported = from_module(module, None, STEPS, scores)  # type: ignore[arg-type]
    model = build_model(imported.network, RULES.make("bptt"), scores=scores)  # type: ignore[arg-type]
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    learned.parameters.update(imported.parameters)
    result = learn_trial(model, learned, Series(drive, False), STEPS, labels, generator)
    spikes, membranes = run(module, drive)
    read = spikes.sum(0) if scores == "count" else membranes.mean(0)
    torch.testing.assert_close(result.scores, read, rtol=1e-12, atol=1e-12)
    functional.cross_entropy(read, labels).backward()
    places = {"hidden1": 0, "hidden2": 2, "readout": 4}
    checked = 0
    for layer, place in places.items():
        numbers = {"beta": "beta", "v_threshold": "threshold"}
        for ours, theirs in numbers.items():
            own = getattr(module[place + 1], theirs)
            if f"{layer}.{ours}" not in result.gradients:
                continue
            assert own.grad is not None
            torch.testing.assert_close(result.gradients[f"{layer}.{ours}"], own.grad, rtol=1e-9, atol=1e-12)
            checked += float(own.grad.norm()) > 1e-6
        gain = 0.25 if kind == "lapicque" and layer == "hidden1" else 1.0
        weight = module[place].weight.grad
        torch.testing.assert_close(result.gradients[f"{layer}.ff.w"] * gain, weight, rtol=1e-9, atol=1e-12)
    assert checked >= (4 if kind == "lapicque" else 5)


@pytest.mark.parametrize("rule", ["bptt", "dfa", "sigprop", "drtp:presynaptic=spike"])
def test_a_net_that_learned_numbers_of_its_own_spikes_in_snntorch_as_it_does_here(
    rule: str, generator: torch.Generator
) -> None:
    module = net("leaky")
    drive, labels = batch(generator)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    learner = Learner(module, rule, steps=STEPS, precision="float64", device="cpu", optimizer="sgd", lr=0.02)
    for _ in range(3):
        learner.step(drive, labels)
    exported = learner.to_snntorch()
    learner.write_back(module)
    for place in (1, 3, 5):
        for name in ("beta", "threshold"):
            assert not torch.equal(before[f"{place}.{name}"], module.state_dict()[f"{place}.{name}"]), (place, name)
    response = learner.respond(drive)
    for other in (module, exported):
        spikes, membranes = run(other.requires_grad_(False), drive)  # type: ignore[arg-type]
        assert float(spikes.mean()) > 0.01
        assert torch.equal(spikes, response.activity[-1].S.values)
        torch.testing.assert_close(membranes.mean(0), response.scores, rtol=1e-9, atol=1e-9)
    again = Learner(module, rule, steps=STEPS, precision="float64", device="cpu")
    assert torch.equal(again.respond(drive).scores, response.scores)
    frozen = net("leaky")
    frozen[1].beta.requires_grad_(False)
    learner = Learner(frozen, rule, steps=STEPS, precision="float64", device="cpu", optimizer="sgd", lr=0.02)
    learner.step(drive, labels)
    assert torch.equal(learner.learned.parameters["hidden1.beta"], before["1.beta"])
    assert not torch.equal(learner.learned.parameters["hidden1.v_threshold"], before["1.threshold"])


def test_rules_and_schedules_that_do_not_teach_numbers_say_so(generator: torch.Generator) -> None:
    with pytest.raises(UserError, match="layer 'hidden1' learns beta, which rule 'stdp' does not teach"):
        Learner(net("leaky"), "stdp", steps=STEPS, precision="float64", device="cpu")
    learner = Learner(net("leaky"), "dfa", steps=STEPS, precision="float64", device="cpu", schedule="by_step")
    with pytest.raises(UserError, match="layer 'hidden1' can be taught only with every step"):
        learner.step(*batch(generator))
    shallow = Learner(net("leaky"), "shallow", steps=STEPS, precision="float64", device="cpu")
    before = shallow.learned.parameters["hidden1.beta"].clone()
    shallow.step(*batch(generator))
    assert torch.equal(shallow.learned.parameters["hidden1.beta"], before)


def test_spikes_are_counted_of_a_read_out_that_sends_some(generator: torch.Generator) -> None:
    with pytest.raises(UserError, match="its neuron sends none"):
        Learner("8", "bptt", input_shape=(16,), classes=4, scores="count", device="cpu")
    for rule in ("sigprop:predict=prototypes", "spiking_bsp"):
        with pytest.raises(UserError, match="reads out in a way of its own"):
            Learner("8", rule, input_shape=(16,), classes=4, scores="count", readout_neuron="lif", device="cpu")
    options = {"input_shape": (16,), "classes": 4, "steps": STEPS, "device": "cpu", "readout_neuron": "lif"}
    learner = Learner("24", "dfa", scores="count", lr=0.01, **options)
    drive, labels = batch(generator)
    losses = [learner.step(drive, labels)["loss"] for _ in range(40)]
    response = learner.respond(drive)
    assert torch.equal(response.scores, response.activity[-1].S.values.sum(0))
    assert losses[-1] < 0.7 * losses[0], losses
    by_step = Learner("24", "dfa", scores="count", schedule="by_step", precision="float64", norm="none", **options)
    whole = Learner("24", "dfa", scores="count", precision="float64", norm="none", **options)
    for one in (by_step, whole):
        one.step(drive, labels)
    for name, value in whole.learned.parameters.items():
        torch.testing.assert_close(by_step.learned.parameters[name], value, rtol=1e-9, atol=1e-12)
