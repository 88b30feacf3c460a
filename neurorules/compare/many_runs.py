"""Many runs, each in a folder of its own: trained one after another, in processes beside each other, or by Dask."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import joblib

from neurorules.compare.measures import watch
from neurorules.datasets import open_dataset
from neurorules.disk.lock import owned_folder
from neurorules.language.config import SettledConfig, config_from
from neurorules.language.errors import MissingExtra, UserError
from neurorules.language.ranges import Count, check_range
from neurorules.runner.dispatch import settle, train
from neurorules.runs.allocator import keep_freed_memory
from neurorules.runs.folder import CONFIG, RESULT, RunFolder
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.orphans import stopped_without_parent
from neurorules.runs.plain_json import plain, to_json
from neurorules.runs.progress import track
from neurorules.torch_path.training.batches import settled_by_data


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
