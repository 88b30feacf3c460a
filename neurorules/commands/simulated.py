"""The options of `simulate` for the kind of Brian2 model and for the input of a NIR graph."""

from __future__ import annotations

from typing import Annotated

import typer

from neurorules.commands.completion import parts

Kind = Annotated[
    str,
    typer.Option(
        "--as",
        help="stepped: the time steps of torch, equal to the last bit; or ordinary: dv/dt, synapses that act at "
        "spikes, and Brian2's default schedule, with a delay of one step per layer.",
    ),
]
Samples = Annotated[
    int | None,
    typer.Option(help="Number of test samples, or with --learn of training samples per update; 10 by default."),
]
GraphSteps = Annotated[int | None, typer.Option(help="For a NIR file: number of time steps, 25 by default.")]
Brian2Device = Annotated[
    str | None,
    typer.Option(
        help="With --as ordinary, Brian2's device: runtime, cpp_standalone, cuda_standalone (package brian2cuda), genn "
        "(brian2genn); runtime by default."
    ),
]
GraphRate = Annotated[
    float | None,
    typer.Option(help="For a NIR file: probability that an input spikes in a step, 0.2 by default."),
]
GraphSeed = Annotated[int | None, typer.Option(help="For a NIR file: seed of these spikes, 0 by default.")]
GraphData = Annotated[
    str | None,
    typer.Option(
        help="For a NIR file: a data set instead of random spikes, such as digits. For a run: its data, if they were "
        "in the memory of a program or have been moved.",
        autocompletion=parts("datasets"),
    ),
]
GraphEncoder = Annotated[
    str | None,
    typer.Option(
        help="For a NIR file: encoder of --data, such as poisson:max_rate=0.5; by default the data set's own.",
        autocompletion=parts("encoders"),
    ),
]
