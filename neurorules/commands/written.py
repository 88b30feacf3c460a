"""The options that the user wrote on the command line, and the refusal of empty paths."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from neurorules.language.errors import UserError

_options: ContextVar[Mapping[str, str]] = ContextVar("neurorules_written_options", default={})  # noqa: B039


def written_options(besides: Collection[str] = ()) -> dict[str, str]:
    """The options that the user wrote for the running command, on the command line or in a file.

    Args:
        besides: names of parameters that are left out.

    Returns:
        Each option as it is written, such as "--batch-size", by the name of its parameter.
    """
    return {name: option for name, option in _options.get().items() if name not in besides}


def remember_options(context: Any) -> None:
    """Remember the options of the command that is about to run.

    Args:
        context: click's context of the command, whose words are parsed.
    """
    options: dict[str, str] = {}
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if parameter.param_type_name == "option" and source is not None and source.name == "COMMANDLINE":
            options[name] = max(parameter.opts, key=len)
    _options.set(options)


def remember_settings(names: Iterable[str]) -> None:
    """Remember settings that the user wrote in a file, beside the options of the command line."""
    _options.set({**{name: f"--{name.replace('_', '-')}" for name in names}, **_options.get()})


def refuse_empty_paths(parameters: Any, raw: dict[str, Any]) -> None:
    """Refuse a path without a single letter, which Python would take for the current folder.

    Args:
        parameters: the parameters of a command.
        raw: their values as the user wrote them, by name.

    Raises:
        UserError: a path is empty.
    """
    for parameter in parameters:
        value = raw.get(parameter.name)
        values = value if isinstance(value, list | tuple) else [value]
        if "" in values and _is_path(parameter):
            option = parameter.param_type_name == "option"
            name = max(parameter.opts, key=len) if option else parameter.name.upper()
            raise UserError(f"{name} is empty. Write a path, or '.' for the current folder")


def _is_path(parameter: Any) -> bool:
    """Whether a parameter is a path, or several; older versions of typer say so by the name of a type."""
    described = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    return described in (Path, list[Path]) or getattr(getattr(parameter, "type", None), "name", None) == "path"
