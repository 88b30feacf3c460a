"""The plan of a recording: variables and layers by name, checked against the model before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from neurorules.language.errors import UserError, unknown
from neurorules.language.neuron_trace import made_of_spikes
from neurorules.network.layer import INPUT, Input, Layer
from neurorules.network.model import Model
from neurorules.network.network import Parameters

POPULATION = {
    "S": "spikes, or a graded output",
    "v": "membrane before reset",
    "forward": "the forward signal: the same as S, stored densely",
    "x": "low-pass trace of the spikes, where the rule declares one",
    "m": "third factor, as the texts read it",
    "reverse": "what the rule's reverse circuit sends to the layers below",
}
"""The variables of populations, with their descriptions."""
SYNAPSES = {
    "G1": "third factor times forward signal at each synapse, by step",
    "dv_dw": "the exact eligibility of each synapse, by step",
}
"""The variables of connections, with their descriptions."""
PARAMETERS = {"w": "weights of the layers' connections", "b": "their biases"}
"""Parameters by short names. A declared eligibility, and any parameter, can also be recorded by its own name."""
LEARNING = frozenset({"m", "reverse", "G1"})
"""The variables that exist only in a trial that learns from the sample."""
LARGEST_SAMPLE = 512 * 2**20
"""The largest number of bytes of one sample, so that a recording fits into the memory of a small computer."""
SNNTORCH = {"spk": "S", "mem": "v"}
"""The names of variables in snnTorch, with those of recordings."""


@dataclass(frozen=True)
class RecordPlan:
    """The variables that are recorded, by kind.

    Args:
        model: network, rule and signal.
        population: variables of populations, (T, N) per sample; declared traces among them.
        synapses: variables of connections, (T, *weights) per sample; declared eligibilities among them.
        parameters: the full names of the parameters in snapshots.
        layers: the populations and connections to record; None for all.
    """

    model: Model
    population: tuple[str, ...]
    synapses: tuple[str, ...]
    parameters: tuple[str, ...]
    layers: frozenset[str] | None

    @property
    def learns(self) -> bool:
        """Whether a learning trial of a sample has to run, and not only its response."""
        return bool(LEARNING & {*self.population, *self.synapses})

    @property
    def samples(self) -> bool:
        """Whether variables of samples are recorded, and not only parameters."""
        return bool(self.population or self.synapses)

    @property
    def traces_of_spikes(self) -> frozenset[str]:
        """The declared traces of spikes alone, which exist for the network's input as well."""
        declared = self.model.rule.declared_traces
        return frozenset(name for name in declared if made_of_spikes(name, declared))

    def takes(self, layer: str) -> bool:
        """Whether the plan records the population of a layer."""
        return self.layers is None or layer in self.layers

    def takes_input(self, constant: bool) -> bool:
        """Whether the network's input is recorded: if the user names it, or if it varies in time."""
        spikes = {"S", "forward", *self.traces_of_spikes} & set(self.population)
        return bool(spikes) and (not constant if self.layers is None else INPUT in self.layers)

    def connections(self) -> Iterator[tuple[Layer, Input, str]]:
        """The connections whose synapses are recorded, and their names in a trace."""
        for layer, entry, _ in self.model.network.weights():
            name = f"{layer.name}.{entry.name}"
            if self.synapses and (self.layers is None or self.layers & {layer.name, name}):
                yield layer, entry, name

    def shapes(self, parameters: Parameters, constant: bool) -> dict[str, tuple[int, ...]]:
        """The shapes of a trace's layers: populations first, the input before all others.

        Args:
            parameters: the parameters of the learner, which give the shapes of connections.
            constant: whether the drive is the same at each step.

        Returns:
            Shape by name of the population or connection.
        """
        network = self.model.network
        shape_by_name: dict[str, tuple[int, ...]] = {INPUT: network.input_shape} if self.takes_input(constant) else {}
        if self.population:
            shape_by_name |= {layer.name: layer.shape for layer in network.layers if self.takes(layer.name)}
        for layer, entry, name in self.connections():
            shape_by_name[name] = tuple(parameters[layer.weight_name(entry)].shape)
        return shape_by_name

    def sample_bytes(self, parameters: Parameters, steps: int) -> int:
        """The approximate number of bytes of one sample before compression, 4 for each number.

        Args:
            parameters: the parameters of the learner.
            steps: T.

        Returns:
            The number of bytes.

        Raises:
            UserError: it is more than `LARGEST_SAMPLE`.
        """
        shapes = self.shapes(parameters, False)
        synapses = {name for _, _, name in self.connections()}
        each = {
            name: 4 * steps * prod(shape) * len(self.synapses if name in synapses else self.population)
            for name, shape in shapes.items()
        }
        total = sum(each.values())
        if total > LARGEST_SAMPLE:
            worst = max(each, key=lambda name: each[name])
            what = f"{', '.join(self.synapses)} at every synapse" if worst in synapses else "it"
            raise UserError(
                f"one sample would take {total / 1e9:.1f} GB, {each[worst] / 1e9:.1f} GB of it for '{worst}' ({what}, "
                f"{steps} steps); the limit is {LARGEST_SAMPLE / 1e9:.1f} GB. Name fewer layers, or record m and S"
            )
        return total


def record_plan(
    model: Model, parameters: Parameters, variables: Sequence[str], layers: Collection[str] | None = None
) -> RecordPlan:
    """Check what the user wants to record.

    Args:
        model: network, rule and signal.
        parameters: all parameters of the learner.
        variables: the variables of `POPULATION`, `SYNAPSES`, `PARAMETERS`, declared traces and eligibilities, and full
            names of parameters.
        layers: populations such as "hidden1" or "input", connections such as "hidden1.ff"; None for all.

    Returns:
        The plan.

    Raises:
        UserError: a name is unknown (the message offers the nearest one), or this rule has no such variable.
    """
    declared = [eligibility.name for eligibility in model.rule.eligibilities]
    populations = tuple(dict.fromkeys((*POPULATION, *model.rule.declared_traces)))
    recordable = list(dict.fromkeys((*populations, *SYNAPSES, *PARAMETERS, *declared, *parameters)))
    for variable in variables:
        if variable not in recordable:
            if ours := SNNTORCH.get(variable):
                raise UserError(f"unknown variable '{variable}', which is snnTorch's name. Use '{ours}'")
            raise unknown("variable", variable, recordable)
    if not variables:
        raise UserError("no variable is asked for. Name some, such as S,v")
    connections = [f"{layer.name}.{entry.name}" for layer, entry, _ in model.network.weights()]
    places = [INPUT, *(layer.name for layer in model.network.layers), *connections]
    for place in layers or ():
        if place not in places:
            raise unknown("layer", place, places)
    _check_rule(model, variables)
    chosen = None if not layers else frozenset(layers)
    names: list[str] = [variable for variable in variables if variable in parameters]
    for layer, entry, name in model.network.weights():
        connection = f"{layer.name}.{entry.name}"
        if chosen is None or chosen & {layer.name, connection}:
            names += [name] if "w" in variables else []
            names += [layer.bias_name] if "b" in variables and layer.bias_name in parameters else []
    plan = RecordPlan(
        model, tuple(v for v in populations if v in variables),
        tuple(v for v in (*SYNAPSES, *declared) if v in variables), tuple(dict.fromkeys(names)), chosen,
    )  # fmt: skip
    if not names and not plan.shapes(parameters, False):
        where = f" {', '.join(layers)}" if layers else ""
        raise UserError(
            f"none of the layers{where} has a variable {', '.join(variables)}. Name other variables, or other layers"
        )
    return plan


def _check_rule(model: Model, variables: Sequence[str]) -> None:
    wanted = sorted(LEARNING & set(variables))
    if wanted and model.signal is None:
        raise UserError(f"rule '{model.rule.name}' has no learning signal, so no '{wanted[0]}'. Record S or v")
    if "reverse" in wanted and model.signal is not None and "reverse_circuit" not in model.signal.needs:
        raise UserError(f"rule '{model.rule.name}' has no reverse circuit. Record m, its third factor, instead")
    if "x" in variables and "x" not in model.rule.declared_traces:
        raise UserError(f"rule '{model.rule.name}' declares no trace x of the spikes. Record S, of which it is made")
