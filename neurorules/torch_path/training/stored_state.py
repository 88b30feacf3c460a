"""The state by which a learner goes on, as named tensors: handed out, and taken over from another time or process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from neurorules.network.initial import place
from neurorules.runs.interrupt import interrupts_wait
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.check_state import check_state
from neurorules.torch_path.training.doubts import Outstanding
from neurorules.torch_path.training.earlier_names import with_todays_names
from neurorules.torch_path.training.identity import IDENTITY, identity
from neurorules.torch_path.training.queued import settle
from neurorules.torch_path.training.state import from_tensors, to_tensors


def state_of(learner: Any) -> dict[str, Tensor]:
    """Parameters, statistics, optimiser, random generator and hardware of a `Learner`, and whose state it is.

    Raises:
        UserError: batches are under way in a pipeline.
    """
    settle(learner)
    with own_session():
        tensors = to_tensors(learner.learned) | learner.store.state()
        return tensors | {"generator": learner.generator.get_state(), IDENTITY: identity(learner)}


def take_over(learner: Any, state: Mapping[str, Tensor] | Any, weights_only: bool) -> None:
    """Put a state in place of a learner's own, all of it or nothing.

    Args:
        learner: the `Learner` that goes on with it.
        state: what `state_of` gave.
        weights_only: leave optimiser and random generator as they are.

    Raises:
        UserError: a state that does not belong to such a learner or is damaged; batches under way in a pipeline.
    """
    if learner.pipe is not None:
        learner.pipe.check_empty()
    if isinstance(state, Mapping):
        state = with_todays_names(state)
    with own_session(), interrupts_wait() as hold:
        check_state(learner, state, weights_only)
        learned = place(from_tensors(state), learner.device, learner.dtype)
        hold()
        learner.outstanding = Outstanding()
        learner.store.load(learned.parameters, state, weights_only)
        learner.learned = replace(learned, parameters=learner.learned.parameters)
        if not weights_only:
            learner.generator.set_state(state["generator"].cpu())
