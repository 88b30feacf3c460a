"""
Your first net without a backward pass
======================================

A spiking net learns handwritten digits by a local rule. Nothing here computes a gradient: the whole page runs with
torch's autograd switched off.
"""

# %%
# The data
# --------
# Scikit-learn brings 1,797 pictures of 8 x 8 pixels, so nothing is downloaded. A pixel between 0 and 1 becomes the
# probability of a spike at each of eight time steps. Time comes first in every array: (T, B, 64).

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

import neurorules

torch.set_grad_enabled(False)
pixels, digits = load_digits(return_X_y=True)
pixels, digits = torch.from_numpy(pixels / 16).float(), torch.from_numpy(digits)
seen, unseen = slice(0, 1400), slice(1400, None)
STEPS = 8


def spikes_of(pictures: torch.Tensor, seed: int) -> torch.Tensor:
    """Spikes (T, B, 64) whose rates are the pixels."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(STEPS, *pictures.shape, generator=generator) < pictures).float()


# %%
# The net and the rule
# --------------------
# ``"64-64"`` is two hidden layers of 64 neurons. The rule ``sigprop`` sends the classes forward through the same
# weights as the samples, and each layer compares the two streams for itself. What its update may depend on is
# declared, and the learner hands it nothing else.

learner = neurorules.Learner("64-64", rule="sigprop", input_shape=(64,), classes=10, steps=STEPS)
for layer in learner.model.network.layers:
    print(f"{layer.name}: {layer.shape[0]} neurons, {type(layer.neuron).__name__}")
print("the signal needs:", ", ".join(sorted(learner.model.signal.needs)))

# %%
# Learning
# --------
# ``step`` learns from one batch and tells the loss and the accuracy of that batch before it was learned from.

BATCH, EPOCHS = 32, 8
untrained = learner.scores(spikes_of(pixels[unseen], seed=1)).argmax(1) == digits[unseen]
accuracy = [100 * untrained.float().mean().item()]
loss = []
for epoch in range(EPOCHS):
    order = torch.randperm(1400, generator=torch.Generator().manual_seed(epoch))
    for number, batch in enumerate(order.split(BATCH)):
        told = learner.step(spikes_of(pixels[batch], seed=1000 * epoch + number), digits[batch])
        loss.append(told["loss"])
    right = learner.scores(spikes_of(pixels[unseen], seed=1)).argmax(1) == digits[unseen]
    accuracy.append(100 * right.float().mean().item())
print(f"pictures that the net has not learned from: {accuracy[-1]:.1f} % right")

figure, (left, right_axis) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.plot(loss, color="#0072B2", linewidth=1)
left.set(xlabel="batch", ylabel="loss", title="while learning")
right_axis.plot(accuracy, "o-", color="#D55E00")
right_axis.axhline(10, color="0.6", linestyle="--", linewidth=0.8)
right_axis.set(xlabel="epoch", ylabel="right (%)", title="pictures not learned from (dashed: chance)", ylim=(0, 100))
plt.show()

# %%
# What the neurons do
# -------------------
# ``respond`` runs the net and keeps what every layer did. Three digits, one after another, in both hidden layers:

shown = [1400, 1401, 1402]
response = learner.respond(spikes_of(pixels[shown], seed=2))
figure, axes = plt.subplots(2, 1, figsize=(9, 4.5), sharex=True, layout="constrained")
for axis, activity, name in zip(axes, response.activity, ("first hidden layer", "second hidden layer"), strict=False):
    spikes = activity.S.values.transpose(0, 1).reshape(-1, 64)  # one sample after another
    when, which = spikes.nonzero(as_tuple=True)
    axis.plot(when + 0.5, which, "|", color="black", markersize=3)
    axis.set(ylabel="neuron", title=name, xlim=(0, 3 * STEPS))
    for boundary in (STEPS, 2 * STEPS):
        axis.axvline(boundary, color="#009E73", linewidth=1)
answers = response.scores.argmax(1).tolist()
axes[-1].set_xlabel(f"time (steps); the net says {answers}, and the digits are {digits[shown].tolist()}")
plt.show()

# %%
# The same in one line
# --------------------
# :func:`neurorules.train` chooses the encoder and the settings, holds validation samples out, and leaves a folder
# behind where it is asked to. ``neurorules train --rule sigprop --data digits`` does so from a shell.

result = neurorules.train(rule="sigprop", data="digits", net="64-64", epochs=EPOCHS, batch_size=BATCH)
print(f"test accuracy {100 * result['test_accuracy']:.1f} %, {result['spikes_per_sample']:.0f} spikes per sample")
