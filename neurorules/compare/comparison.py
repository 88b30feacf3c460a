"""`compare`: train every rule with every seed, gather the results, go on where a stopped comparison was."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib

from neurorules.compare.controls import controls_of
from neurorules.compare.gather import gather
from neurorules.compare.measures import watch
from neurorules.compare.paths import settle, train
from neurorules.disk.lock import owned_folder
from neurorules.language.config import PathName, SettledConfig, TrainConfig
from neurorules.language.errors import MissingExtra, UserError, unknown
from neurorules.language.options import parse_list
from neurorules.runs.folder import CONFIG, RESULT, RunFolder
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.orphans import stopped_without_parent
from neurorules.runs.plain_json import plain, read_json, to_json
from neurorules.runs.progress import track


def plan(
    config: TrainConfig,
    rules: str,
    seeds: int,
    hardware: str = "none",
    paths: str | None = None,
    controls: str = "none",
) -> list[SettledConfig]:
    """One configuration for each rule, path, hardware and seed; controls come last.

    Args:
        config: what all share.
        rules: comma-separated rules with options.
        seeds: how many, from the configuration's own on.
        hardware: comma-separated device models.
        paths: comma-separated, torch or brian2; None for the configuration's own.
        controls: comma-separated, or none (see `controls.controls_of`).

    Raises:
        UserError: no rule, an unknown rule or control, or fewer than one seed.
    """
    names = parse_list(rules)
    if not names:
        raise UserError("--rules names no rule. Give a comma-separated list, for example sigprop,bptt,shallow")
    if seeds < 1:
        raise UserError(f"--seeds is {seeds}, must be at least 1")
    routes = [config.path] if paths is None else [_path(name) for name in parse_list(paths)]
    rows = [replace(config, rule=name, path=route) for name in names for route in routes]
    rows += [row for route in routes for row in controls_of(replace(config, path=route), names, controls)]
    return [
        settle(replace(row, hardware=device, seed=config.seed + seed))
        for row in rows
        for device in parse_list(hardware)
        for seed in range(seeds)
    ]


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
    configs: Sequence[SettledConfig],
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
        configs: from `plan`.
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
    tasks = [(config, folder_of(out, config)) for config in configs]
    with owned_folder(out):
        prepare_folder(out, [folder for _, folder in tasks], force, resume, "*/*")
        results = run_all(
            tasks, out, jobs=jobs, dask=dask, data_dir=data_dir, quiet=quiet, command="compare", measured=True
        )  # fmt: skip
        return gather([(result, folder) for result, (_, folder) in zip(results, tasks, strict=True)], out, command)


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
    apart = jobs > 1 or dask is not None
    if apart:
        tasks = [(replace(config, threads=config.threads or 1), folder) for config, folder in tasks]
    check_settings(tasks, out)
    own = (data_dir, quiet or apart, measured, os.getpid())
    calls = (joblib.delayed(run_one)(config, folder, *own) for config, folder in tasks)
    try:
        with workers(dask):
            if dask is not None:  # its backend hands back all results at once
                return list(joblib.Parallel(n_jobs=-1)(calls))
            pool = joblib.Parallel(n_jobs=jobs, return_as="generator")
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


def check_settings(tasks: Sequence[tuple[SettledConfig, Path]], out: Path) -> None:
    """Whether runs that stand already were begun with the settings asked for; told before anything is trained.

    Raises:
        UserError: they were not; every setting is named with both values.
    """
    differing: dict[str, str] = {}
    for config, folder in tasks:
        if (folder / CONFIG).exists():
            stored, asked = {**TrainConfig().as_dict(), **read_json(folder / CONFIG)}, plain(config.as_dict())
            for name, value in asked.items():
                if stored.get(name) != value:
                    differing.setdefault(name, f"{name} is {to_json(stored.get(name))}, asked {to_json(value)}")
    if differing:
        raise UserError(
            f"the runs in {out} were begun with other settings: {'; '.join(differing.values())}. Ask for the same "
            f"ones, or give another --out"
        )


def folder_of(out: Path, config: TrainConfig) -> Path:
    """The run folder of one configuration."""
    name = config.rule if config.targets == "own" else f"{config.rule}@{config.targets}_targets"
    name += "" if config.hardware == "none" else f"@{config.hardware}"
    name += "" if config.path == "torch" else f"@{config.path}"
    return out / name.replace(":", "_").replace("/", "_") / f"seed{config.seed}"


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


def run_one(
    config: SettledConfig, folder: Path, data_dir: Path | None, quiet: bool, measured: bool = False,
    parent: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One run: its stored result where it is finished, else trained, from its checkpoint where there is one.

    A worker whose `parent` ends stops, as if the user had asked it to.
    """
    if (folder / RESULT).exists():
        return RunFolder(folder).read_result()
    begun = (folder / CONFIG).exists()
    watchers = [watch.Measures(config.batch_size)] if measured and config.path == "torch" else []
    with stopped_without_parent(parent):
        result = train(config, folder, data_dir=data_dir, resume=begun, quiet=quiet, watchers=watchers)
    watch.close(folder)
    return result
