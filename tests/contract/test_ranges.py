"""Every number that a user may give has a range, in which not-a-number is not, and every word of a closed list is in
it: a suite over all that takes options."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import torch

import neurorules
from neurorules.brian2_continuous.parts.neurons import NEURONS as CONTINUOUS
from neurorules.contracts.device import DEVICES
from neurorules.language.config import TrainConfig, check_numbers, config_from
from neurorules.language.eligibility import Eligibility
from neurorules.language.errors import UserError
from neurorules.language.options import convert_options
from neurorules.language.ranges import Count, Range, declared, hints_of, ranged, words_of
from neurorules.language.rates import SCHEDULES
from neurorules.language.registry import Registry
from neurorules.language.rules import Defaults, Plasticity, Rule, Source
from neurorules.surrogates import SURROGATES
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.learner_settings import LearnerSettings
from neurorules.torch_path.update.optimiser import KINDS
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.pool import Pool

Factory = Callable[..., Any]
NEEDED = {"size": 3, "channels": 3, "kind": "max", "at": "1-2", "p": 0.5}
"""Values of options that have no default."""


def registries() -> Iterator[Registry]:
    """All of them, found by looking through the package."""
    yield DEVICES
    for info in pkgutil.walk_packages(neurorules.__path__, "neurorules."):
        if info.ispkg:
            own = list(vars(importlib.import_module(info.name)).values())
            yield from (value for value in own if isinstance(value, Registry))


def factories() -> dict[str, Factory]:
    """Whatever takes options, by the name that errors give it."""
    found: dict[str, Factory] = {
        f"{registry.kind} '{name}'": registry.factory(name) for registry in registries() for name in registry.names()
    }
    found |= {f"surrogate '{name}'": factory for name, factory in SURROGATES.items()}
    found |= {f"neuron '{name}' in continuous time": factory for name, factory in CONTINUOUS.items()}
    found |= {f"learning rate schedule '{name}'": factory for name, factory in SCHEDULES.items()}
    found |= {f"optimizer '{name}'": factory for name, factory in KINDS.items()}
    return found | {"dropout": Dropout, "pooling": Pool}


def types_in(kind: Any) -> set[Any]:
    """The plain types that an annotation takes."""
    if get_origin(kind) is Annotated:
        return types_in(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return set().union(*(types_in(part) for part in get_args(kind)))
    return set() if get_origin(kind) is Literal else {kind}


NUMBERS = [
    (owner, factory, name)
    for owner, factory in factories().items()
    for name, kind in hints_of(factory).items()
    if types_in(kind) & {int, float}
]
SETTINGS = [name for name, kind in hints_of(TrainConfig).items() if types_in(kind) & {int, float}]
OWNERS = list(dict.fromkeys(owner for owner, _, _ in NUMBERS))
CLOSED = [name for name, kind in hints_of(TrainConfig).items() if words_of(kind)]
every_owner = pytest.mark.parametrize("owner", OWNERS)
every_setting = pytest.mark.parametrize("name", SETTINGS)


def numbers_of(owner: str) -> list[tuple[Factory, str]]:
    """The numbers that one entry takes: the factory and the name of each."""
    return [(factory, name) for one, factory, name in NUMBERS if one == owner]


def range_of(factory: Factory, name: str) -> tuple[type, Range]:
    found = declared(hints_of(factory)[name])
    assert found is not None
    return found


def outside(kind: type, range_: Range) -> list[Any]:
    """Numbers that lie just outside a range, not-a-number and what infinity it does not hold."""
    wrong: list[Any] = []
    for bound, closed, towards in zip(range_.bounds, range_.closed, (-math.inf, math.inf), strict=True):
        if math.isinf(bound):
            wrong += [] if closed else [bound]
        elif kind is int:
            wrong.append(int(bound) + (int(math.copysign(1, towards)) if closed else 0))
        else:
            wrong.append(math.nextafter(bound, towards) if closed else bound)
    return [*wrong, math.nan] if kind is float else [*wrong, 2**70, -(2**70)]


def inside(kind: type, range_: Range) -> list[Any]:
    """The bounds that a range holds."""
    return [kind(b) for b, closed in zip(range_.bounds, range_.closed, strict=True) if closed and math.isfinite(b)]


def refuses(call: Callable[[], Any], *words: str) -> None:
    with pytest.raises(UserError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line and "Give " in line
    for word in words:
        assert word in line


def test_the_suite_sees_all_that_takes_numbers() -> None:
    kinds = {owner.split()[0] for owner, _, _ in NUMBERS}
    asked = "rule signal neuron connection encoder exporter plot device surrogate learning optimizer dropout pooling"
    assert kinds >= set(asked.split()) and any(name.startswith("data") for name in kinds)
    assert len(SETTINGS) == 13


@every_owner
def test_an_option_declares_its_range_and_its_default_lies_in_it(owner: str) -> None:
    for factory, name in numbers_of(owner):
        kind, range_ = range_of(factory, name)
        assert kind not in (hints_of(factory)[name], None), f"write {name}'s range beside the type: Annotated[...]"
        assert range_.bounds[0] < range_.bounds[1], name
        default = inspect.signature(factory).parameters[name].default
        words = (None, inspect.Parameter.empty, *words_of(hints_of(factory)[name]))
        assert default in words or default in range_, name


@every_owner
def test_an_option_outside_its_range_is_refused_as_text_and_from_python(owner: str) -> None:
    for factory, name in numbers_of(owner):
        needed = {key: value for key, value in NEEDED.items() if key in hints_of(factory)}
        for value in outside(*range_of(factory, name)):
            text, words = {name: str(value)}, f"{name} is {value}"
            refuses(partial(convert_options, owner, factory, text), owner, words)
            refuses(partial(factory, **{**needed, name: value}), words)


@every_owner
def test_the_bounds_that_belong_to_a_range_are_taken(owner: str) -> None:
    for factory, name in numbers_of(owner):
        for value in inside(*range_of(factory, name)):
            assert convert_options(owner, factory, {name: str(value)}) == {name: value}


@every_setting
def test_a_setting_outside_its_range_is_refused_wherever_it_comes_from(name: str) -> None:
    option = "--" + name.replace("_", "-")
    for value in outside(*range_of(TrainConfig, name)):
        refuses(lambda value=value: TrainConfig(**{name: value}), f"{option} is {value}")
        refuses(lambda value=value: config_from({name: str(value)}), f"{option} is {value}")
        refuses(lambda value=value: neurorules.train(**{name: value}), f"{option} is {value}")
        if name in inspect.signature(Learner).parameters:
            refuses(lambda value=value: Learner("4", input_shape=(3,), classes=2, **{name: value}), option)


@every_setting
def test_the_bounds_of_a_setting_are_taken(name: str) -> None:
    for value in inside(*range_of(TrainConfig, name)):
        assert getattr(TrainConfig(**{name: value}), name) == value


@pytest.mark.parametrize("value", ["x", None, [1], 1.5])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    refuses(lambda: check_numbers({"epochs": value}), "--epochs is")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "9" * 30, "9" * 5000, "²", "nan"])
def test_a_schedule_is_a_number_of_steps_or_a_word(text: str) -> None:
    with pytest.raises(UserError, match="schedule"):
        TrainConfig(schedule=text)


def test_a_learner_takes_a_number_of_steps_as_its_schedule() -> None:
    assert Learner("4", rule="drtp", input_shape=(3,), classes=2, schedule=2).window == 2  # type: ignore[arg-type]
    with pytest.raises(UserError, match="schedule 'True'"):
        Learner("4", rule="drtp", input_shape=(3,), classes=2, schedule=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("net", ["9" * 12, "9" * 5000, "c4k" + "9" * 12, "c4k3s" + "9" * 12, "4-p" + "9" * 12])
def test_sizes_of_a_net_that_no_machine_holds_are_no_layers(net: str) -> None:
    with pytest.raises(UserError, match="is not a layer"):
        neurorules.build_network(net, (1, 8, 8), 3)


def rule(**changed: Any) -> Rule:
    given: dict[str, Any] = {"name": "mine", "signal": None, "source": Source("I", 2026, "Mine")}
    return Rule(**{**given, "plasticity": (Plasticity("w", "S_pre"),), **changed})


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"constants": {"a": math.nan}}, "a is nan"),
        ({"constants": {"a": math.inf}}, "a is inf"),
        ({"trace_decay": 7.0}, "trace_decay is 7.0"),
        ({"trace_decay": math.nan}, "trace_decay is nan"),
        ({"targets": (math.nan, 0.0)}, "target is nan"),
        ({"bounds": (1.0, -1.0)}, "bounds are"),
        ({"bounds": (math.nan, 1.0)}, "bounds are"),
        ({"defaults": Defaults(lr=math.nan)}, "lr is nan"),
        ({"defaults": Defaults(readout_lr=-1.0)}, "readout_lr is -1.0"),
        ({"defaults": Defaults(steps=0)}, "steps is 0"),
    ],
)
def test_a_rule_of_ones_own_is_held_to_the_same(changed: dict[str, Any], word: str) -> None:
    with pytest.raises(UserError, match=f"rule 'mine'.*{word}"):
        rule(**changed)


@pytest.mark.parametrize("decay", [math.nan, math.inf, -0.1, 1.1])
def test_an_eligibility_has_a_decay(decay: float) -> None:
    refuses(lambda: Eligibility("e", decay, "S_pre"), f"eligibility 'e': decay is {decay}")


@pytest.mark.parametrize(
    "text",
    ["nan*S_pre", "inf*S_pre", "1e999*S_pre", "-1e999*S_pre", "1e39*S_pre", "1e30*1e30*S_pre", "S_pre/0",
     "S_pre*(0/0)", "(-8)**0.5*S_pre", "2**5000*S_pre", "sqrt(-1)*S_pre", "exp(999)*S_pre",
     "1" + "0" * 400 + "*S_pre",
     "1" + "0" * 5000 + "*S_pre", "S_pre*\0"],
)  # fmt: skip
def test_a_text_computes_with_finite_numbers_alone(text: str) -> None:
    with pytest.raises(UserError) as caught:
        Learner("4", rule="dfa", input_shape=(3,), classes=2, dw=text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["1e30*S_pre", "S_pre/3", "sqrt(2)*S_pre", "a/2*S_pre*exp(-1)", "max(a, 2)**3*S_pre"])
def test_a_text_with_finite_numbers_is_taken(text: str) -> None:
    assert rule(constants={"a": 0.5}).equation(Plasticity("w", text)) is not None
    assert rule(constants={"a": 0.5}, plasticity=(Plasticity("w", text),)).equation(Plasticity("w", text)).products


def test_an_entry_of_ones_own_without_a_range_takes_finite_numbers() -> None:
    def mine(*, gain: float = 1.0) -> float:
        return gain

    assert convert_options("rule 'mine'", mine, {"gain": "2"}) == {"gain": 2.0}
    for text in ("nan", "inf", "-inf", "1e999"):
        refuses(
            lambda text=text: convert_options("rule 'mine'", mine, {"gain": text}), "rule 'mine': gain is", "finite"
        )


def test_infinity_is_taken_where_a_range_holds_it() -> None:
    @ranged("neuron 'mine'")
    def mine(*, tau: Annotated[float, Range("(0, inf]")] = 1.0) -> float:
        return tau

    assert mine(tau=math.inf) == math.inf
    assert convert_options("neuron 'mine'", mine, {"tau": "inf"}) == {"tau": math.inf}
    refuses(lambda: mine(tau=math.nan), "neuron 'mine': tau is nan")


@pytest.mark.parametrize("fraction", [math.nan, math.inf, -0.1])
@pytest.mark.parametrize("schedule", ["by_layer", "pipelined"])
def test_a_step_takes_a_share_of_the_rate_that_is_one(fraction: float, schedule: str) -> None:
    learner = Learner("4", rule="drtp", input_shape=(3,), classes=2, schedule=schedule)
    before = {name: value.clone() for name, value in learner.learned.parameters.items()}
    refuses(lambda: learner.push(torch.ones(2, 5, 3), torch.tensor([0, 1, 0, 1, 0]), fraction), "fraction is")
    refuses(lambda: learner.step(torch.ones(2, 5, 3), torch.tensor([0, 1, 0, 1, 0]), fraction), "fraction is")
    assert all(torch.equal(value, learner.learned.parameters[name]) for name, value in before.items())


@pytest.mark.parametrize("classes", [-1, 0, 1, 2**40])
def test_a_net_tells_two_classes_apart_or_more(classes: int) -> None:
    refuses(lambda: neurorules.build_network("4", (3,), classes), f"classes is {classes}")


def test_a_word_that_is_not_in_its_list_is_refused() -> None:
    def shaped(*, form: Any = "flat", size: Any = "same", kind: Any = None) -> str:
        return f"{form} {size} {kind}"

    types = {"form": Literal["flat", "round"], "size": Literal["same"] | Count, "kind": Literal["a", "b", "c"] | None}
    shaped.__annotations__ = dict(types)
    checked = ranged("thing 'shaped'")(shaped)
    assert checked(form="round", size="same", kind="c") == "round same c" and checked(size=3) == "flat 3 None"
    for name, value, legal in [
        ("form", "Round", "flat or round"),
        ("form", None, "flat or round"),
        ("form", 3, "flat or round"),
        ("kind", "", "a, b or c"),
        ("size", "large", "a finite whole number of at least 1"),
    ]:
        refuses(lambda: checked(**{name: value}), f"thing 'shaped': {name} is ", f"Give {legal}")  # noqa: B023


@pytest.mark.parametrize("name", CLOSED)
def test_a_setting_that_is_not_in_its_list_is_refused_by_a_run_and_by_a_learner(name: str) -> None:
    option = f"--{name.replace('_', '-')}"
    with pytest.raises(UserError, match=f"{option} is 'Own'. Give "):
        TrainConfig(**{name: "Own"})
    if name in LearnerSettings.__dataclass_fields__:
        with pytest.raises(UserError, match=f"{option} is 'Own'. Give "):
            Learner("8", input_shape=(4,), classes=2, **{name: "Own"})
