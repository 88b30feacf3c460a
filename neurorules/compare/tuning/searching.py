"""The engine of all searches: it runs rounds of parallel trials, stores each result, and can stop and resume.

The number of parallel trials does not change any result, because a round depends only on earlier rounds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib

from neurorules.compare.many_runs import workers
from neurorules.compare.tuning.proposals import Method, best_method, proposals_of
from neurorules.compare.tuning.rows import Row
from neurorules.compare.tuning.stored import Form, open_search, write_search
from neurorules.compare.tuning.trials import Searched, attempt
from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.target import FIGURES
from neurorules.disk.lock import owned_folder
from neurorules.language.errors import UserError
from neurorules.language.ranges import Jobs, check_range
from neurorules.runner.dispatch import settle
from neurorules.runs.atomic import remove_leftovers
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.launch import check_alone
from neurorules.runs.other_process import as_here, replaced_quietly
from neurorules.runs.plain_json import plain
from neurorules.runs.progress import Bar, progress
from neurorules.runs.standing import WORKS, check_folder


@dataclass(frozen=True)
class Search:
    """The task of a search: rules, trials and seeds, and the file it writes.

    Args:
        form: the form of its file.
        rows: the rows of the search, by name.
        content: the options that determine the results of the search, by name; a search is only continued if they are
            the same.
        trials: number of trials of each rule, >= 1.
        seeds: number of seeds of each trial, >= 1.
        seed: the seed of the proposals.
        place: folder of the data sets, None for the default folder; or the data set itself.
        figure: the figure that decides, a key of `contracts.target.FIGURES`.
        method: the method of proposing settings; None for the best one that is installed.
        own_first, at_once, prunes: as in `trials.Searched`.
    """

    form: Form
    rows: Mapping[str, Row]
    content: Mapping[str, Any]
    trials: int
    seeds: int
    seed: int
    place: DataPlace
    figure: str
    method: Method | None = None
    own_first: bool = True
    at_once: int = 1
    prunes: bool = False

    def fresh(self, method: Method) -> list[Searched]:
        """The rows before their first trial, each with a source of proposals of its own.

        Args:
            method: says what to try.

        Returns:
            The rows, in their order.
        """
        return [
            Searched(
                row.config, name, row.space, proposals_of(method, row.space, self.seed + 1000 * place, self.at_once),
                self.figure, self.own_first, self.at_once, self.prunes,
            )
            for place, (name, row) in enumerate(self.rows.items())
        ]  # fmt: skip


def run_search(
    search: Search, out: Path, finish: Callable[[Sequence[Searched]], Mapping[str, Any]], *, jobs: int = 1,
    dask: str | None = None, force: bool = False, resume: bool = False, quiet: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Run all trials of a search, or those that are left, and write its file into `out`.

    Args:
        search: the task of the search.
        out: folder of the search.
        finish: a function that returns further content of the file after the last trial, by name.
        jobs: number of trials that run at once.
        dask, force, resume, quiet: as in `compare`.

    Returns:
        The content of the file.

    Raises:
        UserError: every trial was refused, `out` holds another search, or torchrun has started several ranks.
        Interrupted: the user stopped it; finished trials are kept.
    """
    check_alone("a search for settings")
    check_range("--jobs", jobs, Jobs)
    own = {name: plain(settle(row.config).as_dict()) for name, row in search.rows.items()}
    content: dict[str, Any] = plain(search.content)
    with owned_folder(out):
        stored = open_search(out, search.form, content, own, search.trials, force, resume)
        if search.form.command in WORKS:  # the rates of a benchmark stand below it
            check_folder(out, search.form.command, force, resume)
        remove_leftovers(out, (search.form.file,))
        method = stored.get("method") or search.method or best_method()
        searched = search.fresh(method)
        for one in searched if stored else ():
            one.repeat(stored["trials"][one.name], search.trials, f"the search in {out}")
        header = {"method": method, "asked": content, "rows": own}

        def keep(finished: bool = False, **more: Any) -> dict[str, Any]:
            trials = {one.name: one.trials for one in searched}
            return write_search(out, {**header, "finished": finished, **more, "trials": trials}, search.form)

        try:
            with progress(search.form.doing, search.trials * len(searched), quiet) as bar:
                _run_rounds(search, searched, jobs, dask, bar, keep)
        except (Interrupted, KeyboardInterrupt):
            begun = any(one.best for one in searched)
            raise Interrupted(_stopped(out, search.form, begun, force and not stored)) from None
        return keep(finished=True, **finish(_with_a_trial(searched)))


def _with_a_trial(searched: Sequence[Searched]) -> list[Searched]:
    """The rows of which at least one trial was trained to the end.

    Raises:
        UserError: there is none.
    """
    whole = [one for one in searched if one.best]
    if not whole:
        trials = searched[0].trials
        raise UserError(f"every trial was refused, {len(trials)} of {len(trials)}. The first: {trials[0]['reason']}")
    return whole


def _stopped(out: Path, form: Form, begun: bool, replaces: bool) -> str:
    """The message for a user who stopped a search.

    Args:
        out: folder of the search.
        form: the form of its file.
        begun: whether a trial is kept.
        replaces: whether the search was to replace an older one.
    """
    if replaces and not begun:
        return f"stopped in the first trial: nothing of this search is kept, and {out} is as it was"
    rest = f"Finished trials are kept in {out}" if begun else "No trial was finished"
    return f"stopped. {rest}. Go on with the same options and: {form.asks} --out {out} --resume"


def _run_rounds(
    search: Search, searched: Sequence[Searched], jobs: int, dask: str | None, bar: Bar, keep: Callable[[], Any]
) -> None:
    """Run rounds of trials until each row has had its number of them, and store every trial when it ends."""
    bar.advance(sum(len(one.trials) for one in searched))
    apart = jobs > 1 or dask is not None
    most = min(jobs, len(searched) * search.at_once)
    how: dict[str, Any] = {"n_jobs": most, "return_as": "generator"} if dask is None else {"n_jobs": -1}
    call: Any = as_here(attempt, same_machine=dask is None) if apart else attempt
    parent = os.getpid() if apart and dask is None else None
    with workers(dask, jobs), joblib.Parallel(**how) as pool, replaced_quietly():
        while unfinished := [one for one in searched if len(one.trials) < search.trials]:
            proposed = [(one, settings) for one in unfinished for settings in one.pending(search.trials)]
            calls = [
                joblib.delayed(call)(
                    replace(one.row, threads=one.row.threads or (1 if apart else None)),
                    settings, search.seeds, search.place, one.floors, parent,
                )
                for one, settings in proposed
            ]  # fmt: skip
            for (one, settings), outcome in zip(proposed, pool(calls), strict=True):
                one.add(settings, outcome)
                bar.advance(note=_note(one))
                if any(other.best for other in searched):
                    keep()


def _note(one: Searched) -> str:
    """The best result of a row so far, for the progress bar."""
    return f"{one.name}, {FIGURES[one.figure].words} {one.best[one.mean]:.3f}" if one.best else one.name
