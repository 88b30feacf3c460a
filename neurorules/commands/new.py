"""`neurorules new rule NAME`: a commented rule file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurorules.commands.output import print_json
from neurorules.commands.settings import Json


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    new = typer.Typer(help="Write a file to start from.", no_args_is_help=True, rich_markup_mode=None)
    new.command("rule")(new_rule)
    app.add_typer(new, name="new")


def new_rule(
    name: Annotated[str, typer.Argument(help="Name of the rule: lower-case letters, digits, underscores.")],
    folder: Annotated[
        Path | None, typer.Option(help="Folder of rules, made where it is missing; neurorules' own by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a commented rule file: in neurorules' own folder it is listed and under test as soon as it exists."""
    from neurorules.rules import RULES
    from neurorules.rules._template import package_of, write_rule

    path = write_rule(name, folder, RULES)
    listed = RULES.lists(path)
    if json:
        print_json({"rule": name, "file": str(path), "listed": listed})
    elif listed:
        print(f"{path} written. Try: neurorules train --rule {name}")
    else:
        print(f"{path} written. Rules are listed from neurorules' own folder and from installed packages that name")
        print("theirs. Put these lines into the package's pyproject.toml and install it, pip install -e .")
        print(f'[project.entry-points."neurorules.rules"]\n{name} = "{package_of(path)}"')
