"""The import of Brian2, only where it is used, and sessions of Brian2 apart from the user's.

Brian2 keeps the state of a session in global variables: the active device with its default clock and the networks that
wait to be built on it, the preferences, and NumPy's random generator. A user may have such a session open, so a
network of this package runs in a second one, and the user's is restored afterwards.
"""

from __future__ import annotations

import importlib
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any, Literal

import numpy as np

from neurorules.language.errors import MissingExtra, UserError, unknown
from neurorules.runs.kept_interrupt import InterruptKeeper, check_interrupt, no_interrupt_lost

Target = Literal["numpy", "cython"]
"""The targets of Brian2's code generation. `numpy` needs no compiler. `cython` compiles each new block of statements,
which takes minutes, so that it is faster only for long runs."""
MACHINE = (
    *("logging.", "codegen.cpp.compiler", "codegen.cpp.include_dirs", "codegen.cpp.library_dirs"),
    *("codegen.cpp.runtime_library_dirs", "codegen.cpp.msvc", "codegen.runtime.cython.", "codegen.max_cache_dir_size"),
    *("devices.cpp_standalone.make_cmd", "devices.cpp_standalone.run_", "GSL.directory", "core.outdated_dependency"),
)
"""Prefixes of the preferences that describe the user's machine and change no result. A session leaves these as the user
set them, and gives all other preferences Brian2's defaults."""


DEVICES = {"runtime": "brian2", "cpp_standalone": "brian2", "cuda_standalone": "brian2cuda", "genn": "brian2genn"}
"""Brian2's devices by the names of `set_device`, each with the package that provides it."""


def load_brian2() -> ModuleType:
    """Import the package brian2, which is an extra.

    Brian2 takes over Python's warnings when it is imported. A program that has not imported it itself keeps its own way
    of showing them.

    Raises:
        MissingExtra: brian2 is not installed.
    """
    shown, logger = warnings.showwarning, logging.getLogger("py.warnings")
    handlers = list(logger.handlers)
    try:
        brian2 = importlib.import_module("brian2")
    except ModuleNotFoundError as error:
        if error.name != "brian2":
            raise
        raise MissingExtra("the Brian2 path", "brian2", "brian2") from None
    logger.handlers[:] = handlers
    if warnings.showwarning is not shown:
        logging.captureWarnings(False)
    return brian2


def runtime_device() -> Any:
    """Make a new device that runs generated code in this process."""
    return _devices().RuntimeDevice()


def standalone_device() -> Any:
    """Make a new device that writes a C++ program."""
    return type(_devices().all_devices["cpp_standalone"])()


def device_of(name: str) -> Any:
    """Make a new device by its name in Brian2 or in a package that extends Brian2.

    Args:
        name: a key of `DEVICES`.

    Returns:
        The device, which is not active yet.

    Raises:
        UserError: there is no such name, or its package is not installed or does not work here.
    """
    if name not in DEVICES:
        raise unknown("Brian2 device", name, DEVICES)
    package = DEVICES[name]
    try:
        importlib.import_module(package)
    except Exception as error:  # packages without a GPU or a compiler raise various errors
        raise UserError(
            f"--brian2-device {name} needs the package {package}, which cannot be imported here: {error}. Install it "
            f"(pip install {package}), or use cpp_standalone or runtime"
        ) from None
    return type(_devices().all_devices[name])()


@contextmanager
def session(brian2: ModuleType, device: Any, preferences: Mapping[str, Any]) -> Iterator[InterruptKeeper]:
    """Open a Brian2 session, and restore the user's when it ends, also after an error or an interrupt.

    An interrupt ends a run of `run_network` after its step, and anything else where the session ends, since it would be
    lost in one of the many callbacks of Brian2's objects. Objects that were made on a device can only be read while
    that device is active.

    Args:
        brian2: the package.
        device: from `runtime_device` or `standalone_device`; it is active inside the session.
        preferences: Brian2's preferences by name, where they differ from its defaults.

    Returns:
        A context manager, which gives its block the keeper of interrupts.
    """
    with no_interrupt_lost() as keeper, _apart(brian2), keeper.calling(lambda: _stop_running(brian2)):
        # Brian2 looks devices up by their names.
        devices = _devices()
        name = next((name for name, one in devices.all_devices.items() if type(one) is type(device)), "runtime")
        devices.all_devices[name] = devices.active_device = device
        device.activate(build_on_run=False)
        _prefer(brian2.prefs, {**_defaults(brian2.prefs), **preferences})
        yield keeper


def _stop_running(brian2: ModuleType) -> None:
    brian2.Network._globally_stopped = True


@contextmanager
def _apart(brian2: ModuleType) -> Iterator[None]:
    """Restore all globals of Brian2 when the block ends."""
    devices, network, prefs = _devices(), brian2.Network, brian2.prefs
    active, registered, previous = devices.active_device, dict(devices.all_devices), list(devices.previous_devices)
    flags = network._globally_stopped, network._globally_running
    preferred = dict(prefs)
    random = np.random.get_state()  # noqa: NPY002  Brian2's runtime draws from this global generator
    try:
        yield
    finally:
        devices.active_device = active
        devices.all_devices.update(registered)
        devices.previous_devices[:] = previous
        network._globally_stopped, network._globally_running = flags
        np.random.set_state(random)  # noqa: NPY002
        _prefer(prefs, preferred)


def generating(
    brian2: ModuleType, target: Target, device: Any | None = None
) -> AbstractContextManager[InterruptKeeper]:
    """Open a session that runs generated code in this process.

    Args:
        brian2: the package.
        target: what Brian2 generates code for.
        device: from `runtime_device`, to read objects that were made on it; None for a new one.

    Returns:
        A context manager, which gives its block the keeper of interrupts.
    """
    preferences = {"codegen.target": target, "core.stop_on_keyboard_interrupt": False}
    return session(brian2, device or runtime_device(), preferences)


def run_network(network: Any, duration: Any) -> None:
    """Run a network of a session of ours in this process.

    Args:
        network: Brian2's network.
        duration: with units.

    Raises:
        KeyboardInterrupt: the user has pressed Ctrl-C; the step that ran then is complete.
    """

    def report(*progress: Any) -> None:
        # Brian2 calls this before the first step, since what asks it to stop earlier is forgotten, and after the last.
        check_interrupt()

    # With an empty namespace, Brian2 does not look names up among the caller's variables.
    network.run(duration, report=report, namespace={})


@contextmanager
def told_in_a_line(brian2: ModuleType) -> Iterator[None]:
    """Tell what Brian2 refuses in a model in one line: the object, and Brian2's own message, which has the equation.

    Args:
        brian2: the package.

    Returns:
        A context manager, which gives nothing to its block.

    Raises:
        UserError: Brian2 refuses an object: units that do not fit, or a name that has another meaning.
    """
    try:
        yield
    except (brian2.core.base.BrianObjectException, *_refusals(brian2)) as error:
        cause = error.__cause__ or error
        if not isinstance(cause, _refusals(brian2)):
            raise  # an interrupt, or an error of Brian2's own
        named = re.search(r"object named '([^']*)'", str(error))
        where = f"'{named[1]}' of the model" if named else "the model"
        said = " ".join(str(cause).split())
        raise UserError(f"Brian2 refuses {where}: {said.rstrip('.')}. Correct its equations or its names") from None


def _refusals(brian2: ModuleType) -> tuple[type[Exception], ...]:
    """The exceptions that Brian2 raises for a model that cannot be: its units, equations or names."""
    unsupported = brian2.stateupdaters.base.UnsupportedEquationsException
    equations = (brian2.DimensionMismatchError, brian2.equations.equations.EquationError, unsupported)
    return (*equations, SyntaxError, ValueError, KeyError)


def _devices() -> Any:
    """Import Brian2's module of devices by its full name, since `brian2.devices.device` is also the active device."""
    return importlib.import_module("brian2.devices.device")


def _defaults(prefs: Any) -> dict[str, Any]:
    """Brian2's defaults of all preferences that do not describe the user's machine."""
    return {
        f"{category}.{name}": preference.default
        for category, (preferences, _) in prefs.pref_register.items()
        for name, preference in preferences.items()
        if not f"{category}.{name}".startswith(MACHINE)
    }


def _prefer(prefs: Any, wanted: Mapping[str, Any]) -> None:
    for name, value in wanted.items():
        if prefs[name] is not value:
            prefs[name] = value
