"""A rule learns on one projection of a network, under Dale's law
=================================================================

Poisson inputs excite cells of a sheet, which excite an inhibitory population, which inhibits them. The cells differ in
their time constants, wires within the sheet are the rarer the farther two cells are apart, and a spike takes its time.
The inputs' synapses learn by the rule `stdp`, the text that `neurorules train --rule stdp` runs, here within 0 and a
strongest synapse, with the constants of Song, Miller and Abbott (2000), learning twenty times as fast. All else is
Brian2.

`python stdp_under_dales_law.py 0.2` learns for a fifth of a second.
"""

import sys

import brian2
import matplotlib.pyplot as plt
import numpy as np
from brian2 import Hz, metre, ms, mV, nS, second, um

from neurorules import brian2_populations as populations

DURATION = (float(sys.argv[1]) if len(sys.argv) > 1 else 10.0) * second
INPUTS, CELLS, INTER = 200, 64, 16
brian2.prefs.codegen.target = "numpy"  # needs no compiler
brian2.defaultclock.dt = 0.5 * ms
random = np.random.default_rng(2)

excites = populations.conductance("e", "excitatory", tau=5 * ms, reversal=0 * mV)
inhibits = populations.conductance("i", "inhibitory", tau=10 * ms, reversal=-80 * mV)
equations = """dv/dt = (v_rest - v + I_syn/g_leak)/tau : volt (unless refractory)
tau : second (constant)
""" + populations.synaptic_equations(excites, inhibits)
cells, inter = (
    brian2.NeuronGroup(
        size, equations, threshold="v > -50*mV", reset="v = v_rest", refractory=2 * ms, method="exponential_euler",
        namespace={"g_leak": 10 * nS, "v_rest": -70 * mV}, name=name,
    )
    for name, size in (("cells", CELLS), ("inter", INTER))
)  # fmt: skip
for group in (cells, inter):
    group.v = -70 * mV
    group.tau = populations.truncated_normal(len(group), 20 * ms, 4 * ms, 10 * ms, 30 * ms, random)

inputs = populations.poisson_spikes(INPUTS, random.uniform(5, 35, INPUTS) * Hz, DURATION, random)
sheet = np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(-1, 2) * 50.0  # micrometres
near, distance = populations.distance_pairs(sheet, sheet, peak=0.5, sigma_um=100, random=random, box_um=400)

learning = populations.projection(
    inputs, cells, excites, populations.random_pairs(INPUTS, CELLS, 0.5, random), weight=2 * nS,
    rule="stdp:a_plus=0.005:a_minus=0.00525:decay=0.951", lr=20.0, name="learning",
)  # fmt: skip
learning.w = random.uniform(0, 1, len(learning))
others = [
    populations.projection(
        cells, cells, excites, near, populations.log_normal(len(near), 0.5 * nS, 0.4 * nS, random),
        delay=0.5 * ms + distance * um / (0.3 * metre / second), name="within",
    ),
    populations.projection(cells, inter, excites, populations.indegree_pairs(CELLS, INTER, 16, random), 2 * nS),
    populations.projection(inter, cells, inhibits, populations.indegree_pairs(INTER, CELLS, 8, random), 6 * nS),
]  # fmt: skip
spikes, of_inter = brian2.SpikeMonitor(cells), brian2.SpikeMonitor(inter)
weights = brian2.StateMonitor(learning, "w", record=True, dt=DURATION / 50)
network = brian2.Network(inputs, cells, inter, learning, *others, spikes, of_inter, weights)
populations.check_dale(learning, *others)
network.run(DURATION)
populations.check_dale(learning, *others)  # no weight has crossed zero

for name, monitor in (("cells", spikes), ("interneurons", of_inter)):
    rate, cv = populations.firing(monitor, 0 * second, DURATION)
    print(f"{name}: {rate:.1f} Hz, CV of intervals {cv:.2f}")
w = np.asarray(learning.w)
print(f"weights began between 0 and 1, mean {weights.w[:, 0].mean():.2f}; now {w.min():.2f} to {w.max():.2f}, ", end="")
print(f"mean {w.mean():.2f}, {np.mean(w < 0.05):.0%} at most 0.05 and {np.mean(w > 0.95):.0%} at least 0.95")

figure, axes = plt.subplots(2, 1, figsize=(8, 6), layout="constrained")
axes[0].plot(spikes.t / second, spikes.i, "|", color="0.2", markersize=2)
axes[0].set(xlabel="time (s)", ylabel="cell")
history = np.stack([np.histogram(row, bins=40, range=(0, 1))[0] for row in np.asarray(weights.w).T], 1)
axes[1].imshow(history, origin="lower", aspect="auto", extent=(0, float(DURATION), 0, 2), cmap="viridis")
axes[1].set(xlabel="time (s)", ylabel="strength (nS)", title="how many synapses have which strength")
plt.show()
