"""A step is taken completely or not at all: one that fails or is interrupted changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from neurorules.runs.interrupt import interrupts_wait
from neurorules.torch_path.process.session import own_session


@contextmanager
def whole_step(learner: Any, every_weight: bool = False) -> Iterator[Callable[[], None]]:
    """Run the block in a session of its own. If it raises an error, the learner is restored.

    Args:
        learner: the learner that learns in the block.
        every_weight: whether all weights are copied first, for a block that may still fail after it has changed some.
            Otherwise the block changes weights by one call of the learner's store, which changes all or none, and
            nothing after it fails.

    Yields:
        A function to call before the first change; from then on a Ctrl-C waits until the step is done.
    """
    with own_session(learner.fast), interrupts_wait() as hold:
        generator, learned = learner.generator.get_state(), learner.learned
        slots = [] if learner.pipe is None else learner.pipe.slots
        before = learner.store.copy(learned.parameters if every_weight else ())
        try:
            yield hold
        except BaseException:
            learner.store.put_back(before)
            learner.generator.set_state(generator)
            learner.learned = learned
            if learner.pipe is not None:
                learner.pipe.slots = slots
            raise
