"""Modules that do more than their class are refused by name; what wraps one is looked through; frozen ones stay."""

from __future__ import annotations

import types
from collections.abc import Callable

import pytest
import snntorch
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from neurorules import Learner
from neurorules.language.errors import UserError

INPUTS, CLASSES, STEPS = 6, 3, 4


def leaky(**options: object) -> snntorch.Leaky:
    return snntorch.Leaky(0.8, threshold=0.2, init_hidden=True, **options)


def net(**changed: nn.Module) -> nn.Sequential:
    """first, fires, second, fires2, readout; each may be another."""
    torch.manual_seed(0)
    parts = {
        "first": nn.Linear(INPUTS, 5), "fires": leaky(), "second": nn.Linear(5, 4), "fires2": leaky(),
        "readout": nn.Linear(4, CLASSES),
    }  # fmt: skip
    return nn.Sequential(*(parts | changed).values())


def drive(seed: int = 0, steps: int = STEPS) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(steps, 5, INPUTS, generator=generator) < 0.6).float()
    return spikes, torch.randint(0, CLASSES, (5,), generator=generator)


class Doubled(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


class Called(nn.Linear):
    def __call__(self, *arguments: Tensor) -> Tensor:
        return -super().__call__(*arguments)


class Positive(nn.Linear):
    def __getattr__(self, name: str) -> Tensor:  # type: ignore[override]
        value = super().__getattr__(name)
        return value.abs() if name == "weight" else value  # type: ignore[return-value]


class Noisy(snntorch.Leaky):
    def fire(self, mem: Tensor) -> Tensor:
        return super().fire(mem + 0.1)


class Residual(nn.Sequential):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 1


class Named(nn.Sequential):
    """Says only what it is made of."""

    def __init__(self) -> None:
        super().__init__(*net())


class Wide(nn.Linear):
    """A Linear of a size of its own."""

    def __init__(self) -> None:
        super().__init__(INPUTS, 5)

    def extra_repr(self) -> str:
        return "wide"


def done(module: nn.Module, *acts: Callable[[nn.Module], object]) -> nn.Module:
    for act in acts:
        act(module)
    return module


def linear(*acts: Callable[[nn.Module], object]) -> nn.Module:
    return done(nn.Linear(INPUTS, 5), *acts)


def _scale(module: nn.Module) -> None:
    module.forward = types.MethodType(lambda self, x: 3 * x, module)  # type: ignore[method-assign, assignment]


def _nan(module: nn.Module) -> None:
    module.weight.data[0, 0] = float("nan")  # type: ignore[index, union-attr]


def _shared() -> nn.Sequential:
    one, other = nn.Linear(INPUTS, INPUTS), nn.Linear(INPUTS, INPUTS)
    other.weight = one.weight
    return nn.Sequential(one, leaky(), other, leaky(), nn.Linear(INPUTS, CLASSES))


same = leaky()
MODULES: dict[str, Callable[[], nn.Module]] = {
    "'forward' of its own": lambda: Doubled(INPUTS, 5),
    "'__call__' of its own": lambda: Called(INPUTS, 5),
    "layer 0 (Positive)": lambda: Positive(INPUTS, 5),
    "a Linear with 'forward' of its own": lambda: linear(_scale),
    "the hook 'double'": lambda: linear(lambda m: m.register_forward_hook(double)),
    "the hook 'before'": lambda: linear(lambda m: m.register_forward_pre_hook(before)),
    "the hook 'backwards'": lambda: linear(lambda m: m.register_full_backward_hook(backwards)),
    "a hook on its weight": lambda: linear(lambda m: m.weight.register_hook(lambda g: 0 * g)),
    "parametrisation of 'weight'": lambda: linear(parametrizations.weight_norm),
    "remove_parametrizations(module, 'weight')": lambda: linear(parametrizations.spectral_norm),
    "parametrisation": lambda: linear(parametrizations.orthogonal),
    "is pruned ('weight')": lambda: linear(lambda m: prune.random_unstructured(m, "weight", 0.5)),
    "prune.remove(module, 'bias')": lambda: linear(lambda m: prune.random_unstructured(m, "bias", 0.5)),
    "holds 'mask'": lambda: linear(lambda m: m.register_buffer("mask", torch.ones(5))),
    "holds 'scale'": lambda: linear(lambda m: m.register_parameter("scale", nn.Parameter(torch.ones(5)))),
    "holds 'inner'": lambda: linear(lambda m: m.add_module("inner", nn.ReLU())),
    "NaN or infinite": lambda: linear(_nan),
    "no weights yet": lambda: nn.LazyLinear(5),
    "that its weight has shape (5, 6), and it has (4, 6)": lambda: linear(
        lambda m: setattr(m, "weight", nn.Parameter(torch.ones(4, INPUTS)))
    ),
    "not a plain tensor": lambda: nn.Linear(INPUTS, 5, device="meta"),
    "layer 0 (Bilinear)": lambda: nn.Bilinear(INPUTS, INPUTS, 5),
}


def double(module: nn.Module, given: object, made: Tensor) -> Tensor:
    return 2 * made


def before(module: nn.Module, given: tuple[Tensor]) -> Tensor:
    return given[0] + 1


def backwards(module: nn.Module, given: object, made: object) -> None:
    return None


NETS: dict[str, Callable[[], nn.Module]] = {
    "layer 1 (Noisy) is a Leaky with 'fire' of its own": lambda: net(fires=Noisy(0.8, init_hidden=True)),
    "layer 1 (Leaky) has the hook": lambda: net(fires=done(leaky(), lambda m: m.register_forward_hook(double))),
    "of test_module_refusals.py adds what is neither spikes nor a current": lambda: Residual(*net()),
    "the Sequential has the hook 'double'": lambda: done(net(), lambda m: m.register_forward_hook(double)),
    "the Sequential holds 'gain'": lambda: done(net(), lambda m: m.register_buffer("gain", torch.ones(1))),
    "adds what is neither spikes nor a current": lambda: nn.Sequential(Residual(*net()[:2]), *net()[2:]),
    "layer 0 (Sequential) has the hook": lambda: nn.Sequential(
        done(net()[:2], lambda m: m.register_forward_hook(double)), *net()[2:]
    ),
    "layer 1 (Leaky) stands there twice, and membranes": lambda: net(fires=same, fires2=same),
    "layer 2 (Linear) shares its weights": _shared,
    "the DataParallel around the net has the hook": lambda: done(
        nn.DataParallel(net()), lambda m: m.register_forward_hook(double)
    ),
    "this is a Linear": lambda: nn.Linear(INPUTS, CLASSES),
    "this is a ModuleList": lambda: nn.ModuleList(net()),
    "layer 1 (ReLU) sends rates, which run 1 step": lambda: net(fires=nn.ReLU()),
    "layer 1 (Tanh) sends rates": lambda: net(fires=nn.Tanh(), fires2=nn.Tanh()),
}


@pytest.mark.parametrize("message", [*MODULES, *NETS])
def test_a_module_that_does_more_is_refused_by_its_place_and_what_it_does(message: str) -> None:
    given = net(first=MODULES[message]()) if message in MODULES else NETS[message]()
    with pytest.raises(UserError) as raised:
        Learner(given, "sigprop", steps=STEPS)
    assert message in str(raised.value) and "\n" not in str(raised.value)
    if message in MODULES:
        assert str(raised.value).startswith("layer 0 (")


@pytest.mark.parametrize("given", [5, None, [nn.Linear(2, 2)], {}], ids=str)
def test_what_is_no_net_is_refused(given: object) -> None:
    with pytest.raises(UserError, match=r"a net is a text such as '800-800'"):
        Learner(given, "sigprop")


def trained(given: nn.Module) -> dict[str, Tensor]:
    learner = Learner(given, "dfa", steps=STEPS, device="cpu")
    learner.step(*drive())
    return learner.learned.parameters


WRAPPED: dict[str, Callable[[], nn.Module]] = {
    "compiled": lambda: torch.compile(net()),
    "data parallel": lambda: nn.DataParallel(net()),
    "compiled and parallel": lambda: nn.DataParallel(torch.compile(net())),  # type: ignore[arg-type]
    "a layer compiled": lambda: net(second=torch.compile(net()[2])),  # type: ignore[arg-type]
    "nested": lambda: nn.Sequential(nn.Sequential(*net()[:2]), nn.Sequential(net()[2], nn.Sequential(*net()[3:]))),
    "of a class of its own": Named,
    "a layer of a class of its own": lambda: net(
        first=done(Wide(), lambda m: m.load_state_dict(net()[0].state_dict()))
    ),
    "in double precision": lambda: net().double(),
    "with a plain attribute": lambda: done(net(), lambda m: setattr(m[0], "note", "first")),
    "with hooks that were removed": lambda: done(net(), lambda m: m[0].register_forward_hook(double).remove()),
    "parametrised no more": lambda: done(
        net(),
        lambda m: parametrizations.orthogonal(m[4]),
        lambda m: nn.utils.parametrize.remove_parametrizations(m[4], "weight", leave_parametrized=False),
        lambda m: m.load_state_dict(net().state_dict()),
    ),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # of torch's compiler, about itself
@pytest.mark.parametrize("name", WRAPPED)
def test_what_computes_the_same_is_taken_for_the_same(name: str) -> None:
    found, expected = trained(WRAPPED[name]()), trained(net())
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, found[key]) for key, value in expected.items())


def test_a_net_that_ran_before_is_the_same() -> None:
    given = net()
    for frame in drive()[0]:
        given(frame)
    expected = trained(net())
    assert all(torch.equal(value, expected[key]) for key, value in trained(given).items())


def test_modules_without_weights_may_stand_twice() -> None:
    drop = nn.Dropout(0.1)
    given = nn.Sequential(drop, net()[0], net()[1], drop, *net()[2:])
    assert len(Learner(given, "sigprop", input_shape=(INPUTS,)).model.network.layers) == 3


def test_rates_are_taken_for_one_step() -> None:
    given = net(fires=nn.ReLU(), fires2=nn.ReLU())
    Learner(given, "sigprop", steps=1, device="cpu").step(*drive(steps=1))


FROZEN = {
    "a layer": ("hidden1.ff.w", "hidden1.b"),
    "weights alone": ("hidden2.ff.w",),
    "the read-out": ("readout.ff.w", "readout.b"),
    "all": ("hidden1.ff.w", "hidden1.b", "hidden2.ff.w", "hidden2.b", "readout.ff.w", "readout.b"),
}
PLACES = {"hidden1": 0, "hidden2": 2, "readout": 4}


@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.5}, {"hardware": "fixed_point"}, {"schedule": "pipelined"}], ids=str
)
@pytest.mark.parametrize("name", FROZEN)
def test_what_is_frozen_keeps_its_bits_and_the_rest_learns(name: str, options: dict[str, object]) -> None:
    given = net()
    for path in FROZEN[name]:
        layer, kind = path.split(".", 1)
        (given[PLACES[layer]].weight if kind == "ff.w" else given[PLACES[layer]].bias).requires_grad_(False)
    learner = Learner(given, "sigprop:bias=all", steps=STEPS, device="cpu", **options)  # type: ignore[arg-type]
    before = {key: value.clone() for key, value in learner.learned.parameters.items()}
    for seed in range(2):
        learner.step(*drive(seed))
    changed = {key for key, value in learner.learned.parameters.items() if not torch.equal(value, before[key])}
    assert not changed & set(FROZEN[name])
    if "hardware" not in options:
        assert changed >= {*FROZEN["all"]} - set(FROZEN[name])
    again = Learner(given, "sigprop:bias=all", steps=STEPS, device="cpu", **options)  # type: ignore[arg-type]
    again.load(learner.state())
    back = learner.to_snntorch()
    asked = {
        f"{place}.{kind}": value.requires_grad for place in (0, 2, 4) for kind, value in back[place].named_parameters()
    }
    assert asked == {
        f"{PLACES[path.split('.')[0]]}.{'weight' if path.endswith('w') else 'bias'}": path not in FROZEN[name]
        for path in FROZEN["all"]
    }


def test_the_others_learn_as_they_would_beside_a_frozen_layer() -> None:
    given = net()
    given[0].weight.requires_grad_(False)
    expected, frozen = trained(net()), trained(given)
    assert torch.equal(frozen["hidden1.ff.w"], given[0].weight)
    assert torch.equal(frozen["hidden1.b"], expected["hidden1.b"])
