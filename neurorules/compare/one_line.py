"""The one-line form of a comparison: `neurorules.compare(...)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from neurorules.compare.comparison import command_line, plan, python_line
from neurorules.compare.comparison import compare as compare_configs
from neurorules.compare.shown import Comparison
from neurorules.contracts.data_set import DataSet
from neurorules.language.config import TrainConfig, config_from
from neurorules.language.errors import UserError
from neurorules.language.options import check_flag
from neurorules.language.paths import path_from
from neurorules.language.registry import check_text, with_own_parts
from neurorules.language.settings import Task
from neurorules.runner.dispatch import with_data
from neurorules.runner.given_data import SensorSize, given_data
from neurorules.runner.given_net import with_net, without_module
from neurorules.torch_path.process.session import own_session


@own_session()
def compare(
    rules: str | Sequence[str],
    out: str | Path = "runs/compare",
    *,
    seeds: int = 1,
    folds: int | None = None,
    jobs: int = 1,
    dask: str | None = None,
    hardware: str = "none",
    controls: str = "shallow,shuffled",
    data: Any = TrainConfig.data,
    batch_first: bool | None = None,
    sensor_size: SensorSize = None,
    task: Task | None = None,
    keys: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = True,
    **settings: Any,
) -> Comparison:
    """Train every rule with every seed on the same net, data order and initial weights.

    Args:
        rules: a list, or comma-separated, with their own options and settings: "sigprop:form=voltage,bptt@lr=0.001".
        out: folder for the runs, `compare.json` and its CSV files.
        seeds: number of seeds of each rule.
        folds: number of folds of a cross-validation instead of seeds, if the data set comes in folds.
        jobs: number of processes at once.
        dask: the address of a Dask scheduler that distributes the runs.
        hardware: comma-separated device models, or none.
        controls: comma-separated controls, shallow and shuffled, or none.
        data, batch_first, sensor_size, task, keys, data_dir, force, resume, quiet: as in `train`.
        settings: as in `train`, for all runs. A net of modules begins with new random weights for each seed, like any
            other; with init="given" every run begins with the module's own weights.

    Returns:
        The content of `compare.json`, a dictionary.

    Raises:
        UserError: a name is unknown, or `out` holds another comparison.
    """
    rules, folder = _rows(rules), path_from("out", out)
    _check_words({"resume": resume, "force": force, "quiet": quiet}, {"hardware": hardware, "controls": controls})
    _check_no_rule(settings)
    source = given_data(data, batch_first, sensor_size, data_dir, task, keys)
    settings, net = without_module(with_own_parts(settings))
    config = config_from({**settings, **source.settings}, "compare(...)")
    complete, place = with_data(config, source.place)
    complete, own = with_net(complete, place, net)
    config = config if net is None else replace(config, net=complete.net)
    options: dict[str, Any] = {"rules": rules, "seeds": seeds, "folds": folds, "hardware": hardware}
    options |= {"controls": controls, "jobs": None if jobs == 1 else jobs, "dask": dask, "data_dir": data_dir}
    brought = ["data"] * isinstance(source.place, DataSet) + ["net"] * (net is not None)
    line = partial(python_line, brought=brought) if brought else command_line
    comparison = compare_configs(
        plan(complete, rules, seeds, hardware, None, controls, folds), folder, jobs=jobs, dask=dask, data_dir=place,
        force=force, resume=resume, quiet=quiet, command=line(config, folder, **options), net=own,
    )  # fmt: skip
    return Comparison(comparison)


def _check_words(flags: Mapping[str, Any], lists: Mapping[str, Any]) -> None:
    """Refuse flags that are no truth values, and lists of names that are no text.

    Args:
        flags: values by the name of the argument.
        lists: comma-separated names by the name of the argument.

    Raises:
        UserError: one is of another kind.
    """
    for name, flag in flags.items():
        check_flag(name, flag)
    for name, names in lists.items():
        if not isinstance(names, str):
            raise UserError(f"{name} is {names!r:.60}. Give names in one text with commas between them, or 'none'")


def _check_no_rule(settings: Mapping[str, Any]) -> None:
    """Refuse a rule among the settings, which no row would follow.

    Raises:
        UserError: there is one.
    """
    if "rule" in settings:
        raise UserError(f"rule is {settings['rule']!r:.60}, and the rows are named in rules. Leave rule out")


def _rows(rules: Any) -> str:
    """The rows of a comparison in one text.

    Raises:
        UserError: they are neither a text nor a list of texts.
    """
    if isinstance(rules, str):
        return rules
    if not isinstance(rules, Sequence):
        raise UserError(f"rules is {rules!r:.60}. Give names in a list, or in one text such as 'sigprop,dfa'")
    for rule in rules:
        check_text(rule, "a row of rules", "rule")
    return ",".join(rules)
