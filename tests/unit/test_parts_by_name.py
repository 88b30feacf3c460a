"""A part is named by a text or a file; an object in its place is refused in one line, from every door."""

from __future__ import annotations

import pytest

import neurorules
from neurorules.language.errors import UserError
from neurorules.neurons import NEURONS
from neurorules.rules import RULES

SMALL = {"data": "digits", "net": "8", "epochs": 1, "limit": 200}


@pytest.mark.slow  # types are not checked in such tests, as they are not where a user calls these
@pytest.mark.parametrize(
    "door",
    [
        lambda out: neurorules.Learner("8", RULES.make("dfa"), input_shape=(4,), classes=2),
        lambda out: neurorules.train(RULES.make("dfa"), **SMALL),
        lambda out: neurorules.compare(["drtp", RULES.make("dfa")], out, **SMALL),
    ],
    ids=["Learner", "train", "compare"],
)
def test_a_rule_object_is_refused_and_the_way_to_run_it_is_named(door, tmp_path):
    with pytest.raises(UserError, match="is a Rule, and a rule is named by a text.* neurorules new rule NAME$"):
        door(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_objects_are_refused_by_the_name_of_their_setting():
    with pytest.raises(UserError, match="^neuron is a LeakyIntegrator, and a neuron is named by a text"):
        neurorules.train("dfa", neuron=NEURONS.make("lif"), **SMALL)


def test_rules_of_a_comparison_are_a_list_or_one_text(tmp_path):
    one = neurorules.compare("shallow,drtp", tmp_path / "one", controls="none", **SMALL)
    other = neurorules.compare(["shallow", "drtp"], tmp_path / "other", controls="none", **SMALL)
    figures = [[(run["rule"], run["test_accuracy"]) for run in compared["runs"]] for compared in (one, other)]
    assert figures[0] == figures[1]
