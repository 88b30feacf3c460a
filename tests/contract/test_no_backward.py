"""Every rule learns without autograd: it runs where every door to a gradient is shut, and records nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from test_allowance import FORMS, NAMES, learner_of
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from neurorules.conformance.small_nets import samples, steps_of
from neurorules.contracts.series import Series
from neurorules.torch_path.training import learner as learner_module
from neurorules.torch_path.training import one_step
from neurorules.torch_path.trial import pipeline as pipeline_module


class NothingRecorded(TorchFunctionMode):
    """Every call of torch: gradients are off, and no result belongs to a graph."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        assert not torch.is_grad_enabled(), f"{func} runs with gradients on"
        found = func(*args, **kwargs or {})
        assert not any(isinstance(leaf, Tensor) and leaf.grad_fn is not None for leaf in tree_leaves(found)), func
        self.calls += 1
        return found


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[NothingRecorded]:
    """Trials and stages run in the mode above, and whoever asks for a gradient gets an error."""

    def shut(*_: Any, **__: Any) -> Any:
        raise AssertionError("a gradient was asked for")

    for owner, name in (
        (torch.autograd, "backward"), (torch.autograd, "grad"), (Tensor, "backward"), (Tensor, "requires_grad_"),
        (torch.autograd.Function, "apply"), (torch, "enable_grad"), (torch.func, "grad"), (torch.func, "vjp"),
        (torch.func, "jvp"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, shut)
    mode = NothingRecorded()
    for module, name in ((one_step, "learn_trial"), (learner_module, "respond"), (pipeline_module, "run_stage")):
        own = getattr(module, name)

        def inside(*given: Any, own: Callable[..., Any] = own, **named: Any) -> Any:
            with mode:
                return own(*given, **named)

        monkeypatch.setattr(module, name, inside)
    yield mode


@pytest.mark.parametrize("rule", [*NAMES, *FORMS, "bptt+c3k3-p2-10", "sigprop+12-r10"])
def test_no_rule_asks_for_a_gradient(rule: str, watched: NothingRecorded) -> None:
    name, _, net = rule.partition("+")
    learner = learner_of(name, net or "12-10-8")
    assert torch.is_grad_enabled()
    for seed in range(2):
        learner.step(*samples(steps_of(name), seed=seed))
    learner.scores(samples(steps_of(name))[0])
    assert watched.calls > 50
    kept = [
        *learner.learned.parameters.values(),
        *(v for v in learner.learned.signal.values() if isinstance(v, Tensor)),
    ]
    assert not any(value.requires_grad or value.grad is not None for value in kept)


def test_samples_that_ask_for_gradients_are_learned_and_get_none(watched: NothingRecorded) -> None:
    drive, labels = samples(5)
    learner = learner_of("bptt")
    asking = torch.tensor(drive.values.tolist(), dtype=torch.float64, requires_grad=True)
    learner.step(Series(asking, False), labels)
    assert asking.grad is None and not any(v.requires_grad for v in learner.learned.parameters.values())
