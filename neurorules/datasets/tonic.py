"""Event data sets of the package tonic, downloaded already: `tonic:NMNIST:frames=20`, or any other class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from neurorules.contracts.data_set import DataSet
from neurorules.datasets._files import given_path, search_folders
from neurorules.datasets._held_out import tested_mask
from neurorules.datasets._kept_events import fingerprint, kept_events
from neurorules.language.errors import MissingExtra, UserError, unknown
from neurorules.language.ranges import Range, Steps, ranged

WAYS = ({"train": True}, {"train": False}), ({"split": "train"}, {"split": "test"})
"""Arguments by which classes of tonic tell training from test; one that takes neither comes in one part."""


@ranged("data set 'tonic'")
@dataclass(frozen=True)
class Tonic:
    """A class of `tonic.datasets`, whose files lie in a folder of the class's name, as tonic leaves them.

    Any subset of its files will do. Nothing is downloaded: `tonic.datasets.NMNIST(FOLDER)` does that in Python.

    Args:
        name: the name of the class, such as NMNIST, DVSGesture or SHD.
        frames: number of time steps that events are counted into; `none` leaves it to --steps.
        path: the folder that was tonic's `save_to`; `none` looks in --data-dir, NEURORULES_DATA and the cache folder.
        test: share of the samples of each class that is tested, for a class that comes in one part.
    """

    name: str = ""
    frames: Steps | None = None
    path: str | None = None
    test: Annotated[float, Range("(0, 1)")] | None = None

    def load(self, data_dir: Path | None = None) -> DataSet:
        """Read all recordings, from the cache where they were read before.

        Raises:
            UserError: an unknown class, files that are not there, or samples that are no events with one class each.
            MissingExtra: tonic is not installed.
        """
        dataset = self._class()
        folder = self._folder(dataset, data_dir)
        text = f"tonic:{dataset.__name__}"
        stem = f"tonic-{fingerprint(folder / dataset.__name__, dataset.__name__, self.test)}"
        data = kept_events(stem, lambda: self._read(dataset, folder, text))
        return replace(data, steps=self.frames, origin=f"tonic.datasets.{dataset.__name__} in {folder}")

    def own_steps(self, data_dir: Path | None = None) -> int | None:
        """The option `frames`; nothing is read."""
        return self.frames

    def _read(self, dataset: type[Any], folder: Path, text: str) -> DataSet:
        from neurorules.datasets._own import own_data

        taken = inspect.signature(dataset).parameters
        ways = [way for way in WAYS if next(iter(way[0])) in taken]
        if ways and self.test is not None:
            raise UserError(f"data '{text}' come with a test part, and test={self.test} asks for another. Leave it out")
        if ways:
            train, test = (_opened(dataset, folder, arguments) for arguments in ways[0])
        else:
            train, test = _split(_opened(dataset, folder, {}), self.test, text)
        data = own_data((train, test), name=text)
        if data.kind != "events":
            raise UserError(
                f"data '{text}': its samples are not events. Make frames in a function, --data module:function"
            )
        return data

    def _class(self) -> type[Any]:
        try:
            from tonic import datasets
        except ImportError:
            raise MissingExtra("data 'tonic'", "tonic", "events") from None
        classes = {name: vars(datasets)[name] for name in datasets.__all__}
        if not self.name:
            raise UserError(f"data 'tonic' needs a class of tonic.datasets. Write tonic:NAME, of {', '.join(classes)}")
        exact = {name.lower(): name for name in classes}.get(self.name.lower())
        if exact is None:
            raise unknown("class of tonic.datasets", self.name, classes)
        dataset: type[Any] = classes[exact]
        return dataset

    def _folder(self, dataset: type[Any], data_dir: Path | None) -> Path:
        """tonic's `save_to`: the first folder that holds one of the class's name.

        Raises:
            UserError: there is none.
        """
        folders = [given_path("tonic", self.path, data_dir)] if self.path else search_folders("tonic", data_dir)
        for folder in folders:
            if (folder / dataset.__name__).is_dir():
                return folder
        raise _missing(dataset, folders[0])


def _opened(dataset: type[Any], folder: Path, arguments: Mapping[str, Any]) -> Any:
    """A data set of tonic over the files that are there; tonic itself would download what it finds incomplete.

    Raises:
        UserError: there is no recording.
    """
    there = {"_check_exists": lambda self: True, "download": lambda self: None}
    try:
        opened = type(dataset.__name__, (dataset,), there)(str(folder), **arguments)
    except (OSError, ValueError, TypeError, IndexError, KeyError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise _missing(dataset, folder, f" (tonic says {reason:.160})") from error
    if not isinstance(opened, Sized) or not len(opened):
        raise _missing(dataset, folder)
    return opened


def _missing(dataset: type[Any], folder: Path, reason: str = "") -> UserError:
    name = dataset.__name__
    return UserError(
        f"data 'tonic:{name}' are not downloaded, or not whole: {folder / name} holds no samples that tonic reads"
        f"{reason}. Download them in Python with tonic.datasets.{name}('{folder}'), or name tonic's save_to: "
        f"tonic:{name}:path=FOLDER"
    )


def _split(whole: Any, share: float | None, text: str) -> tuple[Any, Any]:
    """Training and test part of a data set that comes in one part."""
    from torch.utils.data import Subset

    targets = whole.targets if len(whole.targets) == len(whole) else [whole[index][1] for index in range(len(whole))]
    tested = tested_mask(np.asarray(targets), share, text)
    return Subset(whole, np.flatnonzero(~tested).tolist()), Subset(whole, np.flatnonzero(tested).tolist())


ENTRY = Tonic
