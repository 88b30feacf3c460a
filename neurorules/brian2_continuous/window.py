"""The change of one synapse by a rule in continuous time: the machine of `neurorules window --path continuous`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.at_spikes import AtSpikes, lower_events
from neurorules.brian2_continuous.parts.choose import machine_for
from neurorules.brian2_continuous.parts.circuit import Circuit, Pairs, Units, Wires
from neurorules.brian2_continuous.parts.from_texts import with_changes, with_traces
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.traces import unit_traces
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.torch_path.recording.window import membranes_of, model_of

REPAYS = 40_000
"""Number of steps from which on a compiled circuit is faster. Source: measured with `sdsp` and `triplet_stdp`,
compilation takes about 18 s, and a step about half a millisecond without it."""


def changes(
    rule: Rule, pre: Any, post: Any, *, weight: float = 0.5, m: Any = None, membranes_mV: Any = None
) -> np.ndarray:
    """The change of synapses whose neurons fire as asked, by the rule's equations in Brian2.

    A step of the protocol lasts `STEP_MS`, as a step of the rule's text does. Traces decay by differential equations,
    which are integrated exactly. The change is summed beside the weight, which stays what it was.

    Args:
        rule: whose text of hidden weights acts.
        pre: presynaptic spikes, a tensor (T, N), one column a synapse.
        post: postsynaptic spikes likewise.
        weight: before.
        m: third factor; only None is possible here.
        membranes_mV: what postsynaptic membranes are held at, a tensor (N,); None to let neurons fire.

    Returns:
        The change of each weight, (N,).

    Raises:
        UserError: the rule has no equations at spikes, or reads a third factor or a membrane that has no circuit.
        MissingExtra: brian2 is not installed.
    """
    if rule.signal is not None or m is not None:
        reason = "--m gives" if rule.signal is None else f"rule '{rule.name}' reads"
        raise UserError(f"{reason} a third factor, which a single synapse in continuous time lacks. Use --path torch")
    model, _ = model_of(rule, pre.shape[-1], None)
    circuit = circuit_of_synapses(rule, len(pre), pre.shape[-1], weight)
    neuron = model.network.layers[0].neuron
    if neuron.millivolts is not None and membranes_mV is None:
        raise UserError(
            f"rule '{rule.name}' reads the membrane of neurons '{rule.defaults.neuron}', which have no equations in "
            f"continuous time. Hold it with --clamp, or use --path torch"
        )
    if neuron.millivolts is None and membranes_mV is not None:
        raise UserError(
            f"rule '{rule.name}' runs on neurons '{rule.defaults.neuron}', whose membrane is in no mV, and --clamp "
            f"holds one that is. clopath, whose neurons have one, has no equations in continuous time: use --path torch"
        )
    v = membranes_of(rule, neuron, post, membranes_mV)
    machine = Interpreted(circuit) if len(pre) < REPAYS else machine_for(circuit)
    tables = {"pre": pre, "post": post, "membrane": v}
    machine.run(circuit.starts(), {name: np.asarray(tables[name].numpy()) for name in circuit.tables})
    return machine.read("synapse.dw")


def circuit_of_synapses(rule: Rule, steps: int, synapses: int, weight: float) -> Circuit:
    """Write synapses whose two neurons fire as tables say.

    Args:
        rule: whose text of hidden weights acts.
        steps: number of steps T, > 0.
        synapses: number of synapses N, > 0, each with two neurons of its own.
        weight: the weight of each synapse.

    Returns:
        A circuit that reads the tables `pre`, `post` and, where the rule reads it, `membrane`, (T, N) each, and sums
        changes in `synapse.dw`.

    Raises:
        UserError: a text or a trace has no form in continuous time.
    """
    traces = unit_traces(rule, STEP_MS)
    shown = f"int(t < {(steps - 0.5) * STEP_MS!r}*ms)"  # A run lasts one step longer than its tables.
    summed = AtSpikes(
        *(
            tuple(f"dw{line.removeprefix('w')}" for line in lines)
            for lines in lower_events(replace(rule, bounds=None), shown, traces, STEP_MS)
        )
    )
    pre = Units("before", synapses, (), threshold="pre_i > 0.5", streams=("pre",))
    post = Units("behind", synapses, (), threshold="post_i > 0.5", streams=("post",))
    if any(one.membrane for one in traces) or any("v_post" in line for lines in summed for line in lines):
        post = replace(post, equations=("v = membrane_i : 1",), streams=("post", "membrane"))
    own = np.arange(synapses)
    wires = Wires(
        "synapse", "before", "behind", ("w : 1", "dw : 1"), start={"w": weight, "dw": 0.0}, pairs=Pairs(own, own)
    )
    return Circuit(
        (with_traces(pre, traces, membrane=False), with_traces(post, traces)), (with_changes(wires, summed),),
        dict.fromkeys(("pre", *post.streams), synapses), steps, STEP_MS, STEP_MS,
    )  # fmt: skip
