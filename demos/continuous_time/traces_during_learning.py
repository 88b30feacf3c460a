"""
Traces and weights while a neuron learns
========================================

Five inputs fire one after another, every 100 ms. Those that fire before the neuron become stronger, those after it
weaker, so the neuron fires earlier and earlier. It is one Brian2 run: traces are differential equations, and weights
change at spikes.
"""

import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from neurorules.brian2_continuous.parts.at_spikes import lower_events
from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.traces import unit_traces
from neurorules.rules import RULES

INPUTS, ROUNDS, PERIOD_MS, DT_MS, TAU_MS = 5, 30, 100.0, 0.5, 20.0
FIRST_MS, APART_MS = 20.0, 5.0
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")


def neuron_that_learns() -> Circuit:
    """Inputs in a row, a leaky neuron, and wires that change by the rule's own text; one unit a wire shows weights."""
    rule = replace(RULES.make(f"stdp:a_plus=0.02:a_minus=0.021:decay={math.exp(-1 / TAU_MS)}"), bounds=(0.0, 1.0))
    traces = unit_traces(rule, DT_MS)
    changes = lower_events(rule, "1.0", traces, DT_MS)
    [x] = traces
    steps = round(PERIOD_MS / DT_MS)
    inputs = Units(
        "input",
        INPUTS,
        ("due : 1", x.equation, "w_seen : 1"),
        threshold=f"abs(timestep(t, {DT_MS!r}*ms) % {steps} - due) < 0.5",
        reset=(x.reset,),
        start={"due": np.round((FIRST_MS + APART_MS * np.arange(INPUTS)) / DT_MS)},
        watch=("x", "w_seen"),
    )
    neuron = Units(
        "neuron",
        1,
        ("dv/dt = (I - v)/(10.0*ms) : 1", "dI/dt = -I/(5.0*ms) : 1", x.equation),
        threshold="v > 1",
        reset=("v = 0", x.reset),
        watch=("v", "x"),
        spikes=True,
    )
    wires = Wires(
        "synapses",
        "input",
        "neuron",
        ("w : 1", "w_seen_pre = w : 1 (summed)"),
        sums={"w_seen_pre": ("record", 0, "step")},
        on_pre=("I_post += 4.0*w", *changes.on_pre),
        on_post=changes.on_post,
        late_pre=changes.late_pre,
        late_post=changes.late_post,
        start={"w": 0.5},
        keeps=("w",),
    )
    return Circuit((inputs, neuron), (wires,), {}, ROUNDS, PERIOD_MS, DT_MS)


def draw_round(column: list[Axes], machine: Interpreted, number: int) -> None:
    """Membrane and traces of one round."""
    steps = round(PERIOD_MS / DT_MS)
    inside = slice(number * steps, (number + 1) * steps)
    time = DT_MS * np.arange(steps)
    column[0].plot(time, machine.watched("neuron", "v")[inside], color="black")
    column[0].axhline(1.0, color="0.6", linestyle="--", linewidth=0.8)
    column[0].set(title=f"round {number + 1}", ylabel="membrane v (thresholds)")
    for place, colour in enumerate(COLOURS):
        column[1].plot(time, machine.watched("input", "x")[inside, place], color=colour, linewidth=1)
    column[1].plot(time, machine.watched("neuron", "x")[inside], color="black", linestyle="--")
    column[1].set(xlabel="time in the round (ms)", ylabel="traces x (dashed: neuron's)")


# %%
# One run of thirty rounds.

circuit = neuron_that_learns()
machine = Interpreted(circuit)
machine.run(circuit.starts(), {})
times = machine.spikes("neuron").times_ms
rounds = (times // PERIOD_MS).astype(int)
first = {int(number): float(times[rounds == number].min() % PERIOD_MS) for number in np.unique(rounds)}
for number in (0, ROUNDS // 2, ROUNDS - 1):
    said = f"{first[number] - FIRST_MS:5.1f} ms after the first input" if number in first else "not at all"
    print(f"round {number + 1:3}: the neuron fires {said}")
print("weights at the end:", " ".join(f"{w:.2f}" for w in machine.read("synapses.w")))
figure, grid = plt.subplots(2, 3, figsize=(11, 5), layout="constrained")
draw_round(list(grid[:, 0]), machine, 0)
draw_round(list(grid[:, 1]), machine, ROUNDS - 1)
weights, seconds = machine.watched("input", "w_seen"), DT_MS / 1000
for place, colour in enumerate(COLOURS):
    label = f"input {place + 1}, at {FIRST_MS + APART_MS * place:g} ms"
    grid[0, 2].plot(seconds * np.arange(len(weights)), weights[:, place], color=colour, label=label)
grid[0, 2].set(title="weights", xlabel="time (s)", ylabel="w (0..1)")
grid[0, 2].legend(fontsize=7, loc="center right")
grid[1, 2].plot([n + 1 for n in first], [when - FIRST_MS for when in first.values()], "o", color="black")
grid[1, 2].set(xlabel="round", ylabel="first spike after first input (ms)")
plt.show()
