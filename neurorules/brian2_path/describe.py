"""From a network, its numbers and a rule to the texts of Brian2 populations and synapses."""

from __future__ import annotations

from math import prod

import numpy as np

from neurorules.brian2_path.case import Case, LayerNorm, as_table
from neurorules.brian2_path.lowering import Lowered, Place, lower_neuronal, lower_synaptic
from neurorules.brian2_path.model_text import Code, ConnectionText, NetworkText, Pathway, PopulationText
from neurorules.connections._matrix import Matrix
from neurorules.language.errors import UserError
from neurorules.language.rules import Plasticity
from neurorules.torch_path.layer import NETWORK_INPUT, Input, Layer
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten


def describe(case: Case, prefix: str = "") -> NetworkText:
    """The whole network as text.

    Args:
        case: network, numbers, drive, learning.
        prefix: of every object's name, where several networks share one run.

    Raises:
        UserError: a neuron, connection, transform or rule that has no lowering; the error names it.
    """
    populations, connections = [], []
    stimulus = case.stimulus()
    if stimulus is not None:
        populations.append(_input_population(case, stimulus, prefix))
    for index, layer in enumerate(case.network.layers):
        entries = _entries(case, layer)
        texts = _LayerTexts(case, index, layer, entries)
        populations.append(texts.population(prefix))
        connections += [texts.connection(entry, prefix) for entry in entries]
    return NetworkText(tuple(populations), tuple(connections), case.samples, len(case.network.layers))


def _entries(case: Case, layer: Layer) -> tuple[Input, ...]:
    """The inputs that carry something in this run."""
    return tuple(
        entry
        for entry in layer.inputs
        if entry.connection.recurrent or entry.source != NETWORK_INPUT or case.spikes is not None
    )


def _input_population(case: Case, stimulus: np.ndarray, prefix: str) -> PopulationText:
    traced = _decay(case) is not None
    codes = (Code((f"x = {_decay(case)!r}*x + S",), "traces"),) if traced else ()
    return PopulationText(
        f"{prefix}input", stimulus.shape[-1], ("x",) if traced else (), codes, "input_fires", tables={"S": stimulus}
    )


def _decay(case: Case) -> float | None:
    return None if case.learning is None else case.learning.rule.trace_decay


class _LayerTexts:
    """Texts of one layer in one case."""

    def __init__(self, case: Case, index: int, layer: Layer, entries: tuple[Input, ...]) -> None:
        self.case, self.index, self.layer, self.entries = case, index, layer, entries
        self.neuron = layer.neuron.brian2()
        self.loops = any(entry.connection.recurrent for entry in entries)
        self.fed = any(not entry.connection.recurrent for entry in entries)
        self.norm = self._norm()
        self.decay = _decay(case)
        self.lowered = {p: self._lower(p) for p in self._plasticities()}

    def _norm(self) -> LayerNorm | None:
        if self.layer.normalisation is None or not self.fed:
            return None
        if self.layer.name not in self.case.normalisation:
            raise UserError(
                f"layer '{self.layer.name}' is normalised, and its running statistics are missing. "
                f"Pass them as `normalisation`, or build the network with norm='none'"
            )
        if self.case.learning is not None and self.layer.normalisation.reads_batch:
            raise UserError(
                f"layer '{self.layer.name}' learns with statistics of its batch, which samples that run as "
                f"populations of their own do not share. Use --norm streaming or --norm none"
            )
        return self.case.normalisation[self.layer.name]

    def _plasticities(self) -> tuple[Plasticity, ...]:
        learning = self.case.learning
        if learning is None:
            return ()
        texts = [p for p in learning.rule.plasticity if (p.role, p.phase) == (self.layer.role, learning.phase)]
        reads_m = any("m_post" in learning.rule.equation(p).reads for p in texts)
        if reads_m and self.layer.name not in learning.m:
            return ()
        # A bias stands behind the weights' current: where none comes, it takes no part, and learns nothing.
        own = [p for p in texts if p.parameter == "w" or self._own(p) in self.case.parameters]
        return tuple(p for p in own if p.parameter != "b" or self.fed)

    def _own(self, plasticity: Plasticity) -> str:
        return f"{self.layer.name}.{plasticity.parameter}"

    def _place(self, parameter: str, entry: Input | None = None) -> Place:
        """Where a text acts: at one of the layer's inputs, or at its neurons."""
        late = entry is not None and entry.connection.recurrent
        return Place(self.neuron.surrogate, self.norm is not None, late, self._mean(entry) is not None, parameter)

    def _mean(self, entry: Input | None) -> np.ndarray | None:
        """Running mean that is taken away from an input, (I,)."""
        return None if entry is None or self.norm is None else self.norm.input_means.get(entry.name)

    def _lower(self, plasticity: Plasticity, entry: Input | None = None) -> Lowered:
        assert self.case.learning is not None
        lower = lower_synaptic if plasticity.parameter == "w" else lower_neuronal
        return lower(self.case.learning.rule.equation(plasticity), self._place(plasticity.parameter, entry))

    def population(self, prefix: str) -> PopulationText:
        """The layer's neurons."""
        size = prod(self.layer.shape)
        neuronal = {p: text for p, text in self.lowered.items() if p.parameter != "w"}
        changes = dict.fromkeys(f"{p.parameter}_change" for p in neuronal)
        eligible = any(text.reads("dv_dI") for text in neuronal.values())
        variables = ["S", "v", "u", "I", "I_in"]
        variables += ["I_loop"] if self.loops else []
        variables += ["S_late"] if self._remembers() else []
        variables += ["I_hat"] if self.norm else []
        variables += ["x", "x_late"] if self.decay is not None else []
        variables += ["dv_dI"] if eligible else []
        before = ("S_late = S",) if self._remembers() else ()
        codes = [Code((*before, *self._current(), *self.neuron.step), f"step_{self.index}")]
        if self.decay is not None:
            codes.append(Code(("x_late = x", f"x = {self.decay!r}*x + S"), "traces"))
        if eligible:
            codes.append(Code((f"dv_dI = {self._gate('')}*dv_dI + 1.0",), "traces"))
        lines = tuple(line for text in neuronal.values() for line in text.every_step + text.on_post)
        codes += [Code(lines, "learn")] if lines else []
        tables = {}
        if self.case.learning is not None and self.layer.name in self.case.learning.m:
            tables["m"] = as_table(self.case.learning.m[self.layer.name], size, len(self.layer.shape))
        return PopulationText(
            f"{prefix}{self.layer.name}",
            size,
            (*variables, *changes),
            tuple(codes),
            self._fires(),
            self._numbers(),
            tables,
        )

    def _current(self) -> list[str]:
        """The current of the step, and empty accumulators for the next; terms in the order of the torch path.

        No statement copies a variable that a later one changes by `a = a + b`: Brian2's numpy target makes that
        `a += b`, which would reach the copy as well.
        """
        lines = ["I_in = I_in - I_mean"] if self.norm and self.norm.mean_current is not None else []
        lines += ["I_in = I_in + I_beside"] if self._offset() is not None else []
        lines += ["I_hat = (I_in - centre)*gain"] if self.norm else []
        sums = ["I_hat" if self.norm else "I_in"]
        sums += ["injected"] if self._injects() else []
        sums += ["b"] if self.fed else []
        sums += ["I_loop*gain" if self.norm else "I_loop"] if self.loops else []
        lines += [f"I = {' + '.join(sums[:2])}", *(f"I = I + {term}" for term in sums[2:])]
        return [*lines, *(["I_loop = 0"] if self.loops else []), "I_in = 0"]

    def _remembers(self) -> bool:
        """Whether the spikes of the step before are read."""
        return self.loops or any(text.reads("dv_dw") or text.reads("dv_dI") for text in self.lowered.values())

    def _offset(self) -> np.ndarray | None:
        """Current (B, N) of the case's constant offset through the first connection."""
        if self.index > 0 or self.case.offset is None:
            return None
        weights = self.case.parameters[self.layer.weight(self.layer.inputs[0])]
        return self.case.offset.reshape(self.case.samples, -1).astype(np.float64) @ weights.T.astype(np.float64)

    def _injects(self) -> bool:
        return self.index == 0 and self.case.injected is not None

    def _numbers(self) -> dict[str, float | np.ndarray]:
        numbers = dict(self.neuron.numbers)
        if self.fed:
            numbers["b"] = np.asarray(self.case.parameters[self.layer.bias], dtype=np.float64).reshape(-1)
        offset = self._offset()
        if offset is not None:
            numbers["I_beside"] = offset
        if self._injects():
            assert self.case.injected is not None
            numbers["injected"] = np.asarray(self.case.injected, dtype=np.float64).reshape(self.case.samples, -1)
        if self.norm is not None:
            numbers |= {"centre": self.norm.centre, "gain": self.norm.gain}
            numbers |= {} if self.norm.mean_current is None else {"I_mean": self.norm.mean_current}
            nothing = (np.zeros_like(self.norm.gain),) * 2
            for plasticity, text in self.lowered.items():
                for group in range(len(text.on_pre + text.on_post + text.every_step)):
                    place = self._place(plasticity.parameter)
                    pair = self.norm.updates.get(f"{plasticity.parameter}.{group}", nothing)
                    names = [place.statistic(quantity, group) for quantity in ("d_mean", "d_product")]
                    numbers |= {name: value for name, value in zip(names, pair, strict=True) if text.reads(name)}
        return numbers

    def _fires(self) -> str | None:
        heard = any(entry.source == self.index for layer in self.case.network.layers for entry in layer.inputs)
        at_post = any(text.on_post for p, text in self.lowered.items() if p.parameter == "w")
        return f"fire_{self.index}" if heard or at_post or self.layer.neuron.spiking else None

    def _gate(self, suffix: str) -> str:
        """d v[t] / d v[t-1] with the reset held fixed."""
        dynamics = self.layer.neuron.dynamics()
        assert dynamics is not None, "a neuron with a Brian2 text is a leaky integrator"
        return f"beta{suffix}*(1.0 - S_late{suffix})" if dynamics.reset == "zero" else f"beta{suffix}"

    def connection(self, entry: Input, prefix: str) -> ConnectionText:
        """One of the layer's inputs."""
        _check(self.layer, entry, self.case.learning is not None)
        rule = Lowered()
        for plasticity in self.lowered:
            if plasticity.parameter == "w":
                rule += self._lower(plasticity, entry)
        slot, waits = ("loop", "I_loop") if entry.connection.recurrent else ("arrive", "I_in")
        pathways = [Pathway("deliver", "pre", (f"{waits}_post += w*S_pre",), f"{slot}_{self.index}")]
        pathways += [Pathway("learn_pre", "pre", rule.on_pre, "learn")] if rule.on_pre else []
        pathways += [Pathway("learn_post", "post", rule.on_post, "learn", 1)] if rule.on_post else []
        codes = []
        if rule.reads("dv_dw"):
            arriving = self._place("w", entry).arriving
            codes.append(Code((f"dv_dw = {self._gate('_post')}*dv_dw + {arriving}",), "traces", 1))
        codes += [Code(rule.every_step, "learn", 2)] if rule.every_step else []
        variables = (["w_change"] if rule != Lowered() else []) + (["dv_dw"] if rule.reads("dv_dw") else [])
        mean = self._mean(entry)
        numbers = {"mean_in": mean.reshape(-1)} if mean is not None and rule != Lowered() else {}
        source = "input" if entry.source == NETWORK_INPUT else self.case.network.layers[entry.source].name
        weights = np.asarray(self.case.parameters[self.layer.weight(entry)], dtype=np.float64)
        return ConnectionText(
            f"{prefix}{self.layer.name}_{entry.name}", prefix + source, prefix + self.layer.name,
            self.layer.weight(entry), weights, tuple(variables), tuple(pathways), tuple(codes), numbers,
        )  # fmt: skip


def _check(layer: Layer, entry: Input, learning: bool) -> None:
    where = f"connection '{entry.name}' of layer '{layer.name}'"
    if not isinstance(entry.connection, Matrix):
        raise UserError(
            f"{where} is a {type(entry.connection).__name__}; the Brian2 path runs dense and recurrent connections. "
            f"Use --path torch, or a net of dense layers"
        )
    for transform in entry.transforms:
        if isinstance(transform, Dropout) and not learning:
            continue
        if not isinstance(transform, Flatten):
            raise UserError(
                f"{where} reads its source through {type(transform).__name__}, which the Brian2 path does not run"
                f"{' while it learns' if isinstance(transform, Dropout) else ''}. Use --path torch"
            )
