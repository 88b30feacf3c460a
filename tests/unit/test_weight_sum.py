"""Column normalisation: the absolute weights of each hidden neuron keep one sum, at the start and after each update."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neurorules import Learner
from neurorules.torch_path.training.store import Store
from neurorules.torch_path.update.weight_sum import with_sum


def learner_of(rule: str, **settings: object) -> Learner:
    """A small convolutional net, whose second layer is recurrent."""
    shared = {"input_shape": (1, 6, 6), "classes": 3, "steps": 5, "lr": 0.1, "readout_lr": 0.1}
    return Learner("c2k3-r5", rule, **{**shared, **settings})  # type: ignore[arg-type]


def sums(learner: Learner) -> dict[str, Tensor]:
    """The sum of the absolute weights of each neuron or map, by the name of the weights."""
    weights = {name: w for name, w in learner.learned.parameters.items() if name.endswith(".w")}
    return {name: w.flatten(1).abs().sum(1) for name, w in weights.items()}


@pytest.mark.parametrize("rule", ["dfa", "triplet_stdp", "shallow"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_weights_of_each_hidden_neuron_keep_their_sum(rule: str, optimizer: str) -> None:
    learner = learner_of(rule, optimizer=optimizer, weight_sum=3.0)
    generator = torch.Generator().manual_seed(0)
    begun = learner.learned.parameters["hidden1.ff.w"].clone()
    for _ in range(3):
        found = sums(learner)
        assert set(found) == {"hidden1.ff.w", "hidden2.ff.w", "hidden2.rec.w", "readout.ff.w"}
        for name in found.keys() - {"readout.ff.w"}:
            torch.testing.assert_close(found[name], torch.full_like(found[name], 3.0))
        spikes = (torch.rand(5, 4, 1, 6, 6, generator=generator) < 0.5).float()
        learner.step(spikes, torch.tensor([0, 1, 2, 0]))
    assert (rule == "shallow") == torch.equal(learner.learned.parameters["hidden1.ff.w"], begun)


def test_an_update_is_scaled_and_then_clipped_and_without_weights_a_neuron_stays_silent() -> None:
    weights = torch.tensor([[0.0, 0.0], [3.0, -1.0]], dtype=torch.float64)
    scaled = with_sum(weights, 2.0)
    assert torch.equal(scaled, torch.tensor([[0.0, 0.0], [1.5, -0.5]], dtype=torch.float64))
    learner = learner_of("stdp", weight_sum=40.0)
    assert all(w.abs().max() <= 1 for name, w in learner.learned.parameters.items() if name.startswith("hidden"))


def test_an_update_that_is_called_off_scales_nothing() -> None:
    learner = learner_of("dfa")
    own, store = learner.learned.parameters, learner.store
    late = Store(learner.model, own, learner.optimiser, frozenset(), None, 0, weight_sum=3.0)
    own["hidden1.ff.w"].mul_(3)
    before = own["hidden1.ff.w"].clone()
    gradients = {"hidden1.ff.w": torch.ones_like(before)}
    late.change([(gradients, 1.0)], unless=torch.tensor(True))
    assert torch.equal(own["hidden1.ff.w"], before) and store.weight_sum is None
    late.change([(gradients, 1.0)], unless=torch.tensor(False))
    torch.testing.assert_close(own["hidden1.ff.w"].flatten(1).abs().sum(1), torch.full((2,), 3.0))
