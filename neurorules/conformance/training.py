"""Train on the bundled digits in a separate process, for checks of whether something learns."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

from neurorules.audit.fresh_process import MODULES, ask, give, modules_of, read_question
from neurorules.compare.controls import frozen_beside
from neurorules.contracts.device import DEVICES
from neurorules.language.config import TrainConfig, config_from
from neurorules.language.own_file import digest_of
from neurorules.language.own_files import listed
from neurorules.language.registry import Registry
from neurorules.neurons import NEURONS
from neurorules.rules import RULES
from neurorules.runner.dispatch import settle
from neurorules.signals import SIGNALS
from neurorules.torch_path.training.batches import load_data
from neurorules.torch_path.training.trainer import train

NET = "32-32-32"
"""Hidden layers of a net that is so narrow and deep that it is much worse with frozen hidden layers."""
EPOCHS, BATCH_SIZE = 6, 32
"""Settings of a training that is given no others."""
REGISTRIES: dict[str, Registry] = {registry.kind: registry for registry in (RULES, SIGNALS, NEURONS, DEVICES)}


def digits_accuracies(rule: str, seeds: int, control: bool = False, **settings: Any) -> list[float]:
    """Measure the test accuracy on the bundled digits for several seeds.

    Args:
        rule: name of the rule with its options.
        seeds: number of seeds, >= 1; they are 0, 1, and so on.
        control: whether the control is trained in place of the rule. Its hidden layers are frozen, and its read-out
            learns with the rule's settings.
        settings: settings of `TrainConfig`; 6 epochs of batches of 32 where none is given.

    Returns:
        One accuracy in 0..1 for each seed.

    Raises:
        UserError: the training failed; the message has its last line.
    """
    shared = TrainConfig(**{"net": NET, "validation": 0, **(settings or {"epochs": EPOCHS, "batch_size": BATCH_SIZE})})
    row = replace(shared, rule=rule)
    if control:
        [row] = frozen_beside([row], shared)
    texts = json.dumps({str(path): digest_of(path) for path in listed().values()})
    return list(_accuracies(json.dumps(row.as_dict()), seeds, json.dumps(modules_of(REGISTRIES)), texts))


@cache
def _accuracies(row: str, seeds: int, modules: str, texts: str) -> tuple[float, ...]:
    """Train a row; rules that share a control, its settings included, share its accuracies."""
    settings = json.loads(row)
    question = {"row": settings, "seeds": seeds, MODULES: json.loads(modules)}
    return tuple(ask(__name__, question, f"training '{settings['rule']}' failed"))


def answer() -> None:
    """Answer in the separate process: read the question, train, and print the accuracies as the last line."""
    question = read_question(REGISTRIES)
    row = config_from(question["row"])
    configs = [settle(replace(row, seed=seed)) for seed in range(question["seeds"])]
    data = load_data(configs[0], None)
    give([float(train(config, quiet=True, data=data)["test_accuracy"]) for config in configs])
