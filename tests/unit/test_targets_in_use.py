"""Targets that are no classes, from a user's data to what is stored, shown and loaded again."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import neurorules
from neurorules import Learner
from neurorules.compare.paper import write_paper
from neurorules.compare.table import as_markdown, rows_of
from neurorules.compare.tuning import tune
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.traces.plots.curves import shown_figure

SAMPLES, TESTED, INPUTS, STEPS = 160, 40, 6, 8
QUICK = {"net": "12", "epochs": 2, "batch_size": 32, "steps": 4}


def inputs() -> Tensor:
    return torch.rand(SAMPLES, INPUTS, generator=torch.Generator().manual_seed(0))


X = inputs()
VALUES = torch.stack([X[:, 0] + X[:, 1] - 1, X[:, 2] * X[:, 3]], 1)
LABELS = torch.stack([X[:, 0] > 0.4, X[:, 1] > 0.5, X[:, 2] > 0.8], 1).long()
SPIKES = (torch.rand(SAMPLES, STEPS, INPUTS, generator=torch.Generator().manual_seed(1)) < X[:, None]).float()
TRACE = SPIKES[..., :2].cumsum(1) / STEPS
LATE = (SPIKES[..., 0].cumsum(1) > 2).long()


def parts(x: Any, y: Any) -> tuple[Any, Any]:
    return (x[:-TESTED], y[:-TESTED]), (x[-TESTED:], y[-TESTED:])


class RegressionNet(nn.Module):
    """The net of a regression with snnTorch: its last neurons have no reset, and their membrane is the output."""

    def __init__(self, hidden: int = 32) -> None:
        snntorch = pytest.importorskip("snntorch")
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(1, hidden), snntorch.Leaky(beta=0.8)
        self.fc2, self.lif2 = nn.Linear(hidden, hidden), snntorch.Leaky(beta=0.8)
        self.fc_out, self.li_out = nn.Linear(hidden, 1), snntorch.Leaky(beta=0.6, reset_mechanism="none")

    def forward(self, x: Tensor, mem1: Any = None, mem2: Any = None, mem3: Any = None) -> tuple[Tensor, ...]:
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        _, mem3 = self.li_out(self.fc_out(spk2), mem3)
        return mem3, mem1, mem2, mem3


def ramps(count: int, seed: int, steps: int = 15) -> tuple[Tensor, Tensor]:
    """Inputs that rise linearly to a random end, and the square root of each, which the membrane is to follow."""
    end = torch.rand(count, 1, 1, generator=torch.Generator().manual_seed(seed))
    line = end * torch.linspace(0, 1, steps)[None, :, None]
    return line, line.sqrt()


def test_a_membrane_learns_to_follow_a_trace_and_frozen_layers_do_worse() -> None:
    x, y = ramps(192, 0)
    held, truth = ramps(64, 1)
    errors: dict[str, float] = {}
    for rule in ("shallow", "bptt", "local_readout"):
        torch.manual_seed(0)
        net = RegressionNet()
        learner = Learner(net, rule, task="regression_per_step", steps=15, lr=1e-2, readout_lr=1e-2)
        mixed = torch.Generator().manual_seed(1)
        loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True, generator=mixed)
        learner.fit(loader, epochs=8, batch_first=True)
        errors[rule] = learner.evaluate((held, truth), batch_first=True)["mse"]
        learner.write_back(net)
        mem: tuple[Any, ...] = (None, None, None)
        outputs = []
        with torch.no_grad():
            for step in held.transpose(0, 1):
                output, *mem = net(step, *mem)  # type: ignore[assignment]
                outputs.append(output)
        alone = float((torch.stack(outputs, 1) - truth).square().mean())
        assert alone == pytest.approx(errors[rule], rel=1e-3)
    assert all(errors[rule] < errors["shallow"] / 2 for rule in ("bptt", "local_readout")), errors


TASKS: dict[str, tuple[Tensor, Tensor, dict[str, Any]]] = {
    "regression": (X, VALUES, {}),
    "multilabel": (X, LABELS, {}),
    "regression_per_step": (SPIKES, TRACE, {"batch_first": True, "steps": None}),
    "classes_per_step": (SPIKES, LATE, {"batch_first": True, "steps": None, "task": "classes_per_step"}),
}
FIGURES = {
    "regression": ["mse", "mae", "r2"],
    "multilabel": ["f1", "label_accuracy", "exact_match"],
    "regression_per_step": ["mse", "mae", "r2"],
    "classes_per_step": ["accuracy"],
}


@pytest.mark.parametrize("task", TASKS)
def test_a_run_stores_the_figures_of_its_task_and_is_loaded_and_resumed(
    task: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    x, y, more = TASKS[task]
    settings = {**QUICK, "data": parts(x, y), **more}
    with caplog.at_level(logging.WARNING):
        result = neurorules.train("dfa", out=tmp_path / "run", **settings)
    told = [record.getMessage() for record in caplog.records if "targets" in record.getMessage()]
    assert len(told) == ("task" not in more) and all(f"task='{task}'" in line for line in told)
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    shown = [key for key in stored if key.startswith("test_") and key != "test_samples"]
    assert shown == [f"test_{name}" for name in FIGURES[task]] and stored["task"] == task
    assert ("classes" in stored, "outputs" in stored) == (("regression" not in task), "regression" in task)
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [rows[-1][f"validation_{name}"] for name in FIGURES[task]] == [
        stored[f"validation_{name}"] for name in FIGURES[task]
    ]
    assert any("accuracy" in key for key in stored | rows[-1]) == ("regression" not in task)
    again = neurorules.load(tmp_path / "run")
    tested = again.evaluate((x[-TESTED:], y[-TESTED:]), batch_first=more.get("batch_first"))
    assert tested[FIGURES[task][0]] == pytest.approx(result[f"test_{FIGURES[task][0]}"], rel=1e-6)
    (tmp_path / "run" / "result.json").unlink()
    resumed = neurorules.train("dfa", out=tmp_path / "run", resume=True, **settings)
    assert {key: resumed[key] for key in resumed if key.startswith(("test_", "valid"))} == {
        key: result[key] for key in result if key.startswith(("test_", "valid"))
    }


def test_every_form_of_data_is_learned_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (x, y), (u, v) = parts(X, VALUES)
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=u, y_test=v)
    np.savez(tmp_path / "whole.npz", x_train=x, y_train=y.round(), x_test=u, y_test=v.round())
    (tmp_path / "made_here.py").write_text(
        "import numpy as np\ndef make():\n    a = np.load('own.npz')\n"
        "    return (a['x_train'], a['y_train']), (a['x_test'], a['y_test'])\n"
    )
    monkeypatch.chdir(tmp_path)
    forms: list[Any] = [
        parts(X, VALUES),
        parts(X.numpy(), VALUES.numpy()),
        (TensorDataset(x, y), TensorDataset(u, v)),
        (DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True), DataLoader(TensorDataset(u, v))),
        ([(a, b) for a, b in zip(x, y, strict=True)], ((a, b) for a, b in zip(u, v, strict=True))),
        "own.npz",
        "npz:own.npz:task=regression",
        "made_here:make",
        "made_here:make:task=regression",
    ]
    found = [neurorules.train("dfa", data=data, **QUICK)["test_mse"] for data in forms]
    assert found == [found[0]] * len(forms)
    forced = neurorules.train("dfa", data="npz:whole.npz:task=regression", **QUICK)
    assert forced["task"] == "regression" and forced["outputs"] == 2


def test_whole_numbers_are_classes_unless_a_user_says_values(caplog: pytest.LogCaptureFixture) -> None:
    whole = (X[:, 0] * 3).floor()
    assert neurorules.train("shallow", data=parts(X, whole), **QUICK)["task"] == "classes"
    assert (
        "whole numbers that are stored as floats. Where they are something else, say task='regression'" in caplog.text
    )
    result = neurorules.train("shallow", data=parts(X, whole), task="regression", **QUICK)
    assert result["task"] == "regression" and result["outputs"] == 1


def test_a_comparison_shows_errors_and_no_accuracy(tmp_path: Path) -> None:
    settings = {**QUICK, "net": "6", "epochs": 1}
    found = neurorules.compare("dfa,bptt", tmp_path / "c", data=parts(X, VALUES), controls="shallow", **settings)
    table = as_markdown(rows_of(found["runs"]))
    assert "test mean squared error (R2) | validation mean squared error" in table and "%" not in table
    assert "ccuracy" not in table
    assert not [key for row in (*found["rules"], *found["runs"], *found["epochs"]) for key in row if "accuracy" in key]
    assert all(row["probe_accuracy"] is None for row in found["layers"])
    assert any(row["angle_deg"] is not None for row in found["alignment"])
    page = (tmp_path / "c" / "report.html").read_text()
    shown = re.sub(r"<[^>]+>", " ", page[: page.index("<script")])
    assert "mean squared error of" in shown and "accuracy" not in shown.replace("#accuracy", "")
    order = [row["rule"] for row in sorted(found["rules"], key=lambda row: row["test_mse"]["mean"])]
    places = [page.index(f'data-rule="{rule}"', page.index("Test figures by rule")) for rule in order]
    assert places == sorted(places)
    files = write_paper(found, tmp_path / "paper", charts=())
    texts = {file.name: file.read_text() for file in files if file.suffix != ".bib"}
    told = "and the mean squared error, mean absolute error and R2 are those after the last epoch"
    assert told in texts["methods.md"] and "(task `regression`)" in texts["methods.md"]
    assert not [name for name, text in texts.items() if "ccuracy" in text]


def test_tune_chooses_the_smallest_error(tmp_path: Path) -> None:
    (x, y), (u, v) = parts(X, VALUES)
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=u, y_test=v)
    config = TrainConfig(data=str(tmp_path / "own.npz"), net="8", epochs=1, batch_size=16, steps=4)
    found = tune(config, "shallow", tmp_path / "t", trials=4, space="readout_lr=1e-4..1e-1:log", quiet=True)
    (trials,) = found["trials"].values()
    (chosen,) = found["chosen"]
    assert len({trial["validation_mse"] for trial in trials}) > 1
    assert chosen["validation_mse"] == min(trial["validation_mse"] for trial in trials)
    assert not [key for row in (chosen, *trials) for key in row if "accura" in key]


def test_runs_of_different_tasks_share_no_picture() -> None:
    runs = {"one": [{"train_mse": 1.0}], "two": [{"train_accuracy": 0.5}]}
    assert shown_figure({"one": runs["one"]}) == "mse"
    with pytest.raises(UserError, match="no figure in common: one has mean squared error; two has accuracy"):
        shown_figure(runs)
