"""`neurorules list`, which lists all parts of one kind, and `neurorules cite`, which names the paper of a rule."""

from __future__ import annotations

import textwrap
from typing import Annotated, Any

import typer

from neurorules.commands.completion import PARTS, parts, words
from neurorules.commands.output import print_json, print_table
from neurorules.commands.scripts import ForceScript, Script, refuse_beside_script, refuse_without_script, tell_script
from neurorules.commands.settings import Json

WIDEST = 100
"""Largest width of a list in characters."""
SHORT = {"rules": ["name", "what it is", "signal", "paths"], "signals": ["name", "what it is", "options"]}
"""Columns to print of lists that would be too wide; --json prints all."""
MORE = {
    "rules": "\npaths: what train --path takes. Where else a rule learns, its needs, options and equations:\n"
    "neurorules cite RULE --equations",
    "signals": "\nWhat each needs: neurorules list signals --json",
}


def add_to(app: typer.Typer) -> None:
    """Add the commands `list` and `cite` to the command line."""
    app.command("list")(list_entries)
    app.command("cite")(cite)


def _wrapped(text: str, mark: str = "") -> str:
    """Wrap a sentence to a readable width; the following lines are indented by the width of the mark."""
    return textwrap.fill(text, WIDEST, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False)


def list_entries(
    kind: Annotated[
        str,
        typer.Argument(
            autocompletion=words([*(kind for kind in PARTS if kind != "papers"), "surrogates"]),
            help="rules, signals, neurons, connections, normalisations, encoders, datasets, hardware, surrogates, "
            "exporters or plots.",
        ),
    ],
    hardware: Annotated[
        str | None,
        typer.Option(
            help="For rules: check each against the learning engine of a device, such as loihi.",
            autocompletion=parts("hardware"),
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List all parts of one kind with their options."""
    from neurorules.runner.catalogue import catalogue

    if hardware is not None:
        _list_fits(kind, hardware, json)
        return
    entries = catalogue(kind)
    if json:
        print_json({kind: entries})
        return
    columns = SHORT.get(kind, list(entries[0]) if entries else ["name"])
    print_table(columns, [[str(entry[column]) for column in columns] for entry in entries], WIDEST)
    if kind in SHORT:
        print(MORE[kind])


def _list_fits(kind: str, hardware: str, json: bool) -> None:
    from neurorules.language.errors import UserError
    from neurorules.runner.fit import fits

    if kind != "rules":
        raise UserError(f"--hardware asks which rules fit a device, and '{kind}' are not rules. Use: list rules")
    rows = fits(hardware)
    if json:
        print_json({"hardware": hardware, "rules": rows})
        return
    for row in rows:
        print(f"{row['name']}: {'fits' if row['fits'] else 'does not fit'}")
        for misfit in row["misfits"]:
            print(_wrapped(f"{misfit['term']} (phase {misfit['phase']}): {misfit['why']}", "  - "))
        for nearest in dict.fromkeys(misfit["nearest"] for misfit in row["misfits"]):
            print(_wrapped(f"nearest text that fits: {nearest or 'none'}", "    "))
    offered = " ".join(misfit["nearest"] or "" for row in rows for misfit in row["misfits"])
    words = "x1 and y1 are low-pass traces of spikes. " if "x1" in offered or "y1" in offered else ""
    print(f"\n{words}Read-out and biases learn beside the chip, and are not checked.")


def cite(
    rule: Annotated[
        str, typer.Argument(help="A rule with options, such as sigprop:form=voltage.", autocompletion=parts("rules"))
    ],
    equations: Annotated[bool, typer.Option("--equations", help="Also print the equations.")] = False,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Print only the BibTeX entry of the paper.")] = False,
    script: Script = None,
    neuron: Annotated[
        str | None,
        typer.Option(
            help="With --script: neuron of the hidden layers, such as lif; by default the circuit's own.",
            autocompletion=parts("neurons"),
        ),
    ] = None,
    force: ForceScript = False,
    json: Json = False,
) -> None:
    """Print the paper of a rule, the deviations of this implementation, and the equations."""
    from neurorules.language.registry import own_part
    from neurorules.runner.bibtex import bibtex_of
    from neurorules.runner.catalogue import citation

    if script is not None:
        from neurorules.runner.scripts import script_of_rule

        refuse_beside_script(equations=equations, bibtex=bibtex)
        tell_script(script_of_rule(own_part(rule, "rule"), script, neuron, force), json)
        return
    refuse_without_script(neuron=neuron, force=force)
    source = citation(own_part(rule, "rule"))
    entry = bibtex_of(source["rule"], source) if bibtex else ""
    if json:
        print_json({"rule": source["rule"], "bibtex": entry} if bibtex else source)
    elif bibtex:
        print(entry)
    else:
        _tell(source, equations)


def _tell(source: dict[str, Any], equations: bool) -> None:
    """Print the facts about a rule and, if requested, its equations."""
    print(_wrapped(f"{source['authors']} ({source['year']}). {source['title']}."))
    if source["link"]:
        print(source["link"])
    print(_wrapped(source["options"], "  options: "))
    print(_wrapped(f"{source['signal'] or '-'}; needs: {source['needs']}", "  signal: "))
    print(_wrapped(source["learns_in"], "  learns in: "))
    if source["deviations"]:
        print("\nWhat is not the paper's here:")
        print("\n".join(_wrapped(deviation, "- ") for deviation in source["deviations"]))
    if equations:
        print()
        for text in source["equations"]:
            print(f"  d{text['parameter']} ({text['role']}, phase {text['phase']}) = {text['text']}")
        for line in source["declarations"]:
            print(_wrapped(line, "  with "))
        if source["continuous"] is not None:
            print(
                f"\nIn continuous time (train --path continuous), 64 inputs, 16 hidden units:\n{source['continuous']}"
            )
