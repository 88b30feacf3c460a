"""What Python shows of results, comparisons, traces and learners, in a line and in a notebook, and its progress bar."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import snntorch
import torch

import neurorules
from neurorules.compare.shown import Comparison
from neurorules.runs.shown.result import Result
from neurorules.traces.store import TraceReader

CELLS = """
import neurorules, sys, torch
how = dict(data="digits", net="24", epochs=2, limit=400, threads=1, device="cpu", quiet=False)
result = neurorules.train("dfa", out="run", **how)
result
---
import neurorules.runs.progress as progress
progress.DELAY_S = 0.0
learner = neurorules.load("run")
images, labels = torch.rand(60, 1, 8, 8), torch.arange(60) % 10
rows = learner.fit([(images, labels)] * 3, epochs=2, quiet=False)
learner
---
from pathlib import Path
with neurorules.Recorder(learner, "trace.h5", ["S"]) as recorder:
    recorder.record(torch.rand(8, 3, 1, 8, 8), [0, 1, 2])
from neurorules.traces.store import TraceReader
reader = TraceReader(Path("trace.h5"))
reader
---
"matplotlib.pyplot" in sys.modules, rows[-1]["epoch"]
"""


def test_a_notebook_shows_tables_pictures_and_the_progress(tmp_path: Path) -> None:
    nbformat, client = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS.split("---\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    kernel = client.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    updates: list[str] = []
    process = kernel.process_message

    def watched(message: Any, cell: Any, index: int) -> Any:
        if message["msg_type"] == "update_display_data":
            updates.append(message["content"]["data"].get("text/html", ""))
        return process(message, cell, index)

    kernel.process_message = watched
    kernel.execute()
    shown = ["".join(str(one.get("data", {}).get("text/html", "")) for one in cell["outputs"]) for cell in cells]
    said = ["".join(str(one.get("data", {}).get("text/plain", "")) for one in cell["outputs"]) for cell in cells]
    assert "<table>" in shown[0] and "dfa on digits" in shown[0] and "data:image/png;base64," in shown[0]
    assert shown[1].startswith("<table>") and "hidden1" in shown[1]
    assert said[0].startswith("<Result rule='dfa'") and said[1].endswith("on cpu>")
    assert any("learning <progress value='6' max='6'></progress> 6/6 epoch 2" in line for line in updates)
    assert "<td style='text-align:left'>hidden1</td>" in shown[2] and "data:image/png;base64," in shown[2]
    assert said[3] == "(False, 2)"
    assert not [one for cell in cells for one in cell["outputs"] if one["output_type"] in ("stream", "error")]


def test_a_result_is_a_dictionary_that_shows_itself() -> None:
    values = {
        "rule": "dfa:presynaptic=<b>",
        "data": "digits",
        "net": "8",
        "test_accuracy": 0.5,
        "mean_rates": {"hidden1": 0.1},
    }
    result = Result({**values, "validation_accuracy": None})
    assert isinstance(result, dict) and json.loads(json.dumps(result)) == result
    assert repr(result) == "<Result rule='dfa:presynaptic=<b>', data='digits', net='8', test_accuracy=50.00 %; 6 keys>"
    shown = result._repr_html_()
    assert "&lt;b&gt;" in shown and "<b>" not in shown and "mean rates of the layers" in shown
    rows = [{"epoch": 1, "validation_accuracy": 0.2}, {"epoch": 2, "validation_accuracy": 0.4}]
    assert "validation accuracy after each epoch" in Result(values, rows)._repr_html_()


def test_a_comparison_shows_its_table() -> None:
    run = {
        "control": "", "lr": 0.1, "readout_lr": 0.1, "validation_accuracy": None, "train_seconds": 1.0,
        "spikes_per_sample": 3.0, "needs": ["target"],
    }  # fmt: skip
    runs = [{**run, "rule": rule, "test_accuracy": value} for rule, value in (("a", 0.5), ("a", 0.7), ("b<", 0.1))]
    comparison = Comparison({"title": "a, b on digits", "runs": runs})
    assert repr(comparison) == "<Comparison a, b on digits: a 60.00 ± 14.14 %; b< 10.00 %; keys title, runs>"
    shown = comparison._repr_html_()
    assert shown.count("<tr>") == 3 and "b&lt;" in shown and "60.00 ± 14.14" in shown and "image/png" in shown


def test_a_trace_shows_its_layers_and_the_spikes_of_its_first_sample(tmp_path: Path) -> None:
    learner = neurorules.Learner("5", "dfa", input_shape=(4,), classes=2, steps=6, device="cpu")
    assert re.fullmatch(r"<Learner dfa: input 4, hidden1 5, readout 2; \d+ parameters, 6 steps, on cpu>", repr(learner))
    path = tmp_path / "trace.h5"
    with neurorules.Recorder(learner, path, ["S", "v"]) as recorder:
        recorder.record(torch.rand(6, 2, 4) * 3, [0, 1])
    with TraceReader(path) as reader:
        assert repr(reader) == f"<TraceReader {path}: dfa, 2 samples of 6 steps; input 4, hidden1 5, readout 2>"
        shown = reader._repr_html_()
        assert shown.count("<tr>") == 4 and "S, v" in shown and "spikes of the first sample" in shown


def test_a_learner_shows_a_row_for_each_layer_and_what_of_it_is_fixed() -> None:
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 5), snntorch.Leaky(0.5, init_hidden=True), torch.nn.Linear(5, 2).requires_grad_(False)
    )
    learner = neurorules.Learner(net, "dfa", steps=6, device="cpu")
    shown = re.sub("<[^>]*>", " ", learner._repr_html_())
    words = " ".join(shown.split())
    assert words.startswith(
        "dfa: input 4, 6 steps, on cpu layer neurons neuron reads parameters hidden1 5 lif:beta=0.5"
    )
    assert "input 25 readout 2 leaky_readout" in words and words.endswith("hidden1 12, 12 of them fixed")


def test_pictures_show_what_they_are_given() -> None:
    from neurorules.runs.shown.pictures import bars, curve, spikes

    one, other = ((np.array(t), np.array([0, 1]), 2) for t in ([0, 1], [1, 0]))
    pictures = [curve([0.1, 0.5], "accuracy"), curve([0.5, 0.1], "accuracy"), bars({"a": [0.1, 0.3]}, "x")]
    pictures += [bars({"a": [0.2]}, "x"), spikes({"a": one}, 2), spikes({"a": other}, 2)]
    assert all(one.startswith(b"\x89PNG") for one in pictures) and len(set(pictures)) == len(pictures)
