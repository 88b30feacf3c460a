"""Tasks where time matters: order of two cues, a pattern named after a silence, manifolds and points in spike times.

Source of nets and neurons of `order` and `delayed_copy`: docs/results/temporal.md, where they were chosen by validation
samples of `bptt`; so was the neuron of `randman`. The hidden units of `yin_yang` are those of Kriener, Göltz, Petrovici
2022.
"""

from __future__ import annotations

from dataclasses import replace

from neurorules.benchmark.suite import Suite, Task
from neurorules.language.config import TrainConfig

RULES = (
    *("bptt", "fa", "sign_symmetry", "dfa", "drtp", "sigprop", "pepita", "bsp", "spiking_bsp", "local_readout"),
    *("traces_propagation", "eprop", "erbp", "ottt", "ostl", "otpe", "s_tller", "tess", "etlp", "osttp", "reward_stdp"),
    *("stdp", "triplet_stdp"),
)
"""The rules to train; among those without labels, only two that read the times of spikes."""
ALL = TrainConfig(epochs=10, batch_size=32, validation=1000)
"""The settings of all tasks."""
SIZES = "train=3000:test=1000"
ORDER = replace(ALL, data=f"order:{SIZES}", net="64", neuron="lif:beta=0.9")
COPY = replace(ALL, data=f"delayed_copy:templates=4:delay=10:{SIZES}", net="128", neuron="if", last_steps=20)
RANDMAN = replace(ALL, data=f"randman:{SIZES}", net="128", neuron="lif:beta=0.95")
YIN_YANG = replace(ALL, data="yin_yang", net="120", neuron="lif:beta=0.9", steps=20)
QUICK = {
    "order": "order:train=200:test=100",
    "delayed_copy": "delayed_copy:templates=4:delay=10:train=200:test=100",
    "randman": "randman:manifolds=4:length=50:train=200:test=100",
    "yin_yang": "yin_yang:train=200:test=100",
}
"""Data of the quick form, by the name of the task."""


def temporal(quick: bool = False) -> Suite:
    """Four tasks, each also with samples shuffled in time; if `quick`, 200 samples, a small net and one epoch."""

    def task(name: str, what: str, config: TrainConfig) -> Task:
        if quick:
            config = replace(config, data=QUICK[name], net="32", epochs=1, validation=None)
        return Task(name, what, config, RULES, in_time=True)

    return Suite(
        title="Tasks where time matters",
        tasks=(
            task("order", "which of two cues came first", ORDER),
            task("delayed_copy", "which of four patterns came before a silence", COPY),
            task("randman", "on which smooth random manifold the times of spikes lie", RANDMAN),
            task("yin_yang", "in which part of a disc a point lies, told by the times of five spikes", YIN_YANG),
        ),
        notes=(
            "Neurons are the same for every rule, and their membranes remember a part of the past without any "
            "learning, which a leaky read-out makes use of: frozen layers stand high.",
            "What is learned from shuffled time is chance, or a task could be solved without time.",
            "`pepita` compares counts of spikes over a whole trial, which these tasks keep equal, and its read-out "
            "learns while the input is perturbed, so that it ends below frozen layers. `reward_stdp` and rules without "
            "labels change what was drawn without knowing the task.",
        ),
    )


ENTRY = temporal
