"""Dendritic prediction: the paper's soma of conductances by plain loops, and where learning comes to rest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from by_hand import SAMPLES, STEPS, Array, Hand, batch

from neurorules.language.errors import UserError
from neurorules.rules import RULES

X, LABELS = batch()
G_LEAK, G_DENDRITE = 0.1, 2.0
PHI_MAX, K = 0.15, 0.5


def phi(u: float, beta: float) -> float:
    """The paper's rate of a soma, per ms."""
    return PHI_MAX / (1 + K * math.exp(beta * (1 - u)))


def h(v: float, beta: float) -> float:
    """The derivative of log phi, by central differences."""
    return (math.log(phi(v + 1e-6, beta)) - math.log(phi(v - 1e-6, beta))) / 2e-6


def soma(v: float, conductance: float, reversal: float) -> float:
    """Where the currents of leak (which rests at 0), dendrite and teacher are in balance; without a teacher it is v."""
    dendrite = v * (G_LEAK + G_DENDRITE) / G_DENDRITE
    return (G_DENDRITE * dendrite + conductance * reversal) / (G_LEAK + G_DENDRITE + conductance)


@pytest.mark.parametrize(("conductance", "beta", "dt"), [(2.1, 5.0, 5.0), (0.5, 2.0, 1.0)])
def test_weights_change_by_what_the_dendrite_does_not_predict(conductance: float, beta: float, dt: float) -> None:
    """Urbanczik & Senn 2014: dw = (phi(U) - phi(V)) h(V) PSP, U of a soma with a conductance of its teacher."""
    nudge = conductance / (conductance + G_LEAK + G_DENDRITE)
    hand = Hand(f"urbanczik_senn:nudge={nudge!r}:beta={beta}:dt_ms={dt}", neuron="lif:beta=0.8")
    run, found = hand.run(X), hand.trial(X, LABELS)
    mem, syn = math.exp(-dt / 10), math.exp(-dt / 3)
    for layer, name in enumerate(hand.names):
        teacher, v = hand.state(f"{name}.feedback"), run.v[layer]
        change, bias = np.zeros_like(hand.weights(name)), np.zeros(v.shape[-1])
        for b, i in np.ndindex(SAMPLES, v.shape[-1]):
            reversal = 14 / 3 if teacher[LABELS[b], i] > 0 else -1 / 3
            current = psp = np.zeros(run.pre[layer].shape[-1])
            for t in range(STEPS):
                current = syn * current + run.pre[layer][t, b]
                psp = mem * psp + current
                here = float(v[t, b, i])
                u = soma(here, conductance, reversal)
                induction = dt * (phi(u, beta) - phi(here, beta)) * h(here, beta)
                change[i] += induction * psp
                bias[i] += induction
        expected = {f"{name}.ff.w": change / SAMPLES, f"{name}.b": bias / SAMPLES}
        # h by differences is good to nine digits or so
        for key, value in expected.items():
            np.testing.assert_allclose(found.gradients[key].numpy(), -value, rtol=1e-6, atol=1e-8, err_msg=key)


@pytest.mark.parametrize("nudge", [0.2, 1.0])
def test_learning_rests_where_the_dendrite_predicts_the_soma(nudge: float) -> None:
    """V = U needs V = E whatever the share of the teacher: each neuron comes to the potential that it is taught."""
    hand = Hand(f"urbanczik_senn:nudge={nudge}:e_exc=1.3:e_inh=0.6:beta=1", net="5", neuron="lif:beta=0:reset=none")
    for name in ("hidden1.ff.w", "hidden1.b"):
        hand.learned.parameters[name] *= 0.3
    x = np.broadcast_to(np.eye(SAMPLES, X.shape[-1]), X.shape).copy()
    wanted = np.where(hand.state("hidden1.feedback")[LABELS] > 0, 1.3, 0.6)

    def step() -> tuple[Array, float]:
        found = hand.trial(x, LABELS)
        for name in ("hidden1.ff.w", "hidden1.b"):
            hand.learned.parameters[name] = hand.learned.parameters[name] - 1.0 / nudge * found.gradients[name]
        return found.activity[0].v.over_time(STEPS).numpy(), float(found.gradients["hidden1.ff.w"].abs().max())

    before, moved = step()
    for _ in range(80):
        after, rests = step()
    assert np.abs(before - wanted).max() > 0.5 and moved > 0.05 * nudge
    np.testing.assert_allclose(after, np.broadcast_to(wanted, after.shape), atol=2e-3)
    assert rests < 1e-3


@pytest.mark.parametrize("text", ["nudge=0", "nudge=1.1", "beta=0", "dt_ms=-1", "e_exc=-1", "e_inh=nan"])
def test_options_out_of_range_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as refused:
        RULES.make(f"urbanczik_senn:{text}")
    assert "\n" not in str(refused.value) and "urbanczik_senn" in str(refused.value)
