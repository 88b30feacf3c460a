"""`neurorules new KIND NAME`: a commented file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurorules.commands.grouped_help import Application
from neurorules.commands.output import print_json
from neurorules.commands.settings import Json
from neurorules.language.registry import Registry

Name = Annotated[
    str, typer.Argument(help="Name of the entry and its file, such as my_own: lower-case letters, digits, underscores.")
]
Folder = Annotated[
    Path | None,
    typer.Option(help="Folder of such entries, made where it is missing; by default that of the entries there are."),
]
TRY = {
    "rule": "neurorules train --rule {name}",
    "signal": "neurorules train --rule dfa --signal {name}",
    "neuron": "neurorules train --neuron {name}",
    "device": "neurorules train --hardware {name}",
}
"""The command that trains with a new entry of each kind."""


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    new = Application(help="Write a file to start from.")
    for kind, command in (("rule", new_rule), ("signal", new_signal), ("neuron", new_neuron), ("device", new_device)):
        new.command(kind)(command)
    app.add_typer(new, name="new")


def new_rule(name: Name, folder: Folder = None, json: Json = False) -> None:
    """Write a commented rule file: in neurorules' own folder it is listed and under test as soon as it exists."""
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
    from neurorules.commands.templates import package_of, write_entry

    kind, path = registry.kind, write_entry(registry, template, name, folder)
    listed = registry.lists(path)
    if json:
        print_json({kind: name, "file": str(path), "listed": listed})
        return
    print(f"{path} written. Check it: neurorules check {path}")
    if listed:
        print(f"Try: {TRY[kind].format(name=name)}")
    else:
        print(f"The {kind}s that are listed lie in neurorules' own folder and in installed packages that name theirs.")
        print("Put these lines into the package's pyproject.toml and install it, pip install -e .")
        print(f'[project.entry-points."neurorules.{kind}s"]\n{name} = "{package_of(path)}"')
