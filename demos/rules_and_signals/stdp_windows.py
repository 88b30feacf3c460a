"""
Windows of spike-timing-dependent plasticity
============================================

Rules without a teacher change a synapse by when the neurons at its two ends fire. This page makes two neurons fire at
chosen times, reads off how the weight between them changes, and shows where a rule of pairs stops to describe what was
measured in slices of cortex.
"""

# %%
# One pair of spikes
# ------------------
# ``window`` lets the text of a rule act on two trains of spikes. Nothing is simulated between them: the neurons fire
# when they are told to. The lag is positive where the presynaptic neuron fires first.
# ``neurorules window stdp --dt -60:60:2 --out window.png`` draws the first curve from a shell.

import matplotlib.pyplot as plt

from neurorules.rules import RULES
from neurorules.torch_path.recording.window import window

LAGS = [lag for lag in range(-60, 61, 2) if lag]
COLOURS = {"stdp": "#000000", "weight_dependent_stdp": "#0072B2", "triplet_stdp": "#D55E00"}

figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
for name, colour in COLOURS.items():
    points = window(RULES.make(name), LAGS)
    largest = max(abs(point.dw) for point in points)
    axis.plot([p.dt_ms for p in points], [p.dw / largest for p in points], color=colour, label=name)
    print(f"{name:22} largest change by one pair: {largest:.2e}")
axis.axhline(0, color="0.6", linewidth=0.8)
axis.axvline(0, color="0.6", linewidth=0.8)
axis.set(xlabel="postsynaptic less presynaptic spike (ms)", ylabel="change, largest = 1", title="one pair")
axis.legend(frameon=False)
plt.show()

# %%
# Each of the two neurons has a trace, which jumps with its spike and fades. The rule is a line that reads the trace of
# one neuron at the spike of the other:

for name in COLOURS:
    rule = RULES.make(name)
    print(f"{name:22} dw = {rule.plasticity[0].text}")

# %%
# The weight itself
# -----------------
# With ``weight_dependent_stdp`` the change depends on how strong the synapse already is: a weak one grows by more and a
# strong one shrinks by more, so weights settle between the two ends instead of running into them.

figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
weights = [k / 20 for k in range(21)]
for lag, colour in ((10, "#D55E00"), (-10, "#0072B2")):
    changes = [window(RULES.make("weight_dependent_stdp"), [lag], weight=weight)[0].dw for weight in weights]
    axis.plot(weights, changes, color=colour, label=f"{lag:+d} ms")
axis.axhline(0, color="0.6", linewidth=0.8)
axis.set(xlabel="weight before", ylabel="change by one pair", title="weight_dependent_stdp")
axis.legend(title="lag", frameon=False)
plt.show()

# %%
# Many pairs: the rate decides
# ----------------------------
# In the visual cortex of rats, sixty pairs with the *same* lag weaken a synapse at 0.1 Hz and strengthen it at 50 Hz
# (Sjostrom, Turrigiano and Nelson 2001). Pairs that do not know of each other cannot do so: more of them per second is
# more of the same. A rule of triplets has a second, slower trace of the postsynaptic neuron, which says how active it
# has been lately (Pfister and Gerstner 2006).

RATES = [0.1, 10, 20, 40, 50]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for axis, name in zip(axes, ("stdp", "triplet_stdp"), strict=True):
    for lag, colour in ((10, "#D55E00"), (-10, "#0072B2")):
        points = window(RULES.make(name), [lag], RATES, pairs=60)
        axis.plot(RATES, [p.dw for p in points], "o-", color=colour, label=f"{lag:+d} ms")
        if name == "triplet_stdp":
            print(f"triplets, {lag:+d} ms:", ", ".join(f"{p.dw:+.3f} at {p.rate_hz:g} Hz" for p in points))
    axis.axhline(0, color="0.6", linewidth=0.8)
    axis.set(title=f"{name}, 60 pairs", xlabel="pairs per second (Hz)", ylabel="change of the weight")
axes[0].legend(title="lag", frameon=False)
plt.show()

# %%
# A rule of your own has a window too: ``neurorules window ./my_rule.py``. Where its text reads a third factor, say what
# that is, ``--m 1``.
