"""Comparisons as `compare.json` holds them, of any size, for the tests of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

NEEDS = {
    "bptt": ["above", "history", "output_error", "target", "weight_transport"],
    "dfa": ["fixed_feedback", "output_error", "target"],
    "pepita": ["fixed_feedback", "output_error", "second_pass", "target"],
    "drtp": ["fixed_feedback", "target"],
    "sigprop": ["layer_pool", "target"],
    "local_readout": ["layer_pool", "local_readout", "target"],
    "shallow": [],
}
REACHED = {"bptt": 0.965, "sigprop": 0.952, "dfa": 0.94, "local_readout": 0.948, "pepita": 0.915, "drtp": 0.90}
ANGLE = {"bptt": 0.0, "sigprop": 58.0, "dfa": 66.0, "local_readout": 62.0, "pepita": 74.0, "drtp": 79.0}
RULES = ("sigprop", "sigprop:form=voltage", "pepita", "dfa", "drtp", "local_readout", "bptt", "shallow")
PROBLEMS = ("weight_symmetry", "non_local_signals", "frozen_activity", "update_locking")


def made(
    rules: Sequence[str] = RULES,
    *,
    seeds: int = 3,
    epochs: int = 8,
    hidden: int = 3,
    alignment: bool = True,
    audit: bool = True,
    **changed: Any,
) -> dict[str, Any]:
    """A comparison with every list filled, by formulas that look like learning."""
    layers = [*(f"hidden{number}" for number in range(1, hidden + 1)), "readout"]
    runs = [_run(rule, seed, epochs) for rule in rules for seed in range(seeds)]
    over = [
        _epoch(rule, seed, epoch, epochs) for rule in rules for seed in range(seeds) for epoch in range(1, epochs + 1)
    ]
    grid = [
        (rule, seed, depth, layer, epoch)
        for rule in rules
        for seed in range(seeds)
        for depth, layer in enumerate(layers)
        for epoch in range(epochs + 1)
    ]
    return {
        "format": "neurorules-compare",
        "format_version": 3,
        "title": "Rules on digits",
        "command": f"neurorules compare --rules {','.join(rules)} --seeds {seeds} --epochs {epochs} --net 64-64-64",
        "date": "2026-11-21T15:00:00+00:00",
        "versions": {"neurorules": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
        "machine": {"processor": "x86_64", "cores": 2, "threads": 1, "system": "Linux"},
        "settings": {"data": "digits", "net": "-".join(["64"] * hidden), "epochs": epochs, "batch_size": 32},
        "differing": ["neuron", "steps", "lr"],
        "runs": runs,
        "alignment": [_angle(*where, epochs) for where in grid] if alignment else [],
        "layers": [_layer(*where) for where in grid],
        "epochs": over,
        "rules": [_rule(rule, rules, runs) for rule in rules],
        "audit": _audit(rules) if audit else {"nets": "", "entries": [], "facts": []},
        **changed,
    }


def _name(rule: str) -> str:
    return rule.partition(":")[0]


def _wave(*parts: Any) -> float:
    """A number in -1..1 that depends on all parts, the same in every process."""
    text = "|".join(map(str, parts))
    return math.sin(sum((place + 1) * ord(sign) for place, sign in enumerate(text)))


def _reached(rule: str, seed: int) -> float:
    return REACHED.get(_name(rule), 0.62) + 0.006 * _wave(rule, seed)


def _run(rule: str, seed: int, epochs: int) -> dict[str, Any]:
    return {
        "rule": rule,
        "seed": seed,
        "control": "shallow" if rule == "shallow" else "",
        "hardware": "none",
        "path": "torch",
        "epochs": epochs,
        "neuron": "if",
        "steps": 8,
        "lr": 0.003 + 0.001 * len(rule),
        "test_accuracy": _reached(rule, seed),
        "validation_accuracy": _reached(rule, seed) - 0.004,
        "train_seconds": 2.0 + _wave(rule),
        "needs": NEEDS.get(_name(rule), []),
        "versions": {"torch": "2.13.0"},
    }


def _epoch(rule: str, seed: int, epoch: int, epochs: int) -> dict[str, Any]:
    top = _reached(rule, seed)
    now = top - (top - 0.1) * math.exp(-1.1 * epoch)
    return {
        "rule": rule,
        "seed": seed,
        "epoch": epoch,
        "train_accuracy": min(1.0, now + 0.01),
        "train_loss": 2.3 * (1 - now),
        "validation_accuracy": now - 0.004,
        "train_seconds": 0.4 * epoch,
    }


def _angle(rule: str, seed: int, depth: int, layer: str, epoch: int, epochs: int) -> dict[str, Any]:
    final = ANGLE.get(_name(rule), 90.0)
    if layer == "readout":
        final = 0.0
    start = 0.0 if final == 0.0 else 89.0
    angle = (
        start + (final - start) * (1 - math.exp(-0.5 * epoch)) * (0.6 + 0.14 * depth) + 1.2 * _wave(rule, seed, epoch)
    )
    angle = 0.0 if final == 0.0 else angle
    return {
        "rule": rule,
        "seed": seed,
        "layer": layer,
        "epoch": epoch,
        "cosine": math.cos(math.radians(angle)),
        "angle_deg": angle,
        "norm_ratio": 1.0 if final == 0.0 else 1.6 + 0.4 * _wave(rule, layer),
        "sign_agreement": 1.0 - angle / 180.0,
        "signal_angle_deg": 0.8 * angle,
    }


def _layer(rule: str, seed: int, depth: int, layer: str, epoch: int) -> dict[str, Any]:
    readout = layer == "readout"
    return {
        "rule": rule,
        "seed": seed,
        "layer": layer,
        "epoch": epoch,
        "firing_rate": None if readout else 0.2 + 0.05 * _wave(rule, depth) + 0.01 * epoch,
        "dead": None if readout else max(0.0, 0.05 * depth + 0.02 * _wave(rule, seed)),
        "saturated": None if readout else 0.0,
        "weight_change": None if epoch == 0 else 0.5 / epoch + 0.05 * abs(_wave(rule)),
        "cka": None if rule == "bptt" or readout else 0.9 - 0.1 * depth - 0.02 * epoch,
        "probe_accuracy": None if readout else 0.8 + 0.04 * depth + 0.005 * epoch + 0.01 * _wave(rule),
    }


def _statistics(values: list[float]) -> dict[str, Any]:
    middle, spread = mean(values), stdev(values) if len(values) > 1 else 0.0
    half = None
    if len(values) > 1:
        half = float(student.ppf(0.975, len(values) - 1)) * spread / math.sqrt(len(values))
    return {
        "mean": middle,
        "low": None if half is None else middle - half,
        "high": None if half is None else middle + half,
        "spread": spread,
        "values": values,
    }


def _rule(rule: str, rules: Sequence[str], runs: list[dict[str, Any]]) -> dict[str, Any]:
    own = [run for run in runs if run["rule"] == rule]
    test = [run["test_accuracy"] for run in own]
    difference = None
    if "bptt" in rules and rule != "bptt":
        there = [run["test_accuracy"] for run in runs if run["rule"] == "bptt"]
        found = _statistics([a - b for a, b in zip(test, there, strict=True)])
        difference = {"to": "bptt", "seeds": len(own), **{name: found[name] for name in ("mean", "low", "high")}}
    needs = NEEDS.get(_name(rule), [])
    moved = 4000.0 * (1 + len(needs))
    return {
        "rule": rule,
        "control": "shallow" if rule == "shallow" else "",
        "seeds": len(own),
        "test_accuracy": _statistics(test),
        "validation_accuracy": _statistics([run["validation_accuracy"] for run in own]),
        "difference": difference,
        "epochs_to": {"0.9": 2.0 if mean(test) > 0.9 else None, "0.95": None, "0.97": None},
        "seconds_to": {"0.9": 1.1 if mean(test) > 0.9 else None, "0.95": None, "0.97": None},
        "train_seconds": 2.0 + _wave(rule),
        "peak_memory_mb": 330.0 + 20 * _wave(rule),
        "spikes_per_sample": 180.0 + 30 * _wave(rule),
        "synops_per_sample": 9000.0 + 2000 * _wave(rule),
        "learning_bytes_per_sample": moved,
        "energy_pJ": None,
        "needs": needs,
        "problems": {
            problem: {
                "has": number < len(needs) - 1,
                "how": f"its signal needs {', '.join(needs) or 'nothing'}",
                "measured": number == 1,
            }
            for number, problem in enumerate(PROBLEMS)
        },
    }


def _audit(rules: Sequence[str]) -> dict[str, Any]:
    layers = ["hidden1", "hidden2", "hidden3", "readout"]
    entries = []
    for rule in rules:
        for place, layer in enumerate(layers):
            for other, perturbed in enumerate(layers):
                reaches = other <= place or rule == "bptt"
                entries.append((rule, layer, perturbed, "weights", reaches))
                entries.append((rule, layer, perturbed, "activity", reaches or rule == "dfa"))
            entries.append((rule, layer, "label", "label", rule != "shallow" or layer == "readout"))
            entries.append((rule, layer, "other_samples", "other_samples", False))
            entries.append((rule, layer, "later_steps", "later_steps", rule == "bptt"))
    keys = ("rule", "update_of", "perturbed", "kind", "depends")
    facts = [
        {
            "rule": rule,
            "backward_pass": rule == "bptt",
            "backward_through": ["hidden2", "hidden1"] if rule == "bptt" else [],
            "memory_growth": 3.9 if rule == "bptt" else 1.0,
            "schedule_used": "by_step",
        }
        for rule in rules
    ]
    return {"nets": "16-16 on 8 inputs", "entries": [dict(zip(keys, e, strict=True)) for e in entries], "facts": facts}
