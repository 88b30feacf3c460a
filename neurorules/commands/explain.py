"""`neurorules explain`, which shows step by step why one weight changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Json, RunData

if TYPE_CHECKING:
    from neurorules.traces.explanation import Explanation, PhasePart


def add_to(app: typer.Typer) -> None:
    """Add the command `explain` to the command line."""
    app.command("explain")(explain)


def explain(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    synapse: Annotated[
        str,
        typer.Option(
            help="The synapse as LAYER:POST:PRE, such as hidden1:3:10. In maps, a neuron is a number or "
            "channel.row.column, as in hidden1:2.5.5:0.4.6. For one of several inputs: hidden1.rec:3:10."
        ),
    ],
    sample: Annotated[int, typer.Option(help="Test sample, counted from 0, as in recorded traces.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Draw the explanation to this file (.png, .svg or .pdf).")] = None,
    data: RunData = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show step by step how one weight would change if the network learned from one sample. The run is not changed."""
    from neurorules.runner.run_data import place_of
    from neurorules.torch_path.recording.explain import explain_run

    if out is not None:
        from neurorules.traces.plots._shared import check_format

        check_format(out)
    explanation = explain_run(run, synapse, sample, place_of(run, data, data_dir))
    if out is not None:
        from neurorules.traces.plots._explanation import draw_explanation

        draw_explanation(explanation, out)
    if json:
        print_json({**explanation.as_dict(), "run": str(run), "out": None if out is None else str(out)})
        return
    _tell(explanation)
    if out is not None:
        print(f"{out} drawn")


def _tell(explanation: Explanation) -> None:
    print(f"{explanation.synapse}, rule {explanation.rule}: w = {explanation.weight:.6g}")
    change = f"dw = {explanation.total:+.6g} (-gradient)"
    print(f"sample {explanation.sample}, {explanation.outcome}: {change}\n")
    for part in explanation.parts:
        for text in part.texts:
            print(f"phase {part.phase}: dw = {text}")
        print_table(["phase", "step", *part.variables, "dw", "so far"], _rows(part))
        rows = part.variables["v_post"].shape[1]
        if rows > 1:
            print(f"(row {part.row} of {rows}; dw is the sum over all of them)")
        print()
    for line in explanation.declarations:
        print(f"with {line}")
    if not explanation.total and explanation.strongest == explanation.synapse:
        print(f"no weight of neuron {explanation.synapse.split(':')[1]} moved: its factors are 0. Try another --sample")
    elif not explanation.total:
        print(f"this weight did not move. What moved most of those of its neuron: --synapse {explanation.strongest}")


def _rows(part: PhasePart) -> list[list[str]]:
    columns = [values[:, part.row] for values in part.variables.values()]
    moved = zip(*columns, part.dw, part.dw.cumsum(), strict=True)
    return [[part.phase, str(place), *(f"{value:.4g}" for value in row)] for place, row in enumerate(moved)]
