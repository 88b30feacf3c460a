"""The search: every rule has the same number of trials, and held-out training samples decide. No test sample is read.

A rule's first trial is its own settings, so that what is chosen is never worse than these on the samples that choose.
The trials of a round, one for each rule, run side by side; how many at once changes no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import joblib

from neurorules.compare.comparison import command_line
from neurorules.compare.controls import frozen_beside, is_bare, is_shallow
from neurorules.compare.rows import check_words, name_of, parse_rows, text_of
from neurorules.compare.tuning.proposals import Method, Proposals, best_method, proposals_of
from neurorules.compare.tuning.space import SPACE, Space, parse_space, space_of
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.language.errors import MissingExtra, UserError
from neurorules.rules import RULES
from neurorules.runner.dispatch import settle, validation_accuracies, with_data
from neurorules.runs.atomic import write_text
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.plain_json import plain, read_json, to_json
from neurorules.runs.progress import Bar, progress

TUNE_FILE = "tune.json"
FORMAT, VERSION = "neurorules-tune", 1


@dataclass
class Searched:
    """One rule whose settings are searched.

    Args:
        row: its configuration before the search.
        name: name of its row.
        space: what is searched for it.
        proposals: says what to try next.
        trials: settings, accuracies by seed and their mean validation_accuracy of each trial, in order.
    """

    row: TrainConfig
    name: str
    space: Space
    proposals: Proposals
    trials: list[dict[str, Any]] = field(default_factory=list)

    def next(self) -> dict[str, Any]:
        """The settings to try next, by name: none in the first trial, where the row keeps its own; then proposals."""
        return self.proposals.propose() if self.trials else {}

    def add(self, settings: Mapping[str, Any], accuracies: Sequence[float]) -> None:
        """Keep a trial, and let it count for the next proposal.

        Args:
            settings: what was tried, by name.
            accuracies: validation accuracy of each seed, in 0..1.
        """
        mean = fmean(accuracies)
        self.proposals.tell({**settle(self.row).as_dict(), **settings}, mean)
        self.trials.append({"settings": dict(settings), "accuracies": list(accuracies), "validation_accuracy": mean})

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
            self.add(trial["settings"], trial["accuracies"])

    @property
    def best(self) -> dict[str, Any]:
        """The trial of the highest validation accuracy, and the earliest among equals."""
        return max(self.trials, key=lambda trial: trial["validation_accuracy"])


def tune(
    config: TrainConfig,
    rules: str,
    out: Path,
    *,
    trials: int = 20,
    seeds: int = 1,
    space: str = SPACE,
    jobs: int = 1,
    data_dir: DataPlace = None,
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
    for option, number in {"--trials": trials, "--seeds": seeds, "--jobs": jobs}.items():
        if number < 1:
            raise UserError(f"{option} is {number}, must be at least 1")
    options = {"rules": rules, "space": space, "seeds": seeds, "settings": plain(config.as_dict())}
    stored = open_search(out, options, force, resume)
    method = stored.get("method") or best_method()
    config, data_dir = with_data(config, data_dir)
    searched = _searched(config, rules, parse_space(space), method)
    for one in searched:
        one.repeat(stored.get("trials", {}).get(one.name, [])[:trials], out)
    header = {"format": FORMAT, "format_version": VERSION, "method": method, "asked": options}
    with progress("tuning", trials * len(searched), quiet) as bar, joblib.Parallel(n_jobs=jobs) as pool:
        bar.advance(sum(len(one.trials) for one in searched))
        try:
            while any(len(one.trials) < trials for one in searched):
                _round(pool, [one for one in searched if len(one.trials) < trials], seeds, data_dir, bar)
                _write(out, {**header, "finished": False, "trials": _trials(searched)})
        except (Interrupted, KeyboardInterrupt):
            raise Interrupted(
                f"stopped. Whole rounds of trials are kept in {out}. "
                f"Go on with the same options and: neurorules tune --out {out} --resume"
            ) from None
    result = {**header, "finished": True, **chosen(searched, config, seeds), "trials": _trials(searched)}
    _write(out, result)
    return result


def open_search(out: Path, asked: Mapping[str, Any], force: bool, resume: bool) -> dict[str, Any]:
    """Read the search that goes on in a folder.

    Args:
        out: folder of the search.
        asked: options of this search, by name.
        force: replaces an older search.
        resume: goes on with an older search.

    Returns:
        What its `tune.json` holds; empty where a new search begins.

    Raises:
        MissingExtra: the search needs optuna, which is not installed.
        UserError: another search stands in the folder, or one that cannot go on.
    """
    path = out / TUNE_FILE
    if not path.exists() or (force and not resume):
        return {}
    if not resume:
        raise UserError(f"{out} holds another search. Add --force to replace it, --resume to go on with it")
    stored = dict(read_json(path))
    if (stored.get("format"), stored.get("format_version")) != (FORMAT, VERSION):
        raise UserError(f"{path} is no search of this version. Begin again with --force, or give another --out")
    before = stored["asked"]
    pairs = [(name, before.get(name), asked[name]) for name in asked if name != "settings"]
    pairs += [(name, before["settings"].get(name), value) for name, value in asked["settings"].items()]
    texts = [f"{name} is {to_json(old)}, asked {to_json(new)}" for name, old, new in pairs if old != new]
    if texts:
        raise UserError(
            f"the search in {out} was begun with other options: {'; '.join(texts)}. Ask for the same ones, or give "
            f"another --out"
        )
    if stored["method"] == "optuna" and best_method() != "optuna":
        raise MissingExtra(f"going on with the search in {out}", "optuna", "sweep")
    return stored


def _searched(config: TrainConfig, rules: str, space: Space, method: Method) -> list[Searched]:
    """The rows of a search. A bare `shallow` stands for frozen rows, one for each net that the other rules learn on."""
    rows = parse_rows(rules, config)
    learning = [row for row in rows if not is_shallow(row.rule)]
    frozen = [replace(row, readout_lr=config.readout_lr) for row in frozen_beside(learning, config)]
    by_settings: dict[SettledConfig, TrainConfig] = {}
    for row in rows:
        for one in (frozen or [row]) if is_bare(row, config) else [row]:
            by_settings.setdefault(settle(one), one)
    searched = []
    for number, (settled, row) in enumerate(by_settings.items()):
        own = space_of(row, space, RULES.make(row.rule).control)
        words: list[dict[str, Any]] = [{name: word} for name, dimension in own.items() for word in dimension.words]
        for changed in ({}, *words):
            check_words(settle(replace(row, **changed)))
        proposals = proposals_of(method, own, config.seed + 1000 * number)
        searched.append(Searched(row, name_of(settled.as_dict(), config), own, proposals))
    return searched


def _round(pool: Any, searched: Sequence[Searched], seeds: int, data_dir: DataPlace, bar: Bar) -> None:
    """Run one more trial of each rule."""
    proposed = [one.next() for one in searched]
    configs = [replace(one.row, **settings) for one, settings in zip(searched, proposed, strict=True)]
    if pool.n_jobs > 1:
        configs = [replace(config, threads=config.threads or 1) for config in configs]
    calls = [joblib.delayed(validation_accuracies)(config, seeds, data_dir) for config in configs]
    for one, settings, accuracies in zip(searched, proposed, pool(calls), strict=True):
        one.add(settings, accuracies)
        bar.advance(note=f"{one.name}, accuracy {one.best['validation_accuracy']:.3f}")


def _trials(searched: Sequence[Searched]) -> dict[str, Any]:
    """The trials of each rule, by the name of its row."""
    return {one.name: one.trials for one in searched}


def _write(out: Path, search: Mapping[str, Any]) -> None:
    """Write `tune.json`."""
    write_text(out / TUNE_FILE, to_json(search, indent=2) + "\n")


def chosen(searched: Sequence[Searched], config: TrainConfig, seeds: int) -> dict[str, Any]:
    """What a search chose.

    Args:
        searched: the rules, with all of their trials.
        config: what they share.
        seeds: number of seeds of each trial, and of the comparison.

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
                "rule": text_of(settled, config),
                "settings": {name: settled[name] for name in one.space},
                "validation_accuracy": best["validation_accuracy"],
                "accuracies": best["accuracies"],
                "own_settings_accuracy": one.trials[0]["validation_accuracy"],
                "trials": len(one.trials),
                "at_the_edge": [n for n, d in one.space.items() if n in best["settings"] and d.is_edge(settled[n])],
            }
        )
    rules = ",".join(row["rule"] for row in rows)
    command = command_line(replace(config, signal=None, dw=None), Path("runs/compare"), rules=rules, seeds=seeds)
    return {"rules": rules, "command": command, "chosen": rows}
