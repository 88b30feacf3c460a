"""The folder of one run: its configuration, a row of metrics per epoch, its result, its weights."""

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
"""Name of the folder, in a run folder, with copies of the user's own files that the run learned by."""
NET = "net.safetensors"
"""Describes the net of a run where no text can, with what it began with; such a run has it from the start."""
CSV_LOG, TENSORBOARD_LOG = "metrics.csv", "tensorboard"
"""Names of a run's logs for other programs."""
BESIDE = (OWN_FILES, CSV_LOG, TENSORBOARD_LOG)
"""Files and folders that a run may have beside its own files, and that go with it when it is replaced."""
RUN_FILES = (RESULT, SEAL_FILE, WEIGHTS, METRICS, *checkpoint.FILES, NET, CONFIG)

FIRST_KEYS = (
    *("rule", "data", "net", "neuron", "steps", "seed", "epochs", "train_samples", "test_samples"),
    *("test_accuracy", "validation_accuracy", "train_seconds", "samples_per_second", "peak_memory_mb"),
    *("spikes_per_sample", "synops_per_sample", "needs", "versions"),
)
"""Keys that `result.json` has held from the first version on. A file that lacks one of them is damaged. The figures of
other tasks than classes stand in the place of the accuracies (`contracts.target.FIGURES_OF`)."""
RESULT_KEYS = (*FIRST_KEYS, "lr", "readout_lr", "optimizer", "readout_optimizer", "encode")
"""Keys that `result.json` holds at least when it is written; it may hold others."""


def _of_task(keys: Sequence[str], result: Mapping[str, Any]) -> list[str]:
    """The keys that a result of its task holds; one that names no task is of classes."""
    names = FIGURES_OF.get(result.get("task", "classes"), ())
    parts = [(key.removesuffix("accuracy"), key.endswith("_accuracy")) for key in keys]
    return [one for part, figures in parts for one in ([part + name for name in names] if figures else [part])]


@dataclass(frozen=True)
class RunFolder:
    """One run on the disk. It comes from `create`, `resume` or `finished`; every file is written whole or not at all.

    Args:
        path: the folder.
    """

    path: Path

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any], force: bool = False) -> RunFolder:
        """Create the folder of a new run.

        Args:
            path: the folder, which is created where it is missing.
            config: settings of the run, of values that JSON can hold.
            force: remove the files of an older run first; files of other names are never touched.

        Returns:
            The folder, which holds the configuration.

        Raises:
            UserError: the folder holds another run, or `path` is no folder.
        """
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file, a run needs a folder. Give another --out")
        folder = cls(path)
        if any((path / name).exists() for name in RUN_FILES):
            if not force:
                raise UserError(f"{path} holds another run. Add --force to replace it, --resume to go on with it")
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
        """Open a run to go on with it.

        Args:
            path: the folder.
            config: the settings that are asked for; they must equal the stored ones.
            may_differ: keys that may have another value now, such as "epochs"; the new value is stored.
            defaults: values of keys that a run of an earlier version did not know, or stored as null.

        Returns:
            The folder.

        Raises:
            UserError: there is no run, or other keys differ; each is named with both values.
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
            # A checkpoint belongs to one configuration: it goes along to the new one.
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
            UserError: there is no run in `path`, it has not finished, or its configuration or its weights were changed
                after it had finished.
        """
        folder = cls(path)
        config = folder.config()
        if not ((path / RESULT).exists() and (path / WEIGHTS).exists()):
            raise UserError(f"the run in {path} has not finished. Go on with it first: train ... --resume")
        check_seal(path, folder.read_result(), config, WEIGHTS)
        return folder

    def config(self) -> dict[str, Any]:
        """The configuration of the run.

        Raises:
            UserError: there is no run in the folder; runs in folders one level below are named.
        """
        if not (self.path / CONFIG).is_file():
            below = sorted(str(file.parent) for file in self.path.glob(f"*/{CONFIG}"))
            hint = f"Runs below it: {', '.join(below)}" if below else "A run folder is what train --out DIR makes"
            raise UserError(f"there is no run in {self.path}, {CONFIG} is missing. {hint}")
        return _without_paths(self.path / CONFIG, _object(self.path / CONFIG))

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add the metrics of one epoch to `metrics.jsonl` as one line, which is on the disk when this returns."""
        path = self.path / METRICS
        # A line cut short by a stop would swallow the next one: rewrite the whole lines first.
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            self.truncate_metrics(len(self.read_metrics()))
        with path.open("a", encoding="utf-8") as file:
            file.write(to_json(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read_metrics(self) -> list[dict[str, Any]]:
        """All rows of metrics, oldest first. A last line that was cut short by a stop is left out.

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
                    f"{path} is damaged: line {number} is no row of an epoch. Remove it, or begin again with --force"
                )
        return rows

    def truncate_metrics(self, epochs: int) -> None:
        """Remove all rows but the first `epochs` ones, as a resumed run does to agree with its checkpoint."""
        rows = self.read_metrics()[:epochs]
        write_text(self.path / METRICS, "".join(to_json(row) + "\n" for row in rows))

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write `result.json`, which marks the run as finished, and before it the digests of its files. It is written
        last.

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
        """The result of a finished run; older words for a value stand as the word of today.

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
        """Write `weights.safetensors`: every tensor that learning has changed, by name."""
        save_tensors(self.path / WEIGHTS, tensors, {SEAL: digest_of_config(self.config())})

    def load_weights(self) -> dict[str, torch.Tensor]:
        """Read `weights.safetensors`, on the CPU.

        Raises:
            UserError: the file is missing or damaged, or belongs to another configuration.
        """
        tensors, texts = load_tensors(self.path / WEIGHTS)
        check_config(self.path / WEIGHTS, texts.get(SEAL), self.config())
        return tensors

    def remove(self) -> None:
        """Remove the files of the run and nothing else, its configuration last."""
        remove_places([self.path / name for name in BESIDE])
        for name in RUN_FILES:
            (self.path / name).unlink(missing_ok=True)
        remove_leftovers(self.path, RUN_FILES)


def _object(path: Path) -> dict[str, Any]:
    """Read a JSON file of names and values.

    Raises:
        UserError: it holds something else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged, it holds no names and values. Restore it, or train again with --force")
    return content


def _without_paths(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Refuse a file that names Python files as parts: what is read from a folder never says what is run.

    Raises:
        UserError: it names one. What a run writes are names.
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
    """Open the folder of a run that begins or goes on.

    Args:
        path: the folder.
        config: the settings that are asked for, with nothing left open.
        resume: go on with the run in `path`.
        force: replace the run in `path`.
        settle: fills in what a run of an earlier version left open; settings that it did not know have their defaults.

    Returns:
        The folder.

    Raises:
        UserError: see `RunFolder.create` and `RunFolder.resume`.
    """
    if resume:
        stored = settle(config_from(RunFolder(path).config(), str(path / CONFIG)))
        return RunFolder.resume(path, config.as_dict(), defaults=stored.as_dict())
    return RunFolder.create(path, config.as_dict(), force)
