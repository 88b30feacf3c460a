"""The COBA network: conductances that hold each other in balance
=================================================================

The COBA network (Vogels and Abbott 2005, as benchmark 1 of Brette et al. 2007): 3200 excitatory and 800 inhibitory
cells with sparse random wires. What a spike opens is a conductance, so that the weight is a strength, and the reversal
potential makes it excite or inhibit. Cells hold each other active without any input.

Published: asynchronous, irregular activity that sustains itself. We recall rates of 10 to 20 Hz, and intervals about as
irregular as those of a Poisson process, whose CV is 1. These two are recalled and not checked in the papers; sizes,
conductances and time constants are read off a port of NEST's scripts, so second-hand too.

`python coba.py 0.1 800` runs a tenth of a second with 800 cells.
"""

import sys

import brian2
import matplotlib.pyplot as plt
import numpy as np
from brian2 import ms, mV, nS, pF, second

from neurorules.brian2_populations import (
    check_dale,
    conductance,
    firing,
    projection,
    random_pairs,
    synaptic_equations,
)

# The arguments are the duration in seconds, and the number of cells.
DURATION = (float(sys.argv[1]) if len(sys.argv) > 1 else 0.5) * second
SIZE = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
brian2.prefs.codegen.target = "numpy"  # needs no compiler
brian2.defaultclock.dt = 0.1 * ms
random = np.random.default_rng(1)

excites = conductance("e", "excitatory", tau=5 * ms, reversal=0 * mV)
inhibits = conductance("i", "inhibitory", tau=10 * ms, reversal=-80 * mV)
cells = brian2.NeuronGroup(
    SIZE,
    "dv/dt = (g_leak*(v_rest - v) + I_syn)/C : volt (unless refractory)\n" + synaptic_equations(excites, inhibits),
    threshold="v > -50*mV", reset="v = v_rest", refractory=5 * ms, method="exponential_euler",
    namespace={"C": 200 * pF, "g_leak": 10 * nS, "v_rest": -60 * mV},
)  # fmt: skip
exc, inh = cells[: SIZE * 4 // 5], cells[SIZE * 4 // 5 :]
cells.v = random.uniform(-60, -50, SIZE) * mV
cells.g_e = np.clip(random.normal(4, 1.5, SIZE), 0, None) * 10 * nS  # a start from which activity lasts
cells.g_i = np.clip(random.normal(20, 12, SIZE), 0, None) * 10 * nS

# Of fewer cells, more pairs are connected, so that each cell hears as many others.
p = 0.02 * 4000 / SIZE
projections = [
    projection(exc, cells, excites, random_pairs(len(exc), SIZE, p, random), 6 * nS, name="exc_to_all"),
    projection(inh, cells, inhibits, random_pairs(len(inh), SIZE, p, random), 67 * nS, name="inh_to_all"),
]
check_dale(*projections)
spikes, of_exc, of_inh = brian2.SpikeMonitor(cells), brian2.SpikeMonitor(exc), brian2.SpikeMonitor(inh)
membrane = brian2.StateMonitor(cells, "v", record=[0])
network = brian2.Network(cells, *projections, spikes, of_exc, of_inh, membrane)
network.run(DURATION)

for name, monitor in (("excitatory", of_exc), ("inhibitory", of_inh)):
    rate, cv = firing(monitor, DURATION / 5, DURATION)
    print(f"{name} cells: {rate:.1f} Hz, CV of intervals {cv:.2f}")

figure, axes = plt.subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained", height_ratios=(3, 1))
axes[0].plot(spikes.t / ms, spikes.i, ",", color="0.2")
axes[0].axhline(len(exc), color="#D55E00", linewidth=0.8)
axes[0].set(ylabel="cell (inhibitory above the line)")
axes[1].plot(membrane.t / ms, membrane.v[0] / mV, color="#0072B2", linewidth=0.8)
axes[1].set(xlabel="time (ms)", ylabel="membrane (mV)")
plt.show()
