"""`neurorules deploy`: a trained network on a device model, after training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.completion import parts
from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Json


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("deploy")(deploy)


def deploy(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    hardware: Annotated[
        str,
        typer.Option(
            help="Device model, such as loihi or fixed_point:bits=4; several joined by + (see: list hardware).",
            autocompletion=parts("hardware"),
        ),
    ],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Put a trained network on a device model: accuracy before and after, what each layer lost, and energy."""
    from neurorules.runner.deploy import deploy_run

    report = deploy_run(run, hardware, data_dir)
    if json:
        print_json(report)
        return
    print(f"{report['hardware']}, {report['samples']} test samples")
    print(f"accuracy {100 * report['float_accuracy']:.2f} % as trained, {100 * report['folded_accuracy']:.2f} % with "
          f"normalisation folded into the weights, {100 * report['test_accuracy']:.2f} % on the device")  # fmt: skip
    print_table(
        ["weights", "number", "relative error", "largest", "step", "values", "at the ends"],
        [_row(name, numbers) for name, numbers in report["quantisation"].items()],
        100,
    )
    for name, rates in report["rates"].items():
        print(f"{name}: {rates['float']:.4f} spikes a neuron and step as trained, {rates['device']:.4f} on the device")
    if report["energy"] is None:
        print("energy: the device model gives none")
    else:
        print("energy of a sample: " + ", ".join(f"{term} {pJ / 1000:.4g} nJ" for term, pJ in report["energy"].items()))


def _row(name: str, numbers: dict[str, Any]) -> list[str]:
    step = f"{numbers['step']:.3g}" if "step" in numbers else "-"
    values, ends = str(numbers.get("values", "-")), numbers.get("at_the_ends")
    return [
        name, str(numbers["weights"]), f"{100 * numbers['relative_error']:.2f} %",
        f"{100 * numbers['largest_error']:.2f} %", step, values, "-" if ends is None else f"{100 * ends:.2f} %",
    ]  # fmt: skip
