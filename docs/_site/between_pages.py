"""What is put back between two pages of the gallery, which may run in one process."""

from __future__ import annotations

from typing import Any

import torch


def reset(gallery_conf: dict[str, Any], file_name: str) -> None:
    """Switch autograd on again, and start torch's own generator from one seed."""
    torch.set_grad_enabled(True)
    torch.manual_seed(0)
