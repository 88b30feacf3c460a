"""Equations in continuous time: what the length of a step changes, and generated code beside a script written by hand.

    python benchmarks/continuous.py [--steps] [--by-hand] [--repetitions 7] [--json]

--steps trains LIF units on the digits with steps of 1 ms and runs the same weights with shorter ones. --by-hand times
DRTP on 64-60-10 rate units against the same model written in Brian2 directly; both are compiled, only runs are timed,
and they take turns.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import brian2
import numpy as np

from neurorules.api import train
from neurorules.brian2_continuous.circuits import CIRCUITS
from neurorules.brian2_continuous.parts.layers import Net
from neurorules.brian2_continuous.parts.neurons import rate
from neurorules.brian2_continuous.parts.standalone import compile_circuit
from neurorules.brian2_continuous.revive import revive
from neurorules.brian2_continuous.trainer import PRESENTATIONS
from neurorules.rules import RULES

STEPS_MS = (1.0, 0.5, 0.2, 0.1, 0.05)
INPUTS, HIDDEN, CLASSES = 64, 60, 10


def over_steps() -> list[dict[str, Any]]:
    """Validation accuracy, spikes a sample by layer and changed answers of one trained net, by length of the step."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        train(rule="sigprop", path="brian2", neuron="lif", net="60-60", epochs=10, out=run)
        answers: np.ndarray | None = None
        for step in STEPS_MS:
            found = revive(run, neuron=f"lif:dt_ms={step}")
            scores, spikes = found.answer()
            chosen = scores.argmax(1)
            answers = chosen if answers is None else answers
            rows.append(
                {
                    "dt_ms": step,
                    "validation_accuracy": float((chosen == found.labels).mean()),
                    "spikes_per_sample": sum(spikes.values()),
                    **{f"spikes_of_{layer}": count for layer, count in spikes.items()},
                    "answers_changed": float((chosen != answers).mean()),
                }
            )
    return rows


def ours() -> Any:
    """A function that runs DRTP once, compiled."""
    plan, rule = CIRCUITS.make("drtp"), RULES.make("drtp")
    settings = plan.numbers()
    net = Net(INPUTS, (HIDDEN,), CLASSES, rate(), PRESENTATIONS)
    circuit = plan.make(net, rule, settings, np.random.default_rng(0))
    compiled = compile_circuit(circuit)
    tables = _tables()
    return lambda: compiled.run({**circuit.starts(), **settings}, tables)


def _tables() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {
        "x": random.normal(size=(PRESENTATIONS, INPUTS)),
        "label": random.integers(0, CLASSES, PRESENTATIONS).astype(float),
        "phase": np.zeros(PRESENTATIONS),
        "eta": np.ones(PRESENTATIONS),
    }


def by_hand(folder: str) -> Any:
    """The same model as somebody who knows Brian2 would write it; a function that runs it once, compiled."""
    tables, random = _tables(), np.random.default_rng(0)
    brian2.set_device("cpp_standalone", build_on_run=False)
    brian2.device.reinit()
    brian2.device.activate(build_on_run=False)
    ms, period = brian2.ms, 10 * brian2.ms
    step, slow = brian2.Clock(dt=ms, name="fine"), brian2.Clock(dt=period, name="slow")
    x = brian2.TimedArray(tables["x"], dt=period, name="pixels")
    y = brian2.TimedArray(tables["label"], dt=period, name="classes")
    inputs = brian2.NeuronGroup(INPUTS, "r : 1", clock=step, name="inputs", namespace={"pixels": x})
    inputs.run_regularly("r = pixels(t, i)", clock=slow, when="before_start", order=9)
    hidden = brian2.NeuronGroup(
        HIDDEN,
        "dv/dt = (I + b - v)/(2*ms) : 1\nr = clip(v, 0, 2) : 1\nI : 1\nb : 1\nm : 1",
        method="exponential_euler", clock=step, name="hidden",
    )  # fmt: skip
    output = brian2.NeuronGroup(
        CLASSES, "I : 1\nb : 1\nz : 1\np : 1\nm : 1\nlabel = classes(t - 5*ms) : 1 (shared)", clock=step, name="output",
        namespace={"classes": y},
    )  # fmt: skip
    first = brian2.Synapses(inputs, hidden, "w : 1\nI_post = w*r_pre : 1 (summed)", clock=step, name="first")
    first.connect()
    first.summed_updaters["I_post"]._clock = slow
    second = brian2.Synapses(hidden, output, "w : 1\nI_post = w*r_pre : 1 (summed)", clock=step, name="second")
    second.connect()
    second.summed_updaters["I_post"]._clock = slow
    second.summed_updaters["I_post"].when = "before_start"
    every = brian2.Synapses(output, output, "z_post = exp(clip(I_pre + b_pre, -30, 30)) : 1 (summed)", clock=step)
    every.connect()
    every.summed_updaters["z_post"]._clock = slow
    every.summed_updaters["z_post"].when, every.summed_updaters["z_post"].order = "before_start", 1
    back = brian2.Synapses(
        output, hidden, "w : 1\nm_post = -w*int(i == label_pre) : 1 (summed)", clock=step, name="feedback",
        namespace={"classes": y},
    )  # fmt: skip
    back.connect()
    back.summed_updaters["m_post"]._clock = slow
    back.summed_updaters["m_post"].when = "before_start"
    code = "m = exp(clip(I + b, -30, 30))/z - int(i == label)"
    output.run_regularly(code, clock=slow, when="before_start", order=2)
    output.run_regularly("b -= 0.005*m*int(t > 5*ms)", clock=slow, when="before_start", order=3)
    hidden.run_regularly("b -= 0.003*m*int(v > 0)*int(v < 2)*int(t > 5*ms)", clock=slow, when="before_start", order=3)
    second.run_regularly("w -= 0.005*m_post*r_pre*int(t > 5*ms)", clock=slow, when="before_start", order=3)
    first.run_regularly(
        "w -= 0.003*m_post*int(v_post > 0)*int(v_post < 2)*r_pre*int(t > 5*ms)",
        clock=slow, when="before_start", order=3,
    )  # fmt: skip
    seen = brian2.StateMonitor(output, "I", record=True, clock=slow, when="before_start", order=4)
    first.w = random.normal(0, 0.1, INPUTS * HIDDEN)
    second.w = 0.0
    back.w = random.normal(0, 0.3, CLASSES * HIDDEN)
    network = brian2.Network(inputs, hidden, output, first, second, every, back, seen)
    network.run(PRESENTATIONS * period + ms)
    brian2.device.build(directory=folder, compile=True, run=False, with_output=False)
    run = brian2.device.run
    return lambda: run(with_output=False)


def beside_by_hand(repetitions: int) -> dict[str, float]:
    """Seconds a run of 500 presentations, median of runs in turns, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        systems = {"ours": ours(), "by hand": by_hand(folder)}
        found: dict[str, list[float]] = {name: [] for name in systems}
        for _ in range(repetitions):
            for name, run in systems.items():
                started = time.perf_counter()
                run()
                found[name].append(time.perf_counter() - started)
    middle = {name: median(values) for name, values in found.items()}
    return {**middle, "ratio": middle["ours"] / middle["by hand"]}


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--by-hand", action="store_true")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    if asked.steps or not asked.by_hand:
        found["steps"] = over_steps()
    if asked.by_hand or not asked.steps:
        found["by_hand"] = beside_by_hand(asked.repetitions)
    if asked.json:
        print(json.dumps(found))
        return
    for row in found.get("steps", []):
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
    for name, value in found.get("by_hand", {}).items():
        print(f"{name:8} {value:.3f}")


if __name__ == "__main__":
    main()
