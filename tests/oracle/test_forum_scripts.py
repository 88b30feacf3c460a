"""Scripts as they stand in forums and tutorials, net and data and loop: each spikes here as in snnTorch, and learns.

A script is what its author would have: a net of snnTorch, data in some form, and the loop over time that runs the net.
Before any training the spikes of every neuron are those of that loop, to the bit. Then the net is trained by a local
rule and by gradients, both above the control with frozen hidden layers, and goes back into the author's module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import snntorch as snn
import torch
from PIL import Image
from sklearn.datasets import load_digits
from snntorch import surrogate, utils
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import neurorules

TRAINED, TESTED, STEPS = 400, 200, 6
SPIKE_GRAD = surrogate.fast_sigmoid(slope=25)
Loop = Callable[[nn.Module, Tensor], Tensor]


class Script(NamedTuple):
    """One script.

    Args:
        net: the author's net.
        train, test: the author's data, in one of the forms that `fit` and `neurorules.train` take.
        shown: samples of the test as the author's loop runs them, time first (T, B, *input).
        loop: runs the net over them, and returns what it reads of each step, (T, B, C).
        options: of the learner.
        reading: how `fit` and `evaluate` are to read the data.
        local: the local rule.
        figure: what is compared with the frozen control, and by how much it must be better.
        one_line: settings of `neurorules.train`, where the script calls that; None for a loop of `fit`.
    """

    net: nn.Module
    train: Any
    test: Any
    shown: Tensor
    loop: Loop
    options: dict[str, Any] = {}  # noqa: RUF012
    reading: dict[str, Any] = {}  # noqa: RUF012
    local: str = "sigprop"
    figure: tuple[str, float] = ("accuracy", 0.05)
    one_line: dict[str, Any] | None = None


def digits() -> tuple[Tensor, Tensor]:
    """Handwritten digits (N, 64) in 0..1, and their classes."""
    pixels, labels = load_digits(return_X_y=True)
    count = TRAINED + TESTED
    return torch.from_numpy(pixels[:count] / 16).float(), torch.from_numpy(labels[:count])


def halves(x: Any, y: Any) -> tuple[Any, Any]:
    """What is trained and what is tested."""
    return (x[:TRAINED], y[:TRAINED]), (x[TRAINED:], y[TRAINED:])


def repeated(x: Tensor) -> Tensor:
    """The first samples, the same at each step."""
    return x[TRAINED : TRAINED + 40].expand(STEPS, *x[TRAINED : TRAINED + 40].shape)


def loop_of_hidden_states(net: nn.Module, data: Tensor) -> Tensor:
    """The loop over a net whose neurons keep their membranes, and that ends in a Linear."""
    utils.reset(net)
    return torch.stack([net(data[step]) for step in range(data.size(0))])


def loop_of_last_spikes(net: nn.Module, data: Tensor) -> Tensor:
    """The loop of snnTorch's tutorial 5: the spikes of the last layer, which returns them with its membrane."""
    utils.reset(net)
    spk_rec = []
    for step in range(data.size(0)):
        spk_out, _ = net(data[step])
        spk_rec.append(spk_out)
    return torch.stack(spk_rec)


def loop_of_handed_states(net: nn.Module, data: Tensor) -> Tensor:
    """The loop over a net that is handed its states and returns them behind what it reads."""
    utils.reset(net)  # a Leaky keeps its membrane also where it is handed one
    states: list[Tensor] = []
    out = []
    for step in range(data.size(0)):
        first, *states = net(data[step], *states)
        out.append(first)
    return torch.stack(out)


def a_tutorials_sequential_with_init_hidden() -> Script:
    beta = 0.9
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(8 * 8, 48),
        snn.Leaky(beta=beta, spike_grad=SPIKE_GRAD, init_hidden=True, threshold=0.5),
        nn.Linear(48, 10),
        snn.Leaky(beta=beta, spike_grad=SPIKE_GRAD, init_hidden=True, threshold=0.5, output=True),
    )
    x, y = digits()
    dataset = TensorDataset(x.reshape(-1, 1, 8, 8), y)
    train_loader = DataLoader(Subset(dataset, range(TRAINED)), batch_size=20, shuffle=True, drop_last=True)
    test_loader = DataLoader(Subset(dataset, range(TRAINED, TRAINED + TESTED)), batch_size=32)
    shown = repeated(x.reshape(-1, 1, 8, 8))
    options = {"input_shape": (1, 8, 8), "scores": "count"}
    return Script(net, train_loader, test_loader, shown, loop_of_last_spikes, options)


def a_class_that_hands_its_membranes_on() -> Script:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = nn.Linear(64, 48)
            self.lif1 = snn.Leaky(beta=0.95, threshold=0.5)
            self.fc2 = nn.Linear(48, 48)
            self.lif2 = snn.Leaky(beta=0.95, threshold=0.5)
            self.fc3 = nn.Linear(48, 10)
            self.lif3 = snn.Leaky(beta=0.95, threshold=0.5)

        def forward(
            self, x: Tensor, mem1: Tensor | None = None, mem2: Tensor | None = None, mem3: Tensor | None = None
        ) -> tuple[Tensor, ...]:
            cur1 = self.fc1(x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            cur3 = self.fc3(spk2)
            spk3, mem3 = self.lif3(cur3, mem3)
            return spk3, mem1, mem2, mem3

    x, y = digits()
    train, test = halves(x, y)
    return Script(Net(), train, test, repeated(x), loop_of_handed_states, {"scores": "count"})


def a_recurrent_net_on_batch_first_spikes() -> Script:
    class RSNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = nn.Linear(64, 48)
            self.rlif1 = snn.RLeaky(beta=0.9, linear_features=48, init_hidden=True, threshold=0.5)
            self.fc2 = nn.Linear(48, 32)
            self.lif2 = snn.Leaky(beta=0.9, init_hidden=True, threshold=0.5)
            self.out = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.lif2(self.fc2(self.rlif1(self.fc1(x)))))

    x, y = digits()
    rates = torch.rand(len(x), STEPS, 64, generator=torch.Generator().manual_seed(0))
    spikes = (rates < x[:, None]).float()  # (batch, time, features), as nn.RNN(batch_first=True) reads it
    train, test = halves(spikes, y)
    shown = spikes[TRAINED : TRAINED + 40].transpose(0, 1)
    return Script(RSNN(), train, test, shown, loop_of_hidden_states, {}, {"batch_first": True})


def a_convolution_with_batch_norm_and_rows_of_dicts() -> Script:
    class CSNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
            self.lif1 = snn.Leaky(beta=0.5, init_hidden=True)
            self.conv2, self.bn2 = nn.Conv2d(8, 12, 3, padding=1), nn.BatchNorm2d(12)
            self.lif2 = snn.Leaky(beta=0.5, init_hidden=True)
            self.fc = nn.Linear(12 * 2 * 2, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = functional.max_pool2d(self.lif1(self.bn1(self.conv1(x))), 2)
            x = functional.avg_pool2d(self.lif2(self.bn2(self.conv2(x))), 2)
            return self.fc(x.flatten(1))

    x, y = digits()
    images = x.reshape(-1, 1, 8, 8)
    rows = [{"image": image, "label": int(label)} for image, label in zip(images, y, strict=True)]
    train_loader = DataLoader(rows[:TRAINED], batch_size=20, shuffle=True)  # type: ignore[arg-type]
    test_loader = DataLoader(rows[TRAINED:], batch_size=32)  # type: ignore[arg-type]
    return Script(
        CSNN(), train_loader, test_loader, repeated(images), loop_of_hidden_states, {"input_shape": (1, 8, 8)}
    )


EVENT = np.dtype([("t", np.int64), ("y", np.int16), ("p", bool), ("x", np.int16)])


class Camera:
    """A recording for each digit, with the interface of tonic's data sets; brighter pixels have more events."""

    sensor_size = (8, 8, 2)
    classes = tuple(f"{digit} - {digit}" for digit in range(10))

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, (self.x, self.y) = first, last, digits()

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        place = self.first + index
        random = np.random.default_rng(place)
        pixels = np.repeat(np.arange(64), (self.x[place] * 4).round().int().numpy())
        events = np.zeros(len(pixels), EVENT)
        events["x"], events["y"], events["p"] = pixels % 8, pixels // 8, random.random(len(pixels)) < 0.8
        events["t"] = np.sort(random.integers(0, 100_000, len(pixels)))
        return events, int(self.y[place])


def to_frame(events: np.ndarray) -> np.ndarray:
    """Events of one recording as counts in STEPS bins of equal length, (T, P, H, W), as tonic's ToFrame makes them."""
    frames = np.zeros((STEPS, 2, 8, 8), np.float32)
    since, whole = events["t"] - events["t"].min(), np.ptp(events["t"]) + 1
    np.add.at(frames, (since * STEPS // whole, events["p"].astype(int), events["y"], events["x"]), 1)
    return frames


def a_dvs_net_on_recordings_of_tonics_kind() -> Script:
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        snn.Leaky(beta=0.5, spike_grad=SPIKE_GRAD, init_hidden=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 32),
        nn.BatchNorm1d(32),
        snn.Leaky(beta=0.5, spike_grad=SPIKE_GRAD, init_hidden=True),
        nn.Linear(32, 10),
    )
    train, test = Camera(0, TRAINED), Camera(TRAINED, TRAINED + TESTED)
    shown = torch.from_numpy(np.stack([to_frame(test[place][0]) for place in range(40)], 1))
    options = {"input_shape": (2, 8, 8), "steps": STEPS}
    return Script(net, train, test, shown, loop_of_hidden_states, options, one_line={"encode": "frames", "epochs": 8})


def a_skip_connection_and_a_collate_with_time_first() -> Script:
    class SkipNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.lif1 = nn.Linear(64, 32), snn.Leaky(beta=0.8, init_hidden=True, threshold=0.5)
            self.fc2, self.lif2 = nn.Linear(32, 32), snn.Leaky(beta=0.8, init_hidden=True, threshold=0.5)
            self.skip = nn.Linear(64, 32, bias=False)
            self.out = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            spk1 = self.lif1(self.fc1(x))
            spk2 = self.lif2(self.fc2(spk1) + self.skip(x))
            return self.out(spk2)

    def collate(samples: list[Any]) -> tuple[Tensor, Tensor]:
        return torch.stack([x for x, _ in samples], dim=1), torch.tensor([y for _, y in samples])

    x, y = digits()
    draws = torch.rand(len(x), STEPS, 64, generator=torch.Generator().manual_seed(1))
    trains = (draws < x[:, None]).float()
    dataset = list(zip(trains, y.tolist(), strict=True))
    train_loader = DataLoader(dataset[:TRAINED], batch_size=20, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    test_loader = DataLoader(dataset[TRAINED:], batch_size=50, collate_fn=collate)  # type: ignore[arg-type]
    shown = trains[TRAINED : TRAINED + 40].transpose(0, 1)
    return Script(SkipNet(), train_loader, test_loader, shown, loop_of_hidden_states, {}, {"batch_first": False})


def residual_blocks_and_an_iterable_data_set() -> Script:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lif = nn.Linear(48, 48), snn.Leaky(beta=0.9, init_hidden=True)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.lif(self.fc(x))

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.lif = nn.Linear(64, 48), snn.Leaky(beta=0.9, init_hidden=True, threshold=0.5)
            self.blocks = nn.ModuleList([Block(), Block()])
            self.head = nn.Linear(48, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = self.lif(self.stem(x))
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    class Stream(IterableDataset):  # type: ignore[type-arg]
        def __init__(self, x: Tensor, y: Tensor) -> None:
            self.x, self.y = x, y

        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            return iter(zip(self.x, self.y, strict=True))

    x, y = digits()
    train, test = (DataLoader(Stream(*part), batch_size=20) for part in halves(x, y))
    return Script(ResNet(), train, test, repeated(x), loop_of_hidden_states)


def synaptic_currents_and_one_hot_labels() -> Script:
    class SynapticNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.syn1 = nn.Linear(64, 48), snn.Synaptic(alpha=0.7, beta=0.8, threshold=0.5)
            self.fc2, self.syn2 = nn.Linear(48, 48), snn.Synaptic(alpha=0.7, beta=0.8, threshold=0.5)
            self.out = nn.Linear(48, 10)

        def forward(
            self, x: Tensor, s1: Tensor | None = None, m1: Tensor | None = None, s2: Tensor | None = None,
            m2: Tensor | None = None,
        ) -> tuple[Tensor, ...]:  # fmt: skip
            spk, s1, m1 = self.syn1(self.fc1(x), s1, m1)
            spk, s2, m2 = self.syn2(self.fc2(spk), s2, m2)
            return self.out(spk), s1, m1, s2, m2

    x, y = digits()
    train, test = halves(list(x), functional.one_hot(y, 10))
    return Script(SynapticNet(), train, test, repeated(x), loop_of_handed_states)


def learned_decays_and_thresholds_and_a_map_style_data_set() -> Script:
    class Digits(Dataset):  # type: ignore[type-arg]
        def __init__(self, x: Tensor, y: Tensor) -> None:
            self.x, self.y = x, y

        def __len__(self) -> int:
            return len(self.x)

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            return self.x[index], int(self.y[index])

    learned: dict[str, Any] = {"learn_beta": True, "learn_threshold": True, "init_hidden": True, "threshold": 0.5}
    net = nn.Sequential(
        nn.Linear(64, 48),
        snn.Leaky(beta=0.9, **learned),
        nn.Linear(48, 48),
        snn.Leaky(beta=torch.full((48,), 0.9), **learned),  # a decay for each neuron
        nn.Linear(48, 10),
        snn.Leaky(beta=0.9, init_hidden=True, reset_mechanism="none", output=True),
    )

    def membranes(net: nn.Module, data: Tensor) -> Tensor:
        utils.reset(net)
        return torch.stack([net(data[step])[1] for step in range(data.size(0))])

    x, y = digits()
    train, test = (Digits(*part) for part in halves(x, y))
    return Script(net, train, test, repeated(x), membranes)


def alpha_and_lapicque_neurons_and_numpy_arrays() -> Script:
    net = nn.Sequential(
        nn.Linear(64, 48),
        snn.Alpha(alpha=0.9, beta=0.6, threshold=0.2, init_hidden=True),
        nn.Linear(48, 48),
        snn.Lapicque(R=5.0, C=2.0, threshold=0.3, init_hidden=True),
        nn.Linear(48, 10),
    )
    x, y = digits()
    train, test = halves(x.numpy(), y.numpy())
    return Script(net, train, test, repeated(x), loop_of_hidden_states)


def a_regression_by_the_membrane() -> Script:
    class Regressor(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.lif1 = nn.Linear(64, 64), snn.Leaky(beta=0.9, threshold=0.5)
            self.fc2, self.lif2 = nn.Linear(64, 64), snn.Leaky(beta=0.9, threshold=0.5)
            self.fc3, self.lif3 = nn.Linear(64, 2), snn.Leaky(beta=0.5, reset_mechanism="none")

        def forward(
            self, x: Tensor, mem1: Tensor | None = None, mem2: Tensor | None = None, mem3: Tensor | None = None
        ) -> tuple[Tensor, ...]:
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            _, mem3 = self.lif3(self.fc3(spk2), mem3)
            return mem3, mem1, mem2, mem3

    x, _ = digits()
    images = x.reshape(-1, 8, 8)
    rows = torch.arange(8.0)
    total = images.sum((1, 2))
    centre = torch.stack([(images.sum(2) * rows).sum(1) / total, (images.sum(1) * rows).sum(1) / total], 1) - 3.5
    train, test = halves(x, centre)
    options = {"task": "regression"}
    local = "sigprop:generator=target_input:loss=soft"
    return Script(Regressor(), train, test, repeated(x), loop_of_handed_states, options, {}, local, ("r2", 0.05))


def pictures_in_folders() -> Script:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.lif1 = nn.Conv2d(1, 12, 3, stride=2), snn.Leaky(beta=0.9, init_hidden=True)
            self.fc1, self.lif2 = nn.Linear(12 * 9, 32), snn.Leaky(beta=0.9, init_hidden=True)
            self.fc2 = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = self.lif1(self.conv(x))
            x = self.lif2(self.fc1(x.view(x.size(0), -1)))
            return self.fc2(x)

    x, y = digits()
    pixels = (x.reshape(-1, 8, 8) * 240).to(torch.uint8)  # multiples of 15, so that grey levels are multiples of 1/17
    for number, (picture, label) in enumerate(zip(pixels.numpy(), y.tolist(), strict=True)):
        folder = Path("pictures", "train" if number < TRAINED else "test", str(label))
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number:04d}.png")
    shown = repeated(pixels[:, None].float() / 255)
    train, test = halves(pixels[:, None], y)
    options = {"input_shape": (1, 8, 8)}
    return Script(Net(), train, test, shown, loop_of_hidden_states, options, one_line={"data": "folder:pictures"})


SCRIPTS: list[Callable[[], Script]] = [
    a_tutorials_sequential_with_init_hidden, a_class_that_hands_its_membranes_on, a_recurrent_net_on_batch_first_spikes,
    a_convolution_with_batch_norm_and_rows_of_dicts, a_dvs_net_on_recordings_of_tonics_kind,
    a_skip_connection_and_a_collate_with_time_first, residual_blocks_and_an_iterable_data_set,
    synaptic_currents_and_one_hot_labels, learned_decays_and_thresholds_and_a_map_style_data_set,
    alpha_and_lapicque_neurons_and_numpy_arrays, a_regression_by_the_membrane, pictures_in_folders,
]  # fmt: skip


def on_a_grid(net: nn.Module) -> nn.Module:
    """The net with weights that are multiples of 1/256, whose sums are the same in any order.

    Numbers of a batch normalisation are set as in a net that has learned, so that its neurons spike.
    """
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                for value in module.parameters():
                    value.copy_((value * 256).round() / 256)
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.constant_(module.running_var, 0.01)
                nn.init.uniform_(module.weight, 0.5, 1.5)
    return net


def in_snntorch(script: Script) -> tuple[list[Tensor], Tensor]:
    """Spikes of every neuron over time, (T, B, *shape) each, and what the author's loop reads, in snnTorch alone."""
    fired: list[list[Tensor]] = []

    def keep(into: list[Tensor]) -> Callable[..., None]:
        return lambda _module, _inputs, output: into.append(output[0] if isinstance(output, tuple) else output)

    hooks = []
    for module in script.net.modules():
        if isinstance(module, snn.SpikingNeuron):
            fired.append([])
            hooks.append(module.register_forward_hook(keep(fired[-1])))
    with torch.no_grad():
        read = script.loop(script.net.eval(), script.shown)
    for hook in hooks:
        hook.remove()
    return [torch.stack(spikes) for spikes in fired], read


def scores_of(script: Script, read: Tensor) -> Tensor:
    return read.sum(0) if script.options.get("scores") == "count" else read.mean(0)


@pytest.mark.parametrize("post", SCRIPTS, ids=lambda post: post.__name__)
def test_a_script_spikes_as_in_snntorch_and_learns_above_its_frozen_control(
    post: Callable[[], Script], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reached: dict[str, float] = {}
    for rule in ("local", "bptt", "shallow"):
        torch.manual_seed(0)
        script = post()
        on_a_grid(script.net)
        name, margin = script.figure
        text = script.local if rule == "local" else rule
        options = {"steps": STEPS, "device": "cpu", **script.options}
        learner = neurorules.Learner(script.net, text, **options)
        if rule == "local":
            assert_equal_spikes(script, learner)
        if script.one_line is None:
            learner.fit(script.train, epochs=4, batch_size=20, **script.reading)
            reached[rule] = learner.evaluate(script.test, **script.reading)[name]
        else:
            settings: dict[str, Any] = {
                "epochs": 4,
                "batch_size": 20,
                "device": "cpu",
                "threads": 1,
                "steps": STEPS,
                "out": rule,
            }
            settings |= {"data": (script.train, script.test), "validation": 60, **script.one_line}
            result = neurorules.train(text, net=script.net, **settings)
            reached[rule] = result[f"test_{name}"]
            learner = neurorules.load(rule)
        assert_comes_back(script, learner)
    assert min(reached["local"], reached["bptt"]) > reached["shallow"] + margin, reached


def assert_equal_spikes(script: Script, learner: neurorules.Learner) -> None:
    fired, read = in_snntorch(script)
    response, layers = learner.respond(script.shown), learner.model.network.layers
    here = [one.S.values for layer, one in zip(layers, response.activity, strict=True) if layer.neuron.spiking]
    assert len(here) >= len(fired) - 1  # a read-out without reset has a membrane, and its spikes are not read
    for theirs, ours in zip(fired, here, strict=False):
        assert 0.005 < float(theirs.mean()) < 0.98
        assert torch.equal(theirs, ours.reshape(theirs.shape))
    torch.testing.assert_close(response.scores, scores_of(script, read), rtol=1e-4, atol=1e-5)


def assert_comes_back(script: Script, learner: neurorules.Learner) -> None:
    learner.write_back(script.net)
    theirs, ours = scores_of(script, in_snntorch(script)[1]), learner.scores(script.shown)
    if script.options.get("task") == "regression":
        assert float((theirs - ours).abs().mean()) < 0.02
    else:
        assert float((theirs.argmax(1) == ours.argmax(1)).float().mean()) > 0.97
