"""The section of learning curves: how accuracy and loss changed, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping

from neurorules.compare.report.charts.over_epochs import over_epochs
from neurorules.compare.report.markup import choice, figure, note
from neurorules.compare.report.measures import LEARNING
from neurorules.compare.report.reading import Comparison
from neurorules.compare.report.sections._shared import Section, measured, offered
from neurorules.compare.report.style import Look

LEAD = "Bold lines are means over seeds, faint lines single seeds. Point at a rule above to bring it forward."
ABOUT = "Lines: learning curves, one line per rule, by epoch."


def learning_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows learning curves.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section; where no epoch was recorded it says so.
    """
    measures = measured(comparison.epochs, LEARNING)
    if not measures:
        return Section("learning", "Learning curves", "", note("No epoch was recorded in this comparison."))
    body = choice("learning", "Show", [(m.name, m.title) for m in measures])
    body += figure("learning", "Over epochs", group="learning", wide=True)
    return Section(
        "learning",
        "Learning curves",
        LEAD,
        body,
        {"learning": over_epochs("epochs", ABOUT, looks, height=260)},
        {"epochs": comparison.epochs},
        {"learning": offered(measures)},
    )
