"""
From a learning rule to a Brian2 model and back
===============================================

A learning rule of this package is one line of text. This page follows one from that line to spiking cells in mV, ms, pA
and pC: the rule's circuit is built as ordinary Brian2 objects, watched by monitors of our own while it learns, and the
learned weights are read back and put into a fresh copy, which then answers without learning.
"""

# %%
# The rule
# --------
# DRTP teaches each hidden layer by the label itself, through fixed random wires: ``m`` is what they bring to a neuron.
# A text sees what a synapse can see. Behind ``_pre`` and ``_post`` stand the two neurons, ``w`` is the synapse's own.

import brian2
import matplotlib.pyplot as plt
import numpy as np
from brian2 import ms, mV, pA, pcoulomb

import neurorules
from neurorules.rules import RULES

for text in RULES.make("drtp").plasticity:
    print(f"{text.role:8} {text.parameter}: {text.text}")

# %%
# The model
# ---------
# ``brian2_circuit`` writes the text as statements of synapses, and builds all groups in this session of Brian2. Cells
# have a threshold 15 mV above rest and 200 pF. State variables count in thresholds, and what carries units is computed
# from them where a monitor reads it, so that the scale changes no spike.

brian2.prefs.codegen.target = "numpy"  # needs no compiler
NEURON = "lif:threshold_mV=15:capacitance_pF=200"
RATES = {"lr": 0.2, "readout_lr": 0.02}
SETTINGS = {"data": "digits", "net": "30-20", "neuron": NEURON, "limit": 200, "validation": 0}
circuit = neurorules.brian2_circuit("drtp", **SETTINGS, **RATES)
hidden, wires = circuit.groups["hidden2"], circuit.synapses["hidden2_ff"]
text = next(one for one in circuit.circuit.units if one.name == "hidden2")
print("\n".join(text.equations[:6]), f"spike where {text.threshold}: {', '.join(text.reset)}", sep="\n")
text = next(one for one in circuit.circuit.wires if one.name == "hidden2_ff")
print("\n".join(text.equations), "where a digit ends:", *text.acts[0].lines, sep="\n")

# %%
# Watching it learn
# -----------------
# The monitors are Brian2's own. Each digit is shown for 40 ms, and weights change where one ends.

PRESENTATION = 40 * ms
membranes = brian2.StateMonitor(hidden, ("V_m", "I_m"), record=True, clock=circuit.clock)
spikes = brian2.SpikeMonitor(hidden)
charges = brian2.StateMonitor(wires, "Q_w", record=range(0, len(wires), 24), dt=PRESENTATION)
circuit.network.add(membranes, spikes, charges)
before = circuit.weights()
circuit.network.run(circuit.duration)
scores, labels = circuit.scores()
print(f"{spikes.num_spikes} spikes, {spikes.num_spikes / len(hidden) / circuit.duration:.1f} Hz a cell")
print(f"right while learning, the last 50 of {len(labels)}: {(scores.argmax(1) == labels)[-50:].mean():.0%}")

busiest = int(np.argmax(spikes.count))
figure, axes = plt.subplots(3, 1, figsize=(8, 7), layout="constrained")
first = membranes.t < 4 * PRESENTATION
axes[0].plot(membranes.t[first] / ms, membranes.V_m[busiest][first] / mV, color="#0072B2")
axes[0].axhline(15, color="0.6", linestyle="--", linewidth=0.8)
fired = spikes.t[(spikes.i == busiest) & (spikes.t < 4 * PRESENTATION)]
axes[0].plot(fired / ms, np.full(len(fired), 15), "o", color="0.1", markersize=4)
axes[0].set(ylabel="membrane (mV)", title=f"cell {busiest}, the first four digits (dots: spikes, dashed: threshold)")
axes[1].plot(membranes.t[first] / ms, membranes.I_m[busiest][first] / pA, color="#D55E00")
axes[1].set(xlabel="time (ms)", ylabel="current (pA)")
axes[2].plot(charges.t / ms, charges.Q_w.T / pcoulomb, linewidth=0.8)
axes[2].set(xlabel="time (ms)", ylabel="charge of a spike (pC)", title="every 24th synapse of the second layer")
plt.show()

# %%
# And back
# --------
# ``weights`` have the names and shapes of a run's. A fresh circuit with these weights and rates of 0 no longer learns:
# it answers the same digits with what was learned, and its weights stay.

learned = circuit.weights()
name = "hidden2.ff.w"
print(f"{name}: {learned[name].shape}, largest change {abs(learned[name] - before[name]).max():.3f} thresholds")
fresh = neurorules.brian2_circuit("drtp", **SETTINGS)
fresh.set_weights(learned)
for synapses in fresh.synapses.values():
    for group in (synapses, synapses.target):
        for rate in ("lr_hidden", "lr_readout"):
            if rate in group.variables:
                setattr(group, rate, 0)
fresh.network.run(fresh.duration)
after, labels = fresh.scores()
kept = all(np.array_equal(learned[key], value) for key, value in fresh.weights().items())
print(f"weights as they were: {kept}; right: {(after.argmax(1) == labels).mean():.0%} of the digits that it has seen")

# %%
# The same circuit trains from the command line, ``neurorules train --path continuous --rule drtp --neuron lif``, which
# records (``--record S,V_m,w``) and draws in these units. ``neurorules cite drtp --neuron lif --script drtp.py`` writes
# it as a program that needs Brian2 alone.
