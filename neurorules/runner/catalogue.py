"""The catalogue of each kind of part, for people and programs: names, one-line summaries, options and needs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from neurorules.connections import CONNECTIONS
from neurorules.contracts.device import DEVICES
from neurorules.datasets import DATASETS
from neurorules.encoders import ENCODERS
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.language.own_files import is_path
from neurorules.language.registry import Registry
from neurorules.language.rules import Rule
from neurorules.neurons import NEURONS
from neurorules.normalisations import NORMALISATIONS
from neurorules.rules import RULES
from neurorules.signals import SIGNALS
from neurorules.surrogates import SURROGATES
from neurorules.traces.exporters import exporters
from neurorules.traces.plots import PLOTS

KINDS: dict[str, Registry] = {
    "rules": RULES,
    "signals": SIGNALS,
    "neurons": NEURONS,
    "connections": CONNECTIONS,
    "normalisations": NORMALISATIONS,
    "encoders": ENCODERS,
    "datasets": DATASETS,
    "hardware": DEVICES,
    "exporters": exporters,
    "plots": PLOTS,
}


def catalogue(kind: str) -> list[dict[str, str]]:
    """List the parts of one kind.

    Returns:
        One row per part: name, what it is, options, and what its kind says beside.

    Raises:
        UserError: there is no such kind; the nearest one is offered.
    """
    if kind == "surrogates":
        return [
            {"name": name, "what it is": (surrogate.__doc__ or "").strip(), "options": _options(surrogate)}
            for name, surrogate in SURROGATES.items()
        ]
    if kind not in KINDS:
        raise unknown("kind", kind, [*KINDS, "surrogates"])
    registry = KINDS[kind]
    return [_row_or_refusal(kind, registry, name) for name in registry.names()]


def _row_or_refusal(kind: str, registry: Registry, name: str) -> dict[str, str]:
    """The row of one part; of a user's file that cannot be run, it says why, so that the others are listed."""
    try:
        return _row(kind, registry, name)
    except UserError as refusal:
        if not is_path(registry.place(name)):
            raise
        unknown_words = ("options", "signal", "needs", "paths", "learns in", "timing")
        return {"name": name, "what it is": str(refusal), **dict.fromkeys(unknown_words, "-")}


def _row(kind: str, registry: Registry, name: str) -> dict[str, str]:
    """The row of one part of a registry."""
    factory = registry.factory(name)
    row = {"name": name, "what it is": registry.summary(name), "options": _options(factory)}
    if kind == "rules":
        row |= _facts(registry.make(name))
    if kind == "signals":
        signal = factory()
        row["needs"] = ", ".join(sorted(signal.needs))
        row["timing"] = "with the output error" if signal.timing == "error" else f"at the {signal.timing}'s end"
    return row


def _facts(rule: Rule) -> dict[str, str]:
    """The signal of a rule, what it needs, and where the rule learns."""
    signal = None if rule.signal is None else rule.signal.make()
    return {
        "signal": "-" if rule.signal is None else rule.signal.name,
        "needs": ", ".join(sorted(signal.needs)) if signal else "nothing",
        "paths": ", ".join(paths_of(rule)),
        "learns in": ", ".join(machines_of(rule)),
    }


def paths_of(rule: Rule) -> list[str]:
    """The values of `--path` with which `train` learns by a rule: torch, and continuous where it has a circuit."""
    from neurorules.brian2_continuous.checks import plan_of
    from neurorules.brian2_continuous.circuits import CIRCUITS

    if rule.name in CIRCUITS.modules:  # also where this form of the rule has none
        return ["torch", "continuous"]
    try:
        plan_of(rule)
    except UserError:
        return ["torch"]
    return ["torch", "continuous"]


def machines_of(rule: Rule) -> list[str]:
    """List the machines on which a rule can learn, each with the command that does it."""
    from neurorules.brian2_steps.lowering import can_lower

    commands = {
        "torch": "torch (train)",
        "continuous": "Brian2 in continuous time (train --path continuous)",
    }
    steps = ["Brian2 step by step, beside torch (simulate --learn)"] if can_lower(rule) else []
    first, *others = [commands[path] for path in paths_of(rule)]
    return [first, *steps, *others]


def _options(factory: Any, chosen: Mapping[str, Any] | None = None) -> str:
    """The options of a part in one line, with their defaults or the values that are chosen."""
    parameters = inspect.signature(factory).parameters.values()
    values = {p.name: p.default for p in parameters if p.default is not p.empty and not p.name.startswith("_")}
    return ", ".join(f"{name}={value}" for name, value in {**values, **(chosen or {})}.items()) or "-"


def citation(text: str) -> dict[str, Any]:
    """The source, deviations and equations of a rule with its options, what it needs, and where it learns.

    Raises:
        UserError: the rule or an option is unknown.
    """
    rule: Rule = RULES.make(text)
    if not isinstance(rule, Rule):
        raise UserError(f"'{text}' is not a rule. The rules are listed by: neurorules list rules")
    equations = [asdict(plasticity) for plasticity in rule.plasticity]
    record = {
        "rule": rule.name,
        **asdict(rule.source),
        "signal": None if rule.signal is None else str(rule.signal),
        "equations": equations,
    }
    record["declarations"] = rule.declarations
    name, options = parse_named(text)
    factory = RULES.factory(name)
    facts = _facts(rule)
    record["options"] = _options(factory, convert_options(f"rule '{name}'", factory, options))
    record |= {"needs": facts["needs"], "learns_in": facts["learns in"]}
    return {**record, "continuous": continuous_equations(rule)}


def continuous_equations(rule: Rule, net: str = "16", inputs: int = 64, classes: int = 10) -> str | None:
    """The equations by which a rule learns in continuous time, for a small net.

    Args:
        rule: whose equations they are.
        net: text of the net's hidden layers.
        inputs: number of inputs.
        classes: number of classes.

    Returns:
        The equations as text; None where the rule has none.
    """
    from neurorules.brian2_continuous.checks import plan_of
    from neurorules.brian2_continuous.parts.layers import Net, hidden_sizes
    from neurorules.brian2_continuous.parts.neurons import NEURONS

    try:
        plan = plan_of(rule)
        circuit = plan.make(
            Net(inputs, hidden_sizes(net), classes, NEURONS[plan.neuron](), 1),
            rule,
            plan.numbers(),
            np.random.default_rng(0),
        )
    except UserError:  # a form of the rule that has none
        return None
    return str(circuit.show())
