"""The state from which a learner continues, as named tensors: reading it from a learner, and loading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from neurorules.language.options import check_flag
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
    """Parameters, statistics, optimiser, random generator, hardware and identity of a `Learner`.

    Raises:
        UserError: batches are under way in a pipeline.
    """
    settle(learner)
    with own_session():
        tensors = to_tensors(learner.learned) | learner.store.state()
        return tensors | {"generator": learner.generator.get_state(), IDENTITY: identity(learner)}


def take_over(learner: Any, state: Mapping[str, Tensor] | Any, weights_only: bool) -> None:
    """Replace a learner's state, completely or not at all.

    Args:
        learner: the `Learner` that continues with the state.
        state: a result of `state_of`.
        weights_only: do not change optimiser and random generator.

    Raises:
        UserError: the state does not belong to such a learner, or is damaged; or batches are under way in a pipeline.
    """
    check_flag("weights_only", weights_only)
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
