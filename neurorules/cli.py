"""The command line: it runs one command, and reports a user's error as one line on stderr with exit code 2.

Errors of the operating system, a lack of memory, and a `sys.exit()` in code of the user's are also reported in one
line. Any other error is a fault of this program and shows a traceback. After Ctrl-C the exit code is 130. A letter that
the terminal cannot show is written by its number.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
import warnings
from collections import namedtuple
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands import (
    audit,
    bench,
    benchmark,
    causal,
    check,
    compare,
    deploy,
    doctor,
    explain,
    inspect,
    new,
    nir,
    paper,
    report,
    reproduce,
    simulate,
    sweep,
    traces,
    train,
    tune,
    window,
)
from neurorules.commands.grouped_help import Application
from neurorules.language.errors import OwnRankError, UserError, nearest
from neurorules.language.version import own_version
from neurorules.runs.allocator import keep_freed_memory
from neurorules.runs.interrupt import Interrupted, time_for_last_line
from neurorules.runs.kept_interrupt import no_interrupt_lost
from neurorules.runs.launch import by_launcher, check_alone, launch

app = Application(name="neurorules", pretty_exceptions_enable=False)

PROGRAM = "neurorules: "
"""What every line to the user begins with."""
LONGEST = 200
"""The largest length of a word in an error line; the middle of a longer word is left out."""

# The base class of all usage errors. Since 0.2x, typer contains its own click, so the class is taken from typer.
UsageError: Any = typer.BadParameter.__mro__[2]
ALONE = "NoArgsIsHelpError"
"""The usage error of a group without a command, whose message is the whole help."""

COMPLETE = "_NEURORULES_COMPLETE"
"""The environment variable by which a shell requests completions."""
SUBJECTS = {
    "Train and compare": (train, compare, benchmark, deploy, tune, sweep, reproduce, report, paper),
    "Look inside a network": (traces, explain, simulate, audit, causal, window),
    "Move nets in and out": (nir,),
    "Parts: what there is, and your own": (inspect, check, new),
    "This machine": (doctor, bench),
}
"""The headings of the help, with the modules whose commands are listed below each."""
ON_RANKS = ("train", "doctor", "list")
"""Commands that torchrun may start in several processes; all others would repeat the same work in each process."""
TITLES: dict[str, str] = {}
"""The heading of each command, by the name of the command."""

for subject, modules in SUBJECTS.items():
    for module in modules:
        module.add_to(app)
    for command in app.registered_commands:
        command.rich_help_panel = TITLES.setdefault(command.name or "", subject)
    for group in app.registered_groups:
        group.rich_help_panel = TITLES.setdefault(group.name or "", subject)


def show_version(show: bool) -> bool:
    """Print the version and exit, if the option was given."""
    if show:
        print(f"neurorules {own_version()}")
        raise typer.Exit
    return show


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train spiking networks with local, voltage-based learning rules, and compare them with global ones."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 for success, 2 for a user's mistake, 130 if the user stopped it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, format=f"{PROGRAM}%(message)s", stream=sys.stderr, force=True)
    warnings.formatwarning = line_of_warning
    logging.captureWarnings(True)
    keep_freed_memory()
    if COMPLETE in os.environ:
        typer.main.get_command(app).main([], prog_name="neurorules")
    code = run(list(sys.argv[1:] if arguments is None else arguments))
    # Python remembers an interrupt that left a text run by `exec`, as in a data class, and would end `python -m` by its
    # signal, not by this exit code. It forgets it as it runs the next text, such as that of this class.
    namedtuple("Nothing", "")
    sys.exit(code)


def line_of_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:  # fmt: skip
    """Format a warning as one line, to which the log adds the name of the program.

    Args:
        message, category: the warning.
        filename, lineno: the line of code that it is about; it is named only for warnings of other packages.
        line: the text of that line, which is not shown.

    Returns:
        The line, without the name of the program.
    """
    text = " ".join(str(message).split())
    if text.startswith(PROGRAM):
        return text.removeprefix(PROGRAM)
    return f"{text} ({category.__name__} of {os.path.basename(filename)}, line {lineno})"


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code. A process of a launcher has time to report its error to the end."""
    with time_for_last_line() if by_launcher() else nullcontext():
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    from neurorules.disk.failures import line_of_failure

    command = typer.main.get_command(_with_command(arguments[0] if arguments else ""))
    try:
        if arguments and arguments[0] not in ON_RANKS and not arguments[0].startswith("-"):
            check_alone(arguments[0])
        # typer's own `main` is not used, because it would catch the interrupt and hide the line that resumes the run.
        with command.make_context("neurorules", arguments) as context, no_interrupt_lost(at_once=True):
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except UserError as error:
        return _say_once(error, str(error), 2)
    except UsageError as error:
        if type(error).__name__ == ALONE and launch().rank == 0:
            print(error.format_message(), file=sys.stderr)
            return 2
        return _say_once(error, _one_line(error, arguments), 2)
    except Interrupted as stop:
        return _say_once(stop, str(stop), 130)
    except (KeyboardInterrupt, typer.Abort):
        return _say("stopped", 130)
    except BrokenPipeError:
        return 0
    except SystemExit as end:
        return _left(end)
    except Exception as error:
        line = line_of_failure(error)
        if line is None:
            raise
        return _say(line, 2)
    return 0


def _with_command(name: str) -> Application:
    """The application with only one command, which starts faster; with all commands if none has this name."""
    commands = [command for command in app.registered_commands if command.name == name]
    if not commands:
        return app
    one = Application(name="neurorules", pretty_exceptions_enable=False)
    one.registered_callback, one.registered_commands = app.registered_callback, commands
    return one


def _left(end: SystemExit) -> int:
    """Say where code of the user's ends the program; inside a command, only typer does so, after it has installed the
    completion of a shell."""
    place = traceback.extract_tb(end.__traceback__)[-1]
    if Path(typer.__file__).parent in Path(place.filename).parents:
        return int(end.code or 0)
    left = f"{place.filename}, line {place.lineno}"
    return _say(f"{left} ends the program (SystemExit: {end}). Raise an error there instead, or leave it out", 2)


def _say_once(error: BaseException, line: str, code: int) -> int:
    """Print an error that every rank raises only on the first rank; errors of a single rank are printed by that
    rank."""
    if launch().rank == 0 or isinstance(error, OwnRankError):
        return _say(line, code)
    return code


def _say(line: str, code: int) -> int:
    words = (word if len(word) <= LONGEST else f"{word[: LONGEST // 2]}...{word[-9:]}" for word in line.split())
    print(f"{PROGRAM}{' '.join(words)}", file=sys.stderr)
    return code


def _one_line(error: Any, arguments: list[str]) -> str:
    """The message of a usage error; for an unknown option it names the nearest one."""
    message = _wrong_value(error) or error.format_message()
    context, option = getattr(error, "ctx", None), getattr(error, "option_name", None)
    if "Did you mean" in message or context is None:
        return message
    if option is not None:
        legal = [name for parameter in context.command.params for name in parameter.opts]
        close = nearest(option, legal)
        return f"{message} Did you mean {close}?" if close else message
    return f"{message.rstrip('.')}. See: {context.command_path} --help"


def _wrong_value(error: Any) -> str | None:
    """The message for a value that cannot be parsed; None for another error."""
    details, parameter = getattr(error.__cause__, "errors", None), getattr(error, "param", None)
    if details is None or parameter is None:
        return None
    first, name = details()[0], max(parameter.opts, key=len)
    wanted, begins = first["msg"].removeprefix("Value error, ").rstrip("."), "Input should be "
    if not wanted.startswith(begins):
        return f"{name}: {wanted}"
    return f"{name} is '{first['input']}', and must be {wanted.removeprefix(begins).partition(',')[0]}"
