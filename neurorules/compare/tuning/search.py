"""`tune`: every rule gets the same number of trials, and held-out training samples decide. Test samples are never read.

The first trial uses the rule's own settings, so that the chosen ones are never worse on the held-out samples. A round
has one trial for each rule, and its trials run in parallel.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurorules.compare.comparison import command_line
from neurorules.compare.rows import name_of, text_of
from neurorules.compare.tuning.rows import rows_of
from neurorules.compare.tuning.searching import Search, run_search
from neurorules.compare.tuning.space import SPACE, Space, parse_space
from neurorules.compare.tuning.stored import TUNE
from neurorules.compare.tuning.trials import Searched
from neurorules.contracts.target import FIGURES_OF
from neurorules.datasets import open_dataset
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.language.own_files import VARIABLE
from neurorules.language.ranges import Count, Jobs, Seeds, check_range
from neurorules.runner.dispatch import settle, with_data
from neurorules.runner.given_net import refuse_modules
from neurorules.runs.plain_json import plain
from neurorules.torch_path.training.own_parts import own_files_of


def tune(
    config: TrainConfig,
    rules: str,
    out: Path,
    *,
    trials: int = 20,
    seeds: int = 1,
    space: str = SPACE,
    jobs: int = 1,
    written: Collection[str] = (),
    data_dir: Path | None = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Choose settings of training for each rule by validation accuracy, and write `tune.json` into `out`.

    Args:
        config: the settings that all rules share.
        rules: rules, comma-separated (see `compare.rows.parse_row`).
        out: folder of the search.
        trials: number of trials of each rule.
        seeds: number of seeds of each trial.
        space: the search space as text (see `space.parse_space`).
        jobs: number of trials that run at once, at most one for each rule.
        written: names of settings that the user wrote for all rules; the space may not search them.
        data_dir, force, resume, quiet: as in `compare`.

    Returns:
        The content of `tune.json`: `rules`, the chosen rows for `compare --rules`; `command`, `chosen`, `trials`,
        `asked`.

    Raises:
        UserError: a name is unknown, a setting is both written and searched, no samples are held out, every trial was
            refused, or `out` holds another search.
        Interrupted: the user stopped it; finished trials are kept.
    """
    for option, number, kind in (("--trials", trials, Count), ("--seeds", seeds, Seeds), ("--jobs", jobs, Jobs)):
        check_range(option, number, kind)
    refuse_modules(config, "tune")
    searched = parse_space(space)
    refuse_written(searched, written)
    content = plain(config.as_dict())
    config, place = with_data(config, data_dir)
    source = open_dataset(config.data, place)
    rows = rows_of(config, rules, searched, source)
    search = Search(
        form=TUNE,
        rows={name_of(settle(row.config).as_dict(), config): row for row in rows},
        content={"rules": rules, "space": space, "seeds": seeds, "data_checksum": source.checksum, "settings": content},
        trials=trials,
        seeds=seeds,
        seed=config.seed,
        place=place,
        figure=FIGURES_OF[source.task][0],
    )
    return run_search(
        search, out, lambda searched: chosen(searched, config, seeds, data_dir),
        jobs=jobs, force=force, resume=resume, quiet=quiet,
    )  # fmt: skip


def refuse_written(space: Space, written: Collection[str]) -> None:
    """Refuse a search of settings that have one value for all rules.

    Args:
        space: what is searched.
        written: names of the settings that the user wrote for all rules.

    Raises:
        UserError: a setting is both.
    """
    for name in space:
        if name in written:
            raise UserError(
                f"--space searches {name}, which --{name.replace('_', '-')} sets to one value for all rules. Keep one "
                f"of them"
            )


def chosen(
    searched: Sequence[Searched], config: TrainConfig, seeds: int, data_dir: Path | None = None
) -> dict[str, Any]:
    """The settings that a search chose for each rule.

    Args:
        searched: the rules of which at least one trial was trained to the end, with all their trials.
        config: the settings that they share.
        seeds: number of seeds of each trial, and of the comparison.
        data_dir: folder of the data sets, if the user gave one.

    Returns:
        rules: the chosen rows as one text. command: the shell line of the comparison that runs them. chosen: for each
        rule its row, settings and accuracies, and which settings lie at the edge of what was searched.
    """
    rows = []
    for one in searched:
        best = one.best or {}
        complete = settle(replace(one.row, **best["settings"])).as_dict()
        rows.append(
            {
                "row": one.name,
                "rule": text_of(complete, config) + ("" if complete["targets"] == "own" else "@targets=shuffled"),
                "settings": {name: complete[name] for name in one.space},
                one.mean: best[one.mean],
                one.by_seed: best[one.by_seed],
                f"own_settings_{one.figure}": one.trials[0].get(one.mean),
                "trials": len(one.trials),
                "refused": sum(trial["state"] == "refused" for trial in one.trials),
                "at_the_edge": [n for n, d in one.space.items() if n in best["settings"] and d.is_edge(complete[n])],
            }
        )
    rules = ",".join(row["rule"] for row in rows)
    shared = replace(config, signal=None, dw=None)
    line = command_line(shared, Path("runs/compare"), rules=rules, seeds=seeds, data_dir=data_dir)
    command = with_own_files(line, [row.row for row in searched])
    return {"rules": rules, "command": command, "chosen": rows}


def with_own_files(line: str, configs: Sequence[TrainConfig]) -> str:
    """A shell command that also works with the user's own files.

    Args:
        line: a command of neurorules.
        configs: the configurations that it trains.

    Returns:
        The line, preceded by the variable that names these files, if there are any.
    """
    used = {path for config in configs for path in own_files_of(config).values()}
    return f"{VARIABLE}={shlex.quote(os.pathsep.join(map(str, sorted(used))))} {line}" if used else line
