"""Contract suites: one for each registry, for entries of this tree and of other packages (docs/check.md).

from neurorules.conformance import check, suite_of
for outcome in check("neuron", "lif:beta=0.5"):
    print(outcome.status, outcome.check, outcome.reason)
"""

from __future__ import annotations

from collections.abc import Iterator

from neurorules.conformance import (
    connection,
    data_set,
    device,
    encoder,
    exporter,
    neuron,
    normalisation,
    rule,
    signal,
)
from neurorules.conformance.suite import Breach, Check, Entry, NotApplicable, Outcome, Suite, run_suite
from neurorules.language.errors import unknown

__all__ = ["SUITES", "Breach", "Check", "Entry", "NotApplicable", "Outcome", "Suite", "check", "suite_of"]

SUITES: dict[str, Suite] = {
    suite.registry.kind: suite
    for suite in (
        rule.SUITE, signal.SUITE, neuron.SUITE, connection.SUITE, normalisation.SUITE, encoder.SUITE, data_set.SUITE,
        exporter.SUITE, device.SUITE,
    )
}  # fmt: skip
"""By the kind's word."""


def suite_of(kind: str) -> Suite:
    """The suite of a kind.

    Raises:
        UserError: no such kind; the nearest one is offered.
    """
    if kind not in SUITES:
        raise unknown("kind", kind, SUITES)
    return SUITES[kind]


def check(kind: str, text: str) -> Iterator[Outcome]:
    """Run the contract suite of an entry; outcomes come one by one, as checks end.

    Args:
        kind: such as "neuron".
        text: its name with options, such as "lif:beta=0.5".

    Returns:
        One outcome for each check.

    Raises:
        UserError: an unknown kind, entry or option.
    """
    suite = suite_of(kind)
    entry = Entry(suite.registry, text)
    entry.make()
    return run_suite(suite, entry)
