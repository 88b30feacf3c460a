"""Runs in continuous time that are small enough for tests: without a compiler, with few test samples, in short runs."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from neurorules.brian2_continuous import trainer
from neurorules.brian2_continuous.parts.interpreted import Interpreted


def keep_small(
    monkeypatch: pytest.MonkeyPatch, samples: int, presentations: int | None = None, *more: ModuleType
) -> None:
    """Let circuits run by Brian2's numpy target until the test ends.

    Args:
        monkeypatch: of the test.
        samples: number of test samples.
        presentations: number of presentations of one run; None for the usual one.
        more: modules beside the trainer that load the data, or count presentations.
    """
    load = trainer.load_data

    def fewer(*arguments: Any) -> Any:
        data = load(*arguments)
        first = (data.test.samples[:samples], data.test.labels[:samples])
        test = data.test.__class__(*first, data.test.encoder, data.test.steps)
        return data.__class__(data.source, data.train, data.validation, test)

    monkeypatch.setattr(trainer, "machine_for", Interpreted)
    for module in (trainer, *more):
        if hasattr(module, "load_data"):
            monkeypatch.setattr(module, "load_data", fewer)
        if presentations is not None and hasattr(module, "PRESENTATIONS"):
            monkeypatch.setattr(module, "PRESENTATIONS", presentations)
