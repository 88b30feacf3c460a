"""The options of `simulate` that say as what a net runs, and with which input a graph of NIR does."""

from __future__ import annotations

from typing import Annotated

import typer

from neurorules.commands.completion import parts

Kind = Annotated[
    str,
    typer.Option(
        "--as",
        help="stepped, which takes torch's steps to the last bit; or ordinary: dv/dt, synapses that add at spikes and "
        "Brian2's default schedule, one step later for each layer.",
    ),
]
GraphSteps = Annotated[int | None, typer.Option(help="Of a file of NIR: time steps, 25 by default.")]
Brian2Device = Annotated[
    str | None,
    typer.Option(
        help="With --as ordinary, Brian2's device: runtime, cpp_standalone, cuda_standalone (package brian2cuda), genn "
        "(brian2genn); runtime by default."
    ),
]
GraphRate = Annotated[
    float | None,
    typer.Option(help="Of a file of NIR: probability that an input spikes in a step, 0.2 by default."),
]
GraphSeed = Annotated[int | None, typer.Option(help="Of a file of NIR: seed of these spikes, 0 by default.")]
GraphData = Annotated[
    str | None,
    typer.Option(
        help="Of a file of NIR: a data set for random spikes, such as digits. Of a run: its data, where they lay in "
        "the memory of a program or lie elsewhere now.",
        autocompletion=parts("datasets"),
    ),
]
GraphEncoder = Annotated[
    str | None,
    typer.Option(
        help="Of a file of NIR: encoder of --data, such as poisson:max_rate=0.5; else the data set's own.",
        autocompletion=parts("encoders"),
    ),
]
