"""
One rule in torch and in Brian2
===============================

A rule is a text, and the text is parsed once. PyTorch reads the parse as products of tensors, Brian2 as equations of a
synapse. If both mean the same, one neuron with one synapse must do the same in both, to the last bit: this page drives
it by a random spike train, lets STDP change its weight after every step, and looks for a difference.
"""

# %%
# The same neuron, stepped by hand in torch
# -----------------------------------------
# ``Trial`` runs one step of the layer, ``LocalView`` is all that a text may see of it, and ``learn_layer`` evaluates
# the texts. Training does the same for whole batches; here one step follows another, so that the weight can move in
# between.

import matplotlib.pyplot as plt
import numpy as np
import torch

from neurorules.brian2_steps.case import Case, Learning, Online
from neurorules.brian2_steps.simulate import run_together
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import Series
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.forward.run_layer import Carry
from neurorules.torch_path.trial.trial import Trial
from neurorules.torch_path.update.local_view import ChangeSums, LocalView
from neurorules.torch_path.update.plasticity import learn_layer

STEPS, LR, WEIGHT = 120, 1.0, 0.5
NAME = "hidden1.ff.w"
Traces = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Membrane before the reset, spikes, weight after the step; (T,) each."""


def on_torch(model: Model, learned: Learned, drive: torch.Tensor) -> Traces:
    """Step by step: neuron, text, weight."""
    weight, layer = learned.parameters[NAME].clone(), model.network.layers[0]
    learned = Learned({**learned.parameters, NAME: weight}, signal=learned.signal)
    trial = Trial(model, learned, Series(drive, False), STEPS, 1, torch.zeros(1, dtype=torch.long), {})
    rule, phase = model.rule, model.rule.phase("input")
    assert rule.bounds is not None
    run, traces = Carry(), Carry()
    rows = np.zeros((3, STEPS))
    for t in range(STEPS):
        activity, run = trial.run(phase, PhaseDrive(trial.drive), 0, [], run, t, t + 1, True)
        sums = ChangeSums()
        view = LocalView(
            layer, "input", activity, None, learned.parameters, rule.constants, rule.declared_traces, traces, False,
        )  # fmt: skip
        learn_layer(view, model.texts, {}, sums)
        weight += LR * sums.changes[NAME]
        weight.clamp_(*rule.bounds)
        rows[:, t] = float(activity.v.values.sum()), float(activity.S.values.sum()), float(weight)
    return rows[0], rows[1], rows[2]


# %%
# The same text in Brian2
# -----------------------
# ``Case`` holds network, numbers and drive. The texts are lowered to Brian2's synapses, whose weights change while the
# simulator runs; ``record=True`` keeps what they were after each step.


def on_brian2(model: Model, learned: Learned, drive: torch.Tensor) -> Traces:
    """One Brian2 run of the text's lowering."""
    numbers = {name: value.numpy() for name, value in learned.parameters.items()}
    case = Case(model.network, numbers, drive.numpy(), learning=Learning(model.rule, online=Online(LR, record=True)))
    (outcome,) = run_together([case], STEPS)
    layer = outcome.layers["hidden1"]
    return layer.v[:, 0, 0], layer.S[:, 0, 0], outcome.trajectories[NAME][:, 0, 0]


# %%
# Both machines run the same steps
# --------------------------------
# Numbers are printed first: the largest difference of membranes, spikes and weights over all steps. Each of them is 0,
# and in the picture the two curves cover each other.

rule = RULES.make("stdp:a_plus=0.02:a_minus=0.025")
network = build_network("1", (1,), 2, neuron="lif:beta=0.9", readout_neuron="leaky_readout", norm="none")
model = build_model(network, rule)
learned = initialise(model, 0, torch.device("cpu"), torch.float64)
learned.parameters[NAME].fill_(WEIGHT)
drive = (torch.rand(STEPS, 1, 1, generator=torch.Generator().manual_seed(3)) < 0.4).double()
paths = {"torch": on_torch(model, learned, drive), "Brian2": on_brian2(model, learned, drive)}
for place, name in enumerate(("membrane", "spikes", "weight")):
    gap = np.abs(paths["torch"][place] - paths["Brian2"][place]).max()
    print(f"{name:9} largest difference over {STEPS} steps {gap:.1e}")
print(f"output spikes {int(paths['torch'][1].sum())}, weight {WEIGHT} -> {paths['torch'][2][-1]:.4f}")
figure, axes = plt.subplots(3, 1, figsize=(8, 6), sharex=True, height_ratios=(3, 1, 2), layout="constrained")
styles = {"torch": ("#0072B2", "-", 3.0, 0.3), "Brian2": ("#D55E00", "--", 1.2, -0.3)}
axes[1].eventplot([np.nonzero(drive[:, 0, 0].numpy())[0]], lineoffsets=-1.4, linelengths=0.6, colors="0.3")
for name, (v, spikes, w) in paths.items():
    colour, style, width, offset = styles[name]
    axes[0].plot(v, color=colour, linestyle=style, linewidth=width, label=name)
    axes[1].eventplot([np.nonzero(spikes)[0]], lineoffsets=offset, linelengths=0.5, colors=colour)
    axes[2].plot(w, color=colour, linestyle=style, linewidth=width)
axes[0].axhline(1.0, color="0.6", linewidth=0.8)
axes[0].set_ylabel("membrane v (thresholds)")
axes[0].legend()
axes[1].set_yticks([0.3, -0.3, -1.4], ["torch", "Brian2", "input"])
axes[2].set(xlabel="time (steps of 1 ms)", ylabel="weight w (thresholds)")
plt.show()

# %%
# A whole net is compared in the same way from the command line: ``neurorules simulate RUN`` compares every spike of a
# trained net, and ``neurorules simulate RUN --learn 3`` its updates.
