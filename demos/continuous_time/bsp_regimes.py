"""
BSP's ring: a propagator, an oscillator, and causal distance
============================================================

BSP's ring of five variables as Brian2 equations: it carries signals on, or oscillates by itself. With self-limitation
(k2 > 0) a disturbance dies out as it travels: a propagator. Without it the ring circles its fixed point for ever: an
oscillator. And how late a variable answers to a small drive of J says how many integrations lie between: the
displacement grows as t to the power of the causal distance.
"""

import matplotlib.pyplot as plt
import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit, Units
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.native.rings.system import ELEMENTS, RingSystem

COLOURS = dict(zip(ELEMENTS, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"), strict=True))
STYLES = dict(zip(ELEMENTS, ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), strict=True))
REGIMES = {"propagator": 0.5, "oscillator": 0.0}
"""k2 by name."""


def ring(name: str, k2: float, start: dict[str, float], drive: float = 0.0) -> Units:
    """dx_i/dt = x_i (A (x - 1))_i, in x itself; the drive enters J."""
    equations = []
    for place, (one, row) in enumerate(zip(ELEMENTS, RingSystem(k2=k2).matrix().tolist(), strict=True)):
        flow = " + ".join(f"{rate!r}*(x_{other} - 1)" for rate, other in zip(row, ELEMENTS, strict=True) if rate)
        equations.append(f"dx_{one}/dt = x_{one}*({flow}{f' + {drive!r}' if place == 0 else ''})/ms : 1")
    names = tuple(f"x_{one}" for one in ELEMENTS)
    return Units(name, 1, tuple(equations), start=dict.fromkeys(names, 1.0) | start, watch=names)


def watch(units: tuple[Units, ...], duration_ms: float, dt_ms: float) -> dict[str, np.ndarray]:
    """(steps, 5) of every ring, by name."""
    circuit = Circuit(units, (), {}, 1, duration_ms, dt_ms, method="rk4")
    machine = Interpreted(circuit)
    machine.run(circuit.starts(), {})
    return {one.name: np.concatenate([machine.watched(one.name, name) for name in one.watch], axis=1) for one in units}


def energy(x: np.ndarray) -> np.ndarray:
    """Volterra's V, (steps,): it falls in a propagator and stays in an oscillator."""
    return np.asarray((x - 1 - np.log(x)).sum(1))


# %%
# Both regimes run, and causal distances are measured.

free = watch(tuple(ring(name, k2, {"x_J": 1.8}) for name, k2 in REGIMES.items()), 40.0, 0.02)
small = watch((ring("driven", REGIMES["propagator"], {}, drive=1e-3),), 0.2, 0.002)["driven"] - 1
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
time = 0.02 * np.arange(1, len(free["propagator"]) + 1)
for axis, (name, x) in zip(axes, free.items(), strict=False):
    for place, one in enumerate(ELEMENTS):
        axis.plot(time, x[:, place], color=COLOURS[one], linestyle=STYLES[one], label=one, linewidth=1.2)
    v = energy(x)
    print(f"{name:12} k2 = {REGIMES[name]:.1f}: energy {v[0]:.4f} at the start, {v[-1]:.2e} after 40 ms")
    axis.set(title=f"{name}, k2 = {REGIMES[name]}", xlabel="time (ms)", ylabel="x (its fixed point is 1)")
time = 0.002 * np.arange(1, len(small) + 1)
for place, one in enumerate(ELEMENTS):
    moved = np.abs(small[:, place])
    late = time > 0.02  # the first steps are the integrator's own
    distance = np.polyfit(np.log(time[late]), np.log(moved[late]), 1)[0]
    label = f"{one}: slope {distance:.2f}"
    axes[2].loglog(time, moved, color=COLOURS[one], linestyle=STYLES[one], label=label, linewidth=1.2)
    print(f"J -> {one}: displacement grows as t^{distance:.2f}, causal distance {round(distance)}")
axes[2].set(title="a small drive of J", xlabel="time (ms)", ylabel="displacement |x - 1|")
for axis in (axes[0], axes[2]):
    axis.legend(fontsize=7)
plt.show()
