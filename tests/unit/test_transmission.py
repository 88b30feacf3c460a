"""Synapses that transmit a text of their weight: one of two efficacies, or the sign of what they hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neurorules import Learner
from neurorules.brian2_populations.learned import learned_text
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.network.transmission import as_transmitted
from neurorules.rules import RULES
from neurorules.torch_path.training.on_device import folded
from neurorules.torch_path.trial.learn import learn_trial

STEPS, INPUTS = 12, 9
TWO_STATES = "sdsp:efficacy=two_state:j_plus=0.5:j_minus=-0.25"


def samples() -> tuple[Tensor, Tensor]:
    """Spikes (T, B, inputs) and labels (B,)."""
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(STEPS, 6, INPUTS, generator=generator) < 0.4).double(), torch.arange(6) % 3


def model_of(rule: Rule, net: str = "14-r8", norm: str = "none") -> tuple[Model, Learned]:
    """A small net with weights on both sides of one half."""
    network = build_network(net, (INPUTS,), 3, neuron="lif:beta=0.9", norm=norm)
    model = build_model(network, rule)
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    for name in (name for name in learned.parameters if name.startswith("hidden")):
        learned.parameters[name] += 0.4
    return model, learned


def trial(model: Model, learned: Learned, window: int | None = None) -> tuple[Tensor, dict[str, Tensor]]:
    """Scores and gradients of one trial."""
    spikes, labels = samples()
    result = learn_trial(model, learned, Series(spikes, False), STEPS, labels, torch.Generator(), window)
    return result.scores, result.gradients


def test_two_states_drive_a_net_as_weights_of_these_values_do_and_the_text_reads_the_hidden_variable() -> None:
    rule = RULES.make(f"{TWO_STATES}:a=0:b=0")
    model, learned = model_of(rule)
    plain = build_model(model.network, replace(rule, transmits=None))
    sent = as_transmitted(model, learned)
    values = {float(value) for name in ("hidden1.ff.w", "hidden2.rec.w") for value in sent.parameters[name].unique()}
    assert values == {0.5, -0.25} and sent.parameters["readout.ff.w"] is learned.parameters["readout.ff.w"]
    scores, gradients = trial(model, learned)
    expected, others = trial(plain, sent)
    assert torch.equal(scores, expected) and scores.std() > 0
    drift = -rule.constants["drift"] * STEPS * (2 * (learned.parameters["hidden1.ff.w"] > 0.5).double() - 1)
    assert torch.allclose(gradients["hidden1.ff.w"], drift) and not torch.allclose(others["hidden1.ff.w"], drift)


@pytest.mark.parametrize("norm", ["none", "streaming"])
@pytest.mark.parametrize("window", [1, 5])
def test_synapses_transmit_the_same_by_layer_and_in_any_window(norm: str, window: int) -> None:
    rule = replace(RULES.make("eprop"), transmits="sign(w - 0.3) / 4")
    model, learned = model_of(rule, norm=norm)
    (scores, whole), (again, parts) = (trial(model, learned, one) for one in (None, window))
    torch.testing.assert_close(scores, again)
    for name, gradient in whole.items():
        torch.testing.assert_close(gradient, parts[name], rtol=1e-9, atol=1e-12)
        assert gradient.abs().max() > 0


def test_a_net_is_handed_on_with_what_its_synapses_transmit() -> None:
    learner = Learner("10", TWO_STATES, input_shape=(INPUTS,), classes=3, steps=STEPS, norm="none")
    spikes, labels = samples()
    learner.step(spikes.float(), labels)
    weights = learner.learned.parameters["hidden1.ff.w"]
    assert 0 <= weights.min() < 0.5 < weights.max() <= 1 and weights.unique().numel() > 2
    module = learner.to_snntorch()
    first = next(own for own in module.parameters() if own.shape == weights.shape)
    assert torch.equal(first, torch.where(weights > 0.5, 0.5, -0.25))
    bare = folded(learner, {"rule": TWO_STATES, "steps": STEPS})
    torch.testing.assert_close(bare.scores(spikes.float()), learner.scores(spikes.float()))


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"signal": "fa"}, "no slope to learn by, and a signal passes through them"),
        ({"dw": "S_post * dv_dw"}, "a text reads the slope"),
        ({"hardware": "fixed_point"}, "a device's transmit what it stores"),
        ({"rule": "dfa", "init": "bounds"}, "within the bounds of their rule, and rule 'dfa' has none"),
    ],
)
def test_what_has_no_meaning_for_such_synapses_is_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Learner("4", **{"rule": TWO_STATES, "input_shape": (INPUTS,), "classes": 3, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["S_pre * w", "0.5", "psi(w)", "w * dv_dw", "w * unknown"])
def test_a_transmission_is_a_text_of_the_weight_alone(text: str) -> None:
    with pytest.raises(UserError, match="transmits"):
        replace(RULES.make("sdsp"), transmits=text)


def test_a_projection_of_ordinary_brian2_objects_brings_the_text_too() -> None:
    own, plain = (learned_text(replace(RULES.make("stdp"), transmits=text), 1.0) for text in ("w > 0.5", None))
    assert own.transmitted == "int(w > 0.5)" and plain.transmitted == "w"
    assert own.on_pre == plain.on_pre and own.equations == plain.equations
