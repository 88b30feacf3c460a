"""A user's Brian2 session is as it was after ours has run in it, also after an error and an interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_steps.backend import generating, load_brian2, runtime_device, session, standalone_device
from neurorules.brian2_steps.program import find_cpp_compiler
from neurorules.brian2_steps.simulate import Recorded, simulate
from neurorules.network.network import build_network

brian2 = load_brian2()
STEPS = 6


def ours(steps: int = STEPS) -> dict[str, Recorded]:
    """A small network of ours, run in Brian2."""
    network = build_network("8", (5,), 3, norm="none")
    generator = torch.Generator().manual_seed(0)
    parameters = {n: v.numpy() for n, v in network.initial_parameters(generator, torch.float64).items()}
    drive = torch.rand((4, 5), generator=generator).double().numpy() * 3
    return simulate(network, parameters, drive, steps)


def state() -> dict[str, Any]:
    """All that a session keeps in globals."""
    devices = sys.modules["brian2.devices.device"]
    return {
        "active": devices.active_device,
        "known": dict(devices.all_devices),
        "previous": list(devices.previous_devices),
        "clock": (id(brian2.get_device().defaultclock), float(brian2.defaultclock.dt)),
        "preferences": dict(brian2.prefs),
        "random": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "flags": (brian2.Network._globally_stopped, brian2.Network._globally_running),
    }


@pytest.fixture
def users_session() -> Iterator[tuple[Any, Any]]:
    """A session with preferences, clock and random numbers of its own, and a network half way through its run."""
    before = dict(brian2.prefs), brian2.defaultclock.dt
    brian2.prefs["core.default_float_dtype"] = np.float32
    brian2.prefs["codegen.target"] = "numpy"
    brian2.prefs["codegen.loop_invariant_optimisations"] = False
    brian2.prefs["legacy.refractory_timing"] = True
    brian2.defaultclock.dt = 0.25 * brian2.ms
    brian2.seed(7)
    group = brian2.NeuronGroup(2, "v : 1", name="hidden1")
    group.run_regularly("v = v + 1", when="start")
    network = brian2.Network(group)
    network.run(1 * brian2.ms, namespace={})
    yield group, network
    for name, value in before[0].items():
        brian2.prefs[name] = value
    brian2.defaultclock.dt = before[1]


CLEAN = ours()


def test_a_session_of_ours_leaves_the_users_as_it_was_and_is_not_changed_by_it(users_session: tuple[Any, Any]) -> None:
    group, network = users_session
    before = state()
    here = ours()
    assert state() == before
    for name, layer in CLEAN.items():
        np.testing.assert_array_equal(here[name].S, layer.S)
        np.testing.assert_array_equal(here[name].v, layer.v)
    assert CLEAN["hidden1"].S.sum() > 0
    network.run(1 * brian2.ms, namespace={})
    assert group.v[:].tolist() == [8.0, 8.0]  # 2 ms in steps of 0.25 ms


def test_a_circuit_without_a_compiler_leaves_the_session_too(users_session: tuple[Any, Any]) -> None:
    from neurorules.brian2_continuous.parts.circuit import Units

    circuit = Circuit(
        units=(Units("noise", 3, ("v : 1",), watch=("v",)),), wires=(), tables={}, period_ms=2.0,
        dt_ms=1.0, presentations=2, seed=5,
    )  # fmt: skip
    before = state()
    machine = Interpreted(circuit)
    machine.run({"noise.v": np.arange(3.0)}, {})
    assert machine.read("noise.v").tolist() == machine.watched("noise", "v")[-1].tolist() == [0.0, 1.0, 2.0]
    assert state() == before


@pytest.mark.parametrize("device", [runtime_device, standalone_device])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_inside_leaves_the_session_as_it_was(
    device: Callable[[], Any], error: type[BaseException], users_session: tuple[Any, Any]
) -> None:
    before = state()
    with pytest.raises(error), session(brian2, device(), {"core.default_float_dtype": np.float64}):
        brian2.defaultclock.dt = 3 * brian2.ms
        brian2.seed(1)
        brian2.prefs["codegen.max_cache_dir_size"] = 3
        raise error
    assert state() == before


def test_an_interrupt_ends_a_run_of_ours_and_gives_no_half_of_it(users_session: tuple[Any, Any]) -> None:
    before = state()
    handler = signal.getsignal(signal.SIGINT)

    def interrupt() -> None:
        while not brian2.Network._globally_running:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        ours(steps=200_000)
    assert state() == before and signal.getsignal(signal.SIGINT) is handler


class Dropped:
    """An object whose end interrupts the process inside a callback of a weak reference, where exceptions are lost."""


def interrupt_in_a_callback() -> None:
    dropped = Dropped()
    reference = weakref.ref(dropped, lambda _: signal.raise_signal(signal.SIGINT))
    del dropped
    assert reference() is None


@pytest.mark.parametrize("place", ["before_run", "step"])
def test_an_interrupt_inside_a_callback_is_not_lost(
    place: str, users_session: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, handler, owner = state(), signal.getsignal(signal.SIGINT), brian2.core.base.BrianObject
    owner, name = (brian2.Network, "before_run") if place == "before_run" else (owner, "run")
    plain, calls = getattr(owner, name), []

    def interrupted(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            interrupt_in_a_callback()
        return plain(*arguments)

    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        ours(steps=50)
    # The step that ran is complete, and no other one followed.
    assert len(calls) == 1 if place == "before_run" else len({id(one[0]) for one in calls}) == len(calls)
    assert state() == before and signal.getsignal(signal.SIGINT) is handler


def test_preferences_of_the_users_machine_hold_inside() -> None:
    before = brian2.prefs["codegen.cpp.include_dirs"]
    brian2.prefs["codegen.cpp.include_dirs"] = ["/somewhere"]
    try:
        with generating(brian2, "numpy"):
            assert brian2.prefs["codegen.cpp.include_dirs"] == ["/somewhere"]
            assert brian2.prefs["codegen.target"] == "numpy"
    finally:
        brian2.prefs["codegen.cpp.include_dirs"] = before


PENDING = """
    import sys
    import numpy as np
    from brian2 import *

    set_device("cpp_standalone", build_on_run=False)
    prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O0"]
    prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
    defaultclock.dt = 0.5*ms
    group = NeuronGroup(3, "dv/dt = rate : 1\\nrate : Hz", threshold="v > 1", reset="v = 0", name="hidden1")
    group.rate = [100, 200, 300]*Hz
    monitor = SpikeMonitor(group)
    network = Network(group, monitor)
    network.run(20*ms)

    sys.path.insert(0, {tests!r})
    from test_brian2_session import ours
    from neurorules.brian2_steps.backend import load_brian2, session, standalone_device

    there = ours()
    assert there["hidden1"].S.sum() > 0 and get_device().__class__.__name__ == "CPPStandaloneDevice"
    device_of_ours = standalone_device()
    try:
        with session(load_brian2(), device_of_ours, {{}}):
            other = NeuronGroup(1, "v : 1", name="hidden1")
            Network(other).run(1*ms)
            get_device().build(directory={other!r}, compile=False, run=False)
            raise ValueError
    except ValueError:
        pass

    network.run(20*ms)
    device.build(directory={project!r}, run=True)
    print([int(n) for n in monitor.count])
    print(float(defaultclock.dt), float(network.t), group.v[:].round(6).tolist())
"""


@pytest.mark.slow
@pytest.mark.skipif(find_cpp_compiler() is None, reason="no C++ compiler")
def test_a_network_that_waits_to_be_compiled_is_still_there(tmp_path: Path) -> None:
    script = textwrap.dedent(PENDING).format(
        tests=str(Path(__file__).parent), other=str(tmp_path / "other"), project=str(tmp_path / "project")
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    # 40 ms in steps of 0.5 ms: v rises by rate dt a step, and above 1 the step after it begins again from 0.
    v, counts = np.zeros(3), np.zeros(3, dtype=int)
    for _ in range(80):
        v = v + np.array([100.0, 200.0, 300.0]) * 0.5e-3
        counts, v = counts + (v > 1), np.where(v > 1, 0.0, v)
    found = done.stdout.splitlines()
    assert found[0] == str(counts.tolist()) and found[1] == f"0.0005 0.04 {v.round(6).tolist()}"
