"""The audit in a new process, in which nothing from the caller's process can affect the measurement.

`measure_all` starts the process and asks it. The process measures each of the settings in a copy of itself, and answers
in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch

from neurorules.audit.apart import apart
from neurorules.audit.arms import learner_of
from neurorules.audit.dependence import entries_of
from neurorules.audit.facts import facts_of
from neurorules.audit.fresh_process import MODULES, ask, give, modules_of, read_question
from neurorules.audit.memory import peak_bytes
from neurorules.audit.needs import needs_of, needs_over_time
from neurorules.audit.over_time import check_schedule, over_time
from neurorules.audit.rig import differ, rig_of, run
from neurorules.audit.settings import Settings
from neurorules.connections import CONNECTIONS
from neurorules.connections._products import only_dense
from neurorules.language.errors import UserError
from neurorules.language.own_file import digest_of
from neurorules.language.own_files import listed
from neurorules.language.registry import Registry
from neurorules.neurons import NEURONS
from neurorules.normalisations import NORMALISATIONS
from neurorules.rules import RULES
from neurorules.signals import SIGNALS
from neurorules.torch_path.forward.summed import only_steps
from neurorules.torch_path.training.report import needs_of as needs_of_learner

REGISTRIES: dict[str, Registry] = {
    registry.kind: registry for registry in (RULES, SIGNALS, NEURONS, CONNECTIONS, NORMALISATIONS)
}
_answers: dict[str, dict[str, Any]] = {}
"""A cache of answers by question, because a comparison asks for the same rules repeatedly."""


def measure_all(every_settings: Sequence[Settings]) -> list[dict[str, Any]]:
    """Audit several settings, each in a process of its own.

    Returns:
        The answers in the same order, each with entries, later and facts, or with `refused`, the reason why it could
        not be audited.

    Raises:
        UserError: the new process ended early.
    """
    modules = modules_of(REGISTRIES)
    files = {str(path): digest_of(path) for path in listed().values()}
    keys = [json.dumps([asdict(settings), modules, files], sort_keys=True) for settings in every_settings]
    new = {key: settings for key, settings in zip(keys, every_settings, strict=True) if key not in _answers}
    if new:
        question = {MODULES: modules, "asked": [asdict(settings) for settings in new.values()]}
        answers = ask(__name__, question, "the audit's process ended early")
        _answers.update(zip(new, answers, strict=True))
    return [_answers[key] for key in keys]


def answer() -> None:
    """In the new process: read the question, measure, and print the answer as the last line."""
    torch.set_num_threads(1)
    only_dense()
    only_steps()
    peak_bytes(lambda: torch.zeros(1) + 1)  # imports modules of torch before copies are made
    question = read_question(REGISTRIES)
    give([_measure_apart(Settings(**values)) for values in question["asked"]])


def _measure_apart(settings: Settings) -> dict[str, Any]:
    """Run `measure` in a copy of this process; if that fails, return `refused` with the reason."""
    try:
        return apart(partial(measure, settings))
    except UserError as refused:
        return {"refused": str(refused)}


def measure(settings: Settings) -> dict[str, Any]:
    """Audit one set of settings in this process: measure entries, later and facts."""
    rig = rig_of(settings)
    check_schedule(settings)
    through = over_time(settings)
    forgets = not differ(run(rig).gradients, run(rig).gradients)
    entries = entries_of(rig)
    changed = {(e["update_of"], e["kind"], e["perturbed"]) for e in through.at_once if e["depends"]}
    entries = [
        {**e, "depends": e["depends"] or (e["update_of"], e["kind"], e["perturbed"]) in changed} for e in entries
    ]
    facts = {
        **facts_of(rig, entries),
        "state_moves": through.state_moves,
        "state_stays": through.state_stays,
        "hidden_memory": not forgets,
    }
    needs = needs_of(rig, entries, facts) | needs_over_time(through, rig.rows)
    if "weight_sign" in needs:
        needs -= {"weight_transport"}
    declared = needs_of_learner(learner_of(settings))
    facts |= {"needs": sorted(needs), "declared_needs": sorted(declared)}
    return {"entries": entries, "later": through.later, "facts": facts}
