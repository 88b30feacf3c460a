"""Many runs in separate folders, trained one after another, in several processes, or on a Dask cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import joblib

from neurorules.compare.measures import watch
from neurorules.compare.slurm import slurm_cluster
from neurorules.contracts.data_set import DataPlace
from neurorules.datasets import open_dataset
from neurorules.disk.lock import owned_folder
from neurorules.exchange.imported import Imported
from neurorules.language.config import SettledConfig, config_from
from neurorules.language.errors import MissingExtra, UserError
from neurorules.language.ranges import Jobs, check_range
from neurorules.runner.dispatch import settle, train
from neurorules.runs.allocator import keep_freed_memory
from neurorules.runs.folder import CONFIG, RESULT, RunFolder
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.orphans import stopped_without_parent
from neurorules.runs.other_process import as_here, replaced_quietly
from neurorules.runs.own_copies import check_unchanged
from neurorules.runs.plain_json import plain, to_json
from neurorules.runs.progress import track
from neurorules.runs.standing import check_folder
from neurorules.torch_path.training.batches import settled_by_data
from neurorules.torch_path.training.own_parts import own_files_of
from neurorules.torch_path.training.stored_net import check_begun_with

SLURM = "slurm"
"""The word that, instead of a scheduler's address, requests workers from SLURM's queue."""


def run_all(
    tasks: Sequence[tuple[SettledConfig, Path]],
    out: Path,
    *,
    jobs: int,
    data_dir: DataPlace,
    quiet: bool,
    command: str,
    dask: str | None = None,
    measured: bool = False,
    net: Imported | None = None,
    one: Callable[..., dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Train every configuration into its folder.

    Args:
        tasks: configurations and their run folders.
        out: the folder above them, as the user wrote it.
        jobs: number of processes at once; with more than one, each runs on one thread.
        data_dir: folder of the data sets, None for the default folder; or the data set itself.
        quiet: show no progress bars.
        command: the name of the command that continues these runs after a stop.
        dask: the address of a Dask scheduler that distributes the runs; None for none.
        measured: whether the runs are measured after every epoch.
        net: that of all configurations if it is made of modules; None for nets that are given as text.
        one: a function that trains one run, with the arguments of `run_one`; None for `run_one` itself.

    Returns:
        The results of the runs, in the order of the tasks.

    Raises:
        UserError: runs were begun with other settings, or with other weights of the net.
        Interrupted: the user stopped it; finished runs and checkpoints are kept.
    """
    check_range("--jobs", jobs, Jobs)
    apart = jobs > 1 or dask is not None
    tasks = [(replace(config, threads=threads_begun_with(config, folder, apart)), folder) for config, folder in tasks]
    if apart:
        tasks = [(config, folder.absolute()) for config, folder in tasks]
        data_dir = data_dir.absolute() if isinstance(data_dir, Path) else data_dir
    check_settings(tasks, out, data_dir)
    if net is not None:
        for config, folder in tasks:
            check_begun_with(folder, net, config.init)
    own = (data_dir, quiet or apart, measured, os.getpid())
    one = one or run_one
    run = partial(run_apart, one) if jobs > 1 and dask is None else one
    call = as_here(run, same_machine=dask is None) if apart else run
    calls = (joblib.delayed(call)(config, folder, *own, net=net) for config, folder in tasks)
    try:
        with workers(dask, jobs), replaced_quietly():
            if dask is not None:  # its backend returns all results at once
                return list(joblib.Parallel(n_jobs=-1)(calls))
            pool = joblib.Parallel(n_jobs=min(jobs, max(1, len(tasks))), return_as="generator")
            return list(track(pool(calls), "training", len(tasks), quiet))
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped. Finished runs and checkpoints are kept in {out}. "
            f"Go on with the same options and: neurorules {command} --out {out} --resume"
        ) from None


def threads_begun_with(config: SettledConfig, folder: Path, apart: bool) -> int | None:
    """The number of threads of one run: the user's value, or that of the interrupted run, or 1 if other runs are
    parallel.

    Args:
        config: the requested configuration.
        folder: the folder of the run.
        apart: whether runs have processes of their own.

    Returns:
        The number; None if the run decides it.
    """
    if config.threads is None and (folder / CONFIG).exists():
        begun: int | None = RunFolder(folder).config().get("threads")
        return begun
    return config.threads or (1 if apart else None)


@contextmanager
def workers(dask: str | None, jobs: int = 1) -> Iterator[None]:
    """Inside the block, let joblib use a Dask cluster, if there is one.

    Args:
        dask: the address of a scheduler, or slurm to request workers from a queue; None for none.
        jobs: the number of jobs that are requested from the queue, >= 1.

    Returns:
        Nothing, for the block.

    Raises:
        MissingExtra: Dask is not installed.
        UserError: no scheduler answers at the address, or there is no queue.
    """
    if dask is None:
        yield
        return
    try:
        from dask.distributed import Client
    except ImportError:
        raise MissingExtra("--dask", "distributed", "sweep") from None
    with ExitStack() as stack:
        if dask == SLURM:  # the scheduler is in this process, and logs each connection
            talk = logging.getLogger("distributed")
            stack.callback(talk.setLevel, talk.level)
            talk.setLevel(logging.WARNING)
        cluster = stack.enter_context(slurm_cluster(jobs)) if dask == SLURM else None
        try:
            client = stack.enter_context(Client(cluster or dask, timeout="10s"))
        except (OSError, ValueError) as error:
            raise UserError(
                f"no Dask scheduler answers at --dask {dask} ({error}). Start one: dask scheduler"
            ) from None
        if cluster is not None:
            client.wait_for_workers(1)
        stack.enter_context(joblib.parallel_config(backend="dask"))
        yield


def check_settings(tasks: Sequence[tuple[SettledConfig, Path]], out: Path, data_dir: DataPlace) -> None:
    """Check before training that existing runs in these folders have the requested settings.

    For settings that a run of an earlier version left open, the values of its rule are used. If only one side has the
    settings that the data set determines, the data set is opened and determines them for both.

    Args:
        tasks: configurations and their run folders.
        out: the folder above them, as the user wrote it.
        data_dir: folder of the data sets, None for the default folder; or the data set itself.

    Raises:
        UserError: settings differ; the message names each with both values. Or a finished run learned from other data,
            or by another file.
    """
    differing: dict[str, str] = {}
    source = cache(lambda data: open_dataset(data, data_dir))
    for config, folder in tasks:
        if not (folder / CONFIG).exists():
            continue
        check_unchanged(folder, own_files_of(config))
        if (folder / RESULT).exists():
            learned = RunFolder(folder).read_result().get("data_checksum")
            if learned not in (None, source(config.data).checksum):
                raise UserError(
                    f"data '{config.data}' are not those that the run in {folder} learned from: their content differs. "
                    f"Put the earlier data back, or give another --out"
                )
        stored, wanted = settle(config_from(RunFolder(folder).config(), str(folder / CONFIG))), config
        if stored.data == wanted.data and any(
            getattr(stored, a) != getattr(wanted, a) for a in ("encode", "validation")
        ):
            stored, wanted = (settled_by_data(one, source(one.data)) for one in (stored, wanted))
        values = plain(wanted.as_dict())
        for name, value in plain(stored.as_dict()).items():
            if values[name] != value:
                differing.setdefault(name, f"{name} is {to_json(value)}, asked {to_json(values[name])}")
    if differing:
        raise UserError(
            f"the runs in {out} were begun with other settings: {'; '.join(differing.values())}. Ask for the same "
            f"ones, or give another --out"
        )


def prepare_folder(
    out: Path, folders: Sequence[Path], force: bool, resume: bool, depth: str, command: str
) -> None:  # fmt: skip
    """Refuse, replace or keep the content of `out`. Only folders of runs are ever removed.

    Args:
        out: folder of a comparison.
        folders: the folders of the runs to train.
        force: replace existing runs.
        resume: continue existing runs, even if `force` is set.
        depth: glob pattern of run folders below `out`, such as "*/*".
        command: the command that writes into `out` (see `runs.standing.check_folder`).

    Raises:
        UserError: the folder holds other runs, or work of another kind, or a run that would be replaced is being
            written.
    """
    standing = [folder for folder in folders if (folder / CONFIG).exists()]
    older = sorted(path.parent for path in out.glob(f"{depth}/{CONFIG}"))
    if (standing or older) and not (force or resume):
        raise UserError(f"{out} holds other runs. Add --force to replace them, --resume to go on with them")
    check_folder(out, command, force, resume)
    if force and not resume:
        with ExitStack() as owned:
            for folder in older:  # all are locked before the first is removed, since one may be training
                owned.enter_context(owned_folder(folder))
            for folder in older:
                RunFolder(folder).remove()
                watch.remove(folder)
        for folder in older:
            if not any(folder.iterdir()):
                folder.rmdir()


def run_apart(one: Callable[..., dict[str, Any]], *arguments: Any, **named: Any) -> dict[str, Any]:
    """Train one run in a process of its own, with the allocator setting of `runs.allocator`.

    Args:
        one: the function that trains the run, such as `run_one`.
        arguments, named: the arguments of `one`.

    Returns:
        The run's result.
    """
    keep_freed_memory()
    return one(*arguments, **named)


def run_one(
    config: SettledConfig, folder: Path, data_dir: DataPlace, quiet: bool, measured: bool = False,
    parent: int | None = None, net: Imported | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Train one run, starting from its checkpoint if there is one; a finished run is not trained again.

    Args:
        config: the configuration of the run.
        folder: the folder of the run.
        data_dir: folder of the data sets, None for the default folder; or the data set itself.
        quiet: show no progress bar.
        measured: whether the run is measured after every epoch; runs in continuous time are not.
        parent: process id of the comparison. If that process ends, the worker stops as if the user had stopped it.
        net: that of the configuration if it is made of modules; None for a net that is given as text.

    Returns:
        The run's result, as in `result.json`.
    """
    if (folder / RESULT).exists():
        return RunFolder.finished(folder).read_result()
    begun = (folder / CONFIG).exists()
    watchers = [watch.Measures(config.batch_size)] if measured and config.path == "torch" else []
    with stopped_without_parent(parent):
        result = train(config, folder, data_dir=data_dir, resume=begun, quiet=quiet, watchers=watchers, net=net)
    watch.close(folder)
    return result
