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
"""The suites by the word that users write for their kind, such as "neuron"."""


def suite_of(kind: str) -> Suite:
    """Find the suite of a kind.

    Raises:
        UserError: the kind is unknown; the message offers the nearest one.
    """
    if kind not in SUITES:
        raise unknown("kind", kind, SUITES)
    return SUITES[kind]


def check(kind: str, text: str) -> Iterator[Outcome]:
    """Run the contract suite of an entry.

    Args:
        kind: word of the kind, such as "neuron".
        text: name of the entry with its options, such as "lif:beta=0.5".

    Returns:
        One outcome for each check; each comes as soon as its check has ended.

    Raises:
        UserError: the kind, the entry or an option is unknown.
    """
    suite = suite_of(kind)
    entry = Entry(suite.registry, text)
    entry.make()
    return run_suite(suite, entry)
