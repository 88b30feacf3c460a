"""What a class with a forward of its own may do that networks here do not: each is named, with what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import snntorch
import torch
from snntorch import spikegen, utils
from torch import Tensor, nn

from neurorules import Learner
from neurorules.language.errors import UserError


def leaky(**options: Any) -> snntorch.Leaky:
    return snntorch.Leaky(0.8, threshold=0.2, init_hidden=True, **options)


class Net(nn.Module):
    """Two layers, a forward that each case says, and whatever else it needs."""

    def __init__(self, forward: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        self.a, self.one, self.b, self.two = nn.Linear(6, 5), leaky(), nn.Linear(5, 3), leaky(output=True)
        self.how = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.how(self, x)


def loop_of_the_tutorial(net: Any, x: Tensor) -> Any:
    mem, out = net.plain.init_leaky(), []
    for _ in range(4):
        spk, mem = net.plain(net.a(x), mem)
        out.append(net.b(spk))
    return torch.stack(out)


def loop_over_the_input(net: Any, x: Tensor) -> Any:
    return torch.stack([net.b(net.one(net.a(frame))) for frame in x])


def loop_over_its_length(net: Any, x: Tensor) -> Any:
    return [net.b(net.one(net.a(x[step]))) for step in range(x.size(0))]


def loop_of_neurons_with_state(net: Any, x: Tensor) -> Any:
    return [net.b(net.one(net.a(x))) for _ in range(3)][-1]


def resets(net: Any, x: Tensor) -> Any:
    utils.reset(net)
    return net.b(net.one(net.a(x)))


def draws(net: Any, x: Tensor) -> Any:
    return net.b(net.one(net.a(spikegen.rate(x, num_steps=4)[0])))


def from_a_list(net: Any, x: Tensor) -> Any:
    for layer in net.plain_list:
        x = layer(x)
    return x


def depends_on_values(net: Any, x: Tensor) -> Any:
    return net.b(net.one(net.a(x))) if x.sum() > 0 else net.b(net.one(net.a(-x)))


class States(nn.Module):
    """Membranes that are handed on without names."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.one, self.b = nn.Linear(6, 5), snntorch.Leaky(0.8), nn.Linear(5, 3)

    def forward(self, x: Tensor, *states: Tensor) -> Any:
        spikes, membrane = self.one(self.a(x), *states)
        return self.b(spikes), membrane


CASES: dict[str, tuple[Callable[..., Any], dict[str, nn.Module]]] = {
    "plain (Leaky) does not go on from its own membrane": (loop_of_the_tutorial, {"plain": snntorch.Leaky(0.8)}),
    "loops over its input": (loop_over_the_input, {}),
    "of Net loops over its input": (loop_over_its_length, {}),
    "layer a (Linear) runs more than once": (loop_of_neurons_with_state, {}),
    "cannot be followed in line": (depends_on_values, {}),
    "takes len() of what runs through it in line": (lambda net, x: net.b(net.one(net.a(x)).view(len(x), -1)), {}),
    "sets the membrane of layer one (Leaky) anew in each step": (resets, {}),
    "draws spikes by snntorch.spikegen in line": (draws, {}),
    "calls a layer that is not among its modules in line": (from_a_list, {}),
    "leaves 2 numbers of a map": (lambda net, x: net.b(net.pool(net.one(net.a(x)))),
                                  {"pool": nn.AdaptiveAvgPool2d(2)}),
    "adds what is neither spikes nor a current": (lambda net, x: net.b(net.one(net.a(x)) + 1.0), {}),
    "joins neurons with maps": (
        lambda net, x: net.c(torch.cat([net.one(net.a(x)), net.two(net.conv(x))], 1)),
        {"c": nn.Linear(11, 3), "conv": nn.Conv2d(1, 5, 1)}
    ),
    "joins something that is not spikes, or not along axis 1": (
        lambda net, x: net.c(torch.cat([net.one(net.a(x)), net.two(net.b(x))])), {"c": nn.Linear(11, 3)}
    ),
    "'add' in line": (lambda net, x: net.two(net.a(x)) + net.one(net.c(x)), {"c": nn.Linear(6, 5)}),
    "reads 5 inputs, and gets shape (3,)": (
        lambda net, x: net.b(net.one(net.a(x)) + net.two(net.c(x))), {"c": nn.Linear(6, 3)}
    ),
    "layer b (Linear) follows layer c (Linear) with no Leaky": (
        lambda net, x: net.b(net.one(net.a(x)) + net.c(x)), {"c": nn.Linear(6, 5)}
    ),
    "'getitem' in line": (lambda net, x: net.b(net.one(net.a(x[:, :6]))), {}),
    "'mul' in line": (lambda net, x: net.b(net.one(net.a(x)) * net.two(net.c(x))), {"c": nn.Linear(6, 5)}),
    "forward multiplies what its last layer returns": (lambda net, x: 2 * net.two(net.b(net.one(net.a(x)))), {}),
    "pools by the maximum what is multiplied by -1": (
        lambda net, x: net.b(net.pool(-net.one(net.a(x)))), {"pool": nn.MaxPool1d(2)}
    ),
    "'scale' in line": (lambda net, x: net.b(net.one(net.a(x) * net.scale)), {"scale": nn.ParameterList()}),
    "layer rnn (GRU) has no counterpart": (lambda net, x: net.b(net.one(net.rnn(x))), {"rnn": nn.GRU(6, 5)}),
    "layer one (Leaky) is read by no layer": (lambda net, x: (net.one(net.a(x)), net.two(net.c(x)))[1],
                                              {"c": nn.Linear(6, 3)}),
    "layer a (Linear) drives two populations": (
        lambda net, x: net.b(net.one(c := net.a(x))) + net.d(net.other(c)),
        {"other": leaky(), "d": nn.Linear(5, 3)},
    ),
    "to which it is added": (lambda net, x: net.b(net.one(net.a(x) + net.c(x))), {"c": nn.Linear(6, 4)}),
    "norm (BatchNorm1d) acts on spikes": (lambda net, x: net.b(net.norm(net.one(net.a(x)))),
                                          {"norm": nn.BatchNorm1d(5)}),
    "norm (BatchNorm1d) has a weight that is not positive": (
        lambda net, x: net.b(net.one(net.norm(net.a(x)))), {"norm": nn.BatchNorm1d(5)}
    ),
    "norm (BatchNorm1d) has track_running_stats=False": (
        lambda net, x: net.b(net.one(net.norm(net.a(x)))), {"norm": nn.BatchNorm1d(5, track_running_stats=False)}
    ),
    "norm (BatchNorm1d) normalises the read-out's": (
        lambda net, x: net.norm(net.b(net.one(net.a(x)))), {"norm": nn.BatchNorm1d(3)}
    ),
    "rec (RLeaky) learns one V that all its neurons share": (
        lambda net, x: net.b(net.rec(net.a(x))), {"rec": snntorch.RLeaky(0.8, all_to_all=False, init_hidden=True)}
    ),
    "rec (RLeaky) has linear_features=4": (
        lambda net, x: net.b(net.rec(net.a(x))), {"rec": snntorch.RLeaky(0.8, linear_features=4, init_hidden=True)}
    ),
    "returns what is neither spikes nor a membrane": (lambda net, x: (net.b(net.one(net.a(x))), x.shape[0]), {}),
}  # fmt: skip


@pytest.mark.parametrize("message", CASES)
def test_what_a_forward_does_that_no_network_here_does_is_named(message: str) -> None:
    how, parts = CASES[message]
    net = Net(how, **parts)
    if "weight that is not positive" in message:
        nn.init.constant_(net.norm.weight, -2.0)  # type: ignore[union-attr, arg-type]
    if "scale" in parts:
        net.scale = nn.Parameter(torch.ones(5))  # type: ignore[assignment]
    net.plain_list = [nn.Linear(6, 5), leaky(), nn.Linear(5, 3)]  # type: ignore[assignment]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(UserError) as raised:
        Learner(net, "sigprop", steps=4, input_shape=(6,), device="cpu")
    assert message in str(raised.value) and "\n" not in str(raised.value), str(raised.value)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_states_without_names_are_named() -> None:
    with pytest.raises(UserError, match=r"any number of states, \*states. Name each of them"):
        Learner(States(), "sigprop", steps=4, device="cpu")


def test_a_membrane_that_is_handed_to_two_layers_is_named() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.one = nn.Linear(6, 5), snntorch.Leaky(0.8)
            self.b, self.two = nn.Linear(5, 5), snntorch.Leaky(0.8)

        def forward(self, x: Tensor, mem: Tensor) -> Any:
            first, _ = self.one(self.a(x), mem)
            return self.two(self.b(first), mem)

    with pytest.raises(UserError, match="'mem' is handed to layer one .Leaky. and to layer two .Leaky."):
        Learner(Mixed(), "sigprop", steps=4, device="cpu")


def test_a_hook_on_a_container_is_named() -> None:
    net = Net(lambda net, x: net.b(net.one(net.a(x))))
    net.register_forward_hook(lambda module, given, output: output * 2)
    with pytest.raises(UserError, match="the Net has the hook"):
        Learner(net, "sigprop", steps=4, device="cpu")
