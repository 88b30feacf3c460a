"""`neurorules audit`, which measures what the updates of a rule depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurorules.commands.completion import parts
from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import Json


def add_to(app: typer.Typer) -> None:
    """Add the command `audit` to the command line."""
    app.command("audit")(audit)


def audit(
    rules: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated rules with options, such as sigprop,dfa; all rules by default.",
            autocompletion=parts("rules"),
        ),
    ] = None,
    net: Annotated[str, typer.Option(help="Hidden layers of the audited net, whose input is 6 x 6.")] = "12-10-8",
    norm: Annotated[str | None, typer.Option(help="streaming, batch or none; by default the rule's own.")] = None,
    signal: Annotated[
        str | None,
        typer.Option(
            help="Replaces the rules' learning signal, such as dfa (see: list signals).",
            autocompletion=parts("signals"),
        ),
    ] = None,
    dw: Annotated[
        str | None, typer.Option(help="Replaces the text of the hidden weights, such as '-m_post * S_pre'.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Draw the matrices to this file (.png, .svg or .pdf).")] = None,
    json: Json = False,
) -> None:
    """Measure which weights, activities and labels each layer's update depends on, by changing one thing at a time."""
    from neurorules.audit import audit_rules, problems_of
    from neurorules.audit.matrix import COLUMNS, LEGEND, TITLES, as_text, matrices, table_rows
    from neurorules.audit.picture import draw_audit
    from neurorules.language.options import parse_list
    from neurorules.language.registry import own_part, with_own_parts
    from neurorules.rules import RULES

    if out is not None:
        from neurorules.traces.plots._shared import check_format

        check_format(out)
    names = RULES.names() if rules is None else [own_part(rule, "rule") for rule in parse_list(rules)]
    result = audit_rules(names, net, norm, with_own_parts({"signal": signal})["signal"], dw)
    if out is not None:
        draw_audit(result, out)
    problems = {fact["rule"]: problems_of(fact["rule"], result) for fact in result["facts"]}
    if json:
        print_json({**result, "problems": problems, "out": None if out is None else str(out)})
        return
    for matrix in matrices(result):
        print(as_text(matrix))
        for name, problem in problems[matrix.rule].items():
            print(f"  {TITLES[name]:18} {'yes' if problem['has'] else 'no':4} {problem['how']}")
        print(f"  {'needs':18} {matrix.needs}\n")
    print(f"{LEGEND}\n")
    print_table(COLUMNS, table_rows(result, problems))
    print()
    print(result["nets"])
    for rule, why in result["left_out"].items():
        print(f"not audited: {rule}: {why}")
    if out is not None:
        print(f"{out} drawn")
