"""Tensors that are handed out as copies, so that whoever gets one can change nothing by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from neurorules.language.errors import UserError


class Copies(Mapping[str, Tensor]):
    """A mapping of names to copies of tensors. Each is copied when it is asked for, so that the one handed out leads
    nowhere.

    Args:
        tensors: those that may be had, and no others.
        refusal: how the message goes on behind the name of any other.

    Raises:
        UserError: another name is asked for.
    """

    def __init__(self, tensors: Mapping[str, Tensor], refusal: str) -> None:
        self._tensors, self._refusal = tensors, refusal

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise UserError(f"'{name}' {self._refusal}")
        return self._tensors[name].clone()

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def get(self, name: str, default: Any = None) -> Any:
        """A copy of one tensor, where there is one of that name.

        Args:
            name: of the tensor.
            default: what to give otherwise.

        Returns:
            The copy, or the default.
        """
        return self[name] if name in self._tensors else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)
