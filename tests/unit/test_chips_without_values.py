"""Integer models run on tensors without values: nothing on the way waits for a number, or stands on another device.

PyTorch's device "meta" has shapes and no values. What asks for one there fails, as does what mixes its tensors with
those of a CPU; so what runs on it neither waits for a GPU nor copies to one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from hardware_models.loihi.cuba_lif import CubaLif
from hardware_models.loihi.learning import EngineState, LearningEngine, TraceRegister, pair_stdp
from hardware_models.loihi.neuron import on_loihi
from hardware_models.loihi.synapse import RANGES, Synapse
from hardware_models.odin import on_odin
from hardware_models.sdsp import Sdsp, at_bistability, at_presynaptic_spike, calcium_after
from hardware_models.spinnaker import on_spinnaker
from hardware_models.xylo import on_xylo
from neurorules.contracts.device import DEVICES
from neurorules.contracts.neuron import Neuron
from neurorules.neurons import NEURONS

NAME = "hidden1.ff.w"
SHAPE = (5, 2, 3)
NETWORK: dict[str, Callable[[], Neuron[Any]]] = {
    "loihi": lambda: on_loihi("hidden1", NEURONS.make("cuba_lif"), 300),
    "odin": lambda: on_odin("hidden1", NEURONS.make("lif"), 10.0),
    "xylo": lambda: on_xylo("hidden1", NEURONS.make("cuba_lif"), 250.0),
    "spinnaker": lambda: on_spinnaker("hidden1", NEURONS.make("cuba_lif")),
}


def nowhere(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(shape, dtype=dtype, device="meta")


def lies_nowhere(*tensors: Tensor) -> bool:
    return all(tensor.device.type == "meta" for tensor in tensors)


def test_a_population_of_loihi_runs() -> None:
    run = CubaLif(3, 4, 5, -6, 2).run(nowhere(*SHAPE, dtype=torch.int32), currents=True)
    assert run.u is not None and run.u.shape == run.v.shape == run.spikes.shape == SHAPE
    assert lies_nowhere(run.u, run.v, run.spikes, *run.state)


@pytest.mark.parametrize("signs", RANGES)
def test_synapses_of_loihi_sum_up(signs: Any) -> None:
    synapse = Synapse(5, 2, signs)
    arriving = synapse.arriving(synapse.stored(nowhere(4, 3, dtype=torch.int64)), nowhere(*SHAPE))
    assert arriving.shape == (5, 2, 4) and lies_nowhere(arriving)


def test_the_learning_engine_of_loihi_learns() -> None:
    engine = LearningEngine(pair_stdp(), {"x1": TraceRegister(), "y1": TraceRegister()}, 2)
    state: EngineState = engine.initial(nowhere(3, 4))
    for _ in range(4):
        state = engine.step(state, nowhere(4), nowhere(3), torch.Generator())
    assert state.w.shape == (3, 4) and lies_nowhere(state.w, state.x["x1"], state.y["y1"])


@pytest.mark.parametrize("chip", NETWORK)
def test_neurons_of_a_chip_run_in_a_network(chip: str) -> None:
    neuron, currents = NETWORK[chip](), nowhere(*SHAPE)
    spikes, observed, state = neuron.step(neuron.initial(currents[0]), currents[0])
    assert spikes.shape == observed.v.shape == SHAPE[1:] and lies_nowhere(spikes, observed.v, *state)
    many = neuron.many_steps(neuron.initial(currents[0]), currents)
    assert (many is None) == (chip != "loihi")
    if many is not None:
        assert many[0].shape == many[1].v.shape == SHAPE and lies_nowhere(many[0], many[1].v, *many[2])


def test_synapses_of_odin_learn() -> None:
    v = nowhere(6, dtype=torch.int64)
    moved = at_presynaptic_spike(v, Sdsp().flags(v, v))
    assert lies_nowhere(moved, at_bistability(v), calcium_after(v, v.bool(), True))


@pytest.mark.parametrize("text", ["loihi", "xylo", "odin", "spinnaker", "reckon", "brainscales2", "dynapse",
                                  "fixed_point", "pcm"])  # fmt: skip
def test_weights_are_read_and_changed(text: str) -> None:
    device = DEVICES.make(text)
    w = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    w, state = device.on_parameters(device.init({NAME: (4, 3)}, 0), NAME, w)
    state = {key: value.to("meta") if value.ndim and key != "generator" else value for key, value in state.items()}
    moved, _ = device.on_update(state, NAME, nowhere(4, 3), nowhere(4, 3))
    assert moved.shape == (4, 3) and lies_nowhere(moved, device.on_read(state, NAME, nowhere(4, 3)))
