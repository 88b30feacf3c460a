"""`neurorules new KIND NAME`, which writes a commented template for a rule, signal, neuron or device."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from neurorules.commands.grouped_help import Application
from neurorules.commands.output import print_json
from neurorules.commands.settings import Json
from neurorules.language.own_file import KINDS
from neurorules.language.own_files import VARIABLE
from neurorules.language.registry import Registry

Name = Annotated[
    str,
    typer.Argument(help="Name of the part and of its file, such as my_own: lower-case letters, digits, underscores."),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        help="Folder of a package, which is created if it is missing. By default the file is written to the folder in "
        "NEURORULES_RULES, else to the current folder; a device is written next to the installed devices."
    ),
]
TRY = {
    "rule": "neurorules train --data digits --rule {name}",
    "signal": "neurorules train --data digits --rule dfa --signal {name}",
    "neuron": "neurorules train --data digits --neuron {name}",
    "device": "neurorules train --data digits --hardware {name}",
}
"""The command that trains with a new entry of each kind."""


def add_to(app: typer.Typer) -> None:
    """Add the commands below `new` to the command line."""
    new = Application(help="Write a commented template file.")
    for kind, command in (("rule", new_rule), ("signal", new_signal), ("neuron", new_neuron), ("device", new_device)):
        new.command(kind)(command)
    app.add_typer(new, name="new")


def new_rule(name: Name, folder: Folder = None, json: Json = False) -> None:
    """Write a commented template of a rule; use its path with `check` and `train --rule`."""
    from neurorules.rules import RULES
    from neurorules.rules._template import TEMPLATE

    _write(RULES, TEMPLATE, name, folder, json)


def new_signal(name: Name, folder: Folder = None, json: Json = False) -> None:
    """Write a commented template of a learning signal, which computes the third factor of a rule."""
    from neurorules.commands.templates.signal import TEMPLATE
    from neurorules.signals import SIGNALS

    _write(SIGNALS, TEMPLATE, name, folder, json)


def new_neuron(name: Name, folder: Folder = None, json: Json = False) -> None:
    """Write a commented template of a neuron model."""
    from neurorules.commands.templates.neuron import TEMPLATE
    from neurorules.neurons import NEURONS

    _write(NEURONS, TEMPLATE, name, folder, json)


def new_device(name: Name, folder: Folder = None, json: Json = False) -> None:
    """Write a commented template of a hardware device model."""
    from neurorules.commands.templates.device import TEMPLATE
    from neurorules.contracts.device import DEVICES

    _write(DEVICES, TEMPLATE, name, folder, json)


def _write(registry: Registry, template: str, name: str, folder: Path | None, json: bool) -> None:
    from neurorules.commands.templates import package_of, write_alone, write_entry

    kind, alone = registry.kind, folder is None and registry.kind in KINDS
    path = write_alone(registry, template, name) if alone else write_entry(registry, template, name, folder)
    listed = registry.lists(path) or registry.modules.get(name) == str(path.resolve())
    check = f"neurorules check {shlex.quote(str(path))}"
    commands = [check]
    if alone or listed:
        commands.append(TRY[kind].format(name=shlex.quote(str(path)) if alone else name))
    if json:
        print_json({kind: name, "file": str(path), "listed": listed, "commands": commands})
        return
    print(f"{path} written. Check it, and train with it:" if len(commands) > 1 else f"{path} written. Check it:")
    print("\n".join(commands))
    if alone and not listed:
        print(f"Let {VARIABLE} name its folder, and it is listed and known by its name, {name}.")
    elif not alone and not listed:
        print(f"The {kind}s that are listed lie in neurorules' own folder and in installed packages that name theirs.")
        print("Put these lines into the package's pyproject.toml and install it, pip install -e .")
        print(f'[project.entry-points."neurorules.{kind}s"]\n{name} = "{package_of(path)}"')
