"""
Your event data, from recordings to a net
=========================================

An event camera sends no pictures. Each pixel reports when it becomes brighter or darker: a place, a time, and a sign.
This page takes such recordings as they are, in the form in which tonic and most cameras' software give them, and
trains a net on them by a local rule.
"""

# %%
# Recordings
# ----------
# A bar moves over a sensor of 16 x 16 pixels, in one of four directions. Each recording is a structured array with the
# fields ``x``, ``y``, ``t`` (microseconds) and ``p``. Replace this part by your own: a data set of tonic, any torch
# ``Dataset``, or a list as here.

import matplotlib.pyplot as plt
import numpy as np

import neurorules

DIRECTIONS = ("right", "left", "down", "up")
SIDE, LENGTH_US = 16, 40_000
random = np.random.default_rng(0)


def recording(direction: int) -> np.ndarray:
    """Events of a bar that crosses the sensor once; its front edge brightens, its back edge darkens."""
    count = 240
    t = np.sort(random.integers(0, LENGTH_US, count))
    brighter = random.random(count) < 0.5
    along = (t / LENGTH_US * (SIDE + 4) - 4 * ~brighter + random.normal(0, 0.6, count)).astype(int)
    across = random.integers(0, SIDE, count)
    along = along if direction in (0, 2) else SIDE - 1 - along
    x, y = (along, across) if direction < 2 else (across, along)
    noise = random.random(count) < 0.1
    x, y = (np.where(noise, random.integers(0, SIDE, count), place) for place in (x, y))
    inside = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE)
    events = np.zeros(int(inside.sum()), dtype=[("x", int), ("y", int), ("t", int), ("p", bool)])
    events["x"], events["y"], events["t"], events["p"] = x[inside], y[inside], t[inside], brighter[inside]
    return events


labels = [number % 4 for number in range(400)]
recordings = [recording(label) for label in labels]
print("one recording:", len(recordings[0]), "events; the first is", recordings[0][0])

figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), sharey=True, layout="constrained")
for axis, events, label in zip(axes, recordings, labels, strict=False):
    colours = np.where(events["p"], "#D55E00", "#0072B2")
    axis.scatter(events["t"] / 1000, events["x"] if label < 2 else events["y"], c=colours, s=3)
    axis.set(title=DIRECTIONS[label], xlabel="time (ms)")
axes[0].set_ylabel("x (or y)")
plt.show()

# %%
# What the net sees
# -----------------
# Events are counted into frames, one for each step of the net. More steps tell more about time and cost more; here
# eight steps of 5 ms. The two signs are two channels, so a sample is (8, 2, 16, 16). This is what ``steps=8`` does by
# itself below.

frames = np.zeros((8, 2, SIDE, SIDE), int)
first = recordings[0]
np.add.at(frames, (first["t"] * 8 // LENGTH_US, first["p"].astype(int), first["y"], first["x"]), 1)
figure, axes = plt.subplots(1, 8, figsize=(9, 1.5), layout="constrained")
for step, axis in enumerate(axes):
    axis.imshow(frames[step, 1] - frames[step, 0], cmap="RdBu_r", vmin=-2, vmax=2)
    axis.set(xticks=[], yticks=[], title=f"step {step + 1}")
plt.show()

# %%
# Training
# --------
# The data go in as two pairs. Nothing has to be said about them but the size of the sensor, and even that is found from
# the events if it is left out. ``shallow`` keeps the hidden layers as they were drawn: the control that a rule has
# to beat.

data = (recordings[:300], labels[:300]), (recordings[300:], labels[300:])
settings = {"sensor_size": (SIDE, SIDE, 2), "net": "40-40", "steps": 8, "epochs": 10, "batch_size": 20, "quiet": True}
reached = {}
for rule in ("shallow", "sigprop", "local_readout", "bptt"):
    results = [neurorules.train(rule, data=data, seed=seed, **settings) for seed in (0, 1)]
    reached[rule] = [100 * result["test_accuracy"] for result in results]
    print(f"{rule:14}", ", ".join(f"{percent:.0f} %" for percent in reached[rule]), "of 100 recordings, two seeds")

figure, axis = plt.subplots(figsize=(7, 2.8), layout="constrained")
for row, (_rule, percents) in enumerate(reached.items()):
    axis.plot(percents, [row] * 2, "o", color="#0072B2")
axis.axvline(25, color="0.6", linestyle=":", linewidth=1)
axis.set(xlim=(0, 102), xlabel="right (%), recordings not learned from (dotted: chance)")
axis.set_yticks(range(len(reached)), list(reached))
axis.margins(y=0.2)
plt.show()

# %%
# From a shell the same is ``neurorules train --data mymodule:make_data --steps 8``, and any class of tonic is
# ``--data tonic:DVSGesture:frames=16``. See :doc:`/your-data`.
