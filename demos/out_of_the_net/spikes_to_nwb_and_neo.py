"""
Spikes out: from a trained net to NWB and Neo
=============================================

A trained net is a population of neurons that one can record from completely. This page records one, writes the
recording as Neurodata Without Borders and as a file of Neo, and analyses both with the libraries that experimenters
use. Nothing of neurorules is needed to read what was written.
"""

# %%
# Train, then record
# ------------------
# Leaky neurons, so that membranes are worth a look. ``Recorder`` writes while the net runs, sample by sample; ``S`` are
# spikes and ``v`` is the membrane before the reset.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import neo
import numpy as np
import torch
from pynwb import NWBHDF5IO
from sklearn.datasets import load_digits

import neurorules
from neurorules.traces.exporters import export

pixels, digits = load_digits(return_X_y=True)
pixels, digits = torch.from_numpy(pixels / 16).float(), torch.from_numpy(digits)
STEPS = 30
learner = neurorules.Learner("32-32", "sigprop", input_shape=(64,), classes=10, steps=STEPS, neuron="lif:beta=0.9")
learner.fit((pixels[:1400], digits[:1400]), epochs=4, batch_size=32)
print(f"{100 * learner.evaluate((pixels[1400:], digits[1400:]))['accuracy']:.1f} % right")

folder = Path(tempfile.mkdtemp())
shown = torch.tensor([1400 + int(np.flatnonzero(digits[1400:] == digit)[0]) for digit in range(5)])
layers = ["hidden1", "hidden2"]
with neurorules.Recorder(learner, folder / "traces.h5", variables=["S", "v"], layers=layers) as recorder:
    recorder.record(pixels[shown].expand(STEPS, 5, 64), digits[shown])

# %%
# Neurodata Without Borders
# -------------------------
# A step is 1 ms, and membranes are in volts above rest, 20 mV a threshold, unless you say otherwise. Neurons are units,
# samples are trials with their label and the answer of the net.

[nwb, *_] = export(folder / "traces.h5", "nwb", folder / "traces.nwb")
with NWBHDF5IO(str(nwb), "r") as io:
    session = io.read()
    trials, units = session.trials.to_dataframe(), session.units.to_dataframe()
print(trials.iloc[:3].T.to_string(header=False))
print(len(units), "units with", ", ".join(units.columns))

figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
axis.eventplot(list(units["spike_times"]), colors="black", linewidths=0.6)
for start in trials["start_time"]:
    axis.axvline(start, color="#009E73", linewidth=0.8)
axis.set(xlabel="time (s), a green line where a sample begins", ylabel="unit", title="all units, read by pynwb")
plt.show()

# %%
# Neo
# ---
# Here a sample is a segment with its own clock, a neuron is a spike train, and quantities carry units. The spread of
# intervals between spikes says how regularly a neuron fires: 0 for a clock, 1 for chance.

[nix, *_] = export(folder / "traces.h5", "nix", folder / "traces.nix")
with neo.io.NixIO(str(nix), "ro") as io:
    block = io.read_block()
segment = block.segments[0]
print(len(block.segments), "segments; the first has", len(segment.spiketrains), "trains and two signals:")
for signal in segment.analogsignals:
    print(f"  {signal.name}: {signal.shape[1]} neurons, {signal.shape[0]} samples of {signal.sampling_period}")

intervals = [np.diff(np.sort(train.times.rescale("ms").magnitude)) for s in block.segments for train in s.spiketrains]
spread = [float(between.std() / between.mean()) for between in intervals if len(between) > 3]
membrane = segment.analogsignals[0]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
axes[0].plot(membrane.times.rescale("ms"), membrane[:, :5].rescale("mV").magnitude)
axes[0].set(xlabel="time (ms)", ylabel="membrane (mV)", title=f"five neurons of {membrane.name}")
axes[1].hist(spread, bins=20, color="#0072B2")
axes[1].set(xlabel="spread of intervals between spikes / their mean", ylabel="trains", title="how regular")
plt.show()

# %%
# ``neurorules list exporters`` names the other formats, and :doc:`/traces` says what each of them keeps.
