"""Help with commands and options in groups, as plain lines that are also readable in a pipe.

The title of a group is the `rich_help_panel` of typer; commands and options without one are listed under the default
title, such as "Options".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from neurorules.commands.written import refuse_empty_paths, remember_options

USUAL = "Usual options"
"""Title of the group of common options, which is listed first."""


class GroupedCommand(TyperCommand):
    """A command whose help lists its options in groups, and which refuses empty paths."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the command line.

        Args:
            ctx: click's context of the command.
            args: the words.

        Returns:
            The words that are left over.

        Raises:
            UserError: a path is empty.
        """
        if "" in args or any(word.endswith("=") for word in args):
            refuse_empty_paths(self.get_params(ctx), self.make_parser(ctx).parse_args(args=list(args))[0])
        rest: list[str] = super().parse_args(ctx, args)
        remember_options(ctx)
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, and then the groups of options, starting with the usual ones.

        Args:
            ctx: click's context of the command.
            formatter: click's, into which is written.
        """
        _write_parameters(self, ctx, formatter)


class GroupedCommands(TyperGroup):
    """The group of all commands, whose help lists them by subject."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, and then the commands.

        Args:
            ctx: click's context of the commands.
            formatter: click's, into which is written.
        """
        _write_parameters(self, ctx, formatter)
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown = [(name, command) for name, command in commands if command is not None and not command.hidden]
        room = formatter.width - 6 - max((len(name) for name, _ in shown), default=0)
        lines = [
            (getattr(command, "rich_help_panel", None) or "Commands", (name, command.get_short_help_str(room)))
            for name, command in shown
        ]
        _write_groups(formatter, lines)


class Application(typer.Typer):
    """An application whose help lists commands and options in groups."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=GroupedCommands, rich_markup_mode=None, no_args_is_help=True, **options)

    def command(self, name: str | None = None, **options: Any) -> Any:
        """Register a command, as `typer.Typer.command` does.

        Args:
            name: the name of the command; None for the name of its function.
            options: other arguments of `typer.Typer.command`.

        Returns:
            A decorator of the command's function.
        """
        return super().command(name, cls=GroupedCommand, **options)


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    lines = []
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            other = "Arguments" if parameter.param_type_name == "argument" else "Options"
            lines.append((getattr(parameter, "rich_help_panel", None) or other, record))
    _write_groups(formatter, sorted(lines, key=lambda line: _place(line[0])))


def _place(title: str) -> int:
    """The sort key of a group: arguments, usual options, options of the command, and then settings."""
    first = ("Arguments", USUAL, "Options")
    return first.index(title) if title in first else len(first)


def _write_groups(formatter: Any, lines: Iterable[tuple[str, tuple[str, str]]]) -> None:
    """Write lines below their titles, in the order in which the titles first occur."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for title, line in lines:
        groups.setdefault(title, []).append(line)
    for title, records in groups.items():
        with formatter.section(title):
            formatter.write_dl(records)
