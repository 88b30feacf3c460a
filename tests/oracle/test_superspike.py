"""SuperSpike by plain loops: potentials, slopes and their filter at every synapse, times the error of each step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from by_hand import CLASSES, SAMPLES, STEPS, Hand, assert_gradients, assert_m, batch, psi, softmax

from neurorules.language.errors import UserError
from neurorules.rules import RULES

X, LABELS = batch()


@pytest.mark.parametrize(("tau_mem", "tau_syn"), [(10.0, 5.0), (3.0, 7.0)])
def test_weights_change_by_the_error_times_a_filtered_eligibility(tau_mem: float, tau_syn: float) -> None:
    """Zenke & Ganguli 2018: dw = -sum_t m alpha * (psi(v) (eps * S_pre)), alpha and eps of one rise and one decay."""
    hand = Hand(
        f"superspike:tau_mem_ms={tau_mem}:tau_syn_ms={tau_syn}",
        neuron="lif:beta=0.8",
        readout_neuron="leaky_readout:beta=0",
    )
    run, found = hand.run(X), hand.trial(X, LABELS)
    e = (softmax(run.s[-1] @ hand.weights("readout").T + hand.parameter("readout.b")) - np.eye(CLASSES)[LABELS]) / STEPS
    mem, syn = math.exp(-1 / tau_mem), math.exp(-1 / tau_syn)
    # The response to one spike k steps ago: what one filter leaves of the other.
    kernel = [sum(syn**j * mem ** (k - j) for j in range(k + 1)) for k in range(STEPS)]
    alpha = [(1 - syn) * (1 - mem) * value for value in kernel]
    for layer, name in enumerate(hand.names):
        m = e @ hand.state(f"{name}.feedback")
        assert_m(found, name, m)
        change = np.zeros_like(hand.weights(name))
        for t, b in np.ndindex(STEPS, SAMPLES):
            for s in range(t + 1):
                potential = sum(kernel[s - r] * run.pre[layer][r, b] for r in range(s + 1))
                change += alpha[t - s] * np.outer(m[t, b] * psi(run.v[layer][s, b]), potential)
        assert_gradients(found, {f"{name}.ff.w": change / SAMPLES})
    assert not any(name.startswith("hidden") and name.endswith(".b") for name in found.gradients)


def test_the_potential_of_a_synapse_is_what_its_spikes_made_of_the_membrane() -> None:
    """In neurons that stay below threshold, v = sum_j w_j (eps * S_j), in the neurons that the rule brings."""
    rule = RULES.make("superspike")
    hand = Hand("superspike", neuron=rule.defaults.neuron, net="5")
    for name, value in hand.learned.parameters.items():
        hand.learned.parameters[name] = value * (0 if name.endswith("b") else 0.005)
    v = hand.trial(X, LABELS).activity[0].v.over_time(STEPS).numpy()
    decays = {e.name: e.decay for e in rule.eligibilities}
    current = potential = np.zeros(X.shape[1:])
    for t in range(STEPS):
        current = decays["current"] * current + X[t]
        potential = decays["potential"] * potential + current
        assert np.abs(v[t]).max() < 1
        np.testing.assert_allclose(v[t], potential @ hand.weights("hidden1").T, rtol=0, atol=1e-5)


def test_no_error_changes_no_bit() -> None:
    """One output alone has a softmax of 1: where the output is as it shall be, nothing changes."""
    hand = Hand("superspike", neuron="lif:beta=0.8", readout_neuron="leaky_readout:beta=0")
    for name in ("readout.ff.w", "readout.b"):
        hand.learned.parameters[name].zero_()
    hand.learned.parameters["readout.b"][1] = 1000.0
    found = hand.trial(X, np.ones_like(LABELS))
    assert all(not found.gradients[f"{name}.ff.w"].any() for name in hand.names)


@pytest.mark.parametrize("text", ["superspike:tau_mem_ms=0", "superspike:dt_ms=-1", "superspike:feedback=uniform"])
def test_options_out_of_range_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as refused:
        RULES.make(text)
    assert "\n" not in str(refused.value) and "superspike" in str(refused.value)
