"""Soma and dendrite, against a synaptic current of the same filter, a plain loop, and the suite of neurons."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import neurorules
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.neurons import NEURONS
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import learn_trial


def gradients(neuron: str, scale: float, rule: str) -> dict[str, torch.Tensor]:
    """What a rule learns in one trial on a small net whose weights are multiplied by `scale`, and its scores."""
    generator = torch.Generator().manual_seed(0)
    network = build_network("6-r5", (4,), 3, neuron=neuron, norm="none", readout_neuron="leaky_readout:beta=0.5")
    model = build_model(network, RULES.make(rule))
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    hidden = [name for name in learned.parameters if name.startswith("hidden") and name.endswith(".w")]
    for name in hidden:
        rounded = (torch.randn(learned.parameters[name].shape, generator=generator, dtype=torch.float64) * 256).round()
        learned.parameters[name] = 4 * scale * rounded / 256
    drive = (torch.rand(9, 7, 4, generator=generator) < 0.5).double()
    result = learn_trial(model, learned, Series(drive, False), 9, torch.arange(7) % 3, generator)
    return {"scores": result.scores, **{name: result.gradients[name] * scale for name in hidden}}


@pytest.mark.parametrize("rule", ["bptt:statistics=held", "dfa:presynaptic=eligibility"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_without_a_way_back_it_is_a_filtered_current_and_learns_as_that_does(rule: str, reset: str) -> None:
    # v = (beta - coupling) v + coupling d is cuba_lif with weights of a fourth.
    one = gradients(f"two_compartment:beta=0.75:beta_dendrite=0.5:coupling=0.25:back=0:reset={reset}", 1.0, rule)
    other = gradients(f"cuba_lif:alpha=0.5:beta=0.5:reset={reset}", 0.25, rule)
    assert float(one["hidden1.ff.w"].abs().max()) > 1e-3
    for name, values in one.items():
        torch.testing.assert_close(values, other[name], rtol=1e-9, atol=1e-12)


def test_soma_and_dendrite_follow_a_plain_loop() -> None:
    draws = 0.5 * np.random.default_rng(0).standard_normal(200) + 0.1
    neuron = NEURONS.make("two_compartment:beta=0.9:beta_dendrite=0.8:coupling=0.3:back=0.1:back_spike=0.4")
    state, soma, dendrite, spike, fired = neuron.initial(torch.zeros(1, dtype=torch.float64)), 0.0, 0.0, 0.0, 0.0
    for current in draws:
        out, seen, state = neuron.step(state, torch.tensor([current], dtype=torch.float64))
        dendrite = 0.8 * dendrite + 0.1 * (soma - dendrite) + 0.4 * spike + current
        soma = 0.9 * soma + 0.3 * (dendrite - soma)
        assert float(seen.v) == pytest.approx(soma, abs=1e-12) and float(state.dendrite) == pytest.approx(dendrite)
        spike = float(soma > 1)
        soma, fired = soma - spike, fired + spike
        assert float(out) == spike
    assert 5 < fired < 100
    # Eligibilities take what is left of the dendrite in a step: its leak, and what it gives to the soma.
    more = neuron.step(state._replace(dendrite=state.dendrite + 1), torch.zeros(1, dtype=torch.float64))[2]
    less = neuron.step(state, torch.zeros(1, dtype=torch.float64))[2]
    assert float(more.dendrite - less.dendrite) == pytest.approx(neuron.current_decay, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("beta=0.2:coupling=0.3", "coupling=0.3 takes more of a potential than beta=0.2 leaves. Give at most 0.2"),
        ("beta_dendrite=0.1:back=0.3", "back=0.3 takes more of a potential than beta_dendrite=0.1"),
        ("coupling=0", "coupling is 0"),
    ],
)
def test_a_compartment_that_gives_more_than_it_has_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        NEURONS.make(f"two_compartment:{text}")


def test_a_net_of_it_learns_digits() -> None:
    settings = {"neuron": "two_compartment", "steps": 8, "net": "32", "epochs": 3, "threads": 1}
    accuracies = {rule: neurorules.train(rule, **settings)["test_accuracy"] for rule in ("bptt", "sigprop", "shallow")}
    assert min(accuracies["bptt"], accuracies["sigprop"]) > accuracies["shallow"] + 0.05, accuracies
