"""eRBP: errors of the step through a fixed matrix, at presynaptic spikes, within a window of voltages."""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import CLASSES, SAMPLES, STEPS, Hand, assert_gradients, assert_m, batch, softmax

from neurorules.language.errors import UserError
from neurorules.rules import RULES

X, LABELS = batch()


@pytest.mark.parametrize(("low", "high"), [(-0.6, 0.6), (-0.9, 0.3)])
@pytest.mark.parametrize("last_steps", [None, 3])
def test_weights_change_at_spikes_by_the_error_within_the_window(
    low: float, high: float, last_steps: int | None
) -> None:
    hand = Hand(
        f"erbp:low={low}:high={high}",
        neuron="lif:beta=0.8",
        last_steps=last_steps,
        readout_neuron="leaky_readout:beta=0",
    )
    run, found, scored = hand.run(X), hand.trial(X, LABELS), last_steps or STEPS
    outputs = run.s[-1] @ hand.weights("readout").T + hand.parameter("readout.b")
    e = (softmax(outputs) - np.eye(CLASSES)[LABELS]) / scored
    e[: STEPS - scored] = 0
    for layer, name in enumerate(hand.names):
        m = e @ hand.state(f"{name}.feedback")
        assert_m(found, name, m)
        change, bias = np.zeros_like(hand.weights(name)), np.zeros(len(hand.weights(name)))
        for t, b in np.ndindex(STEPS, SAMPLES):
            inside = np.array([low < v - 1 < high for v in run.v[layer][t, b]])
            change += np.outer(m[t, b] * inside, run.pre[layer][t, b])
            bias += m[t, b] * inside
        assert_gradients(found, {f"{name}.ff.w": change / SAMPLES, f"{name}.b": bias / SAMPLES})


def test_a_window_without_end_is_feedback_alignment_in_a_linear_net() -> None:
    hand = Hand("erbp:low=-1e9:high=1e9")
    run, found = hand.run(X), hand.trial(X, LABELS)
    m = found.third_factors["hidden1"].over_time(STEPS).numpy()
    assert_gradients(found, {"hidden1.ff.w": np.einsum("tbo,tbi->oi", m, run.pre[0]) / SAMPLES})


@pytest.mark.parametrize("text", ["erbp:low=1:high=1", "erbp:low=nan", "erbp:high=-2"])
def test_a_window_that_holds_nothing_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as refused:
        RULES.make(text)
    assert "\n" not in str(refused.value) and "'erbp'" in str(refused.value)
