"""Building `compare.json` from finished runs: shared settings, differing settings, lists of measures, and one row per
rule.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neurorules.audit import audit_settings, problems_of, settings_of
from neurorules.audit.settings import Settings
from neurorules.compare.controls import control_of
from neurorules.compare.folds import without_fold
from neurorules.compare.measures.lists import alignment_rows, epoch_rows, finished, layer_rows
from neurorules.compare.measures.summary import rule_rows
from neurorules.compare.measures.tables import write_tables
from neurorules.compare.report import COMPARISON_FILE, write_report
from neurorules.compare.rows import name_of, shared_by
from neurorules.disk.lock import owned_folder
from neurorules.language.config import SETTINGS, config_from
from neurorules.language.errors import UserError
from neurorules.language.own_files import standing_for
from neurorules.runner.dispatch import settle
from neurorules.runs.atomic import write_text
from neurorules.runs.folder import RunFolder
from neurorules.runs.own_copies import digests_of, files_of
from neurorules.runs.plain_json import plain, to_json
from neurorules.runs.standing import check_folder

_log = logging.getLogger(__name__)

FORMAT, VERSION = "neurorules-compare", 3
AXES = ("rule", "seed", "targets", "hardware", "path")
"""The settings that distinguish rows. All others are shared, or set by each rule."""
SHARED = (
    "data",
    "data_checksum",
    "task",
    "net",
    "readout",
    "epochs",
    "train_samples",
    "validation_samples",
    "test_samples",
)
"""The settings that runs must share to be compared in one table."""
NET_LAYERS = "net_layers"
"""The key of a result with the layers of a net of modules in one line; other nets are described by their text."""


def gather(results: Sequence[tuple[str, Mapping[str, Any], Path]], out: Path, command: str) -> dict[str, Any]:
    """Write `compare.json` and its CSV files into `out`, and return the content of the first.

    Args:
        results: name of the row, result and folder of each finished run, in the order of the table.
        out: folder of the comparison.
        command: the shell line that repeats it.

    Returns:
        The content of `compare.json`, as plain JSON values.
    """
    runs = [{**completed(r), "rule": row, "plain_rule": r["rule"], "control": control_of(r)} for row, r, _ in results]
    measured = [finished(run, folder) for run, (_, _, folder) in zip(runs, results, strict=True)]
    epochs = epoch_rows(measured)
    settings, differing = _settings(runs)
    names = dict.fromkeys(run["plain_rule"] for run in runs)
    audit = audited(runs)
    comparison = {
        "format": FORMAT,
        "format_version": VERSION,
        "title": f"{', '.join(names)} on {settings['data']}, net {runs[0]['net']}",
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": runs[0]["versions"],
        "machine": machine(runs),
        "settings": settings,
        "differing": differing,
        "runs": runs,
        "alignment": alignment_rows(measured),
        "layers": layer_rows(measured),
        "epochs": epochs,
        "rules": rule_rows(measured, epochs, lambda rule: problems_of(rule, audit)),
        "audit": audit,
    }
    stored: dict[str, Any] = plain(comparison)
    write_text(out / COMPARISON_FILE, to_json(stored, indent=2) + "\n")
    write_tables(stored, out)
    write_report(stored, out)
    return stored


def audited(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Audit what the updates of each row depend on, with the settings of the row's own runs.

    Returns:
        The result of `audit.audit_settings`. Rows that cannot be audited are in `left_out`, with the reason.
    """
    by_row: dict[str, Settings] = {}
    left_out: dict[str, str] = {}
    for run in runs:
        name, why = run["rule"], why_not_audited(run)
        if why is None and by_row.setdefault(name, settings_of(run)) != settings_of(run):
            why = "its runs differ in settings that an audit holds fixed"
        if why is not None:
            left_out[name] = why
    audit = audit_settings({name: settings for name, settings in by_row.items() if name not in left_out})
    audit["left_out"] = {**left_out, **audit["left_out"]}
    reasons: dict[str, list[str]] = {}
    for name, why in audit["left_out"].items():
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        rows = f"row '{names[0]}'" if len(names) == 1 else f"{len(names)} rows, such as '{names[0]}'"
        _log.warning("the report says nothing of what updates depend on in %s: %s", rows, why)
    return audit


def why_not_audited(run: Mapping[str, Any]) -> str | None:
    """The reason why an audit cannot measure a run as it was trained; None if it can."""
    if run.get("path", "torch") != "torch":
        return "learning in continuous time cannot be disturbed by the audit"
    if run.get("hardware", "none") != "none":
        return "the audit runs without device models"
    return None


def gather_runs(folders: Sequence[Path], out: Path, command: str, force: bool = False) -> dict[str, Any]:
    """Combine finished runs from any folders into one comparison.

    Args:
        folders: folders of the runs, in the order of the table.
        out: folder of the comparison.
        command: the shell line that repeats it.
        force: replace the files of another comparison in `out`.

    Returns:
        The content of `compare.json`.

    Raises:
        UserError: a folder holds no finished run, the runs cannot be compared (the settings are named), a rule and seed
            occur twice, or `out` holds another comparison.
    """
    with standing_for(_files_of(folders)):
        return _gather_runs(folders, out, command, force)


def _files_of(folders: Sequence[Path]) -> dict[str, Path]:
    """The user's own files behind names in several runs.

    Raises:
        UserError: two runs learned by different files of one name, or as in `runs.own_copies.files_of`.
    """
    first: dict[str, tuple[str, Path]] = {}
    files: dict[str, Path] = {}
    for folder in folders:
        for name, digest in digests_of(folder).items():
            other, home = first.setdefault(name, (digest, folder))
            if other != digest:
                raise UserError(f"{home} and {folder} learned by different files of the name {name}.py. Leave one out")
        files |= files_of(folder)
    return files


def _gather_runs(folders: Sequence[Path], out: Path, command: str, force: bool) -> dict[str, Any]:
    results = [completed(RunFolder.finished(folder).read_result()) for folder in folders]
    check_comparable([{**result, "data": without_fold(result["data"])} for result in results], folders)
    shared = shared_by(results)
    names = [name_of(result, shared) for result in results]
    places: dict[tuple[str, int], Path] = {}
    for name, result, folder in zip(names, results, folders, strict=True):
        key = (name, result["seed"])
        if key in places:
            raise UserError(
                f"{places[key]} and {folder} are both {key[0]} with seed {key[1]}: a table counts a seed once. "
                f"Leave one out"
            )
        places[key] = folder
    with owned_folder(out):
        check_folder(out, "compare", force)
        return gather(list(zip(names, results, folders, strict=True)), out, command)


def completed(result: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a result of an earlier version: settings that were left open get the values of the run's rule."""
    settings = {name: result[name] for name in SETTINGS if name in result and name != "device"}
    complete = settle(config_from(settings, "a result")).as_dict()
    return {"task": "classes", **result, **{n: value for n, value in complete.items() if result.get(n) is None}}


def check_comparable(results: Sequence[Mapping[str, Any]], folders: Sequence[Path]) -> None:
    """Check that runs share data, net and epochs.

    Args:
        results: the results of the runs, at least one.
        folders: their folders, in the same order.

    Raises:
        UserError: they differ; the message names each setting with both values.
    """
    first = results[0]
    for result, folder in zip(results[1:], folders[1:], strict=True):
        differing = [key for key in SHARED if result.get(key) != first.get(key)]
        if differing:
            texts = (f"{key} is {to_json(first.get(key))} and {to_json(result.get(key))}" for key in differing)
            raise UserError(
                f"{folders[0]} and {folder} cannot be compared: {'; '.join(texts)}. Give runs that share these"
            )


def _settings(runs: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Settings that all runs share, and names of those that differ; settings that distinguish rows are left out."""
    runs = [{**run, "data": without_fold(run["data"])} for run in runs]
    names = [name for name in SETTINGS if name not in ("rule", "seed")]
    names += [NET_LAYERS] if NET_LAYERS in runs[0] else []
    shared = {name: runs[0].get(name) for name in names if all(r.get(name) == runs[0].get(name) for r in runs)}
    return shared, [name for name in names if name not in shared and name not in AXES]


def machine(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Describe the machine that runs this: processor, cores and system; and the most threads that a run had."""
    threads = [run["threads"] for run in runs if isinstance(run.get("threads"), int)]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": max(threads) if threads else None,
        "system": f"{platform.system()} {platform.release()}",
    }


def _processor() -> str:
    """The name of the processor, if the system provides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
