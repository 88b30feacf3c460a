"""`neurorules bench`, which measures the time and the memory of a training step."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.completion import parts, words
from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import Force, Json

Rules = Annotated[
    str,
    typer.Option(
        help="Comma-separated rules, with options of their own, such as sigprop,bptt.", autocompletion=parts("rules")
    ),
]
Activity = Annotated[
    str | None,
    typer.Option(help="Comma-separated shares of the inputs that fire in a step, such as 0.02,0.1 (the default)."),
]
Sweep = Annotated[
    str | None,
    typer.Option(
        help="Quantity to vary: steps, width, depth, batch or activity.",
        autocompletion=words(["steps", "width", "depth", "batch", "activity"]),
    ),
]
Order = Annotated[
    str, typer.Option("--schedule", help="by_layer, by_step, or a number of steps at a time, such as 10; of the rules.")
]
Goals = Annotated[
    str | None,
    typer.Option(
        help="Also train on MNIST to these test accuracies in per cent, such as 97,98.5; data as for train.",
        autocompletion=words(["97", "98", "98.5", "99"]),
    ),
]
Out = Annotated[
    Path | None, typer.Option(help="Folder for bench.json, the page bench.md and the plot bench.png; none by default.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command `bench` to the command line."""
    app.command("bench")(bench)


def bench(
    *,
    rules: Rules = "sigprop,dfa,bptt",
    net: Annotated[str, typer.Option(help="Sizes of the hidden layers, such as 800-800.")] = "1000",
    steps: Annotated[int, typer.Option(help="Time steps per sample.")] = 25,
    batch_size: Annotated[int, typer.Option(help="Samples per training step.")] = 128,
    activity: Activity = None,
    sweep: Sweep = None,
    order: Order = "by_layer",
    memory: Annotated[
        bool, typer.Option("--memory", help="Also measure the memory of a training step, in processes of their own.")
    ] = False,
    goals: Goals = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.", autocompletion=words(["cpu", "cuda"]))] = "cpu",
    threads: Annotated[int | None, typer.Option(help="CPU threads [default: as many as torch uses].")] = None,
    repetitions: Annotated[int, typer.Option(help="Repetitions of each measurement; the median is reported.")] = 9,
    out: Out = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Measure a training step on this machine, and compare it with snnTorch, bare matrix products and memory
    bandwidth; and its memory, and the time to an accuracy on MNIST."""
    from neurorules.bench.bench import bench as run
    from neurorules.bench.measure import plan

    settings = {
        "rules": rules, "net": net, "steps": steps, "batch-size": batch_size, "activity": activity, "sweep": sweep,
        "schedule": order, "goals": goals, "device": device, "threads": threads, "repetitions": repetitions, "out": out,
    }  # fmt: skip
    options = [f"--{name}={value}" for name, value in settings.items() if value is not None]
    options += ["--memory"] * memory
    planned = plan(rules, net, steps, batch_size, activity, sweep, device, threads, repetitions, order, memory, goals)
    content = run(planned, out, shlex.join(["neurorules", "bench", *options]), force)
    if json:
        print_json(content)
    else:
        _show(content, out)


def _show(content: dict[str, Any], out: Path | None) -> None:
    """Print a table for each point, the machine and its load, and the paths of the files."""
    from neurorules.bench.bench import PAGE_FILE
    from neurorules.bench.page import about, busy, hottest_of, table_of, table_of_goals, title_of

    for point in content["points"]:
        print(f"{title_of(point)}\n")
        print_table(*table_of(point))
        print(hottest_of(point), end="\n\n")
    if content["goals"]:
        print_table(*table_of_goals(content["goals"]))
        print()
    print(about(content))
    print(busy(content))
    if out is not None:
        print(f"page: {out / PAGE_FILE}")
