"""
Signal propagation, step by step
================================

Signal propagation (Kohan, Rietman and Siegelmann 2023) has no backward pass and no feedback weights. The class enters
at the bottom of the net as a second kind of input, and runs upwards through the same layers as the samples. Each layer
then compares two activities that it has at hand. This page makes one update with a few lines of torch, and arrives at
the numbers of the library.
"""

# %%
# A net and a batch
# -----------------
# One hidden layer of 40 integrate-and-fire neurons. It runs without normalisation here, so that the arithmetic below
# stays short, and ``optimizer="none"`` with a rate of 1 makes the change of a weight the rule's own.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

import neurorules
from neurorules.rules import RULES

pixels, digits = load_digits(return_X_y=True)
pixels, digits = torch.from_numpy(pixels / 16).float(), torch.from_numpy(digits)
STEPS, BATCH, NEURONS = 8, 100, 40


def learner_with(**settings: object) -> neurorules.Learner:
    """A net of one hidden layer that learns by sigprop."""
    return neurorules.Learner(str(NEURONS), "sigprop:bias=none", input_shape=(64,), classes=10, steps=STEPS, **settings)


learner = learner_with(norm="none", init="he", optimizer="none", lr=1.0)
samples = torch.rand(STEPS, BATCH, 64, generator=torch.Generator().manual_seed(0)) < pixels[:BATCH]
samples, labels = samples.float(), digits[:BATCH]
before = {name: value.clone() for name, value in learner.read().items()}
w, embedding = before["hidden1.ff.w"], before["hidden1.embedding"]
print("weights", tuple(w.shape), "and an embedding of the classes", tuple(embedding.shape))

# %%
# 1. Both streams run forward
# ---------------------------
# A sample drives the layer through the weights. A class drives it through its row of the embedding, which is a constant
# current. Nothing else differs: the neurons are the same. A layer reports the average over time of f(v), a smooth step
# of the membrane v around the threshold, taken before the neuron decides to spike.


def f(v: torch.Tensor) -> torch.Tensor:
    """The smooth step, a fast sigmoid around the threshold 1."""
    return (v - 1) / (1 + 2 * (v - 1).abs())


def psi(v: torch.Tensor) -> torch.Tensor:
    """Its derivative, known as the surrogate gradient of a spike."""
    return 1 / (1 + 2 * (v - 1).abs()) ** 2


def membranes(current: torch.Tensor) -> torch.Tensor:
    """The membrane at each step: it adds up the current, and begins again at 0 after a spike."""
    v, found = torch.zeros_like(current[0]), []
    for now in current:
        v = v * (v < 1) + now
        found.append(v)
    return torch.stack(found)


v_samples = membranes(samples @ w.T)
v_classes = membranes(embedding.expand(STEPS, 10, NEURONS))
h, t = f(v_samples).mean(0).requires_grad_(), f(v_classes).mean(0).requires_grad_()

figure, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
for axis, v, title in zip(axes, (v_samples[:, 0], v_classes[:, labels[0]]), ("a sample", "its class"), strict=True):
    axis.plot(range(1, STEPS + 1), v[:, :12], linewidth=1)
    axis.axhline(1, color="0.5", linestyle="--", linewidth=0.8)
    axis.set(xlabel="step", title=f"membranes of twelve neurons, driven by {title}")
axes[0].set_ylabel("v (thresholds)")
plt.show()

# %%
# 2. The layer compares
# ---------------------
# The average row of the classes is taken away from theirs, and all rows are brought to length 1. Their product is a
# cosine for each sample and class. Softmax makes a guess of it, and the cross-entropy says how wrong the guess is. The
# layer needs the labels of the batch for that, and nothing of any other layer.


def rows(x: torch.Tensor) -> torch.Tensor:
    """Rows of length 1."""
    return x / (x.norm(dim=1, keepdim=True) + 1e-6)


TEMPERATURE = min(0.3, (2 / NEURONS) ** 0.5)
cosines = rows(h) @ rows(t - t.mean(0)).T
loss = torch.nn.functional.cross_entropy(cosines / TEMPERATURE, labels)

# %%
# 3. The third factor, and the update
# -----------------------------------
# ``m`` is the derivative of this loss by what a neuron reported, so it is one number for each neuron and sample.
# Autograd takes it here because that is short; it looks at one layer and one comparison. A synapse multiplies three
# numbers that it finds at its own place: ``m`` and ``psi(v)`` of the neuron behind it, and the spike that just came in.

m_h, m_t = torch.autograd.grad(loss, (h, t))
by_hand = {
    "hidden1.ff.w": -torch.einsum("bn,tbn,tbi->ni", m_h, psi(v_samples), samples) / STEPS,
    "hidden1.embedding": -(m_t * psi(v_classes).mean(0)),
}

learner.step(samples, labels)
after = learner.read()
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for axis, (name, expected) in zip(axes, by_hand.items(), strict=True):
    change = after[name] - before[name]
    print(f"{name}: largest change {float(change.abs().max()):.1e}, apart {float((change - expected).abs().max()):.0e}")
    axis.plot(expected.flatten(), change.flatten(), ".", color="#0072B2", markersize=3)
    axis.set(title=name, xlabel="by hand", ylabel="by the library")
plt.show()

# %%
# The rule is written down in one line, which ``neurorules cite sigprop --equations`` shows. ``through_norm`` and
# ``mean_pre`` belong to normalised layers, which is the default.

for text in RULES.make("sigprop:bias=none").plasticity:
    print(f"d{text.parameter:10} in the pass of the {text.phase + ':':9} {text.text}")

# %%
# 4. What learning does to the comparison
# ---------------------------------------
# The same layer with its usual settings, before and after five passes over 1,400 pictures. Each field is the mean
# cosine between samples of a class (row) and the class stream (column): a diagonal appears, so a class and its samples
# have come to do the same in the layer.

learner = learner_with()
unseen = torch.rand(STEPS, 397, 64, generator=torch.Generator().manual_seed(1)) < pixels[1400:]


def table() -> torch.Tensor:
    """Mean cosine of the samples of each class with each class stream."""
    embedding = learner.read()["hidden1.embedding"]
    response = learner.respond(unseen.float()).activity[0]
    h = response.summary - response.summary.mean(0)
    t = f(membranes(embedding.expand(STEPS, 10, NEURONS))).mean(0)
    cosine = rows(h) @ rows(t - t.mean(0)).T
    return torch.stack([cosine[digits[1400:] == label].mean(0) for label in range(10)])


tables = [table()]
for epoch in range(5):
    for batch in torch.randperm(1400, generator=torch.Generator().manual_seed(epoch)).split(32):
        spikes = (
            torch.rand(STEPS, len(batch), 64, generator=torch.Generator().manual_seed(int(batch[0]))) < pixels[batch]
        )
        learner.step(spikes.float(), digits[batch])
tables.append(table())
right = (learner.scores(unseen.float()).argmax(1) == digits[1400:]).float().mean()
print(f"pictures that the net has not learned from: {100 * float(right):.1f} % right")

figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
for axis, values, title in zip(axes, tables, ("before learning", "after five epochs"), strict=True):
    shown = axis.imshow(values.detach(), cmap="RdBu_r", vmin=-0.8, vmax=0.8)
    axis.set(title=title, xlabel="class stream", ylabel="samples of class", xticks=range(10), yticks=range(10))
figure.colorbar(shown, ax=axes, label="mean cosine")
plt.show()

# %%
# What is simplified on this page, and what the library deviates from in the paper, stands in
# ``neurorules cite sigprop``.
