"""
Signal propagation in continuous time
=====================================

Signal propagation learns the digits while its equations run: one Brian2 model, no pass backwards, no stored history.
Samples and, between them, classes stream through the same leaky units; weights change where one presentation ends. An
answer counts before its sample is learned from; from the second pass on, that sample has been seen before.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from neurorules.brian2_continuous.circuits import CIRCUITS
from neurorules.brian2_continuous.parts.choose import machine_for
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.currents import currents_of
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, Net
from neurorules.brian2_continuous.parts.neurons import rate
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.brian2_continuous.trainer import settle
from neurorules.language.config import TrainConfig
from neurorules.rules import RULES
from neurorules.torch_path.training.batches import load_data

HIDDEN, EPOCHS, RUN, SEEN = (60, 60), 4, 250, 100
"""Units; times that all samples are shown; presentations a run; samples that a point of the curve averages over."""
SHOWN_UNITS, SHOWN_PRESENTATIONS = 5, 6
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")


def watched(circuit: Circuit) -> Circuit:
    """The circuit with the first hidden layer's membranes recorded at every step."""
    units = tuple(replace(one, watch=("v",)) if one.name == "hidden1" else one for one in circuit.units)
    return replace(circuit, units=units)


def learn(rule: str) -> tuple[np.ndarray, list[np.ndarray], float]:
    """Whether each answer was right, membranes (steps, units) of every run, and a step in ms."""
    config = settle(TrainConfig(rule=rule, path="continuous", net="-".join(map(str, HIDDEN))))
    data, plan, neuron = load_data(config, None), CIRCUITS.make(rule), rate()
    settings = {**plan.settings, "lr_hidden": plan.lr, "lr_readout": plan.readout_lr}
    net = Net(int(np.prod(data.source.shape)), HIDDEN, data.source.classes, neuron, RUN)
    circuit = watched(plan.make(net, RULES.make(rule), settings, np.random.default_rng(0)))
    currents, machine = currents_of(data.train), machine_for(circuit)
    stream = Stream(machine, circuit, settings)
    right: list[np.ndarray] = []
    membranes: list[np.ndarray] = []
    for epoch in range(EPOCHS):
        chosen = np.random.default_rng(epoch).permutation(len(data.train))
        labels = data.train.labels[chosen]
        order = plan.order(labels, data.source.classes)
        shown = order.labels[order.phases == INPUT_PHASE]
        done = 0
        for scores in stream.learn(order, lambda k, chosen=chosen: currents(chosen[k]), np.ones(len(order.samples))):
            right.append(scores.argmax(1) == shown[done : done + len(scores)])
            done += len(scores)
            membranes.append(machine.watched("hidden1", "v"))
    return np.concatenate(right), membranes, neuron.dt_ms


# %%
# The rule and its frozen control learn the digits.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
styles = {"sigprop": ("#0072B2", "-"), "shallow": ("#D55E00", "--")}
membranes, dt_ms = [np.zeros((1, 1))], 1.0
for rule, (colour, style) in styles.items():
    right, traces, dt_ms = learn(rule)
    if rule == "sigprop":
        membranes = traces
    points = right[: len(right) // SEEN * SEEN].reshape(-1, SEEN).mean(1) * 100
    label = {"sigprop": "sigprop", "shallow": "hidden layers frozen"}[rule]
    axes[0].plot(SEEN * np.arange(1, len(points) + 1), points, color=colour, linestyle=style, label=label)
    print(f"{rule:8} first {SEEN} samples {points[0]:5.1f} %, last {5 * SEEN} samples {points[-5:].mean():5.1f} %")
axes[0].set(title="digits, answers before learning", xlabel="samples", ylabel=f"right of the last {SEEN} (%)")
axes[0].legend(fontsize=8)
for axis, title, trace in zip(axes[1:], ("first", "late"), (membranes[0], membranes[-2]), strict=True):
    steps = round(SHOWN_PRESENTATIONS * rate().period_ms / dt_ms)
    start = len(trace) // 2  # of a whole run; the very last one is not
    for unit, colour in enumerate(COLOURS[:SHOWN_UNITS]):
        axis.plot(dt_ms * np.arange(steps), trace[start : start + steps, unit], color=colour, linewidth=1)
    axis.set(title=f"membranes, {title} run", xlabel="time (ms)", ylabel="v (units of current)")
plt.show()
