"""
PEPITA: the error goes in at the bottom
=======================================

PEPITA (Dellaferrera and Kreiman 2022) replaces the backward pass by a second forward pass. The error of the first pass
is projected onto the input by a fixed random matrix F, and the net sees the input once more, changed by it. A weight
learns from what the change did to the neuron behind it. This page looks at both passes, and at the one thing that has
to come true for the rule to work.
"""

# %%
# Two passes
# ----------
# The first pass sees a picture x. The error e is the answer of the net less the label, one number for each class. The
# second pass sees x + F e: each class whose score is wrong adds its own fixed pattern to the picture.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

import neurorules
from neurorules.rules import RULES

torch.set_grad_enabled(False)
pixels, digits = load_digits(return_X_y=True)
pixels, digits = torch.from_numpy(pixels / 16).float(), torch.from_numpy(digits)
STEPS = 8


def current(pictures: torch.Tensor) -> torch.Tensor:
    """A picture is shown as the same current at every step, (T, B, 64)."""
    return pictures.expand(STEPS, *pictures.shape)


def learner_of(rule: str) -> neurorules.Learner:
    """A net of one hidden layer of 64 spiking neurons."""
    return neurorules.Learner("64", rule, input_shape=(64,), classes=10, steps=STEPS)


learner = learner_of("pepita")
f = learner.learned.signal["projection"]
one_hot = torch.nn.functional.one_hot(digits[:4], 10)
error = learner.scores(current(pixels[:4])).softmax(1) - one_hot

figure, axes = plt.subplots(3, 4, figsize=(7, 5.4), layout="constrained")
for column in range(4):
    push = error[column] @ f
    for axis, picture in zip(axes[:, column], (pixels[column], push, pixels[column] + push), strict=True):
        axis.imshow(picture.reshape(8, 8), cmap="RdGy_r", vmin=-2, vmax=2)
        axis.set(xticks=[], yticks=[])
for axis, title in zip(axes[:, 0], ("x", "F e", "x + F e"), strict=True):
    axis.set_ylabel(title)
plt.show()

# %%
# The update
# ----------
# A hidden weight changes by what the second pass changed in the neuron behind it, times what came in during the second
# pass. The read-out learns from the error, as in every rule.

for text in RULES.make("pepita").plasticity:
    print(f"{text.role:8} d{text.parameter} = {text.text}")

# %%
# Why should that lower the error?
# --------------------------------
# Follow a class whose score is too high. If the second pass lowers that score, then the difference of the passes tells
# every neuron in which direction it takes part in the mistake. F does so where it looks like the weights of the net,
# multiplied through all layers and transposed, with a minus in front: the angle between the two is then 180 degrees.
# F is drawn at random, so the angle begins near 90, and F says nothing. The rule lives on the weights turning towards
# F while they learn. A mirror does it from the other side: noise is sent through the net, and F learns from it.

RULES_TRIED = {
    "pepita:kappa=0.5": ("as in the paper", "#0072B2"),
    "pepita:kappa=0.5:mirror=running": ("F learns from noise too", "#009E73"),
    "pepita:kappa=2": ("F four times as large", "#D55E00"),
    "shallow": ("hidden layer frozen", "0.6"),
}
EPOCHS = 8
angles: dict[str, list[float]] = {}
right: dict[str, list[float]] = {}
for rule in RULES_TRIED:
    learner = learner_of(rule)
    angles[rule], right[rule] = [], []
    for epoch in range(EPOCHS + 1):
        angles[rule].append(learner.measures().get("anti_alignment_deg", float("nan")))
        answers = learner.scores(current(pixels[1400:])).argmax(1)
        right[rule].append(100 * float((answers == digits[1400:]).float().mean()))
        if epoch < EPOCHS:
            order = torch.randperm(1400, generator=torch.Generator().manual_seed(epoch)).split(32)
            for batch in order:
                learner.step(current(pixels[batch]), digits[batch])
    print(f"{rule:32} angle {angles[rule][0]:5.1f} to {angles[rule][-1]:5.1f} degrees, {right[rule][-1]:5.1f} % right")

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
for rule, (words, colour) in RULES_TRIED.items():
    axes[0].plot(angles[rule], "o-", color=colour, markersize=3)
    axes[1].plot(right[rule], "o-", color=colour, markersize=3, label=words)
axes[0].axhline(90, color="0.6", linestyle=":", linewidth=1)
axes[0].set(xlabel="epoch", ylabel="angle (degrees)", title="between F and the weights of the net", ylim=(80, 180))
axes[1].set(xlabel="epoch", ylabel="right (%)", title="pictures not learned from", ylim=(0, 100))
axes[1].legend(frameon=False, fontsize=8)
plt.show()

# %%
# The weights turn towards F by some twenty degrees, which is enough to learn more than a frozen layer allows; a
# mirrored F turns much further. With a large F and a rate that does not fall, something else happens: the second pass
# is pushed so far that it teaches another task, the error grows, and the push with it. ``neurorules.train`` lets rates
# fall over a training, which holds this back; in a loop of your own, choose ``kappa`` with care.
