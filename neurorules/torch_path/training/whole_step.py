"""A step is taken whole or not at all: what fails on the way, or is interrupted, has not happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from neurorules.runs.interrupt import interrupts_wait
from neurorules.torch_path.process.session import own_session


@contextmanager
def whole_step(learner: Any, every_weight: bool = False) -> Iterator[Callable[[], None]]:
    """Run the block in a session of our own; where it raises, the learner is what it was before.

    Args:
        learner: what learns in the block.
        every_weight: copies all weights first, for a block that changes some before it can still fail. Without it the
            block changes weights by one call of the learner's store, which changes all or none, and then does nothing
            that fails.

    Yields:
        What to call before the first change: from then on a Ctrl-C waits until the step is done.
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
