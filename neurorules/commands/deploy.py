"""`neurorules deploy`, which tests a trained network on a device model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.completion import parts
from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Json, RunData

NAMES = {"rule": "its rule", "backward": "backpropagation through time"}
"""Whose bytes of learning a report has, in words."""


def add_to(app: typer.Typer) -> None:
    """Add the command `deploy` to the command line."""
    app.command("deploy")(deploy)


def deploy(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    hardware: Annotated[
        str | None,
        typer.Option(
            help="Device model, such as loihi or fixed_point:bits=4; several joined by + (see: list hardware). By "
            "default the device that the run learned on.",
            autocompletion=parts("hardware"),
        ),
    ] = None,
    after: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Idle time of the chip before the test, for devices that drift (pcm)."
        ),
    ] = 0.0,
    data: RunData = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Test a trained network on a device model: accuracy before and after, the cost of each constraint, and energy."""
    from neurorules.runner.deploy import deploy_run
    from neurorules.runner.run_data import place_of

    report = deploy_run(run, hardware, place_of(run, data, data_dir), after)
    if json:
        print_json(report)
        return
    later = f", {report['after_s']:g} s later" if report["after_s"] else ""
    print(f"{report['hardware']}, {report['samples']} test samples")
    if report["folded_accuracy"] is None:
        print(f"accuracy {100 * report['test_accuracy']:.2f} % on the device that it learned under{later}, "
              f"{100 * report['float_accuracy']:.2f} % with the stored weights in plain memory")  # fmt: skip
    else:
        print(
            f"accuracy {100 * report['float_accuracy']:.2f} % as trained, {100 * report['folded_accuracy']:.2f} % "
            f"with normalisation folded into the weights, {100 * report['test_accuracy']:.2f} % on the device{later}"
        )
    print_table(
        ["weights", "number", "relative error", "largest", "step", "values", "at the ends"],
        [_row(name, numbers) for name, numbers in report["quantisation"].items()],
        100,
    )
    for name, rates in report["rates"].items():
        print(f"{name}: {rates['float']:.4f} spikes a neuron and step as trained, {rates['device']:.4f} on the device")
    print_table(
        ["constraint", "test % without it", "what it costs, points"],
        [[_words(row), f"{100 * row['accuracy']:.2f}", f"{100 * row['cost']:+.2f}"] for row in report["constraints"]],
        100,
    )
    dearest = report["constraints"][0]
    if dearest["cost"] > 0:
        print(f"costs most: {_words(dearest)}, {100 * dearest['cost']:.2f} points")
    else:
        print("no constraint alone costs accuracy")
    _print_energy(report["energy"])


def _words(row: dict[str, Any]) -> str:
    return row["constraint"] if row["lifted"] is None else f"{row['constraint']} ({row['lifted']})"


def _print_energy(energy: dict[str, Any] | None) -> None:
    """Print the energy of inference and learning by term with sources, and the memory traffic of local and global
    learning."""
    if energy is None:
        print("energy: the device model gives none")
        return
    rows = [
        [term["part"], term["event"], f"{term['times']:.4g}", _number(term["each_pJ"]),
         _number(term["pJ"], 1000), term["state"]]
        for term in energy["terms"]
    ]  # fmt: skip
    print_table(["energy of a sample", "events", "number", "pJ each", "nJ", "figure"], rows, 120)
    totals = [("running", energy["total"]), ("learning", energy["learning"]["total"])]
    print("; ".join(f"{name} {_number(pJ, 1000)} nJ" for name, pJ in totals) + ", leakage left out")
    for why, words in sources(energy["terms"]).items():
        print(f"{', '.join(words)}: {why}")
    learning = {f"learning by {NAMES[who]}": moved for who, moved in energy["learning_bytes"].items()}
    for what, moved in ({"running": energy["running_bytes"]} | learning).items():
        print(f"{what} stores {moved['stored']:,.0f} bytes, reads {moved['read']:,.0f}, "
              f"writes {moved['written']:,.0f}")  # fmt: skip


def sources(terms: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Group the events of energy terms by the source of their figure, or by the reason why there is none.

    Args:
        terms: the terms of a report's energy.

    Returns:
        The events, as phrases, by source, in the order of the terms.
    """
    by_source: dict[str, list[str]] = {}
    for term in terms:
        by_source.setdefault(term["source"], []).append(term["event"])
    return by_source


def _number(value: float | None, over: float = 1.0) -> str:
    return "not published" if value is None else f"{value / over:.4g}"


def _row(name: str, numbers: dict[str, Any]) -> list[str]:
    step = f"{numbers['step']:.3g}" if "step" in numbers else "-"
    values, ends = str(numbers.get("values", "-")), numbers.get("at_the_ends")
    return [
        name, str(numbers["weights"]), f"{100 * numbers['relative_error']:.2f} %",
        f"{100 * numbers['largest_error']:.2f} %", step, values, "-" if ends is None else f"{100 * ends:.2f} %",
    ]  # fmt: skip
