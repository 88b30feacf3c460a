"""`neurorules simulate`, which runs a trained network or a NIR graph in Brian2 and compares it with torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurorules.commands.output import print_json
from neurorules.commands.scripts import ForceScript, Script, refuse_beside_script, refuse_without_script, tell_script
from neurorules.commands.settings import DataDir, Json, ScaleText, StepLength
from neurorules.commands.simulated import (
    Brian2Device,
    GraphData,
    GraphEncoder,
    GraphRate,
    GraphSeed,
    GraphSteps,
    Kind,
    Samples,
)
from neurorules.language.errors import UserError
from neurorules.language.unused import refuse_unused

if TYPE_CHECKING:
    from neurorules.contracts.data_set import DataPlace
    from neurorules.runner.side_by_side import Update


SAMPLES = 10
"""Number of samples if no other is asked for."""


def add_to(app: typer.Typer) -> None:
    """Add the command `simulate` to the command line."""
    app.command("simulate")(simulate)


def simulate(
    run: Annotated[
        str, typer.Argument(help="Folder of a finished run, or a NIR file with options, such as net.nir:unit=ms.")
    ],
    samples: Samples = None,
    learn: Annotated[
        int | None,
        typer.Option(
            help="Make this number of updates by the run's rule in both simulators, and compare spikes and weights."
        ),
    ] = None,
    show_model: Annotated[bool, typer.Option("--show-model", help="Print the generated equations.")] = False,
    steps: GraphSteps = None,
    rate: GraphRate = None,
    seed: GraphSeed = None,
    data: GraphData = None,
    encode: GraphEncoder = None,
    path: Annotated[str, typer.Option(hidden=True, help="brian2, the only simulator.")] = "brian2",
    kind: Kind = "stepped",
    brian2_device: Brian2Device = None,
    dt_ms: StepLength = None,
    scale: ScaleText = None,
    script: Script = None,
    force: ForceScript = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Run a trained network or a NIR graph in Brian2, and compare every spike with torch."""
    from neurorules.runner.run_data import place_of

    if path != "brian2":
        raise UserError(
            f"--path {path} is not a stepped simulator: simulate runs the net of torch step by step in Brian2. Leave "
            f"--path out"
        )
    own = {"steps": steps, "rate": rate, "seed": seed, "encode": encode}
    graph = {name: value for name, value in own.items() if value is not None}
    of_graph = _is_graph(run, graph, learn)
    place = data_dir if of_graph else place_of(Path(run), data, data_dir)
    ordinary = _is_ordinary(kind, of_graph, learn, show_model, brian2_device, script is not None)
    _check_units(dt_ms, scale, script is not None or show_model, of_graph, ordinary)
    if script is not None:
        refuse_beside_script(show_model=show_model)
        _script(Path(run), script, of_graph, samples, learn, place, force, dt_ms, json, ordinary, scale)
        return
    refuse_without_script(force=force)
    count = SAMPLES if samples is None else samples
    if learn is not None:
        _learn(Path(run), learn, count, place, json, show_model)
        return
    if ordinary:
        _ordinary(Path(run), count, place, json, brian2_device or "runtime")
        return
    compared = (
        _graph(run, count, data_dir, json, data=data, **graph)
        if of_graph
        else _run(run, count, place, json, dt_ms, scale)
    )
    _tell(compared, show_model, json)


def _script(
    run: Path, script: Path, of_graph: bool, samples: int | None, learn: int | None, data_dir: DataPlace, force: bool,
    dt_ms: float | None, json: bool, ordinary: bool, scale: str | None,
) -> None:  # fmt: skip
    from neurorules.runner.scripts import script_of_run

    if of_graph:
        raise UserError(f"--script writes a run, and {run} is a file of NIR. Train it first: train --net {run}")
    watch = None if json else _show
    tell_script(script_of_run(run, script, samples, learn, data_dir, force, watch, dt_ms, ordinary, scale), json)


def _is_ordinary(
    kind: str, of_graph: bool, learn: int | None, show_model: bool, device: str | None, scripted: bool
) -> bool:
    """Whether a net is to run as an ordinary Brian2 network.

    Raises:
        UserError: the kind is unknown, or another option does not work with it.
    """
    if kind not in ("stepped", "ordinary"):
        raise UserError(f"--as {kind} is unknown. Use stepped or ordinary")
    if device is not None and scripted:
        raise UserError("--brian2-device runs a net, and --script writes a program. Give one of them")
    if kind == "stepped":
        if device is not None:
            raise UserError("--brian2-device is for an ordinary network. Add --as ordinary, or leave it out")
        return False
    if of_graph:
        raise UserError("--as ordinary is for a run, and this is a file of NIR. Train it first: train --net net.nir")
    if learn is not None:
        raise UserError("--as ordinary does not learn, and --learn does. Leave one of them out")
    if show_model:
        raise UserError("--show-model prints the stepped model. Write an ordinary one: --as ordinary --script net.py")
    return True


def _ordinary(run: Path, samples: int, data_dir: DataPlace, json: bool, device: str) -> None:
    from neurorules.runner.ordinary import simulate_as_ordinary

    compared = simulate_as_ordinary(run, samples, data_dir, device)
    if json:
        print_json(compared)
        return
    _tell_spikes(compared)
    print(
        f"largest difference of a membrane of the read-out: {compared['membrane_difference']:.1e}\n{compared['keeps']}"
    )


def _tell_spikes(compared: dict[str, Any]) -> None:
    verdict = "all equal" if compared["spikes_equal"] else f"first difference: {compared['first_difference']}"
    print(f"{compared['samples']} samples, {compared['spikes_compared']} spikes compared: {verdict}")


def _check_units(dt_ms: float | None, scale: str | None, shown: bool, of_graph: bool, ordinary: bool) -> None:
    """Refuse a step length or a scale that is not above 0, or that has no effect with the other options.

    Raises:
        UserError: a value is not above 0 or has no effect.
    """
    from neurorules.brian2_steps.scale import scale_from
    from neurorules.language.ranges import Positive, check_range

    scale_from(scale)
    if dt_ms is not None:
        check_range("--dt-ms", dt_ms, Positive)
    options = [name for name, value in (("--dt-ms", dt_ms), ("--scale", scale)) if value is not None]
    if options and (of_graph or not shown):
        ways = "--script FILE" if ordinary else "--show-model or --script FILE"
        raise UserError(
            f"{options[0]} says what numbers stand for in the model of a run, and spikes do not depend on it. Add "
            f"{ways} to a run, or leave it out"
        )


def _is_graph(run: str, options: dict[str, Any], learn: int | None) -> bool:
    """Whether the source is a NIR file and not a run.

    Raises:
        UserError: an option belongs to the other kind of source.
    """
    from neurorules.exchange.nir.options import is_nir

    if is_nir(run):
        if learn is not None:
            raise UserError("--learn continues a run, and a NIR file is not a run. Train it: train --net net.nir")
        return True
    if options:
        raise UserError(f"--{next(iter(options))} is for a file of NIR, and a run has its own. Leave it out")
    return False


def _graph(file: str, samples: int, data_dir: Path | None, quiet: bool, **options: Any) -> dict[str, Any]:
    from neurorules.runner.graphs import simulate_graph

    return simulate_graph(file, samples, data_dir=data_dir, quiet=quiet, **options)


def _run(
    run: str, samples: int, data_dir: DataPlace, quiet: bool, dt_ms: float | None, scale: str | None
) -> dict[str, Any]:
    from neurorules.brian2_steps.scale import scale_from
    from neurorules.runner.simulate import simulate_run

    return simulate_run(Path(run), samples, data_dir, quiet, 1.0 if dt_ms is None else dt_ms, scale_from(scale))


def _tell(compared: dict[str, Any], show_model: bool, json: bool) -> None:
    """Print the result of a comparison."""
    model = compared.pop("model")
    if json:
        print_json({**compared, "model": model} if show_model else compared)
        return
    if show_model:
        print(model)
    if "spikes_per_sample" in compared:
        spikes = ", ".join(f"{layer} {count:.1f}" for layer, count in compared["spikes_per_sample"].items())
        print(f"{compared['net']}\nspikes a sample of {compared['steps']} steps: {spikes}")
    if "test_accuracy" in compared:
        print(f"test accuracy {compared['test_accuracy']:.4f}")
    _tell_spikes(compared)


def _learn(run: Path, updates: int, samples: int, data_dir: DataPlace, json: bool, show_model: bool) -> None:
    from neurorules.runner.simulate_learning import simulate_learning

    refuse_unused(
        {"show_model": show_model},
        "prints the model of a net that does not learn, and --learn compares updates. Leave it out, or write the "
        "updates: --script model.py",
    )
    compared = simulate_learning(run, updates, samples, data_dir, None if json else _show)
    if json:
        print_json(compared)
        return
    equal = all(compared[what] for what in ("spikes_equal", "changes_equal", "weights_equal"))
    verdict = "the same in torch and in Brian2" if equal else "NOT the same in torch and in Brian2"
    print(f"{compared['rule']}, {updates} updates of {samples} samples: {verdict}")


def _show(update: Update) -> None:
    spikes = "all equal" if update.spikes_equal else f"first difference: {update.first_difference}"
    differ = update.largest_difference
    weights = "equal to the last bit" if differ == 0 else f"largest difference {differ:.1e}, in {update.parameter}"
    rounding = "" if update.changes_equal and update.weights_equal else ", more than rounding"
    changes = f"changes within {update.change_difference:.1e}"
    print(f"update {update.number}: {update.spikes_compared} spikes, {spikes}; {changes}; weights {weights}{rounding}")
