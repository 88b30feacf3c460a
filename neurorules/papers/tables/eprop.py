"""E-prop: accumulation of evidence over seconds, and generation of a pattern (Bellec et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from neurorules.compare.controls import frozen_beside
from neurorules.datasets.evidence import Evidence
from neurorules.datasets.pattern import Pattern
from neurorules.language.config import TrainConfig
from neurorules.language.options import parse_named
from neurorules.papers.paper import Paper, Row, Table, Trained

NEURONS = 100
NET = f"r{NEURONS}"
STEP_MS, QUICK_STEP_MS = 1.0, 10.0
TAU_MS, TAU_ADAPTATION_MS, TAU_PATTERN_MS = 20.0, 2000.0, 30.0
THRESHOLD, DAMPENING = 0.6, 0.3
RISE, RECALL_MS = 1.7, 150.0
"""The rise of the threshold by a spike is 1.7 (1 - rho) / (1 - beta) in the authors' code; length of the recall."""
TARGET_HZ = 10.0
BPTT_LR = 1e-4
"""The rate of BPTT for patterns; at 1e-3 and 3e-4 it learns less on validation samples. Its gradients grow by orders of
magnitude in 1,000 steps, and in float32 beyond the largest number."""


def eprop(quick: bool = False) -> Paper:
    """The two tasks; if `quick`, evidence in steps of 10 ms, few samples and epochs."""
    return Paper(
        title="E-prop, recurrent nets of 100 neurons",
        source="Bellec, Scherr, Subramoney, Hajek, Salaj, Legenstein, Maass 2020",
        tables=(_evidence(quick), _pattern(quick)),
        notes=(
            "The authors' code stops training on evidence where fewer than 7 % of the validation samples are wrong,",
            "after 200 to 500 batches of 64; the paper shows patterns in a figure. So no number stands beside ours.",
            "All 100 neurons adapt in the rows of alif; in the paper 50 of them do. None is refractory.",
            "BPTT follows patterns in float64 and at a rate of its own: in float32 its gradients overflow.",
        ),
        measures={"R2": _r2, "spikes a neuron and second": _rate},
    )


def _evidence(quick: bool) -> Table:
    """The table for evidence: seven cues, a delay of more than a second, and the question which side had more cues."""
    dt_ms = QUICK_STEP_MS if quick else STEP_MS
    beta, rho = math.exp(-dt_ms / TAU_MS), math.exp(-dt_ms / TAU_ADAPTATION_MS)
    rise = RISE * (1 - rho) / (1 - beta)
    surrogate = f"surrogate=triangle:surrogate.height={DAMPENING / THRESHOLD:g}:surrogate.width={THRESHOLD:g}"
    rest = f"v_threshold={THRESHOLD:g}:{surrogate}"
    lif = f"lif:beta={beta:.6g}:{rest}"
    alif = f"alif:beta={beta:.6g}:rho={rho:.6g}:kappa={rise:.6g}:{rest}"
    pull = f"c_reg={0.001 * STEP_MS / dt_ms:g}:f_target={TARGET_HZ * dt_ms / 1000:g}"
    rule = f"eprop:alpha={beta:.6g}:kappa={beta:.6g}:{pull}"
    adaptive = f"{rule}:adaptation={rise:.6g}:rho={rho:.6g}"
    base = TrainConfig(
        data=f"evidence:dt_ms={dt_ms:g}:train={800 if quick else 8640}:test={200 if quick else 500}",
        steps=Evidence(dt_ms=dt_ms).steps, net=NET, norm="none",
        readout_neuron=f"leaky_readout:beta={beta:.6g}", last_steps=round(RECALL_MS / dt_ms),
        epochs=2 if quick else 8, batch_size=64, lr=1.5e-3, readout_lr=1.5e-3,
        validation=160 if quick else 320,
        limit=640 if quick else None,
    )  # fmt: skip
    random = replace(base, rule=adaptive, neuron=alif)
    (frozen,) = frozen_beside([random], random)
    return Table(
        f"Accumulation of evidence, steps of {dt_ms:g} ms, accuracy",
        (
            Row("random e-prop, alif", random),
            Row("symmetric e-prop, alif", replace(random, rule=f"{adaptive}:feedback=symmetric")),
            Row("BPTT, alif", replace(random, rule="bptt")),
            Row("random e-prop, lif: no long memory", replace(base, rule=rule, neuron=lif)),
            Row("frozen layers, alif", frozen),
        ),
    )


def _pattern(quick: bool) -> Table:
    """The table for patterns: a sum of four sines to follow, from spikes that come at the same times in each trial."""
    beta = math.exp(-STEP_MS / TAU_PATTERN_MS)
    neuron, rule = f"lif:beta={beta:.6g}:surrogate=triangle", f"eprop:alpha={beta:.6g}:kappa={beta:.6g}"
    base = TrainConfig(
        data=f"pattern:train={60 if quick else 440}:test={20 if quick else 100}",
        steps=Pattern().steps, net=NET, norm="none", neuron=neuron, readout_neuron=f"leaky_readout:beta={beta:.6g}",
        epochs=2 if quick else 20, batch_size=8, lr=1e-3, readout_lr=1e-3, validation=20 if quick else 40,
        limit=40 if quick else None,
    )  # fmt: skip
    pull = f"c_reg=0.005:f_target={TARGET_HZ * STEP_MS / 1000:g}"
    random = replace(base, rule=f"{rule}:{pull}")
    (frozen,) = frozen_beside([random], random)
    return Table(
        "Pattern generation, mean squared error",
        (
            Row("random e-prop, lif", random),
            Row("symmetric e-prop, lif", replace(random, rule=f"{rule}:{pull}:feedback=symmetric")),
            Row("BPTT, lif", replace(random, rule="bptt", lr=BPTT_LR, precision="float64")),
            Row("frozen layers, lif", frozen),
        ),
    )


def _r2(trained: Sequence[Trained]) -> str:
    """The share of a pattern's variance that is followed, over the seeds."""
    values = [one.result["test_r2"] for one in trained if "test_r2" in one.result]
    return f"{sum(values) / len(values):.3f}" if values else "-"


def _rate(trained: Sequence[Trained]) -> str:
    """The spikes of a hidden neuron per second, over the seeds."""
    step_ms = float(parse_named(trained[0].result["data"])[1].get("dt_ms", STEP_MS))
    rates = [one.result["spikes_per_sample"] / NEURONS / one.result["steps"] * 1000 / step_ms for one in trained]
    return f"{sum(rates) / len(rates):.0f} Hz"


ENTRY = eprop
