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


@contextmanager
def matrix_precision(fast: bool) -> Iterator[None]:
    """Inside the block, float32 products are exact, or with `fast` round like bfloat16 or TF32 where that is faster.

    It is faster on CUDA's tensor cores and on CPUs with matrix units; other processors compute in float32 in either
    case. The setting is torch's, for the whole process, and is put back afterwards.
    """
    before, own = _rounding(), "medium" if fast else "highest"
    if before == own:
        yield
        return
    torch.set_float32_matmul_precision(own)
    try:
        yield
    finally:
        if isinstance(before, str):
            torch.set_float32_matmul_precision(before)
        else:
            for backend, precision in before:
                backend.fp32_precision = precision


def _rounding() -> Any:
    """The setting as torch's single word, or one setting for each backend if they differ."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # the backends differ, so torch refuses to give a single word
        backends: list[Any] = [torch.backends.mkldnn.matmul, torch.backends.cuda.matmul]  # type: ignore[attr-defined]
        return [(backend, backend.fp32_precision) for backend in backends]
