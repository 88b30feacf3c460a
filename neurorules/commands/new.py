"""`neurorules new KIND NAME`: a commented file to start from."""

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
    str, typer.Argument(help="Name of the entry and its file, such as my_own: lower-case letters, digits, underscores.")
]
Folder = Annotated[
    Path | None,
    typer.Option(
        help="Folder of a package, made where it is missing. By default the file stands alone, in the folder that "
        "NEURORULES_RULES names, else in the current one; a device's lies with the devices there are."
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
    new = Application(help="Write a file to start from.")
    for kind, command in (("rule", new_rule), ("signal", new_signal), ("neuron", new_neuron), ("device", new_device)):
        new.command(kind)(command)
    app.add_typer(new, name="new")


def new_rule(name: Name, folder: Folder = None, json: Json = False) -> None:
    """Write a commented rule file, which `check` and `train --rule` take by its path."""
    from neurorules.rules import RULES
    from neurorules.rules._template import TEMPLATE

    _write(RULES, TEMPLATE, name, folder, json)


def new_signal(name: Name, folder: Folder = None, json: Json = False) -> None:
    """Write a commented file of a learning signal, which makes the third factor of a rule."""
    from neurorules.commands.templates.signal import TEMPLATE
    from neurorules.signals import SIGNALS

    _write(SIGNALS, TEMPLATE, name, folder, json)


def new_neuron(name: Name, folder: Folder = None, json: Json = False) -> None:
    """Write a commented file of a neuron: a pure step on a state of its own."""
    from neurorules.commands.templates.neuron import TEMPLATE
    from neurorules.neurons import NEURONS

    _write(NEURONS, TEMPLATE, name, folder, json)


def new_device(name: Name, folder: Folder = None, json: Json = False) -> None:
    """Write a commented file of a device model, under which a net learns."""
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
