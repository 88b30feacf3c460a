"""Logs of a training for other programs: a CSV file, or a folder that TensorBoard reads, with one row an epoch."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurorules.language.errors import MissingExtra, UserError, unknown
from neurorules.language.options import parse_list
from neurorules.runs.atomic import write_text
from neurorules.runs.folder import CSV_LOG, TENSORBOARD_LOG

EPOCH = "epoch"
"""The figure of a row that numbers it."""


class Log(ABC):
    """Writes rows of training figures to a sink. It is called with each row, so that it can stand among the callbacks
    of `fit`.
    """

    @abstractmethod
    def __call__(self, row: Mapping[str, Any]) -> None:
        """Write one row of figures.

        Args:
            row: figures by name, `epoch` among them; a figure may hold figures by name, and None stands for none.
        """

    def close(self) -> None:  # noqa: B027 - a file that is written whole needs none
        """Write what is still to be written. The log can be used again after it."""

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class CsvLog(Log):
    """A CSV file with a line for each row. It is whole after each of them, and goes on where the file is there already.

    Args:
        path: the file.

    Raises:
        UserError: there is something else at the path.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
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
            raise UserError(f"{self.path} is no CSV file of epochs, and a log would replace it. Name another file")
        return rows

    def __call__(self, row: Mapping[str, Any]) -> None:
        """Append one row of figures to the CSV file. Rows that the file holds of this epoch and later ones stay where
        they were written before.

        Args:
            row: as in `Log`; figures in a figure have its name before their own, with a dot between.
        """
        self.write([*self.rows, flat(row)])

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Let the file hold these rows and no others."""
        self.rows = [dict(row) for row in rows]
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())


class TensorBoardLog(Log):
    """A folder of TensorBoard, in which every figure is a scalar over epochs.

    Args:
        folder: the folder of the log; a log that is there already goes on.
        begun: epochs that are kept of a log that is there; later ones are taken out. None keeps all of them.

    Raises:
        MissingExtra: tensorboard is not installed.
    """

    def __init__(self, folder: str | Path, begun: int | None = None) -> None:
        purge = None if begun is None else begun + 1
        self._writer = summary_writer()(str(folder), purge_step=purge)

    def __call__(self, row: Mapping[str, Any]) -> None:
        for name, value in flat(row).items():
            if name != EPOCH and isinstance(value, int | float):
                self._writer.add_scalar(name.replace(".", "/"), value, int(row[EPOCH]))
        self._writer.flush()

    def close(self) -> None:
        """Close the file; the next row opens another one in the same folder."""
        self._writer.close()


LOGS = {"csv": CSV_LOG, "tensorboard": TENSORBOARD_LOG}
"""Kinds of logs, and where each lies in a run folder."""


def kinds_of(text: str | None) -> tuple[str, ...]:
    """The kinds of logs that a comma-separated text names.

    Raises:
        UserError: a kind is unknown; the nearest is offered.
    """
    kinds = tuple(dict.fromkeys(parse_list(text or "")))
    for kind in kinds:
        if kind not in LOGS:
            raise unknown("log", kind, LOGS)
    return kinds


def check_installed(kinds: Sequence[str]) -> None:
    """Refuse, before anything is trained, a log whose package is not installed.

    Raises:
        MissingExtra: it is not.
    """
    if "tensorboard" in kinds:
        summary_writer()


def summary_writer() -> Any:
    """The writer of TensorBoard's files, a class.

    Raises:
        MissingExtra: tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingExtra("a log for TensorBoard", "tensorboard", "logging") from None
    return SummaryWriter


def logs_of_run(kinds: Sequence[str], run: Path, rows: Sequence[Mapping[str, Any]]) -> list[Log]:
    """Open the logs of a run, those included that it has already.

    Args:
        kinds: that are asked for.
        run: the run folder.
        rows: metrics of the epochs that the run has behind it, to which the logs are brought.

    Returns:
        The logs, to be called with each row to come.

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
    """The figures of a row in one mapping; None is left out.

    Args:
        row: figures by name, some of which may be figures by name themselves.
        before: begins every name.

    Returns:
        Figures by name; those of a figure under its name and their own, with a dot between.
    """
    figures: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            figures |= flat(value, f"{before}{name}.")
        elif value is not None:
            figures[before + name] = value
    return figures
