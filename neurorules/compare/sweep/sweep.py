"""Run the trials of a sweep, and write `sweep.json`, `sweep.csv` and `sweep.png`. Test samples are never read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurorules.compare.comparison import OF_ROWS, command_line
from neurorules.compare.measures.tables import as_csv
from neurorules.compare.rows import name_of
from neurorules.compare.sweep.file import SweepFile, read_sweep
from neurorules.compare.sweep.picture import draw_sweep
from neurorules.compare.tuning.rows import Row, check_row
from neurorules.compare.tuning.search import with_own_files
from neurorules.compare.tuning.searching import Search, run_search
from neurorules.compare.tuning.settings import changed
from neurorules.compare.tuning.stored import Form
from neurorules.compare.tuning.trials import Searched
from neurorules.contracts.target import FIGURES_OF
from neurorules.datasets import open_dataset
from neurorules.language.config import TrainConfig
from neurorules.runner.dispatch import settle, with_data
from neurorules.runner.given_net import refuse_modules
from neurorules.runs.atomic import write_text
from neurorules.runs.plain_json import plain

SWEEP_FILE, TABLE_FILE, PICTURE_FILE = "sweep.json", "sweep.csv", "sweep.png"


def sweep(
    file: Path, out: Path, *, jobs: int = 1, dask: str | None = None, data_dir: Path | None = None,
    force: bool = False, resume: bool = False, quiet: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Run the trials of a sweep's file, and choose the best one by held-out training samples.

    Args:
        file: the file of the sweep (see `file.read_sweep`).
        out: folder of the sweep.
        jobs: number of trials that run at once; it changes no number.
        dask, data_dir, force, resume, quiet: as in `compare`.

    Returns:
        The content of `sweep.json`: `best`, `trials`, `states`, `asked`.

    Raises:
        UserError: the file is wrong, no samples are held out, every trial was refused, or `out` holds another sweep.
        Interrupted: the user stopped it; finished trials are kept.
    """
    content = read_sweep(file)
    _refuse_modules(content)
    settings = plain(content.train.as_dict())
    config, place = with_data(content.train, data_dir)
    source = open_dataset(config.data, place)
    row = Row(config, content.space)
    check_row(row, source)
    how = {"way": content.way, "seeds": content.seeds, "at_once": content.at_once, "prune": content.prune}
    search = Search(
        form=Form("sweep", f"neurorules sweep {file}", "sweeping", 1),
        rows={name_of(settle(config).as_dict(), config): row},
        content={**how, "space": content.texts, "data_checksum": source.checksum, "settings": settings},
        trials=content.trials,
        seeds=content.seeds,
        seed=config.seed,
        place=place,
        figure=FIGURES_OF[source.task][0],
        method=content.way,
        own_first=False,
        at_once=content.at_once,
        prunes=content.prune,
    )

    def finish(searched: Sequence[Searched]) -> dict[str, Any]:
        (one,) = searched
        write_text(out / TABLE_FILE, as_csv(table_of(one)))
        draw_sweep(one, out / PICTURE_FILE)
        return {"best": best_of(one, data_dir), "states": states_of(one)}

    return run_search(search, out, finish, jobs=jobs, dask=dask, force=force, resume=resume, quiet=quiet)


def _refuse_modules(content: SweepFile) -> None:
    """Refuse nets of the user's own: each trial is one text of settings."""
    nets = content.space["net"].words if "net" in content.space else (content.train.net,)
    for net in nets:
        refuse_modules(replace(content.train, net=str(net)), "sweep")


def states_of(one: Searched) -> dict[str, int]:
    """Count the trials by the way in which they ended."""
    states = [trial["state"] for trial in one.trials]
    return {state: states.count(state) for state in ("complete", "pruned", "refused")}


def table_of(one: Searched) -> list[dict[str, Any]]:
    """The trials as rows of a table, in the order in which they were tried.

    Args:
        one: the search.

    Returns:
        A row for each trial: its number from 1, state, settings, figures on held-out samples, epochs of its first seed,
        and the reason if it was refused.
    """
    return [
        {
            "trial": number,
            "state": trial["state"],
            **trial["settings"],
            one.mean: trial.get(one.mean),
            one.by_seed: trial.get(one.by_seed),
            "epochs": len(trial["curves"][0]) if trial["curves"] else 0,
            "reason": trial.get("reason"),
        }
        for number, trial in enumerate(one.trials, 1)
    ]


def best_of(one: Searched, data_dir: Path | None) -> dict[str, Any]:
    """The best trial, and the shell line that trains it and then reads the test set.

    Args:
        one: the search, of which at least one trial was trained to the end.
        data_dir: folder of the data sets, if the user gave one.

    Returns:
        trial, settings, figures, `at_the_edge` (the names of settings at the edge of their range), and `command`.
    """
    best = one.best or {}
    config: TrainConfig = changed(one.row, best["settings"])
    of_rows = {name: getattr(config, name) for name in OF_ROWS}
    line = command_line(config, Path("runs/best"), "train", **of_rows, data_dir=data_dir)
    return {
        "trial": one.trials.index(best) + 1,
        "settings": best["settings"],
        one.mean: best[one.mean],
        one.by_seed: best[one.by_seed],
        "at_the_edge": [name for name, value in best["settings"].items() if one.space[name].is_edge(value)],
        "command": with_own_files(line, [config]),
    }
