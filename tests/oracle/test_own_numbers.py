"""Time constants that differ from neuron to neuron, and numbers that each neuron learns, as options of a neuron."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import neurorules
from neurorules.language.errors import UserError
from neurorules.network.network import build_network
from neurorules.neurons import NEURONS
from neurorules.neurons._learned_numbers import LearningLeaky, LearningSynaptic
from neurorules.neurons._own_numbers import spread_decays

ORDER = {"data": "order:train=600:test=300", "net": "32", "epochs": 6, "batch_size": 32, "lr": 0.01, "threads": 1}


def test_time_constants_grow_by_one_factor_from_the_first_neuron_to_the_last() -> None:
    decays = spread_decays(0.5, 0.98, (7,))
    taus = -1 / decays.log()
    np.testing.assert_allclose(decays[[0, -1]], [0.5, 0.98], rtol=1e-12)
    np.testing.assert_allclose(taus[1:] / taus[:-1], (np.log(0.5) / np.log(0.98)) ** (1 / 6), rtol=1e-12)
    maps = spread_decays(0.98, 0.5, (7, 2, 3))
    assert maps.shape == (7, 2, 3)
    np.testing.assert_allclose(maps, decays.flip(0)[:, None, None].expand(7, 2, 3), rtol=1e-12)
    assert spread_decays(0.5, 0.98, (1,)).tolist() == pytest.approx([0.5])


def test_each_neuron_of_a_net_has_numbers_of_its_own() -> None:
    net = {"neuron": "lif:beta=0.6:beta_to=0.9:reset_delay=true:learn=both", "norm": "none"}
    network = build_network("5-r4", (3,), 2, **net)
    for layer, size in zip(network.hidden, (5, 4), strict=True):
        assert type(layer.neuron) is LearningLeaky and layer.neuron.learned == ("beta", "v_threshold")
        own = layer.neuron.parameters(layer.shape)
        torch.testing.assert_close(own["beta"], spread_decays(0.6, 0.9, (size,)))
        torch.testing.assert_close(own["v_threshold"], torch.ones(size, dtype=torch.float64))
    (hidden,) = build_network("5", (3,), 2, neuron="cuba_lif:beta=0.7:reset_delay=true:learn=beta").hidden
    assert type(hidden.neuron) is LearningSynaptic
    torch.testing.assert_close(hidden.neuron.parameters((5,))["beta"], torch.full((5,), 0.7, dtype=torch.float64))
    rested = build_network("5", (3,), 2, neuron="lif:beta_to=0.5:refractory=2").hidden[0].neuron
    torch.testing.assert_close(rested.neuron.beta, spread_decays(0.9, 0.5, (5,)))


def test_learned_time_constants_solve_what_equal_ones_do_not(tmp_path: Path) -> None:
    accuracies, neuron = {}, "lif:beta=0.5:reset_delay=true"
    for more in ("", ":beta_to=0.98", ":beta_to=0.98:learn=beta"):
        result = neurorules.train("bptt", neuron=neuron + more, out=tmp_path / f"run{more.count(':')}", **ORDER)
        accuracies[more] = result["test_accuracy"]
    assert accuracies[""] < 0.6 and 0.9 < accuracies[":beta_to=0.98"] < accuracies[":beta_to=0.98:learn=beta"]
    learner = neurorules.load(tmp_path / "run2")
    decays = learner.learned.parameters["hidden1.beta"]
    assert decays.shape == (32,) and float((decays - spread_decays(0.5, 0.98, (32,))).abs().min()) > 1e-6
    assert float(decays.min()) >= 0 and float(decays.max()) <= 1.1


@pytest.mark.parametrize(
    ("neuron", "words"),
    [
        ("lif:learn=beta", "learn=beta and reset_delay=false do not go together.* Write reset_delay=true"),
        ("cuba_lif:learn=both:reset_delay=true:refractory=1", "learn=both and refractory=1"),
        ("lif:beta_to=1", "time constant that is 0 or infinite"),
        ("lif:beta=0:beta_to=0.5", "time constant that is 0 or infinite"),
        ("lif:beta_to=0.5:floor=0", "leak and floor do not go together with beta_to and learn"),
        ("lif:learn=tau", "unknown value of neuron 'lif', option 'learn': 'tau'"),
    ],
)
def test_options_that_do_not_fit_are_refused(neuron: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as raised:
        NEURONS.make(neuron)
    assert "\n" not in str(raised.value)


def test_a_rule_that_would_not_teach_them_is_refused() -> None:
    with pytest.raises(UserError, match=r"learns beta, which rule 'stdp' does not teach.* \(learn=nothing;"):
        neurorules.train("stdp", neuron="lif:learn=beta:reset_delay=true", net="8", epochs=1)
