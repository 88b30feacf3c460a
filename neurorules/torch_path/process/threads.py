"""The number of CPU threads of a run: it stays the same from beginning to end, since the rounding of sums depends on
it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch

from neurorules.language.config import SettledConfig
from neurorules.language.errors import UserError
from neurorules.network.network import Network
from neurorules.torch_path.process.forks import check_forked

WORK_FOR_THREADS = 2**17
"""The number of neuron steps of a layer in a trial from which on a second thread saves time. Source: measured,
benchmarks/."""

_log = logging.getLogger(__name__)


def usable_cores() -> int:
    """Number of cores that this process may use, by its affinity and its control group."""
    import joblib  # imported here so that a training without --threads starts faster

    return joblib.cpu_count()


def check_threads(threads: int | None) -> None:
    """Refuse more threads than there are cores to run on. None leaves the choice open.

    Raises:
        UserError: there are fewer cores.
    """
    if threads is not None and threads > usable_cores():
        raise UserError(f"--threads is {threads}, and this process may use {_cores()}. Give at most {usable_cores()}")


def threads_of(config: SettledConfig, network: Network, begun: int | None) -> int:
    """The number of threads that a run computes with. A small net runs on one thread, because waking others would take
    more time than they save.

    Args:
        config: its number of threads; None chooses it by the amount of work.
        network: the network that runs.
        begun: the number with which a resumed run began; None for a new run.

    Returns:
        The number, >= 1.
    """
    wanted = config.threads or begun
    if wanted is None:
        widest = max(prod(layer.shape) * layer.neuron.work for layer in network.layers)
        return torch.get_num_threads() if config.batch_size * config.steps * widest >= WORK_FOR_THREADS else 1
    if wanted <= usable_cores():
        return wanted
    _log.warning(
        "the run was begun on %d threads, and this process may use %s: from here on its numbers round differently "
        "from those of a run that never stopped",
        wanted, _cores(),
    )  # fmt: skip
    return usable_cores()


@contextmanager
def running_on(threads: int) -> Iterator[None]:
    """Run the block on a number of threads, and restore the previous number afterwards.

    Raises:
        UserError: this process cannot start them, see `forks.check_forked`.
    """
    check_forked(threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cores() -> str:
    cores = usable_cores()
    return "1 core" if cores == 1 else f"{cores} cores"
