"""Brunel's network: sparse excitation and inhibition, and the rate that its paper's equations predict
=====================================================================================================

Brunel 2000 (doi.org/10.1023/A:1008925309027): excitatory and inhibitory leaky cells, whose spikes move the membrane of
a tenth of all cells by J or by -g J after a delay. Where inhibition is strong (g = 5), cells fire irregularly and not
together. The paper computes their rate from the mean and the variance of what a cell receives: here it stands beside
the rate of the network. Each cell also receives Poisson spikes, at twice the rate that would just hold it at threshold.

The paper has 12,500 cells. This network has a fifth of them, and J is five times as large, so that the mean drive is
the paper's and its variance is five times as large; the equations take this into account. Tests compare the network
with one that is written in Brian2 alone, spike for spike.

Figure 8C of the paper shows this state in 12,500 cells, at 37.7 Hz. We have this number from a replication of others
and not from the paper, so no test depends on it. For these 12,500 cells the equations below give 37.9 Hz.

`python brunel.py 0.1 500` runs a tenth of a second with 500 cells.
"""

import sys

import brian2
import matplotlib.pyplot as plt
import numpy as np
from brian2 import Hz, ms, mV, second
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erfcx

from neurorules.brian2_populations import check_dale, firing, indegree_pairs, jump, projection

# The arguments are the duration in seconds, and the number of cells.
DURATION = (float(sys.argv[1]) if len(sys.argv) > 1 else 0.5) * second
SIZE = int(sys.argv[2]) if len(sys.argv) > 2 else 2500
brian2.prefs.codegen.target = "numpy"  # needs no compiler
brian2.defaultclock.dt = 0.1 * ms
brian2.seed(0)  # of the Poisson spikes
random = np.random.default_rng(0)

TAU, THRESHOLD, RESET, REFRACTORY, DELAY = 20 * ms, 20 * mV, 10 * mV, 2 * ms, 1.5 * ms
EXC = SIZE * 4 // 5
C_E, C_I = EXC // 10, (SIZE - EXC) // 10  # how many cells of each kind a cell hears
G, J = 5.0, 100 * mV / C_E
OUTSIDE = 2 * THRESHOLD / (J * C_E * TAU)  # of each of C_E further Poisson inputs of a cell


def expected_rate(size: int) -> float:
    """The rate in Hz at which the input of a cell makes it fire at that same rate, by the input's mean and deviation.

    The integrand exp(u^2) (1 + erf(u)) is erfcx(-u).
    """
    heard, tau_s = size * 4 // 50, TAU / second  # excitatory cells that a cell of a network of this size hears
    jump_mV, external = 100 / heard, 2 * (THRESHOLD / mV) / (100 * tau_s)

    def fires(rate: float) -> float:
        mean = tau_s * jump_mV * heard * (external + rate - G * rate / 4)
        deviation = jump_mV * np.sqrt(tau_s * heard * (external + rate + G**2 * rate / 4))
        low, high = ((edge / mV - mean) / deviation for edge in (RESET, THRESHOLD))
        return 1 / (REFRACTORY / second + tau_s * np.sqrt(np.pi) * quad(lambda u: erfcx(-u), low, high)[0])

    return brentq(lambda rate: fires(rate) - rate, 0.01, 400)


cells = brian2.NeuronGroup(
    SIZE, "dv/dt = -v/tau : volt (unless refractory)", threshold="v >= threshold", reset="v = reset",
    refractory=REFRACTORY, method="exact", namespace={"tau": TAU, "threshold": THRESHOLD, "reset": RESET},
)  # fmt: skip
cells.v = random.uniform(0, 20, SIZE) * mV
exc, inh = cells[:EXC], cells[EXC:]
excites, inhibits = jump("v", "excitatory"), jump("v", "inhibitory")
projections = [
    projection(exc, cells, excites, indegree_pairs(EXC, SIZE, C_E, random), J, delay=DELAY, name="exc_to_all"),
    projection(
        inh, cells, inhibits, indegree_pairs(SIZE - EXC, SIZE, C_I, random), G * J, delay=DELAY, name="inh_to_all"
    ),
]
check_dale(*projections)
outside = brian2.PoissonInput(cells, "v", N=C_E, rate=OUTSIDE, weight=J)
spikes, of_exc, of_inh = brian2.SpikeMonitor(cells), brian2.SpikeMonitor(exc), brian2.SpikeMonitor(inh)
rate_of_all = brian2.PopulationRateMonitor(cells)
brian2.Network(cells, *projections, outside, spikes, of_exc, of_inh, rate_of_all).run(DURATION)

for name, monitor in (("excitatory", of_exc), ("inhibitory", of_inh)):
    rate, cv = firing(monitor, DURATION / 5, DURATION)
    print(f"{name} cells: {rate:.1f} Hz, CV of intervals {cv:.2f}")
print(f"expected by the paper's equations: {expected_rate(SIZE):.1f} Hz")
print(
    f"of the paper's 12,500 cells: {expected_rate(12_500):.1f} Hz by its equations; 37.7 Hz in its figure, second-hand"
)

figure, axes = plt.subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained", height_ratios=(3, 1))
axes[0].plot(spikes.t / ms, spikes.i, ",", color="0.2")
axes[0].axhline(EXC, color="#D55E00", linewidth=0.8)
axes[0].set(ylabel="cell (inhibitory above the line)")
axes[1].plot(rate_of_all.t / ms, rate_of_all.smooth_rate(width=1 * ms) / Hz, color="#0072B2", linewidth=0.8)
axes[1].set(xlabel="time (ms)", ylabel="rate of all (Hz)")
plt.show()
