"""The files that `neurorules new KIND NAME` writes: one commented text for each kind, and the one way to write them."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path

from neurorules.language.errors import UserError
from neurorules.language.registry import Registry
from neurorules.runs.atomic import write_text


def write_entry(registry: Registry, template: str, name: str, folder: Path | None, year: int = 2026) -> Path:
    """Write a new entry's file.

    Args:
        registry: of its kind, whose names are taken.
        template: the text, with {name}, {title}, {type_name} and {year} in it.
        name: of the entry and of its file.
        folder: where to, made where it is missing; the folder of the registry's own entries if None.
        year: of a citation in it.

    Returns:
        The path of the file.

    Raises:
        UserError: a name that cannot be a file's or is taken, or a folder that cannot be made.
    """
    kind = registry.kind
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"{kind} name '{name}' cannot be a file's. Use lower-case letters, digits and underscores")
    if name in registry.modules:
        raise UserError(f"{kind} '{name}' exists already. Choose another name")
    home = folder or home_of(registry)
    path = home / f"{name}.py"
    if path.exists():
        raise UserError(f"{path} exists already. Choose another name, or remove it")
    if not home.is_dir():
        try:
            home.mkdir(parents=True)
        except OSError as error:
            raise UserError(f"folder {home} cannot be made ({error.strerror}). Give another --folder") from None
        write_text(home / "__init__.py", f'"""Entries of the kind {kind}: one file each."""\n')
    words = {"name": name, "title": name.replace("_", " ").capitalize(), "year": str(year)}
    words["type_name"] = "".join(part.capitalize() for part in name.split("_"))
    text = template
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    write_text(path, text)
    return path


def home_of(registry: Registry) -> Path:
    """The folder of a registry's own entries; where it has none, of the first package that adds some.

    Raises:
        UserError: no package adds any.
    """
    packages = [module.rpartition(".")[0] for module in registry.modules.values()]
    package = registry.package or next(iter(packages), None)
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"no package holds entries of the kind {registry.kind}. Name a folder of yours with --folder")
    return Path(next(iter(spec.submodule_search_locations)))


def package_of(path: Path) -> str:
    """The dotted name of the package that a file lies in."""
    parts = [path.resolve().parent]
    while (parts[-1].parent / "__init__.py").exists():
        parts.append(parts[-1].parent)
    return ".".join(part.name for part in reversed(parts))
