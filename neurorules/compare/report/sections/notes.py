"""The section on how to read the page, which explains the statistics in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from neurorules.compare.report.reading import Comparison
from neurorules.compare.report.sections._shared import Section
from neurorules.compare.report.style import Look

NOTES = (
    "The unit is the seed: a seed fixes initial weights, data order and all random numbers. All rules start from the "
    "same weights and receive the same batches in the same order.",
    "Intervals are 95 % confidence intervals of a mean over seeds (Student's t). One seed has no interval, two have a "
    "very wide one. Bounds of accuracies are cut at 0 and 100 %.",
    "Differences from BPTT are paired: the same seed with both rules, then mean and interval of the differences. Two "
    "rules may overlap in the chart and still differ clearly in pairs.",
    "There is no correction for comparing many rules: with twenty of them, one interval is expected to miss.",
    "The test set is read once, after the last epoch. The best rule is chosen by validation samples, if every "
    "rule has them.",
    "Angles, rates, CKA and probes are measured on fixed probe samples; they describe these nets and these data.",
)
CONTROLS = (
    "A rule has to be better than its controls. In `shallow` only the read-out learns, on top of random hidden layers, "
    "in the same way as the rule's read-out. In `shuffled` hidden layers learn from the targets of other samples, and "
    "the read-out from its own."
)


def notes_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows how to read the page.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section.
    """
    items = "".join(f"<li>{escape(text)}</li>" for text in (*NOTES, CONTROLS.replace("`", "")))
    return Section("reading", "How to read this", "", f'<ul class="notes">{items}</ul>')
