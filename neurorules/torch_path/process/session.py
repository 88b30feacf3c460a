"""A session in which torch has the settings of a fresh process, whatever the user has set outside.

Default type and device, autocast, inference and gradient mode, deterministic algorithms, rounding of products, flushed
denormals: each of them would change or break what is learned, and none of them is an argument of a learner. The thread
count is left to torch, and nothing is drawn from the global generators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch

from neurorules.torch_path.process.precision import matrix_precision


class Setting(NamedTuple):
    """A setting of the whole process.

    Args:
        read: returns its value.
        write: sets it.
        fresh: its value in a fresh process.
    """

    read: Callable[[], Any]
    write: Callable[[Any], object]
    fresh: Any


SMALLEST = 5e-324
"""The smallest float64, which a processor that flushes denormals takes for 0. torch offers no function that tells
whether it does."""


SETTINGS = (
    Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    Setting(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, 0),
    Setting(torch._C._get_mkldnn_enabled, torch._C._set_mkldnn_enabled, True),
)
"""The settings that torch has once per process."""
OF_A_THREAD = Setting(lambda: SMALLEST * 1.0 == 0.0, torch.set_flush_denormal, False)
"""The setting that every thread has for itself: whether denormals are flushed."""


@contextmanager
def own_session(fast: bool = False) -> Iterator[None]:
    """Run the block without gradients and with torch's default settings; the user's settings are restored afterwards.

    Args:
        fast: whether float32 products may round (see `matrix_precision`).
    """
    with ExitStack() as back:
        for setting in SETTINGS:
            _refresh(setting, back)
        back.enter_context(matrix_precision(fast))
        _refresh_thread(back)
        with torch.no_grad():
            yield


@contextmanager
def own_thread() -> Iterator[None]:
    """The part of `own_session` that concerns a single thread."""
    with ExitStack() as back:
        _refresh_thread(back)
        with torch.no_grad():
            yield


def _refresh_thread(back: ExitStack) -> None:
    _refresh(OF_A_THREAD, back)
    if (
        torch._C._len_torch_function_stack()
    ):  # a default device is such a function, and would cost time at each call of torch
        back.enter_context(torch.device("cpu"))
    for device in ("cpu", "cuda"):
        if torch.is_autocast_enabled(device):
            back.enter_context(torch.autocast(device, enabled=False))
    if torch.is_inference_mode_enabled():
        back.enter_context(torch.inference_mode(False))


def _refresh(setting: Setting, back: ExitStack) -> None:
    before = setting.read()
    if before != setting.fresh:
        back.callback(setting.write, before)
        setting.write(setting.fresh)
