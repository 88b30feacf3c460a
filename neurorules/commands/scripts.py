"""The options and the output of commands that write a Brian2 script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.output import print_json
from neurorules.language.unused import refuse_unused

Script = Annotated[
    Path | None,
    typer.Option(
        help="Only write the model as a Brian2 program that does not need neurorules, such as model.py. "
        "Large arrays are written next to it, to model.npz."
    ),
]
ForceScript = Annotated[bool, typer.Option("--force", help="Replace the file of --script.")]


def refuse_without_script(**options: Any) -> None:
    """Refuse options that belong to --script if it is not given.

    Raises:
        UserError: one of them is given.
    """
    refuse_unused(options, "is for --script, and there is none. Add --script model.py, or leave it out")


def refuse_beside_script(**options: bool) -> None:
    """Refuse options that print something together with --script, which writes a file.

    Raises:
        UserError: one of them is given.
    """
    refuse_unused(options, "prints, and --script writes a file. Give one of them")


def tell_script(written: dict[str, Any], json: bool) -> None:
    """Print the names of the written files.

    Args:
        written: rule and files, from `runner.scripts`.
        json: whether to print them as a JSON object.
    """
    if json:
        print_json(written)
        return
    print(f"wrote {' and '.join(written['files'])}; run it: python {written['files'][0]}")
