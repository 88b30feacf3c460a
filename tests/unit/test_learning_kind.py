"""What each rule's connections have to remember, read off its texts."""

from __future__ import annotations

import pytest

from neurorules.network.learning_kind import kind_of
from neurorules.torch_path.training.learner import Learner


@pytest.mark.parametrize(
    ("rule", "neuron", "hidden", "readout"),
    [
        ("bptt", "lif", "backward", "backward"),
        ("eprop", "lif", "eligibility", "eligibility"),  # a reset makes an eligibility each synapse's own
        ("dfa", "lif", "sum", "factorised"),  # the error comes when the trial ends
        ("drtp", "lif", "spike", "factorised"),  # the label is there from the first step
        ("sigprop", "if", "sum", "factorised"),  # the loss is on averages over the trial
        ("stdp", "lif", "spike", "factorised"),
        ("shallow", "lif", "none", "factorised"),
    ],
)
def test_the_texts_say_what_a_connection_remembers(rule: str, neuron: str, hidden: str, readout: str) -> None:
    model = Learner("6", rule, input_shape=(4,), classes=3, device="cpu", neuron=neuron).model
    assert [kind_of(model, layer) for layer in model.network.layers] == [hidden, readout]
