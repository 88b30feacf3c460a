"""The command line: one application, one way to fail (a plain line on stderr, exit 2), one way to be stopped (130)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

import typer

from neurorules.commands import audit, causal, compare, explain, inspect, new, report, reproduce, traces, train, tune
from neurorules.language.errors import UserError, nearest

app = typer.Typer(
    name="neurorules",
    help="Train spiking networks with local, voltage-based learning rules, and compare them with global ones.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

# The base of all usage errors: typer brings a click of its own since 0.2x, so the class is found through typer.
UsageError: Any = typer.BadParameter.__mro__[2]

for part in (train, compare, tune, report, audit, reproduce, traces, explain, inspect, causal, new):
    part.add_to(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0, 2 for a user's mistake, 130 where the user stopped it."""
    logging.basicConfig(level=logging.WARNING, format="neurorules: %(message)s", stream=sys.stderr, force=True)
    logging.captureWarnings(True)
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    from neurorules.runs.interrupt import Interrupted

    try:
        code = typer.main.get_command(app).main(arguments, prog_name="neurorules", standalone_mode=False)
    except UserError as error:
        return _say(str(error), 2)
    except UsageError as error:
        return _say(_one_line(error, arguments), 2)
    except Interrupted as stop:
        return _say(str(stop), 130)
    except (KeyboardInterrupt, typer.Abort):
        return _say("stopped", 130)
    except BrokenPipeError:
        return 0
    return code if isinstance(code, int) else 0


def _say(line: str, code: int) -> int:
    print(f"neurorules: {' '.join(line.split())}", file=sys.stderr)
    return code


def _one_line(error: Any, arguments: list[str]) -> str:
    """The message of a usage error, with the nearest option where one is unknown."""
    message = error.format_message()
    context, option = getattr(error, "ctx", None), getattr(error, "option_name", None)
    if "Did you mean" in message or context is None:
        return message
    if option is not None:
        known = [name for parameter in context.command.params for name in parameter.opts]
        close = nearest(option, known)
        return f"{message} Did you mean {close}?" if close else message
    return f"{message.rstrip('.')}. See: {context.command_path} --help"
