"""`neurorules record`, `export` and `plot`, which record, convert and draw the activity of a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from neurorules.commands.completion import parts
from neurorules.commands.output import print_json
from neurorules.commands.settings import DataDir, Force, Json, RunData, ScaleText, StepLength
from neurorules.language.errors import UserError


def add_to(app: typer.Typer) -> None:
    """Add the commands `record`, `export` and `plot` to the command line."""
    for command in (record, export, plot):
        app.command(command.__name__)(command)


RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished run.")]


def record(
    run: RunFolder,
    samples: Annotated[str, typer.Option(help="Number of samples, or their indices from 0: 10, or 3,7,20-30.")] = "10",
    variables: Annotated[
        str,
        typer.Option(
            help="Comma-separated: S spikes, v membrane before reset, x trace of the spikes, m third factor; w "
            "weights, b biases; per synapse dv_dw, declared eligibilities, G1; forward, reverse of BSP."
        ),
    ] = "S,v",
    layers: Annotated[
        str | None, typer.Option(help="Comma-separated, such as input,hidden1 or hidden1.ff; all by default.")
    ] = None,
    part: Annotated[Literal["test", "validation", "train"], typer.Option(help="Part of the data set.")] = "test",
    out: Annotated[Path, typer.Option(help="Trace file to write (HDF5).")] = Path("traces.h5"),
    dt_ms: StepLength = None,
    scale: ScaleText = None,
    data: RunData = None,
    data_dir: DataDir = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Record the activity of a trained network on some samples to a trace file."""
    from neurorules.language.options import parse_list
    from neurorules.runner.record import record_run
    from neurorules.runner.run_data import place_of

    chosen = None if layers is None else parse_list(layers)
    place = place_of(run, data, data_dir)
    summary = record_run(run, out, samples, parse_list(variables), chosen, part, place, json, dt_ms, force, scale)
    if json:
        print_json(summary)
    else:
        print(f"{summary['samples']} samples, {summary['spikes']} spikes in {out}")


def export(
    trace: Annotated[Path, typer.Argument(help="A trace file.")],
    to: Annotated[
        str,
        typer.Option(
            help="npz, csv, parquet, nwb, sonata, nix, nirdata or events; for options see: list exporters.",
            autocompletion=parts("exporters"),
        ),
    ] = "npz",
    out: Annotated[
        Path | None, typer.Option(help="File to write, or folder for sonata and events; by default next to the trace.")
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option(help="With --to sonata: folder of a run whose nodes and edges are also written."),
    ] = None,
    data: RunData = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Convert a trace to another format."""
    if data is not None and network is None:
        raise UserError(
            "--data is for --network RUN, whose samples are read, and a trace alone has its own. Leave it out"
        )
    target = out or trace.with_suffix(f".{to.partition(':')[0]}")
    if network is not None:
        from neurorules.runner.run_data import place_of
        from neurorules.runner.sonata_network import export_with_network

        place = place_of(network, data, data_dir)
        files = [str(path) for path in export_with_network(trace, to, target, network, place)]
    else:
        from neurorules.traces.exporters import export as write

        files = [str(path) for path in write(trace, to, target)]
    if json:
        print_json({"trace": str(trace), "to": to, "out": str(target), "files": files})
    else:
        print(f"{', '.join(files)} written")


def plot(
    what: Annotated[list[Path], typer.Argument(help="Trace file; for weights, fields and curves, run folders.")],
    kind: Annotated[
        str,
        typer.Option(
            help="raster, voltage, rates or histograms; weights, fields or curves of runs (see: list plots).",
            autocompletion=parts("plots"),
        ),
    ] = "raster",
    out: Annotated[Path | None, typer.Option(help="Figure to write (.png, .svg or .pdf); KIND.png by default.")] = None,
    samples: Annotated[
        str | None,
        typer.Option(help="Comma-separated indices of samples in the trace, such as 0,3; by default as many as fit."),
    ] = None,
    json: Json = False,
) -> None:
    """Draw recorded traces, or the weights and learning curves of runs."""
    from neurorules.language.options import convert, parse_list
    from neurorules.traces.plots import plot as draw

    chosen = None if samples is None else [convert("--samples", int, place) for place in parse_list(samples)]
    target = out or Path(f"{kind.partition(':')[0]}.png")
    draw(what, kind, target, chosen)
    if json:
        print_json({"what": [str(path) for path in what], "kind": kind, "out": str(target)})
    else:
        print(f"{target} drawn")
