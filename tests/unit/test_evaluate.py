"""What a run's last pass counts: correct answers, spikes and synaptic operations, and neurons that stay silent."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurorules.encoders import open_encoder
from neurorules.torch_path.training.batches import Part
from neurorules.torch_path.training.evaluate import evaluate
from neurorules.torch_path.training.learner import Learner

SAMPLES, CLASSES = 7, 3


def part(steps: int) -> Part:
    images = np.random.default_rng(0).integers(0, 256, (SAMPLES, 1, 3, 4)).astype(np.uint8)
    encoder = open_encoder("constant", "images").fit(images)
    labels = np.arange(SAMPLES, dtype=np.int64) % CLASSES
    return Part(encoder.prepare(images, steps, None), labels, encoder, steps)


@pytest.mark.parametrize(
    ("rule", "steps", "spiking"),
    [("sigprop", 5, True), ("bptt", 5, True), ("bsp", 1, False), ("pepita:neurons=rate", 1, False)],
)
def test_counts_are_those_of_the_outputs(rule: str, steps: int, spiking: bool) -> None:
    learner = Learner("9-6", rule=rule, steps=steps, input_shape=(1, 3, 4), classes=CLASSES, device="cpu")
    given = part(steps)
    found = evaluate(learner, given)
    drive, labels = given.batch(np.arange(SAMPLES), torch.Generator())
    response = learner.respond(drive)
    outputs = [activity.S.values for activity in response.activity[:2]]
    events = [float((output if spiking else output != 0).sum()) for output in outputs]
    assert all(count > 0 for count in events)
    assert found.accuracy == pytest.approx(float((response.scores.argmax(1) == labels).double().mean()))
    assert found.spikes_per_sample == pytest.approx(sum(events) / SAMPLES if spiking else 0)
    assert found.synops_per_sample == pytest.approx((events[0] * 6 + events[1] * CLASSES) / SAMPLES)
    assert list(found.mean_rates.values()) == pytest.approx([float(output.mean()) for output in outputs], abs=1e-6)
    silent = [float((output.abs().sum((0, 1)) == 0).double().mean()) for output in outputs]
    assert list(found.silent.values()) == pytest.approx(silent)
