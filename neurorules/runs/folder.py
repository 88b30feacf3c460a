"""The folder of one run, with its configuration, one row of metrics per epoch, its result and its weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from neurorules.contracts.target import FIGURES_OF
from neurorules.language.config import TrainConfig, config_from, in_todays_words
from neurorules.language.errors import UserError
from neurorules.language.options import parse_named
from neurorules.language.own_files import is_path
from neurorules.language.registry import OWN_PARTS
from neurorules.runs import checkpoint
from neurorules.runs.atomic import remove_leftovers, remove_places, write_text
from neurorules.runs.plain_json import plain, read_json, to_json
from neurorules.runs.seal import SEAL, SEAL_FILE, check_config, check_seal, digest_of_config, seal_of
from neurorules.runs.tensors import load_tensors, save_tensors

CONFIG, METRICS, RESULT, WEIGHTS = "config.json", "metrics.jsonl", "result.json", "weights.safetensors"
OWN_FILES = "own_files"
"""Name of the folder, in a run folder, with copies of the user's own files that the run used."""
NET = "net.safetensors"
"""The file that describes a net which `--net` cannot express, with its initial weights; written at the start of the
run."""
CSV_LOG, TENSORBOARD_LOG = "metrics.csv", "tensorboard"
"""Names of a run's logs for other programs."""
BESIDE = (OWN_FILES, CSV_LOG, TENSORBOARD_LOG)
"""Further files and folders of a run, which are removed with it when it is replaced."""
RUN_FILES = (RESULT, SEAL_FILE, WEIGHTS, METRICS, *checkpoint.FILES, NET, CONFIG)

FIRST_KEYS = (
    *("rule", "data", "net", "neuron", "steps", "seed", "epochs", "train_samples", "test_samples"),
    *("test_accuracy", "validation_accuracy", "train_seconds", "samples_per_second", "peak_memory_mb"),
    *("spikes_per_sample", "synops_per_sample", "needs", "versions"),
)
"""Keys that `result.json` has had since the first version; a file without one of them is damaged. For tasks other than
classes, their figures replace the accuracies (`contracts.target.FIGURES_OF`)."""
RESULT_KEYS = (*FIRST_KEYS, "lr", "readout_lr", "optimizer", "readout_optimizer", "encode")
"""Keys that must be in `result.json` when it is written; there may be others."""


def _of_task(keys: Sequence[str], result: Mapping[str, Any]) -> list[str]:
    """Replace the accuracies among some keys by the figures of the result's task; without a task it is one of
    classes."""
    names = FIGURES_OF.get(result.get("task", "classes"), ())
    parts = [(key.removesuffix("accuracy"), key.endswith("_accuracy")) for key in keys]
    return [one for part, figures in parts for one in ([part + name for name in names] if figures else [part])]


@dataclass(frozen=True)
class RunFolder:
    """One run on the disk, opened by `create`, `resume` or `finished`. Every file is written completely or not at all.

    Args:
        path: the folder.
    """

    path: Path

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any], force: bool = False) -> RunFolder:
        """Create the folder of a new run.

        Args:
            path: the folder, which is created if it is missing.
            config: settings of the run, as JSON values.
            force: remove the files of an older run first; other files are never touched.

        Returns:
            The folder, with the configuration in it.

        Raises:
            UserError: the folder contains another run, or `path` is not a folder.
        """
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file, a run needs a folder. Give another --out")
        folder = cls(path)
        if any((path / name).exists() for name in RUN_FILES):
            if not force:
                raise UserError(f"{path} holds another run. Add --force to replace it, --resume to continue it")
            folder.remove()
        path.mkdir(parents=True, exist_ok=True)
        write_text(path / CONFIG, to_json(config, indent=2) + "\n")
        return folder

    @classmethod
    def resume(
        cls,
        path: Path,
        config: Mapping[str, Any],
        may_differ: Collection[str] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        """Open a run to continue it.

        Args:
            path: the folder.
            config: the requested settings, which must equal the stored ones.
            may_differ: keys that may have another value, such as "epochs"; the new value is stored.
            defaults: values of keys that a run of an earlier version did not store, or stored as null.

        Returns:
            The folder.

        Raises:
            UserError: there is no run, or other keys differ; the message names each with both values.
        """
        folder = cls(path)
        present = {key: value for key, value in in_todays_words(folder.config()).items() if value is not None}
        stored, wanted = {**plain(defaults or {}), **present}, plain(config)
        differing = {key for key in {**stored, **wanted} if stored.get(key) != wanted.get(key)}
        forbidden = sorted(differing - set(may_differ))
        if forbidden:
            texts = (f"{key} is {to_json(stored.get(key))}, asked {to_json(wanted.get(key))}" for key in forbidden)
            raise UserError(
                f"the run in {path} was begun with other options: {'; '.join(texts)}. Ask for the same ones"
            )
        remove_leftovers(path, RUN_FILES)
        if differing:
            # A checkpoint belongs to one configuration, so it is rewritten for the new one.
            newest = checkpoint.load(path, folder.config())
            complete = {**stored, **wanted}
            write_text(path / CONFIG, to_json(complete, indent=2) + "\n")
            if newest is not None:
                checkpoint.save(path, *newest, complete)
        return folder

    @classmethod
    def finished(cls, path: Path) -> RunFolder:
        """Open a finished run to read it.

        Raises:
            UserError: there is no run in `path`, it has not finished, or its configuration or weights were changed
                afterwards.
        """
        folder = cls(path)
        config = folder.config()
        if not ((path / RESULT).exists() and (path / WEIGHTS).exists()):
            raise UserError(f"the run in {path} has not finished. Finish it first: train ... --resume")
        check_seal(path, folder.read_result(), config, WEIGHTS)
        return folder

    def config(self) -> dict[str, Any]:
        """The configuration of the run.

        Raises:
            UserError: there is no run in the folder; the message names runs one level below.
        """
        if not (self.path / CONFIG).is_file():
            below = sorted(str(file.parent) for file in self.path.glob(f"*/{CONFIG}"))
            hint = f"Runs below it: {', '.join(below)}" if below else "A run folder is what train --out DIR makes"
            raise UserError(f"there is no run in {self.path}, {CONFIG} is missing. {hint}")
        return _without_paths(self.path / CONFIG, _object(self.path / CONFIG))

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Append the metrics of one epoch to `metrics.jsonl` as one line, and flush it to the disk."""
        path = self.path / METRICS
        # An incomplete last line would be joined with the next one, so rewrite the complete lines first.
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            self.truncate_metrics(len(self.read_metrics()))
        with path.open("a", encoding="utf-8") as file:
            file.write(to_json(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read_metrics(self) -> list[dict[str, Any]]:
        """All rows of metrics, oldest first. An incomplete last line is ignored.

        Raises:
            UserError: a line before the last is damaged.
        """
        path = self.path / METRICS
        if not path.exists():
            return []
        *lines, _cut_short = path.read_text(encoding="utf-8", errors="replace").split("\n")
        try:
            rows = [json.loads(line) for line in lines]
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged ({error}). Remove the line, or begin again with --force") from None
        for number, row in enumerate(rows, 1):
            if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
                raise UserError(
                    f"{path} is damaged: line {number} is not a row of an epoch. Remove it, or begin again with --force"
                )
        return rows

    def truncate_metrics(self, epochs: int) -> None:
        """Remove all rows except the first `epochs` ones, so that a resumed run agrees with its checkpoint."""
        rows = self.read_metrics()[:epochs]
        write_text(self.path / METRICS, "".join(to_json(row) + "\n" for row in rows))

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write the digests of the run's files and then `result.json`, which marks the run as finished.

        Raises:
            ValueError: a key of `RESULT_KEYS` is missing.
        """
        missing = [key for key in _of_task(RESULT_KEYS, result) if key not in result]
        if missing:
            raise ValueError(f"the result lacks {', '.join(missing)}")
        seal = seal_of(self.config(), self.path / WEIGHTS)
        write_text(self.path / SEAL_FILE, to_json(seal, indent=2) + "\n")
        write_text(self.path / RESULT, to_json(result, indent=2) + "\n")

    def read_result(self) -> dict[str, Any]:
        """The result of a finished run; older names of values are replaced by the current ones.

        Raises:
            UserError: the file is damaged.
        """
        result = _object(self.path / RESULT)
        missing = [key for key in _of_task(FIRST_KEYS, result) if key not in result]
        if missing:
            lacks = ", ".join(missing)
            raise UserError(f"{self.path / RESULT} is damaged: it lacks {lacks}. Train the run again with --force")
        return in_todays_words(_without_paths(self.path / RESULT, result))

    def save_weights(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Write `weights.safetensors`, which contains every tensor that learning has changed, by name."""
        save_tensors(self.path / WEIGHTS, tensors, {SEAL: digest_of_config(self.config())})

    def load_weights(self) -> dict[str, torch.Tensor]:
        """Read `weights.safetensors` to the CPU.

        Raises:
            UserError: the file is missing or damaged, or belongs to another configuration.
        """
        tensors, texts = load_tensors(self.path / WEIGHTS)
        check_config(self.path / WEIGHTS, texts.get(SEAL), self.config())
        return tensors

    def remove(self) -> None:
        """Remove the files of the run and no others; the configuration is removed last."""
        remove_places([self.path / name for name in BESIDE])
        for name in RUN_FILES:
            (self.path / name).unlink(missing_ok=True)
        remove_leftovers(self.path, RUN_FILES)


def _object(path: Path) -> dict[str, Any]:
    """Read a JSON file that contains an object.

    Raises:
        UserError: the file contains something else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged: it holds no names and values. Restore it, or train again with --force")
    return content


def _without_paths(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Refuse settings from a folder that contain paths of Python files, so that reading a folder never runs code.

    Raises:
        UserError: a setting is the path of a Python file; runs store only names.
    """
    for name in OWN_PARTS:
        if isinstance(text := settings.get(name), str) and is_path(parse_named(text or name)[0]):
            raise UserError(f"{path} names the file '{text:.60}' as its {name}: it was edited. Restore it")
    return settings


def open_run(
    path: Path,
    config: TrainConfig,
    resume: bool,
    force: bool,
    settle: Callable[[TrainConfig], TrainConfig] = lambda stored: stored,
) -> RunFolder:
    """Open the folder of a run that starts or continues.

    Args:
        path: the folder.
        config: the requested settings, with none left open.
        resume: continue the run in `path`.
        force: replace the run in `path`.
        settle: a function that fills in settings that a run of an earlier version left open; unknown settings get their
            defaults.

    Returns:
        The folder.

    Raises:
        UserError: as in `RunFolder.create` and `RunFolder.resume`.
    """
    if resume:
        stored = settle(config_from(RunFolder(path).config(), str(path / CONFIG)))
        return RunFolder.resume(path, config.as_dict(), defaults=stored.as_dict())
    return RunFolder.create(path, config.as_dict(), force)
