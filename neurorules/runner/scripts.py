"""Write a rule, or a run, as a script of Brian2 that stands alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from neurorules.brian2_objects.script import Script, check_script, save, write
from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.ordinary import script_of_ordinary
from neurorules.brian2_steps.scale import SCALE, STEP_MS, Scale, scale_from
from neurorules.brian2_steps.script import Change, script_of_network, script_of_updates
from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.parameter_key import key_of
from neurorules.language.config import TrainConfig, config_from, in_todays_words
from neurorules.language.errors import UserError
from neurorules.language.own_files import standing_for
from neurorules.language.unused import refuse_unused
from neurorules.language.version import own_version
from neurorules.rules import RULES
from neurorules.runner.catalogue import citation, paths_of
from neurorules.runner.side_by_side import Update
from neurorules.runner.simulate_learning import simulate_learning
from neurorules.runner.trained_case import trained_case
from neurorules.runs.folder import RunFolder
from neurorules.runs.own_copies import files_of
from neurorules.torch_path.training.batches import load_data
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.restore import restore

SAMPLES = 10
"""Number of samples of a script of which nobody says how many it has."""
EXAMPLE = {"data": "digits", "net": "16", "epochs": 1, "limit": 100, "validation": 0}
"""What the script of a rule learns: so many of the digits, which come with scikit-learn, with a small net."""


def script_of_rule(rule: str, path: Path, neuron: str | None = None, force: bool = False) -> dict[str, Any]:
    """Write how a rule learns some of the digits as a script of Brian2, in continuous time.

    Args:
        rule: with its options.
        path: the path of the script; arrays go beside it into a file of that name with the ending .npz.
        neuron: the neuron of the hidden layers, such as lif; None for the circuit's own.
        force: replace what stands there.

    Returns:
        rule, and files (the paths that were written).

    Raises:
        UserError: the rule has no circuit, its form or its neuron has none, or the script cannot be written there.
    """
    check_script(path, force)
    parsed = RULES.make(rule)
    if "continuous" not in paths_of(parsed):
        raise UserError(
            f"rule '{parsed.name}' has no circuit in continuous time that a script could hold. Train it, and write its "
            f"updates step by step: neurorules simulate RUN --learn 1 --script {path}"
        )
    config = TrainConfig(rule=rule, neuron=neuron, path="continuous", **EXAMPLE)  # type: ignore[arg-type]
    return _saved(_continuous(config, None, rule), path, force, rule)


def script_of_run(
    run: Path, path: Path, samples: int | None = None, learn: int | None = None, data_dir: DataPlace = None,
    force: bool = False, watch: Callable[[Update], None] | None = None, step_ms: float | None = None,
    ordinary: bool = False, scale: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write a run as a script of Brian2.

    The script of a run in continuous time is its whole training. That of another run is the trained net with some test
    samples, or with `learn` some updates of it by the rule.

    Args:
        run: folder of the run.
        path: the path of the script; arrays go beside it into a file of that name with the ending .npz.
        samples: number of test samples, or of training samples in each update, of a run that learned step by step;
            None for 10.
        learn: number of updates; None for none.
        data_dir: folder in which data sets lie; None for the usual one.
        force: replace what stands there.
        watch: is handed each update as soon as it is compared with torch.
        step_ms: length of a time step of a run that learned step by step, in ms, > 0; None for 1 ms.
        ordinary: write the trained net as an ordinary network (see `brian2_steps.ordinary`), without updates.
        scale: what its numbers are in mV and pF (see `brian2_steps.scale`), of a run that learned step by step.

    Returns:
        rule, and files (the paths that were written).

    Raises:
        UserError: there is no such run, a part of it cannot be written for Brian2, an option has no effect on it, or
            the script cannot be written there.
        MissingExtra: brian2 is not installed, and updates are asked for.
    """
    check_script(path, force)
    stored = in_todays_words(RunFolder.finished(run).config())
    if stored.get("path") == "continuous":
        _refuse_steps(samples, learn, step_ms, ordinary, scale)
    units = Units(STEP_MS if step_ms is None else step_ms, scale_from(scale))
    count = SAMPLES if samples is None else samples
    with standing_for(files_of(run)):
        if stored.get("path") == "continuous":
            script = _continuous(config_from(stored, str(run)), data_dir, stored["rule"])
        elif learn is not None:
            script = _updates(run, learn, count, data_dir, watch, units)
        else:
            script = _network(run, count, data_dir, units, ordinary)
    return _saved(script, path, force, stored["rule"])


def _refuse_steps(
    samples: int | None, learn: int | None, step_ms: float | None, ordinary: bool, scale: str | None
) -> None:
    """Refuse the options of `script_of_run` that have no effect on a run in continuous time."""
    by_step = "is for runs step by step, and this one"
    refuse_unused({"learn": learn}, "goes on step by step, and a run in continuous time has no steps. Leave it out")
    refuse_unused({"as": ordinary}, "ordinary is for runs of torch, and this one is in continuous time. Leave it out")
    refuse_unused({"dt_ms": step_ms}, f"{by_step} has its neuron's dt_ms. Leave it out")
    refuse_unused({"scale": scale}, f"{by_step} has its neuron's threshold_mV. Leave it out")
    refuse_unused({"samples": samples}, f"{by_step} is written with all its training. Leave it out")


class Units(NamedTuple):
    """The units of a model that runs step by step: the length of a step in ms, and the scale of its variables."""

    step_ms: float = STEP_MS
    scale: Scale = SCALE


def _network(run: Path, samples: int, data_dir: DataPlace, units: Units, ordinary: bool) -> Script:
    """A trained net with its first test samples."""
    trained = trained_case(run, samples, data_dir, *units)
    case, config = trained.case, trained.config
    about = (f"A net that {config.rule} has trained, {config.net}, with {samples} test samples of {config.data}.",)
    write_model = script_of_ordinary if ordinary else script_of_network
    return write_model(case, config.steps, (*about, *about_rule(config.rule)))


def _updates(
    run: Path, learn: int, samples: int, data_dir: DataPlace, watch: Callable[[Update], None] | None, units: Units
) -> Script:
    """Updates of a trained net by its rule, which run once while they are written down."""
    updates: list[Mapping[str, Case]] = []
    restored = restore(run, data_dir, precision="float64", device="cpu", schedule="by_layer")
    config, learner = restored.config, restored.learner
    simulate_learning(run, learn, samples, data_dir, watch, lambda cases: updates.append(copied(cases, units)))
    net = f"the net {config.net}, which it has trained"
    title = f"{config.rule}, step by step: {len(updates)} updates of {net}, by {samples} samples of {config.data} each."
    return script_of_updates(updates, config.steps, changes_of(learner), (title, *about_rule(config.rule)))


def copied(cases: Mapping[str, Case], units: Units | None = None) -> dict[str, Case]:
    """Copy cases, since a learner changes its numbers in place.

    Args:
        cases: by phase.
        units: the units of the copies; None for the default units of a case.

    Returns:
        Cases with arrays of their own, by phase.
    """
    shared = [part for case in cases.values() for part in (case.network, case.learning and case.learning.rule)]
    own = {phase: deepcopy(case, {id(part): part for part in shared}) for phase, case in cases.items()}
    return {phase: replace(case, **(units or Units())._asdict()) for phase, case in own.items()}


def changes_of(learner: Learner) -> dict[str, Change]:
    """Say how a learner's optimiser changes each parameter that is not frozen."""
    store = learner.store
    return {
        name: Change(
            store.optimiser.kinds[name],
            group.rate,
            group.decay,
            store.bounds if name in store.bounded else None,
            store.weight_sum if name in store.bounded and key_of(name).is_weight else None,
        )
        for group in store.optimiser.groups
        for name in group.names
        if name not in store.frozen
    }


def _continuous(config: TrainConfig, data_dir: DataPlace, rule: str) -> Script:
    from neurorules.brian2_continuous.script import script_of
    from neurorules.brian2_continuous.trainer import settle
    from neurorules.torch_path.training.batches import settled_by_data

    complete = settle(config)
    data = load_data(complete, data_dir)
    return script_of(settled_by_data(complete, data.source), data, about_rule(rule))


def _saved(script: Script, path: Path, force: bool, rule: str) -> dict[str, Any]:
    return {"rule": rule, "files": [str(file) for file in save(write(script), path, force)]}


def about_rule(rule: str) -> tuple[str, ...]:
    """Paragraphs on a rule for the head of a script: its source, and what wrote the script."""
    source = citation(rule)
    paper = f"{source['authors']} ({source['year']}). {source['title']}. {source['link'] or ''}".strip()
    return (
        f"Source of the rule: {paper}",
        f"Written by neurorules {own_version()}, which it does not need to run. `neurorules cite {rule}` says how this "
        f"form of the rule departs from its source.",
    )
