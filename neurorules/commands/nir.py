"""`neurorules nir`, which writes the net of a run as a NIR graph, or shows the content of a NIR file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.completion import words
from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Json
from neurorules.language.errors import UserError, unknown
from neurorules.language.unused import refuse_unused

RESETS = ("refuse", "metadata")


def add_to(app: typer.Typer) -> None:
    """Add the command `nir` to the command line."""
    app.command("nir")(nir)


def nir(
    source: Annotated[
        str,
        typer.Argument(help="Folder of a finished run, or a NIR file with options, such as net.nir:unit=ms."),
    ],
    out: Annotated[Path | None, typer.Option(help="Write the net as a NIR graph to this file.")] = None,
    info: Annotated[bool, typer.Option("--info", help="Show the nodes of a NIR file and its net.")] = False,
    dt: Annotated[
        float | None,
        typer.Option(help="Duration of a step in --out in seconds; 0.0001 by default, as snnTorch expects."),
    ] = None,
    reset: Annotated[
        str | None,
        typer.Option(
            help="For resets that NIR cannot express: refuse, or metadata to store them for neurorules only; refuse by "
            "default.",
            autocompletion=words(RESETS),
        ),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Write a trained net as a NIR graph, or show a NIR file. To train such a net: train --net FILE; to run it:
    simulate FILE."""
    from neurorules.exchange.nir.options import is_nir

    if info == (out is not None):
        raise UserError(
            "nir writes a graph or shows one. Give --out net.nir, or --info"
            if out is None
            else "--info shows a file, and --out writes one. Give one of them"
        )
    if reset is not None and reset not in RESETS:
        raise unknown("value of --reset", reset, RESETS)
    if out is not None:
        from neurorules.runner.graphs import write_nir

        if not is_nir(out.name):
            raise UserError(f"--out {out} does not end in .nir, by which nets from files are known. Name it net.nir")
        reset_way: Any = reset or RESETS[0]
        written = write_nir(source, out, dt=dt, reset=reset_way, data_dir=data_dir)
        if json:
            print_json(written)
        else:
            print(
                f"{out} written: {written['nodes']} nodes, {written['edges']} edges, steps of {written['step_s']:g} s"
            )
        return
    refuse_unused({"dt": dt, "reset": reset}, "is for --out, and --info shows a file as it is. Leave it out")
    if not is_nir(source):
        raise UserError(f"{source} does not end in .nir, and --info shows such a file. Write it first: --out net.nir")
    from neurorules.exchange.nir.info import info_of

    facts = info_of(source)
    if json:
        print_json(facts)
    else:
        _show(facts)


def _show(info: dict[str, Any]) -> None:
    """Print the nodes of a NIR file and the resulting network."""
    step = "counted in steps" if info["step_s"] is None else f"steps of {info['step_s']:g} s ({info['step_from']})"
    print(f"{info['file']}: {len(info['nodes'])} nodes, {len(info['edges'])} edges")
    print(f"time: {step}, constants in {info['unit']} ({info['unit_from']}), method {info['method']}")
    rows = [
        [node["name"], node["type"], ", ".join(f"{name} {_short(value)}" for name, value in node["numbers"].items())]
        for node in info["nodes"]
    ]
    print_table(["name", "type", "numbers"], rows, 100)
    print(f"net: {info['net']}")
    for layer in info["layers"]:
        print(f"  {layer['name']}: {layer['neuron']}")
    print(f"weights: {info['weights']}")


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return f"{'x'.join(map(str, value['shape']))} in [{value['lowest']:.4g}, {value['highest']:.4g}]"
    if isinstance(value, list):
        return f"({', '.join(_short(one) for one in value)})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
