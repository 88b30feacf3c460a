"""The section on how to read the page, which explains the statistics in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from neurorules.compare.report.reading import Comparison
from neurorules.compare.report.sections._shared import Section
from neurorules.compare.report.style import Look

NOTES = (
    "The unit is the seed: a seed fixes initial weights, data order and every draw. All rules start from the same "
    "weights and see the same batches in the same order.",
    "Intervals are 95 % confidence intervals of a mean over seeds (Student's t). One seed has no interval, two have a "
    "very wide one. Bounds of accuracies are cut at 0 and 100 %.",
    "Differences from BPTT are paired: the same seed with both rules, then mean and interval of the differences. Two "
    "rules may overlap in the chart and still differ clearly in pairs.",
    "Nothing is corrected for comparing many rules: with twenty of them, one interval is expected to miss.",
    "The test set is read once, after the last epoch. Which rule is named best is decided on validation samples where "
    "every rule has them.",
    "Angles, rates, CKA and probes are measured on fixed probe samples; they describe these nets and these data.",
)
CONTROLS = (
    "Controls stand there to be beaten: `shallow` learns in its read-out alone, over random hidden layers, as the "
    "read-out of the rule beside it does; `shuffled` teaches hidden layers the targets of other samples while the "
    "read-out learns its own."
)


def notes_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows how to read the page.

    Args:
        comparison: what is reported.
        looks: how each rule is drawn.

    Returns:
        The section.
    """
    items = "".join(f"<li>{escape(text)}</li>" for text in (*NOTES, CONTROLS.replace("`", "")))
    return Section("reading", "How to read this", "", f'<ul class="notes">{items}</ul>')
