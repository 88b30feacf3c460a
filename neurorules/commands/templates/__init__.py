"""The templates that `neurorules new KIND NAME` writes, and the functions that write them."""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
from pathlib import Path

from neurorules.language.errors import UserError
from neurorules.language.own_files import VARIABLE
from neurorules.language.registry import Registry
from neurorules.runs.atomic import write_text


def write_entry(registry: Registry, template: str, name: str, folder: Path | None, year: int = 2026) -> Path:
    """Write the file of a new part into a package.

    Args:
        registry: the registry of its kind, which knows the names in use.
        template: the template, with {name}, {title}, {type_name} and {year} in it.
        name: the name of the part and of its file.
        folder: the target folder, which is created if it is missing; None for the folder of the registry.
        year: the year of a citation in the file.

    Returns:
        The path of the file.

    Raises:
        UserError: the name is not valid or is taken, or the folder cannot be created."""
    check_name(registry, name)
    home = folder or home_of(registry)
    path = home / f"{name}.py"
    if path.exists():
        raise UserError(f"{path} exists already. Choose another name, or remove it")
    if not home.is_dir():
        try:
            home.mkdir(parents=True)
        except OSError as error:
            raise UserError(f"folder {home} cannot be made ({error.strerror}). Give another --folder") from None
        write_text(home / "__init__.py", f'"""Entries of the kind {registry.kind}: one file each."""\n')
    write_text(path, filled(template, name, year))
    return path


def write_alone(registry: Registry, template: str, name: str) -> Path:
    """Write the file of a new part to the folder of the user's own files, outside of any package.

    Args:
        registry: the registry of its kind, which knows the names in use.
        template: the template, as in `write_entry`.
        name: the name of the part and of its file.

    Returns:
        The path of the file, in the first folder of `NEURORULES_RULES` or in the current folder.

    Raises:
        UserError: the name is not valid or is taken, or the folder does not exist.
    """
    places = [Path(place).expanduser() for place in os.environ.get(VARIABLE, "").split(os.pathsep) if place.strip()]
    home = next((place for place in places if place.suffix != ".py"), Path())
    check_name(registry, name)
    path = home / f"{name}.py"
    if path.exists():
        raise UserError(f"{path} exists already. Choose another name, or remove it")
    write_text(path, filled(template, name))
    return path


def check_name(registry: Registry, name: str) -> None:
    """Refuse a name that a new part cannot have.

    Args:
        registry: the registry of the part's kind.
        name: the name of the part.

    Raises:
        UserError: the name is not valid or is taken.
    """
    kind = registry.kind
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"{kind} name '{name}' cannot be a file's. Use lower-case letters, digits and underscores")
    if name in registry.modules:
        raise UserError(f"{kind} '{name}' exists already. Choose another name")


def filled(template: str, name: str, year: int = 2026) -> str:
    """Fill in the template of a part.

    Args:
        template: the text, with {name}, {title}, {type_name} and {year} in it.
        name: the name of the part.
        year: the year of a citation in the file.

    Returns:
        The filled-in text.
    """
    words = {"name": name, "title": name.replace("_", " ").capitalize(), "year": str(year)}
    words["type_name"] = "".join(part.capitalize() for part in name.split("_"))
    text = template
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return text


def home_of(registry: Registry) -> Path:
    """The folder of a registry's entries; for a registry without one, that of the first package that adds entries.

    Raises:
        UserError: no package adds entries.
    """
    packages = [module.rpartition(".")[0] for module in registry.installed.values()]
    package = registry.package or next(iter(packages), None)
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"no package holds entries of the kind {registry.kind}. Name a folder of yours with --folder")
    return Path(next(iter(spec.submodule_search_locations)))


def package_of(path: Path) -> str:
    """The dotted name of the package that contains a file."""
    parts = [path.resolve().parent]
    while (parts[-1].parent / "__init__.py").exists():
        parts.append(parts[-1].parent)
    return ".".join(part.name for part in reversed(parts))
