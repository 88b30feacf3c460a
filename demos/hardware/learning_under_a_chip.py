"""
Learning under a chip
=====================

On a neuromorphic chip a weight is a small whole number, or the conductance of a device that no two times does the same.
This page lets one rule learn *under* such models: every change that the rule asks for goes through what the chip can
store, and the net runs on what the chip reads. No copy of the weights at full precision is kept anywhere.
"""

# %%
# Weights of few bits
# -------------------
# ``fixed_point`` stores whole numbers of steps and reads them through a gain of each synapse that was drawn when the
# chip was made. Here is what a connection's weights become at four bits, where a spread of gains smears the steps.

import matplotlib.pyplot as plt
import torch

import neurorules
from neurorules.contracts.device import DEVICES

weights = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)) / 8
figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharex=True, sharey=True, layout="constrained")
for axis, name in zip(axes, ("fixed_point:bits=4:cv=0", "fixed_point:bits=4", "fixed_point:bits=8"), strict=True):
    device = DEVICES.make(name)
    chip = device.init({"hidden1.ff.w": (64, 64)}, 0)
    stored, chip = device.on_parameters(chip, "hidden1.ff.w", weights)
    axis.plot(weights.flatten(), device.on_read(chip, "hidden1.ff.w", stored).flatten(), ".", markersize=1)
    axis.set(title=name, xlabel="weight that was asked for")
axes[0].set_ylabel("weight that the net runs on")
plt.show()

# %%
# How a change is rounded
# -----------------------
# At four bits most changes are smaller than a step. Rounded to the nearest step, they are lost, every time. Rounded at
# random, up with the probability of what is left over, they arrive on average. A thousand changes of a tenth of a step:

figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
for rounding, colour in (("nearest", "#D55E00"), ("stochastic", "#0072B2")):
    device = DEVICES.make(f"fixed_point:bits=8:cv=0:rounding={rounding}")
    chip = device.init({"w": (50, 1)}, 0)
    stored, chip = device.on_parameters(chip, "w", torch.linspace(-0.5, 0.5, 50).reshape(50, 1))
    step = float(device.on_read(chip, "w", stored).flatten().diff().min())
    begun, moved = device.on_read(chip, "w", stored), []
    for _ in range(300):
        stored, chip = device.on_update(chip, "w", stored, torch.full((50, 1), step / 10))
        moved.append(float((device.on_read(chip, "w", stored) - begun).mean()) / step)
    axis.plot(moved, color=colour, label=rounding)
axis.plot([0, 300], [0, 30], ":", color="0.5", label="what was asked for")
axis.set(xlabel="number of changes of a tenth of a step", ylabel="mean change (steps)")
axis.legend(frameon=False)
plt.show()

# %%
# Which device keeps how much?
# ----------------------------
# The same net, rule and seeds on five kinds of weights. ``memristor`` learns by pulses whose effect depends on where a
# device stands and differs from pulse to pulse. ``pcm`` adds changes up digitally and programs a pair of cells when
# enough has come together; its conductances drift while the net runs. The frozen control says what a net reaches
# without learning in its hidden layers.

SETTINGS = {"data": "digits", "net": "48-48", "epochs": 6, "batch_size": 32, "quiet": True}
DEVICES_TRIED = {
    "full precision": "none",
    "8 bits": "fixed_point:bits=8",
    "4 bits": "fixed_point:bits=4",
    "4 bits, nearest": "fixed_point:bits=4:rounding=nearest",
    "memristors": "memristor",
    "phase change": "pcm",
}
reached = {}
for words, device_name in DEVICES_TRIED.items():
    result = neurorules.train("sigprop", hardware=device_name, **SETTINGS)
    reached[words] = 100 * result["test_accuracy"]
    print(f"{words:18} {reached[words]:5.1f} %")
reached["frozen layers"] = 100 * neurorules.train("shallow", **SETTINGS)["test_accuracy"]

figure, axis = plt.subplots(figsize=(7.5, 3), layout="constrained")
bars = axis.barh(list(reached), list(reached.values()), color=["black", *["#0072B2"] * 5, "0.6"])
axis.bar_label(bars, fmt="%.1f", padding=3)
axis.axvline(10, color="0.6", linestyle=":", linewidth=1)
axis.set(xlabel="test accuracy (%), one seed; dotted: chance", xlim=(0, 105))
axis.invert_yaxis()
plt.show()

# %%
# One seed is one chip, so read differences of two or three points as the spread of chips; :doc:`/hardware` has the
# measurement with three of them, the energy, and what each constant was measured on. ``neurorules compare --hardware``
# sets rules beside each other on a device, ``neurorules deploy`` puts a trained net on one.
