"""Write one layer of a network for Brian2: its neurons, the synapses that end there, and the changes that a rule makes.

`connection` writes the synapses of one afferent, a connection that brings input to the layer.
"""

from __future__ import annotations

from math import prod

import numpy as np

from neurorules.brian2_steps.case import Case, LayerNorm, Online, as_table
from neurorules.brian2_steps.expression_texts import LATE, Place
from neurorules.brian2_steps.history import registers
from neurorules.brian2_steps.lowering import Lowered, lower_neuronal, lower_synaptic
from neurorules.brian2_steps.model_text import Code, ConnectionText, Pathway, PopulationText
from neurorules.brian2_steps.surrogate_texts import psi_text
from neurorules.brian2_steps.trace_texts import moved_traces, starts
from neurorules.brian2_steps.transmission_texts import transmitted_text, transmitted_weights
from neurorules.brian2_steps.wiring import pools_of, wiring_of
from neurorules.language.equations import Equation
from neurorules.language.errors import UserError
from neurorules.language.rules import Plasticity
from neurorules.network.layer import NETWORK_INPUT, Input, Layer


class LayerTexts:
    """The equations of one layer in one case.

    Args:
        case: the network with its parameters, input and rule.
        index: place of the layer in the network, from 0.
        layer: the layer.
        afferents: the connections that bring input to it in this run.

    Raises:
        UserError: the layer's neuron or a connection cannot be written for Brian2, the running statistics of a
            normalised layer are missing, or the rule cannot learn there.
    """

    def __init__(self, case: Case, index: int, layer: Layer, afferents: tuple[Input, ...]) -> None:
        self.case, self.index, self.layer = case, index, layer
        self.neuron = layer.neuron.brian2()
        self.loops = any(afferent.connection.recurrent for afferent in afferents)
        self.fed = any(not afferent.connection.recurrent for afferent in afferents)
        self.norm = self._norm()
        self.online = None if case.learning is None else case.learning.online
        self.wiring = {afferent.name: wiring_of(layer, afferent) for afferent in afferents}
        self.equations = self._equations()
        self.lowered = {plasticity: self._lower(plasticity) for plasticity in self.equations}

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

    def _equations(self) -> dict[Plasticity, Equation]:
        """The texts by which this layer learns in this phase."""
        learning = self.case.learning
        if learning is None:
            return {}
        texts = [p for p in learning.rule.plasticity if (p.role, p.phase) == (self.layer.role, learning.phase)]
        texts = [p for p in texts if p.populations == "all" or len(self.layer.shape) == 1]
        reads_m = any("m_post" in learning.rule.equation(p).reads for p in texts)
        if reads_m and self.layer.name not in learning.m:
            return {}
        # A bias is added to the current that weights bring. Where no current arrives, it has no effect and does not
        # learn.
        own = [p for p in texts if p.parameter == "w" or self._own(p) in self.case.parameters]
        return {p: learning.rule.equation(p) for p in own if p.parameter != "b" or self.fed}

    def _own(self, plasticity: Plasticity) -> str:
        return f"{self.layer.name}.{plasticity.parameter}"

    def _place(self, plasticity: Plasticity, afferent: Input | None = None) -> Place:
        """The place at which a text acts: the synapses of one afferent, or the layer's neurons if there is none."""
        late = afferent is not None and afferent.connection.recurrent
        psi = self._psi("_post" if plasticity.parameter == "w" else "")
        return Place(
            self.neuron.surrogate, self.norm is not None, late, self._mean(afferent) is not None, plasticity.parameter,
            psi, plasticity.statistics,
        )  # fmt: skip

    def _psi(self, suffix: str) -> str | None:
        """psi as text, with {v} for the membrane, of a neuron whose psi is not that of its surrogate alone."""
        if self.neuron.surrogate is None or not self.neuron.rests:
            return self.neuron.slope
        return f"{psi_text(self.neuron.surrogate, f'({{v}} - v_threshold{suffix})')}*free{suffix}"

    def _mean(self, afferent: Input | None) -> np.ndarray | None:
        """The running mean (I,) that is subtracted from the spikes of an afferent; None for none."""
        return None if afferent is None or self.norm is None else self.norm.input_means.get(afferent.name)

    def _lower(self, plasticity: Plasticity, afferent: Input | None = None) -> Lowered:
        lower = lower_synaptic if plasticity.parameter == "w" else lower_neuronal
        return lower(self.equations[plasticity], self._place(plasticity, afferent))

    def population(self, prefix: str) -> PopulationText:
        """Write the population of the layer's neurons; whose name begins with `prefix`."""
        size = prod(self.layer.shape)
        neuronal = {p: text for p, text in self.lowered.items() if p.parameter != "w"}
        changes = dict.fromkeys(f"{p.parameter}_change" for p in neuronal)
        eligible = any(text.reads("dv_dI") for text in neuronal.values())
        variables = ["S", "v", "u", "I", "I_in", *self.neuron.state]
        variables += ["I_loop"] if self.loops else []
        variables += ["S_late"] if self._remembers() else []
        variables += ["I_hat"] if self.norm else []
        place = Place(self.neuron.surrogate, self.norm is not None, psi=self._psi(""))
        traced, moved = moved_traces(self.case, place, layer=True)
        variables += traced
        delayed, moves = registers(self.case, layer=True)
        variables += delayed
        variables += ["dv_dI"] if eligible else []
        variables += ["di_dI"] if eligible and self.neuron.current else []
        before = ("S_late = S",) if self._remembers() else ()
        codes = [*moves, Code((*before, *self._current(), *self.neuron.step), f"step_{self.index}")]
        codes += moved
        codes += [Code(self._eligible("dv_dI", "di_dI", "1.0", ""), "traces")] if eligible else []
        lines = tuple(line for text in neuronal.values() for line in text.every_step + text.on_post)
        codes += [Code(lines, "learn")] if lines else []
        learned = tuple(p.parameter for p in neuronal if p.parameter == "b") if self.online else ()
        codes += [Code(self._applied(self.online, "b"), "learn", 3)] if learned and self.online else []
        tables, scale = {}, self.case.scale
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
            (*learned, *starts(self.case, self.layer)),
            ("S", "v", *(learned if self.online and self.online.record else ())),
            # The current with units is the one that drives the membrane: the synaptic current, if the neuron has one.
            shown=(scale.voltage(), scale.current(self.neuron.current or "I", self.case.step_ms)),
        )

    def _applied(self, online: Online, parameter: str) -> tuple[str, ...]:
        """Statements that add the change of one step to the parameter, within the rule's bounds."""
        moved = f"{parameter} + {online.lr!r}*{parameter}_change"
        bounds = None if self.case.learning is None else self.case.learning.rule.bounds
        if bounds is not None and self.layer.role == "hidden":
            moved = f"clip({moved}, {bounds[0]!r}, {bounds[1]!r})"
        return f"{parameter} = {moved}", f"{parameter}_change = 0"

    def _current(self) -> list[str]:
        """Statements that compute the current of a step, in the order of torch, and clear the accumulators after it.

        No statement copies a variable that a later one changes by `a = a + b`, because Brian2's numpy target makes that
        `a += b`, which changes the copy too.
        """
        lines = ["I_in = I_in - I_mean"] if self.norm and self.norm.mean_current is not None else []
        lines += ["I_in = I_in + I_beside"] if self._offset() is not None else []
        lines += ["I_hat = (I_in - centre)*gain"] if self.norm else []
        sums = ["I_hat" if self.norm else "I_in"]
        sums += ["injected"] if self._injected() is not None else []
        sums += ["b"] if self.fed else []
        sums += ["I_loop*gain" if self.norm else "I_loop"] if self.loops else []
        lines += [f"I = {' + '.join(sums[:2])}", *(f"I = I + {term}" for term in sums[2:])]
        return [*lines, *(["I_loop = 0"] if self.loops else []), "I_in = 0"]

    def _remembers(self) -> bool:
        """Whether a statement reads the spikes of the previous step."""
        return self.loops or any(text.reads("dv_dw") or text.reads("dv_dI") for text in self.lowered.values())

    def _offset(self) -> np.ndarray | None:
        """The current (B, N) that the constant offset brings through the first connection; None in other layers,
        without an offset, and where weights change while the network runs."""
        if self.index > 0 or self.case.offset is None or self.online:
            return None
        afferent = self.layer.inputs[0]
        if pools_of(self.layer, afferent, learning=False):
            raise UserError(
                f"an offset beside the input of layer '{self.layer.name}' would pass a pool, which the Brian2 path "
                f"does not run. Use a run whose first layer reads no pool"
            )
        rows = self.case.offset.reshape(self.case.samples, -1).astype(np.float64)
        sent = transmitted_weights(self.case, self.layer, self._weights(afferent))
        return self.wiring[afferent.name].product(sent, rows, prod(self.layer.shape))

    def _weights(self, afferent: Input) -> np.ndarray:
        """The weight of each synapse of an afferent, (n,)."""
        values = np.asarray(self.case.parameters[self.layer.weight_name(afferent)], dtype=np.float64)
        return values.reshape(-1)[self.wiring[afferent.name].element]

    def _injected(self) -> np.ndarray | None:
        """The current (B, N) that is injected into this layer; None for none."""
        return self.case.injected if self.index == 0 else None

    def _numbers(self) -> dict[str, float | np.ndarray]:
        numbers = {**self.neuron.numbers, **starts(self.case, self.layer)}
        if self.fed:
            bias = np.asarray(self.case.parameters[self.layer.bias_name], dtype=np.float64)
            numbers["b"] = np.broadcast_to(bias, self.layer.shape).reshape(-1)
        offset = self._offset()
        if offset is not None:
            numbers["I_beside"] = offset
        injected = self._injected()
        if injected is not None:
            numbers["injected"] = np.asarray(injected, dtype=np.float64).reshape(self.case.samples, -1)
        if self.norm is not None:
            numbers |= {"centre": self.norm.centre, "gain": self.norm.gain}
            numbers |= {} if self.norm.mean_current is None else {"I_mean": self.norm.mean_current}
            nothing = (np.zeros_like(self.norm.gain),) * 2
            for plasticity, text in self.lowered.items():
                for group in range(len(text.on_pre + text.on_post + text.every_step)):
                    place = self._place(plasticity)
                    pair = self.norm.updates.get(f"{plasticity.parameter}.{group}", nothing)
                    names = [place.statistic(quantity, group) for quantity in ("d_mean", "d_product")]
                    numbers |= {name: value for name, value in zip(names, pair, strict=True) if text.reads(name)}
        return numbers

    def _fires(self) -> str | None:
        """The slot in which the layer sends its spikes; None if nothing reads them."""
        has_reader = any(a.source == self.index for layer in self.case.network.layers for a in layer.inputs)
        at_post = any(text.on_post for p, text in self.lowered.items() if p.parameter == "w")
        return f"fire_{self.index}" if has_reader or at_post or self.layer.neuron.spiking else None

    def _eligible(self, name: str, current: str, arriving: str, suffix: str) -> tuple[str, ...]:
        """Statements that advance the exact eligibility by one step, with resets taken as constants.

        `name` is the derivative of the membrane v, `current` that of the synaptic current, and `arriving` the increment
        of both in the step. `suffix` ends the variables of the neuron.
        """
        if "keep" in self.neuron.state:
            lines = []
            if self.neuron.current is not None:
                lines = [f"{current} = alpha{suffix}*{current} + {arriving}"]
                arriving = current
            return (*lines, f"{name} = keep{suffix}*{name} + admit{suffix}*{arriving}")
        dynamics = self.layer.neuron.dynamics()
        if dynamics is None:
            return (f"{name} = 1.0*{arriving}",)
        gate = f"beta{suffix}*(1.0 - S_late{suffix})" if dynamics.reset == "zero" else f"beta{suffix}"
        return (f"{name} = {gate}*{name} + {arriving}",)

    def _charge(self) -> str:
        """The charge of one spike, in thresholds: a synaptic current also flows in the steps after the spike's."""
        sent = transmitted_text(self.case, self.layer)
        return sent if self.neuron.current is None else f"{sent}/(1.0 - alpha_post)"

    def connection(self, afferent: Input, source: str, prefix: str) -> ConnectionText:
        """Write the synapses of one afferent.

        Args:
            afferent: one of the layer's inputs.
            source: name of the Brian2 population whose spikes it transmits, such as a pool's.
            prefix: the beginning of the names of this case's objects.

        Returns:
            The synapses, with the statements by which the rule changes their weights.

        Raises:
            UserError: a text of the rule reads what synapses do not carry.
        """
        rule = Lowered()
        for plasticity in self.lowered:
            if plasticity.parameter == "w":
                rule += self._lower(plasticity, afferent)
        slot, sums = ("loop", "I_loop") if afferent.connection.recurrent else (f"arrive_{self.index}", "I_in")
        sent = transmitted_text(self.case, self.layer)
        pathways = [Pathway("deliver", "pre", (f"{sums}_post += {sent}*S_pre",), slot)]
        pathways += [Pathway("learn_pre", "pre", rule.on_pre, "learn")] if rule.on_pre else []
        pathways += [Pathway("learn_post", "post", rule.on_post, "learn", 1)] if rule.on_post else []
        codes = []
        if afferent.source == NETWORK_INPUT and self.case.offset is not None and self.online:
            # Weights change while the network runs, so that each step computes the offset's current again.
            codes.append(Code((f"I_in_post += {sent}*aside_pre",), slot, 1))
        if rule.reads("dv_dw"):
            arriving = self._place(next(p for p in self.lowered if p.parameter == "w"), afferent).arriving
            codes.append(Code(self._eligible("dv_dw", "di_dw", arriving, "_post"), "traces", 1))
        # Values of the previous step are copied before any variable changes.
        moved = sorted(rule.traces, key=lambda variable: not variable.endswith(LATE))
        codes += [Code(tuple(rule.traces[variable] for variable in moved), "traces", 1)] if moved else []
        codes += [Code(rule.every_step, "learn", 2)] if rule.every_step else []
        learns = rule != Lowered()
        codes += [Code(self._applied(self.online, "w"), "learn", 3)] if learns and self.online else []
        variables = (["w_change"] if learns else []) + (["dv_dw"] if rule.reads("dv_dw") else [])
        variables += ["di_dw"] if rule.reads("dv_dw") and self.neuron.current else []
        variables += rule.traces
        mean = self._mean(afferent)
        numbers = {"mean_in": mean.reshape(-1)} if mean is not None and learns else {}
        return ConnectionText(
            f"{prefix}{self.layer.name}_{afferent.name}", source, prefix + self.layer.name,
            self.layer.weight_name(afferent), self._weights(afferent), self.wiring[afferent.name], tuple(variables),
            tuple(pathways), tuple(codes), numbers,
            ("w",) if learns and self.online and self.online.record else (), (self.case.scale.charge(self._charge()),),
        )  # fmt: skip
