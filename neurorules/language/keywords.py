"""Keyword arguments that are generated from the settings, so that `help()` and editors show every setting."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Concatenate, ParamSpec, TypeVar, get_type_hints

from neurorules.language.settings import Setting, settings_of

WIDTH = 100
"""Width in characters of the lines that `help()` shows."""
P = ParamSpec("P")
S = TypeVar("S")
Owner = TypeVar("Owner")
F = TypeVar("F", bound=Callable[..., Any])


def built_from(kind: Callable[P, S]) -> Callable[[Callable[[Owner, S], None]], Callable[Concatenate[Owner, P], None]]:
    """A decorator for constructors that take a dataclass of settings: it gives them the dataclass's keyword arguments.

    Args:
        kind: the dataclass, whose constructor defines the arguments and their types.

    Returns:
        A decorator: from `__init__(self, settings)` to `__init__(self, <the dataclass's arguments>)`.
    """

    def decorate(build: Callable[[Owner, S], None]) -> Callable[Concatenate[Owner, P], None]:
        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        signature = inspect.Signature([own, *parameters_of(kind)], return_annotation=None)

        def __init__(self: Owner, *args: P.args, **settings: P.kwargs) -> None:
            signature.bind(self, *args, **settings)  # raises an error that names an unknown or missing argument
            build(self, kind(*args, **settings))

        __init__.__signature__ = signature  # type: ignore[attr-defined]
        __init__.__doc__, __init__.__qualname__ = build.__doc__, build.__qualname__
        __init__.__module__ = build.__module__
        return __init__

    return decorate


def with_keywords(kind: Callable[..., Any], leave_out: str = "settings") -> Callable[[F], F]:
    """Let `help()` show every setting of a function that takes them as `**settings`.

    Args:
        kind: the dataclass of settings.
        leave_out: name of the parameter that the settings replace.

    Returns:
        A decorator that changes the function's signature and docstring, and not its behaviour.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [parameter for name, parameter in signature.parameters.items() if name != leave_out]
        names = {parameter.name for parameter in own}
        settings = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in parameters_of(kind)
            if parameter.name not in names
        ]
        function.__signature__ = signature.replace(parameters=[*own, *settings])  # type: ignore[attr-defined]
        function.__doc__ = with_settings(inspect.getdoc(function) or "", kind)
        return function

    return decorate


def parameters_of(kind: Callable[..., Any]) -> list[inspect.Parameter]:
    """The arguments of a dataclass of settings: positional ones first, then its own fields, then the settings in order.

    Args:
        kind: the dataclass.

    Returns:
        Parameters with plain types; the docstring that `with_settings` writes contains the ranges.
    """
    hints = get_type_hints(kind)
    places = {name: number for number, name in enumerate(settings_of(kind))}

    def place(parameter: inspect.Parameter) -> tuple[int, int]:
        by_place = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        return parameter.kind, places.get(parameter.name, -1) if by_place else 0

    ordered = sorted(inspect.signature(kind).parameters.values(), key=place)
    return [parameter.replace(annotation=hints[parameter.name]) for parameter in ordered]


def with_settings(text: str, kind: Any) -> str:
    """Append one line for each setting to a docstring.

    Args:
        text: the docstring.
        kind: the dataclass of settings.

    Returns:
        The longer text.
    """
    own = {one.name for one in fields(kind)}
    settings: Mapping[str, Setting] = settings_of(kind)
    lines = [_line(setting) for name, setting in settings.items() if name in own]
    return "\n".join([text, "", "Settings:", *lines])


def _line(setting: Setting) -> str:
    open_ = "" if setting.default is None else f" Default: {setting.default}."
    text = f"{setting.name}: {setting.help.text}{open_}"
    return textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent=" " * 8, break_on_hyphens=False)
