"""The command `neurorules benchmark`, which trains rules on a suite of tasks and writes their scores."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.completion import parts, words
from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Force, Json, Resume

Suite = Annotated[
    str,
    typer.Option(
        help="Suite of tasks: static, convolution, events or temporal.",
        autocompletion=words(("static", "convolution", "events", "temporal")),
    ),
]
Trials = Annotated[
    int,
    typer.Option(
        help="Trials of learning rates for each rule, such as 8, on validation samples: its own rates, and up to "
        "30 times higher and lower ones; 0: its own, untuned."
    ),
]
WIDEST = 100
"""Largest width of the tables in characters."""


def add_to(app: typer.Typer) -> None:
    """Add the command `benchmark` to the command line."""
    app.command("benchmark")(benchmark)


def benchmark(
    *,
    suite: Suite = "static",
    rules: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated rules, with options and settings of their own, such as sigprop,bptt@lr=0.001; by "
            "default those of each task. Frozen layers stand beside all of them.",
            autocompletion=parts("rules"),
        ),
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(help="Comma-separated tasks of the suite, such as digits; all by default.")
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Use few samples, small nets and one epoch: it takes minutes, but the numbers mean little."
        ),
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="Seeds per cell [default: 3, with --quick 1].")] = None,
    trials: Trials = 0,
    jobs: Annotated[int, typer.Option(help="Number of parallel runs, each on one thread.")] = 1,
    dask: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler, such as tcp://node1:8786, whose workers see --out; or slurm."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the runs and the page benchmark.md [default: runs/benchmark-SUITE]."),
    ] = None,
    data_dir: DataDir = None,
    resume: Resume = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train every rule on every task of a suite, and write a table of accuracies and a map of the rules."""
    from neurorules.benchmark.benchmark import benchmark as run
    from neurorules.benchmark.planning import plan_suite
    from neurorules.benchmark.suites import SUITES
    from neurorules.language.ranges import Whole, check_range

    tasks_of = SUITES.factory(suite)(quick=quick)
    folder = out or Path("runs") / f"benchmark-{suite}"
    count = (1 if quick else 3) if seeds is None else seeds
    options: dict[str, Any] = {"suite": suite, "rules": rules, "tasks": tasks, "seeds": count, "dask": dask}
    options |= {"trials": trials or None, "jobs": None if jobs == 1 else jobs, "data-dir": data_dir, "out": folder}
    words = [f"--{name}={value}" for name, value in options.items() if value is not None]
    command = shlex.join(["neurorules", "benchmark", *words, *(["--quick"] if quick else [])])
    check_range("--trials", trials, Whole)
    plans = plan_suite(tasks_of, rules, count, data_dir, tasks, rates_open=trials > 0)
    content = run(
        tasks_of, plans, folder, trials=trials, jobs=jobs, dask=dask, data_dir=data_dir, force=force, resume=resume,
        quiet=json, command=command,
    )  # fmt: skip
    if json:
        print_json(content)
    else:
        _show(content, folder)


def _show(content: dict[str, Any], out: Path) -> None:
    """Print the table of rules and tasks, the map of the rules, and the paths of the files."""
    from neurorules.benchmark.benchmark import PAGE_FILE, RESULT_FILE
    from neurorules.benchmark.cells import at_the_edge_note, rates_of, table_of
    from neurorules.benchmark.page import map_of

    print(f"{content['title']}: test accuracy in percent, in brackets that of frozen layers\n")
    print_table(*table_of(content), WIDEST)
    if content["trials"]:
        print(f"\nRates of hidden layers and read-out, chosen on validation samples{at_the_edge_note(content)}\n")
        print_table(*rates_of(content), WIDEST)
    print("\nThe family. Solves: which of backpropagation's four problems a rule does not have (neurorules audit)\n")
    print_table(*map_of(content), WIDEST)
    print(f"\n{out / RESULT_FILE}")
    print(f"page: {out / PAGE_FILE}")
