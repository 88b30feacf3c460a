"""Brian2 itself: imported where it is used, and run in a session of our own, beside the user's.

Brian2 keeps a session in globals: the device, its default clock and what is waiting to be built on it, the
preferences, the random numbers. A user may be in the middle of one.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any, Literal

import numpy as np

from neurorules.language.errors import MissingExtra

Target = Literal["numpy", "cython"]
"""Where generated code runs. numpy needs no compiler; cython compiles every block of statements that it has not
seen before, which takes minutes, and repays only long runs."""
MACHINE = (
    *("logging.", "codegen.cpp.compiler", "codegen.cpp.include_dirs", "codegen.cpp.library_dirs"),
    *("codegen.cpp.runtime_library_dirs", "codegen.cpp.msvc", "codegen.runtime.cython.", "codegen.max_cache_dir_size"),
    *("devices.cpp_standalone.make_cmd", "devices.cpp_standalone.run_", "GSL.directory", "core.outdated_dependency"),
)
"""How preferences begin that tell of the user's machine, and change no number; all others have their defaults here."""


def load_brian2() -> ModuleType:
    """The package brian2.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        brian2 = importlib.import_module("brian2")
    except ModuleNotFoundError as error:
        if error.name != "brian2":
            raise
        raise MissingExtra("the Brian2 path", "brian2", "brian2") from None
    return brian2


def runtime_device() -> Any:
    """A device of our own that runs generated code in this process."""
    return _devices().RuntimeDevice()


def standalone_device() -> Any:
    """A device of our own that writes a C++ program."""
    return type(_devices().all_devices["cpp_standalone"])()


@contextmanager
def session(brian2: ModuleType, device: Any, preferences: Mapping[str, Any]) -> Iterator[None]:
    """A session of our own inside; the user's is as it was, afterwards and after an error or an interrupt.

    What was made on a device has to be read on it, too.

    Args:
        brian2: the package.
        device: from `runtime_device` or `standalone_device`.
        preferences: those that differ from Brian2's own.
    """
    devices, network, prefs = _devices(), brian2.Network, brian2.prefs
    active, known, previous = devices.active_device, dict(devices.all_devices), list(devices.previous_devices)
    flags = network._globally_stopped, network._globally_running
    preferred = dict(prefs)
    random = np.random.get_state()  # noqa: NPY002  Brian2's runtime draws from it
    try:
        # Brian2 looks devices up by their names.
        name = "cpp_standalone" if isinstance(device, type(known["cpp_standalone"])) else "runtime"
        devices.all_devices[name] = devices.active_device = device
        device.activate(build_on_run=False)
        _prefer(prefs, {**_defaults(prefs), **preferences})
        yield
    finally:
        devices.active_device = active
        devices.all_devices.update(known)
        devices.previous_devices[:] = previous
        network._globally_stopped, network._globally_running = flags
        np.random.set_state(random)  # noqa: NPY002
        _prefer(prefs, preferred)


def generating(brian2: ModuleType, target: Target, device: Any | None = None) -> AbstractContextManager[None]:
    """A session that runs code generated for `target`; an interrupt ends it at once, and leaves no half of a run.

    Args:
        brian2: the package.
        target: what is generated.
        device: from `runtime_device`, where what was made on it is read again; a new one if None.
    """
    preferences = {"codegen.target": target, "core.stop_on_keyboard_interrupt": False}
    return session(brian2, device or runtime_device(), preferences)


def _devices() -> Any:
    """Brian2's module of devices, whose name in its package stands for the active device."""
    return importlib.import_module("brian2.devices.device")


def _defaults(prefs: Any) -> dict[str, Any]:
    """Brian2's own preferences."""
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
