"""`reproduce`: trains the tables of a paper again, and puts the results beside the paper's numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurorules.compare.many_runs import prepare_folder, run_all
from neurorules.compare.table import mean_and_spread
from neurorules.contracts.target import first_figure
from neurorules.datasets import open_dataset
from neurorules.disk.lock import owned_folder
from neurorules.language.config import SettledConfig
from neurorules.language.errors import UserError
from neurorules.language.ranges import Seeds, check_range
from neurorules.papers.experiment import EXPERIMENT_FILE, Experiment, Experiments, gather, perform, seeded
from neurorules.papers.paper import Paper, Row, Table, Trained
from neurorules.papers.protocol import Protocols, measured
from neurorules.runner.dispatch import settle, with_data
from neurorules.runs.atomic import write_text
from neurorules.runs.folder import RESULT, RunFolder
from neurorules.runs.plain_json import read_json, to_json

RESULT_FILE = "reproduce.json"
OF_TRAINING = ("seeds", "epochs", "limit", "jobs", "data_dir", "resume")
"""Options that only the rows of a training read, or of an experiment; a protocol of one synapse reads none of them."""


def reproduce(
    paper: Paper,
    out: Path,
    *,
    seeds: int = 1,
    only: str | None = None,
    changed: dict[str, Any] | None = None,
    jobs: int = 1,
    data_dir: Path | None = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train the rows of a paper's tables into folders below `out`, and write `reproduce.json`.

    Args:
        paper: the paper with its tables.
        out: folder of the runs.
        seeds: number of seeds of each row.
        only: train only rows whose label or table's title contains this word, or each of several words joined by "+";
            None for all rows.
        changed: settings that replace those of the rows, by name, such as epochs.
        jobs, data_dir, force, resume, quiet: as in `compare`.

    Returns:
        title, source, notes and tables. Each table has its title, the reason if it was not trained, and rows of label,
        published, seeds, figure, test_accuracy and spread in 0..1 (for regression, test_mse and its spread), seconds
        and measures. Protocols, which are measured without training, are in `measured`, in the form of
        `protocol.measured`.

    Raises:
        UserError: no row has such a name, or `out` holds other runs.
    """
    check_range("--seeds", seeds, Seeds)
    wanted = [(table, row) for table in paper.tables for row in table.rows if _is_wanted(table.title, row.label, only)]
    _check_only(paper, only)
    on_data: tuple[Table | Experiments, ...] = (*paper.tables, *paper.experiments)
    missing = {table.title: why for table in on_data if (why := _why_missing(table.data, data_dir))}
    tasks = [
        (config, folder_of(out, table, row, config.seed))
        for table, row in wanted
        if table.title not in missing
        for config in _configs(row, seeds, changed or {}, data_dir)
    ]
    experiments = [
        (table.run, settings, folder_of(out, table, row, settings.seed))
        for table in paper.experiments
        for row in table.rows
        if table.title not in missing and _is_wanted(table.title, row.label, only)
        for settings in seeded(row, seeds, changed or {})
    ]
    with owned_folder(out):
        _refuse_other_paper(out, paper, resume)
        prepare_folder(out, [folder for _, folder in tasks], force, resume, "*/*/*", "reproduce")
        _replace_experiments(out, force and not resume)
        run_all(tasks, out, jobs=jobs, data_dir=data_dir, quiet=quiet, command="reproduce")
        perform(experiments, out, jobs, data_dir, quiet)
        content = _content(paper, out, missing, only, quiet)
        write_text(out / RESULT_FILE, to_json(content, indent=2) + "\n")
        return content


def _content(paper: Paper, out: Path, missing: dict[str, str], only: str | None, quiet: bool) -> dict[str, Any]:
    """Collect the content of `reproduce.json` after all runs have finished."""
    return {
        "title": paper.title,
        "source": paper.source,
        "notes": list(paper.notes),
        "measures": list(paper.measures),
        "tables": [
            *(_gather(paper, table, out, missing.get(table.title)) for table in paper.tables),
            *(_gather_experiments(table, out, missing.get(table.title)) for table in paper.experiments),
        ],
        "measured": measured(paper.protocols, lambda title, label: _is_wanted(title, label, only), quiet),
    }


def _check_only(paper: Paper, only: str | None) -> None:
    """Refuse a word that occurs in no row of a paper and in no title of its tables.

    Raises:
        UserError: there is no such row; the message names all rows.
    """
    tables: tuple[Table | Protocols | Experiments, ...] = (*paper.tables, *paper.protocols, *paper.experiments)
    if not any(_is_wanted(table.title, row.label, only) for table in tables for row in table.rows):
        labels = ", ".join(dict.fromkeys(row.label for table in tables for row in table.rows))
        raise UserError(f"--only {only} names no row. Rows: {labels}")


def check_options(paper: Paper, only: str | None, options: Mapping[str, str]) -> None:
    """Refuse options that no wanted row of a paper reads.

    Args:
        paper: the paper with its tables.
        only: as in `reproduce`.
        options: what the user wrote: each option, such as "--epochs", by its name.

    Raises:
        UserError: no row has the name, or no wanted row reads an option.
    """
    _check_only(paper, only)
    trained: tuple[Table | Experiments, ...] = (*paper.tables, *paper.experiments)
    if any(_is_wanted(table.title, row.label, only) for table in trained for row in table.rows):
        return
    unread = [option for name, option in options.items() if name in OF_TRAINING]
    if unread:
        raise UserError(
            f"{', '.join(unread)}: nothing is trained here, the rows of '{paper.title}' measure one synapse. Leave "
            f"{'it' if len(unread) == 1 else 'them'} out"
        )


def _replace_experiments(out: Path, replaces: bool) -> None:
    """Remove the results of experiments in `out`, if they are to be replaced."""
    for file in sorted(out.glob(f"*/*/*/{EXPERIMENT_FILE}")) if replaces else ():
        file.unlink()


def _refuse_other_paper(out: Path, paper: Paper, resume: bool) -> None:
    """Refuse to continue the tables of another paper.

    Raises:
        UserError: `out` holds some, and `resume` is set.
    """
    if not resume:
        return
    stored = read_json(out / RESULT_FILE) if (out / RESULT_FILE).is_file() else None
    title = stored.get("title") if isinstance(stored, dict) else None
    own = {_slug(title) for title in [table.title for table in paper.tables] + [t.title for t in paper.experiments]}
    there = {folder.parents[1].name for folder in out.glob("*/*/seed*")}
    if (title is None and there and not own & there) or title not in (None, paper.title):
        raise UserError(
            f"{out} holds the tables of {'another paper' if title is None else repr(title)}, asked {paper.title!r}. "
            f"Give another --out, or --force instead of --resume"
        )


def folder_of(out: Path, table: Table | Experiments, row: Row | Experiment, seed: int) -> Path:
    """The folder of a run.

    Args:
        out: folder of all runs.
        table: the table that the row belongs to.
        row: the row that is trained.
        seed: the seed of the run.

    Returns:
        A folder below `out`, named after the table, the row and the seed.
    """
    return out / _slug(table.title) / _slug(row.label) / f"seed{seed}"


def _slug(text: str) -> str:
    """A text as the name of a folder: small letters, digits, full stops and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


def _is_wanted(title: str, label: str, only: str | None) -> bool:
    """Whether a row's label or its table's title contains each of the words in `only`."""
    words = [] if only is None else only.lower().split("+")
    return all(word in label.lower() or word in title.lower() for word in words)


def _configs(row: Row, seeds: int, changed: dict[str, Any], data_dir: Path | None) -> list[SettledConfig]:
    """The configurations of all seeds of a row, with the changed settings and those that the data decide."""
    config, _ = with_data(replace(row.config, **changed), data_dir)
    return [settle(replace(config, seed=config.seed + seed)) for seed in range(seeds)]


def _why_missing(data: str, data_dir: Path | None) -> str | None:
    """The reason why a data set cannot be read; None if it can."""
    try:
        open_dataset(data, data_dir)
    except UserError as error:
        return str(error)
    return None


def _gather(paper: Paper, table: Table, out: Path, missing: str | None) -> dict[str, Any]:
    """The results of one table, as `reproduce.json` holds them."""
    return {
        "title": table.title,
        "missing": missing,
        "rows": [_gather_row(paper, row, _trained(out, table, row)) for row in table.rows],
    }


def _gather_experiments(table: Experiments, out: Path, missing: str | None) -> dict[str, Any]:
    """The results of one table of experiments, as `reproduce.json` holds them."""
    rows = [gather(table, row, folder_of(out, table, row, 0).parent) for row in table.rows]
    return {"title": table.title, "missing": missing, "rows": rows}


def _trained(out: Path, table: Table, row: Row) -> list[Trained]:
    """The finished runs of a row, one per seed, those of earlier calls included."""
    home = folder_of(out, table, row, 0).parent
    runs = []
    for folder in sorted(home.glob("seed*"), key=lambda path: int(path.name.removeprefix("seed"))):
        if (folder / RESULT).exists():
            run = RunFolder.finished(folder)
            runs.append(Trained(run.read_result(), run.read_metrics()))
    return runs


def _gather_row(paper: Paper, row: Row, trained: Sequence[Trained]) -> dict[str, Any]:
    """The results of one row over its seeds; None if no run has finished."""
    figure = first_figure(trained[0].result if trained else {})
    values = [one.result[f"test_{figure}"] for one in trained]
    mean, spread = mean_and_spread(values) if trained else (None, None)
    return {
        "label": row.label,
        "rule": row.config.rule,
        "published": None if row.published is None else row.published._asdict(),
        "seeds": len(trained),
        "epochs": trained[0].result["epochs"] if trained else None,
        "figure": figure,
        f"test_{figure}": mean,
        "spread": spread,
        "seconds": mean_and_spread([one.result["train_seconds"] for one in trained])[0] if trained else None,
        "measures": {title: measure(trained) if trained else "-" for title, measure in paper.measures.items()},
    }
