"""
BSP's rings: signals that travel, and the same ring run backwards
=================================================================

A unit of BSP (backward signal propagation) is a ring of five variables that drive each other. Their rates decide
whether the ring hands a disturbance on or keeps it circling. To learn, errors run through the rings as signals of their
own, in reverse. This page shows both regimes, how late each variable answers, and a net of such rings.

The equations of the paper are not public: what runs here is a **reconstruction**, and so are its numbers. What is ours
in it is listed by ``neurorules cite bsp``.
"""

# %%
# Five variables in a ring
# ------------------------
# Each variable grows or falls in proportion to itself, by how far its neighbours are from 1, which is the fixed point
# of all of them. ``RingSystem`` holds the rates; the ring is written as equations of Brian2 and integrated by it.

import matplotlib.pyplot as plt
import numpy as np

import neurorules
from neurorules.brian2_continuous.parts.circuit import Circuit, Units
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.native.rings.system import ELEMENTS, RingSystem

COLOURS = dict(zip(ELEMENTS, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"), strict=True))
STYLES = dict(zip(ELEMENTS, ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), strict=True))
REGIMES = {"propagator": 0.5, "oscillator": 0.0}
"""k2, by which each variable limits itself, by name."""


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


# %%
# A propagator and an oscillator
# ------------------------------
# Both rings begin with J pushed away from its fixed point. Where variables limit themselves (k2 > 0) the disturbance
# dies out as it travels: the ring is a propagator. Without that it circles for ever: an oscillator. Volterra's energy,
# which falls in the first and stays in the second, tells them apart in one number.


def energy(x: np.ndarray) -> np.ndarray:
    """Volterra's V, (steps,): it falls in a propagator and stays in an oscillator."""
    return np.asarray((x - 1 - np.log(x)).sum(1))


free = watch(tuple(ring(name, k2, {"x_J": 1.8}) for name, k2 in REGIMES.items()), 40.0, 0.02)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
time = 0.02 * np.arange(1, len(free["propagator"]) + 1)
for axis, (name, x) in zip(axes, free.items(), strict=True):
    for place, one in enumerate(ELEMENTS):
        axis.plot(time, x[:, place], color=COLOURS[one], linestyle=STYLES[one], label=one, linewidth=1.2)
    v = energy(x)
    print(f"{name:12} k2 = {REGIMES[name]:.1f}: energy {v[0]:.4f} at the start, {v[-1]:.2e} after 40 ms")
    axis.set(title=f"{name}, k2 = {REGIMES[name]}", xlabel="time (ms)")
axes[0].set_ylabel("x (its fixed point is 1)")
axes[0].legend(fontsize=7)
plt.show()

# %%
# Causal distance: how late a variable answers
# --------------------------------------------
# Now a small drive enters J alone. A variable that J drives directly moves as time itself; one that stands two
# integrations away as its square, and so on. On logarithmic axes the slope of each line is the number of integrations
# between: the causal distance.

small = watch((ring("driven", REGIMES["propagator"], {}, drive=1e-3),), 0.2, 0.002)["driven"] - 1
figure, axis = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
time = 0.002 * np.arange(1, len(small) + 1)
for place, one in enumerate(ELEMENTS):
    moved = np.abs(small[:, place])
    late = time > 0.02  # the first steps are the integrator's own
    distance = np.polyfit(np.log(time[late]), np.log(moved[late]), 1)[0]
    label = f"{one}: slope {distance:.2f}"
    axis.loglog(time, moved, color=COLOURS[one], linestyle=STYLES[one], label=label, linewidth=1.2)
    print(f"J -> {one}: displacement grows as t^{distance:.2f}, causal distance {round(distance)}")
axis.set(title="a small drive of J", xlabel="time (ms)", ylabel="displacement |x - 1|")
axis.legend(fontsize=7)
plt.show()

# %%
# A net of rings learns
# ---------------------
# ``rule="bsp"`` makes every unit such a ring. A weight changes by the product of the forward signal and of the one in
# reverse that meet at it. That is no local rule: as its needs say, the reverse signal goes back through the forward
# weights. Beside it stands the control, whose hidden rings stay as they were drawn.

options = {"data": "digits", "net": "40", "epochs": 6, "batch_size": 32}
figure, axis = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
for rule, neuron, colour in (("bsp", None, "#0072B2"), ("shallow", "five_element", "#999999")):
    result = neurorules.train(rule, neuron=neuron, steps=None if neuron is None else 1, **options)
    label = f"{rule}{'' if neuron is None else ', frozen rings'}"
    right, needs = 100 * result["test_accuracy"], ", ".join(result["needs"]) or "nothing"
    axis.barh(label, right, color=colour)
    print(f"{label}: {right:.1f} % of the test samples; its signal needs {needs}")
axis.set(xlabel="test accuracy, %", xlim=(0, 100))
plt.show()

# %%
# What such nets reach on MNIST stands in the results on BSP; ``neurorules reproduce bsp`` runs them.
