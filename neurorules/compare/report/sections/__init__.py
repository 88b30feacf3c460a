"""The sections of the page, in the order in which a reader meets them."""

from __future__ import annotations

from collections.abc import Mapping

from neurorules.compare.report.reading import Comparison
from neurorules.compare.report.sections._shared import Section
from neurorules.compare.report.sections.accuracy import accuracy_section
from neurorules.compare.report.sections.alignment import alignment_section
from neurorules.compare.report.sections.cost import cost_section
from neurorules.compare.report.sections.devices import devices_section
from neurorules.compare.report.sections.layers import layers_section
from neurorules.compare.report.sections.learning import learning_section
from neurorules.compare.report.sections.locality import locality_section
from neurorules.compare.report.sections.making import making_section
from neurorules.compare.report.sections.needs import needs_section
from neurorules.compare.report.sections.notes import notes_section
from neurorules.compare.report.style import Look

__all__ = ["Section", "sections_of"]

ORDER = (
    accuracy_section,
    devices_section,
    learning_section,
    alignment_section,
    layers_section,
    cost_section,
    needs_section,
    locality_section,
    notes_section,
    making_section,
)


def sections_of(comparison: Comparison, looks: Mapping[str, Look]) -> list[Section]:
    """Make all sections of the page.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The sections in order; one that has nothing to show says so, or is left out.
    """
    sections = (section(comparison, looks) for section in ORDER)
    return [section for section in sections if section is not None]
