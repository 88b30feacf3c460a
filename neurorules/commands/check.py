"""`neurorules check`, which runs the contract suite of a rule, signal, neuron or other part."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from neurorules.commands.output import print_json
from neurorules.commands.settings import Json


def add_to(app: typer.Typer) -> None:
    """Add the command `check` to the command line."""
    app.command("check")(check)
    app.command("check-device")(check_device)


def check(
    entry: Annotated[
        str,
        typer.Argument(
            metavar="NAME|MODULE",
            help="A part with options (lif:beta=0.5), preceded by its kind if the name is ambiguous (signal:dfa); a "
            "module of another package (mypackage.rules.mine); or a Python file (./mine.py).",
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            help="rule, signal, neuron, connection, normalisation, encoder, dataset, exporter or device; by default "
            "found by the name, or by what the ENTRY of the module makes."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run the contract suite of a part, and print a line for each check. The exit code is 1 if a check fails."""
    from neurorules.audit.fresh_process import one_process
    from neurorules.conformance import suite_of
    from neurorules.conformance.lookup import looked_up
    from neurorules.conformance.suite import Outcome, run_suite
    from neurorules.language.errors import UserError

    with one_process(), looked_up(entry, kind) as subject:
        if not json:
            print(subject, flush=True)
        outcomes: list[Outcome] = []
        for outcome in run_suite(suite_of(subject.registry.kind), subject):
            outcomes.append(outcome)
            if not json:
                print(
                    f"  {outcome.status:9} {outcome.check}{': ' if outcome.reason else ''}{outcome.reason}", flush=True
                )
                if outcome.status == "failed" and outcome.meaning:
                    print(f"            The check demands: {outcome.meaning}", flush=True)
    counts = Counter(outcome.status for outcome in outcomes)
    passed, failed, left_out = (counts[status] for status in ("passed", "failed", "left out"))
    if not passed and not failed:
        raise UserError(f"no check of {subject} could run: {outcomes[0].reason}")
    if json:
        about = {"kind": subject.registry.kind, "entry": subject.text, "passed": passed, "failed": failed}
        print_json({**about, "left_out": left_out, "checks": [outcome._asdict() for outcome in outcomes]})
    else:
        print(f"{passed} passed, {failed} failed, {left_out} left out")
    if failed:
        raise typer.Exit(1)


def check_device(
    entry: Annotated[
        str,
        typer.Argument(
            metavar="NAME|MODULE",
            help="A device with options (fixed_point:bits=4), or a module of another package or a Python file of one.",
        ),
    ],
    json: Json = False,
) -> None:
    """Run the contract suite of a hardware device; this is the same as `check --kind device`."""
    check(entry, "device", json)
