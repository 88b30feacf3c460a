"""What only a training tells of a neuron; its contract suite runs in test_every_entry."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from neurorules.neurons import NEURONS

SPIKING = [name for name in NEURONS.names() if NEURONS.make(name).spiking]

TRAINING = """
import json, sys
from dataclasses import replace
from neurorules.compare.controls import frozen_beside
from neurorules.language.config import TrainConfig
from neurorules.rules import RULES
from neurorules.torch_path.training.trainer import load_data, train
neuron = sys.argv[1]
found = []
shared = TrainConfig(net="32-32", neuron=neuron, epochs=6, batch_size=32)
rule = replace(shared, rule="sigprop")
for row in (rule, *frozen_beside([rule], shared)):
    config = RULES.make(row.rule).settle(row)
    found.append(train(config, quiet=True, data=load_data(config, None))["validation_accuracy"])
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.parametrize("neuron", [*SPIKING, "lif:refractory=1"])
def test_a_net_of_it_learns_digits_beyond_its_frozen_control(neuron: str) -> None:
    done = subprocess.run([sys.executable, "-c", TRAINING, neuron], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    learned, frozen = json.loads(done.stdout)
    assert learned > frozen + 0.1
