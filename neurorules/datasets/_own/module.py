"""Data that a function of the user's makes: `module:function`, from the current folder or an installed package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neurorules.contracts.data_set import DataPlace, DataSet
from neurorules.language.errors import UserError, nearest
from neurorules.language.options import convert
from neurorules.language.settings import Task
from neurorules.language.user_module import call, current_folder, function_of, parsed

SIZES = 3
"""Numbers of a sensor's size: columns, rows, polarities."""


@dataclass(frozen=True)
class ModuleData:
    """The data that a user's function returns, read as `data=` of `neurorules.train` is.

    Args:
        text: `module:function` with options, as the user wrote it. `batch_first=true` and `sensor_size=34x34x2` are
            those of `neurorules.train`, and so are `task=regression` and `keys=pixels+digit`; all others are arguments
            of the function.
        module: dotted path of the module.
        function: name of the function in it.
        options: texts by name.
    """

    text: str
    module: str
    function: str
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_text(cls, text: str) -> ModuleData:
        """Read a data set's text of the form `module:function:key=value`.

        Raises:
            UserError: it is written otherwise.
        """
        parts = parsed(text)
        if parts is None:
            from neurorules.datasets import DATASETS

            close = nearest(text.strip().partition(":")[0], DATASETS.names())
            hint = f"Did you mean '{close}'?" if close else "Write a data set's name, a path, or module:function"
            raise UserError(f"data '{text}' is neither a data set, nor a path, nor module:function. {hint}")
        module, function, options = parts
        return cls(text, module, function, tuple(options.items()))

    def load(self, data_dir: DataPlace = None) -> DataSet:
        """Call the function, and read what it returns; `data_dir` is not used.

        Raises:
            UserError: there is no such function, it raises an error, or returns what cannot be read.
        """
        from neurorules.datasets._own import own_data

        options = dict(self.options)
        first, size = options.pop("batch_first", None), options.pop("sensor_size", None)
        task, keys = options.pop("task", None), options.pop("keys", None)
        where = f"data '{self.text}'"
        with current_folder():
            value = call(where, self.function, self._function(where), options)
            return own_data(
                value,
                batch_first=None if first is None else convert(f"{where}, option 'batch_first'", bool, first),
                sensor_size=None if size is None else _sensor_size(size, where),
                name=self.text,
                task=None if task is None else convert(f"{where}, option 'task'", Task, task),
                keys=None if keys is None else keys.split("+"),
            )

    def _function(self, where: str) -> Callable[..., Any]:
        from neurorules.datasets import DATASETS

        close = nearest(self.module, DATASETS.names())
        hint = f"Did you mean '{close}'?" if close else "Check its name, or change to the folder that holds it"
        absent = f"there is no data set and no module '{self.module}'. {hint}"
        return function_of(where, self.module, self.function, absent, "(train, test)")


def _sensor_size(text: str, where: str) -> tuple[int, int, int]:
    pieces = text.lower().split("x")
    if len(pieces) != SIZES or not all(piece.isdigit() for piece in pieces):
        raise UserError(f"{where}: sensor_size is '{text}'. Write columns x rows x polarities, such as 34x34x2")
    width, height, polarities = map(int, pieces)
    return width, height, polarities
