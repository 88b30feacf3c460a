"""The result of a training in Python: a dictionary with a view for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurorules.runs.shown.markup import picture, table

SHOWN = ("rule", "data", "net", "neuron", "steps", "epochs", "seed", "train_samples")
"""Keys whose values are shown unchanged."""


class Result(dict[str, Any]):
    """The content of `result.json` as a dictionary. A notebook shows it as a table and a small figure.

    Args:
        values: the result.
        rows: metrics of the epochs, if the run has a folder.
    """

    def __init__(self, values: Mapping[str, Any], rows: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(values)
        self._rows = [*rows]

    def __repr__(self) -> str:
        words = [f"{name}={self.get(name)!r}" for name in SHOWN[:3]]
        words += [f"{name}={text}" for name, text in _accuracies(self).items()]
        return f"<Result {', '.join(words)}; {len(self)} keys>"

    def _repr_html_(self) -> str:
        rows = [(name.replace("_", " "), str(self[name])) for name in SHOWN if name in self]
        rows += [(name.replace("_", " "), text) for name, text in _accuracies(self).items()]
        rows += [("spikes per sample", f"{self['spikes_per_sample']:.0f}")] if "spikes_per_sample" in self else []
        return table((), rows, f"{self.get('rule')} on {self.get('data')}") + self._picture()

    def _picture(self) -> str:
        """A figure of the validation accuracy over epochs if it is known, otherwise of the mean rates of layers."""
        from neurorules.runs.shown.pictures import bars, curve  # drawing is imported only when something is shown

        values = [row.get("validation_accuracy") for row in self._rows]
        numbers = [value for value in values if value is not None]
        if len(numbers) > 1:
            return picture(curve(numbers, "validation accuracy"), "validation accuracy after each epoch")
        rates = {name: [rate] for name, rate in (self.get("mean_rates") or {}).items()}
        return picture(bars(rates, "spikes per neuron and step"), "mean rates of the layers") if rates else ""


def _accuracies(result: Mapping[str, Any]) -> dict[str, str]:
    """Accuracies in per cent, by name."""
    names = ("test_accuracy", "validation_accuracy")
    return {name: f"{100 * result[name]:.2f} %" for name in names if result.get(name) is not None}
