"""The check of a state before it is loaded: all of it is checked before anything is copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.contracts.target import blank_targets
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.torch_path.training.identity import IDENTITY, check_identity
from neurorules.torch_path.training.state import to_tensors
from neurorules.torch_path.trial.learn import learn_trial

GENERATOR, OPTIMISER = "generator", "optimiser/"
ROWS = 2
"""The number of samples of the trial that shows which tensors a state has."""
FLOATS = (torch.float32, torch.float64)


def check_state(learner: Any, state: Any, weights_only: bool) -> None:
    """Refuse a state that this learner could not have, neither before nor after learning.

    Args:
        learner: the `Learner` that is to load the state.
        state: the user's state.
        weights_only: whether optimiser and generator are left out, and weights of another precision are allowed.

    Raises:
        UserError: the state is of another learner, or damaged; the message names the first fault.
    """
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError("a state is what Learner.state() gives, tensors by name. Hand that over")
    if IDENTITY in state:
        check_identity(learner, state[IDENTITY], weights_only)
    stored = {name: value for name, value in state.items() if name != IDENTITY}
    fresh, later = _fresh(learner), _later(learner)
    if weights_only:
        stored, fresh, later = (_without_optimiser(tensors) for tensors in (stored, fresh, later))
    expected = min(fresh, later, key=lambda tensors: len(tensors.keys() ^ stored.keys()))
    _check_names(stored, expected)
    for name, value in stored.items():
        _check_tensor(name, value, expected[name], weights_only)
    if not weights_only:
        _check_generator(stored[GENERATOR], learner.device)


def _fresh(learner: Any) -> dict[str, Tensor]:
    """The state of a learner that has learned nothing."""
    learned = initialise(learner.model, learner.seed, learner.device, learner.dtype)
    learned.current |= learner.averages
    hardware = {name: value for name, value in learner.store.state().items() if not name.startswith(OPTIMISER)}
    return {**to_tensors(learned), **hardware, GENERATOR: learner.generator.get_state()}


def _later(learner: Any) -> dict[str, Tensor]:
    """The state after a trial, from a trial without spikes whose changes are not applied."""
    changed: set[str] = set()

    def note(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        changed.update(gradients)
        return learner.read()

    shape, steps = learner.model.network.input_shape, learner.steps
    drive = Series(torch.zeros(ROWS, *shape, dtype=learner.dtype, device=learner.device), True)
    model = learner.store.on_hardware(learner.model)
    steps = max(steps, model.last_steps or 1)
    labels = blank_targets(model.task, ROWS, steps, model.network.classes, drive.values)
    generator = torch.Generator(learner.device).manual_seed(0)
    trial = learn_trial(model, learner.trial_state(), drive, steps, labels, generator, min(learner.window, steps), note)
    optimised = learner.optimiser.keeps((changed | set(trial.gradients)) - learner.store.frozen)
    optimiser = {f"{OPTIMISER}{name}": value for name, value in optimised.items()}
    return {**_fresh(learner), **to_tensors(trial.learned), **optimiser}


def _without_optimiser(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if not name.startswith((GENERATOR, OPTIMISER))}


def _check_names(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    missing = [name for name in expected if name not in tensors]
    beyond = [name for name in tensors if name not in expected]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"the state lacks '{missing[0]}'{more}, which this learner has. It is of another net, rule, optimizer or "
            f"normalisation, or not whole"
        )
    if beyond:
        more = f" and {len(beyond) - 1} more" if len(beyond) > 1 else ""
        raise UserError(
            f"the state holds '{beyond[0]}'{more}, which this learner does not have. It is of another net, rule, "
            f"optimizer or normalisation"
        )


def _check_tensor(name: str, tensor: Tensor, expected: Tensor, weights_only: bool) -> None:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        raise UserError(f"'{name}' of the state is not a plain tensor. Give a state that Learner.state() returned")
    if tensor.shape != expected.shape:
        raise UserError(
            f"'{name}' of the state has shape {tuple(tensor.shape)}, this learner's has {tuple(expected.shape)}. It is "
            f"of another net"
        )
    # Only weights may have another precision: a learner that continues to the same bits may not.
    alike = weights_only and tensor.dtype in FLOATS and expected.dtype in FLOATS
    if tensor.dtype != expected.dtype and not alike:
        raise UserError(
            f"'{name}' of the state is {tensor.dtype}, this learner's is {expected.dtype}. Make the learner with the "
            f"precision of the state"
        )
    if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
        raise UserError(f"'{name}' of the state holds NaN or infinite values. It is damaged, or its training diverged")


def _check_generator(state: Tensor, device: torch.device) -> None:
    try:
        torch.Generator(device).set_state(state.cpu())
    except RuntimeError:
        raise UserError(
            f"'{GENERATOR}' of the state is not the state of a generator, so the state is damaged. Give one that "
            f"Learner.state() returned"
        ) from None
