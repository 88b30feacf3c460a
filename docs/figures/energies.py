"""`python docs/figures/energies.py FILE ... NAME` counts energy and memory of stored comparisons on device models.

FILE names stored runs with rules on devices, such as mnist-devices; of a row that stands in several files the last one
counts. Nothing is trained: spikes of a sample are those that the stored runs had on the test samples, and everything
else follows from the net, the rule's texts and the device's figures, as `neurorules deploy` counts it. Kept are
docs/results/data/NAME.json, a row for each rule on each device, and NAME-figures.json, each device's figures with
their sources.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
from typing import Any

from store import checked_out, write
from stored import FOLDER, Run

from neurorules.language.config import TrainConfig
from neurorules.rules import RULES
from neurorules.torch_path.training.account import energy_of
from neurorules.torch_path.training.batches import Data, load_data
from neurorules.torch_path.training.evaluate import Evaluation, evaluate
from neurorules.torch_path.training.trainer import make_learner

ENERGIES = {
    "synapses, nJ": ("synapses",), "neurons, nJ": ("neurons",), "spikes sent, nJ": ("routing",),
    "running, nJ": ("total",), "changes of weights, nJ": ("learning", "updates"),
    "bytes of learning, nJ": ("learning", "memory"), "learning, nJ": ("learning", "total"),
}  # fmt: skip
"""Columns of energies, and where a report of energy has them."""
BYTES = {
    "running": ("running_bytes",), "learning": ("learning_bytes", "rule"), "BPTT": ("learning_bytes", "backward"),
}  # fmt: skip
"""What bytes are told of, and where a report of energy has them."""
COUNTS = {
    "synaptic operations": "synaptic operations of hidden neurons' spikes", "updates of firing neurons":
    "updates of neurons that fire", "updates of others": "updates of other neurons", "spikes": "spikes that are sent",
    "changes of a weight": "changes of a weight",
}  # fmt: skip
"""Columns of counts, and the events of a report."""
COLUMNS = ["rule", *ENERGIES, *(f"{what} {kB}" for what in BYTES for kB in ("stores, kB", "moves, kB")), *COUNTS]


def main() -> None:
    """Count and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", help="stored runs")
    parser.add_argument("name", help="of the stored files")
    parser.add_argument("--net", default="400", help="hidden layers of the runs")
    asked = parser.parse_args()
    groups: dict[str, list[Run]] = {}
    for file in asked.files:
        runs = json.loads((FOLDER / f"{file}.json").read_text("utf-8"))["runs"]
        names = dict.fromkeys(run["rule"] for run in runs if " @ " in run["rule"])
        groups |= {name: [run for run in runs if run["rule"] == name] for name in names}
    data, idle = _counted(runs[0], asked.net)
    energies = {name: _energy(name, own, asked.net, data, idle) for name, own in groups.items()}
    kept = {
        "command": f"python docs/figures/energies.py {' '.join(asked.files)} {asked.name}",
        "commit": checked_out(),
        "date": datetime.date.today().isoformat(),
        "machine": "any: nothing is timed",
        "note": "computed from the spikes of a test sample in the stored runs, mean over seeds; no energy was measured",
    }
    write(asked.name, {**kept, "columns": COLUMNS, "rows": [_row(name, told) for name, told in energies.items()]})
    figures = {name.split(" @ ")[1]: _figures(told) for name, told in energies.items()}
    rows = [[f"{device}: {events}", *line] for device, lines in figures.items() for events, *line in lines]
    heads = ["device: events", "pJ each", "status", "source, or why there is none"]
    write(f"{asked.name}-figures", {**kept, "columns": heads, "rows": rows})


def _config(run: Run, net: str, hardware: str) -> TrainConfig:
    rule = run["rule"].split(" @ ")[0].partition("@")[0]
    return TrainConfig(rule=rule, data=run["data"], net=net, steps=run["steps"], hardware=hardware)


def _counted(run: Run, net: str) -> tuple[Data, Evaluation]:
    """The test samples, and the activity of an untrained net on them, whose input is that of every run."""
    config = _config(run, net, "none")
    complete = RULES.make(config.rule).settle(config)
    data = load_data(complete, None)
    return data, evaluate(make_learner(complete, data), data.test)


def _energy(name: str, runs: list[Run], net: str, data: Data, idle: Evaluation) -> dict[str, Any]:
    """The report of energy of a rule on a device, with the spikes that its runs had."""
    config = _config(runs[0], net, name.split(" @ ")[1])
    learner = make_learner(RULES.make(config.rule).settle(config), data)
    (hidden,) = learner.model.network.hidden
    spikes = statistics.fmean(run["spikes_per_sample"] for run in runs)
    active = idle._replace(spikes_per_sample=spikes, sent={**idle.sent, hidden.name: spikes})
    told = energy_of(learner, active, data.test.steps)
    assert told is not None, f"{name}: the device gives no account"
    return told


def _row(name: str, told: dict[str, Any]) -> list[str]:
    counts = {term["event"]: term["times"] for term in told["terms"]}
    return [
        name,
        *(_number(_inside(told, path), 1e3) for path in ENERGIES.values()),
        *(
            _number(number, 1e3)
            for path in BYTES.values()
            for number in [_inside(told, (*path, "stored")), sum(_inside(told, (*path, way)) for way in WAYS)]
        ),
        *(_number(counts.get(event, 0.0), 1.0) for event in COUNTS.values()),
    ]


WAYS = ("read", "written")


def _inside(told: Any, path: tuple[str, ...]) -> Any:
    """What a nested report has at the end of a path; None where it has nothing."""
    for key in path:
        told = None if told is None else told.get(key)
    return told


def _number(value: float | None, unit: float) -> str:
    """A number in a unit with four digits, whole from 1,000 on; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value / unit:,.0f}" if value / unit >= 1000 else f"{value / unit:.4g}"


def _figures(told: dict[str, Any]) -> list[list[str]]:
    """Events, figure, status and source of a report's terms, those with the same figure in one line."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for term in told["terms"]:
        each = "-" if term["each_pJ"] is None else f"{term['each_pJ']:.4g}"
        lines.setdefault((each, term["state"], term["source"]), []).append(term["event"])
    whole = len(lines) == 1
    return [["every event" if whole else ", ".join(events), *figure] for figure, events in lines.items()]


if __name__ == "__main__":
    main()
