"""Forms of rules that the suites over the registry do not see, and what only long trainings tell."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from neurorules.audit import audit_rules
from neurorules.conformance import SUITES
from neurorules.conformance.rule import changes_add_up_over_the_samples_of_a_batch
from neurorules.conformance.suite import Entry, run_check
from neurorules.conformance.training import digits_accuracies
from neurorules.datasets import open_dataset
from neurorules.rules import RULES

NAMES = RULES.names()
FORMS = [
    "sigprop:form=voltage", "sigprop:embedding=class_means", "sigprop:embedding=fixed", "sigprop:targets=codes",
    "sigprop:generator=target_input", "sigprop:generator=target_loop", "sigprop:predict=prototypes",
    "pepita:form=time_local", "pepita:form=dendritic", "pepita:mirror=running", "pepita:init=class_means",
    "pepita:neurons=rate:mirror=layers", "local_readout:readouts=fixed", "bsp:method=fixed_points", "bsp:method=both",
]  # fmt: skip
NOT_MEASURED = {"local_readout:readouts=fixed": {"local_readout"}}
"""No disturbance tells a random read-out that does not learn from feedback."""
AUDITS = {
    "rule": ("what_it_declares_is_what_perturbation_shows", "m_is_available_when_its_signal_says"),
    "signal": ("it_reads_what_its_needs_buy_and_perturbation_shows_the_same",),
}
CASES = [(kind, name) for kind in AUDITS for name in SUITES[kind].registry.names()]


@cache
def audit() -> dict[str, list[dict[str, Any]]]:
    """The locality audit of every rule, measured together in one process; the checks below ask for it again."""
    return audit_rules([*NAMES, *FORMS])


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_an_entry_declares_is_what_perturbation_shows(kind: str, name: str) -> None:
    audit()
    suite = SUITES[kind]
    outcomes = [run_check(one, Entry(suite.registry, name)) for one in suite.checks if one.__name__ in AUDITS[kind]]
    assert outcomes[0].status == "passed", outcomes[0].reason
    # Without a signal, or in trials of one step, there is no m whose time could be asked for.
    without = kind == "rule" and (RULES.make(name).signal is None or RULES.make(name).defaults.steps == 1)
    assert all(outcome.status == ("left out" if without else "passed") for outcome in outcomes[1:]), outcomes


@pytest.mark.parametrize("name", FORMS)
def test_what_a_form_declares_is_what_perturbation_shows(name: str) -> None:
    fact = next(fact for fact in audit()["facts"] if fact["rule"] == name)
    applies = any(phase.applies for phase in RULES.make(name).phases)
    declared = set(fact["declared_needs"]) - NOT_MEASURED.get(name, set())
    # A second pass meets weights that the first pass has changed, by all samples: the rule's doing, not its signal's.
    assert set(fact["needs"]) - ({"batch_pool"} if applies else set()) == declared
    assert fact["state_moves"] == [] and not fact["hidden_memory"]


@pytest.mark.parametrize("form", ["surrogate", "voltage"])
def test_sigprop_with_codes_adds_up_over_the_rows_of_a_batch(form: str) -> None:
    # Prototypes are rows of their own, which see a sum over the samples; codes are not.
    changes_add_up_over_the_samples_of_a_batch(Entry(RULES, f"sigprop:targets=codes:form={form}"))


@pytest.mark.slow
def test_the_sign_of_pepitas_projection_decides() -> None:
    # x + F e moves a sample away from its own class where F holds class means: only against them is that descent.
    along, against = (
        digits_accuracies(f"pepita:form=dendritic:init=class_means:sign={sign}", seeds=2) for sign in ("plus", "minus")
    )
    frozen = digits_accuracies("pepita", 3, control=True)
    assert max(along) < min(frozen) - 0.2
    assert min(against) > max(frozen) + 0.1


@pytest.mark.slow
def test_pepita_learns_nothing_from_another_samples_error() -> None:
    rule = "pepita:form=dendritic:init=class_means:sign=minus"
    own, other = digits_accuracies(rule, 2), digits_accuracies(rule, 2, epochs=6, batch_size=32, targets="shuffled")
    assert min(own) > max(other) + 0.1


@pytest.mark.slow
def test_sigprop_learns_from_one_sample_at_a_time() -> None:
    settings = {"seeds": 2, "epochs": 1, "batch_size": 1, "limit": 400}
    frozen = digits_accuracies("sigprop", control=True, **settings)
    paired = zip(digits_accuracies("sigprop", **settings), frozen, strict=True)
    assert min(learned - frozen for learned, frozen in paired) > 0.1


def test_the_digits_are_real() -> None:
    data = open_dataset("digits")
    assert len(data.train_labels) + len(data.test_labels) == 1797
