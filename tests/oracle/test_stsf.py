"""STSF by plain loops: a layer's own read-out at each step, sparse feedback, and spikes that come together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from by_hand import CLASSES, SAMPLES, STEPS, Hand, assert_gradients, assert_m, batch, softmax

from neurorules.language.errors import UserError
from neurorules.rules import RULES

X, LABELS = batch()


def taught(rule: str) -> Hand:
    """A net whose layers' own read-outs are not at 0."""
    hand, random = Hand(rule), np.random.default_rng(5)
    for name, size in (("hidden1", 5), ("hidden2", 4)):
        hand.learned.parameters[f"{name}.local_w"] = torch.from_numpy(random.normal(size=(CLASSES, size)))
    return hand


def test_weights_change_where_both_neurons_fire_by_the_error_of_one_class() -> None:
    """He et al. 2025: dw_ij = -sum_t e_c(i)[t] F_i S_i[t] S_j[t], with e of the layer's own read-out."""
    hand = taught("stsf")
    run, found = hand.run(X), hand.trial(X, LABELS)
    for layer, name in enumerate(hand.names):
        sparse = hand.state(f"{name}.sparse")
        size = sparse.shape[1]
        assert ((sparse != 0).sum(0) == 1).all() and np.abs(sparse).max() <= np.sqrt(CLASSES / size)
        own, bias = hand.parameter(f"{name}.local_w"), hand.parameter(f"{name}.local_b")
        change, m = np.zeros_like(hand.weights(name)), np.zeros((STEPS, SAMPLES, size))
        for t, b in np.ndindex(STEPS, SAMPLES):
            s = run.s[layer][t, b]
            error = (softmax(own @ s + bias) - np.eye(CLASSES)[LABELS[b]]) / STEPS
            for i in range(size):
                (c,) = np.flatnonzero(sparse[:, i])
                m[t, b, i] = error[c] * sparse[c, i]
                change[i] += m[t, b, i] * s[i] * run.pre[layer][t, b]
        assert_m(found, name, m)
        assert_gradients(found, {f"{name}.ff.w": change / SAMPLES})


@pytest.mark.parametrize("errors", ["step", "trial"])
def test_with_the_read_outs_own_weights_as_feedback_its_m_is_that_of_local_readout(errors: str) -> None:
    hands = [taught(rule) for rule in (f"stsf:errors={errors}", f"local_readout:errors={errors}")]
    for name in hands[0].names:
        hands[0].learned.signal[f"{name}.sparse"] = hands[0].learned.parameters[f"{name}.local_w"].clone()
    found, other = (hand.trial(X, LABELS) for hand in hands)
    for name in hands[0].names:
        assert_m(found, name, other.third_factors[name].over_time(STEPS).numpy())
        for own in ("local_w", "local_b"):
            assert torch.equal(found.gradients[f"{name}.{own}"], other.gradients[f"{name}.{own}"])


def test_a_dead_layer_stays_dead() -> None:
    hand = taught("stsf")
    hand.learned.parameters["hidden2.b"] -= 100.0
    found = hand.trial(X, LABELS)
    assert found.third_factors["hidden2"].values.any() and found.gradients["hidden1.ff.w"].any()
    assert not found.gradients["hidden2.ff.w"].any() and not found.gradients["hidden2.b"].any()


@pytest.mark.parametrize("text", ["stsf:feedback=dense", "stsf:errors=never"])
def test_options_that_there_are_not_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as refused:
        RULES.make(text)
    assert "\n" not in str(refused.value) and "stsf" in str(refused.value)
