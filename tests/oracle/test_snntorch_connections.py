"""Nets of every kind of connection go out as snnTorch layers that give the same, or are refused by the layer's name."""

from __future__ import annotations

import pytest
import snntorch.utils
import torch
from nets_of_modules import KINDS, learner_of_module
from torch import nn

from neurorules import Learner
from neurorules.language.errors import UserError

STEPS = 8
SEQUENCES = ("lines", "groups")


def drive(*shape: int) -> torch.Tensor:
    return (torch.rand((STEPS, 3, *shape), generator=torch.Generator().manual_seed(1)) < 0.4).double()


def agrees(learner: Learner, shape: tuple[int, ...]) -> None:
    net = learner.to_snntorch()
    snntorch.utils.reset(net)
    spikes = drive(*shape)
    here = learner.respond(spikes).activity
    assert float(here[0].S.values.std()) > 0
    sent = [net(row) for row in spikes]
    last = torch.stack([one[-1] if isinstance(one, tuple) else one for one in sent])
    torch.testing.assert_close(last, here[-1].v.values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", SEQUENCES)
def test_a_net_of_convolutions_gives_the_same_as_layers(kind: str, seed: int) -> None:
    learner = learner_of_module(seed, kind, STEPS, "float64")
    agrees(learner, learner.model.network.input_shape)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SEQUENCES])
def test_a_net_that_is_no_sequence_is_refused_by_its_layer(kind: str) -> None:
    with pytest.raises(UserError, match=r"layer 'hidden\d' is (recurrent|a sum)") as refused:
        learner_of_module(0, kind, STEPS).to_snntorch()
    assert "\n" not in str(refused.value)


def test_lines_that_a_data_set_holds_as_pictures_are_read_as_lines() -> None:
    lif = snntorch.Leaky(0.8, threshold=0.2, init_hidden=True, reset_mechanism="zero", reset_delay=False)
    module = nn.Sequential(nn.Conv1d(3, 4, 3), lif, nn.Flatten(), nn.Linear(4 * 7, 5))
    learner = Learner(module, "bptt", input_shape=(1, 3, 9), steps=STEPS, precision="float64")
    agrees(learner, (1, 3, 9))
