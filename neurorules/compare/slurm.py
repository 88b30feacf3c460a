"""Dask workers that run as jobs in a SLURM queue."""

from __future__ import annotations

import shutil
import signal
import threading
from typing import Any

from neurorules.language.errors import MissingExtra, UserError


def slurm_cluster(jobs: int) -> Any:
    """Request workers from SLURM; cores, memory and time of a job come from the settings of dask-jobqueue.

    Args:
        jobs: number of jobs, >= 1.

    Returns:
        A cluster of `dask_jobqueue`, which ends its jobs when it is closed.

    Raises:
        MissingExtra: dask-jobqueue is not installed.
        UserError: this machine has no queue, or the settings do not say what a job needs.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        import dask
        from dask_jobqueue import SLURMCluster  # it reads its settings during its import
    except ImportError:
        raise MissingExtra("--dask slurm", "dask-jobqueue", "sweep") from None
    finally:
        # Its import installs a handler of Ctrl-C, which would end this process without a message.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
    if shutil.which("sbatch") is None:
        raise UserError("--dask slurm needs the command sbatch, which is not here. Run this where jobs are handed in")
    if None in (dask.config.get(f"jobqueue.slurm.{name}", None) for name in ("cores", "memory")):
        raise UserError(
            "--dask slurm does not know the cores and memory of a job. Write them, and walltime, below jobqueue: "
            "slurm: in ~/.config/dask/jobqueue.yaml"
        )
    cluster = SLURMCluster()
    cluster.scale(jobs=jobs)
    return cluster
