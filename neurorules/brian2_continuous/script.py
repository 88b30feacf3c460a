"""Write the training of a circuit as a script of Brian2 that stands alone."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_continuous.checks import check_config, check_times
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.currents import currents_of
from neurorules.brian2_continuous.parts.foresight import check_net
from neurorules.brian2_continuous.parts.objects import RECORDED, objects_of
from neurorules.brian2_continuous.parts.stream import AFFERENTS
from neurorules.brian2_continuous.trainer import PRESENTATIONS, check_classes, circuit_of, net_of
from neurorules.brian2_continuous.training_run import presented
from neurorules.brian2_objects.script import Rounds, Script
from neurorules.brian2_objects.script_texts import number, symbol_of
from neurorules.language.config import SettledConfig
from neurorules.torch_path.training.batches import TrainingData

NOTES = {
    "v": "membrane",
    "a": "activity, which is sent to other units",
    "u": "what the rule reads as the membrane",
    "theta": "rise of the threshold",
    "I_const": "current from units that send their activity",
    "I_in": "synaptic current that spikes bring",
    "I_aside": "current from the rule's own synapses",
    "I_loop": "current from the layer itself",
    "b": "bias",
    "V_m": "membrane in volt",
    "I_m": "current in ampere",
    "V_threshold": "threshold in volt",
    "Q_w": "charge that a spike brings",
    "spikes": "number of spikes",
    "x": "trace of spikes",
    "m": "third factor",
    "w": "weight",
    "score": "score of a class",
    "raw": "its exponential",
    "total": "sum of all exponentials",
    "seen": "score, kept for the monitor",
    "label": "class that is shown",
    "phase": "1: a sample, 2: what the rule shows beside samples",
    "eta": "factor of all learning rates",
    "x_i": "current of the sample that is shown",
    "done_label": "class that has just been shown",
    "done_phase": "phase that has just ended",
    "done_eta": "factor in the presentation that has ended",
    "lr_hidden": "learning rate of hidden layers",
    "lr_readout": "learning rate of the read-out",
}
"""What the variables of circuits are, for a reader."""
PREPARATION = (
    'samples = stored["samples"]  # currents of all training samples, one in a row',
    'shown = stored["shown"]  # the row that each presentation shows, and -1 where no sample is shown',
    'label, phase, eta = stored["label"], stored["phase"], stored["eta"]  # one number for each presentation',
    "x = np.where(shown[:, None] >= 0, samples[shown], 0.0)",
)
"""Statements that prepare what tables hold."""


def script_of(config: SettledConfig, data: TrainingData, about: tuple[str, ...] = ()) -> Script:
    """Write a whole training in continuous time as a script, from its initial weights to its last.

    Args:
        config: configuration of the training, as `trainer.settle` gives it.
        data: its samples, of which the script gets those that are learned.
        about: paragraphs on the rule, for a reader.

    Returns:
        The script.

    Raises:
        UserError: the rule or a setting has no meaning in continuous time.
    """
    check_classes(data)
    plan = check_config(config)
    epochs = [presented(config, plan, data, epoch) for epoch in range(config.epochs)]
    once = len(epochs) == 1 and len(epochs[0].eta) <= PRESENTATIONS
    net = net_of(config, data, len(epochs[0].eta) if once else PRESENTATIONS)
    check_net(net)
    check_times(net.neuron)
    circuit = circuit_of(config, net)
    whole = circuit.presentations + 1
    columns: dict[str, list[np.ndarray]] = {"shown": [], "label": [], "phase": [], "eta": []}
    for epoch in epochs:
        rows = np.where(epoch.order.samples < 0, -1, epoch.chosen[epoch.order.samples])
        # Behind an epoch is a step in which nothing is shown, and its last presentation is learned from.
        ends = (-1, 0.0, 0.0, 0.0)
        for column, values, end in zip(columns.values(), (rows, *epoch.order[1:], epoch.eta), ends, strict=True):
            column += [values, np.full(1, end)]
    arrays = {name: np.concatenate(column) for name, column in columns.items()}
    arrays["shown"] = arrays["shown"].astype(np.int64)
    samples = currents_of(data.train)(np.arange(len(data.train)))
    return Script(
        about=(_title(config, circuit), *about, *_reading(circuit)),
        model=objects_of(circuit, {**circuit.starts(), **circuit.settings}),
        duration_ms=circuit.presentations * circuit.period_ms + circuit.dt_ms,
        results=_results(circuit),
        arrays={"samples": np.asarray(samples, dtype=np.float64), **arrays},
        notes=NOTES,
        preparation=(*PREPARATION, *(() if once else ("seen = []",))),
        sources={f"{name}_table": name if once else f"{name}[:{whole}].copy()" for name in circuit.tables},
        rounds=None if once else _rounds(circuit, len(epochs[0].eta), len(epochs)),
        ending=_ending(circuit, len(epochs[0].eta), once),
    )


def _title(config: SettledConfig, circuit: Circuit) -> str:
    sizes = {units.name: units.size for units in circuit.units}
    net = f"{sizes['input']} inputs, hidden layers {config.net}, {sizes['readout']} classes"
    return f"{config.rule} in continuous time: {net}."


def _reading(circuit: Circuit) -> tuple[str, ...]:
    return (
        f"Samples follow one another as presentations of {circuit.period_ms:g} ms. What is shown in a presentation "
        f"stands in tables, one row for each: in equations, `label` is the present row, and `done_label` the row of "
        f"the presentation before. Weights change when a presentation has ended and the next one has not begun.",
        "Membranes and currents have no units: a current of 1 holds a membrane at 1, which is the threshold of units "
        "that spike. V_m and I_m are the same in volt and ampere.",
    )


def _results(circuit: Circuit) -> dict[str, str]:
    """The arrays that a run keeps, by the names of a network's parameters, as `Stream.parameters` gives it."""
    sizes = {units.name: units.size for units in circuit.units}
    results = {}
    for part, variable in circuit.state():
        layer, _, afferent = part.name.rpartition("_")
        name = f"{layer}.{afferent}.{variable}" if afferent in AFFERENTS else f"{part.name}.{variable}"
        text = f"np.array({symbol_of(part.name)}.{variable})"
        ends = next(((w.source, w.target) for w in circuit.wires if w.name == part.name and w.pairs is None), None)
        results[name] = text if ends is None else f"{text}.reshape({sizes[ends[0]]}, {sizes[ends[1]]}).T"
    return results


def _rounds(circuit: Circuit, presentations: int, epochs: int) -> Rounds:
    """The runs of a script, which are those of `Stream.learn`."""
    rows, whole = presentations + 1, circuit.presentations
    period, dt = f"{number(circuit.period_ms)}*ms", f"{number(circuit.dt_ms)}*ms"
    past = [symbol_of(units.name) for units in circuit.units if units.refractory_ms]
    return Rounds(
        (f"starts = [epoch*{rows} + k for epoch in range({epochs}) for k in range(0, {presentations}, {whole})]",),
        "for start in starts:",
        (
            f"stop = min(start + {whole}, start - start % {rows} + {presentations})",
            *(f"{name}_table.values[: stop + 1 - start] = {name}[start : stop + 1]" for name in circuit.tables),
            f"begins = {dt} if start % {rows} else 0*ms  # within an epoch, the run before has taken the first step",
            *(f"{one}.lastspike += begins - network.t" for one in past),
            "network.t_ = float(begins)",
        ),
        (f"seen.append(np.array({symbol_of(f'{circuit.scored}_{RECORDED}')}.seen)[:, start - stop :].T)",),
        goes_on=f"(stop - start)*{period} + {dt} - begins",
    )


def _ending(circuit: Circuit, presentations: int, once: bool) -> tuple[str, ...]:
    record = symbol_of(f"{circuit.scored}_{RECORDED}")
    scores = f"np.array({record}.seen)[:, 1:].T" if once else "np.concatenate(seen)"
    return (
        "",
        "# Scores were recorded when each presentation ended; those of samples say how often the answer was right",
        f"scores, of_sample = {scores}, np.flatnonzero((shown >= 0) & (phase == 1))",
        f"right = scores[of_sample - of_sample // {presentations + 1}].argmax(1) == label[of_sample]  # no silent rows",
        'print(f"accuracy while it learned: {right.mean():.3f}")',
    )
