"""`compare`: train every rule with every seed, gather the results, go on where a stopped comparison was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib

from neurorules.compare.paths import settle, train
from neurorules.language.config import PathName, SettledConfig, TrainConfig
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import parse_list
from neurorules.runs.atomic import write_text
from neurorules.runs.folder import CONFIG, RESULT, RunFolder
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.plain_json import to_json
from neurorules.runs.progress import track

RESULT_FILE = "compare.json"


def plan(
    config: TrainConfig, rules: str, seeds: int, hardware: str = "none", paths: str | None = None
) -> list[SettledConfig]:
    """One configuration for each rule, path, hardware and seed.

    Args:
        config: what all share.
        rules: comma-separated rules with options.
        seeds: seeds 0..seeds-1 beyond the configuration's own.
        hardware: comma-separated device models.
        paths: comma-separated, torch or brian2; None for the configuration's own.

    Raises:
        UserError: no rule, an unknown rule, or fewer than one seed.
    """
    names = parse_list(rules)
    if not names:
        raise UserError("--rules names no rule. Give a comma-separated list, for example sigprop,bptt,shallow")
    if seeds < 1:
        raise UserError(f"--seeds is {seeds}, must be at least 1")
    routes = [config.path] if paths is None else [_path(name) for name in parse_list(paths)]
    return [
        settle(replace(config, rule=name, path=route, hardware=device, seed=config.seed + seed))
        for name in names
        for route in routes
        for device in parse_list(hardware)
        for seed in range(seeds)
    ]


def _path(name: str) -> PathName:
    match name:
        case "torch" | "brian2":
            return name
    raise unknown("path", name, ["torch", "brian2"])


def compare(
    configs: Sequence[SettledConfig],
    out: Path,
    *,
    jobs: int = 1,
    data_dir: Path | None = None,
    force: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train all configurations into folders below `out`, and write `compare.json`.

    Args:
        configs: from `plan`.
        out: folder of the comparison.
        jobs: processes at once; each then runs on one thread.
        data_dir: where data sets lie.
        force: replace an older comparison in `out`.
        resume: keep finished runs of the same configuration, go on with interrupted ones.
        quiet: no progress bars.

    Raises:
        UserError: `out` holds a comparison, or a run in it was begun with other options.
    """
    tasks = [(config, folder_of(out, config)) for config in configs]
    prepare_folder(out, [folder for _, folder in tasks], force, resume, "*/*")
    runs = run_all(tasks, out, jobs=jobs, data_dir=data_dir, quiet=quiet, command="compare")
    found = {"runs": runs, "alignment": [], "audit": []}
    write_text(out / RESULT_FILE, to_json(found, indent=2) + "\n")
    return found


def run_all(
    tasks: Sequence[tuple[SettledConfig, Path]],
    out: Path,
    *,
    jobs: int,
    data_dir: Path | None,
    quiet: bool,
    command: str,
) -> list[dict[str, Any]]:
    """Train every configuration into its folder; the results in order.

    Args:
        tasks: configurations and their run folders.
        out: the folder above them, as the user knows it.
        jobs: processes at once; each then runs on one thread.
        command: that goes on with it after a stop.

    Raises:
        Interrupted: the user stopped it; finished runs and checkpoints are kept.
    """
    if jobs > 1:
        tasks = [(replace(config, threads=config.threads or 1), folder) for config, folder in tasks]
    calls = (joblib.delayed(run_one)(config, folder, data_dir, quiet or jobs > 1) for config, folder in tasks)
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator")
    try:
        return list(track(pool(calls), "training", len(tasks), quiet))
    except (Interrupted, KeyboardInterrupt):
        raise Interrupted(
            f"stopped. Finished runs and checkpoints are kept in {out}. "
            f"Go on with the same options and: neurorules {command} --out {out} --resume"
        ) from None


def folder_of(out: Path, config: TrainConfig) -> Path:
    """The run folder of one configuration."""
    name = config.rule if config.hardware == "none" else f"{config.rule}@{config.hardware}"
    name += "" if config.path == "torch" else f"@{config.path}"
    return out / name.replace(":", "_").replace("/", "_") / f"seed{config.seed}"


def prepare_folder(out: Path, folders: Sequence[Path], force: bool, resume: bool, depth: str) -> None:
    """Refuse, replace or keep what stands in `out`; only folders of runs are ever removed.

    Args:
        out: the folder of a comparison.
        folders: of the runs that are to be made.
        force, resume: replace what stands there, go on with it.
        depth: pattern of run folders below `out`.
    """
    standing = [folder for folder in folders if (folder / CONFIG).exists()]
    older = sorted(found.parent for found in out.glob(f"{depth}/{CONFIG}"))
    if (standing or older) and not (force or resume):
        raise UserError(f"{out} holds other runs. Add --force to replace them, --resume to go on with them")
    if force and not resume:
        for folder in older:
            RunFolder(folder).remove()
            if not any(folder.iterdir()):
                shutil.rmtree(folder)
    out.mkdir(parents=True, exist_ok=True)


def run_one(config: SettledConfig, folder: Path, data_dir: Path | None, quiet: bool) -> dict[str, Any]:
    """One run: its stored result where it is finished, else trained, from its checkpoint where there is one."""
    if (folder / RESULT).exists():
        RunFolder.resume(folder, config.as_dict())
        return dict(json.loads((folder / RESULT).read_text(encoding="utf-8")))
    begun = (folder / CONFIG).exists()
    return train(config, folder, data_dir=data_dir, resume=begun, quiet=quiet)
