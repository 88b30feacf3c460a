"""The section on how far updates agree with the exact gradient, and signals with that of BPTT, by layer and epoch."""

from __future__ import annotations

from collections.abc import Mapping

from neurorules.compare.report.charts.by_depth import by_depth
from neurorules.compare.report.charts.over_epochs import over_epochs
from neurorules.compare.report.markup import (
    Cell,
    Column,
    Table,
    TableRow,
    choice,
    figure,
    note,
    small_multiples,
    table_html,
)
from neurorules.compare.report.measures import ALIGNMENT
from neurorules.compare.report.numbers import average, fixed, percent
from neurorules.compare.report.reading import Comparison, layer_order
from neurorules.compare.report.sections._shared import Section, at_epoch, by_rule_and_layer, measured, offered
from neurorules.compare.report.style import Look

TITLE = "Agreement with the gradient"
LEAD = (
    "The update of a rule is compared with the exact gradient of the loss on one batch, at the weights of each epoch "
    "and before the optimiser; the running averages of a normalisation are held constant. Under streaming "
    "normalisation the update of BPTT itself is centred and decorrelated, as for every rule, and has an angle to the "
    "gradient. The angle of the signal is measured to that update, with the same normalisation on both sides. Epoch 0"
    " is before training. A rule can learn well at a large angle, because following the gradient is not the only way "
    "to learn."
)
ABSENT = (
    "Not measured in this comparison, because it needs the torch path and nets through which a gradient can be carried."
)
COLUMNS = (
    Column("angle at first °", "to the exact gradient before training, mean over seeds", True),
    Column("angle at last °", "to the exact gradient after the last epoch, mean over seeds", True),
    Column("signal at last °", "angle to BPTT's own update, both normalised alike; after the last epoch", True),
    Column("cosine", "with the exact gradient, after the last epoch", True),
    Column("length over gradient's", "after the last epoch, before the optimiser", True),
    Column("same sign %", "weights moved the same way; 50 is chance", True, 100),
)


def alignment_section(comparison: Comparison, looks: Mapping[str, Look]) -> Section:
    """Make the section that shows agreement with the gradient.

    Args:
        comparison: the comparison to report.
        looks: how each rule is drawn.

    Returns:
        The section, which says so if nothing was measured.
    """
    rows = comparison.alignment
    measures = measured(rows, ALIGNMENT)
    if not measures:
        return Section("alignment", TITLE, "", note(ABSENT))
    layers = sorted({row["layer"] for row in rows}, key=layer_order)
    body = choice("alignment", "Show", [(m.name, m.title) for m in measures])
    body += figure("alignment_by_depth", "By layer, after the last epoch", group="alignment", wide=True)
    body += small_multiples("alignment_over_epochs", layers, group="alignment")
    table = Table("alignment", f"{TITLE} by rule and layer", COLUMNS, _rows(comparison, layers), tall=True)
    return Section(
        "alignment",
        TITLE,
        LEAD,
        body + table_html(table, looks),
        {
            "alignment_by_depth": by_depth(
                "alignment", "Lines: agreement with the gradient by layer, one line per rule.", looks, layers
            ),
            "alignment_over_epochs": over_epochs(
                "alignment",
                "Lines: agreement with the gradient in one layer over the epochs, one line per rule.",
                looks,
            ),
        },
        {"alignment": rows},
        {"alignment": offered(measures)},
        [table],
    )


def _rows(comparison: Comparison, layers: list[str]) -> list[TableRow]:
    """The rows of the table: one per rule and layer, averaged over seeds."""
    rows = []
    for rule, layer, own in by_rule_and_layer(comparison, comparison.alignment, layers):
        epochs = [row["epoch"] for row in own]
        begin, end = at_epoch(own, min(epochs)), at_epoch(own, max(epochs))
        angles = average(begin, "angle_deg"), average(end, "angle_deg")
        others = ("signal_angle_deg", "cosine", "norm_ratio", "sign_agreement")
        signal, cosine, ratio, signs = (average(end, name) for name in others)
        cells = [
            Cell(fixed(angles[0], 1), angles[0]),
            Cell(fixed(angles[1], 1), angles[1]),
            Cell(fixed(signal, 1), signal),
            Cell(fixed(cosine, 3), cosine),
            Cell(fixed(ratio, 2), ratio),
            Cell(percent(signs), signs),
        ]
        rows.append(TableRow(rule, cells, layer))
    return rows
