"""The options of commands that write a script of Brian2, and what these commands print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.output import print_json
from neurorules.language.errors import UserError

Script = Annotated[
    Path | None,
    typer.Option(
        help="Write the model as a program of Brian2 that needs no neurorules, such as model.py, and nothing else. "
        "Large arrays go beside it, into model.npz."
    ),
]
ForceScript = Annotated[bool, typer.Option("--force", help="Replace the file of --script.")]


def refuse_without_script(**options: Any) -> None:
    """Refuse options that belong to --script where it is not given.

    Raises:
        UserError: one of them is given.
    """
    for name, value in options.items():
        if value:
            raise UserError(f"--{name} is for --script, and there is none. Add --script model.py, or leave it out")


def refuse_beside_script(**options: bool) -> None:
    """Refuse options that print something, beside --script, which writes the model into a file.

    Raises:
        UserError: one of them is given.
    """
    for name, value in options.items():
        if value:
            raise UserError(f"--{name.replace('_', '-')} prints, and --script writes a file. Give one of them")


def tell_script(written: dict[str, Any], json: bool) -> None:
    """Print which files were written.

    Args:
        written: rule and files, as `runner.scripts` gives them.
        json: print them as a JSON object.
    """
    if json:
        print_json(written)
        return
    print(f"wrote {' and '.join(written['files'])}; run it: python {written['files'][0]}")
