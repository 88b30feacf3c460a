"""The audit in a fresh process: nothing in the caller's can hide what a signal reads, or be read by it.

`measured` asks; the process it starts measures each settings in a copy of itself, and answers in JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch

from neurorules.audit.apart import apart
from neurorules.audit.dependence import entries_of
from neurorules.audit.facts import facts_of
from neurorules.audit.memory import peak_bytes
from neurorules.audit.needs import needs_of, needs_over_time
from neurorules.audit.over_time import check_schedule, learner_of, over_time
from neurorules.audit.rig import built, differ, run
from neurorules.audit.settings import Settings
from neurorules.connections import CONNECTIONS
from neurorules.language.errors import UserError
from neurorules.language.registry import Registry
from neurorules.neurons import NEURONS
from neurorules.normalisations import NORMALISATIONS
from neurorules.rules import RULES
from neurorules.signals import SIGNALS
from neurorules.torch_path.training.report import needs_of as needs_of_learner

REGISTRIES: dict[str, Registry] = {
    registry.kind: registry for registry in (RULES, SIGNALS, NEURONS, CONNECTIONS, NORMALISATIONS)
}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""A process of several threads cannot be copied safely."""
_known: dict[str, dict[str, Any]] = {}
"""What this process has asked before, by the question: a comparison asks for the same rules again and again."""


def measured(asked: Sequence[Settings]) -> list[dict[str, Any]]:
    """What was found of each settings, in order: entries, later, facts; or `refused`, a line."""
    modules = {kind: registry.modules for kind, registry in REGISTRIES.items()}
    keys = [json.dumps([asdict(settings), modules], sort_keys=True) for settings in asked]
    new = {key: settings for key, settings in zip(keys, asked, strict=True) if key not in _known}
    if new:
        question = {"path": sys.path, "modules": modules, "asked": [asdict(settings) for settings in new.values()]}
        _known.update(zip(new, _asked(question), strict=True))
    return [_known[key] for key in keys]


def _asked(question: dict[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import answer; answer()"], input=json.dumps(question),
        capture_output=True, text=True, env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    if done.returncode != 0:
        raise UserError(f"the audit's process ended early: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def answer() -> None:
    """In the fresh process: read the question, measure, and print the answer as the last line."""
    torch.set_num_threads(1)
    peak_bytes(lambda: torch.zeros(1) + 1)  # what torch imports for it, the copies of this process then have
    question = json.load(sys.stdin)
    for kind, modules in question["modules"].items():
        REGISTRIES[kind].modules.update(modules)
    found = [_measured(Settings(**asked)) for asked in question["asked"]]
    print()  # a signal may have printed without an end of line
    print(json.dumps(found), flush=True)


def _measured(settings: Settings) -> dict[str, Any]:
    try:
        return apart(partial(measure, settings))
    except UserError as refused:
        return {"refused": str(refused)}


def measure(settings: Settings) -> dict[str, Any]:
    """Everything that is measured of one settings, in this process."""
    rig = built(settings)
    check_schedule(settings)
    through = over_time(settings)
    forgets = not differ(run(rig).gradients, run(rig).gradients)
    entries = entries_of(rig)
    shown = {(e["update_of"], e["kind"], e["perturbed"]) for e in through.at_once if e["depends"]}
    entries = [{**e, "depends": e["depends"] or (e["update_of"], e["kind"], e["perturbed"]) in shown} for e in entries]
    facts = {**facts_of(rig, entries), "state_moves": through.state_moves, "hidden_memory": not forgets}
    needs = needs_of(rig, entries, facts) | needs_over_time(through, rig.rows)
    if "weight_sign" in needs:
        needs -= {"weight_transport"}
    declared = needs_of_learner(learner_of(settings))
    facts |= {"needs": sorted(needs), "declared_needs": sorted(declared)}
    return {"entries": entries, "later": through.later, "facts": facts}
