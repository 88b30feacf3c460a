"""The Brian2 objects of a trained network: dv/dt equations, synapses that add at spikes, the default schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from neurorules.brian2_objects.specs import (
    ClockSpec,
    GroupSpec,
    ModelSpec,
    MonitorSpec,
    PathwaySpec,
    RegularSpec,
    SumSpec,
    SynapsesSpec,
    TableSpec,
)
from neurorules.brian2_steps.ordinary_numbers import OrdinaryLayer, OrdinarySynapses
from neurorules.brian2_steps.scale import SCALE, Scale
from neurorules.network.layer import INPUT

TABLE, RECORD, SPIKES = "shown_table", "record", "spikes"
SCHEDULE = {
    "start": "a layer is put to rest where its next sample begins",
    "groups": "membranes move by their equations",
    "thresholds": "spikes are found",
    "synapses": "each spike adds the weights of its synapses",
    "resets": "membranes that spiked are reset",
    "end": "",
}
"""Brian2's default slots with their activity, for a reader."""
NOTES = {
    "v": "membrane",
    "v_threshold": "above it comes a spike",
    "tau": "time constant of the membrane in ms",
    "bias": "potential to which the bias drives the membrane",
    "v_start": "membrane one step before the first of a sample",
    "late": "1 where the membrane is above the threshold after its reset",
    "begins": "1 in the step before a sample's first one",
    "v_drop": "what a reset takes away",
    "I_in": "current of graded input",
    "I_syn": "synaptic current, as the potential to which it drives the membrane",
    "tau_syn": "time constant of the synaptic current in ms",
    "admits": "0 where a refractory membrane takes nothing in",
    "begun": "time at which the sample has begun",
    "a": "activity of the input",
    "w": "weight",
    "V_m": "membrane in volt",
}
"""The descriptions of the variables, for a reader."""


@dataclass(frozen=True)
class Shown:
    """The samples of an ordinary network, one after another.

    Args:
        values: (T, B, *input), spikes of 0 or 1 or, if `graded`, values.
        graded: whether they are values.
        early: whether values act one step earlier, on a synaptic current, which moves the membrane a step later.
    """

    values: np.ndarray
    graded: bool
    early: bool = False

    @property
    def steps(self) -> int:
        """Time steps T of a sample."""
        return self.values.shape[0]

    @property
    def period(self) -> int:
        """The number of steps from one sample to the next: those of a sample, and one in which membranes are set to
        rest.
        """
        return self.steps + 1

    @property
    def samples(self) -> int:
        """The number B of samples that are shown."""
        return self.values.shape[1]

    def total(self, layers: Sequence[OrdinaryLayer]) -> int:
        """Steps until the last layer has taken the last step of the last sample."""
        return self.samples * self.period + max(layer.lag for layer in layers)

    def table(self) -> np.ndarray:
        """The spikes that the input sends in each step, (B (T + 1) + 1, I). A value acts in its step, and a spike after
        its step.
        """
        rows = np.zeros((self.samples, self.period, prod(self.values.shape[2:])))
        first = 1 if self.graded and not self.early else 0
        rows[:, first : first + self.steps] = self.values.reshape(self.steps, self.samples, -1).swapaxes(0, 1)
        flat = rows.reshape(-1, rows.shape[-1])
        return np.concatenate([flat, np.zeros_like(flat[:1])])


def ordinary_objects(layers: Sequence[OrdinaryLayer], shown: Shown, step_ms: float, scale: Scale = SCALE) -> ModelSpec:
    """List the Brian2 objects of an ordinary network.

    Args:
        layers: its populations with their synapses.
        shown: its samples.
        step_ms: length of a step in ms, > 0.
        scale: the scale of membranes in volt.

    Returns:
        The objects as data.
    """
    table = shown.table()
    monitors = [
        MonitorSpec(f"{one.name}_{SPIKES}", one.name)
        if one.reset
        else MonitorSpec(f"{one.name}_{RECORD}", one.name, ("v",), when="thresholds")
        for one in layers
    ]
    return ModelSpec(
        clocks={"step": ClockSpec(step_ms)},
        tables=(TableSpec(TABLE, TABLE, table, step_ms),),
        groups=(_input(table.shape[1], shown.graded), *(_group(one, shown, step_ms, scale) for one in layers)),
        synapses=tuple(_synapses(one, layer, step_ms) for layer in layers for one in layer.synapses),
        monitors=tuple(monitors),
        schedule=SCHEDULE,
    )


def _input(size: int, graded: bool) -> GroupSpec:
    symbol = f"{TABLE}(t, i)"
    what = "of which each has a value at each step" if graded else "which spike as the table says"
    return GroupSpec(
        INPUT,
        size,
        ("a : 1",) if graded else (f"a = {symbol} : 1",),
        "step",
        note=f"{size} inputs, {what}",
        threshold=None if graded else "a > 0",
        regular=(RegularSpec(f"{INPUT}_reads", (f"a = {symbol}",), "start", 0, "step"),) if graded else (),
        tables=(TABLE,),
    )


def _group(layer: OrdinaryLayer, shown: Shown, step_ms: float, scale: Scale) -> GroupSpec:
    """A population: its equation, its threshold and reset, and the rest before each sample."""
    graded, synaptic = any(one.graded for one in layer.synapses), layer.tau_syn is not None
    drive = "bias + I_in" if graded else "bias"
    here = "I_syn" if synaptic else drive
    # This does not use "(unless refractory)", since Brian2 would then also ignore input for the first step after the
    # wait.
    moves = "int(not_refractory)*" if layer.refractory_steps else ""
    equations = [f"dv/dt = {moves}({here}{' - v' if layer.leaks else ''})/(tau*ms) : 1"]
    equations += [f"dI_syn/dt = ({drive} - I_syn)/(tau_syn*ms) : 1", "tau_syn : 1 (constant)"] if synaptic else []
    equations += ["I_in : 1"] if graded else []
    equations += ["tau : 1 (constant)", "bias : 1 (constant)", "v_start : 1 (constant)"]
    # A step that does not leak adds the bias once: its time constant is the step itself.
    tau = layer.tau * step_ms if layer.leaks else step_ms
    values = {"v": layer.start, "v_start": layer.start, "tau": tau, "bias": layer.bias}
    begin = [f"begins = int(timestep(t, dt) % {shown.period} == {(layer.lag - 1) % shown.period})"]
    begin += ["v = (1 - begins)*v + begins*v_start"]
    if layer.tau_syn is not None:
        values["tau_syn"] = layer.tau_syn * step_ms
        begin += ["I_syn = (1 - begins)*I_syn"]
    refractory = None
    if layer.refractory_steps:
        # A spike of the previous sample makes no neuron wait in this one.
        begin += ["begun = (1 - begins)*begun + begins*t"]
        refractory = _waiting(layer, "<=")
        equations += ["begun : second", f"admits = 1 - int({_waiting(layer, '<')}) : 1"]
    regular: list[RegularSpec] = []
    threshold = None
    if layer.reset is not None:
        equations += ["v_threshold : 1 (constant)"]
        values["v_threshold"] = layer.threshold
        threshold = "v > v_threshold"
    after: dict[str | None, str] = {
        # A reset to 0 comes before the input from this step's spikes, which it would erase.
        "zero": "v = v*int(v <= v_threshold)",
        "subtract": "late = int(v - v_threshold*int(v > v_threshold*(1 + late)) > v_threshold)",
    }
    if layer.reset == "subtract":
        equations += ["late : 1"]
        threshold = "v > v_threshold*(1 + late)"
        begin += ["late = (1 - begins)*late"]
    if layer.reset == "drop":
        equations += ["v_drop : 1 (constant)"]
        values["v_drop"] = layer.drop
    if layer.reset in after:
        regular = [RegularSpec(f"{layer.name}_after", (after[layer.reset],), "after_thresholds", 0, "step")]
    return GroupSpec(
        layer.name,
        layer.size,
        (*equations, scale.voltage()),
        "step",
        note=_note(layer),
        method="exponential_euler",  # It holds a synaptic current constant during a step, as torch does.
        threshold=threshold,
        refractory_while=refractory,
        reset={"subtract": ("v -= v_threshold",), "drop": ("v -= v_drop",)}.get(layer.reset or "", ()),
        regular=(RegularSpec(f"{layer.name}_begins", tuple(begin), "start", 0, "step"), *regular),
        values=values,
    )


def _waiting(layer: OrdinaryLayer, until: str) -> str:
    """The condition that a neuron has spiked in this sample within its refractory period."""
    return f"timestep(t - lastspike, dt) {until} {layer.refractory_steps} and lastspike >= begun"


def _note(layer: OrdinaryLayer) -> str:
    counted = "; v is the sum of what has arrived, over the steps of a sample" if layer.counts else ""
    return f"{layer.size} neurons, which take their first step in step {layer.lag}{counted}"


def _synapses(one: OrdinarySynapses, target: OrdinaryLayer, step_ms: float) -> SynapsesSpec:
    graded = ("I_in_post = w*a_pre : 1 (summed)",) if one.graded else ()
    brings = "v_post += w*admits_post" if target.refractory_steps else "v_post += w"
    if target.tau_syn is not None:
        brings = "I_syn_post += w"
    return SynapsesSpec(
        one.name,
        one.source,
        target.name,
        ("w : 1", *graded),
        "step",
        note=f"w is {one.parameter}, scaled",
        pathways=() if one.graded else (PathwaySpec("deliver", "pre", (brings,)),),
        sums=(SumSpec("I_in_post", "groups", -1, "step"),) if one.graded else (),
        pairs=(one.pre, one.post),
        values={"w": one.weights},
        delay_ms=one.delay * step_ms,
    )
