"""Logs of training for other programs: a CSV file or a TensorBoard folder, with one row per epoch."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurorules.language.errors import MissingExtra, UserError, unknown
from neurorules.language.options import parse_list
from neurorules.language.paths import path_from
from neurorules.runs.atomic import write_text
from neurorules.runs.folder import CSV_LOG, TENSORBOARD_LOG

EPOCH = "epoch"
"""The key of the epoch number in a row."""


class Log(ABC):
    """A callable that writes rows of training figures, and can be used as a callback of `fit`."""

    @abstractmethod
    def __call__(self, row: Mapping[str, Any]) -> None:
        """Write one row of figures.

        Args:
            row: figures by name, including `epoch`; a figure may be a dictionary of figures, and None means no value.
        """

    def close(self) -> None:  # noqa: B027 - a file that is written whole needs none
        """Write all pending data; the log can be used again afterwards."""

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class CsvLog(Log):
    """A CSV file with a line for each row. It is complete after every row, and an existing file is continued.

    Args:
        path: the file.

    Raises:
        UserError: the path is not such a CSV file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path_from("path", path)
        self.rows: list[dict[str, Any]] = []
        if self.path.exists():
            self.rows = self._read()

    def _read(self) -> list[dict[str, Any]]:
        try:
            reader = csv.DictReader(io.StringIO(self.path.read_text(encoding="utf-8")))
            rows = [*reader]
            whole = EPOCH in (reader.fieldnames or ())
            whole = whole and all(str(row[EPOCH]).isdecimal() and None not in row for row in rows)
        except (OSError, ValueError, csv.Error):
            whole = False
        if not whole:
            raise UserError(f"{self.path} is not a CSV file of epochs, and a log would replace it. Name another file")
        return rows

    def __call__(self, row: Mapping[str, Any]) -> None:
        """Append one row of figures to the CSV file.

        Args:
            row: figures as in `Log`; nested figures are named with a dot, `outer.inner`.
        """
        self.write([*self.rows, flat(row)])

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace the content of the file by these rows."""
        self.rows = [dict(row) for row in rows]
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())


class TensorBoardLog(Log):
    """A TensorBoard folder in which every figure is a scalar over epochs.

    Args:
        folder: the folder of the log; an existing log is continued.
        begun: number of epochs to keep of an existing log; None keeps all of them.

    Raises:
        MissingExtra: tensorboard is not installed.
    """

    def __init__(self, folder: str | Path, begun: int | None = None) -> None:
        purge = None if begun is None else begun + 1
        self._writer = summary_writer()(str(path_from("folder", folder)), purge_step=purge)

    def __call__(self, row: Mapping[str, Any]) -> None:
        for name, value in flat(row).items():
            if name != EPOCH and isinstance(value, int | float):
                self._writer.add_scalar(name.replace(".", "/"), value, int(row[EPOCH]))
        self._writer.flush()

    def close(self) -> None:
        """Close the file; the next row opens a new file in the same folder."""
        self._writer.close()


LOGS = {"csv": CSV_LOG, "tensorboard": TENSORBOARD_LOG}
"""The kinds of logs, and the name of each in a run folder."""


def kinds_of(text: str | None) -> tuple[str, ...]:
    """Parse a comma-separated list of kinds of logs.

    Raises:
        UserError: a kind is unknown; the message names the nearest one.
    """
    kinds = tuple(dict.fromkeys(parse_list(text or "")))
    for kind in kinds:
        if kind not in LOGS:
            raise unknown("log", kind, LOGS)
    return kinds


def check_installed(kinds: Sequence[str]) -> None:
    """Check before training that the packages of all logs are installed.

    Raises:
        MissingExtra: a package is not installed.
    """
    if "tensorboard" in kinds:
        summary_writer()


def summary_writer() -> Any:
    """The class that writes TensorBoard files.

    Raises:
        MissingExtra: tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingExtra("a log for TensorBoard", "tensorboard", "logging") from None
    return SummaryWriter


def logs_of_run(kinds: Sequence[str], run: Path, rows: Sequence[Mapping[str, Any]]) -> list[Log]:
    """Open the logs of a run, including those that it already has.

    Args:
        kinds: the kinds of logs that the user asked for.
        run: the run folder.
        rows: metrics of the finished epochs, with which the logs are made to agree.

    Returns:
        The logs, to be called with each following row.

    Raises:
        MissingExtra: tensorboard is not installed.
    """
    logs: list[Log] = []
    wanted = [kind for kind, place in LOGS.items() if kind in kinds or (run / place).exists()]
    for kind in wanted:
        if kind == "csv":
            (run / CSV_LOG).unlink(missing_ok=True)
            log = CsvLog(run / CSV_LOG)
            log.write([flat(row) for row in rows])
            logs.append(log)
        else:
            new = not (run / TENSORBOARD_LOG).exists()
            board = TensorBoardLog(run / TENSORBOARD_LOG, len(rows))
            for row in rows if new else ():
                board(row)
            logs.append(board)
    return logs


def close_logs(logs: Sequence[Log]) -> None:
    """Close all logs of a run."""
    for log in logs:
        log.close()


def flat(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Flatten the figures of a row into one dictionary, without None.

    Args:
        row: figures by name, some of which may be dictionaries of figures.
        before: a prefix of every name.

    Returns:
        Figures by name; nested figures are named with a dot, `outer.inner`.
    """
    figures: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            figures |= flat(value, f"{before}{name}.")
        elif value is not None:
            figures[before + name] = value
    return figures
