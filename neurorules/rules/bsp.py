"""BSP, a reconstruction: forward and reverse signals in five-variable rings; weights learn from their product, G1."""

from __future__ import annotations

from typing import Literal

from neurorules.language.options import write_named
from neurorules.language.ranges import NonNegative, ranged
from neurorules.language.rules import Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.native.rings import ModeName

PID_RATE = 0.1
"""Default learning rate of the PID form, which applies G1 directly, whereas Adam rescales it. Source: validation
samples; 1.0 suits the digits and fails on MNIST, where 0.1 reaches 91.7 % (784-100-10, 3 epochs). It is not tuned
further."""

DEVIATIONS = (
    "A RECONSTRUCTION, not a reproduction: the authors' equations, sizes and accuracies are not public",
    "predator-prey rings with free fixed points stand for their symmetric differential equations, k2 = 0.5 "
    "and k3 = 1 in all of them; of their parameters only fixed points may learn, for k1",
    "a signal is what a ring's S is off its fixed point after T = 1.8 (Heun): at rest it would be linear",
    "outputs are taught 0.6 and -0.2 by squared error, and one update is made of a batch",
    "the default reverse signal is that of the last state (mode=final); mode=exact keeps the whole run",
    "the drive of a ring is saturated, which keeps explicit Heun steps stable",
    "the reverse signal reads the forward connections backwards (weight transport)",
    "where no PID gains are given, Adam scales G1; how theirs enter is not public",
)


@ranged("rule 'bsp'")
def backward_signal_propagation(
    *,
    mode: ModeName = "final",
    method: Literal["connections", "fixed_points", "both", "nodes"] = "connections",
    kp: NonNegative | None = None,
    ki: NonNegative = 0.1,
    kd: NonNegative = 0.1,
) -> Rule:
    """Backward Signal Propagation, a reconstruction, since the papers' equations are not public (`rings.system`).

    Args:
        mode: mode of the reverse signal (see `signals.reverse_ring`).
        method: the parameters that learn: connections (the papers' method 2); fixed_points, those of one ring for each
            connection (method 1); both, the connections and the neurons' fixed points; or nodes, only the neurons'
            fixed points. With nodes, a neuron only reshapes a random projection, which is not enough to classify.
        kp, ki, kd: gains of the PID form of the update, >= 0. If kp is None, Adam is used instead.

    Returns:
        The rule with its texts, signal, default settings and source.
    """
    weights = "-through_norm(m_post) * (S_pre - mean_pre)"
    texts: tuple[Plasticity, ...] = ()
    if method != "nodes":
        texts = (Plasticity("w", weights), Plasticity("w", "-m_post * S_pre", role="readout"))
    if method in ("connections", "both"):
        texts += (Plasticity("b", "-m_post"), Plasticity("b", "-m_post", role="readout"))
    optimizer = "adam" if kp is None else write_named("pid", {"kp": kp, "ki": ki, "kd": kd})
    adam = {"connections": 3e-3, "both": 3e-3, "fixed_points": 3e-2, "nodes": 1e-2}
    rate = adam[method] if kp is None else PID_RATE
    return Rule(
        name="bsp",
        plasticity=texts,
        signal=SignalSpec("reverse_ring", {"mode": mode, "fixed_points": method in ("both", "nodes")}),
        loss="squared",
        targets=(0.6, -0.2),
        defaults=Defaults(
            lr=rate,
            readout_lr=rate,
            optimizer=optimizer,
            readout_optimizer=optimizer,
            neuron="five_element",
            readout_neuron="five_element",
            steps=1,
            norm="none",
            connection=write_named("ring", {"mode": mode}) if method == "fixed_points" else "dense",
        ),
        source=Source(
            "Jiang, Fu",
            2025,
            "Backward Signal Propagation on symmetric differential equations (Algorithms 18(10):594, arXiv 2502.10414)",
            DEVIATIONS,
            link="https://arxiv.org/abs/2502.10414",
        ),
    )


ENTRY = backward_signal_propagation
