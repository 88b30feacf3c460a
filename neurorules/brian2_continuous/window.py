"""The change of one synapse by a rule in continuous time: the machine of `neurorules window --path continuous`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.at_spikes import AtSpikes, happens_at_spikes, lower_events
from neurorules.brian2_continuous.parts.choose import machine_for
from neurorules.brian2_continuous.parts.circuit import Circuit, Pairs, Units, Wires
from neurorules.brian2_continuous.parts.from_texts import with_changes, with_traces
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.step_texts import lower_steps
from neurorules.brian2_continuous.parts.traces import unit_traces
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.brian2_steps.surrogate_texts import psi_text
from neurorules.contracts.neuron import Neuron
from neurorules.language.rules import Rule
from neurorules.torch_path.recording.window import membranes_of, model_of

REPAYS = 40_000
"""Number of steps from which on a compiled circuit is faster. Source: measured with `sdsp` and `triplet_stdp`,
compilation takes about 18 s, and a step about half a millisecond without it."""


def changes(
    rule: Rule, pre: Any, post: Any, *, weight: float = 0.5, m: Any = None, membranes_mV: Any = None
) -> np.ndarray:
    """The change of synapses whose neurons fire as asked, by the rule's equations in Brian2.

    A step of the protocol lasts `STEP_MS`, as a step of the rule's text does. Traces of spikes decay by differential
    equations, which are integrated exactly; texts that speak of single steps run at each of them. Membranes are those
    of the torch machine (`membranes_of`). The change is summed beside the weight, which stays what it was.

    Args:
        rule: whose text of hidden weights acts.
        pre: presynaptic spikes, a tensor (T, N), one column a synapse.
        post: postsynaptic spikes likewise.
        weight: before.
        m: third factor of the postsynaptic neuron, the same at all times; None for a rule that reads none.
        membranes_mV: what postsynaptic membranes are held at, a tensor (N,); None to let them run.

    Returns:
        The change of each weight, (N,).

    Raises:
        UserError: the rule has no equations in continuous time, or reads a third factor and there is none; a neuron
            cannot spike as often as asked; or a membrane without mV is clamped.
        MissingExtra: brian2 is not installed.
    """
    model, _ = model_of(rule, pre.shape[-1], m)
    neuron = model.network.layers[0].neuron
    v = membranes_of(rule, neuron, post, membranes_mV)
    circuit = circuit_of_synapses(rule, len(pre), pre.shape[-1], weight, _psi(neuron), m)
    machine = Interpreted(circuit) if len(pre) < REPAYS else machine_for(circuit)
    tables = {"pre": pre, "post": post, "membrane": v}
    machine.run(circuit.starts(), {name: np.asarray(tables[name].numpy()) for name in circuit.tables})
    return machine.read("synapse.dw")


def _psi(neuron: Neuron[Any]) -> str:
    """psi of a neuron as text, with {v} for the membrane."""
    text = neuron.brian2()
    if text.surrogate is None:
        return "1.0"
    return psi_text(text.surrogate, f"({{v}} - {float(text.numbers['v_threshold'])!r})")


def circuit_of_synapses(
    rule: Rule, steps: int, synapses: int, weight: float, psi: str = "1.0", m: float | None = None
) -> Circuit:
    """Write synapses whose two neurons fire as tables say.

    Args:
        rule: whose text of hidden weights acts.
        steps: number of steps T, > 0.
        synapses: number of synapses N, > 0, each with two neurons of its own.
        weight: of each synapse.
        psi: of the postsynaptic neuron as text, with {v} for the membrane.
        m: third factor of the postsynaptic neurons; None for a rule that reads none.

    Returns:
        A circuit that reads the tables `pre`, `post` and, where the rule may read it, `membrane`, (T, N) each, and sums
        changes in `synapse.dw`.

    Raises:
        UserError: a text or a trace has no form in continuous time.
    """
    shown = f"int(t < {(steps - 0.5) * STEP_MS!r}*ms)"  # A run lasts one step longer than its tables.
    rule, own = replace(rule, bounds=None), np.arange(synapses)
    pre = Units("before", synapses, (), threshold="pre_i > 0.5", streams=("pre",))
    post = Units(
        "behind", synapses, () if m is None else (f"m = {float(m)!r} : 1",), threshold="post_i > 0.5", streams=("post",)
    )
    wires = Wires(
        "synapse", "before", "behind", ("w : 1", "dw : 1"), start={"w": weight, "dw": 0.0}, pairs=Pairs(own, own)
    )
    adds = _at_spikes if happens_at_spikes(rule) else partial(_in_steps, psi=psi)
    pre, post, wires = adds(rule, shown, pre, post, wires)
    tables = dict.fromkeys((*pre.streams, *post.streams), synapses)
    return Circuit((pre, post), (wires,), tables, steps, STEP_MS, STEP_MS)


Parts = tuple[Units, Units, Wires]
"""Both neurons of a synapse, and the synapse."""


def _at_spikes(rule: Rule, shown: str, pre: Units, post: Units, wires: Wires) -> Parts:
    traces = unit_traces(rule, STEP_MS)
    summed = AtSpikes(*(tuple(map(_beside, lines)) for lines in lower_events(rule, shown, traces, STEP_MS)))
    if any("v_post" in line for lines in summed for line in lines):
        post = _with_membrane(post)
    return with_traces(pre, traces, membrane=False), with_traces(post, traces), with_changes(wires, summed)


def _in_steps(rule: Rule, shown: str, pre: Units, post: Units, wires: Wires, psi: str) -> Parts:
    of_weights = tuple(one for one in rule.plasticity if one.parameter == "w")
    texts = lower_steps(replace(rule, plasticity=of_weights), shown, psi)
    post = _with_membrane(post)
    acts = tuple(replace(act, lines=tuple(map(_beside, act.lines))) for act in texts.wire_acts)
    return (
        replace(pre, equations=texts.inputs, reset=("S += 1",), acts=texts.input_acts),
        replace(post, equations=(*post.equations, *texts.units), reset=("S += 1",), acts=texts.unit_acts),
        replace(wires, equations=(*wires.equations, *texts.wires), acts=acts),
    )


def _with_membrane(post: Units) -> Units:
    return replace(post, equations=(*post.equations, "v = membrane_i : 1"), streams=("post", "membrane"))


def _beside(line: str) -> str:
    """A statement that changes the weight, as one that sums the change beside it."""
    return f"d{line}" if line.startswith("w += ") else line
