"""Networks as tutorials and forums have them: each learns the digits by local rules, and comes back trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import snntorch
import torch
from sklearn.datasets import load_digits
from snntorch import surrogate, utils
from torch import Tensor, nn
from torch.nn import functional

import neurorules

STEPS = 8
PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-net.md"


def leaky(**options: Any) -> snntorch.Leaky:
    return snntorch.Leaky(0.9, spike_grad=surrogate.fast_sigmoid(slope=25), init_hidden=True, **options)


class Recurrent(nn.Module):
    """A recurrent layer, then a plain one."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 48)
        self.rlif = snntorch.RLeaky(0.9, linear_features=48, init_hidden=True)
        self.fc2, self.lif, self.out = nn.Linear(48, 48), leaky(), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.lif(self.fc2(self.rlif(self.fc1(x)))))


class Convolutional(nn.Module):
    """Batch normalisation, a pool of spikes, a pool of currents."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm, self.lif1 = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), leaky()
        self.conv2, self.lif2, self.fc = nn.Conv2d(8, 16, 3, padding=1), leaky(), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        spikes = functional.max_pool2d(self.lif1(self.norm(self.conv1(x))), 2)
        spikes = self.lif2(functional.max_pool2d(self.conv2(spikes), 2))
        return self.fc(spikes.flatten(1))


class Skipping(nn.Module):
    """The second layer reads the input as well."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 32), leaky()
        self.fc2, self.skip, self.lif2 = nn.Linear(32, 32), nn.Linear(64, 32), leaky()
        self.out = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.lif2(self.fc2(self.lif1(self.fc1(x))) + self.skip(x)))


def sequential() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 40), leaky(), nn.Linear(40, 40), leaky(), nn.Linear(40, 10))


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "recurrent": (Recurrent, (64,)), "convolutional": (Convolutional, (1, 8, 8)), "skipping": (Skipping, (64,)),
    "sequential": (sequential, (1, 8, 8)),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_a_net_learns_by_a_local_rule_and_by_gradients_better_than_frozen(name: str) -> None:
    make, shape = NETS[name]
    pixels, labels = load_digits(return_X_y=True)
    x, y = torch.from_numpy(pixels / 16).float().reshape(-1, *shape), torch.from_numpy(labels)
    accuracies = {}
    for rule in ("sigprop", "bptt", "shallow"):
        torch.manual_seed(0)
        net = make()
        learner = neurorules.Learner(net, rule, steps=STEPS, input_shape=shape, device="cpu")
        learner.fit((x[:1400], y[:1400]), epochs=4, batch_size=32)
        accuracies[rule] = learner.evaluate((x[1400:], y[1400:]))["accuracy"]
        learner.write_back(net)
        utils.reset(net.eval())
        with torch.no_grad():
            scores = torch.stack([net(x[1400:]) for _ in range(STEPS)]).mean(0)
        agreeing = float(
            (scores.argmax(1) == learner.scores(x[1400:].expand(STEPS, *x[1400:].shape)).argmax(1)).float().mean()
        )
        assert agreeing > 0.99, (rule, agreeing)
    assert min(accuracies["sigprop"], accuracies["bptt"]) > accuracies["shallow"] + 0.05, accuracies


@pytest.mark.slow
def test_the_blocks_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = PAGE.read_text(encoding="utf-8").split("```python\n")[1:]
    assert blocks
    torch.manual_seed(0)
    for block in blocks:
        exec(block.partition("```")[0], {"__name__": "page"})
    assert float(capsys.readouterr().out) > 0.7
