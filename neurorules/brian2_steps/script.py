"""Write a network that runs step by step as a script of Brian2 that stands alone, with or without updates by a rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurorules.brian2_objects.script import Rounds, Script, source_of
from neurorules.brian2_objects.script_texts import symbol_of
from neurorules.brian2_objects.specs import GroupSpec, ModelSpec, SynapsesSpec
from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.describe import describe
from neurorules.brian2_steps.model_text import ConnectionText, NetworkText, PopulationText
from neurorules.brian2_steps.objects import RECORD, objects_of
from neurorules.brian2_steps.optimisers import OPTIMISERS, WITH_SUM
from neurorules.brian2_steps.variable_notes import NOTES
from neurorules.language.errors import UserError

READING = (
    "A spike passes through all layers within a step: the "
    "input of a layer is summed in I_in, the layer's step reads and clears it, its spikes are sent, and the next "
    "layer follows. Variables have no units; V_m, I_m and Q_w are the same in volt, ampere and coulomb, if the "
    "threshold is 20 mV above rest."
)
OF_FILE = (
    "Third factors `m` and running averages are numbers of this training, which the script reads from its file: the "
    "learning signal and the normalisation computed them from the activity of the same update. If you change the "
    "model, its activity is another, and they still belong to the activity of this training."
)


@dataclass(frozen=True)
class Change:
    """The way in which an optimiser changes a parameter.

    Args:
        kind: one of `OPTIMISERS`.
        rate: learning rate, >= 0.
        decay: L2 decay, >= 0.
        bounds: smallest and largest value; None for none.
        total: the sum of the absolute weights of each neuron, to which they are scaled; None for any.
    """

    kind: str
    rate: float
    decay: float
    bounds: tuple[float, float] | None
    total: float | None = None


def script_of_network(case: Case, steps: int, about: tuple[str, ...]) -> Script:
    """Write a network that does not learn.

    Args:
        case: the network with its parameters and its input.
        steps: number of time steps T, >= 1.
        about: paragraphs on the network, for a reader.

    Returns:
        A script that saves the spikes of each layer, (T, B, N), or the membranes of one that does not spike, and the
        parameters.

    Raises:
        UserError: a part of the network cannot be written for Brian2.
    """
    text = describe(case)
    model = objects_of([text])
    writer = _Writer([text], model, case)
    sent = {
        f"{layer.name}.{'spikes' if layer.neuron.spiking else 'membranes'}": _recorded(layer.name, "S", text)
        for layer in case.network.layers
    }
    return replace(
        writer.script((*about, READING), steps),
        results={**writer.results(), **sent},
        ending=(
            "for name, values in learned.items():",
            '    if name.endswith(".spikes"):',
            '        print(f"{name}: {np.count_nonzero(values)}")',
        ),
    )


def script_of_updates(
    updates: Sequence[Mapping[str, Case]], steps: int, changes: Mapping[str, Change], about: tuple[str, ...]
) -> Script:
    """Write updates of a network by a rule.

    Args:
        updates: by phase of the rule, the case of each update; at least one, and those of a phase differ in numbers
            alone. The parameters of the first are initial values.
        steps: number of time steps T, >= 1.
        changes: by parameter, how it changes; one that is missing here does not change.
        about: paragraphs on the rule, for a reader.

    Returns:
        A script that saves the parameters after the last update.

    Raises:
        UserError: a part of the network or the rule cannot be written for Brian2, or an optimiser has no form in a
            script.
    """
    for change in changes.values():
        if change.kind not in OPTIMISERS:
            raise UserError(
                f"optimizer '{change.kind}' cannot be written as a script. Give a run with one of "
                f"{', '.join(OPTIMISERS)}"
            )
    prefixes = {phase: "" if len(updates[0]) == 1 else f"{phase}_" for phase in updates[0]}
    texts = [[describe(cases[phase], prefix) for phase, prefix in prefixes.items()] for cases in updates]
    models = [objects_of(one) for one in texts]
    writer = _Writer(texts[0], models[0], next(iter(updates[0].values())))
    writer.vary(models)
    samples = next(iter(updates[0].values())).samples
    script = writer.script((*about, READING, OF_FILE), steps)
    gradients = {name: terms for name, terms in writer.gradients().items() if name in changes}
    return replace(
        script,
        results={name: f'parameters["{name}"]' for name in writer.owned},
        functions=_functions([changes[name] for name in gradients]),
        rounds=Rounds(
            ("buffers = {name: {} for name in parameters}  # what optimisers keep from one update to the next",),
            f"for update in range({len(updates)}):",
            tuple(writer.before()),
            tuple(_after(gradients, changes, samples)),
        ),
    )


def _functions(changes: Sequence[Change]) -> tuple[str, ...]:
    """The source of the functions by which parameters change."""
    optimisers = tuple(source_of(OPTIMISERS[kind]) for kind in sorted({change.kind for change in changes}))
    return (*optimisers, *((source_of(WITH_SUM),) if any(change.total is not None for change in changes) else ()))


def _after(gradients: Mapping[str, list[str]], changes: Mapping[str, Change], samples: int) -> Iterator[str]:
    """Statements that change the parameters by what the synapses and neurons have summed."""
    yield f"# The rule's changes, summed over steps and over phases, and averaged over the {samples} samples"
    for name, terms in gradients.items():
        change = changes[name]
        total = " + ".join(terms)
        yield f"gradient = -({total}) / {samples}"
        moved = f'{change.kind}(parameters["{name}"], gradient, buffers["{name}"], {change.rate!r}, {change.decay!r})'
        if change.total is not None:
            moved = f"scaled({moved}, {change.total!r})"
        if change.bounds is not None:
            moved = f"np.clip({moved}, {change.bounds[0]!r}, {change.bounds[1]!r})"
        yield f'parameters["{name}"] = {moved}'


class _Writer:
    """Writes the networks of one round, which share parameters."""

    def __init__(self, texts: Sequence[NetworkText], model: ModelSpec, case: Case) -> None:
        self.texts, self.model, self.case = texts, model, case
        self.layers = {layer.name: layer for layer in case.network.layers}
        self.arrays: dict[str, np.ndarray] = {}
        self.sources: dict[str, str] = {}
        self.varying: list[str] = []
        self.owned: dict[str, np.ndarray] = {}
        for text in texts:
            for one in text.connections:
                if one.parameter in case.parameters:
                    self._own(one.parameter, f"{one.name}.w", self._weights(one, text.samples))
            for population in text.populations:
                name = self._bias(population)
                if name is not None:
                    self._own(name, f"{population.name}.b", self._biases(name, population, text.samples))

    def _own(self, parameter: str, variable: str, expression: str) -> None:
        self.owned[parameter] = np.asarray(self.case.parameters[parameter], dtype=np.float64)
        self.sources[variable] = expression

    def _bias(self, population: PopulationText) -> str | None:
        """The name of a population's bias among the parameters; None if it has none."""
        names = [f"{name}.b" for name in self.layers if population.name.endswith(name) and "b" in population.numbers]
        return next((name for name in names if name in self.case.parameters), None)

    def _weights(self, one: ConnectionText, samples: int) -> str:
        text = f'parameters["{one.parameter}"].reshape(-1)'
        if not np.array_equal(one.wiring.element, np.arange(len(one.wiring.element))):
            self.arrays[f"{one.name}_element"] = one.wiring.element
            text += f'[stored["{one.name}_element"]]'
        return text if samples == 1 else f"np.tile({text}, {samples})"

    def _biases(self, name: str, population: PopulationText, samples: int) -> str:
        shape = self.layers[name.rpartition(".")[0]].shape
        text = f'parameters["{name}"]'
        if np.shape(self.case.parameters[name]) != (population.size,):
            text = f"np.broadcast_to({text}, {tuple(shape)}).reshape(-1)"
        return text if samples == 1 else f"np.tile({text}, {samples})"

    def results(self) -> dict[str, str]:
        """The arrays that the program saves at its end: the text of each parameter, by name."""
        return {name: f'parameters["{name}"]' for name in self.owned}

    def script(self, about: tuple[str, ...], steps: int) -> Script:
        """Give the script of the model and its inputs, without its runs."""
        table = ("parameters = {", *(f'    "{name}": stored["{name}"],' for name in self.owned), "}")
        return Script(
            about=about,
            model=self.model,
            duration_ms=steps * self.case.step_ms,
            results={},
            arrays={**self.owned, **self.arrays},
            notes=NOTES,
            shown="Initial parameters, and what is shown",
            preparation=table,
            sources=self.sources,
        )

    def vary(self, models: Sequence[ModelSpec]) -> None:
        """Store what differs between updates, one row for each of them.

        Raises:
            UserError: the updates differ in more than numbers.
        """
        if any(_equations(model) != _equations(self.model) for model in models):
            raise UserError(
                "these updates cannot be written as one script: running averages begin between them, so they differ in "
                "more than numbers. Begin with a net that has learned before"
            )
        for place, table in enumerate(self.model.tables):
            rows = [model.tables[place].values for model in models]
            self._vary(table.name, rows, f"{symbol_of(table.name)}.values[:]", ".copy()")
        for kind in ("groups", "synapses"):
            parts: Sequence[GroupSpec | SynapsesSpec] = getattr(self.model, kind)
            for place, part in enumerate(parts):
                for name in part.values:
                    if f"{part.name}.{name}" not in self.sources:
                        rows = [np.asarray(getattr(model, kind)[place].values[name]) for model in models]
                        self._vary(f"{part.name}.{name}", rows, f"{symbol_of(part.name)}.{name}", "")

    def _vary(self, name: str, rows: Sequence[np.ndarray], where: str, copy: str) -> None:
        if all(np.array_equal(row, rows[0]) for row in rows[1:]):
            return
        key = name.replace(".", "_")
        self.arrays[key] = np.stack(rows)
        self.sources[name] = f'stored["{key}"][0]{copy}'
        self.varying.append(f'{where} = stored["{key}"][update]')

    def before(self) -> Iterator[str]:
        """Statements that set the initial values of an update."""
        yield from self.varying
        for text in self.texts:
            names = [(one.name, "w") for one in text.connections] + [(one.name, "b") for one in text.populations]
            for part, variable in names:
                if f"{part}.{variable}" in self.sources:
                    yield f"{symbol_of(part)}.{variable} = {self.sources[f'{part}.{variable}']}"

    def gradients(self) -> dict[str, list[str]]:
        """Expressions of the changes that a round has summed, one for each phase, by parameter."""
        terms: dict[str, list[str]] = {}
        for text in self.texts:
            for one in text.connections:
                if "w_change" in one.variables:
                    terms.setdefault(one.parameter, []).append(self._weight_change(one, text.samples))
            for population in text.populations:
                name = self._bias(population)
                if name is not None and "b_change" in population.variables:
                    terms.setdefault(name, []).append(self._bias_change(name, population, text.samples))
        return terms

    def _weight_change(self, one: ConnectionText, samples: int) -> str:
        text = f"np.array({symbol_of(one.name)}.w_change).reshape({samples}, -1).sum(0)"
        shape, places = one.wiring.shape, f"{one.name}_element"
        if places in self.arrays:
            text = f'np.bincount(stored["{places}"], weights={text}, minlength={int(np.prod(shape))})'
        return f"{text}.reshape{tuple(shape)}"

    def _bias_change(self, name: str, population: PopulationText, samples: int) -> str:
        text = f"np.array({symbol_of(population.name)}.b_change).reshape({samples}, -1).sum(0)"
        shape = self.owned[name].shape
        return text if shape == (population.size,) else f"{text}.reshape({shape[0]}, -1).sum(1).reshape{tuple(shape)}"


def _equations(model: ModelSpec) -> tuple[object, ...]:
    """A model without its numbers."""
    groups = tuple((one.equations, one.regular, tuple(one.values)) for one in model.groups)
    return groups, tuple((one.equations, one.regular, one.pathways, tuple(one.values)) for one in model.synapses)


def _recorded(layer: str, variable: str, text: NetworkText) -> str:
    return f"np.array({symbol_of(f'{layer}_{RECORD}')}.{variable}).T.reshape(-1, {text.samples}, {_size(text, layer)})"


def _size(text: NetworkText, layer: str) -> int:
    return next(one.size for one in text.populations if one.name == layer)
