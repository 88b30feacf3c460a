"""`compare`: train every rule with every seed, gather the results, go on where a stopped comparison was."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import joblib

from neurorules.compare.controls import with_controls
from neurorules.compare.folds import in_folds, seeds_of
from neurorules.compare.gather import gather
from neurorules.compare.measures import watch
from neurorules.compare.paths import settle, train
from neurorules.compare.rows import check_words, folder_name, name_of, parse_rows
from neurorules.datasets import open_dataset
from neurorules.disk.lock import owned_folder
from neurorules.language.config import PathName, SettledConfig, TrainConfig, config_from
from neurorules.language.errors import MissingExtra, UserError, unknown
from neurorules.language.options import parse_list
from neurorules.language.ranges import Count, Seeds, check_range
from neurorules.runs.allocator import keep_freed_memory
from neurorules.runs.folder import CONFIG, RESULT, RunFolder
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.orphans import stopped_without_parent
from neurorules.runs.plain_json import plain, to_json
from neurorules.runs.progress import track
from neurorules.torch_path.batches import settled_by_data


class Planned(NamedTuple):
    """One run of a comparison: the name of its row, and its configuration."""

    row: str
    config: SettledConfig

    def folder(self, out: Path) -> Path:
        """Where it is kept below the folder of the comparison: one row and seed, one folder."""
        return out / folder_name(self.row) / f"seed{self.config.seed}"


def plan(
    config: TrainConfig,
    rules: str,
    seeds: int,
    hardware: str = "none",
    paths: str | None = None,
    controls: str = "none",
    folds: int | None = None,
) -> list[Planned]:
    """One run for each row, path, hardware and seed; controls come last. A row that stands twice is run once.

    Args:
        config: what all share; its signal may be several, comma-separated, which are rows of their own.
        rules: comma-separated rules with options and settings of their own (see `rows.parse_row`).
        seeds: how many, from the configuration's own on.
        hardware: comma-separated device models.
        paths: comma-separated, torch or brian2; None for the configuration's own.
        controls: comma-separated, or none (see `controls.with_controls`).
        folds: cross-validate with so many; seeds then count the folds. None: the data's own parts.

    Raises:
        UserError: no rule, an unknown rule or control, fewer than one seed, two rows that would share a folder, seeds
            beside folds, or data without folds.
    """
    check_range("--seeds", seeds, Seeds)
    if folds is not None:
        seeds = seeds_of(folds, seeds)
    routes = [config.path] if paths is None else [_path(name) for name in parse_list(paths)]
    rows = [replace(row, path=route) for row in parse_rows(rules, config) for route in routes]
    runs = [
        settle(replace(row, hardware=device, seed=config.seed + seed))
        for row in with_controls(rows, config, controls)
        for device in parse_list(hardware)
        for seed in range(seeds)
    ]
    runs = runs if folds is None else in_folds(runs, folds, config.seed)
    for run in runs:
        check_words(run)
    planned = [Planned(name_of(run.as_dict(), config), run) for run in dict.fromkeys(runs)]
    check_folders(planned)
    return planned


def check_folders(planned: Sequence[Planned]) -> None:
    """Whether every run has a folder of its own.

    Raises:
        UserError: two rows would share one.
    """
    rows: dict[Path, str] = {}
    for run in planned:
        folder = run.folder(Path())
        if folder in rows:
            raise UserError(f"rows '{rows[folder]}' and '{run.row}' would share the folder {folder}. Leave one out")
        rows[folder] = run.row


def _path(name: str) -> PathName:
    match name:
        case "torch" | "brian2":
            return name
    raise unknown("path", name, ["torch", "brian2"])


def command_line(config: TrainConfig, out: Path, **options: Any) -> str:
    """The shell line that makes a comparison again: what differs from the defaults.

    Args:
        config: what all runs share.
        out: folder of the comparison.
        options: of the command itself, by name; None where not given.
    """
    own = TrainConfig().as_dict()
    given = {name: value for name, value in config.as_dict().items() if value != own[name] and name not in options}
    words = ["neurorules", "compare"]
    for name, value in {**options, **given, "out": out}.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def compare(
    planned: Sequence[Planned],
    out: Path,
    *,
    jobs: int = 1,
    dask: str | None = None,
    data_dir: Path | None = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = False,
    command: str = "",
) -> dict[str, Any]:
    """Train all configurations into folders below `out`, measure them, and write `compare.json` and its CSV files.

    Args:
        planned: from `plan`.
        out: folder of the comparison.
        jobs, dask: processes at once, or a Dask scheduler whose workers see `out`; each run then has one thread.
        data_dir: where data sets lie.
        force: replace an older comparison in `out`.
        resume: keep finished runs of the same configuration, go on with interrupted ones.
        quiet: no progress bars.
        command: the line that makes it again.

    Raises:
        UserError: `out` holds a comparison, or one that was begun with other settings.
    """
    tasks = [(run.config, run.folder(out)) for run in planned]
    with owned_folder(out):
        prepare_folder(out, [folder for _, folder in tasks], force, resume, "*/*")
        results = run_all(
            tasks, out, jobs=jobs, dask=dask, data_dir=data_dir, quiet=quiet, command="compare", measured=True
        )  # fmt: skip
        done = [(run.row, result, run.folder(out)) for run, result in zip(planned, results, strict=True)]
        return gather(done, out, command)


def run_all(
    tasks: Sequence[tuple[SettledConfig, Path]],
    out: Path,
    *,
    jobs: int,
    data_dir: Path | None,
    quiet: bool,
    command: str,
    dask: str | None = None,
    measured: bool = False,
) -> list[dict[str, Any]]:
    """Train every configuration into its folder; the results in order.

    Args:
        tasks: configurations and their run folders.
        out: the folder above them, as the user knows it.
        jobs: processes at once; each then runs on one thread.
        dask: address of a Dask scheduler that shares out the runs instead.
        command: that goes on with it after a stop.
        measured: whether a watcher measures every epoch.

    Raises:
        UserError: runs that were begun with other settings.
        Interrupted: the user stopped it; finished runs and checkpoints are kept.
    """
    check_range("--jobs", jobs, Count)
    apart = jobs > 1 or dask is not None
    if apart:
        tasks = [(replace(config, threads=config.threads or 1), folder) for config, folder in tasks]
    check_settings(tasks, out, data_dir)
    own = (data_dir, quiet or apart, measured, os.getpid())
    run = run_apart if jobs > 1 and dask is None else run_one
    calls = (joblib.delayed(run)(config, folder, *own) for config, folder in tasks)
    try:
        with workers(dask):
            if dask is not None:  # its backend hands back all results at once
                return list(joblib.Parallel(n_jobs=-1)(calls))
            pool = joblib.Parallel(n_jobs=min(jobs, max(1, len(tasks))), return_as="generator")
            return list(track(pool(calls), "training", len(tasks), quiet))
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped. Finished runs and checkpoints are kept in {out}. "
            f"Go on with the same options and: neurorules {command} --out {out} --resume"
        ) from None


@contextmanager
def workers(dask: str | None) -> Iterator[None]:
    """Inside the block joblib hands its calls to the cluster of a Dask scheduler; to nobody new where there is none.

    Raises:
        MissingExtra: dask is not installed.
        UserError: nobody answers at the address.
    """
    if dask is None:
        yield
        return
    try:
        from dask.distributed import Client
    except ImportError:
        raise MissingExtra("--dask", "distributed", "sweep") from None
    try:
        client = Client(dask, timeout="10s")
    except (OSError, ValueError) as error:
        raise UserError(f"no Dask scheduler answers at --dask {dask} ({error}). Start one: dask scheduler") from None
    with client, joblib.parallel_config(backend="dask"):
        yield


def check_settings(tasks: Sequence[tuple[SettledConfig, Path]], out: Path, data_dir: Path | None) -> None:
    """Whether runs that stand already were begun with the settings asked for; told before anything is trained.

    What a run of an earlier version left open is what its rule says. Where only one side says what the data set
    decides, the data set is asked.

    Raises:
        UserError: they were not; every setting is named with both values.
    """
    differing: dict[str, str] = {}
    source = cache(lambda data: open_dataset(data, data_dir))
    for config, folder in tasks:
        if not (folder / CONFIG).exists():
            continue
        stored, asked = settle(config_from(RunFolder(folder).config(), str(folder / CONFIG))), config
        if stored.data == asked.data and any(getattr(stored, a) != getattr(asked, a) for a in ("encode", "validation")):
            stored, asked = (settled_by_data(one, source(one.data)) for one in (stored, asked))
        wanted = plain(asked.as_dict())
        for name, value in plain(stored.as_dict()).items():
            if wanted[name] != value:
                differing.setdefault(name, f"{name} is {to_json(value)}, asked {to_json(wanted[name])}")
    if differing:
        raise UserError(
            f"the runs in {out} were begun with other settings: {'; '.join(differing.values())}. Ask for the same "
            f"ones, or give another --out"
        )


def prepare_folder(out: Path, folders: Sequence[Path], force: bool, resume: bool, depth: str) -> None:
    """Refuse, replace or keep what stands in `out`; only folders of runs are ever removed.

    Args:
        out: the folder of a comparison.
        folders: of the runs that are to be made.
        force, resume: replace what stands there, go on with it.
        depth: pattern of run folders below `out`.

    Raises:
        UserError: it holds other runs, or a run that is to be replaced is being written.
    """
    standing = [folder for folder in folders if (folder / CONFIG).exists()]
    older = sorted(found.parent for found in out.glob(f"{depth}/{CONFIG}"))
    if (standing or older) and not (force or resume):
        raise UserError(f"{out} holds other runs. Add --force to replace them, --resume to go on with them")
    if force and not resume:
        with ExitStack() as owned:
            for folder in older:  # all of them before the first is touched: one may be training
                owned.enter_context(owned_folder(folder))
            for folder in older:
                RunFolder(folder).remove()
                watch.remove(folder)
        for folder in older:
            if not any(folder.iterdir()):
                folder.rmdir()


def run_apart(
    config: SettledConfig, folder: Path, data_dir: Path | None, quiet: bool, measured: bool = False,
    parent: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`run_one` in a process that does nothing else."""
    keep_freed_memory()
    return run_one(config, folder, data_dir, quiet, measured, parent)


def run_one(
    config: SettledConfig, folder: Path, data_dir: Path | None, quiet: bool, measured: bool = False,
    parent: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One run: its stored result where it is finished, else trained, from its checkpoint where there is one.

    A worker whose `parent` ends stops, as if the user had asked it to.
    """
    if (folder / RESULT).exists():
        return RunFolder.finished(folder).read_result()
    begun = (folder / CONFIG).exists()
    watchers = [watch.Measures(config.batch_size)] if measured and config.path == "torch" else []
    with stopped_without_parent(parent):
        result = train(config, folder, data_dir=data_dir, resume=begun, quiet=quiet, watchers=watchers)
    watch.close(folder)
    return result
