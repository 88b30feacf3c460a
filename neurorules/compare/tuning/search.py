"""The search: every rule has the same number of trials, and held-out training samples decide. No test sample is read.

A rule's first trial is its own settings, so that what is chosen is never worse than these on the samples that choose.
The trials of a round, one for each rule, run side by side; how many at once changes no number.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import joblib

from neurorules.compare.comparison import command_line
from neurorules.compare.rows import name_of, text_of
from neurorules.compare.tuning.proposals import Method, Proposals, best_method, proposals_of
from neurorules.compare.tuning.rows import Row, rows_of
from neurorules.compare.tuning.space import SPACE, Space, parse_space
from neurorules.compare.tuning.stored import TUNE_FILE, open_search, write_search
from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.target import FIGURES, FIGURES_OF
from neurorules.datasets import open_dataset
from neurorules.disk.lock import owned_folder
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.language.own_files import VARIABLE
from neurorules.language.ranges import Count, Jobs, Seeds, check_range
from neurorules.runner.dispatch import settle, validation_accuracies, with_data
from neurorules.runner.given_net import refuse_modules
from neurorules.runs.atomic import remove_leftovers
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.other_process import as_here, replaced_quietly
from neurorules.runs.plain_json import plain
from neurorules.runs.progress import Bar, progress
from neurorules.torch_path.training.own_parts import own_files_of


@dataclass
class Searched:
    """One rule whose settings are searched.

    Args:
        row: its configuration before the search.
        name: name of its row.
        space: what is searched for it.
        proposals: says what to try next.
        trials: settings, accuracies by seed and their mean validation_accuracy of each trial, in order.
        figure: what is chosen by, a key of `contracts.target.FIGURES`, which stands in these names for accuracy: of
            another task than classes, `values` by seed and validation_mse, say.
    """

    row: TrainConfig
    name: str
    space: Space
    proposals: Proposals
    trials: list[dict[str, Any]] = field(default_factory=list)
    figure: str = "accuracy"

    @property
    def by_seed(self) -> str:
        """The key of a trial's figures by seed."""
        return "accuracies" if self.figure == "accuracy" else "values"

    @property
    def mean(self) -> str:
        """The key of their mean."""
        return f"validation_{self.figure}"

    @property
    def sign(self) -> int:
        """1 where a higher figure is better, -1 where a lower one is."""
        return 1 if FIGURES[self.figure].higher else -1

    def next(self) -> dict[str, Any]:
        """The settings to try next, by name: none in the first trial, where the row keeps its own; then proposals."""
        return self.proposals.propose() if self.trials else {}

    def add(self, settings: Mapping[str, Any], accuracies: Sequence[float]) -> None:
        """Keep a trial, and let it count for the next proposal.

        Args:
            settings: what was tried, by name.
            accuracies: validation accuracy of each seed, in 0..1, or its other figure.
        """
        mean = fmean(accuracies)
        self.proposals.tell({**settle(self.row).as_dict(), **settings}, self.sign * mean)
        self.trials.append({"settings": dict(settings), self.by_seed: list(accuracies), self.mean: mean})

    def repeat(self, trials: Sequence[Mapping[str, Any]], out: Path) -> None:
        """Take over the trials of a search that was stopped.

        Args:
            trials: as `trials` of that search holds them.
            out: folder of the search, which an error names.

        Raises:
            UserError: they are not the trials that would be proposed here.
        """
        for trial in trials:
            if self.next() != trial["settings"]:
                raise UserError(
                    f"the search in {out} tried other settings for {self.name} than would be tried here, as another "
                    f"version of optuna does. Begin again with --force, or give another --out"
                )
            self.add(trial["settings"], trial[self.by_seed])

    @property
    def best(self) -> dict[str, Any]:
        """The trial of the highest validation accuracy, or the best other figure, and the earliest among equals."""
        return max(self.trials, key=lambda trial: self.sign * trial[self.mean])


def tune(
    config: TrainConfig,
    rules: str,
    out: Path,
    *,
    trials: int = 20,
    seeds: int = 1,
    space: str = SPACE,
    jobs: int = 1,
    data_dir: Path | None = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Choose settings of training for each rule by validation accuracy, and write `tune.json` into `out`.

    Args:
        config: what all rules share.
        rules: rules, comma-separated (see `compare.rows.parse_row`).
        out: folder of the search.
        trials: number of trials of each rule.
        seeds: number of seeds of each trial.
        space: text of what is searched (see `space.parse_space`).
        jobs: number of rules that run at once.
        data_dir, force, resume, quiet: as in `compare`.

    Returns:
        What `tune.json` holds: `rules`, the chosen rows for `compare --rules`; `command`, `chosen`, `trials`, `asked`.

    Raises:
        UserError: a name is unknown, no samples are held out, or `out` holds another search.
        Interrupted: the user stopped it; whole rounds of trials are kept.
    """
    _check_numbers(trials, seeds, jobs)
    refuse_modules(config, "tune")
    asked = plain(config.as_dict())
    config, place = with_data(config, data_dir)
    source = open_dataset(config.data, place)
    rows = rows_of(config, rules, parse_space(space), source)
    own = {name_of(one, config): plain(one) for one in (settle(row.config).as_dict() for row in rows)}
    options = {"rules": rules, "space": space, "seeds": seeds, "data_checksum": source.checksum, "settings": asked}
    with owned_folder(out):
        stored = open_search(out, options, own, trials, force, resume)
        remove_leftovers(out, (TUNE_FILE,))
        method = stored.get("method") or best_method()
        searched = _searched(rows, list(own), method, config.seed, FIGURES_OF[source.task][0])
        for one in searched if stored else ():
            one.repeat(stored["trials"][one.name], out)
        header = {"method": method, "asked": options, "rows": own}
        try:
            with progress("tuning", trials * len(searched), quiet) as bar:
                for _ in _rounds(searched, trials, seeds, jobs, place, bar):
                    write_search(out, {**header, "finished": False, "trials": _trials(searched)})
        except (Interrupted, KeyboardInterrupt):
            raise Interrupted(_stopped(out, all(one.trials for one in searched), force and not stored)) from None
        result = {**header, "finished": True, **chosen(searched, config, seeds, data_dir), "trials": _trials(searched)}
        return write_search(out, result)


def _check_numbers(trials: int, seeds: int, jobs: int) -> None:
    for option, number, kind in (("--trials", trials, Count), ("--seeds", seeds, Seeds), ("--jobs", jobs, Jobs)):
        check_range(option, number, kind)


def _searched(rows: Sequence[Row], names: Sequence[str], method: Method, seed: int, figure: str) -> list[Searched]:
    """The rows before their first trial, each with a source of proposals of its own."""
    sources = (proposals_of(method, row.space, seed + 1000 * number) for number, row in enumerate(rows))
    pairs = zip(names, rows, sources, strict=True)
    return [Searched(row.config, name, row.space, proposals, figure=figure) for name, row, proposals in pairs]


def _stopped(out: Path, begun: bool, replaces: bool) -> str:
    """What a user is told who stopped a search.

    Args:
        out: folder of the search.
        begun: whether a round of trials was finished.
        replaces: whether the search was to replace what stands in the folder.
    """
    if replaces and not begun:
        return f"stopped in the first round of trials: nothing of this search is kept, and {out} is as it was"
    kept = f"Whole rounds of trials are kept in {out}" if begun else "No round of trials was finished"
    return f"stopped. {kept}. Go on with the same options and: neurorules tune --out {out} --resume"


def _rounds(
    searched: Sequence[Searched], trials: int, seeds: int, jobs: int, data_dir: DataPlace, bar: Bar
) -> Iterator[None]:
    """Run rounds, of one trial of each unfinished rule, until each rule has had its number of trials."""
    bar.advance(sum(len(one.trials) for one in searched))
    with joblib.Parallel(n_jobs=min(jobs, len(searched))) as pool, replaced_quietly():
        while unfinished := [one for one in searched if len(one.trials) < trials]:
            _round(pool, unfinished, seeds, data_dir, bar)
            yield


def _round(pool: Any, searched: Sequence[Searched], seeds: int, data_dir: DataPlace, bar: Bar) -> None:
    """Run one more trial of each rule."""
    proposed = [one.next() for one in searched]
    configs = [replace(one.row, **settings) for one, settings in zip(searched, proposed, strict=True)]
    call: Any = validation_accuracies
    if pool.n_jobs > 1:
        call = as_here(call)
        configs = [replace(config, threads=config.threads or 1) for config in configs]
    calls = [joblib.delayed(call)(config, seeds, data_dir) for config in configs]
    for one, settings, accuracies in zip(searched, proposed, pool(calls), strict=True):
        one.add(settings, accuracies)
        bar.advance(note=f"{one.name}, {FIGURES[one.figure].words} {one.best[one.mean]:.3f}")


def _trials(searched: Sequence[Searched]) -> dict[str, Any]:
    """The trials of each rule, by the name of its row."""
    return {one.name: one.trials for one in searched}


def chosen(
    searched: Sequence[Searched], config: TrainConfig, seeds: int, data_dir: Path | None = None
) -> dict[str, Any]:
    """What a search chose.

    Args:
        searched: the rules, with all of their trials.
        config: what they share.
        seeds: number of seeds of each trial, and of the comparison.
        data_dir: folder of the data sets, where another than the usual one was asked for.

    Returns:
        rules: the chosen rows as one text. command: the shell line of the comparison that runs them. chosen: for each
        rule its row, settings and accuracies, and which settings lie at the edge of what was searched.
    """
    rows = []
    for one in searched:
        best = one.best
        settled = settle(replace(one.row, **best["settings"])).as_dict()
        rows.append(
            {
                "row": one.name,
                "rule": text_of(settled, config) + ("" if settled["targets"] == "own" else "@targets=shuffled"),
                "settings": {name: settled[name] for name in one.space},
                one.mean: best[one.mean],
                one.by_seed: best[one.by_seed],
                f"own_settings_{one.figure}": one.trials[0][one.mean],
                "trials": len(one.trials),
                "at_the_edge": [n for n, d in one.space.items() if n in best["settings"] and d.is_edge(settled[n])],
            }
        )
    rules = ",".join(row["rule"] for row in rows)
    shared = replace(config, signal=None, dw=None)
    command = command_line(shared, Path("runs/compare"), rules=rules, seeds=seeds, data_dir=data_dir)
    used = {path for row in searched for path in own_files_of(row.row).values()}
    if used:
        command = f"{VARIABLE}={shlex.quote(os.pathsep.join(map(str, sorted(used))))} {command}"
    return {"rules": rules, "command": command, "chosen": rows}
