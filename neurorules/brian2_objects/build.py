"""Building the Brian2 objects of a model."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from neurorules.brian2_objects.exact import integrator
from neurorules.brian2_objects.specs import GroupSpec, ModelSpec, MonitorSpec, RegularSpec, SynapsesSpec


@dataclass(frozen=True)
class Objects:
    """The Brian2 objects of a model.

    Args:
        network: the `brian2.Network` of all groups, synapses and monitors.
        parts: `NeuronGroup`s and `Synapses` by name.
        tables: `TimedArray`s by name.
        monitors: `StateMonitor`s and `SpikeMonitor`s by name.
    """

    network: Any
    parts: dict[str, Any]
    tables: dict[str, Any]
    monitors: dict[str, Any]


def build(brian2: ModuleType, model: ModelSpec) -> Objects:
    """Build the Brian2 objects of a model on the active device.

    Args:
        brian2: the package.
        model: the objects as data.

    Returns:
        The objects, with all initial values set.
    """
    return _Builder(brian2, model).build()


class _Builder:
    def __init__(self, brian2: ModuleType, model: ModelSpec) -> None:
        self.brian2, self.model = brian2, model
        if model.seed is not None:
            brian2.seed(model.seed)
        self.clocks = {
            key: brian2.Clock(one.dt_ms * brian2.ms, **({} if one.name is None else {"name": one.name}))
            for key, one in model.clocks.items()
        }
        self.tables = {
            one.name: brian2.TimedArray(one.values, dt=one.dt_ms * brian2.ms, name=one.name) for one in model.tables
        }

    def build(self) -> Objects:
        parts = {group.name: self._group(group) for group in self.model.groups}
        parts |= {one.name: self._synapses(one, parts) for one in self.model.synapses}
        monitors = {one.name: self._monitor(one, parts[one.source]) for one in self.model.monitors}
        network = self.brian2.Network(*parts.values(), *monitors.values())
        for part in network.objects:
            # A user's own `brian2.run()` collects the objects in the user's variables, and has other slots.
            part.add_to_magic_network = False
        network.schedule = list(self.model.schedule)
        return Objects(network, parts, self.tables, monitors)

    def _method(self, spec: GroupSpec | SynapsesSpec) -> dict[str, Any]:
        """The method by which the equations are integrated, as Brian2's argument; none for its default."""
        if spec.method is None:
            return {}
        return {"method": integrator(spec.method, self.model.clocks[spec.clock].dt_ms)}

    def _namespace(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {self.model.table(name).symbol: self.tables[name] for name in names}

    def _group(self, spec: GroupSpec) -> Any:
        events: dict[str, Any] = {}
        if spec.threshold is not None:
            events = {"threshold": spec.threshold, "reset": "\n".join(spec.reset)}
        if spec.refractory_ms:
            events["refractory"] = spec.refractory_ms * self.brian2.ms
        if spec.refractory_while is not None:
            events["refractory"] = spec.refractory_while
        group = self.brian2.NeuronGroup(
            spec.size, "\n".join(spec.equations), namespace=self._namespace(spec.tables), clock=self.clocks[spec.clock],
            name=spec.name, **self._method(spec), **events,
        )  # fmt: skip
        if spec.spikes_in is not None:
            group.set_event_schedule("spike", when=spec.spikes_in)
        self._finish(group, spec)
        return group

    def _synapses(self, spec: SynapsesSpec, parts: dict[str, Any]) -> Any:
        events = {
            event: {one.name: "\n".join(one.lines) for one in spec.pathways if one.event == event} or None
            for event in ("pre", "post")
        }
        late = [one.name for one in spec.pathways if one.event == "pre"] if spec.delay_ms else []
        delays = {"delay": dict.fromkeys(late, spec.delay_ms * self.brian2.ms)} if late else {}
        synapses = self.brian2.Synapses(
            parts[spec.source], parts[spec.target], "\n".join(spec.equations), on_pre=events["pre"],
            on_post=events["post"], namespace=self._namespace(spec.tables), clock=self.clocks[spec.clock],
            name=spec.name, **self._method(spec), **delays,
        )  # fmt: skip
        for one in spec.pathways:
            if one.when is not None:
                pathway = getattr(synapses, one.name)
                pathway.when, pathway.order = one.when, one.order
        for total in spec.sums:
            updater = synapses.summed_updaters[total.variable]
            updater.when, updater.order = total.when, total.order
            updater._clock = self.clocks[total.clock]
        if spec.pairs is None:
            synapses.connect()
        else:
            synapses.connect(i=spec.pairs[0], j=spec.pairs[1])
        self._finish(synapses, spec)
        return synapses

    def _finish(self, part: Any, spec: GroupSpec | SynapsesSpec) -> None:
        """Set initial values, and add what runs at regular intervals."""
        for name, value in spec.values.items():
            # The first is a time that Brian2 moves itself, and the second has the name of a property of a group.
            if name in ("lastspike", "spikes"):
                part.variables[name].set_value(value)
            else:
                setattr(part, name, value)
        for one in spec.regular:
            part.run_regularly("\n".join(one.lines), when=one.when, order=one.order, name=one.name, **self._pace(one))

    def _pace(self, one: RegularSpec) -> dict[str, Any]:
        clock = self.clocks[one.clock]
        return {"clock": clock} if one.every == 1 else {"dt": one.every * clock.dt}

    def _monitor(self, spec: MonitorSpec, source: Any) -> Any:
        if not spec.variables:
            return self.brian2.SpikeMonitor(source, name=spec.name)
        return self.brian2.StateMonitor(
            source, list(spec.variables), record=True, clock=self.clocks[spec.clock], when=spec.when, order=spec.order,
            name=spec.name,
        )  # fmt: skip
