"""`neurorules causal-distance`, which ranks the parameters of a dynamical system by their distance to a variable."""

from __future__ import annotations

import json as reader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import Json
from neurorules.language.errors import UserError

if TYPE_CHECKING:
    from neurorules.causal import CoupledSystem


def add_to(app: typer.Typer) -> None:
    """Add the command `causal-distance` to the command line."""
    app.command("causal-distance")(causal_distance)


def causal_distance(
    system: Annotated[
        str,
        typer.Argument(
            help="A five-element neuron such as five_element:k2=0.5:k3=1, or a .json file with variables (names), "
            "coupling (a matrix, [to][from]) and parameters (name: one number a variable)."
        ),
    ] = "five_element",
    target: Annotated[
        str | None, typer.Option(help="The affected variable, such as S; by default J, or the last one.")
    ] = None,
    layers: Annotated[int, typer.Option(help="Number of neurons in a chain; S of one drives J of the next.")] = 1,
    weight: Annotated[float, typer.Option(help="Weight of the connections between these neurons.")] = 1.0,
    time: Annotated[float, typer.Option(help="Time at which influences are compared.")] = 0.1,
    out: Annotated[Path | None, typer.Option(help="Draw the graph to this file (.png, .svg or .pdf).")] = None,
    json: Json = False,
) -> None:
    """Rank a system's parameters by their causal distance to one of its variables (BSP, a reconstruction)."""
    from neurorules.causal import ranking

    if out is not None:
        from neurorules.traces.plots._shared import check_format

        check_format(out)
    graph, regime = _system(system, layers, weight)
    default = ("J" if layers == 1 else f"S{layers}") if regime is not None else graph.variables[-1]
    chosen = target or default
    distances = ranking(graph, chosen, time)
    if out is not None:
        from neurorules.traces.plots._causal import draw_graph

        draw_graph(graph, chosen, out)
    if json:
        settings = {"system": system, "layers": layers, "regime": regime, "target": chosen, "time": time}
        print_json({**settings, "ranking": [a._asdict() for a in distances], "out": None if out is None else str(out)})
        return
    if regime is not None:
        print(f"{system}: {regime}, a reconstruction of BSP's system (neurorules cite bsp)")
    rows = [
        [a.source, "never" if a.distance is None else str(a.distance), f"{a.coefficient:.4g}", f"{a.strength:.3g}"]
        for a in distances
    ]
    print_table([f"parameter of {chosen}", "distance", "leading coefficient", f"strength at t={time:g}"], rows)
    if out is not None:
        print(f"{out} drawn")


def _system(text: str, layers: int, weight: float) -> tuple[CoupledSystem, str | None]:
    import numpy as np

    from neurorules.causal import CoupledSystem, ring_chain

    if not text.endswith(".json"):
        from neurorules.neurons import NEURONS
        from neurorules.neurons._rings import FiveElement

        neuron = NEURONS.make(text)
        if not isinstance(neuron, FiveElement):
            raise UserError(f"neuron '{text}' is not a system of coupled variables. Use five_element, or a .json file")
        regime = "asymptotically stable, a propagator" if neuron.system.k2 > 0 else "self-excited, an oscillator"
        return ring_chain(neuron.system.k2, neuron.system.k3, np.ones(5), layers, weight), regime
    try:
        content = reader.loads(Path(text).read_text(encoding="utf-8-sig"))
        parameters = {name: np.array(value, float) for name, value in content["parameters"].items()}
        return CoupledSystem(tuple(content["variables"]), np.array(content["coupling"], float), parameters), None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{text} holds no system ({error}). Write variables, coupling and parameters") from None
