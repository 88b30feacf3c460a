"""Every rule with equations in continuous time learns: its hidden layers do better than frozen ones."""

from __future__ import annotations

import pytest

from neurorules.api import train
from neurorules.brian2_path.circuits import CIRCUITS
from neurorules.brian2_path.program import find_cpp_compiler
from neurorules.rules import RULES

FORMS = {"pepita": "pepita:form=contrastive"}
LEARNING = [FORMS.get(name, name) for name in CIRCUITS.names() if not RULES.make(name).control]


def held_out(rule: str) -> float:
    """Validation accuracy on the digits."""
    found = train(rule=rule, path="brian2", net="24", epochs=4, validation=300)
    return float(found["validation_accuracy"])


@pytest.mark.skipif(find_cpp_compiler() is None, reason="no C++ compiler")
@pytest.mark.parametrize("rule", LEARNING)
def test_it_beats_the_frozen_control_on_digits(rule: str) -> None:
    assert held_out(rule) > held_out("shallow") + 0.03


@pytest.mark.parametrize("name", CIRCUITS.names())
def test_it_is_a_rule_of_the_same_name(name: str) -> None:
    assert name in RULES.modules
