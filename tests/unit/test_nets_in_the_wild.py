"""Networks as tutorials and forums have them: each learns the digits by local rules, and comes back trained."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import snntorch
import torch
from sklearn.datasets import load_digits
from snntorch import surrogate, utils
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

import neurorules

STEPS, EPOCHS, TRAINED = 8, 3, 1000
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


class Residual(nn.Module):
    """Residual blocks around neurons: spikes are added to spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.lif = nn.Linear(64, 48), leaky()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(48, 48), leaky()) for _ in range(2))
        self.out = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lif(self.stem(x))
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


def sequential() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 40), leaky(), nn.Linear(40, 40), leaky(), nn.Linear(40, 10))


class Tutorial(nn.Module):
    """Two layers of spikes and membranes that are handed on; classes are counted in spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 64), snntorch.Leaky(0.9, threshold=0.5)
        self.fc2, self.lif2 = nn.Linear(64, 64), snntorch.Leaky(0.9, threshold=0.5)
        self.fc3, self.lif3 = nn.Linear(64, 10), snntorch.Leaky(0.9, threshold=0.5)

    def forward(
        self, x: Tensor, mem1: Tensor | None = None, mem2: Tensor | None = None, mem3: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        spk3, mem3 = self.lif3(self.fc3(spk2), mem3)
        return spk3, mem1, mem2, mem3


class Currents(nn.Module):
    """Synaptic currents that are handed on, then a plain read-out."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.one = nn.Linear(64, 48), snntorch.Synaptic(0.7, 0.8, threshold=0.5)
        self.fc2, self.two = nn.Linear(48, 48), snntorch.Synaptic(0.7, 0.8, threshold=0.5)
        self.out = nn.Linear(48, 10)

    def forward(
        self, x: Tensor, syn1: Tensor | None = None, mem1: Tensor | None = None, syn2: Tensor | None = None,
        mem2: Tensor | None = None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        spk1, syn1, mem1 = self.one(self.fc1(x), syn1, mem1)
        spk2, syn2, mem2 = self.two(self.fc2(spk1), syn2, mem2)
        return self.out(spk2), syn1, mem1, syn2, mem2


def learning_its_numbers() -> nn.Module:
    numbers = {"learn_beta": True, "learn_threshold": True, "threshold": 0.5}
    return nn.Sequential(
        nn.Linear(64, 48), leaky(**numbers), nn.Linear(48, 48), leaky(**numbers), nn.Linear(48, 10),
        leaky(reset_mechanism="none", output=True, **numbers),
    )  # fmt: skip


def alpha_and_lapicque() -> nn.Module:
    alpha = snntorch.Alpha(0.9, 0.6, threshold=0.2, init_hidden=True)
    circuit = snntorch.Lapicque(R=5.0, C=2.0, threshold=0.3, init_hidden=True)
    return nn.Sequential(nn.Linear(64, 48), alpha, nn.Linear(48, 48), circuit, nn.Linear(48, 10))


FLAT = (64,)
NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], dict[str, Any]]] = {
    "recurrent": (Recurrent, FLAT, {}), "convolutional": (Convolutional, (1, 8, 8), {}),
    "skipping": (Skipping, FLAT, {}), "residual": (Residual, FLAT, {}), "sequential": (sequential, (1, 8, 8), {}),
    "tutorial": (Tutorial, FLAT, {"scores": "count"}), "currents": (Currents, FLAT, {}),
    "learning its numbers": (learning_its_numbers, FLAT, {}), "alpha and lapicque": (alpha_and_lapicque, FLAT, {}),
}  # fmt: skip


def run(net: nn.Module, x: Tensor, options: dict[str, Any]) -> tuple[list[Tensor], Tensor]:
    """Spikes of every neuron of snnTorch over time, and class scores, in torch and snnTorch alone."""
    utils.reset(net)
    units = [one for one in net.modules() if isinstance(one, snntorch.SpikingNeuron)]
    fired: list[list[Tensor]] = [[] for _ in units]

    def keep(into: list[Tensor]) -> Callable[..., None]:
        return lambda _module, _inputs, output: into.append(output[0] if isinstance(output, tuple) else output)

    hooks = [unit.register_forward_hook(keep(into)) for unit, into in zip(units, fired, strict=True)]
    read, states = [], ()
    with torch.no_grad():
        for _ in range(STEPS):
            output = net(x, *states) if isinstance(net, Tutorial | Currents) else net(x)
            first, *states = output if isinstance(output, tuple) else (output,)
            read.append(output[-1] if isinstance(net, nn.Sequential) and isinstance(output, tuple) else first)
    for hook in hooks:
        hook.remove()
    scores = torch.stack(read)
    return [torch.stack(spikes) for spikes in fired], scores.sum(0) if options else scores.mean(0)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_a_net_learns_by_a_local_rule_and_by_gradients_better_than_frozen(name: str) -> None:
    make, shape, options = NETS[name]
    pixels, labels = load_digits(return_X_y=True)
    x, y = torch.from_numpy(pixels / 16).float().reshape(-1, *shape), torch.from_numpy(labels)
    drive = x[1400:].expand(STEPS, *x[1400:].shape)
    accuracies = {}
    for rule in ("sigprop", "bptt", "shallow"):
        torch.manual_seed(0)
        net = make()
        learner = neurorules.Learner(net, rule, steps=STEPS, input_shape=shape, device="cpu", **options)
        before, _ = run(net.eval(), x[1400:], options)
        layers, activity = learner.model.network.layers, learner.respond(drive).activity
        fired = [one for layer, one in zip(layers, activity, strict=True) if layer.neuron.spiking]
        for there, here in zip(before, fired, strict=False):
            assert float((there != here.S.values).float().mean()) < 1e-3 and float(there.mean()) > 0.001
        learner.fit((x[:TRAINED], y[:TRAINED]), epochs=EPOCHS, batch_size=32)
        accuracies[rule] = learner.evaluate((x[1400:], y[1400:]))["accuracy"]
        learner.write_back(net)
        _, scores = run(net, x[1400:], options)
        agreeing = float((scores.argmax(1) == learner.scores(drive).argmax(1)).float().mean())
        assert agreeing > 0.99, (rule, agreeing)
    assert min(accuracies["sigprop"], accuracies["bptt"]) > accuracies["shallow"] + 0.05, accuracies


SAMPLES, TESTED, SLICES = 480, 120, 5
EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])


def camera(first: int, last: int) -> Any:
    """A loader of events with the interface of tonic's data sets: brighter pixels have more events, over 100 ms."""

    pixels, labels = load_digits(return_X_y=True)

    class Recorded(Dataset):  # type: ignore[type-arg]
        sensor_size, classes = (8, 8, 2), tuple(f"digit {number}" for number in range(10))

        def __len__(self) -> int:
            return last - first

        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            random = np.random.default_rng(first + index)
            where = np.repeat(np.arange(64), np.round(pixels[first + index] / 4).astype(int))
            events = np.zeros(len(where), EVENT)
            events["x"], events["y"], events["p"] = where % 8, where // 8, True
            events["t"] = np.sort(random.integers(0, 100_000, len(where)))
            return events, int(labels[first + index])

    return Recorded()


def of_a_camera() -> dict[str, Any]:
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), leaky(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(128, 32), nn.BatchNorm1d(32), leaky(), nn.Linear(32, 10),
    )  # fmt: skip
    cut = SAMPLES - TESTED
    return {"net": net, "data": (camera(0, cut), camera(cut, SAMPLES)), "steps": SLICES}


def batch_first() -> dict[str, Any]:
    pixels, labels = load_digits(return_X_y=True)
    draws = np.random.default_rng(0).random((SAMPLES, SLICES, 64))
    x, y = (draws < pixels[:SAMPLES, None] / 16).astype(np.float32), labels[:SAMPLES]
    cut = SAMPLES - TESTED
    return {"net": Skipping(), "data": ((x[:cut], y[:cut]), (x[cut:], y[cut:])), "batch_first": True}


def a_pair_of_tensors() -> dict[str, Any]:
    pixels, labels = load_digits(return_X_y=True)
    x, y = torch.from_numpy(pixels[:SAMPLES] / 16).float().reshape(-1, 1, 8, 8), torch.from_numpy(labels[:SAMPLES])
    cut = SAMPLES - TESTED
    return {"net": Tutorial(), "data": ((x[:cut], y[:cut]), (x[cut:], y[cut:])), "scores": "count", "steps": STEPS}


@pytest.mark.slow
@pytest.mark.parametrize("script", [of_a_camera, batch_first, a_pair_of_tensors], ids=lambda one: one.__name__)
def test_a_script_of_own_net_and_own_data_trains_above_its_frozen_control(script: Callable[[], dict[str, Any]]) -> None:
    torch.manual_seed(0)
    given = {"epochs": 6, "batch_size": 16, "device": "cpu", "threads": 1, "validation": 90, **script()}
    held = {rule: neurorules.train(rule, **given)["validation_accuracy"] for rule in ("sigprop", "bptt", "shallow")}
    assert min(held["sigprop"], held["bptt"]) > held["shallow"] + 0.05, held


@pytest.mark.slow
def test_the_blocks_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.finditer(r"(<!-- no-run -->\s*\n)?^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    blocks = [code for skip, code in (match.groups() for match in found) if skip is None]
    assert len(blocks) >= 2
    torch.manual_seed(0)
    page: dict[str, object] = {"__name__": "page"}
    for block in blocks:
        exec(block, page)
    assert float(capsys.readouterr().out.splitlines()[0]) > 0.7
