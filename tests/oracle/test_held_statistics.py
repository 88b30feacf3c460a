"""`bptt:statistics=held` against autograd in which the statistics that the pass used are constants."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
import torch
from test_gradients import assert_same, autograd_gradients
from torch import Tensor
from torch.nn import functional

from neurorules.contracts.series import Series
from neurorules.language.rules import Rule
from neurorules.native import scans
from neurorules.network.initial import initialise
from neurorules.network.layer import Layer, draw_masks
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

STEPS, SAMPLES, CLASSES = 6, 5, 3
NETS = {"12-9": (8,), "c4k3-p2-c3k3v-9": (2, 9, 8), "r10-r8": (8,), "12-r8-6": (8,), "14-d0.3-9-d0.2": (8,)}
NORMS = ("none", "streaming", "batch")
LABELS = torch.tensor([0, 2, 1, 2, 0])


class Held:
    """A net whose running averages have seen a few trials, a batch, and both ways to its gradient."""

    def __init__(self, net: str, norm: str, rule: str, constant: bool = False, neuron: str = "lif:beta=0.8") -> None:
        self.generator = torch.Generator().manual_seed(1)
        self.shape, self.constant = NETS[net], constant
        network = build_network(net, self.shape, CLASSES, neuron=neuron, norm=norm, readout_neuron="leaky_readout")
        self.model: Model = build_model(network, RULES.make(rule))
        self.learned: Learned = initialise(self.model, 3, torch.device("cpu"), torch.float64)
        for name, value in self.learned.parameters.items():
            noise = 0.3 * torch.randn(value.shape, generator=self.generator, dtype=torch.float64)
            self.learned.parameters[name] = noise if name.endswith(".b") else 2 * value
        for _ in range(3):
            self.learned = replace(self.trial(self.draw()).learned, parameters=self.learned.parameters)
        self.drive = self.draw()

    def draw(self) -> Series:
        lead = (SAMPLES,) if self.constant else (STEPS, SAMPLES)
        values = torch.rand(*lead, *self.shape, generator=self.generator, dtype=torch.float64)
        return Series(1.5 * values + 0.2, self.constant)

    def trial(self, drive: Series) -> TrialResult:
        masks = torch.Generator().manual_seed(5)
        return learn_trial(self.model, self.learned, drive, STEPS, LABELS, masks)

    def by_autograd(self) -> dict[str, Tensor]:
        """mean and sigma of the running averages, or of this batch, all of them detached."""
        means = {name.removeprefix("input."): mean.value for name, mean in self.learned.pre.items()}
        masks = draw_masks(self.model.network.layers, SAMPLES, torch.Generator().manual_seed(5))

        def normalise(layer: Layer, current: Tensor) -> tuple[Tensor, Tensor | float]:
            assert layer.normalisation is not None
            if layer.normalisation.reads_batch:
                over = (0, 1) if len(layer.shape) == 1 else (0, 1, 3, 4)
                mean, variance = current.detach().mean(over), current.detach().var(over, correction=0)
            else:
                mean, square = (average.value.flatten() for average in self.learned.current[f"input.{layer.name}"])
                variance = square - mean**2
            gain = (variance + 1e-3) ** -0.5
            here = (-1, *(1,) * (len(layer.shape) - 1))
            return (current - mean.reshape(here)) * gain.reshape(here), gain.reshape(here)

        return autograd_gradients(
            self.model.network, self.learned.parameters, self.drive.over_time(STEPS), LABELS, masks, normalise, means
        )


@pytest.mark.parametrize("constant", [False, True], ids=["varying", "constant"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("net", NETS)
def test_with_statistics_held_bptt_is_the_exact_gradient(net: str, norm: str, constant: bool) -> None:
    case = Held(net, norm, "bptt:statistics=held", constant)
    found = case.trial(case.drive)
    assert all(bool((a.S.values > 0).any()) for a in found.activity[:-1])
    assert_same(found.gradients, case.by_autograd())


@pytest.mark.parametrize("neuron", ["if", "cuba_lif:alpha=0.6", "alif:beta=0.8:kappa=0.3"])
def test_with_statistics_held_bptt_is_exact_through_every_kind_of_membrane(neuron: str) -> None:
    network = Held("12-9", "streaming", "bptt:statistics=held", neuron="lif")
    case = Held("12-9", "streaming", "bptt:statistics=held", neuron=neuron)
    assert network.model.network.layers[0].neuron != case.model.network.layers[0].neuron
    assert_same(case.trial(case.drive).gradients, case.by_autograd())


def test_without_compiled_scans_the_held_gradient_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Held("c4k3-p2-c3k3v-9", "streaming", "bptt:statistics=held")
    fused = case.trial(case.drive).gradients
    monkeypatch.setattr(scans, "serves", lambda _: False)
    assert_same(case.trial(case.drive).gradients, fused)


def test_under_streaming_normalisation_the_default_bptt_is_centred_and_no_exact_gradient() -> None:
    held, moving = (Held("12-9", "streaming", f"bptt:statistics={kind}") for kind in ("held", "moving"))
    moving.learned = replace(moving.learned, parameters=held.learned.parameters)
    here, there = (case.trial(case.drive).gradients["hidden1.ff.w"].flatten() for case in (moving, held))
    assert 0.5 < float(functional.cosine_similarity(here, there, 0)) < 0.999


@pytest.mark.parametrize("net", ["12-9", "r10-r8"])
def test_a_held_gradient_reads_no_averages_that_another_rule_left(net: str) -> None:
    case = Held(net, "streaming", "bptt")
    assert any(bool(average.value.any()) for found in case.learned.update.values() for average in found)
    case.model = build_model(case.model.network, RULES.make("bptt:statistics=held"))
    assert_same(case.trial(case.drive).gradients, case.by_autograd())


def test_what_is_held_leaves_no_averages_of_updates() -> None:
    kinds = {kind: Held("12-9", "streaming", f"bptt:statistics={kind}") for kind in ("held", "moving")}
    assert not kinds["held"].learned.update
    assert set(kinds["moving"].learned.update) == {"input.hidden1.w.0", "input.hidden2.w.0"}


def test_a_text_of_any_rule_may_hold_the_statistics() -> None:
    """through_norm(d) is then d / sigma: written out for one step of direct feedback alignment."""
    own: Rule = RULES.make("dfa")
    texts = tuple(replace(text, statistics="held") for text in own.plasticity)
    case = Held("12-9", "streaming", "dfa")
    case.model = build_model(case.model.network, replace(own, plasticity=texts))
    found = case.trial(case.drive)
    layer, activity = case.model.network.layers[0], found.activity[0]
    mean, square = (average.value for average in case.learned.current["input.hidden1"])
    gain = (square - mean**2 + 1e-3) ** -0.5
    d = found.third_factors["hidden1"].over_time(STEPS) * layer.neuron.psi(activity.v.values) * gain
    s = case.drive.values - case.learned.pre["input.hidden1.ff"].value
    expected = torch.einsum("tbo,tbi->oi", d, s) / SAMPLES
    assert prod(expected.shape) == 96
    torch.testing.assert_close(found.gradients["hidden1.ff.w"], expected, rtol=1e-10, atol=1e-14)
