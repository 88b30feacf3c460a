"""Every rule with equations in continuous time learns: those that are told the target do better than frozen layers."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurorules.api import train
from neurorules.brian2_continuous.circuits import CIRCUITS
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import Net
from neurorules.brian2_continuous.parts.neurons import NEURONS, rate
from neurorules.brian2_continuous.parts.plan import samples_only
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.brian2_steps.program import find_cpp_compiler
from neurorules.language.eligibility import Eligibility
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.runs.folder import RunFolder

FORMS = {"pepita": "pepita:form=contrastive"}
MORE_FORMS = [
    "sigprop:loss=l2",
    "sigprop:generator=target_loop",
    "sigprop:loss=contrastive_hebbian:generator=target_loop",
]
NO_CONTROLS = [name for name in CIRCUITS.names() if not RULES.make(name).control]
LEARNING = [FORMS.get(name, name) for name in NO_CONTROLS if RULES.make(name).supervised]
UNSUPERVISED = [name for name in NO_CONTROLS if not RULES.make(name).supervised]
INPUTS, HIDDEN, CLASSES, SAMPLES = 8, 6, 3, 30


@functools.cache
def held_out(rule: str, neuron: str | None = None, net: str = "24") -> float:
    """Validation accuracy on the digits."""
    found = train(rule=rule, path="brian2", net=net, neuron=neuron, epochs=4, validation=300)
    return float(found["validation_accuracy"])


@pytest.mark.skipif(find_cpp_compiler() is None, reason="no C++ compiler")
@pytest.mark.parametrize("rule", [*LEARNING, *MORE_FORMS])
def test_it_beats_the_frozen_control_on_digits(rule: str) -> None:
    assert held_out(rule) > held_out("shallow") + 0.03


@pytest.mark.skipif(find_cpp_compiler() is None, reason="no C++ compiler")
def test_sigprop_beats_the_frozen_control_with_adaptive_units_that_read_themselves() -> None:
    assert held_out("sigprop", "alif", "r24") > held_out("shallow") + 0.03


def alike_for_all_classes(rule: str, out: Path) -> float:
    """Share of the second layer's units whose target stands at the ceiling for every class, after one epoch."""
    train(rule=rule, path="brian2", net="60-60", epochs=1, out=out)
    targets = RunFolder.finished(out).load_weights()["memory2.s"].numpy()  # (classes, units)
    return float((targets.min(0) > 1.99).mean())


@pytest.mark.skipif(find_cpp_compiler() is None, reason="no C++ compiler")
def test_without_its_units_means_the_hebbian_form_makes_all_classes_alike(tmp_path: Path) -> None:
    assert alike_for_all_classes("sigprop:loss=l2:centred=false", tmp_path / "literal") > 0.25
    assert alike_for_all_classes("sigprop:loss=l2", tmp_path / "centred") < 0.05


@pytest.mark.parametrize("rule", [FORMS.get(name, name) for name in CIRCUITS.names()])
def test_declared_eligibilities_are_refused_by_name(rule: str) -> None:
    plan, made = CIRCUITS.make(rule.partition(":")[0]), RULES.make(rule)
    remembering = replace(made, eligibilities=(Eligibility("e", 0.9, "psi(v_post) * S_pre"),))
    net = Net(INPUTS, (HIDDEN,), CLASSES, NEURONS[plan.neuron](), SAMPLES)
    with pytest.raises(UserError, match=f"'{made.name}' declares eligibilities.*--path torch"):
        plan.make(net, remembering, plan.numbers(), np.random.default_rng(0))


@pytest.mark.parametrize("name", CIRCUITS.names())
def test_it_is_a_rule_of_the_same_name(name: str) -> None:
    assert name in RULES.modules


def hidden_weights(name: str, labels: np.ndarray, lr: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the hidden layer before and after some samples."""
    plan = CIRCUITS.make(name)
    settings = {**plan.settings, "lr_hidden": lr, "lr_readout": plan.readout_lr}
    net = Net(INPUTS, (HIDDEN,), CLASSES, NEURONS[plan.neuron](), SAMPLES)
    circuit = plan.make(net, RULES.make(name), settings, np.random.default_rng(0))
    stream = Stream(Interpreted(circuit), circuit, settings)
    before = stream.parameters()["hidden1.ff.w"]
    drawn = np.random.default_rng(1).normal(size=(SAMPLES, INPUTS))
    list(stream.learn(samples_only(labels, CLASSES), lambda positions: drawn[positions], np.ones(SAMPLES)))
    return before, stream.parameters()["hidden1.ff.w"]


@pytest.mark.parametrize("name", UNSUPERVISED)
def test_one_that_is_told_no_target_changes_its_weights_within_bounds_whatever_the_labels(name: str) -> None:
    """It need not beat frozen layers, as on the torch path; but it acts, and sees no label."""
    labels = np.random.default_rng(2).integers(0, CLASSES, SAMPLES)
    before, after = hidden_weights(name, labels, 20.0)
    low, high = RULES.make(name).bounds
    assert np.abs(after - before).max() > 0.1
    assert after.min() >= low
    assert after.max() <= high
    np.testing.assert_array_equal(hidden_weights(name, (labels + 1) % CLASSES, 20.0)[1], after)
    unchanged, still = hidden_weights(name, labels, 0.0)
    np.testing.assert_array_equal(np.clip(unchanged, low, high), still)


def test_stdp_says_that_it_needs_spikes() -> None:
    net = Net(INPUTS, (HIDDEN,), CLASSES, rate(), SAMPLES)
    with pytest.raises(UserError, match="--neuron lif"):
        CIRCUITS.make("stdp").make(net, RULES.make("stdp"), {}, np.random.default_rng(0))
