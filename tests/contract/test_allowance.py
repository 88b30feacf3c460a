"""What a layer's texts and a signal can reach: their own, and what `needs` buy; for every rule of the registry."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any

import pytest
import torch
from torch import Tensor

from neurorules.conformance.small_nets import CLASSES, SHAPE, samples, steps_of
from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import SignalState, ThirdFactor
from neurorules.contracts.view import View
from neurorules.language.errors import UserError
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules import RULES
from neurorules.signals.dfa import DirectFeedback
from neurorules.signals.fa import FeedbackAlignment
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.allowance import Copies
from neurorules.torch_path.trial.probe import Probe
from neurorules.torch_path.update.local_view import LocalView

NAMES = RULES.names()
FORMS = [
    "sigprop:embedding=class_means", "sigprop:targets=codes", "sigprop:generator=target_loop",
    "sigprop:predict=prototypes", "pepita:mirror=running", "pepita:neurons=rate:mirror=layers",
    "pepita:form=time_local", "local_readout:readouts=fixed", "bsp:method=both",
]  # fmt: skip


def learner_of(rule: str, net: str = "12-10-8", signal: str | None = None) -> Learner:
    steps = steps_of(rule)
    return Learner(
        net, rule, input_shape=SHAPE, classes=CLASSES, steps=steps, device="cpu", precision="float64", signal=signal
    )


def learn(learner: Learner, rule: str, trials: int = 2) -> None:
    for seed in range(trials):
        learner.step(*samples(steps_of(rule), seed=seed))


def reachable(*start: Any) -> Iterator[Any]:
    """Everything that attributes, items, fields, bases and the cells of functions lead to."""
    waiting, known = list(start), {}
    while waiting:
        thing = waiting.pop()
        if id(thing) in known or isinstance(thing, str | int | float | bool | type | None):
            continue
        known[id(thing)] = thing
        yield thing
        if isinstance(thing, Tensor):
            waiting.append(thing._base)
        elif isinstance(thing, Mapping):
            waiting += [*thing.values()]
        elif isinstance(thing, list | tuple | set | frozenset):
            waiting += [*thing]
        if isinstance(thing, FunctionType):
            waiting += [cell.cell_contents for cell in thing.__closure__ or ()]
        waiting += [getattr(thing, "__self__", None), *getattr(thing, "__dict__", {}).values()]
        if dataclasses.is_dataclass(thing):
            waiting += [getattr(thing, field.name) for field in dataclasses.fields(thing)]


def shared_with(parameters: Mapping[str, Tensor], *start: Any) -> set[str]:
    """Names of parameters whose memory can be reached."""
    at = {value.untyped_storage().data_ptr(): name for name, value in parameters.items()}
    pointers = {thing.untyped_storage().data_ptr() for thing in reachable(*start) if isinstance(thing, Tensor)}
    return {at[pointer] for pointer in pointers & at.keys()}


class Views(Probe):
    """Keeps what every layer's texts see."""

    def __init__(self) -> None:
        self.seen: list[tuple[LocalView, Mapping[str, Any]]] = []

    def learns(self, view: LocalView, texts: Any, statistics: Mapping[str, Any]) -> None:
        self.seen.append((view, statistics))


@pytest.mark.parametrize("rule", [*NAMES, "bptt+12-r10", "sigprop+12-r10"])
def test_a_layers_texts_reach_names_and_memory_of_their_own_layer_alone(rule: str) -> None:
    name, _, net = rule.partition("+")
    learner = learner_of(name, net or "12-10-8")
    learner.probe = probe = Views()
    learn(learner, name)
    assert {view.layer.name for view, _ in probe.seen} >= {"readout"}
    for view, statistics in probe.seen:
        own = f"{view.layer.name}."
        assert view.parameters and all(key.startswith(own) for key in view.parameters)
        assert all(key.split(".")[1] == view.layer.name for key in statistics)
        reached = shared_with(learner.learned.parameters, view, statistics)
        assert reached and all(key.startswith(own) for key in reached)
        with pytest.raises(TypeError):
            view.parameters["readout.ff.w"] = torch.zeros(())  # type: ignore[index]


METHODS = ("initial", "parameters", "observe", "drive", "third_factor", "scores")


def handed(learner: Learner, rule: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """What the signal's methods are called with while a learner learns two batches and answers one."""
    calls: list[tuple[str, tuple[Any, ...]]] = []
    kind = type(learner.model.signal)
    for method in METHODS:
        own: Callable[..., Any] = getattr(kind, method)

        def spy(signal: Any, *given: Any, own: Callable[..., Any] = own, method: str = method) -> Any:
            calls.append((method, given))
            return own(signal, *given)

        monkeypatch.setattr(kind, method, spy)
    learn(learner, rule)
    learner.scores(samples(steps_of(rule))[0])
    return calls


TAUGHT = [rule for rule in [*NAMES, *FORMS] if RULES.make(rule).signal is not None]


@pytest.mark.parametrize("rule", TAUGHT)
def test_a_signal_is_handed_its_own_and_what_its_needs_buy(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = learner_of(rule)
    signal, network = learner.model.signal, learner.model.network
    assert signal is not None
    calls = handed(learner, rule, monkeypatch)
    net = {n: v for n, v in learner.learned.parameters.items() if n in network.parameter_names()}
    assert {method for method, _ in calls} >= {"third_factor"}
    for method, given in calls:
        for thing in reachable(*given):
            assert not isinstance(thing, View) or bought(thing, signal.needs)
        if method in ("drive", "third_factor", "scores"):
            mapping = next(thing for thing in given if isinstance(thing, Copies))
            assert not set(mapping) & set(net)
        if method == "observe":
            assert (given[2] is not None) == ("target" in signal.needs)
        if method == "drive":
            assert given[6] is None or "target" in signal.needs
            assert given[5] is None or "output_error" in signal.needs
        if not signal.needs & {"weight_transport", "noise_phase"}:
            assert shared_with(net, *given) == set()
        assert not any(thing is learner.learned.parameters or thing is learner.learned.signal for thing in given)


def bought(view: View, needs: frozenset[str]) -> bool:
    """Whether the fields of a view are there exactly where they are declared."""
    parts = {"target": view.labels, "weight_transport": view.weights, "weight_sign": view.signs,
             "noise_phase": view.answer}  # fmt: skip
    exact = all((value is not None) == (need in needs) for need, value in parts.items())
    return exact and (view.output_error is None or "output_error" in needs) and (view.above is None or "above" in needs)


def test_copies_lead_nowhere_and_know_only_their_names() -> None:
    w = torch.randn(4, 3)
    handed = Copies({"a.w": w[:, :2]}, "is not for you")
    assert torch.equal(handed["a.w"], w[:, :2]) and handed["a.w"]._base is None
    assert handed["a.w"].untyped_storage().data_ptr() != w.untyped_storage().data_ptr()
    handed["a.w"].zero_()
    assert w[:, :2].all()
    assert list(handed) == ["a.w"] and "b.w" not in handed and handed.get("b.w") is None
    with pytest.raises(UserError, match=r"'b\.w' is not for you"):
        handed["b.w"]


def rule_with(signal: Any, monkeypatch: pytest.MonkeyPatch) -> Learner:
    """A learner of DFA's texts with a signal made here."""
    monkeypatch.setattr(SignalSpec, "make", lambda spec: signal)
    return learner_of("dfa")


class Signs(FeedbackAlignment):
    needs = frozenset({"target", "output_error", "above", "weight_sign", "history"})

    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        assert view.weights is None
        following = view.net.layers[[layer.name for layer in view.net.layers].index(view.layer.name) + 1]
        assert set(view.signs) == set(following.weights)
        carried = view.above(view.signs.__getitem__)
        return ThirdFactor({"input": carried._replace(values=-carried.values)}, {}, {})


def test_signs_are_handed_where_they_are_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = rule_with(Signs(), monkeypatch)
    before = learner.learned.parameters["hidden1.ff.w"].clone()
    learn(learner, "dfa")
    assert not torch.equal(before, learner.learned.parameters["hidden1.ff.w"])


class AsksForTransport(FeedbackAlignment):
    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        return ThirdFactor({"input": view.above()}, {}, {})


class TeachesTheReadout(DirectFeedback):
    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        answer = super().third_factor(state, parameters, view)
        return answer._replace(gradients={"readout.ff.w": torch.zeros(3, 8, dtype=torch.float64)})


class TakesAName(DirectFeedback):
    def parameters(self, net: NetShape, generator: torch.Generator) -> dict[str, Tensor]:
        return {"readout.ff.w": torch.zeros(3, 8, dtype=torch.float64)}


@pytest.mark.parametrize(
    ("signal", "said"),
    [
        (AsksForTransport(), "Declare weight_transport among its needs"),
        (TeachesTheReadout(), "gives a gradient of 'readout.ff.w', which its layers' texts change"),
        (TakesAName(), "calls a parameter of its own 'readout.ff.w', which is the net's"),
    ],
)
def test_a_signal_that_takes_more_is_refused_by_name(signal: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=said):
        learn(rule_with(signal, monkeypatch), "dfa")


def test_measures_are_numbers_of_copies() -> None:
    rule = "pepita"
    learner = learner_of(rule)
    learn(learner, rule)
    assert learner.measures() and all(type(value) is float for value in learner.measures().values())
