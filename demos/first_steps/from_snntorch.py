"""
From a tutorial's snnTorch class to a local rule in twenty lines
================================================================

You have a class of snnTorch with a ``forward`` of its own, and a loop that calls ``loss.backward()``. Here the same
class learns by a local rule, and comes back as the same class. First we show that nothing is lost on the way: with
``rule="bptt"`` the update is the gradient that autograd gives.
"""

# %%
# A class as in snnTorch's tutorials
# ----------------------------------
# ``forward`` computes one step: membranes go in and come out.

import copy

import matplotlib.pyplot as plt
import snntorch
import torch
from sklearn.datasets import load_digits
from torch import nn

import neurorules

STEPS = 10


class Net(nn.Module):
    """Two layers of leaky neurons; the class whose output neuron has the highest mean membrane is the answer."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 100), snntorch.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(100, 10), snntorch.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, x, mem1=None, mem2=None):
        """One step of all layers."""
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        return spk2, mem1, mem2


pixels, labels = load_digits(return_X_y=True)
x, y = torch.from_numpy(pixels / 16).float(), torch.from_numpy(labels)
torch.manual_seed(0)
net = Net()
changed, *students = (copy.deepcopy(net) for _ in range(5))  # snnTorch's neurons cannot be copied once they have run

# %%
# The gradient is autograd's
# --------------------------
# The tutorial's way: run the steps, take the cross-entropy of the mean membrane, call ``backward``.

batch, answers = x[:64], y[:64]
membranes, mem1, mem2 = [], None, None
for _ in range(STEPS):
    _, mem1, mem2 = net(batch, mem1, mem2)
    membranes.append(mem2)
nn.functional.cross_entropy(torch.stack(membranes).mean(0), answers).backward()
autograd = {name: value.grad.clone() for name, value in net.named_parameters()}

# %%
# Here: one step by ``rule="bptt"`` without an optimizer, so that the change of a weight is minus its gradient. No
# autograd is involved in it.

learner = neurorules.Learner(net, "bptt", steps=STEPS, optimizer="none")
learner.step(batch.expand(STEPS, *batch.shape), answers)
learner.write_back(changed)
ours = {name: (net.get_parameter(name) - value).detach() for name, value in changed.named_parameters()}

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for axis, name, colour in zip(axes, ("fc1.weight", "fc2.weight"), ("#0072B2", "#D55E00"), strict=True):
    expected, there = autograd[name].flatten(), ours[name].flatten()
    apart = float((expected - there).abs().max())
    print(f"{name}: largest gradient {float(expected.abs().max()):.4f}, largest difference {apart:.1e}")
    ends = [float(expected.min()), float(expected.max())]
    axis.plot(ends, ends, color="0.6", linewidth=1)
    axis.plot(expected, there, ".", color=colour, markersize=2)
    axis.set(title=f"{name}: {len(expected)} weights", xlabel="autograd's gradient", ylabel='update of rule="bptt"')
plt.show()

# %%
# What is left between the two is the rounding of single-precision numbers.
#
# Now a local rule
# ----------------
# The same call with another word. ``sigprop`` reads no gradient of any other layer; ``shallow`` keeps the hidden
# layer as it was drawn, and is the control that every local rule has to beat.

curves = {}
for rule, student in zip(("bptt", "sigprop", "local_readout", "shallow"), students, strict=True):
    learner = neurorules.Learner(student, rule, steps=STEPS)
    accuracy = [100 * learner.evaluate((x[1400:], y[1400:]))["accuracy"]]
    for _ in range(6):
        learner.fit((x[:1400], y[:1400]), epochs=1, batch_size=32)
        accuracy.append(100 * learner.evaluate((x[1400:], y[1400:]))["accuracy"])
    curves[rule] = accuracy
    print(f"{rule:14} {accuracy[-1]:5.1f} % of the pictures that it has not learned from")
    if rule == "sigprop":
        learner.write_back(net)

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
colours, styles = ("#000000", "#0072B2", "#009E73", "0.5"), ("-", "-", "--", ":")
for (rule, accuracy), colour, style in zip(curves.items(), colours, styles, strict=True):
    axis.plot(accuracy, color=colour, linestyle=style, marker="o", markersize=3, label=rule)
axis.set(xlabel="epoch", ylabel="right (%), pictures not learned from", ylim=(0, 100))
axis.legend()
plt.show()

# %%
# The class comes back
# --------------------
# ``write_back`` put the weights that ``sigprop`` learned into the module we began with; it is the same class with the
# same names, and runs in plain snnTorch.

membranes, mem1, mem2 = [], None, None
with torch.no_grad():
    for _ in range(STEPS):
        _, mem1, mem2 = net(x[1400:], mem1, mem2)
        membranes.append(mem2)
right = torch.stack(membranes).mean(0).argmax(1) == y[1400:]
print(f"in plain snnTorch: {100 * right.float().mean().item():.1f} %")
print("parameters:", ", ".join(net.state_dict()))
