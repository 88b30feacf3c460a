"""A network given back to snnTorch is stored, copied and loaded as any torch module is."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from snntorch import utils
from torch import Tensor, nn

from neurorules import Learner

READOUTS = ["leaky_readout", "leaky_readout:beta=0.9", "lif:reset_delay=true", "cuba_lif:reset_delay=true"]


def learner(neuron: str, readout: str, seed: int = 0, precision: str = "float32") -> Learner:
    return Learner(
        "6",
        rule="dfa",
        input_shape=(5,),
        classes=3,
        neuron=neuron,
        readout_neuron=readout,
        seed=seed,
        norm="none",
        precision=precision,
    )


@torch.no_grad()
def run(net: nn.Module) -> Tensor:
    """What the last layer returns over four steps, the membrane where it returns more."""
    drive = torch.rand(4, 2, 5, generator=torch.Generator().manual_seed(0)) * 4
    utils.reset(net)
    found = [net(step) for step in drive]
    return torch.stack([step[-1] if isinstance(step, tuple) else step for step in found])


def through_torch_save(net: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("neuron", ["if", "lif:beta=0.8:surrogate=triangle", "cuba_lif"])
def test_it_can_be_pickled_copied_and_loaded(neuron: str, readout: str) -> None:
    net = learner(neuron, readout).to_snntorch()
    # Stored before they run: snnTorch's reset knows only the modules that were made by their constructor.
    copies = pickle.loads(pickle.dumps(net)), copy.deepcopy(net), through_torch_save(net)
    expected = run(net)
    assert expected.abs().sum() > 0
    for stored in copies:
        torch.testing.assert_close(run(stored), expected, rtol=0, atol=0)
    other = learner(neuron, readout, seed=1).to_snntorch()
    assert not torch.equal(run(other), expected)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(run(other), expected, rtol=0, atol=0)


@pytest.mark.parametrize("readout", READOUTS)
def test_what_was_stored_is_read_again_as_the_same_network(readout: str) -> None:
    before = learner("lif", readout, precision="float64")
    again = Learner(through_torch_save(before.to_snntorch()), rule="dfa", precision="float64")
    assert again.model.network.readout.neuron == before.model.network.readout.neuron
    for name, value in before.learned.parameters.items():
        torch.testing.assert_close(again.learned.parameters[name], value, rtol=0, atol=0)
